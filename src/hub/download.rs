//! Fetching all files of a plan on as many threads as call [`Download::work`].

use serde::Serialize;

/// How far a download is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Of all files, and of those here by now, whole and begun.
    pub bytes: u64,
    pub bytes_done: u64,
    pub files: usize,
    pub files_done: usize,
    /// Bytes that arrive a second, over the last seconds.
    pub bytes_per_second: f64,
    /// `None`: not to be told yet.
    pub seconds_left: Option<f64>,
    /// What is looked at or fetched now.
    pub current: Vec<String>,
    /// Why nothing comes in just now, such as a server that asks to wait.
    pub waiting: Option<String>,
    /// Bytes of old files that were compared with their hashes; they do not arrive from the net.
    pub bytes_checked: u64,
}
