//! What is made is kept: the storage lane's hand on the project's file.

use super::{Command, Event, Kept, KeptState, Thumbnail, Up};
use crate::document::{Document, RevisionId};
use crate::imaging::{Mask, Picture, Pixels};
use crate::pipeline::memory;
use crate::project::{self, Project};
use std::collections::{BTreeMap, VecDeque};
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
    /// Changes that could not be written, in their order: a revision goes before what was made from it. Its pictures are
    /// those of the document, so that waiting takes no memory to speak of.
    waiting: VecDeque<Command>,
}

impl Keeper {
    /// Opens a project; one that is not there yet is made when there is something to keep.
    ///
    /// Where something of the project before still waits, nothing is opened: the window would let go of it.
    pub fn open(&mut self, path: &Path, up: &Up) {
        if !self.waiting.is_empty() {
            if self.catch_up(|_| "; make room or save this project under another name, then open the other one", up) {
                up.send(Event::KeptAgain);
            } else if !self.waiting.is_empty() {
                return;
            }
        }
        *self = Self { path: Some(path.to_owned()), ..Self::default() };
        if !path.exists() {
            return;
        }
        let opened = match Project::open(path) {
            Err(error) if error.is_in_use() || error.is_read_only() => Project::open_read_only(path),
            opened => opened,
        };
        let read = opened.and_then(|project| {
            let document = project.document_without_pictures(memory::available_bytes() / 2)?;
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
        let made = match &self.project {
            Some(project) => project.save_as(path, document, &pictures, &state),
            None => Project::create(path, document, &pictures, &state),
        };
        let result = made.map_err(|e| format!("{e}{}", self.other_place(&e, path)));
        let result = result.map(|project| {
            // All that waited is in the document.
            let packed = self.packed.take();
            *self = Self { path: Some(path.to_owned()), project: Some(project), packed, ..Self::default() };
        });
        up.send(Event::ProjectSaved { name: name(path), result });
    }

    /// Reads a revision's picture.
    pub fn fetch(&self, id: RevisionId, up: &Up) {
        up.send(Event::Fetched { id, result: self.picture(id) });
    }

    /// A revision's picture as the project has it.
    pub fn picture(&self, id: RevisionId) -> Result<Picture, String> {
        let project = self.project.as_ref().ok_or_else(|| "no project is open".to_owned())?;
        project.picture(id).map_err(|e| e.to_string())
    }

    /// Writes a change, behind those that wait.
    pub fn keep(&mut self, change: Command, up: &Up) {
        if self.path.is_none() || self.looks_only {
            return;
        }
        let was_behind = !self.waiting.is_empty();
        match change {
            // A project of nothing but a prompt is none.
            Command::SaveState(_) if self.project.is_none() && !was_behind => return,
            Command::SaveState(_) => {
                // The newest says it all.
                self.waiting.retain(|waits| !matches!(waits, Command::SaveState(_)));
                self.waiting.push_back(change);
            }
            Command::Prune(gone) => self.put_first(gone),
            _ => self.waiting.push_back(change),
        }
        if self.catch_up(way_out, up) && was_behind {
            up.send(Event::KeptAgain);
        }
    }

    /// What is pruned may make the room that the others wait for.
    fn put_first(&mut self, gone: Vec<RevisionId>) {
        let stays = |id: &RevisionId| !gone.contains(id);
        self.waiting.retain_mut(|waits| match waits {
            Command::Record { revision, .. } => stays(&revision.id),
            Command::Rename { id, .. } | Command::Star { id, .. } => stays(id),
            Command::SetCurrent { id, redo } => {
                *redo = redo.filter(stays);
                stays(id)
            }
            _ => true,
        });
        // What was pruned before may have been made from what is pruned now.
        let behind = self.waiting.iter().take_while(|waits| matches!(waits, Command::Prune(_))).count();
        self.waiting.insert(behind, Command::Prune(gone));
    }

    /// Writes what waits, up to the first change that cannot be written now; `way_out` is the end of the sentence about it.
    /// What the project never takes does not hold up the rest. Returns whether all is kept.
    fn catch_up(&mut self, way_out: impl Fn(&project::Error) -> &'static str, up: &Up) -> bool {
        let mut all = true;
        while let Some(change) = self.waiting.pop_front() {
            let Err(error) = self.write(&change) else {
                match &change {
                    Command::Record { revision, .. } => {
                        tracing::debug!("revision {} is kept", revision.id.0);
                        up.send(Event::KeptRevision(revision.id));
                    }
                    Command::SaveState(state) => {
                        // Counted only where somebody listens.
                        tracing::debug!("a selection of {} pixels is kept", state.mask.as_ref().map_or(0, Mask::count));
                    }
                    _ => {}
                }
                continue;
            };
            all = false;
            up.send(Event::NotKept(format!("{error}{}", way_out(&error))));
            if !error.is_refused() {
                self.waiting.push_front(change);
                break;
            }
        }
        all
    }

    fn write(&mut self, change: &Command) -> project::Result<()> {
        let state = if let Command::SaveState(state) = change { Some(self.own_state(state)) } else { None };
        let Some(path) = &self.path else { return Ok(()) };
        let project = match &mut self.project {
            Some(project) => project,
            none => none.insert(make(path)?),
        };
        match change {
            Command::Record { revision, thumbnail } => project.record(revision, picture_of(thumbnail).as_ref()),
            Command::SetCurrent { id, redo } => project.set_current(*id, *redo),
            Command::Rename { id, name } => project.rename(*id, name.as_deref()),
            Command::Star { id, starred } => project.star(*id, *starred),
            Command::Prune(gone) => project.prune(gone),
            _ => state.map_or(Ok(()), |state| project.save_state(&state)),
        }
    }

    /// What to do where a project cannot be saved there, as the end of a sentence.
    fn other_place(&self, error: &project::Error, path: &Path) -> &'static str {
        let is_own = || path.canonicalize().is_ok_and(|path| self.project.as_ref().is_some_and(|own| own.path() == path));
        match error {
            project::Error::Exists { .. } if is_own() && !self.looks_only && self.waiting.is_empty() => {
                "; it is this project's own, in which all is kept already"
            }
            project::Error::Exists { .. } | project::Error::InUse { .. } => "; choose another name",
            project::Error::DiskFull { .. } => "; make room or choose another disk",
            _ => "; choose another folder",
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
}

/// What to do where a change cannot be kept, as the end of a sentence.
fn way_out(error: &project::Error) -> &'static str {
    if error.is_refused() {
        "; export the picture to have it in a file"
    } else if error.is_disk_full() {
        "; make room, and it is kept with the next change, or save the project under another name"
    } else {
        "; it is tried again with the next change, or save the project under another name"
    }
}

/// A new project without a picture.
pub(super) fn make(path: &Path) -> project::Result<Project> {
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

pub(super) fn thumbnail_of(picture: &Picture) -> Thumbnail {
    Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() }
}

pub(super) fn picture_of(thumbnail: &Thumbnail) -> Option<Picture> {
    Picture::new(thumbnail.width, thumbnail.height, Pixels::Rgba8(thumbnail.rgba.clone())).ok()
}

fn state_of(state: project::State) -> KeptState {
    let mask = state.mask.and_then(|bytes| Mask::unpack(&bytes).inspect_err(|e| tracing::warn!("the selection is lost: {e}")).ok());
    KeptState { prompt: state.prompt, view: state.view.map(|v| (v.zoom, [v.centre.0, v.centre.1])), mask }
}
