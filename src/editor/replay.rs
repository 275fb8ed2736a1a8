//! A recipe on many photos: which, how far it is, and what becomes of each result.
//!
//! One photo is on the lane at a time, so that other runs go between two of them. Results wait on the disk; only their small
//! copies are here.

use super::keeping::Arrival;
use super::{Editor, NoticeKind};
use crate::document::{Begins, Chain, Origin};
use crate::jobs::{Command, JobId, Repeated, ReplayJob, ReplayProgress, SaveReplayed, Way};
use crate::recipe::{ModelId, file_name};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most photos on a sheet.
pub const MOST_PHOTOS: usize = 400;
/// The most bytes of results that wait on the disk: then no photo is begun before some are saved or rejected.
const MOST_WAITING_BYTES: u64 = 16 << 30;

/// The page, whether it is open or not.
#[derive(Debug, Default)]
pub struct ReplayPage {
    pub open: bool,
    /// What is done, and what it is called: a name that a person gave, a prompt, or nothing.
    pub recipe: Option<(String, Arc<Chain>)>,
    /// Why a file was no recipe.
    pub trouble: Option<String>,
    pub photos: Vec<Photo>,
    /// The one that is looked at.
    pub at: usize,
    /// The model in use, in place of the recipe's own.
    pub uses_own_model: bool,
    pub work: Option<Work>,
    /// Photos are begun as long as there are any.
    pub goes_on: bool,
    /// No photo is begun, since too many results wait.
    pub is_full: bool,
    /// A file of this many photos was over the most, where it was.
    pub left_out: usize,
}

/// The photo that is on the lane.
#[derive(Clone, Debug)]
pub struct Work {
    pub id: JobId,
    pub progress: Option<ReplayProgress>,
    pub stopping: bool,
}

/// A photo on the sheet.
#[derive(Clone, Debug)]
pub struct Photo {
    /// `None` where the recipe begins with words.
    pub path: Option<PathBuf>,
    pub state: State,
}

/// What has become of a photo.
#[derive(Clone, Debug)]
pub enum State {
    Waits,
    Runs(JobId),
    Done(Box<Sample>),
    /// In a sentence.
    Failed(String),
}

/// A result.
#[derive(Clone, Debug)]
pub struct Sample {
    pub id: JobId,
    pub made: Repeated,
    /// `None`: nobody has looked at it.
    pub accepted: Option<bool>,
    pub is_saving: bool,
    pub saved: Option<PathBuf>,
    /// It waits on the disk.
    pub is_here: bool,
}

/// On that page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    Open,
    /// Take the way to the picture on the canvas.
    FromPicture,
    ChooseRecipe,
    ChoosePhotos,
    /// Write the way to the picture on the canvas into a file.
    SaveRecipe,
    /// Take no photo that is not begun.
    Clear,
    OwnModel(bool),
    Begin,
    Stop,
    Look(usize),
    /// By so many places.
    Step(isize),
    /// What is looked at is right, or is not; then the next one is looked at.
    Accept(bool),
    /// All that nobody has looked at.
    AcceptAll,
    /// Ask where to.
    Save,
    /// Go on with what is looked at, in the history.
    Keep,
    /// Throw all results away.
    Discard,
    Close,
}

impl Photo {
    fn new(path: Option<PathBuf>) -> Self {
        Self { path, state: State::Waits }
    }

    /// Its file's name.
    pub fn name(&self) -> Option<String> {
        self.path.as_deref().map(file_name)
    }

    pub fn sample(&self) -> Option<&Sample> {
        if let State::Done(sample) = &self.state { Some(sample) } else { None }
    }

    fn sample_mut(&mut self) -> Option<&mut Sample> {
        if let State::Done(sample) = &mut self.state { Some(sample) } else { None }
    }
}

impl ReplayPage {
    /// Photos that are done or have failed.
    pub fn ended(&self) -> usize {
        self.photos.iter().filter(|p| matches!(p.state, State::Done(_) | State::Failed(_))).count()
    }

    fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.photos.iter().filter_map(Photo::sample)
    }

    /// Results that are accepted and not saved.
    pub fn to_save(&self) -> usize {
        self.samples().filter(|s| s.accepted == Some(true) && s.saved.is_none() && s.is_here).count()
    }

    /// Results that are not rejected and would go with the window.
    pub fn unsaved(&self) -> usize {
        self.samples().filter(|s| s.accepted != Some(false) && s.saved.is_none() && s.is_here).count()
    }

    /// Results that nobody has looked at.
    pub fn undecided(&self) -> usize {
        self.samples().filter(|s| s.accepted.is_none()).count()
    }

    /// Whether recipe and model may be chosen: what is there was made by them.
    pub fn may_choose(&self) -> bool {
        self.work.is_none() && self.samples().next().is_none()
    }

    pub fn may_begin(&self) -> bool {
        self.recipe.is_some() && !self.goes_on && self.work.is_none() && self.photos.iter().any(|p| matches!(p.state, State::Waits))
    }

    /// What the recipe's models are called that are not the one in use.
    pub fn other_models(&self, own: &ModelId) -> Vec<String> {
        let chain = self.recipe.as_ref().map(|(_, chain)| chain);
        let mut names: Vec<String> = chain.iter().flat_map(|chain| chain.recipes()).map(|recipe| recipe.model.name()).collect();
        names.retain(|name| *name != own.name());
        names.dedup();
        names
    }

    /// Seconds until all photos are done, from those that are.
    pub fn seconds_left(&self) -> Option<f64> {
        let times: Vec<f64> = self.samples().map(|s| s.made.seconds).collect();
        let work = self.work.as_ref().filter(|_| !times.is_empty())?;
        let each = times.iter().sum::<f64>() / times.len() as f64;
        let waits = self.photos.iter().filter(|p| matches!(p.state, State::Waits)).count();
        let so_far = work.progress.map_or(0.0, |p| p.seconds);
        Some(each * waits as f64 + (each - so_far).max(0.0))
    }

    fn photo_of(&mut self, id: JobId) -> Option<&mut Photo> {
        self.photos.iter_mut().find(|p| matches!(&p.state, State::Runs(running) if *running == id))
    }

    fn sample_of(&mut self, id: JobId) -> Option<&mut Sample> {
        self.photos.iter_mut().filter_map(Photo::sample_mut).find(|s| s.id == id)
    }

    /// Makes room for more results, from those that nobody needs any more.
    fn make_room(&mut self) -> Vec<PathBuf> {
        let mut gone = Vec::new();
        let mut bytes: u64 = self.samples().filter(|s| s.is_here).map(|s| s.made.bytes).sum();
        let spare = |s: &Sample| s.is_here && !s.is_saving && (s.saved.is_some() || s.accepted == Some(false));
        for sample in self.photos.iter_mut().filter_map(Photo::sample_mut) {
            if bytes >= MOST_WAITING_BYTES && spare(sample) {
                sample.is_here = false;
                bytes -= sample.made.bytes;
                gone.push(sample.made.folder.clone());
            }
        }
        self.is_full = bytes >= MOST_WAITING_BYTES;
        gone
    }
}

impl Editor {
    pub(super) fn replay_action(&mut self, what: Replay, commands: &mut Vec<Command>) {
        match what {
            Replay::Open => {
                self.replaying.open = true;
                if self.replaying.recipe.is_none() {
                    self.take_own_recipe();
                }
            }
            Replay::Close => self.replaying.open = false,
            Replay::FromPicture if self.replaying.may_choose() => self.take_own_recipe(),
            Replay::ChooseRecipe if self.replaying.may_choose() => commands.push(Command::AskRecipe),
            Replay::OwnModel(on) if self.replaying.may_choose() => self.replaying.uses_own_model = on,
            Replay::FromPicture | Replay::ChooseRecipe | Replay::OwnModel(_) => {}
            Replay::ChoosePhotos => commands.push(Command::AskPhotos),
            Replay::SaveRecipe => self.ask_save_recipe(commands),
            Replay::Clear => {
                self.replaying.photos.retain(|p| !matches!(p.state, State::Waits | State::Failed(_)));
                (self.replaying.left_out, self.replaying.at) = (0, 0);
                self.one_from_words();
            }
            Replay::Begin => {
                self.replaying.goes_on = true;
                self.replay_next(commands);
            }
            Replay::Stop => self.stop_replay(commands),
            Replay::Look(at) => self.replaying.at = at.min(self.replaying.photos.len().saturating_sub(1)),
            Replay::Step(by) => {
                let last = self.replaying.photos.len().saturating_sub(1);
                self.replaying.at = self.replaying.at.saturating_add_signed(by).min(last);
            }
            Replay::Accept(yes) => self.decide(yes, commands),
            Replay::AcceptAll => {
                for sample in self.replaying.photos.iter_mut().filter_map(Photo::sample_mut) {
                    sample.accepted.get_or_insert(true);
                }
            }
            Replay::Save if self.replaying.to_save() > 0 => commands.push(Command::AskResults),
            Replay::Save => {}
            Replay::Keep => {
                let sample = self.replaying.photos.get(self.replaying.at).and_then(Photo::sample).filter(|s| s.is_here);
                commands.extend(sample.map(|s| Command::OpenReplayed { id: s.id, folder: s.made.folder.clone() }));
            }
            Replay::Discard => self.discard_results(commands),
        }
    }

    /// Whether there is an [`Self::own_recipe`]: asked for in every frame.
    pub fn has_own_recipe(&self) -> bool {
        self.document.current().is_some_and(|revision| !matches!(revision.origin, Origin::Opened { .. } | Origin::Pasted))
    }

    /// The way to the picture on the canvas, with what it is called.
    pub fn own_recipe(&self) -> Option<(String, Chain)> {
        let current = self.document.current()?;
        let chain = self.document.chain(current.id).filter(|chain| !chain.edits.is_empty())?;
        let name = current.name.clone().or_else(|| current.recipe().map(|recipe| recipe.prompt.clone()));
        Some((name.unwrap_or_default(), chain))
    }

    fn take_own_recipe(&mut self) {
        if let Some((name, chain)) = self.own_recipe() {
            self.take_recipe_for_photos(name, chain);
        }
    }

    fn take_recipe_for_photos(&mut self, name: String, chain: Chain) {
        self.replaying.trouble = None;
        self.replaying.recipe = Some((name, Arc::new(chain)));
        self.one_from_words();
    }

    /// A recipe that begins with words makes one picture and needs no photo; the others need photos.
    fn one_from_words(&mut self) {
        let begins = self.replaying.recipe.as_ref().map(|(_, chain)| chain.begins);
        let photos = &mut self.replaying.photos;
        match begins {
            Some(Begins::Words) if photos.is_empty() => photos.push(Photo::new(None)),
            Some(Begins::Picture) => photos.retain(|p| p.path.is_some()),
            _ => {}
        }
    }

    pub(super) fn recipe_read(&mut self, name: String, result: Result<Box<Chain>, String>) {
        if !self.replaying.may_choose() {
            return;
        }
        match result {
            Ok(chain) if chain.edits.is_empty() => self.replaying.trouble = Some(format!("{name} has no edits in it.")),
            Ok(chain) => self.take_recipe_for_photos(name, *chain),
            Err(why) => self.replaying.trouble = Some(format!("{name} cannot be used: {why}.")),
        }
    }

    pub(super) fn photos_found(&mut self, paths: Vec<PathBuf>) {
        let page = &mut self.replaying;
        page.photos.retain(|p| p.path.is_some());
        for path in paths {
            if page.photos.iter().any(|p| p.path.as_ref() == Some(&path)) {
                continue;
            }
            if page.photos.len() < MOST_PHOTOS {
                page.photos.push(Photo::new(Some(path)));
            } else {
                page.left_out += 1;
            }
        }
        self.one_from_words();
    }

    /// What is dropped on the page: photos, folders of them, or a recipe.
    pub(super) fn drop_on_sheet(paths: Vec<PathBuf>, commands: &mut Vec<Command>) {
        let is_recipe = |path: &PathBuf| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json"));
        let (recipes, photos): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(is_recipe);
        commands.extend(recipes.into_iter().next().map(Command::ReadRecipe));
        if !photos.is_empty() {
            commands.push(Command::FindPhotos(photos));
        }
    }

    /// Has the lane begin the next photo.
    fn replay_next(&mut self, commands: &mut Vec<Command>) {
        if self.replaying.work.is_some() || !self.replaying.goes_on {
            return;
        }
        let gone = self.replaying.make_room();
        if !gone.is_empty() {
            commands.push(Command::DropReplayed(gone));
        }
        let id = JobId(self.next_job);
        let here = self.shelf.models.iter().flatten().flat_map(|models| &models.folders).map(|model| model.folder.clone());
        let folders: Vec<PathBuf> = self.settings.folders.iter().cloned().chain(here).collect();
        let page = &mut self.replaying;
        let Some((_, chain)) = &page.recipe else { return };
        let Some(photo) = page.photos.iter_mut().find(|p| matches!(p.state, State::Waits)).filter(|_| !page.is_full) else {
            // Where there is no room, it goes on as soon as there is.
            page.goes_on = page.is_full;
            return;
        };
        let begins = chain.begins;
        let model = page.uses_own_model.then(|| self.model.id.clone());
        let own = if let ModelId::Folder(folder) = &self.model.id { Some(folder.clone()) } else { None };
        let folders = own.into_iter().chain(folders).collect();
        photo.state = State::Runs(id);
        let photo = photo.path.clone().filter(|_| begins == Begins::Picture);
        page.work = Some(Work { id, progress: None, stopping: false });
        self.next_job += 1;
        let device = self.settings.device;
        commands.push(Command::Replay(Box::new(ReplayJob { id, photo, chain: chain.clone(), model, folders, device, room: None })));
    }

    fn stop_replay(&mut self, commands: &mut Vec<Command>) {
        self.replaying.goes_on = false;
        if let Some(work) = self.replaying.work.as_mut().filter(|work| !work.stopping) {
            work.stopping = true;
            commands.push(Command::Cancel(work.id));
        }
    }

    pub(super) fn replay_progressed(&mut self, id: JobId, progress: ReplayProgress) {
        self.replaying.work.iter_mut().filter(|work| work.id == id).for_each(|work| work.progress = Some(progress));
    }

    pub(super) fn replayed(&mut self, id: JobId, result: Result<Option<Box<Repeated>>, String>, commands: &mut Vec<Command>) {
        self.replaying.work.take_if(|work| work.id == id);
        match (self.replaying.photo_of(id), result) {
            (Some(photo), Ok(Some(made))) => {
                let sample = Sample { id, made: *made, accepted: None, is_saving: false, saved: None, is_here: true };
                photo.state = State::Done(Box::new(sample));
            }
            (Some(photo), Ok(None)) => photo.state = State::Waits,
            (Some(photo), Err(why)) => photo.state = State::Failed(format!("{why}.")),
            // It was discarded meanwhile.
            (None, Ok(Some(made))) => commands.push(Command::DropReplayed(vec![made.folder])),
            (None, _) => {}
        }
        let was_going = self.replaying.goes_on;
        self.replay_next(commands);
        if was_going && self.replaying.is_full {
            let text = "So many results wait that no photo is begun before some are saved or rejected.";
            self.say(NoticeKind::Done, text);
        } else if was_going && !self.replaying.goes_on && !self.replaying.open {
            self.say(NoticeKind::Done, "The recipe was done on all photos: look at the results under Replay.");
        }
    }

    fn decide(&mut self, yes: bool, commands: &mut Vec<Command>) {
        let at = self.replaying.at;
        let Some(sample) = self.replaying.photos.get_mut(at).and_then(Photo::sample_mut) else { return };
        if sample.saved.is_some() || !sample.is_here {
            return;
        }
        sample.accepted = Some(yes);
        // On to the next one that waits for a word.
        let next = (at + 1..self.replaying.photos.len()).find(|i| self.replaying.photos[*i].sample().is_some_and(|s| s.accepted.is_none()));
        self.replaying.at = next.unwrap_or(at);
        self.replay_next(commands);
    }

    /// Has all that is accepted written into a folder.
    pub(super) fn save_results(&mut self, to: &Path, commands: &mut Vec<Command>) {
        let export = self.settings.export;
        for photo in &mut self.replaying.photos {
            let path = photo.path.clone();
            let Some(sample) = photo.sample_mut().filter(|s| s.accepted == Some(true) && s.saved.is_none() && s.is_here && !s.is_saving)
            else {
                continue;
            };
            sample.is_saving = true;
            let (id, folder, to) = (sample.id, sample.made.folder.clone(), to.to_owned());
            let wish = SaveReplayed { id, folder, photo: path, to, quality: export.quality, switches: export.switches };
            commands.push(Command::SaveReplayed(Box::new(wish)));
        }
    }

    pub(super) fn replay_saved(&mut self, id: JobId, result: Result<PathBuf, String>, commands: &mut Vec<Command>) {
        let Some(sample) = self.replaying.sample_of(id) else { return };
        sample.is_saving = false;
        let trouble = match result {
            Ok(path) => {
                sample.saved = Some(path);
                None
            }
            Err(why) => Some(why),
        };
        let is_last = !self.replaying.samples().any(|s| s.is_saving);
        if let Some(why) = trouble {
            self.say(NoticeKind::Failed, &format!("A result was not saved: {why}."));
        } else if is_last {
            let saved: Vec<&PathBuf> = self.replaying.samples().filter_map(|s| s.saved.as_ref()).collect();
            let folder = saved.last().and_then(|path| path.parent()).map_or_else(String::new, |folder| folder.display().to_string());
            self.say(NoticeKind::Done, &format!("{} saved in {folder}", saved.len()));
        }
        self.replay_next(commands);
    }

    /// Takes the pictures on the way to a result into the history.
    pub(super) fn replay_opened(&mut self, result: Result<Box<Way>, String>, commands: &mut Vec<Command>) {
        let way = match result {
            Ok(way) => *way,
            Err(why) => return self.say(NoticeKind::Failed, &format!("The result cannot be opened: {why}.")),
        };
        let mut last = None;
        for (revision, (pyramid, thumbnail)) in way.document.revisions().iter().zip(way.screens) {
            let Some(picture) = revision.picture.here().cloned() else { continue };
            let (origin, steps, local, at) = (revision.origin.clone(), revision.steps.clone(), revision.local.clone(), revision.made_at);
            last = Some(self.record(Arrival { parent: last, origin, picture, steps, local, at, pyramid, thumbnail }, commands));
        }
        if let Some(last) = last {
            self.document.go(last);
            self.replaying.open = false;
        }
    }

    fn discard_results(&mut self, commands: &mut Vec<Command>) {
        self.stop_replay(commands);
        let folders: Vec<PathBuf> = self.replaying.samples().filter(|s| s.is_here).map(|s| s.made.folder.clone()).collect();
        if !folders.is_empty() {
            commands.push(Command::DropReplayed(folders));
        }
        self.replaying.photos.iter_mut().for_each(|photo| photo.state = State::Waits);
        (self.replaying.is_full, self.replaying.at) = (false, 0);
    }

    fn ask_save_recipe(&mut self, commands: &mut Vec<Command>) {
        match self.document.current().filter(|_| self.has_own_recipe()) {
            Some(current) => {
                let name = PathBuf::from(super::export_name(current)).with_extension("json").to_string_lossy().into_owned();
                commands.push(Command::AskSaveRecipe { name });
            }
            None => self.say(NoticeKind::Failed, "There is no edit to save yet: this picture is as it was opened."),
        }
    }

    pub(super) fn save_recipe(&mut self, mut path: PathBuf, commands: &mut Vec<Command>) {
        if path.extension().is_none() {
            path.set_extension("json");
        }
        if let Some((_, chain)) = self.own_recipe() {
            commands.push(Command::SaveRecipe { path, chain: Box::new(chain) });
        }
    }

    pub(super) fn recipe_saved(&mut self, path: &Path, result: Result<(), String>) {
        match result {
            Ok(()) => self.say(NoticeKind::Done, &format!("Saved {}", path.display())),
            Err(why) => self.say(NoticeKind::Failed, &format!("The recipe was not saved: {why}.")),
        }
    }
}
