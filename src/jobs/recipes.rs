//! Recipes and what was made by them, from the disk and onto it: the storage lane's hand on the contact sheet.

use super::replaying::{PROJECT, RECIPE};
use super::{Command, Event, SaveReplayed, Up, Way, keeping, storage};
use crate::document::Chain;
use crate::export;
use crate::imaging::{self, ENDINGS, Format, Pyramid};
use crate::pipeline::memory;
use crate::project::Project;
use crate::recipe::file_name;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most photos that are taken from folders and files at once.
const MOST_PHOTOS: usize = 10_000;
/// The most results of one name in a folder.
const MOST_OF_A_NAME: u32 = 10_000;

pub(super) fn work(command: Command, up: &Up) {
    match command {
        Command::ReadRecipe(path) => {
            let result = export::read_recipe(&path).map(Box::new).map_err(|e| e.to_string());
            up.send(Event::RecipeRead { name: file_name(&path), result });
        }
        Command::SaveRecipe { path, chain } => {
            let result = imaging::write_whole(&path, chain.to_json().as_bytes()).map_err(|e| storage::with_hint(&e));
            up.send(Event::RecipeSaved { path, result });
        }
        Command::FindPhotos(paths) => up.send(Event::PhotosFound(photos(paths))),
        Command::SaveReplayed(wish) => up.send(Event::ReplaySaved { id: wish.id, result: save(&wish) }),
        Command::OpenReplayed { id, folder } => up.send(Event::ReplayOpened { id, result: way(&folder).map(Box::new) }),
        Command::DropReplayed(folders) => {
            for folder in folders {
                if let Err(error) = fs::remove_dir_all(&folder) {
                    tracing::warn!("a result stays on the disk until the window closes: {error}");
                }
            }
        }
        _ => {}
    }
}

/// Files as they are named, and of a folder the pictures in it by their names.
fn photos(paths: Vec<PathBuf>) -> Vec<PathBuf> {
    let is_picture = |path: &PathBuf| path.extension().is_some_and(|e| ENDINGS.contains(&e.to_string_lossy().to_lowercase().as_str()));
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path);
        } else if let Ok(entries) = fs::read_dir(&path) {
            let mut inside: Vec<PathBuf> =
                entries.flatten().map(|entry| entry.path()).filter(|path| is_picture(path) && path.is_file()).take(MOST_PHOTOS).collect();
            inside.sort();
            found.extend(inside);
        }
        if found.len() >= MOST_PHOTOS {
            break;
        }
    }
    found.truncate(MOST_PHOTOS);
    found
}

/// Writes a result as what its photo is, under a name that is free.
fn save(wish: &SaveReplayed) -> Result<PathBuf, String> {
    let SaveReplayed { folder, photo, to, quality, switches, .. } = wish;
    let project = Project::open_read_only(&folder.join(PROJECT)).map_err(|e| e.to_string())?;
    let last = project.document_without_pictures(memory::available_bytes() / 2).map_err(|e| e.to_string())?;
    let last = last.revisions().last().map(|r| r.id).ok_or("the result is not there any more")?;
    let picture = project.picture(last).map_err(|e| e.to_string())?;
    let text = fs::read_to_string(folder.join(RECIPE)).map_err(|e| e.to_string())?;
    let chain = Chain::from_json(&text).map_err(|e| e.to_string())?;
    let format = photo.as_ref().and_then(|photo| Format::of(photo, *quality).ok()).unwrap_or(Format::Png);
    let bytes = export::file(&picture, &chain, format, *switches, &|| false).map_err(|e| e.to_string())?.unwrap_or_default();
    let stem = photo.as_ref().and_then(|photo| photo.file_stem()).map_or_else(|| "picture".into(), |stem| stem.to_string_lossy());
    let ending = photo.as_ref().and_then(|photo| photo.extension()).filter(|_| photo.as_ref().is_some_and(|p| Format::of(p, 90).is_ok()));
    let ending = ending.map_or_else(|| format.ending().to_owned(), |ending| ending.to_string_lossy().into_owned());
    for n in 1..MOST_OF_A_NAME {
        let name = if n == 1 { format!("{stem}.{ending}") } else { format!("{stem}-{n}.{ending}") };
        let path = to.join(name);
        if imaging::write_new(&path, &bytes).map_err(|e| storage::with_hint(&e))? {
            return Ok(path);
        }
    }
    Err(format!("there are {MOST_OF_A_NAME} files of the name {stem} already; choose another folder"))
}

/// Everything on the way to a result.
fn way(folder: &Path) -> Result<Way, String> {
    let project = Project::open_read_only(&folder.join(PROJECT)).map_err(|e| e.to_string())?;
    let document = project.document(memory::available_bytes() / 2).map_err(|e| e.to_string())?;
    let thumbnails = project.thumbnails().map_err(|e| e.to_string())?;
    let pictures = document.revisions().iter().filter_map(|r| Some((r.id, r.picture.here()?)));
    let screens = pictures
        .map(|(id, picture)| {
            let small = thumbnails.get(&id).map_or_else(|| storage::thumbnail(picture), keeping::thumbnail_of);
            (Arc::new(Pyramid::new(picture)), small)
        })
        .collect();
    Ok(Way { document, screens })
}
