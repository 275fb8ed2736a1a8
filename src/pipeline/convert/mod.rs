//! An official folder made ready: smaller on the disk, and quicker to start with.
//!
//! Each component becomes one GGUF file of the chosen precision. What no stage reads is left out, and TA-Tok's codebook is
//! projected once and for all. The original is only read. A conversion that was broken off goes on where a component was
//! complete; memory is that of one stretch of a tensor, and of the codebook.

mod compare;
mod glance;
mod plan;
mod remove;
mod state;
mod write;

pub use compare::{Compared, Measure, compare};
pub use glance::{Estimate, Glance, estimate, glance};
pub use plan::{Component, Precision, Precisions};
pub use remove::remove;

use super::load::ready::{FORMAT, LIST, Ready, ReadyFile, STATE};
use super::load::{Checkpoint, Folder, PICKLE, tower_file};
use super::{Error, Result, memory};
use crate::recipe::ModelId;
use serde::Serialize;
use state::State;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What to convert, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertRequest {
    pub model: ModelId,
    /// A folder that is not there, is empty, or in which the same conversion was begun.
    pub out: PathBuf,
    pub precisions: Precisions,
}

/// How far a conversion is, in bytes that are written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Progress {
    pub component: Component,
    pub done: u64,
    pub total: u64,
    /// Bytes that an earlier conversion had written.
    pub begun: u64,
    pub seconds: f64,
}

impl Progress {
    /// Seconds that are left, once there is something to go by.
    pub fn seconds_left(&self) -> Option<f64> {
        let made = self.done.checked_sub(self.begun).filter(|made| *made > 0)?;
        Some(self.seconds / made as f64 * (self.total - self.done) as f64)
    }
}

/// How a conversion ended, when it did not fail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum Converted {
    /// Bytes of all weight files.
    Done { bytes: u64, seconds: f64 },
    /// Stopped on request; the same request goes on from there.
    Cancelled,
}

/// Small files that are taken along where they are there. The tokenizer and the configuration must be.
const TAKEN_ALONG: [&str; 13] = [
    "config.json",
    "tokenizer.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "transformer/config.json",
    "vae/config.json",
    "scheduler/scheduler_config.json",
    "README.md",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
];
const TOWER_FILE: &str = "vision_tower/config.json";
/// Room for everything that is no weights, besides the tokenizer.
const SLACK: u64 = 16 << 20;

/// Converts a model. `tell` hears how far it is and says whether to go on.
///
/// # Errors      the model cannot be used, the folder holds something else, or the disk is full or fails
pub fn convert(request: &ConvertRequest, tell: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Converted> {
    let started = Instant::now();
    let folder = Folder::of(&request.model)?;
    let failed = |what: String| Error::Convert { what, path: request.out.clone() };
    if folder.has(LIST) {
        return Err(failed("it is converted already; start from the official folder".to_owned()));
    }
    let checkpoint = Checkpoint::open(&request.model)?;
    let source = state::source(&folder)?;
    let said = |e: std::io::Error| failed(e.to_string());
    fs::create_dir_all(&request.out).map_err(said)?;
    if let (ModelId::Folder(from), Ok(to)) = (&request.model, request.out.canonicalize())
        && from.canonicalize().is_ok_and(|from| from == to)
    {
        return Err(failed("that is the original's own folder; choose another".to_owned()));
    }
    let _lock = state::lock(&request.out)?;
    let mut files = Vec::new();
    for component in Component::ALL {
        let precision = request.precisions.of(component);
        let tensors = plan::plan(&checkpoint, component, precision)?;
        if !tensors.is_empty() {
            let layout = write::Layout::new(&tensors);
            files.push((component, precision, tensors, layout));
        }
    }
    let named = |(component, precision, _, layout): &(Component, Precision, _, write::Layout)| ReadyFile {
        name: component.file().to_owned(),
        precision: precision.name().to_owned(),
        bytes: layout.total,
    };
    let ready = Ready { format: FORMAT, source: source.clone(), files: files.iter().map(named).collect() };
    let total: u64 = ready.files.iter().map(|f| f.bytes).sum();
    let mut state = match State::find(&request.out, &ready)? {
        state::Found::Complete => {
            return Ok(Converted::Done { bytes: total, seconds: started.elapsed().as_secs_f64() });
        }
        state::Found::Begun(state) => state,
    };
    let begun: u64 = state.done.iter().map(|f| f.bytes).sum();
    state.asked = Some(state::Asked { model: absolute(&request.model), precisions: request.precisions });
    let needed = total - begun + SLACK + checkpoint.tokenizer().len() as u64;
    if let Some(free) = memory::disk_free_bytes(&request.out).filter(|free| *free < needed) {
        return Err(Error::NoRoom { needed, free, path: request.out.clone() });
    }
    state.save(&request.out)?;
    let mut done = begun;
    for (file, (component, _, tensors, layout)) in ready.files.iter().zip(&files) {
        if state.done.contains(file) {
            continue;
        }
        let mut wrote = |bytes: u64| {
            done += bytes;
            let seconds = started.elapsed().as_secs_f64();
            tell(&Progress { component: *component, done, total, begun, seconds })
        };
        let partial = request.out.join(format!("{}.partial", file.name));
        let written = write::write(&partial, &checkpoint, tensors, layout, &mut wrote);
        if !matches!(written, Ok(ControlFlow::Continue(()))) {
            let _ = fs::remove_file(&partial);
        }
        if written?.is_break() {
            return Ok(Converted::Cancelled);
        }
        fs::rename(&partial, request.out.join(&file.name)).map_err(said)?;
        state.done.push(file.clone());
        state.save(&request.out)?;
    }
    take_along(&folder, &checkpoint, &request.out)?;
    let list = serde_json::to_vec_pretty(&ready).map_err(|e| failed(e.to_string()))?;
    state::put(&request.out, LIST, &list)?;
    let _ = fs::remove_file(request.out.join(STATE));
    Ok(Converted::Done { bytes: total, seconds: started.elapsed().as_secs_f64() })
}

/// The model wherever the program is started next.
fn absolute(model: &ModelId) -> ModelId {
    match model {
        ModelId::Folder(path) => ModelId::Folder(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
        ModelId::Nano => ModelId::Nano,
    }
}

/// Configuration, tokenizer and licence.
fn take_along(folder: &Folder, checkpoint: &Checkpoint, out: &Path) -> Result<()> {
    for name in TAKEN_ALONG {
        if let Some(bytes) = folder.read(name)? {
            state::put(out, name, &bytes)?;
        }
    }
    if folder.has(TOWER_FILE) || folder.has(PICKLE) || checkpoint.found().learnt_temperature {
        let tower = tower_file(folder, checkpoint.found())?;
        let text = serde_json::to_vec_pretty(&tower).map_err(|e| Error::Convert { what: e.to_string(), path: out.to_owned() })?;
        state::put(out, TOWER_FILE, &text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_told_by_what_was_made_now() {
        let progress = Progress { component: Component::Transformer, done: 60, total: 100, begun: 50, seconds: 2.0 };
        assert_eq!(progress.seconds_left(), Some(8.0));
        assert_eq!(Progress { done: 50, ..progress }.seconds_left(), None);
    }
}
