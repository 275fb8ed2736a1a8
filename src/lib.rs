#![doc = include_str!("ARCHITECTURE.md")]

pub mod about;
#[cfg(feature = "gui")]
pub mod app;
pub mod cli;
pub mod document;
pub mod editor;
pub mod imaging;
pub mod jobs;
pub mod models;
pub mod pipeline;
pub mod places;
pub mod recipe;
#[cfg(feature = "gui")]
pub mod render;
#[cfg(feature = "gui")]
pub mod ui;
