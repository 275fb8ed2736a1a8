//! Our own folder of models: those that are ready, and those that are begun.

use super::offer::Plan;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A model that is ready: its folder can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub plan: Plan,
    pub folder: PathBuf,
    pub bytes: u64,
}

/// A model that is begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    pub plan: Plan,
    pub bytes: u64,
    /// Of those, in the cache.
    pub bytes_here: u64,
}

/// A file that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    pub path: String,
    /// It is gone; otherwise its content is not what it was.
    pub missing: bool,
}
