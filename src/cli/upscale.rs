//! `pentimento upscale`.

use super::arguments::UpscaleArguments;
use super::{CANCELLED, cancellation};
use crate::imaging::{self, Format};
use crate::pipeline::{UpscaleProgress, Upscaled, Upscaler, memory};
use crate::recipe::Upscaling;
use anyhow::{Context as _, Result};
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often progress is told.
const OFTEN: Duration = Duration::from_millis(200);

pub fn upscale(arguments: &UpscaleArguments) -> Result<ExitCode> {
    let cancel = cancellation()?;
    let UpscaleArguments { image, by, out, json } = arguments;
    let format = Format::of(out, 92)?;
    let how = Upscaling::new((*by).into());
    let source = imaging::open(image).with_context(|| format!("{} cannot be opened", image.display()))?;
    let terminal = std::io::stderr().is_terminal() && !json;
    let mut shown: Option<Instant> = None;
    let mut tell = |progress: &UpscaleProgress| {
        if progress.done == progress.total || shown.is_none_or(|at| at.elapsed() >= OFTEN) {
            shown = Some(Instant::now());
            show(progress, *json, terminal);
        }
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = Upscaler::open(how.network)?.upscale(&source, how, &mut tell);
    if terminal {
        eprintln!();
    }
    match ended? {
        Upscaled::Done { picture, seconds } => {
            imaging::save(&picture, out, format)?;
            let (width, height) = (picture.width(), picture.height());
            if *json {
                let result = json!({"event": "upscaled", "file": out, "width": width, "height": height, "upscaling": how,
                    "seconds": seconds, "peak_bytes": memory::peak_bytes()});
                println!("{result}");
            } else {
                eprintln!("{width} x {height} pixels in {seconds:.1} s: {}", out.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Upscaled::Cancelled => {
            if *json {
                println!("{}", json!({"event": "cancelled"}));
            } else {
                eprintln!("cancelled");
            }
            Ok(ExitCode::from(CANCELLED))
        }
    }
}

fn show(progress: &UpscaleProgress, json: bool, terminal: bool) {
    let left = progress.seconds_left();
    if json {
        let UpscaleProgress { done, total, seconds } = progress;
        println!("{}", json!({"event": "progress", "done": done, "total": total, "seconds": seconds, "seconds_left": left}));
    } else if terminal {
        let share = progress.share();
        let filled = (share * 24.0) as usize;
        let left = left.map_or(String::new(), |s| format!(", {s:.0} s left"));
        let bar = "█".repeat(filled) + &"·".repeat(24 - filled.min(24));
        eprint!("\r\x1b[2KUpscaling [{bar}] {:.0} %{left}", share * 100.0);
        let _ = std::io::stderr().flush();
    }
}
