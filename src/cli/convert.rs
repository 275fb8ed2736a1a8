//! `pentimento convert` and `pentimento compare-precision`.

use super::arguments::{CompareArguments, ConvertArguments};
use super::{CANCELLED, cancellation};
use crate::pipeline::{
    self, Compared, ConvertProgress, ConvertRequest, Converted, DeviceChoice, Precisions, Settings, convert as run, memory,
};
use crate::recipe::ModelId;
use anyhow::Result;
use serde_json::json;
use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the bar moves.
const OFTEN: Duration = Duration::from_millis(200);

pub fn convert(arguments: &ConvertArguments) -> Result<ExitCode> {
    let cancel = cancellation()?;
    let all = arguments.precision;
    let precisions = Precisions {
        language_model: arguments.language_model.unwrap_or(all).into(),
        transformer: arguments.transformer.unwrap_or(all).into(),
        image_tokenizer: arguments.image_tokenizer.unwrap_or(all).into(),
    };
    let request = ConvertRequest { model: ModelId::parse(&arguments.model), out: arguments.out.clone(), precisions };
    let (json, terminal) = (arguments.json, std::io::stderr().is_terminal());
    let (mut shown, mut component) = (Instant::now().checked_sub(OFTEN), None);
    let mut tell = |progress: &ConvertProgress| {
        let another = component.replace(progress.component) != Some(progress.component);
        if another || progress.done == progress.total || shown.is_none_or(|at| at.elapsed() >= OFTEN) {
            shown = Some(Instant::now());
            show(progress, another, json, terminal);
        }
        if cancel.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let ended = run(&request, &mut tell);
    if terminal && !json {
        eprintln!();
    }
    let out = arguments.out.display();
    match ended? {
        Converted::Done { bytes, seconds } => {
            if json {
                println!("{}", json!({"event": "converted", "bytes": bytes, "seconds": seconds, "peak_bytes": memory::peak_bytes()}));
            } else {
                eprintln!("{:.2} GB in {seconds:.0} s: {out}", bytes as f64 / 1e9);
            }
            Ok(ExitCode::SUCCESS)
        }
        Converted::Cancelled => {
            if json {
                println!("{}", json!({"event": "cancelled"}));
            } else {
                eprintln!("cancelled; the same command goes on where it was: {out}");
            }
            Ok(ExitCode::from(CANCELLED))
        }
    }
}

fn show(progress: &ConvertProgress, another: bool, json: bool, terminal: bool) {
    let left = progress.seconds_left();
    if json {
        let ConvertProgress { component, done, total, seconds, .. } = progress;
        println!(
            "{}",
            json!({"event": "progress", "component": component, "done": done, "total": total, "seconds": seconds, "seconds_left": left})
        );
    } else if terminal {
        let filled = (progress.done as f64 / progress.total.max(1) as f64 * 24.0) as usize;
        let left = left.map_or(String::new(), |s| format!(", {s:.0} s left"));
        eprint!(
            "\r\x1b[2K{:<24} [{}{}] {:.2} of {:.2} GB{left}",
            progress.component.name(),
            "█".repeat(filled),
            "·".repeat(24 - filled.min(24)),
            progress.done as f64 / 1e9,
            progress.total as f64 / 1e9
        );
        let _ = std::io::stderr().flush();
    } else if another {
        eprintln!("{} …", progress.component.name());
    }
}

pub fn compare(arguments: &CompareArguments) -> Result<ExitCode> {
    let settings = Settings { device: DeviceChoice::from(arguments.device), ..Settings::default() };
    let others: Vec<ModelId> = arguments.with.iter().map(|m| ModelId::parse(m)).collect();
    let json = arguments.json;
    let mut tell = |what: &str| {
        if !json {
            eprintln!("{what} …");
        }
    };
    let original = ModelId::parse(&arguments.model);
    let table = pipeline::compare_precision(&original, &others, arguments.steps, !arguments.no_picture, &settings, &mut tell)?;
    if json {
        println!("{:#}", json!(table));
    } else {
        print(&table);
    }
    Ok(ExitCode::SUCCESS)
}

/// A table in Markdown: a line for each number, a column for each model.
fn print(table: &[Compared]) {
    let line = |name: &str, cell: &dyn Fn(&Compared) -> String| {
        println!("| {name} | {} |", table.iter().map(cell).collect::<Vec<_>>().join(" | "));
    };
    line("", &|row| row.model.clone());
    println!("|---|{}", "---|".repeat(table.len()));
    line("on disk", &|row| format!("{:.1} MB", row.bytes as f64 / 1e6));
    let Some(other) = table.get(1) else { return };
    for (i, measure) in other.measures.iter().enumerate() {
        let name = format!("{}: {}", measure.component.name(), measure.what);
        line(&name, &|row| row.measures.get(i).map_or("–".to_owned(), |m| format!("{:.2} %", m.error * 100.0)));
    }
    if other.same_codes.is_some() {
        line("the same picture tokens", &|row| row.same_codes.map_or("–".to_owned(), |s| format!("{:.1} %", s * 100.0)));
    }
    if other.picture_differs.is_some() {
        line("picture, PSNR", &|row| match (row.picture_psnr, row.picture_differs) {
            (Some(psnr), _) => format!("{psnr:.1} dB"),
            (None, Some(_)) => "equal".to_owned(),
            (None, None) => "–".to_owned(),
        });
    }
}
