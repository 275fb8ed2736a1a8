//! The pipeline without a window.

mod adjust;
mod arguments;
mod convert;
mod devices;
mod export;
mod inspect;
mod models;
mod plan;
mod replay;
mod report;
mod upscale;
mod write;

pub use adjust::AdjustArguments;
pub use arguments::{Arguments, Command};
pub use export::ExportArguments;
pub use models::Models;
pub use replay::ReplayArguments;
pub use write::Writing;

use crate::document::{Begins, Chain, Link, LocalEdit, Placing};
use crate::imaging::{self, Blend, ContextBox, Format, Mask, Picture};
use crate::pipeline::{Dump, Engine, Made, Outcome, Request, Settings};
use crate::places;
use anyhow::{Context, Result, bail};
use arguments::{Common, How};
use report::Reporter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const CANCELLED: u8 = 130;

/// Runs a command: 0 done, 1 failed with one sentence on stderr, 130 cancelled. (Bad arguments end with 2 before.)
pub fn run(command: Command) -> ExitCode {
    let (json, result) = match command {
        Command::Generate { common } => (common.json, make(&common, None)),
        Command::Edit { image, how, common } => (common.json, make(&common, Some((&image, &how)))),
        Command::Adjust(arguments) => (false, adjust::adjust(&arguments)),
        Command::Export(arguments) => (false, export::export(&arguments)),
        Command::Replay(arguments) => (arguments.json, replay::replay(&arguments)),
        Command::Upscale(arguments) => (arguments.json, upscale::upscale(&arguments)),
        Command::Models { command } => (command.json(), models::run(&command)),
        Command::Convert(arguments) => (arguments.json, convert::convert(&arguments)),
        Command::ComparePrecision(arguments) => (arguments.json, convert::compare(&arguments)),
        Command::Devices { json } => {
            devices::list(json);
            return ExitCode::SUCCESS;
        }
        // A room of its own, which this one may not use.
        Command::Worker => return no_window(),
        Command::Plan { model, size, edit, variations, device, memory, json } => {
            let asked = plan::Asked { model: &model, size, edits: edit, variations, device: device.into() };
            (json, plan::plan(&asked, &memory, json).map(|()| ExitCode::SUCCESS))
        }
        Command::Inspect { folder, json } => (json, inspect::inspect(&folder, json).map(|()| ExitCode::SUCCESS)),
    };
    result.unwrap_or_else(|error| {
        let sentence = format!("{error:#}");
        if json {
            println!("{}", serde_json::json!({"event": "error", "message": sentence}));
        }
        eprintln!("pentimento: {sentence}");
        ExitCode::FAILURE
    })
}

/// What to say where a window was asked for and this build has none.
pub fn no_window() -> ExitCode {
    eprintln!("pentimento: this build has no window; try `pentimento generate --prompt \"a fox in the snow\" --out fox.png`");
    ExitCode::from(2)
}

/// Becomes true at the first Ctrl-C; the second ends the program.
fn cancellation() -> Result<Arc<AtomicBool>> {
    let cancel = Arc::new(AtomicBool::new(false));
    let seen = cancel.clone();
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(CANCELLED.into());
        }
    })
    .context("Ctrl-C cannot be watched")?;
    Ok(cancel)
}

fn make(common: &Common, edit: Option<(&Path, &How)>) -> Result<ExitCode> {
    let cancel = cancellation()?;
    if common.dump.is_some() && common.variations != 1 {
        bail!("a dump shows one picture; leave out --variations");
    }
    let format = common.writing.format(&common.out)?;
    let mut request = Request::new(common.recipe());
    request.variations = common.variations;
    request.plain = common.plain;
    let open = |path: &Path| imaging::open(path).with_context(|| format!("{} cannot be opened", path.display()));
    let (source, chain) = edit.map(|(path, _)| write::open(path)).transpose()?.unzip();
    let chain = chain.unwrap_or_else(|| Chain::new(Begins::Words, Vec::new()));
    let placing = edit.zip(source.as_ref()).map(|((_, how), source)| placing(how, source, open)).transpose()?.flatten();
    request.reference.clone_from(&source);
    request.tokens = common.tokens.as_deref().map(read_tokens).transpose()?;
    request.noise = common.noise.as_deref().map(read_noise).transpose()?;

    let settings = Settings {
        device: common.device.into(),
        dtype: common.dtype.into(),
        plan: common.memory.choice(),
        memory: common.memory.limit,
        cache: places::cache(),
        ..Settings::default()
    };
    let mut engine = Engine::open(&common.model(), &settings)?;
    let place = source.as_ref().zip(placing);
    let seen = place.as_ref().map(|(source, placing)| {
        let side = engine.checkpoint().configs.side() as u32;
        let bounds = if let Placing::Selection { mask, .. } = placing { mask.bounds() } else { None };
        ContextBox::around([source.width(), source.height()], bounds, [side; 2])
    });
    if let (Some((source, placing)), Some(seen)) = (&place, seen) {
        let changes = matches!(placing, Placing::Change { .. });
        engine.edit_part(&mut request, source, seen, placing.reach().as_ref(), changes)?;
    }
    let placed = |made: &Made| -> Result<Picture> {
        let (Some((source, placing)), Some(seen)) = (&place, seen) else { return Ok(made.picture.clone()) };
        let (result, reconstruction) = (made.picture.clone(), made.reconstruction.clone());
        Ok(LocalEdit { seen, result, reconstruction, placing: placing.clone() }.placed(source)?.picture)
    };
    let keep = |made: &Made, path: &Path| -> Result<()> {
        let local = place.as_ref().zip(seen).map(|((source, placing), seen)| ([source.width(), source.height()], seen, placing));
        let mut chain = chain.clone();
        chain.edits.push(Link::model(&made.recipe, local));
        common.writing.write(&placed(made)?, &chain, path, format)
    };
    let dump = common.dump.is_some().then(Dump::default);
    let mut reporter = Reporter::new(common.json, cancel, dump);
    let outcome = engine.run(&request, &mut reporter);
    reporter.end_line();
    match outcome? {
        Outcome::Done { made, seconds } => {
            let mut files = Vec::new();
            for (i, one) in made.iter().enumerate() {
                let path = numbered(&common.out, i, made.len());
                keep(one, &path)?;
                files.push(path);
            }
            if let (Some(dump), Some(path)) = (reporter.dump(), &common.dump) {
                dump.save(path)?;
            }
            reporter.result(&engine, &made, &files, &seconds);
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Cancelled { made } => {
            let mut kept = Vec::new();
            for (i, one) in made.iter().enumerate() {
                let path = numbered(&common.out, i, request.variations);
                keep(one, &path)?;
                kept.push(path);
            }
            if let Some(partial) = reporter.partial(&engine) {
                let path = common.out.with_extension("partial.png");
                imaging::save(&partial, &path, Format::Png)?;
                kept.push(path);
            }
            reporter.cancelled(&kept);
            Ok(ExitCode::from(CANCELLED))
        }
    }
}

/// What of the model's picture goes into the one that is edited; `None` where it is to stay alone.
fn placing(how: &How, source: &Picture, open: impl Fn(&Path) -> Result<Picture>) -> Result<Option<Placing>> {
    if !(0.0..=1.0).contains(&how.reach) {
        bail!("the reach {} is not between 0 and 1", how.reach);
    }
    let Some(path) = &how.mask else {
        let placing = if how.whole { Placing::Whole } else { Placing::Change { reach: how.reach } };
        return Ok((!how.raw).then_some(placing));
    };
    let mask = Mask::from_picture(&open(path)?)?;
    if mask.size() != [source.width(), source.height()] {
        bail!("the mask has {} x {} pixels and the picture {} x {}", mask.width(), mask.height(), source.width(), source.height());
    }
    if mask.is_empty() {
        bail!("the mask selects nothing: what is to be changed must be white in {}", path.display());
    }
    Ok(Some(Placing::Selection { mask, blend: Blend { feather: how.feather, ..Blend::default() } }))
}

/// `out.png` for one picture, `out-1.png`, `out-2.png`, … for several.
fn numbered(path: &Path, index: usize, count: usize) -> PathBuf {
    if count == 1 {
        return path.to_owned();
    }
    let part = |p: Option<&std::ffi::OsStr>| p.map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!("{}-{}.{}", part(path.file_stem()), index + 1, part(path.extension())))
}

/// Tokens from a dump (`ar.generated`) or a JSON list.
fn read_tokens(path: &Path) -> Result<Vec<u32>> {
    let bytes = read_small(path)?;
    if bytes.first() == Some(&b'[') {
        return serde_json::from_slice(&bytes).with_context(|| format!("{} is not a list of token ids", path.display()));
    }
    let tensors = safetensors::SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{} is neither a JSON list nor a safetensors file", path.display()))?;
    let view = tensors.tensor("ar.generated").with_context(|| format!("{} holds no tensor named ar.generated", path.display()))?;
    if view.dtype() != safetensors::Dtype::I64 {
        bail!("ar.generated holds {:?} instead of 64-bit integers: {}", view.dtype(), path.display());
    }
    let ids = view.data().as_chunks::<8>().0.iter().map(|b| u32::try_from(i64::from_le_bytes(*b)));
    ids.collect::<Result<_, _>>().with_context(|| format!("{} holds a token id that is negative or too large", path.display()))
}

/// Noise from a dump (`noise`) or a file with one tensor.
fn read_noise(path: &Path) -> Result<Vec<f32>> {
    let bytes = read_small(path)?;
    let tensors = safetensors::SafeTensors::deserialize(&bytes).with_context(|| format!("{} is not a safetensors file", path.display()))?;
    let names = tensors.names();
    let name = if names.contains(&"noise") { "noise" } else { names.first().copied().unwrap_or("noise") };
    let view = tensors.tensor(name).with_context(|| format!("{} holds no tensor", path.display()))?;
    let data = view.data();
    Ok(match view.dtype() {
        safetensors::Dtype::F32 => data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        safetensors::Dtype::F16 => data.as_chunks().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32()).collect(),
        safetensors::Dtype::BF16 => data.as_chunks().0.iter().map(|b| half::bf16::from_le_bytes(*b).to_f32()).collect(),
        other => bail!("{name} holds {other:?} instead of floats: {}", path.display()),
    })
}

fn read_small(path: &Path) -> Result<Vec<u8>> {
    const MOST: u64 = 8 << 30;
    let size = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if size > MOST {
        bail!("{} is larger than {} GiB", path.display(), MOST >> 30);
    }
    std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}
