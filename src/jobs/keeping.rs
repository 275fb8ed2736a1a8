//! What is made is kept: the storage lane's hand on the project's file.

use super::{Event, Kept, KeptState, Thumbnail, Up};
use crate::document::{Document, Revision, RevisionId};
use crate::imaging::{Mask, Picture, Pixels};
use crate::pipeline::memory;
use crate::project::{self, Project};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The project that is open, and where it is.
#[derive(Default)]
pub struct Keeper {
    path: Option<PathBuf>,
    project: Option<Project>,
    /// The selection that was packed last, since most states differ in other things.
    packed: Option<(Mask, Arc<[u8]>)>,
    /// Nothing is kept: another window has the file, or it cannot be written.
    looks_only: bool,
    /// What the disk had no room for, in order; kept with the next picture for which there is room.
    owed: Vec<(Revision, Thumbnail)>,
}

/// How an attempt to write ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    Yes,
    /// There was no room: later there may be.
    Full,
    No,
}

impl Keeper {
    /// Opens a project; one that is not there yet is made when there is something to keep.
    pub fn open(&mut self, path: &Path, up: &Up) {
        *self = Self { path: Some(path.to_owned()), ..Self::default() };
        if !path.exists() {
            return;
        }
        let opened = match Project::open(path) {
            Err(error) if error.is_in_use() || error.is_read_only() => Project::open_read_only(path),
            opened => opened,
        };
        let read = opened.and_then(|project| {
            let document = project.document(memory::available_bytes() / 2)?;
            let thumbnails = project.thumbnails()?.into_iter().map(|(id, picture)| (id, thumbnail_of(&picture))).collect();
            let state = state_of(project.state()?);
            let kept = Kept { name: name(path), looks_only: project.is_read_only(), document, thumbnails, state };
            self.looks_only = project.is_read_only();
            self.project = Some(project);
            Ok(kept)
        });
        let result = read.map(Box::new).map_err(|e| e.to_string());
        if result.is_err() {
            // What cannot be understood is left as it is; what is made from now on goes beside it.
            self.path = free_name(path);
        }
        up.send(Event::Project(result));
    }

    /// Writes all of a document into a new file, and goes on there.
    pub fn save_as(&mut self, path: &Path, document: &Document, thumbnails: &BTreeMap<RevisionId, Thumbnail>, state: &KeptState, up: &Up) {
        let pictures = thumbnails.iter().filter_map(|(id, t)| Some((*id, picture_of(t)?))).collect();
        let state = self.own_state(state);
        let made = Project::create(path, document, &pictures, &state);
        let packed = self.packed.take();
        let result = made.map(|project| {
            *self = Self { path: Some(path.to_owned()), project: Some(project), packed, ..Self::default() };
        });
        up.send(Event::ProjectSaved { name: name(path), result: result.map_err(|e| e.to_string()) });
    }

    pub fn record(&mut self, revision: &Revision, thumbnail: &Thumbnail, up: &Up) {
        self.owed.push((revision.clone(), thumbnail.clone()));
        // Parents first: without them, what was made from them cannot be kept either.
        while let Some((revision, thumbnail)) = self.owed.first().cloned() {
            match self.write(up, |project| project.record(&revision, picture_of(&thumbnail).as_ref())) {
                Written::Full => return,
                Written::Yes => tracing::debug!("revision {} is kept", revision.id.0),
                Written::No => {}
            }
            self.owed.remove(0);
        }
    }

    pub fn set_current(&mut self, id: RevisionId, redo: Option<RevisionId>, up: &Up) {
        if self.owing(id).is_none() {
            self.write(up, |project| project.set_current(id, redo));
        }
    }

    pub fn rename(&mut self, id: RevisionId, name: Option<&str>, up: &Up) {
        match self.owing(id) {
            Some(revision) => revision.name = name.map(str::to_owned),
            None => {
                self.write(up, |project| project.rename(id, name));
            }
        }
    }

    pub fn star(&mut self, id: RevisionId, starred: bool, up: &Up) {
        match self.owing(id) {
            Some(revision) => revision.starred = starred,
            None => {
                self.write(up, |project| project.star(id, starred));
            }
        }
    }

    pub fn prune(&mut self, gone: &[RevisionId], up: &Up) {
        self.owed.retain(|(revision, _)| !gone.contains(&revision.id));
        self.write(up, |project| project.prune(gone));
    }

    /// A revision that is not on the disk yet.
    fn owing(&mut self, id: RevisionId) -> Option<&mut Revision> {
        self.owed.iter_mut().map(|(revision, _)| revision).find(|revision| revision.id == id)
    }

    pub fn save_state(&mut self, state: &KeptState, up: &Up) {
        // A project of nothing but a prompt is none.
        if self.project.is_some() {
            let state = self.own_state(state);
            self.write(up, |project| project.save_state(&state));
        }
    }

    /// A selection that cannot be packed is left out: a prompt is worth more.
    fn own_state(&mut self, state: &KeptState) -> project::State {
        let view = state.view.map(|(zoom, [x, y])| project::View { zoom, centre: (x, y) });
        if self.packed.as_ref().map(|(mask, _)| mask) != state.mask.as_ref() {
            self.packed = state.mask.as_ref().and_then(|mask| Some((mask.clone(), mask.pack().ok()?.into())));
        }
        project::State { prompt: state.prompt.clone(), view, mask: self.packed.as_ref().map(|(_, bytes)| bytes.clone()) }
    }

    fn write(&mut self, up: &Up, change: impl FnOnce(&mut Project) -> project::Result<()>) -> Written {
        let Some(path) = self.path.as_ref().filter(|_| !self.looks_only) else { return Written::No };
        let project = match &mut self.project {
            Some(project) => Ok(project),
            none => make(path).map(|made| none.insert(made)),
        };
        let Err(error) = project.and_then(change) else { return Written::Yes };
        let full = error.is_disk_full();
        let hint = if full { "; make room, and it is kept with the next picture, or save the project under another name" } else { "" };
        up.send(Event::NotKept(format!("{error}{hint}")));
        if full { Written::Full } else { Written::No }
    }
}

/// A new project without a picture.
fn make(path: &Path) -> project::Result<Project> {
    if let Some(folder) = path.parent() {
        // Where this fails, creating the file says why.
        let _ = std::fs::create_dir_all(folder);
    }
    Project::create(path, &Document::default(), &BTreeMap::new(), &project::State::default())
}

/// `name-2.pentimento`, or the first number that is free.
fn free_name(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    (2..10_000).map(|n| path.with_file_name(format!("{stem}-{n}.{}", project::ENDING))).find(|p| !p.exists())
}

fn name(path: &Path) -> String {
    path.file_stem().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned())
}

fn thumbnail_of(picture: &Picture) -> Thumbnail {
    Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() }
}

fn picture_of(thumbnail: &Thumbnail) -> Option<Picture> {
    Picture::new(thumbnail.width, thumbnail.height, Pixels::Rgba8(thumbnail.rgba.clone())).ok()
}

fn state_of(state: project::State) -> KeptState {
    let mask = state.mask.and_then(|bytes| Mask::unpack(&bytes).inspect_err(|e| tracing::warn!("the selection is lost: {e}")).ok());
    KeptState { prompt: state.prompt, view: state.view.map(|v| (v.zoom, [v.centre.0, v.centre.1])), mask }
}
