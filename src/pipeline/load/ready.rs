//! Folders that were made ready by a conversion: a GGUF file for each component, and a list of them.

use super::tensors::Entry;
use super::{Error, Folder, Result, gguf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The list; written when all else is there.
pub const LIST: &str = "pentimento.json";
/// How far a conversion is; gone when it has ended.
pub const STATE: &str = "conversion.json";
/// The only format so far.
pub const FORMAT: u32 = 1;

/// What [`LIST`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    pub format: u32,
    /// What it was made from.
    pub source: Vec<SourceFile>,
    pub files: Vec<ReadyFile>,
}

/// A file of the official folder as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    pub name: String,
    pub bytes: u64,
    /// In nanoseconds since 1970; 0 where the system does not tell.
    pub modified: u64,
    /// SHA-256 of its ends, which for weights are the header and the last tensor.
    pub ends: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyFile {
    pub name: String,
    pub precision: String,
    pub bytes: u64,
}

/// Whether a file's name stays within its folder.
pub fn is_plain(name: &str) -> bool {
    Path::new(name).components().count() == 1 && !name.contains(['/', '\\']) && name != ".." && name != "."
}

/// The tensors of a ready folder; `None` where the folder is none.
///
/// # Errors      a conversion was not finished, or a file is missing or damaged
pub fn read(folder: &Folder) -> Result<Option<BTreeMap<String, Entry>>> {
    let Some(ready) = list(folder)? else {
        if folder.has(STATE) {
            let what = "its conversion was not finished; run it again and it goes on".to_owned();
            return Err(Error::NotACheckpoint { what, path: folder.path() });
        }
        return Ok(None);
    };
    let mut tensors = BTreeMap::new();
    for ReadyFile { name, bytes, .. } in &ready.files {
        if !is_plain(name) {
            return Err(Error::Damaged { file: LIST.to_owned(), what: format!("it names a file outside the folder, {name:?}") });
        }
        if !folder.has(name) {
            return Err(Error::NotACheckpoint { what: format!("the weight file {name} is missing"), path: folder.path() });
        }
        let damaged = |what: String| Error::Damaged { file: name.clone(), what };
        let file = folder.map(name)?;
        if file.as_slice().len() as u64 != *bytes {
            return Err(damaged(format!("it has {} bytes instead of {bytes}; convert the model again", file.as_slice().len())));
        }
        for (key, entry) in gguf::read(&file).map_err(damaged)? {
            if tensors.insert(key.clone(), entry).is_some() {
                return Err(damaged(format!("the tensor {key:?} is in another file too")));
            }
        }
    }
    Ok(Some(tensors))
}

/// The list of a ready folder, if it has one.
///
/// # Errors      it cannot be read, or is of another format
pub fn list(folder: &Folder) -> Result<Option<Ready>> {
    let Some(bytes) = folder.read(LIST)? else { return Ok(None) };
    let damaged = |what: String| Error::Damaged { file: LIST.to_owned(), what };
    let ready: Ready = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if ready.format != FORMAT {
        return Err(damaged(format!("its format is {}, and this program knows {FORMAT}", ready.format)));
    }
    Ok(Some(ready))
}
