//! The project: what is made is kept at once, and found again.

use super::{Ask, Editor, HistoryView, NoticeKind, Question, Screen};
use crate::document::{Document, LocalEdit, Origin, RevisionId, Steps};
use crate::imaging::{Picture, Pyramid};
use crate::jobs::{Command, Kept, KeptState, Thumbnail};
use std::path::PathBuf;
use std::sync::Arc;

/// The project that is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFacts {
    /// `None`: the one that is open by itself.
    pub name: Option<String>,
    /// What is made is not kept.
    pub looks_only: bool,
}

/// A new picture, as it goes into the document.
pub(super) struct Arrival {
    pub parent: Option<RevisionId>,
    pub origin: Origin,
    pub picture: Picture,
    pub steps: Option<Steps>,
    pub local: Option<Arc<LocalEdit>>,
    pub at: i64,
    pub pyramid: Arc<Pyramid>,
    pub thumbnail: Thumbnail,
}

impl Editor {
    /// Records a picture and has it kept.
    pub(super) fn record(&mut self, new: Arrival, commands: &mut Vec<Command>) -> RevisionId {
        let Arrival { parent, origin, picture, steps, local, at, pyramid, thumbnail } = new;
        let id = self.document.record_at(parent, origin, picture, at, steps, local);
        if let Some(revision) = self.document.revision(id) {
            commands.push(Command::Record { revision: Box::new(revision.clone()), thumbnail: thumbnail.clone() });
        }
        self.screens.insert(id, Screen { thumbnail, pyramid: Some(pyramid) });
        self.used.retain(|u| *u != id);
        self.used.push_back(id);
        id
    }

    /// Where the person is now.
    pub fn state(&self) -> KeptState {
        KeptState { prompt: self.draft.prompt.clone(), view: self.view.free_place(), mask: self.selected().cloned() }
    }

    /// Has it kept which revision is looked at.
    pub(super) fn keep_place(&self, commands: &mut Vec<Command>) {
        if let Some(id) = self.document.current().map(|r| r.id) {
            commands.push(Command::SetCurrent { id, redo: self.document.last_child().get(&id).copied() });
        }
    }

    /// Takes in a project that was opened.
    pub(super) fn found(&mut self, result: Result<Box<Kept>, String>) {
        let kept = match result {
            Ok(kept) => *kept,
            Err(why) => {
                let text = format!("The project was left as it is, a new one is begun beside it: {why}.");
                return self.say(NoticeKind::Failed, &text);
            }
        };
        let Kept { name, looks_only, document, thumbnails, state } = kept;
        if looks_only {
            let text = "Another window has this project, or it is write-protected. Look as you like; what you make here is not kept.";
            self.say(NoticeKind::Failed, text);
        }
        self.forget();
        self.screens = document
            .revisions()
            .iter()
            .map(|r| {
                let nothing = || Thumbnail { width: 1, height: 1, rgba: [0; 4].into() };
                (r.id, Screen { thumbnail: thumbnails.get(&r.id).cloned().unwrap_or_else(nothing), pyramid: None })
            })
            .collect();
        self.kept = document.revisions().iter().map(|r| r.id).collect();
        self.document = document;
        self.project = ProjectFacts { name: Some(name), looks_only };
        self.draft.prompt = state.prompt;
        self.restore_mask(state.mask);
        if let Some(current) = self.document.current() {
            self.view.set_image(current.picture.size());
            if let Some((scale, center)) = state.view {
                self.view.go_to(scale, center);
            }
        }
    }

    /// An empty document.
    fn forget(&mut self) {
        self.document = Document::default();
        self.screens.clear();
        self.used.clear();
        self.scrubbed = None;
        self.compare = None;
        self.upscales.clear();
        self.candidates.clear();
        self.adjustment = None;
        self.trial = None;
        self.change = None;
        self.change_asked = None;
        self.context = None;
        self.heat = None;
        self.differences.clear();
        self.kept.clear();
        self.fetching.clear();
        self.preparing.clear();
        self.history = HistoryView::default();
        self.restore_mask(None);
    }

    /// Lets go of what was kept of revisions that are no more.
    pub(super) fn forget_revisions(&mut self, gone: &[RevisionId]) {
        self.screens.retain(|id, _| !gone.contains(id));
        self.differences.retain(|id, _| !gone.contains(id));
        self.used.retain(|id| !gone.contains(id));
        self.candidates.retain(|id| !gone.contains(id));
        if self.compare.is_some_and(|c| gone.contains(&c.with)) {
            self.compare = None;
        }
        if self.candidates.len() < 2 {
            self.candidates.clear();
        }
    }

    /// Asks where the project is to be saved.
    pub(super) fn ask_save_project(&mut self) {
        self.ask = Some(Ask { question: Question::SaveProject, answer: String::new() });
    }

    /// Writes all of the project into a file of its own.
    pub(super) fn save_project(&mut self, mut path: PathBuf, commands: &mut Vec<Command>) {
        if path.extension().is_none() {
            path.set_extension("pentimento");
        }
        let thumbnails = self.screens.iter().map(|(id, s)| (*id, s.thumbnail.clone())).collect();
        commands.push(Command::SaveProject { path, document: Box::new(self.document.clone()), thumbnails, state: self.state() });
    }

    /// Hears that the project was saved, or was not.
    pub(super) fn saved(&mut self, name: String, result: Result<(), String>) {
        match result {
            Ok(()) => {
                self.say(NoticeKind::Done, &format!("Saved as {name}. From here on everything is kept there."));
                self.project = ProjectFacts { name: Some(name), looks_only: false };
            }
            Err(why) => self.say(NoticeKind::Failed, &format!("The project was not saved: {why}.")),
        }
    }
}
