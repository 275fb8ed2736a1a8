//! One window writes to a project: a lock that the system takes back when the process ends, however it ends.

use super::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// Held for as long as a project is open for writing. It is on a file of its own, beside the project, since locks of SQLite's
/// would get in each other's way with ours.
#[derive(Debug)]
pub(super) struct Lock {
    #[expect(dead_code, reason = "the lock is held while the file is open")]
    file: File,
    path: PathBuf,
}

impl Lock {
    /// # Errors      another window has it, or the folder is write-protected
    pub(super) fn take(project: &Path) -> Result<Self> {
        let path = beside(project, "-lock");
        loop {
            // Writing is asked for so that a write-protected folder is noticed here.
            let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| Error::write(project, &e))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(Error::InUse { path: project.to_owned() }),
                // There are file systems without locks; SQLite's transactions hold there too.
                Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {}
                Err(TryLockError::Error(e)) => return Err(Error::write(project, &e)),
            }
            // Who had it before may have taken the file away between our opening and our locking it.
            if is_still(&file, &path) {
                return Ok(Self { file, path });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Elsewhere than on Unix a file that is open stays; an old one does no harm.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(theirs)) => (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

/// The file whose name is that of the project with an addition.
pub(super) fn beside(project: &Path, addition: &str) -> PathBuf {
    let mut name = project.as_os_str().to_owned();
    name.push(addition);
    PathBuf::from(name)
}
