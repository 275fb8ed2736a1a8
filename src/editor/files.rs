//! Pictures, projects and models from the disk, and pictures onto it.

use super::keeping::Arrival;
use super::{Ask, Editor, Mode, Model, NoticeKind, Question};
use crate::document::{Origin, Revision};
use crate::imaging::{ENDINGS, Picture, Pyramid};
use crate::jobs::{Command, Thumbnail};
use crate::recipe::ModelId;
use std::path::PathBuf;
use std::sync::Arc;

impl Editor {
    pub(super) fn open(&mut self, paths: Vec<PathBuf>, commands: &mut Vec<Command>) {
        for path in paths {
            self.settings.remember(path.clone());
            commands.push(Command::SaveSettings(self.settings.to_json()));
            if path.extension().is_some_and(|e| e == "pentimento") {
                commands.push(Command::OpenProject(path));
            } else {
                self.opening += 1;
                commands.push(Command::Open(path));
            }
        }
    }

    pub(super) fn opened(
        &mut self,
        name: String,
        at: i64,
        result: Result<(Picture, Arc<Pyramid>, Thumbnail), String>,
        commands: &mut Vec<Command>,
    ) {
        self.opening = self.opening.saturating_sub(1);
        match result {
            Ok((picture, pyramid, thumbnail)) => {
                let origin = if name.is_empty() { Origin::Pasted } else { Origin::Opened { name } };
                let revision =
                    self.record(Arrival { parent: None, origin, picture, steps: None, local: None, at, pyramid, thumbnail }, commands);
                self.document.go(revision);
                self.draft.mode = Mode::Edit;
            }
            Err(why) if name.is_empty() => self.say(NoticeKind::Failed, &format!("What is on the clipboard cannot be opened: {why}.")),
            Err(why) => self.say(NoticeKind::Failed, &format!("{name} cannot be opened: {why}.")),
        }
    }

    pub(super) fn answer(&mut self, commands: &mut Vec<Command>) {
        let Some(Ask { question, answer }) = self.ask.take() else { return };
        let path = PathBuf::from(answer.trim());
        if path.as_os_str().is_empty() {
            return;
        }
        match question {
            Question::Open => self.open(vec![path], commands),
            Question::Save => self.export(path, commands),
            Question::OpenMask => self.import_mask(path, commands),
            Question::SaveMask => self.export_mask(path, commands),
            Question::SaveProject => self.save_project(path, commands),
            Question::Recipe => commands.push(Command::ReadRecipe(path)),
            Question::SaveRecipe => self.save_recipe(path, commands),
            Question::Photos => commands.push(Command::FindPhotos(vec![path])),
            Question::Results => self.save_results(&path, commands),
            Question::ModelFolder => self.set_model(ModelId::Folder(path), commands),
        }
    }

    pub(super) fn set_model(&mut self, id: ModelId, commands: &mut Vec<Command>) {
        let is_other = id != self.model.id;
        self.settings.model = id.clone();
        self.model = Model { id: id.clone(), facts: None };
        if is_other {
            self.map = None;
            self.scrubbed = None;
            self.draft.steps = self.first_steps();
        }
        commands.push(Command::LookAt(id));
        commands.push(Command::SaveSettings(self.settings.to_json()));
    }
}

/// A file name that suits a revision.
pub(super) fn export_name(revision: &Revision) -> String {
    let title = revision.title();
    let title =
        title.rsplit_once('.').filter(|(_, ending)| ENDINGS.contains(&ending.to_lowercase().as_str())).map_or(title, |(stem, _)| stem);
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(8)
        .map(|w| w.chars().take(24).collect::<String>().to_lowercase())
        .collect();
    if words.is_empty() { "picture.png".to_owned() } else { format!("{}.png", words.join("-")) }
}
