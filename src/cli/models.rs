//! `pentimento models`: the catalogue, and models that are fetched, checked and removed.

use super::CANCELLED;
use super::inspect::size;
use crate::hub::{self, Checking, Download, ENTRIES, Installed, Offer, Settings, Shelf, Source, Stop};
use crate::places;
use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::json;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Files that are fetched at the same time.
const WORKERS: usize = 4;
const TICK: Duration = Duration::from_millis(500);

#[derive(Subcommand, Debug)]
pub enum Models {
    /// List the models that there are, that are here, and that are begun; does not connect
    List {
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Ask what a model consists of: files, sizes, licences
    Info {
        /// An id of the list, or `organisation/name`, perhaps with `@revision`
        model: String,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model, or go on with one that is begun
    Get {
        /// An id of the list, or `organisation/name`, perhaps with `@revision`
        model: String,
        /// Accept the licences that `info` shows
        #[arg(long)]
        accept_licences: bool,
        /// JSON lines on stdout
        #[arg(long)]
        json: bool,
    },
    /// Compare a model's files with their hashes
    Verify {
        /// The model's name, as the list shows it
        name: String,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Remove a model
    Remove {
        /// The model's name, as the list shows it
        name: String,
        /// Also remove its files from the cache that other programs share
        #[arg(long)]
        cached: bool,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
}

impl Models {
    pub(super) fn json(&self) -> bool {
        match self {
            Self::List { json }
            | Self::Info { json, .. }
            | Self::Get { json, .. }
            | Self::Verify { json, .. }
            | Self::Remove { json, .. } => *json,
        }
    }
}

pub(super) fn run(command: &Models) -> Result<ExitCode> {
    let folder = places::models().ok_or(hub::Error::NoPlace)?;
    let settings = Settings::from_environment(folder, places::home().as_deref())?;
    match command {
        Models::List { json } => {
            list(&settings, *json);
            Ok(())
        }
        Models::Info { model, json } => info(&settings, model, *json),
        Models::Get { model, accept_licences, json } => return get(&settings, model, *accept_licences, *json),
        Models::Verify { name, json } => verify(&settings, name, *json),
        Models::Remove { name, cached, json } => {
            let freed = Shelf::new(&settings).remove(name, *cached)?;
            if *json {
                println!("{}", json!({"event": "removed", "name": name, "bytes": freed}));
            } else {
                println!("{name} is removed; {} are free again", size(freed));
            }
            Ok(())
        }
    }
    .map(|()| ExitCode::SUCCESS)
}

fn list(settings: &Settings, as_json: bool) {
    let shelf = Shelf::new(settings);
    let (installed, unfinished) = (shelf.installed(), shelf.unfinished());
    if as_json {
        let catalogue: Vec<_> = ENTRIES
            .iter()
            .map(|e| {
                let needs: Vec<_> = e.needs.iter().map(|n| json!({"repo": n.repo, "files": n.files, "why": n.why})).collect();
                let able = json!({"generate": e.can_generate, "edit": e.can_edit});
                json!({"id": e.id, "title": e.title, "repo": e.repo, "purpose": e.purpose, "can": able, "needs": needs})
            })
            .collect();
        let document = json!({"catalogue": catalogue, "installed": installed, "unfinished": unfinished, "cache": settings.cache});
        println!("{document:#}");
        return;
    }
    println!("models that can be fetched with `pentimento models get ID`");
    for entry in ENTRIES {
        println!("  {:<30}{}", entry.id, entry.purpose);
    }
    println!("\nhere, ready to be used with --model FOLDER");
    for model in &installed {
        let note = if model.missing > 0 { format!("  {} files are missing: get it again", model.missing) } else { String::new() };
        println!("  {:<30}{:>10}  {}{note}", model.plan.name, size(model.bytes), model.folder.display());
    }
    if installed.is_empty() {
        println!("  none");
    }
    if !unfinished.is_empty() {
        println!("\nbegun; `pentimento models get ID` goes on");
        for model in &unfinished {
            println!("  {:<30}{} of {}", model.plan.name, size(model.bytes_here), size(model.bytes));
        }
    }
}

fn info(settings: &Settings, model: &str, as_json: bool) -> Result<()> {
    let offer = hub::look_up(settings, &Source::parse(model)?, &Stop::default())?;
    if as_json {
        println!("{:#}", serde_json::to_value(&offer)?);
        return Ok(());
    }
    println!("{}\n{}", offer.plan.title, offer.purpose.unwrap_or("a repository that is not in the catalogue"));
    let yes = |able: Option<bool>| able.map_or("not known before it is here", |able| if able { "yes" } else { "no" });
    println!("\nfrom words     {}\nedits          {}", yes(offer.can_generate), yes(offer.can_edit));
    println!("size           {}, of which {} are here", size(offer.bytes), size(offer.bytes_here));
    println!("free           {}", offer.free_bytes.map_or("not known".to_owned(), size));
    println!("folder         {}\ncache          {}", offer.folder.display(), offer.cache.display());
    for repository in &offer.plan.repositories {
        println!("\n{} at {}", repository.repo, repository.commit);
        if let Some(why) = &repository.why {
            println!("  for {why}");
        }
        for file in &repository.files {
            println!("  {:>10}  {}", size(file.size), file.path);
        }
        let accepted = if repository.licence.accepted { " (accepted)" } else { "" };
        println!("  licence: {}{accepted}\n", repository.licence.title());
        repository.licence.text.lines().for_each(|line| println!("  | {}", printable(line)));
    }
    Ok(())
}

/// A stranger's line without what a terminal would obey.
fn printable(line: &str) -> String {
    line.chars().filter(|c| !c.is_control()).collect()
}

fn get(settings: &Settings, model: &str, accept: bool, as_json: bool) -> Result<ExitCode> {
    let source = Source::parse(model)?;
    let begun = Shelf::new(settings).unfinished().into_iter().find(|u| u.plan.source == source);
    let download = if let Some(begun) = begun {
        Download::resume(settings, &begun.plan.name)?
    } else {
        let offer = hub::look_up(settings, &source, &Stop::default())?;
        let open: Vec<String> = offer.to_accept().map(|r| r.licence.hash.clone()).collect();
        if !open.is_empty() && !accept {
            ask_to_accept(&offer);
            bail!("the licences are not accepted yet; read them and add --accept-licences");
        }
        Download::begin(settings, &offer, &open)?
    };
    let download = Arc::new(download);
    let stopped = download.clone();
    ctrlc::set_handler(move || stopped.stop()).context("Ctrl-C cannot be watched")?;
    // The pool's threads wait for the net and do not compute.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS).build().context("the system has no thread left")?;
    let pause = Stop::default();
    let workers = std::sync::atomic::AtomicUsize::new(WORKERS);
    pool.in_place_scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|_| {
                download.work();
                if workers.fetch_sub(1, std::sync::atomic::Ordering::AcqRel) == 1 {
                    pause.stop();
                }
            });
        }
        loop {
            tell(&download, as_json);
            if pause.wait(TICK).is_err() {
                break;
            }
        }
    });
    match download.finish() {
        Ok(installed) => {
            done(&installed, as_json);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.is_stopped() => {
            eprintln!("\npentimento: stopped; `pentimento models get {model}` goes on");
            Ok(ExitCode::from(CANCELLED))
        }
        Err(error) => Err(error.into()),
    }
}

fn ask_to_accept(offer: &Offer) {
    for repository in offer.to_accept() {
        eprintln!("{} is given under this licence: {}\n", repository.repo, repository.licence.title());
        repository.licence.text.lines().for_each(|line| eprintln!("| {}", printable(line)));
        eprintln!();
    }
}

fn tell(download: &Download, as_json: bool) {
    let p = download.progress();
    if as_json {
        println!("{}", json!({"event": "progress", "progress": p}));
        return;
    }
    if !std::io::stderr().is_terminal() {
        return;
    }
    let left = p.seconds_left.map_or(String::new(), |s| format!(", {} left", time(s)));
    let speed = if p.bytes_per_second > 0.0 { format!(", {}/s{left}", size(p.bytes_per_second as u64)) } else { String::new() };
    let what = p.waiting.or_else(|| p.current.first().cloned()).unwrap_or_default();
    let line = format!("{} of {}{speed}, file {} of {}  {what}", size(p.bytes_done), size(p.bytes), p.files_done, p.files);
    eprint!("\r\x1b[K{line}");
}

fn time(seconds: f64) -> String {
    let seconds = seconds.min(1e7) as u64;
    match seconds {
        0..=99 => format!("{seconds} s"),
        100..=5999 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

fn done(installed: &Installed, as_json: bool) {
    if as_json {
        let (name, folder) = (&installed.plan.name, &installed.folder);
        println!("{}", json!({"event": "done", "name": name, "folder": folder, "bytes": installed.bytes}));
    } else {
        eprintln!("\n{} is here, {}", installed.plan.title, size(installed.bytes));
        println!("{}", installed.folder.display());
    }
}

fn verify(settings: &Settings, name: &str, as_json: bool) -> Result<()> {
    let shelf = Shelf::new(settings);
    let mut told = 0;
    let bad = shelf.verify(name, &Stop::default(), |Checking { done, bytes }| {
        let percent = done * 100 / bytes.max(1);
        if !as_json && percent != told && std::io::stderr().is_terminal() {
            told = percent;
            eprint!("\r\x1b[K{percent} %");
        }
    })?;
    if as_json {
        println!("{}", json!({"event": "verified", "name": name, "bad": bad}));
    } else {
        if told > 0 {
            eprintln!();
        }
        bad.iter().for_each(|f| println!("{}: {}", if f.missing { "missing" } else { "damaged" }, f.path));
    }
    if bad.is_empty() {
        if !as_json {
            println!("all files of {name} are as they should be");
        }
        return Ok(());
    }
    bail!("{} files are not as they should be; `pentimento models get {name}` fetches them again", bad.len())
}
