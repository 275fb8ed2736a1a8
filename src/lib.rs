#![doc = include_str!("ARCHITECTURE.md")]

pub mod about;
pub mod cli;
pub mod imaging;
pub mod models;
pub mod pipeline;
pub mod places;
pub mod recipe;
