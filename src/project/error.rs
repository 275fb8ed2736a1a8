//! What can go wrong with a project's file, in one sentence each.

use rusqlite::ErrorCode;
use std::io;
use std::path::{Path, PathBuf};

/// Why a project could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the project cannot be read: {source}: {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the project cannot be written, and keeps what it held before: {what}: {}", path.display())]
    Write { path: PathBuf, what: String },
    #[error("the disk is full, and the project keeps what it held before: {}", path.display())]
    DiskFull { path: PathBuf },
    #[error("there is a file of this name already: {}", path.display())]
    Exists { path: PathBuf },
    #[error("this is not a Pentimento project: {}", path.display())]
    Foreign { path: PathBuf },
    #[error("the project was made by a newer Pentimento (format {found}, and this one knows formats up to {known}): {}", path.display())]
    Newer { path: PathBuf, found: u32, known: u32 },
    #[error("the project is damaged: {what}: {}", path.display())]
    Damaged { path: PathBuf, what: String },
    #[error("the project needs {needs_bytes} bytes of memory, more than the {most_bytes} that it may take: {}", path.display())]
    TooLarge { path: PathBuf, needs_bytes: u64, most_bytes: u64 },
    #[error("the project is open in another window, so that it can only be looked at in this one: {}", path.display())]
    InUse { path: PathBuf },
    #[error("the project can be looked at but not changed, since its file or its folder is write-protected: {}", path.display())]
    NotWritable { path: PathBuf },
    #[error(
        "a crash left the project in the middle of writing, and only who may write can put that right; \
         open it for writing, or copy it first, together with the file that ends in -journal, to where that can be done: {}",
        path.display()
    )]
    Unfinished { path: PathBuf },
    #[error("the project is open for looking only: {}", path.display())]
    ReadOnly { path: PathBuf },
    #[error("the project does not take this: {what}: {}", path.display())]
    Refused { path: PathBuf, what: String },
}

impl Error {
    /// True where there was no room left; what the project held before is unharmed.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    /// True where [`super::Project::open_read_only`] may still show the project.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::InUse { .. } | Self::NotWritable { .. } | Self::ReadOnly { .. })
    }

    /// True where another window has the project.
    pub fn is_in_use(&self) -> bool {
        matches!(self, Self::InUse { .. })
    }

    /// True where the file is no project, or none that this program knows.
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::Newer { .. })
    }

    /// True where the file is a project and broken.
    pub fn is_damaged(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    /// True where it would be the same at any other time, however much room there is.
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// Of writing to a file by hand.
    pub(super) fn write(path: &Path, source: &io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::NotWritable { path },
            _ => Self::Write { path, what: source.to_string() },
        }
    }

    /// What SQLite said about a project.
    pub(super) fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let Some(code) = error.sqlite_error_code() else {
            let what = match error {
                rusqlite::Error::Utf8Error(..) => "a text in it is not UTF-8".to_owned(),
                rusqlite::Error::FromSqlConversionFailure(_, _, why) if why.is::<std::str::Utf8Error>() => {
                    "a text in it is not UTF-8".to_owned()
                }
                rusqlite::Error::IntegralValueOutOfRange(..) => "a number in it cannot be right".to_owned(),
                rusqlite::Error::InvalidColumnType(..) => "something in it is of the wrong kind".to_owned(),
                rusqlite::Error::QueryReturnedNoRows => "something that it needs is missing".to_owned(),
                other => line(&other.to_string()),
            };
            return Self::Damaged { path, what };
        };
        match code {
            ErrorCode::DiskFull => Self::DiskFull { path },
            ErrorCode::NotADatabase => Self::Damaged { path, what: "its beginning is not that of a database".to_owned() },
            ErrorCode::DatabaseCorrupt => Self::Damaged { path, what: "its pages do not hold together".to_owned() },
            ErrorCode::TooBig => Self::Damaged { path, what: "something in it is absurdly large".to_owned() },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => Self::NotWritable { path },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::InUse { path },
            ErrorCode::ConstraintViolation => Self::Refused { path, what: line(&error.to_string()) },
            _ => Self::Write { path, what: line(&error.to_string()) },
        }
    }
}

/// In one line and lower case, as our own sentences are.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;
