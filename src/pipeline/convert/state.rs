//! What makes a conversion go on where it was: the source as it was found, and the files that are complete.

use super::super::load::ready::{Ready, ReadyFile, STATE, SourceFile, list};
use super::super::load::{Bytes, Folder, PICKLE, weight_files};
use super::super::{Error, Result};
use super::{Precisions, TAKEN_ALONG};
use crate::recipe::ModelId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::UNIX_EPOCH;

/// So much of either end of a file is hashed.
const END: usize = 1 << 20;
const LOCK: &str = "conversion.lock";

/// The files of a folder as they are now.
///
/// # Errors      a file cannot be read
pub fn source(folder: &Folder) -> Result<Vec<SourceFile>> {
    let mut names: Vec<String> = weight_files(folder)?.into_iter().collect();
    names.extend([PICKLE, "vision_tower/config.json"].into_iter().chain(TAKEN_ALONG).filter(|n| folder.has(n)).map(str::to_owned));
    let one = |name: String| {
        let bytes = folder.map(&name)?;
        let all = Bytes::as_slice(&bytes);
        let mut hash = Sha256::new();
        hash.update(&all[..all.len().min(END)]);
        hash.update(&all[all.len().saturating_sub(END)..]);
        let ends = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let modified = match folder {
            Folder::Disk(path) => fs::metadata(path.join(&name)).and_then(|m| m.modified()).ok(),
            Folder::Nano => None,
        };
        let modified = modified.and_then(|m| m.duration_since(UNIX_EPOCH).ok()).map_or(0, |d| d.as_nanos() as u64);
        Ok(SourceFile { bytes: all.len() as u64, modified, ends, name })
    };
    names.into_iter().map(one).collect()
}

/// How far a conversion is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    wanted: Ready,
    pub done: Vec<ReadyFile>,
    /// What was asked for, so that a window can go on with it.
    #[serde(default)]
    pub asked: Option<Asked>,
}

/// The source and the choice of a conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub model: ModelId,
    pub precisions: Precisions,
}

pub enum Found {
    /// The same conversion was ended.
    Complete,
    Begun(State),
}

impl State {
    /// What is in the folder for a conversion to `wanted`. If another one was begun there, its files go.
    ///
    /// # Errors      something else is in the folder
    pub fn find(out: &Path, wanted: &Ready) -> Result<Found> {
        let refuse = |what: &str| Err(Error::Convert { what: what.to_owned(), path: out.to_owned() });
        let folder = Folder::Disk(out.to_owned());
        let complete = |file: &ReadyFile| fs::metadata(out.join(&file.name)).is_ok_and(|m| m.len() == file.bytes);
        match list(&folder)? {
            Some(there) if there == *wanted && wanted.files.iter().all(complete) => return Ok(Found::Complete),
            Some(_) => return refuse("another converted model is there; choose another folder, or delete that one"),
            None => {}
        }
        let none = Self { wanted: wanted.clone(), done: Vec::new(), asked: None };
        let Some(bytes) = folder.read(STATE)? else {
            let foreign = |entry: io::Result<fs::DirEntry>| entry.map_or(true, |e| e.file_name() != LOCK);
            let empty = !fs::read_dir(out).map_err(|e| said(&e, out))?.any(foreign);
            return if empty { Ok(Found::Begun(none)) } else { refuse("the folder is not empty; choose another") };
        };
        if let Ok(mut state) = serde_json::from_slice::<Self>(&bytes)
            && state.wanted == *wanted
        {
            state.done.retain(|file| wanted.files.contains(file) && complete(file));
            return Ok(Found::Begun(state));
        }
        // Another source or precision: what was written for it is of no use.
        for component in super::Component::ALL {
            let _ = fs::remove_file(out.join(component.file()));
        }
        Ok(Found::Begun(none))
    }

    /// Bytes that are complete, and that there will be.
    pub fn bytes(&self) -> (u64, u64) {
        let sum = |files: &[ReadyFile]| files.iter().map(|f| f.bytes).sum();
        (sum(&self.done), sum(&self.wanted.files))
    }

    /// # Errors      the file cannot be written
    pub fn save(&self, out: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| Error::Convert { what: e.to_string(), path: out.to_owned() })?;
        put(out, STATE, &text)
    }
}

/// Writes a small file whole or not at all.
///
/// # Errors      the file cannot be written
pub fn put(out: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = out.join(name);
    let write = || -> io::Result<()> {
        let folder = path.parent().unwrap_or(out);
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        #[cfg(unix)]
        {
            // A temporary file is its owner's alone; this one is like any other.
            use std::os::unix::fs::PermissionsExt as _;
            file.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        file.persist(&path).map_err(|e| e.error)?;
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    };
    write().map_err(|e| said(&e, &path))
}

/// An error of the disk as a sentence.
pub fn said(error: &io::Error, path: &Path) -> Error {
    let hint = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room and run it again, it goes on where it was",
        _ => "",
    };
    Error::Convert { what: format!("{error}{hint}"), path: path.to_owned() }
}

/// Keeps a second conversion out of the folder for as long as it lives.
pub struct Lock {
    file: Option<File>,
    path: std::path::PathBuf,
}

/// # Errors      another conversion works there
pub fn lock(out: &Path) -> Result<Lock> {
    let path = out.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(|e| said(&e, &path))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => {
            Err(Error::Convert { what: "another conversion works there".to_owned(), path: out.to_owned() })
        }
        // Where the file system knows no locks there is none.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(Lock { file: Some(file), path }),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
        self.file = None;
    }
}
