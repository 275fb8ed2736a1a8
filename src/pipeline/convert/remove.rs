//! A model that was made here, removed again: its own files, and nothing else of the folder.

use super::super::load::Folder;
use super::super::load::ready::{LIST, STATE, is_plain, list};
use super::super::{Error, Result};
use super::{Component, TAKEN_ALONG, TOWER_FILE, state};
use crate::recipe::ModelId;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Removes what a conversion, ended or not, has written into a folder, and the folder if nothing else is in it. Returns the
/// bytes that are free now.
///
/// # Errors      the folder was not made by a conversion, one works there, or the disk fails
pub fn remove(path: &Path) -> Result<u64> {
    let folder = Folder::of(&ModelId::Folder(path.to_owned()))?;
    if !folder.has(LIST) && !folder.has(STATE) {
        let what = "this program has not made it; remove the folder by hand if you want".to_owned();
        return Err(Error::Convert { what, path: path.to_owned() });
    }
    let mut names: Vec<String> = Component::ALL.iter().flat_map(|c| [c.file().to_owned(), format!("{}.partial", c.file())]).collect();
    if let Ok(Some(ready)) = list(&folder) {
        names.extend(ready.files.into_iter().map(|f| f.name).filter(|name| is_plain(name)));
    }
    names.extend(TAKEN_ALONG.into_iter().chain([TOWER_FILE]).map(str::to_owned));
    // The list goes last: until then the rest can be found again.
    names.extend([STATE, LIST].map(str::to_owned));
    let lock = state::lock(path)?;
    let mut freed = 0;
    for name in names {
        let file = path.join(&name);
        let bytes = file.symlink_metadata().map_or(0, |m| m.len());
        match fs::remove_file(&file) {
            Ok(()) => freed += bytes,
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(e) => return Err(state::said(&e, &file)),
        }
    }
    drop(lock);
    // Those that are not empty stay.
    for folder in ["transformer", "vae", "scheduler", "vision_tower"].map(|name| path.join(name)).iter().chain([&path.to_owned()]) {
        let _ = fs::remove_dir(folder);
    }
    Ok(freed)
}
