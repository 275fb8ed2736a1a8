//! Models that are made smaller, and those that are a folder and no more.

use super::models::{Removing, Shelf, gigabytes};
use super::{Editor, ModelsPage, NoticeKind, sentence};
use crate::jobs::{CATALOGUE, Command, ConvertProgress, ConvertRequest, Converted, Estimate, Glance, Precision, Precisions};
use crate::recipe::ModelId;
use std::path::{Path, PathBuf};

/// Folders that are remembered.
const MOST_FOLDERS: usize = 32;

/// What a person does about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Smaller {
    /// Show what could be made of the model in a folder.
    Ask(PathBuf),
    Choose(Precision),
    /// What is typed as the new folder.
    SetOut(String),
    Start,
    /// Stop; what is complete is kept.
    Pause,
    /// Go on with what was begun in a folder.
    GoOn(PathBuf),
}

/// The choice, before it begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    pub folder: PathBuf,
    pub title: String,
    /// `None` until it was found out.
    pub estimate: Option<Result<Estimate, String>>,
    pub precision: Precision,
    pub out: String,
    /// Why it cannot begin so.
    pub trouble: Option<String>,
}

impl Choice {
    /// Bytes that must be free for the chosen precision, where they are not.
    pub fn lacks(&self) -> Option<u64> {
        let Some(Ok(estimate)) = &self.estimate else { return None };
        let needed = estimate.sizes.iter().find(|(p, ..)| *p == self.precision).map(|(.., needed)| *needed)?;
        estimate.free.filter(|free| *free < needed).map(|_| needed)
    }

    /// Whether it can begin.
    pub fn can_start(&self) -> bool {
        matches!(self.estimate, Some(Ok(_))) && !self.out.trim().is_empty()
    }
}

/// A conversion that runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Conversion {
    pub request: ConvertRequest,
    pub title: String,
    /// `None` until the first bytes are written.
    pub progress: Option<ConvertProgress>,
    pub stopping: bool,
}

impl ModelsPage {
    /// A folder's name for a person: the model's title where it is known, and in how many bits.
    pub fn folder_title(&self, folder: &Path) -> String {
        let name = ModelId::Folder(folder.to_owned()).name();
        let known = |name: &str| {
            let installed = self.models.iter().flatten().flat_map(|models| &models.installed);
            let installed = installed.map(|m| (m.plan.name.as_str(), m.plan.title.as_str()));
            let listed = CATALOGUE.iter().map(|entry| (entry.id, entry.title));
            installed.chain(listed).find(|(id, _)| *id == name).map(|(_, title)| title.to_owned())
        };
        let suffix = |p: Precision| name.strip_suffix(&format!("-{}bit", p.bits())).map(|stem| (stem, p.bits()));
        match Precision::ALL.into_iter().find_map(suffix).and_then(|(stem, bits)| Some((known(stem)?, bits))) {
            Some((title, bits)) => format!("{title}, {bits} bit"),
            None => known(&name).unwrap_or(name),
        }
    }

    /// Where the smaller model goes unless a person says otherwise.
    fn usual_out(&self, folder: &Path, precision: Precision) -> String {
        let name = format!("{}-{}bit", ModelId::Folder(folder.to_owned()).name(), precision.bits());
        self.models.iter().flatten().next().map_or_else(String::new, |models| models.folder.join(name).display().to_string())
    }

    /// Whether something is made of the model in a folder, or in it.
    pub fn is_converting(&self, folder: &Path) -> bool {
        let of = |c: &Conversion| c.request.out == folder || c.request.model == ModelId::Folder(folder.to_owned());
        self.conversion.as_ref().is_some_and(of)
    }

    /// Whether it lies where downloads go.
    pub fn is_ours(&self, folder: &Path) -> bool {
        self.models.iter().flatten().any(|models| folder.starts_with(&models.folder))
    }
}

impl Editor {
    pub(super) fn smaller_action(&mut self, what: Smaller, commands: &mut Vec<Command>) {
        let page = &mut self.shelf;
        match what {
            Smaller::Ask(folder) => {
                let precision = Precision::default();
                let (title, out) = (page.folder_title(&folder), page.usual_out(&folder, precision));
                commands.push(Command::EstimateConversion { model: ModelId::Folder(folder.clone()), out: PathBuf::from(&out) });
                page.choice = Some(Choice { folder, title, estimate: None, precision, out, trouble: None });
            }
            Smaller::Choose(precision) => {
                let Some(mut choice) = page.choice.take() else { return };
                // A folder that was typed stays.
                if choice.out == page.usual_out(&choice.folder, choice.precision) {
                    choice.out = page.usual_out(&choice.folder, precision);
                }
                page.choice = Some(Choice { precision, trouble: None, ..choice });
            }
            Smaller::SetOut(out) => page.choice.iter_mut().for_each(|choice| {
                choice.out.clone_from(&out);
                choice.trouble = None;
            }),
            Smaller::Start => {
                let Some(choice) = page.choice.as_mut().filter(|choice| choice.can_start()) else { return };
                let out = PathBuf::from(choice.out.trim());
                if !out.is_absolute() {
                    choice.trouble = Some("Type the whole path of the new folder".to_owned());
                    return;
                }
                let (model, precisions) = (ModelId::Folder(choice.folder.clone()), Precisions::all(choice.precision));
                let title = format!("{}, {} bit", choice.title, choice.precision.bits());
                if page.conversion.is_none() {
                    page.choice = None;
                    page.convert(ConvertRequest { model, out, precisions }, title, commands);
                }
            }
            Smaller::Pause => {
                if let Some(conversion) = page.conversion.as_mut().filter(|c| !c.stopping) {
                    conversion.stopping = true;
                    commands.push(Command::CancelConversion);
                }
            }
            Smaller::GoOn(folder) => {
                let begun = page.models.iter().flatten().flat_map(|m| &m.folders).find(|m| m.folder == folder);
                let Some(Glance::Begun { request: Some(request), .. }) = begun.map(|m| m.glance.clone()) else { return };
                if page.conversion.is_none() {
                    let title = page.folder_title(&folder);
                    page.convert(*request, title, commands);
                }
            }
        }
    }

    pub(super) fn folder_action(&mut self, what: Shelf, commands: &mut Vec<Command>) {
        match what {
            Shelf::UseFolder(folder) => {
                self.set_model(ModelId::Folder(folder), commands);
                self.shelf.open = false;
            }
            Shelf::Forget(folder) => {
                self.settings.folders.retain(|f| *f != folder);
                commands.push(Command::SaveSettings(self.settings.to_json()));
                commands.push(self.list_models());
            }
            Shelf::AskRemoveFolder(folder) => self.shelf.removing = Some(Removing::Made(folder)),
            _ => {}
        }
    }

    /// Removes what a conversion has made. It cannot be used while it goes, nor afterwards.
    pub(super) fn remove_made(&mut self, folder: PathBuf, commands: &mut Vec<Command>) {
        if self.model.id == ModelId::Folder(folder.clone()) {
            self.set_model(ModelId::Nano, commands);
        }
        commands.push(Command::RemoveConverted(folder));
    }

    /// Asks what is here.
    pub(super) fn list_models(&self) -> Command {
        Command::ListModels(self.settings.folders.clone())
    }

    /// A folder that holds a model is found again later.
    pub(super) fn remember(&mut self, folder: &Path, commands: &mut Vec<Command>) {
        let folders = &mut self.settings.folders;
        if self.shelf.is_ours(folder) || folders.iter().any(|f| f == folder) {
            return;
        }
        folders.push(folder.to_owned());
        let surplus = folders.len().saturating_sub(MOST_FOLDERS);
        folders.drain(..surplus);
        commands.push(Command::SaveSettings(self.settings.to_json()));
    }

    pub(super) fn estimated(&mut self, model: &ModelId, result: Result<Estimate, String>) {
        let choice = self.shelf.choice.as_mut();
        if let Some(choice) = choice.filter(|c| ModelId::Folder(c.folder.clone()) == *model) {
            choice.estimate = Some(result);
        }
    }

    pub(super) fn converting(&mut self, out: &Path, progress: ConvertProgress) {
        if let Some(conversion) = self.shelf.conversion.as_mut().filter(|c| c.request.out == out) {
            conversion.progress = Some(progress);
        }
    }

    pub(super) fn converted(&mut self, out: &Path, result: Result<Converted, String>, commands: &mut Vec<Command>) {
        let Some(Conversion { title, .. }) = self.shelf.conversion.take_if(|c| c.request.out == out) else { return };
        match result {
            Ok(Converted::Done { bytes, .. }) => {
                let text = format!("{title} is ready: {}. Choose it on the page of models.", gigabytes(bytes));
                self.say(NoticeKind::Done, &text);
                self.remember(out, commands);
            }
            Ok(Converted::Cancelled) => self.remember(out, commands),
            Err(why) => self.say(NoticeKind::Failed, &format!("{title} could not be made: {}.", why.trim_end_matches('.'))),
        }
        commands.push(self.list_models());
    }

    pub(super) fn made_removed(&mut self, folder: &Path, result: Result<u64, String>, commands: &mut Vec<Command>) {
        let title = self.shelf.folder_title(folder);
        match result {
            Ok(bytes) => {
                self.say(NoticeKind::Done, &format!("{title} is removed: {} are free again.", gigabytes(bytes)));
                self.settings.folders.retain(|f| f != folder);
                commands.push(Command::SaveSettings(self.settings.to_json()));
            }
            Err(why) => self.say(NoticeKind::Failed, &format!("{} cannot be removed: {why}.", sentence(&title))),
        }
        commands.push(self.list_models());
    }
}

impl ModelsPage {
    fn convert(&mut self, request: ConvertRequest, title: String, commands: &mut Vec<Command>) {
        commands.push(Command::Convert(Box::new(request.clone())));
        self.conversion = Some(Conversion { request, title, progress: None, stopping: false });
    }
}
