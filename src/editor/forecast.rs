//! What the next run would take, told before it begins; and what computes.

use super::{Editor, Mode};
use crate::jobs::{Command, DeviceChoice, Forecast, Intent};

/// What is known of the next run.
#[derive(Debug, Default)]
pub(super) struct Outlook {
    /// What was asked for and is not answered yet.
    asked: Option<Intent>,
    told: Option<(Intent, Result<Box<Forecast>, String>)>,
    /// Memory may have changed since.
    pub is_stale: bool,
}

impl Editor {
    /// How the next run would use memory, or why it cannot; `None` while nobody knows.
    pub fn outlook(&self) -> Option<Result<&Forecast, &str>> {
        let (intent, result) = self.outlook.told.as_ref()?;
        let is_current = self.intent().as_ref() == Some(intent);
        is_current.then(|| result.as_deref().map_err(String::as_str))
    }

    /// The next run, as far as its memory depends on it; `None` where the model cannot do it anyway.
    fn intent(&self) -> Option<Intent> {
        let facts = self.model.facts.as_ref()?.as_ref().ok()?;
        let edits = self.mode() == Mode::Edit;
        let able = if edits { &facts.can_edit } else { &facts.can_generate };
        able.is_ok().then(|| Intent {
            model: self.model.id.clone(),
            device: self.settings.device,
            edits,
            variations: self.draft.variations,
        })
    }

    /// Asks for it again where something about it has changed. One question at a time, and none while a job runs: its own
    /// plan is what counts then.
    pub(super) fn look_ahead(&mut self, commands: &mut Vec<Command>) {
        if self.run.is_some() || self.outlook.asked.is_some() {
            return;
        }
        let Some(intent) = self.intent() else { return };
        let is_known = self.outlook.told.as_ref().is_some_and(|(known, _)| *known == intent);
        if !is_known || self.outlook.is_stale {
            self.outlook.is_stale = false;
            self.outlook.asked = Some(intent.clone());
            commands.push(Command::Forecast(Box::new(intent)));
        }
    }

    pub(super) fn foretold(&mut self, intent: Intent, result: Result<Box<Forecast>, String>) {
        self.outlook.asked = None;
        self.outlook.told = Some((intent, result));
    }

    /// What computes with the present choice; `None` until the devices are known.
    pub fn computes(&self) -> Option<DeviceChoice> {
        match self.settings.device {
            DeviceChoice::Auto => {
                let can = |d: &&crate::jobs::DeviceFacts| d.device != DeviceChoice::Cpu && d.missing.is_none();
                Some(self.devices.as_ref()?.iter().find(can).map_or(DeviceChoice::Cpu, |d| d.device))
            }
            chosen => Some(chosen),
        }
    }
}
