//! The embedded model from end to end, `--size nano`: a JSON object per line, with the median run.
//!
//! Loaded before: at each quality; with what the run before has left, which is everything but the painting, or with another seed
//! also but the blueprint; and the long way. Then as a job for a worker process, from the command on, with the model loaded and
//! with a worker that is started for it. `first_token_s` and `first_preview_s` say when the first token of the blueprint and the
//! first step of the painting were there to be seen.

use super::Bench;
use pentimento::imaging::Picture;
use pentimento::jobs::{Backend, Failure, Job, JobId, WorkerBackend};
use pentimento::pipeline::{Blueprint, DeviceChoice, Engine, Observer, Outcome, Preview, Request, Settings};
use pentimento::recipe::{ModelId, Quality, Recipe, Sampling};
use serde_json::json;
use std::cell::RefCell;
use std::path::PathBuf;
use std::time::Instant;

/// Notes when something is first to be seen.
struct Firsts {
    start: Instant,
    token_s: Option<f64>,
    preview_s: Option<f64>,
}

impl Observer for Firsts {
    fn blueprint(&mut self, _: Blueprint) {
        self.token_s.get_or_insert(self.start.elapsed().as_secs_f64());
    }

    fn preview(&mut self, _: Preview) {
        self.preview_s.get_or_insert(self.start.elapsed().as_secs_f64());
    }

    fn wants_previews(&self) -> bool {
        true
    }
}

/// A run of the embedded model, and what it is called.
fn request(edits: bool, quality: Quality) -> anyhow::Result<(&'static str, Request)> {
    let recipe = Recipe {
        steps: quality.steps(20),
        shortcuts: quality.shortcuts(),
        sampling: Sampling::for_pictures(&ModelId::Nano),
        ..Recipe::new(ModelId::Nano, if edits { "make it night" } else { "a fox in the snow" })
    };
    let mut request = Request::new(recipe);
    if edits {
        let rgb: Vec<u8> = (0..256 * 256 * 3).map(|i| (i * 7919 % 251) as u8).collect();
        request.reference = Some(Picture::from_rgb8(256, 256, &rgb)?);
    }
    Ok((if edits { "edit" } else { "text to image" }, request))
}

/// Prints the median of several runs; `before` makes ready for one, and tells what is to be run.
fn line_of<B>(
    bench: &Bench,
    what: &str,
    quality: Quality,
    mut before: impl FnMut(usize) -> anyhow::Result<B>,
    mut run: impl FnMut(B, &mut Firsts) -> anyhow::Result<Outcome>,
) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for n in 0..=bench.arguments.runs.max(1) {
        let ready = before(n)?;
        let mut firsts = Firsts { start: Instant::now(), token_s: None, preview_s: None };
        let Outcome::Done { seconds, .. } = run(ready, &mut firsts)? else { anyhow::bail!("stopped") };
        if n > 0 {
            runs.push((firsts.start.elapsed().as_secs_f64(), firsts, seconds));
        }
    }
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let spread = (runs[runs.len() * 3 / 4].0 - runs[runs.len() / 4].0) / runs[runs.len() / 2].0;
    let (total, _, seconds) = &runs[runs.len() / 2];
    let stages: serde_json::Map<String, serde_json::Value> = seconds.iter().map(|(stage, s)| (stage.name().to_owned(), json!(s))).collect();
    // The median, and the least: the run that other programs disturbed least.
    let firsts = |of: fn(&Firsts) -> Option<f64>| {
        let mut all: Vec<f64> = runs.iter().filter_map(|(_, firsts, _)| of(firsts)).collect();
        all.sort_by(f64::total_cmp);
        (all.get(all.len() / 2).copied(), all.first().copied())
    };
    let (token, preview) = (firsts(|f| f.token_s), firsts(|f| f.preview_s));
    println!(
        "{}",
        json!({"size": "nano", "threads": bench.arguments.threads, "what": what, "quality": quality, "steps": quality.steps(20), "median_s": total,
               "min_s": runs[0].0, "spread": spread, "first_token_s": token.0, "first_token_min_s": token.1, "first_preview_s": preview.0, "first_preview_min_s": preview.1,
               "stages_s": stages})
    );
    Ok(())
}

pub fn all(bench: &Bench) -> anyhow::Result<()> {
    let settings = Settings { device: DeviceChoice::Cpu, ..Settings::default() };
    for edits in [false, true] {
        for quality in Quality::ALL {
            let (what, request) = request(edits, quality)?;
            let mut engine = Engine::open(&ModelId::Nano, &settings)?;
            engine.run(&request, &mut ())?;
            let mut line = |what: &str, kind: Option<bool>| {
                let seeded = |n: usize| Request { recipe: Recipe { seed: n as u64, ..request.recipe.clone() }, ..request.clone() };
                let engine = RefCell::new(&mut engine);
                let ready = |n: usize| {
                    if kind.is_none() {
                        engine.borrow_mut().forget();
                    }
                    Ok(if kind == Some(true) { seeded(n) } else { request.clone() })
                };
                line_of(bench, what, quality, ready, |request, firsts| Ok(engine.borrow_mut().run(&request, firsts)?))
            };
            line(what, None)?;
            if quality == Quality::Best {
                line(&format!("{what}, again with another seed"), Some(true))?;
                line(&format!("{what}, again with the same seed"), Some(false))?;
                let long = Request { plain: true, ..request.clone() };
                let run = |request: Request, firsts: &mut Firsts| Ok(engine.run(&request, firsts)?);
                line_of(bench, &format!("{what}, the long way"), quality, |_| Ok(long.clone()), run)?;
            }
        }
    }
    for edits in [false, true] {
        let (what, request) = request(edits, Quality::Best)?;
        let job = |seed: u64| Job {
            id: JobId(seed),
            recipe: Recipe { seed, ..request.recipe.clone() },
            reference: request.reference.clone(),
            place: None,
            variations: 1,
            tokens: None,
            path: Vec::new(),
            device: DeviceChoice::Cpu,
        };
        let program = PathBuf::from(env!("CARGO_BIN_EXE_pentimento"));
        let failed = |failure: Failure| anyhow::anyhow!(failure.why);
        // Words that the worker has not had before.
        let other = |n: usize| {
            let mut job = job(n as u64);
            job.recipe.prompt = format!("{} {n}", job.recipe.prompt);
            job
        };
        let mut warm = WorkerBackend::with_program(program.clone());
        let run = |job: Job, firsts: &mut Firsts| warm.run(&job, firsts).map_err(failed);
        line_of(bench, &format!("{what}, worker with the model loaded"), Quality::Best, |n| Ok(other(n)), run)?;
        let run = |(job, mut cold): (Job, WorkerBackend), firsts: &mut Firsts| cold.run(&job, firsts).map_err(failed);
        let ready = |n: usize| Ok((other(n), WorkerBackend::with_program(program.clone())));
        line_of(bench, &format!("{what}, worker that is started"), Quality::Best, ready, run)?;
    }
    Ok(())
}
