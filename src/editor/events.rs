//! What the lanes have told.

use super::keeping::Arrival;
use super::steps::steps_of;
use super::{Ask, Editor, NoticeKind, Question, Run};
use crate::document::{Origin, RevisionId};
use crate::jobs::{Adjusted, Command, Event, JobId};
use crate::recipe::ModelId;

/// Said where something could not be written.
const NOT_KEPT: &str = "What was made is not kept on the disk";

impl Editor {
    pub(super) fn hear(&mut self, event: Event, commands: &mut Vec<Command>) {
        match event {
            Event::Started { .. } => {}
            Event::Notice { text, .. } => self.say(NoticeKind::Done, &text),
            Event::Plan { id, plan, is_step_down } => {
                if is_step_down {
                    self.say(NoticeKind::Done, &format!("{plan}."));
                }
                self.with_run(id, |run| run.plan = Some((plan.clone(), is_step_down)));
                self.plan = Some(plan);
            }
            Event::Forecast { intent, result } => self.foretold(*intent, result),
            Event::Progress { id, progress } => self.with_run(id, |run| run.progress = Some(progress)),
            Event::Palette { id, palette } => self.with_run(id, |run| run.palette = Some(palette)),
            Event::Blueprint { id, blueprint } => self.with_run(id, |run| run.blueprint = Some(blueprint)),
            Event::Preview { id, preview } => {
                self.map = Some(preview.map.clone());
                self.with_run(id, |run| run.preview = Some(preview));
            }
            Event::Made { id, made, local, pyramid, thumbnail, at } => {
                let Some(run) = self.run.as_mut().filter(|r| r.id == id) else { return };
                run.preview = None;
                run.asked = false;
                let seconds = run.progress.map_or(0.0, |p| p.seconds);
                let origin = Origin::Made { recipe: Box::new(made.recipe), tokens: made.tokens.into(), seconds };
                let source = run.source;
                let steps = steps_of(&made.path);
                let new = Arrival { parent: source, origin, picture: made.picture, steps, local, at, pyramid, thumbnail };
                let revision = self.record(new, commands);
                self.upscale_result(revision, commands);
                let current = self.document.current().map(|r| r.id);
                let Some(run) = &mut self.run else { return };
                let first = run.made.is_empty();
                run.made.push(revision);
                if first && run.looked_at == current {
                    run.looked_at = Some(revision);
                    self.document.go(revision);
                }
            }
            Event::Finished { id, ending } => self.finished(id, ending, commands),
            Event::Model { model, facts } if model == self.model.id => {
                if let Err(why) = &facts {
                    self.say(NoticeKind::Failed, &format!("The model cannot be used: {why}."));
                }
                if let (ModelId::Folder(folder), Ok(_)) = (&model, &facts) {
                    self.remember(folder, commands);
                }
                self.model.facts = Some(facts);
                self.outlook.is_stale = true;
            }
            Event::Model { .. } => {}
            Event::ConversionEstimated { model, result } => self.estimated(&model, result),
            Event::Converting { out, progress } => self.converting(&out, progress),
            Event::Converted { out, result } => self.converted(&out, result, commands),
            Event::ConvertedRemoved { folder, result } => self.made_removed(&folder, result, commands),
            Event::Upscaling { id, progress } => self.upscaling(id, progress),
            Event::Upscaled { id, result } => self.upscaled(id, result, commands),
            Event::Replaying { id, progress } => self.replay_progressed(id, progress),
            Event::Replayed { id, result } => self.replayed(id, result, commands),
            Event::RecipeRead { name, result } => self.recipe_read(name, result),
            Event::RecipeSaved { path, result } => self.recipe_saved(&path, result),
            Event::PhotosFound(paths) => self.photos_found(paths),
            Event::ReplaySaved { id, result } => self.replay_saved(id, result, commands),
            Event::ReplayOpened { result, .. } => self.replay_opened(result, commands),
            Event::Opened { name, at, result } => self.opened(name, at, result, commands),
            Event::FoundRecipe { name, found } => self.found_recipe(&name, &found),
            Event::Changed { of, tool, result } => self.changed(of, tool, result, commands),
            Event::ExportMeasured { ticket, bytes } => self.measured(ticket, bytes),
            Event::Project(result) => self.found(result),
            Event::ProjectSaved { name, result } => {
                if result.is_ok() {
                    self.kept = self.document.revisions().iter().map(|r| r.id).collect();
                }
                self.saved(name, result);
            }
            Event::NotKept(why) => self.say(NoticeKind::Failed, &format!("{NOT_KEPT}: {why}.")),
            Event::KeptAgain => {
                self.notices.retain(|n| !n.text.starts_with(NOT_KEPT));
                self.say(NoticeKind::Done, "The disk has room again: everything is kept.");
            }
            Event::Prepared { revision, pyramid } => self.prepared(revision, pyramid),
            Event::Fetched { id, result } => self.fetched(id, result),
            Event::KeptRevision(id) => {
                self.kept.insert(id);
            }
            Event::Adjusted { of, result } => self.adjusted(of, result),
            Event::Compared { of, found } => {
                self.differences.insert(of, Some(found));
            }
            Event::HeatMapped { of, with, pyramid } => self.heat = Some((of, with, Some(pyramid))),
            Event::ChangeFound { of, change } => {
                self.change_asked = None;
                let selects = std::mem::take(&mut self.wants_change_selected) && self.document.current().is_some_and(|r| r.id == of);
                if selects {
                    self.take_mask(change.clone(), commands);
                }
                self.change = Some((of, change));
            }
            Event::Drawn { number, mask, dirty, whole } => self.drawn(number, mask, dirty, whole.map(|w| *w), commands),
            Event::MaskShaped { mask } => {
                self.selection.is_busy = false;
                self.take_mask(mask, commands);
            }
            Event::MaskOpened(Ok(mask)) => self.take_mask(mask, commands),
            Event::MaskOpened(Err(why)) => self.say(NoticeKind::Failed, &format!("That cannot be the selection: {why}.")),
            Event::Exported { path, result } => match result {
                Ok(()) => self.say(NoticeKind::Done, &format!("Saved {}", path.display())),
                Err(why) => self.say(NoticeKind::Failed, &format!("The picture was not saved: {why}.")),
            },
            Event::Copied(Ok(())) => self.say(NoticeKind::Done, "The picture is on the clipboard."),
            Event::Copied(Err(why)) => self.say(NoticeKind::Failed, &format!("The picture could not be copied: {why}.")),
            Event::PastedText(text) => self.draft.prompt.push_str(&text),
            Event::ChosenOpen(paths) => self.open(paths, commands),
            Event::ChosenSave(Some(path)) => self.export(path, commands),
            Event::ChosenFolder(Some(path)) => self.set_model(ModelId::Folder(path), commands),
            Event::ChosenOpenMask(Some(path)) => self.import_mask(path, commands),
            Event::ChosenSaveMask(Some(path)) => self.export_mask(path, commands),
            Event::ChosenRecipe(Some(path)) => commands.push(Command::ReadRecipe(path)),
            Event::ChosenSaveRecipe(Some(path)) => self.save_recipe(path, commands),
            Event::ChosenPhotos(paths) if !paths.is_empty() => commands.push(Command::FindPhotos(paths)),
            Event::ChosenResults(Some(folder)) => self.save_results(&folder, commands),
            Event::ChosenSave(None) | Event::ChosenFolder(None) | Event::ChosenOpenMask(None) | Event::ChosenSaveMask(None) => {}
            Event::ChosenRecipe(None) | Event::ChosenSaveRecipe(None) | Event::ChosenPhotos(_) | Event::ChosenResults(None) => {}
            Event::NoDialogs(command) => {
                let (question, answer) = match *command {
                    Command::AskOpen => (Question::Open, String::new()),
                    Command::AskSave { name } => (Question::Save, name),
                    Command::AskFolder => (Question::ModelFolder, String::new()),
                    Command::AskOpenMask => (Question::OpenMask, String::new()),
                    Command::AskSaveMask => (Question::SaveMask, "selection.png".to_owned()),
                    Command::AskRecipe => (Question::Recipe, String::new()),
                    Command::AskSaveRecipe { name } => (Question::SaveRecipe, name),
                    Command::AskPhotos => (Question::Photos, String::new()),
                    Command::AskResults => (Question::Results, String::new()),
                    _ => return,
                };
                self.ask = Some(Ask { question, answer });
            }
            Event::Models(models) => self.listed(models),
            Event::ModelLookedUp { source, result } => self.looked_up(&source, result),
            Event::GetProgress { name, progress } => self.get_progressed(&name, progress),
            Event::GetEnded { name, ending } => self.get_ended(&name, ending, commands),
            Event::VerifyProgress { name, done, bytes } => self.verify_progressed(&name, done, bytes),
            Event::ModelVerified { name, result } => self.model_verified(name, result),
            Event::ModelRemoved { name, result } => self.model_removed(&name, result, commands),
            Event::Devices(devices) => self.devices = Some(devices),
            Event::Examples(pictures) => self.examples = pictures,
            Event::SettingsNotSaved(why) => self.say(NoticeKind::Failed, &format!("{why}.")),
        }
    }

    fn with_run(&mut self, id: JobId, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.run.as_mut().filter(|r| r.id == id) {
            change(run);
        }
    }

    fn adjusted(&mut self, of: RevisionId, result: Result<Box<Adjusted>, String>) {
        let Some(adjustment) = self.adjustment.as_mut().filter(|a| a.of == of) else { return };
        match result {
            Ok(shown) => adjustment.shown = Some(shown),
            Err(why) => {
                self.adjustment = None;
                self.say(NoticeKind::Failed, &format!("The result cannot be put in so: {why}."));
            }
        }
    }
}
