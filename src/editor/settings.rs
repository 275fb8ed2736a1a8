//! What is kept from one start to the next.

use super::ExportSettings;
use crate::jobs::DeviceChoice;
use crate::recipe::ModelId;
use serde::{Deserialize, Serialize};
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

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_what_is_missing_and_what_is_not_known() {
        let (model, folders) = (ModelId::Folder("m".into()), vec!["m".into()]);
        let kept = Settings { theme: ThemeChoice::Dark, model, device: DeviceChoice::Cuda, upscale_results: true, folders, ..Settings::default() };
        assert_eq!(Settings::from_json(&kept.to_json()), kept);
        assert_eq!(Settings::from_json(r#"{"theme":"light","future":1}"#).theme, ThemeChoice::Light);
        assert_eq!(Settings::from_json("{broken"), Settings::default());
    }
}
