//! Model files on disk and on the net: which models there are, what a repository states about itself, downloads that can
//! be broken off at any moment, the Hugging Face cache in its own layout, and the folders that the pipeline opens.
//!
//! [`look_up`] asks a repository and makes an [`Offer`]: files, sizes, licences, all pinned to a commit. A person reads and
//! accepts it, and a [`Download`] fetches what is not here yet: several threads call [`Download::work`], and
//! [`Download::finish`] links the files into a folder of the [`Shelf`]. What is begun is written down there first, so that a
//! later start can go on with it.
//!
//! Architecture Invariant: the only room that speaks HTTP, and only inside [`look_up`] and [`Download::work`]: nothing here
//! connects by itself.
//!
//! Architecture Invariant: no file gets its name before its hash was compared with what the repository states. Names,
//! sizes and addresses that come from the net are taken as hostile.

mod cache;
mod catalogue;
mod client;
mod download;
mod fetch;
mod hash;
mod licence;
mod offer;
mod paths;
mod settings;
mod shelf;
mod wait;

pub use cache::Cache;
pub use catalogue::{ENTRIES, Entry, Need, Source, entry};
pub use client::Client;
pub use download::{Download, Progress};
pub use hash::Hash;
pub use licence::Licence;
pub use offer::{Offer, Plan, RemoteFile, RemoteRepository, look_up};
pub use settings::{Patience, Settings};
pub use shelf::{BadFile, Checking, Installed, Shelf, Unfinished};
pub use wait::Stop;

use std::path::PathBuf;

/// Why a model cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no model {name:?}; give an id that `pentimento models list` shows, or a repository as organisation/name")]
    NoSuchModel { name: String },
    #[error("the network is switched off by HF_HUB_OFFLINE; unset it to download")]
    SwitchedOff,
    #[error("{host} cannot be reached; check the connection and try again: {why}")]
    Unreachable { host: String, why: String },
    #[error("{host} wants to know who asks ({status}): accept the model's terms on its page there, and set HF_TOKEN to your token")]
    Forbidden { host: String, status: u16 },
    #[error("{host} does not have {what}; check the name and the revision")]
    NotFound { host: String, what: String },
    #[error("{host} is too busy ({status}) and still was after {tries} tries; try again later")]
    Busy { host: String, status: u16, tries: u32 },
    #[error("{host} answered in a way that makes no sense: {what}")]
    Answer { host: String, what: String },
    #[error("{host} sent nothing for too long, {tries} times in a row; what is here is kept, try again later: {file}")]
    Stalled { host: String, file: String, tries: u32 },
    #[error("the connection broke off {tries} times in a row; what is here is kept, try again later: {why}: {file}")]
    BrokenOff { file: String, why: String, tries: u32 },
    #[error("the file on the server is not the one that was offered; look the model up again: {file}")]
    Changed { file: String },
    #[error("the file that arrived is damaged, twice in a row; its hash is not what the repository states: {file}")]
    Damaged { file: String },
    #[error("the repository names a file outside of its own folder, so nothing of it is taken: {path:?}")]
    Hostile { path: String },
    #[error("the repository does not state {what}, without which nothing can be checked: {file}")]
    NotStated { what: &'static str, file: String },
    #[error("the repository is not a model for this program: {what}: {repo}")]
    NotAModel { repo: String, what: String },
    #[error("the licence of {repo} has not been accepted")]
    NotAccepted { repo: String },
    #[error("the disk has {free_mb} MB free and {needed_mb} MB are needed; make room or set HF_HOME to a folder on another disk: {}", path.display())]
    NoRoom { free_mb: u64, needed_mb: u64, path: PathBuf },
    #[error("the disk is full; make room and go on: {}", path.display())]
    DiskFull { path: PathBuf },
    #[error("the file cannot be {doing}: {source}: {}", path.display())]
    Disk { doing: &'static str, source: std::io::Error, path: PathBuf },
    #[error("there is no model {name:?} here; `pentimento models list` shows those that are")]
    NotHere { name: String },
    #[error("another window is at work on this model; wait for it or close it: {name}")]
    InUse { name: String },
    #[error("there is no folder for models on this system; set PENTIMENTO_HOME")]
    NoPlace,
    /// An outcome more than an error: the person paused or cancelled.
    #[error("stopped")]
    Stopped,
}

/// What this room's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Paused or cancelled, which is no failure.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped)
    }

    /// There is no way to the server now.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::SwitchedOff | Self::Unreachable { .. })
    }

    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::DiskFull { .. })
    }

    /// A failure of the disk, told apart by whether it is full.
    pub(crate) fn disk(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| {
            if matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded) {
                Self::DiskFull { path }
            } else {
                Self::Disk { doing, source, path }
            }
        }
    }
}
