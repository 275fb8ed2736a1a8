//! The page of models: which are here, which can be had, and the one that is being fetched.
//!
//! What is made of them on this machine is in `smaller`.

use super::smaller::{Choice, Conversion, Smaller};
use super::{Editor, NoticeKind};
use crate::jobs::{BadFile, Command, GetEnding, GetProgress, Models, Offer, Source};
use crate::recipe::ModelId;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a person does on the page.
#[derive(Clone, Debug, PartialEq)]
pub enum Shelf {
    Open,
    Close,
    /// Ask the net what a model consists of.
    LookUp(Source),
    /// What is typed as another repository, and asking for it.
    SetRepository(String),
    LookUpRepository,
    /// From the offer back to the list.
    Back,
    /// Whether the licences of the offer are accepted.
    Accept(bool),
    /// Fetch what is offered.
    Get,
    Pause,
    Resume(String),
    /// Give up what has arrived.
    GiveUp(String),
    Verify(String),
    /// Fetch again what a check has found damaged.
    Repair(Source),
    Use(String),
    AskRemove(String),
    /// A model that is a folder and no more; `Forget` takes it out of the list.
    UseFolder(PathBuf),
    AskRemoveFolder(PathBuf),
    Forget(PathBuf),
    Smaller(Smaller),
    /// Whether the files in the shared cache go too.
    WithCache(bool),
    Remove,
    KeepIt,
}

/// What a person is asked about before it goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Removing {
    /// By its name, and whether the files in the shared cache go too.
    Download { name: String, cached: bool },
    /// What a conversion has made.
    Made(PathBuf),
}

/// A download that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Get {
    pub name: String,
    pub title: String,
    /// `None` until the first bytes are counted.
    pub progress: Option<GetProgress>,
    /// It was asked to pause or to end, and has not yet.
    pub stopping: bool,
}

/// The page, whether it is open or not.
#[derive(Clone, Debug, Default)]
pub struct ModelsPage {
    pub open: bool,
    /// `None` until they were listed.
    pub models: Option<Result<Models, String>>,
    /// What the net is being asked for.
    pub looking_up: Option<Source>,
    /// What is offered, and whether its licences are accepted.
    pub offer: Option<Box<Offer>>,
    pub accepted: bool,
    pub repository: String,
    /// Why the last question to the net has no answer.
    pub trouble: Option<String>,
    pub get: Option<Get>,
    /// Bytes looked at, of all.
    pub verifying: BTreeMap<String, (u64, u64)>,
    pub verified: BTreeMap<String, Result<Vec<BadFile>, String>>,
    /// The model that is about to be removed.
    pub removing: Option<Removing>,
    /// What is to be made smaller, and how.
    pub choice: Option<Choice>,
    /// What is being made smaller.
    pub conversion: Option<Conversion>,
    /// Those that are being removed.
    gone: BTreeSet<String>,
}

impl ModelsPage {
    /// Whether the offer can be taken.
    pub fn can_get(&self) -> bool {
        let room = |offer: &Offer| offer.free_bytes.is_none_or(|free| free >= offer.bytes.saturating_sub(offer.bytes_here));
        self.get.is_none() && self.offer.as_ref().is_some_and(|offer| room(offer) && (self.accepted || offer.to_accept().next().is_none()))
    }

    /// A model that is here, or was begun.
    pub fn is_begun(&self, name: &str) -> bool {
        let here =
            |models: &Models| models.installed.iter().any(|m| m.plan.name == name) || models.unfinished.iter().any(|m| m.plan.name == name);
        self.get.as_ref().is_some_and(|get| get.name == name) || self.models.iter().flatten().any(here)
    }

    fn title(&self, name: &str) -> String {
        let models = self.models.iter().flatten();
        let plans = models.flat_map(|m| m.installed.iter().map(|i| &i.plan).chain(m.unfinished.iter().map(|u| &u.plan)));
        let offered = self.offer.iter().map(|offer| &offer.plan);
        plans.chain(offered).find(|plan| plan.name == name).map_or_else(|| name.to_owned(), |plan| plan.title.clone())
    }
}

impl Editor {
    pub(super) fn shelf_action(&mut self, what: Shelf, commands: &mut Vec<Command>) {
        let page = &mut self.shelf;
        match what {
            Shelf::Open => {
                page.open = true;
                // A driver may have been installed meanwhile.
                commands.extend([self.list_models(), Command::ListDevices]);
            }
            Shelf::Close => {
                page.open = false;
                page.removing = None;
                page.choice = None;
                page.trouble = None;
            }
            Shelf::LookUp(source) => {
                page.trouble = None;
                page.looking_up = Some(source.clone());
                commands.push(Command::LookUpModel(source));
            }
            Shelf::SetRepository(text) => page.repository = text,
            Shelf::LookUpRepository => match Source::parse(page.repository.trim()) {
                Ok(source) => self.shelf_action(Shelf::LookUp(source), commands),
                Err(_) => page.trouble = Some("A repository is written as organisation/name, such as BLIP3o/BLIP3o-NEXT-SFT-3B".to_owned()),
            },
            Shelf::Back => {
                page.offer = None;
                page.choice = None;
                page.looking_up = None;
                page.trouble = None;
            }
            Shelf::Accept(on) => page.accepted = on,
            Shelf::Get if page.can_get() => {
                if let Some(offer) = page.offer.take() {
                    let accepted = offer.plan.repositories.iter().map(|r| r.licence.hash.clone()).collect();
                    page.begin(offer.plan.name.clone(), offer.plan.title.clone());
                    commands.push(Command::GetModel { offer, accepted });
                }
            }
            Shelf::Get => {}
            Shelf::Pause => {
                if let Some(get) = page.get.as_mut().filter(|get| !get.stopping) {
                    get.stopping = true;
                    commands.push(Command::PauseGet);
                }
            }
            Shelf::Resume(name) => {
                if page.get.is_none() {
                    let title = page.title(&name);
                    page.begin(name.clone(), title);
                    commands.push(Command::ResumeGet(name));
                }
            }
            Shelf::GiveUp(name) => {
                page.get.iter_mut().filter(|get| get.name == name).for_each(|get| get.stopping = true);
                commands.push(Command::CancelGet(name));
            }
            Shelf::Verify(name) => {
                page.verified.remove(&name);
                page.verifying.insert(name.clone(), (0, 0));
                commands.push(Command::VerifyModel(name));
            }
            Shelf::Repair(source) => self.shelf_action(Shelf::LookUp(source), commands),
            Shelf::Use(name) => {
                let folder = page.models.iter().flatten().find_map(|m| m.installed.iter().find(|i| i.plan.name == name));
                if let Some(folder) = folder.map(|i| i.folder.clone()) {
                    self.set_model(ModelId::Folder(folder), commands);
                    self.shelf.open = false;
                }
            }
            Shelf::UseFolder(_) | Shelf::AskRemoveFolder(_) | Shelf::Forget(_) => self.folder_action(what, commands),
            Shelf::Smaller(what) => self.smaller_action(what, commands),
            Shelf::AskRemove(name) => page.removing = Some(Removing::Download { name, cached: true }),
            Shelf::WithCache(on) => {
                if let Some(Removing::Download { cached, .. }) = &mut page.removing {
                    *cached = on;
                }
            }
            Shelf::KeepIt => page.removing = None,
            Shelf::Remove => match page.removing.take() {
                None => {}
                Some(Removing::Made(folder)) => self.remove_made(folder, commands),
                Some(Removing::Download { name, cached }) => {
                    page.gone.insert(name.clone());
                    page.verified.remove(&name);
                    // It cannot be used while it goes, nor afterwards.
                    let folder = page.models.iter().flatten().find_map(|m| m.installed.iter().find(|i| i.plan.name == name));
                    let used = folder.is_some_and(|i| self.model.id == ModelId::Folder(i.folder.clone()));
                    if used {
                        self.set_model(ModelId::Nano, commands);
                    }
                    commands.push(Command::RemoveModel { name, cached });
                }
            },
        }
    }

    pub(super) fn listed(&mut self, models: Result<Models, String>) {
        self.shelf.models = Some(models);
    }

    pub(super) fn looked_up(&mut self, source: &Source, result: Result<Box<Offer>, String>) {
        let page = &mut self.shelf;
        if page.looking_up.as_ref() != Some(source) {
            return; // the person went on to something else
        }
        page.looking_up = None;
        page.accepted = false;
        match result {
            Ok(offer) => page.offer = Some(offer),
            Err(why) => page.trouble = Some(format!("{}.", sentence(&why))),
        }
    }

    pub(super) fn get_progressed(&mut self, name: &str, progress: GetProgress) {
        if let Some(get) = self.shelf.get.as_mut().filter(|get| get.name == name) {
            get.progress = Some(progress);
        }
    }

    pub(super) fn get_ended(&mut self, name: &str, ending: GetEnding, commands: &mut Vec<Command>) {
        let title = self.shelf.title(name);
        self.shelf.get.take_if(|get| get.name == name);
        match ending {
            GetEnding::Done(_) => self.say(NoticeKind::Done, &format!("{title} is here. Choose it on the page of models.")),
            GetEnding::Paused | GetEnding::Cancelled => {}
            GetEnding::Failed(why) => self.say(NoticeKind::Failed, &format!("{title} is not here yet: {why}.")),
        }
        commands.push(self.list_models());
    }

    pub(super) fn verify_progressed(&mut self, name: &str, done: u64, bytes: u64) {
        if let Some(at) = self.shelf.verifying.get_mut(name) {
            *at = (done, bytes);
        }
    }

    pub(super) fn model_verified(&mut self, name: String, result: Result<Vec<BadFile>, String>) {
        self.shelf.verifying.remove(&name);
        self.shelf.verified.insert(name, result);
    }

    pub(super) fn model_removed(&mut self, name: &str, result: Result<u64, String>, commands: &mut Vec<Command>) {
        let title = self.shelf.title(name);
        self.shelf.gone.remove(name);
        match result {
            Ok(bytes) => self.say(NoticeKind::Done, &format!("{title} is removed: {} are free again.", gigabytes(bytes))),
            Err(why) => self.say(NoticeKind::Failed, &format!("{title} cannot be removed: {why}.")),
        }
        commands.push(self.list_models());
    }
}

impl ModelsPage {
    fn begin(&mut self, name: String, title: String) {
        self.accepted = false;
        self.get = Some(Get { name, title, progress: None, stopping: false });
    }

    /// Whether it is being removed.
    pub fn is_going(&self, name: &str) -> bool {
        self.gone.contains(name)
    }
}

/// With a capital letter.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Bytes for a person, in powers of ten as disks and networks are sold.
pub fn gigabytes(bytes: u64) -> String {
    match bytes as f64 {
        b if b >= 1e9 => format!("{:.1} GB", b / 1e9),
        b if b >= 1e6 => format!("{:.0} MB", b / 1e6),
        b => format!("{:.0} kB", (b / 1e3).ceil()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        assert_eq!([8_749_000_000, 12_300_000, 1, 0].map(gigabytes), ["8.7 GB", "12 MB", "1 kB", "0 kB"]);
    }
}
