//! Recipes, done again on photos: by the lane that runs models, one photo at a time, so that whatever else a person runs goes
//! between two of them.
//!
//! What is made and not saved yet waits on the disk: a project for each photo, in a folder that is gone with the window.

use super::compute::{Backend, Failure, words};
use super::{
    CancelToken, Doing, Event, FindSettings, Job, Place, Repeated, ReplayJob, ReplayProgress, Thumbnail, Up, keeping, now, storage,
};
use crate::document::{Begins, Chain, Held, Link, LocalEdit, Origin, Revision, RevisionId, Steps};
use crate::export::Found;
use crate::hub::Shelf;
use crate::imaging::{self, Picture, Said};
use crate::pipeline::load::Checkpoint;
use crate::pipeline::{self, Latents, Made, Observer, Outcome, Progress, UpscaleProgress};
use crate::places;
use crate::project::{self, Project};
use crate::recipe::ModelId;
use crate::replay::{self, Edited, FindModel, How, Painter, Task, Witness, found, replay};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What of a photo's result is in its folder: the way to it as a project, and that way as a recipe, with what was done to the
/// photo before.
pub(super) const PROJECT: &str = "result.pentimento";
pub(super) const RECIPE: &str = "recipe.json";
/// How folders of results are called, and the file in each that its window holds on to.
const FOLDER: &str = "replay-";
const HELD: &str = "held";
/// The most bytes that one photo's result may take with all pictures on the way to it.
const MOST_BYTES: u64 = 8 << 30;

/// Where results wait. Gone with the window; what it has no time for, or a crash leaves, is removed by the next one.
#[derive(Default)]
pub(super) struct Room(Option<(PathBuf, File)>);

impl Drop for Room {
    fn drop(&mut self) {
        self.0.iter().for_each(|(folder, _)| remove(folder));
    }
}

/// Removes a folder of results, its mark last: the program may end meanwhile, and the next window goes by the mark.
fn remove(folder: &Path) {
    let inside = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in inside.filter(|entry| entry.file_name() != HELD) {
        let _ = fs::remove_dir_all(entry.path()).or_else(|_| fs::remove_file(entry.path()));
    }
    let _ = fs::remove_dir_all(folder);
}

impl Room {
    fn folder(&mut self, at: Option<&Path>) -> io::Result<&Path> {
        if self.0.is_none() {
            let place = at.map(Path::to_owned).or_else(places::cache).unwrap_or_else(std::env::temp_dir);
            fs::create_dir_all(&place)?;
            sweep(&place);
            let folder = tempfile::Builder::new().prefix(FOLDER).tempdir_in(&place)?;
            let held = File::create_new(folder.path().join(HELD))?;
            // Where a disk knows no locks, nobody removes it but this window.
            let _ = held.try_lock();
            self.0 = Some((folder.keep(), held));
        }
        self.0.as_ref().map(|(folder, _)| folder.as_path()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// [`sweep`] where results wait by themselves.
pub(super) fn sweep_cache() {
    places::cache().iter().for_each(|place| sweep(place));
}

/// Removes what windows that are no more have left.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(FOLDER) && entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_left = |held: File| held.try_lock().is_ok();
        if is_ours && File::open(entry.path().join(HELD)).is_ok_and(is_left) {
            remove(&entry.path());
        }
    }
}

/// Does a recipe on one photo. Answered by one `Replayed`.
pub(super) fn run(job: &ReplayJob, cancel: &CancelToken, backend: &mut dyn Backend, room: &mut Room, settings: &FindSettings, up: &Up) {
    let id = job.id;
    let ended = catch_unwind(AssertUnwindSafe(|| one(job, cancel, backend, room, settings, up)));
    let result = ended.unwrap_or_else(|panic| {
        backend.forget();
        Err(format!("the computation broke off: {}", words(panic.as_ref())))
    });
    let is_kept = matches!(result, Ok(Some(_)));
    if let (false, Some((folder, _))) = (is_kept, &room.0) {
        let _ = fs::remove_dir_all(folder.join(id.0.to_string()));
    }
    up.send(Event::Replayed { id, result: result.map(|made| made.map(Box::new)) });
}

fn one(
    job: &ReplayJob,
    cancel: &CancelToken,
    backend: &mut dyn Backend,
    room: &mut Room,
    settings: &FindSettings,
    up: &Up,
) -> Result<Option<Repeated>, String> {
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let started = Instant::now();
    let no_room = |e: io::Error| format!("there is no place for results: {e}");
    let folder = room.folder(job.room.as_deref()).map_err(no_room)?.join(job.id.0.to_string());
    fs::create_dir_all(&folder).map_err(no_room)?;
    let mut keeper = Keeper { project: folder.join(PROJECT), open: None, last: None, thumbnail: None, at: now() };
    let mut before = Chain::new(job.chain.begins, Vec::new());
    let mut source = None;
    let mut watch = Watch { job, cancel, up, started, doing: Doing::Opening, edit: 0, keeper: &mut keeper };
    watch.tell();
    if let (Begins::Picture, Some(photo)) = (job.chain.begins, &job.photo) {
        let bytes = imaging::read(photo).map_err(|e| e.to_string())?;
        // What was done to the photo before belongs to its way.
        if let Some(chain) = Found::of(&Said::of(&bytes)).and_then(|found| found.chain) {
            before = chain;
        }
        let picture = imaging::decode(&bytes).map_err(|e| e.to_string())?;
        let name = photo.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        watch.keeper.keep(Origin::Opened { name }, &picture, None, None).map_err(|e| e.to_string())?;
        source = Some(picture);
    }
    let mut painter = Lent { backend, job, find: finder(job, settings), sides: HashMap::new() };
    let made = replay(&job.chain, source.as_ref(), &mut painter, &mut watch).map_err(|e| e.to_string())?;
    let Some(picture) = made else { return Ok(None) };
    before.edits.extend(job.chain.edits.iter().cloned());
    fs::write(folder.join(RECIPE), before.to_json()).map_err(no_room)?;
    let thumbnail = match keeper.thumbnail.take() {
        Some(thumbnail) => thumbnail,
        None => storage::thumbnail(&picture),
    };
    let bytes = keeper.bytes();
    Ok(Some(Repeated { folder, bytes, size: [picture.width(), picture.height()], thumbnail, seconds: started.elapsed().as_secs_f64() }))
}

/// Where the models are that a recipe names: the one that a person has chosen for it, or those of this machine.
fn finder(job: &ReplayJob, settings: &FindSettings) -> FindModel {
    let (chosen, folders, settings) = (job.model.clone(), job.folders.clone(), settings.clone());
    Box::new(move |wanted| {
        if let Some(chosen) = &chosen {
            return Some(chosen.clone());
        }
        if *wanted == ModelId::Nano {
            return Some(ModelId::Nano);
        }
        let name = wanted.name();
        let known = folders.iter().map(|folder| ModelId::Folder(folder.clone())).find(|id| id.name() == name);
        known.or_else(|| Some(ModelId::Folder(Shelf::new(&settings().ok()?).find(&name).ok()?.folder)))
    })
}

/// Paints by the lane's own backend.
struct Lent<'a> {
    backend: &'a mut dyn Backend,
    job: &'a ReplayJob,
    find: FindModel,
    sides: HashMap<ModelId, u32>,
}

impl Painter for Lent<'_> {
    fn side(&mut self, model: &ModelId) -> replay::Result<u32> {
        let id = found(&self.find, model)?;
        if let Some(side) = self.sides.get(&id) {
            return Ok(*side);
        }
        let side = Checkpoint::open(&id).map_err(pipeline::Error::from)?.configs.side() as u32;
        self.sides.insert(id, side);
        Ok(side)
    }

    fn paint(&mut self, task: &Task, observer: &mut dyn Observer) -> replay::Result<Option<Made>> {
        let mut recipe = task.recipe.clone();
        recipe.model = found(&self.find, &recipe.model)?;
        let job = Job {
            id: self.job.id,
            recipe,
            reference: task.source.cloned(),
            place: task.place.map(|(seen, placing)| Place { seen, placing: placing.clone() }),
            variations: 1,
            tokens: None,
            path: Vec::new(),
            device: self.job.device,
        };
        match self.backend.run(&job, observer) {
            Ok(Outcome::Done { made, .. }) => {
                made.into_iter().next().map(Some).ok_or_else(|| replay::Error::Other("the model has made nothing".to_owned()))
            }
            Ok(Outcome::Cancelled { .. }) => Ok(None),
            Err(Failure { why, out_of_memory }) => {
                let next = if out_of_memory { "; close other programs, or make the model smaller" } else { "" };
                Err(replay::Error::Other(format!("{why}{next}")))
            }
        }
    }
}

/// Writes the pictures of one photo's way into a project, so that few of them are in memory at a time.
struct Keeper {
    project: PathBuf,
    open: Option<Project>,
    last: Option<RevisionId>,
    thumbnail: Option<Thumbnail>,
    at: i64,
}

impl Keeper {
    fn keep(&mut self, origin: Origin, picture: &Picture, steps: Option<Steps>, local: Option<Box<LocalEdit>>) -> project::Result<()> {
        let id = self.last.map_or(RevisionId(0), |last| RevisionId(last.0 + 1));
        let thumbnail = storage::thumbnail(picture);
        let revision = Revision {
            id,
            parent: self.last,
            origin,
            picture: Held::from(picture.clone()),
            made_at: self.at,
            steps,
            local: local.map(|local| Arc::new(*local)),
            name: None,
            starred: false,
        };
        let project = match self.open.take() {
            Some(project) => project,
            None => keeping::make(&self.project)?,
        };
        let small = keeping::picture_of(&thumbnail);
        self.open.insert(project).record(&revision, small.as_ref())?;
        (self.last, self.thumbnail) = (Some(id), Some(thumbnail));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        fs::metadata(&self.project).map_or(0, |facts| facts.len())
    }
}

/// Tells the window how far it is, and keeps what is made.
struct Watch<'a> {
    job: &'a ReplayJob,
    cancel: &'a CancelToken,
    up: &'a Up,
    started: Instant,
    doing: Doing,
    /// The edit that is done, from 0.
    edit: usize,
    keeper: &'a mut Keeper,
}

impl Watch<'_> {
    fn tell(&self) {
        let seconds = self.started.elapsed().as_secs_f64();
        let progress = ReplayProgress { edit: self.edit, edits: self.job.chain.edits.len(), doing: self.doing, seconds };
        self.up.tell(Event::Replaying { id: self.job.id, progress });
    }
}

impl Observer for Watch<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.doing = Doing::Model(*progress);
        self.tell();
    }

    fn notice(&mut self, text: &str) {
        self.up.send(Event::Notice { id: self.job.id, text: text.to_owned() });
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl Witness for Watch<'_> {
    fn begins(&mut self, nth: usize, link: &Link) {
        self.edit = nth;
        if let Link::Tool(tool) = link {
            self.doing = Doing::Tool(*tool);
        }
        self.tell();
    }

    fn upscaling(&mut self, progress: &UpscaleProgress) {
        self.doing = Doing::Upscaling(*progress);
        self.tell();
    }

    fn edited(&mut self, edited: Edited) -> replay::Result<()> {
        self.doing = Doing::Keeping;
        self.tell();
        let (origin, steps, local) = match (edited.how, edited.link) {
            (How::Tool, Link::Tool(tool)) => (Origin::Changed { tool: *tool }, None, None),
            (How::Upscaled { seconds }, Link::Upscale(upscaling)) => (Origin::Upscaled { upscaling: *upscaling, seconds }, None, None),
            (How::Made { recipe, tokens, path, local }, _) => {
                let seconds = self.started.elapsed().as_secs_f64();
                (Origin::Made { recipe, tokens: tokens.into(), seconds }, steps_of(&path), local)
            }
            _ => return Ok(()),
        };
        let kept = self.keeper.keep(origin, edited.picture, steps, local);
        kept.map_err(|e| {
            let next = if e.is_disk_full() { "; make room, or save what is here already" } else { "" };
            replay::Error::Other(format!("{e}{next}"))
        })?;
        if self.keeper.bytes() > MOST_BYTES {
            return Err(replay::Error::Other(format!("its pictures take more than {} GiB", MOST_BYTES >> 30)));
        }
        Ok(())
    }
}

/// Latents as a revision has them.
fn steps_of(path: &[Latents]) -> Option<Steps> {
    let first = path.first()?;
    let values = path.iter().map(|latents| latents.values.as_slice().into()).collect();
    Steps::new(first.channels as u32, first.height as u32, first.width as u32, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_window_that_is_gone_has_left_is_removed_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let mut first = Room::default();
        let mine = first.folder(Some(place.path())).unwrap().to_owned();
        fs::write(mine.join("result"), b"x").unwrap();
        for (name, held) in [("replay-dead", true), ("replay-strange", false), ("other", true)] {
            fs::create_dir(place.path().join(name)).unwrap();
            if held {
                fs::write(place.path().join(name).join(HELD), b"").unwrap();
            }
        }
        let mut second = Room::default();
        second.folder(Some(place.path())).unwrap();
        let there = |name: &str| place.path().join(name).exists();
        assert!(mine.join("result").exists() && !there("replay-dead") && there("replay-strange") && there("other"));
        drop(first);
        assert!(!mine.exists());
    }
}
