//! What is kept from one start to the next.

use super::{Editor, ExportSettings, MOST_STEPS};
use crate::jobs::{Command, DeviceChoice};
use crate::recipe::{ModelId, Quality, Recipe};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Dark or light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system has it.
    #[default]
    System,
    Dark,
    Light,
}

/// The language of the window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// The system's, where the window speaks it.
    #[default]
    System,
    English,
    German,
}

/// How large the window's parts are, in percent.
pub const SCALES: [u32; 9] = [80, 90, 100, 110, 125, 140, 160, 180, 200];
/// Files that were opened lately.
const MOST_RECENT: usize = 10;

/// One setting of the window.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    Theme(ThemeChoice),
    Language(Language),
    Scale(u32),
    ReducedMotion(bool),
    /// Keys of an action; `None`: those that it has by itself.
    Keys(String, Option<Vec<String>>),
    /// With which the program begins; `None`: as the model is used to.
    Steps(Option<usize>),
    /// Where dialogs for files begin; `None`: as the system has it.
    Folder(Option<PathBuf>),
    Frame(Frame),
}

/// Where the window stood and how large it was, in points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    pub position: Option<[i32; 2]>,
    pub size: [u32; 2],
    pub is_maximized: bool,
}

/// The settings. Fields that a file lacks have their defaults, fields that are not known are dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub theme: ThemeChoice,
    pub model: ModelId,
    /// What computes.
    pub device: DeviceChoice,
    pub export: ExportSettings,
    /// Whether whatever the small model makes is made four times as large.
    pub upscale_results: bool,
    pub language: Language,
    /// In percent: one of [`SCALES`].
    pub scale: u32,
    /// Nothing moves by itself.
    pub reduced_motion: bool,
    /// A person's own keys, by the name of the action.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Files that were opened lately, the newest first.
    pub recent: Vec<PathBuf>,
    pub frame: Option<Frame>,
    pub steps: Option<usize>,
    pub folder: Option<PathBuf>,
    /// Folders with models that were not downloaded.
    pub folders: Vec<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            theme: ThemeChoice::default(),
            model: ModelId::Nano,
            device: DeviceChoice::default(),
            export: ExportSettings::default(),
            upscale_results: false,
            language: Language::default(),
            scale: 100,
            reduced_motion: false,
            keys: BTreeMap::new(),
            recent: Vec::new(),
            frame: None,
            steps: None,
            folder: None,
            folders: Vec::new(),
        }
    }
}

impl Settings {
    /// From a file's text; the defaults where it is not to be understood.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| {
            tracing::warn!("the settings are not to be understood, defaults are used: {error}");
            Self::default()
        })
    }

    pub(super) fn set(&mut self, setting: Setting) {
        match setting {
            Setting::Theme(theme) => self.theme = theme,
            Setting::Language(language) => self.language = language,
            Setting::Scale(scale) => self.scale = scale.clamp(SCALES[0], SCALES[SCALES.len() - 1]),
            Setting::ReducedMotion(on) => self.reduced_motion = on,
            Setting::Keys(action, Some(keys)) => {
                self.keys.insert(action, keys);
            }
            Setting::Keys(action, None) => {
                self.keys.remove(&action);
            }
            Setting::Steps(steps) => self.steps = steps.map(|steps| steps.clamp(1, MOST_STEPS)),
            Setting::Folder(folder) => self.folder = folder,
            Setting::Frame(frame) => self.frame = Some(frame),
        }
    }

    /// A file was opened.
    pub(super) fn remember(&mut self, path: PathBuf) {
        self.recent.retain(|p| *p != path);
        self.recent.insert(0, path);
        self.recent.truncate(MOST_RECENT);
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

impl Editor {
    /// Steps with which the model in use begins where a person has chosen none.
    pub fn usual_steps(&self) -> usize {
        match self.model.id {
            ModelId::Nano => 20,
            ModelId::Folder(_) => Recipe::new(ModelId::Nano, "").steps,
        }
    }

    /// Steps with which runs begin at the quality in use.
    pub(super) fn first_steps(&self) -> usize {
        let quality = Quality::of(self.draft.shortcuts).unwrap_or_default();
        quality.steps(self.settings.steps.unwrap_or_else(|| self.usual_steps())).min(MOST_STEPS)
    }

    pub(super) fn set(&mut self, setting: Setting, commands: &mut Vec<Command>) {
        if let Setting::Folder(folder) = &setting {
            commands.push(Command::BeginDialogsIn(folder.clone()));
        }
        let sets_steps = matches!(setting, Setting::Steps(_));
        self.settings.set(setting);
        if sets_steps {
            self.draft.steps = self.first_steps();
        }
        commands.push(Command::SaveSettings(self.settings.to_json()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_what_is_missing_and_what_is_not_known() {
        let mut kept = Settings { theme: ThemeChoice::Dark, model: ModelId::Folder("m".into()), ..Settings::default() };
        (kept.device, kept.folders) = (DeviceChoice::Cuda, vec!["m".into()]);
        for setting in [
            Setting::Language(Language::German),
            Setting::Scale(1000),
            Setting::ReducedMotion(true),
            Setting::Steps(Some(1000)),
            Setting::Folder(Some("pictures".into())),
            Setting::Frame(Frame { position: Some([-5, 10]), size: [800, 600], is_maximized: false }),
            Setting::Keys("open".to_owned(), Some(vec!["Mod+P".to_owned()])),
        ] {
            kept.set(setting);
        }
        (0..20).for_each(|i| kept.remember(format!("{}.png", i % 12).into()));
        assert_eq!((kept.scale, kept.recent.len(), kept.recent[0].to_str()), (200, 10, Some("7.png")));
        assert_eq!((kept.steps, kept.frame.map(|f| f.size)), (Some(MOST_STEPS), Some([800, 600])));
        assert_eq!(Settings::from_json(&kept.to_json()), kept);
        assert_eq!(Settings::from_json(r#"{"theme":"light","future":1}"#).theme, ThemeChoice::Light);
        assert_eq!(Settings::from_json("{broken"), Settings::default());
    }
}
