//! What a run tells on the way: a bar on stderr, or JSON lines on stdout.

use crate::imaging::Picture;
use crate::pipeline::{Blueprint, Dump, Engine, Made, Observer, Plan, Preview, Progress, Stage, device_name, memory};
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches a run for the command line.
pub struct Reporter {
    json: bool,
    cancel: Arc<AtomicBool>,
    dump: Option<Dump>,
    latest: Option<Preview>,
    terminal: bool,
    stage: Option<Stage>,
}

impl Reporter {
    pub fn new(json: bool, cancel: Arc<AtomicBool>, dump: Option<Dump>) -> Self {
        Self { json, cancel, dump, latest: None, terminal: std::io::stderr().is_terminal(), stage: None }
    }

    /// Ends the line of the bar.
    pub fn end_line(&self) {
        if !self.json && self.terminal {
            eprintln!();
        }
    }

    /// What is known of a picture whose making was stopped.
    pub fn partial(&self, engine: &Engine) -> Option<Picture> {
        let preview = self.latest.as_ref()?;
        let compression = engine.checkpoint().configs.vae.compression() as u32;
        let small = preview.map.apply(&preview.latents).ok()?;
        let full = (preview.latents.width as u32 * compression, preview.latents.height as u32 * compression);
        let from = (small.width() as usize, small.height() as usize);
        let rgb = crate::imaging::resize_rgb(&small.to_rgb8(), from, (full.0 as usize, full.1 as usize), crate::imaging::Filter::Bicubic);
        Picture::from_rgb8(full.0, full.1, &rgb).ok()
    }

    pub fn result(&self, engine: &Engine, made: &[Made], files: &[PathBuf], seconds: &[(Stage, f64)]) {
        if self.json {
            let pictures: Vec<_> = made
                .iter()
                .zip(files)
                .map(|(m, file)| json!({"file": file, "width": m.picture.width(), "height": m.picture.height(), "recipe": m.recipe, "tokens": m.tokens}))
                .collect();
            let seconds: Vec<_> = seconds.iter().map(|(stage, s)| json!({"stage": stage, "seconds": s})).collect();
            let device = device_name(engine.device());
            println!(
                "{}",
                json!({"event": "result", "pictures": pictures, "seconds": seconds, "device": device, "dtype": engine.dtype().as_str(), "peak_bytes": memory::peak_bytes()})
            );
        } else {
            for file in files {
                eprintln!("{}", file.display());
            }
        }
    }

    pub fn cancelled(&self, kept: &[PathBuf]) {
        if self.json {
            println!("{}", json!({"event": "cancelled", "kept": kept}));
        } else {
            let kept: Vec<String> = kept.iter().map(|p| p.display().to_string()).collect();
            eprintln!("cancelled{}", if kept.is_empty() { String::new() } else { format!("; kept {}", kept.join(", ")) });
        }
    }

    pub fn dump(&self) -> Option<&Dump> {
        self.dump.as_ref()
    }

    fn bar(&mut self, p: &Progress) {
        let ratio = p.done as f64 / p.total.max(1) as f64;
        let left = if p.done > 0 && p.done < p.total { format!(", {:.0} s left", p.seconds / ratio - p.seconds) } else { String::new() };
        let which = if p.variation.1 > 1 { format!("picture {} of {}, ", p.variation.0 + 1, p.variation.1) } else { String::new() };
        let name = p.stage.name();
        if self.terminal {
            let filled = (ratio * 24.0) as usize;
            eprint!(
                "\r\x1b[2K{name:<24} [{}{}] {which}{} of {}{left}",
                "█".repeat(filled),
                "·".repeat(24 - filled.min(24)),
                p.done,
                p.total
            );
            let _ = std::io::stderr().flush();
        } else if self.stage != Some(p.stage) {
            eprintln!("{name} …");
        }
        self.stage = Some(p.stage);
    }
}

impl Observer for Reporter {
    fn plan(&mut self, plan: &Plan) {
        if self.json {
            println!("{}", json!({"event": "plan", "words": plan.words(), "plan": plan}));
        } else if plan.is_step_down {
            eprintln!("{}.", plan.words());
        }
    }

    fn progress(&mut self, progress: &Progress) {
        if self.json {
            println!(
                "{}",
                json!({"event": "progress", "stage": progress.stage, "done": progress.done, "total": progress.total, "seconds": progress.seconds,
                       "variation": progress.variation.0, "variations": progress.variation.1})
            );
        } else {
            self.bar(progress);
        }
    }

    fn blueprint(&mut self, _: Blueprint) {}

    fn preview(&mut self, preview: Preview) {
        self.latest = Some(preview);
    }

    fn made(&mut self, _: &Made) {
        self.latest = None;
    }

    fn wants_previews(&self) -> bool {
        true
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }

    fn dump(&mut self) -> Option<&mut Dump> {
        self.dump.as_mut()
    }
}
