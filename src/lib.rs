pub mod about;
pub mod recipe;
pub mod places;
pub mod imaging;
pub mod models;
pub mod pipeline;
pub mod cli;
