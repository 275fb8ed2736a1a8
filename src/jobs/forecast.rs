//! How the next run would use memory, found out before anybody asks for it.

use super::DeviceChoice;
use crate::pipeline::Plan;
use crate::recipe::ModelId;
use serde::{Deserialize, Serialize};

/// A run as far as its memory depends on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub model: ModelId,
    pub device: DeviceChoice,
    pub edits: bool,
    pub variations: usize,
}

/// What would become of it now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Forecast {
    pub plan: Plan,
    /// The device that would compute, for a person.
    pub device: String,
}

impl Forecast {
    /// For example: CPU, stage by stage, 4.1 of 6.0 GiB.
    pub fn words(&self) -> String {
        format!("{}, {}", self.device, self.plan.short())
    }
}
