//! Pictures on their way into files: what kind of file, at what quality, and what is said beside the pixels.

use super::pixels::STILL_READ;
use super::running::beyond_settings;
use super::{Editor, NoticeKind, export_name};
use crate::document::{Chain, RevisionId};
use crate::export::{self, Found, Switches};
use crate::imaging::{Format, Picture};
use crate::jobs::{Command, MeasureRequest};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What kind of file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    #[default]
    Png,
    Jpeg,
    /// Without loss.
    WebP,
    WebPLossy,
    Tiff,
    /// `OpenRaster`: a layer for each picture on the way.
    Layers,
}

impl Kind {
    pub const ALL: [Self; 6] = [Self::Png, Self::Jpeg, Self::WebP, Self::WebPLossy, Self::Tiff, Self::Layers];

    pub fn has_quality(self) -> bool {
        matches!(self, Self::Jpeg | Self::WebPLossy)
    }

    fn format(self, quality: u8) -> Option<Format> {
        match self {
            Self::Png => Some(Format::Png),
            Self::Jpeg => Some(Format::Jpeg(quality)),
            Self::WebP => Some(Format::WebP),
            Self::WebPLossy => Some(Format::WebPLossy(quality)),
            Self::Tiff => Some(Format::Tiff),
            Self::Layers => None,
        }
    }

    fn ending(self) -> &'static str {
        self.format(90).map_or("ora", Format::ending)
    }
}

/// How a person exports: kept from one start to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExportSettings {
    pub kind: Kind,
    /// 1 to 100.
    pub quality: u8,
    pub switches: Switches,
}

impl Default for ExportSettings {
    fn default() -> Self {
        Self { kind: Kind::default(), quality: 92, switches: Switches::default() }
    }
}

/// The page of exporting, while it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportPage {
    pub open: bool,
    /// How long the file would be, in bytes, or why there would be none; `None` while that is found out.
    pub bytes: Option<Result<u64, String>>,
    /// The number of the question that was asked last.
    ticket: u64,
}

/// On the page of exporting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    Kind(Kind),
    Quality(u8),
    Switches(Switches),
    /// Ask where to.
    Save,
    Close,
}

impl Editor {
    /// Opens the page.
    pub(super) fn open_export(&mut self, commands: &mut Vec<Command>) {
        if self.document.current().is_none() {
            return self.say(NoticeKind::Failed, "There is no picture to export yet: open one, or describe one and press Generate.");
        }
        self.exporting.open = true;
        self.measure(commands);
    }

    pub(super) fn export_action(&mut self, what: Export, commands: &mut Vec<Command>) {
        let before = self.settings.export;
        let settings = &mut self.settings.export;
        match what {
            Export::Kind(kind) => settings.kind = kind,
            Export::Quality(quality) => settings.quality = quality.clamp(1, 100),
            Export::Switches(switches) => settings.switches = switches,
            Export::Close => self.close_export(commands),
            Export::Save => {
                self.close_export(commands);
                if let Some(revision) = self.document.current() {
                    let name = PathBuf::from(export_name(revision)).with_extension(self.settings.export.kind.ending());
                    commands.push(Command::AskSave { name: name.to_string_lossy().into_owned() });
                }
            }
        }
        if before != self.settings.export {
            commands.push(Command::SaveSettings(self.settings.to_json()));
            self.measure(commands);
        }
    }

    fn close_export(&mut self, commands: &mut Vec<Command>) {
        self.exporting.open = false;
        self.exporting.bytes = None;
        commands.push(Command::StopMeasuring);
    }

    /// What is written of the revision that is looked at: its picture and the way to it.
    fn exported(&self) -> Option<(RevisionId, Option<Picture>, Chain)> {
        let revision = self.document.current()?;
        Some((revision.id, revision.picture.here().cloned(), self.document.chain(revision.id)?))
    }

    /// Asks how long the file would be.
    fn measure(&mut self, commands: &mut Vec<Command>) {
        self.exporting.bytes = None;
        self.exporting.ticket += 1;
        let ExportSettings { kind, quality, switches } = self.settings.export;
        match (kind.format(quality), self.exported()) {
            (Some(format), Some((_, Some(picture), chain))) if self.exporting.open => {
                let ticket = self.exporting.ticket;
                commands.push(Command::MeasureExport(Box::new(MeasureRequest { ticket, picture, format, chain, switches })));
            }
            _ => commands.push(Command::StopMeasuring),
        }
    }

    pub(super) fn measured(&mut self, ticket: u64, bytes: Result<u64, String>) {
        if self.exporting.open && ticket == self.exporting.ticket {
            self.exporting.bytes = Some(bytes);
        }
    }

    /// Writes the picture that is looked at; the ending says how, and where there is none, the settings.
    pub(super) fn export(&mut self, mut path: PathBuf, commands: &mut Vec<Command>) {
        let ExportSettings { kind, quality, switches } = self.settings.export;
        if path.extension().is_none() {
            path.set_extension(kind.ending());
        }
        let Some((id, picture, chain)) = self.exported() else { return };
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ora")) {
            let layers = export::layers_of(&self.document, id);
            let here = |id| self.document.revision(id).and_then(|r| r.picture.here().cloned());
            let layers = layers.into_iter().map(|layer| (here(layer.id), layer)).map(|(picture, layer)| (layer, picture)).collect();
            return commands.push(Command::ExportLayers { path, layers });
        }
        let format = Format::of(&path, quality).map(|format| match format {
            Format::WebP if kind == Kind::WebPLossy => Format::WebPLossy(quality),
            other => other,
        });
        match (format, picture) {
            (Ok(format), Some(picture)) => {
                commands.push(Command::Export { picture, path, format, chain: Box::new(chain), switches });
            }
            (Ok(_), None) => self.say(NoticeKind::Failed, STILL_READ),
            (Err(why), _) => self.say(NoticeKind::Failed, &format!("The picture was not saved: {why}.")),
        }
    }

    /// Takes in what a file said of how its picture was made.
    pub(super) fn found_recipe(&mut self, name: &str, found: &Found) {
        let Some(prompt) = found.prompt().map(str::to_owned) else { return };
        // What was typed can be had back with the arrow keys.
        if !self.draft.prompt.trim().is_empty() && self.prompts.last() != Some(&self.draft.prompt) {
            self.prompts.push(self.draft.prompt.clone());
        }
        self.recalled = None;
        self.draft.prompt = prompt;
        let Some(recipe) = found.chain.as_ref().and_then(|chain| chain.recipes().next_back()) else {
            return self.say(NoticeKind::Done, &format!("{name} says what it was made from: the words stand in the prompt."));
        };
        self.draft.steps = recipe.steps.clamp(1, super::MOST_STEPS);
        self.draft.guidance = recipe.guidance.clamp(1.0, 10.0);
        self.draft.shortcuts = recipe.shortcuts;
        (self.draft.seed, self.draft.seed_locked) = (recipe.seed, true);
        let model = if recipe.model.name() == self.model.id.name() {
            String::new()
        } else {
            format!(" It was made with the model {}.", recipe.model.name())
        };
        let more = beyond_settings(recipe).map_or_else(String::new, |words| format!(" {words}"));
        self.say(NoticeKind::Done, &format!("{name} says how it was made: its words and settings are set again.{model}{more}"));
    }
}
