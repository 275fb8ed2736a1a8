//! The lanes for models on their way here: *network* fetches, *models* looks up, lists, checks and removes.
//!
//! One model is fetched at a time, by several threads for its files. Nothing is asked of the net but on a command.

use super::{Command, Event, FolderModel, GetEnding, Models, Up};
use crate::hub::{Cache, Checking, Download, Error, Settings, Shelf, Stop, look_up};
use crate::pipeline::{Glance, glance, remove_converted};
use crate::places;
use crossbeam_channel::Receiver;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Files that are fetched at the same time.
const WORKERS: usize = 4;
/// Between two words on how far it is.
const TICK: Duration = Duration::from_millis(250);

/// The model that is fetched now.
struct Running {
    download: Arc<Download>,
    give_up: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

/// Fetches until the window is gone.
pub(super) fn fetch(commands: &Receiver<Command>, up: &Up, settings: &FindSettings) {
    let mut running: Option<Running> = None;
    for command in commands {
        if running.as_ref().is_some_and(|r| r.ended.load(Ordering::Acquire)) {
            running = None;
        }
        match command {
            Command::GetModel { offer, accepted } => {
                let name = offer.plan.name.clone();
                start(&mut running, &name, up, settings, |settings| Download::begin(settings, &offer, &accepted));
            }
            Command::ResumeGet(name) => {
                let wanted = name.clone();
                start(&mut running, &name, up, settings, |settings| Download::resume(settings, &wanted));
            }
            Command::PauseGet => {
                if let Some(running) = &running {
                    running.download.stop();
                }
            }
            Command::CancelGet(name) => match &running {
                Some(running) if running.download.name() == name => {
                    running.give_up.store(true, Ordering::Release);
                    running.download.stop();
                }
                _ => {
                    let ending = settings().and_then(|settings| Shelf::new(&settings).give_up(&name));
                    let ending = ending.map_or_else(|e| GetEnding::Failed(e.to_string()), |()| GetEnding::Cancelled);
                    up.send(Event::GetEnded { name, ending });
                }
            },
            _ => {}
        }
    }
    // The window is gone. What has arrived is kept; the thread ends by itself, or with the program.
    if let Some(running) = running {
        running.download.stop();
        drop(running.thread);
    }
}

/// Starts to fetch, or says why not.
fn start(
    running: &mut Option<Running>,
    name: &str,
    up: &Up,
    settings: &FindSettings,
    begin: impl FnOnce(&Settings) -> Result<Download, Error>,
) {
    let fail = |why: String| up.send(Event::GetEnded { name: name.to_owned(), ending: GetEnding::Failed(why) });
    if let Some(running) = running {
        return fail(format!("{} is being fetched; pause it, or wait until it is here", running.download.name()));
    }
    let download = match settings().and_then(|settings| begin(&settings)) {
        Ok(download) => Arc::new(download),
        Err(error) => return fail(error.to_string()),
    };
    let (give_up, ended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (on, given_up, end, lane_up) = (download.clone(), give_up.clone(), ended.clone(), up.clone());
    let spawned = thread::Builder::new().name("fetch".to_owned()).spawn(move || {
        let ending = catch_unwind(AssertUnwindSafe(|| run(&on, &given_up, &lane_up)));
        let ending = ending.unwrap_or_else(|_| GetEnding::Failed("an answer made the program stumble; please report it".to_owned()));
        let name = on.name().to_owned();
        // The model's lock must be free when the window hears of the end.
        on.release();
        end.store(true, Ordering::Release);
        lane_up.send(Event::GetEnded { name, ending });
    });
    match spawned {
        Ok(thread) => *running = Some(Running { download, give_up, ended, thread }),
        Err(e) => fail(format!("the system has no thread left: {e}")),
    }
}

/// Fetches all files on several threads and tells how far it is.
fn run(download: &Download, give_up: &AtomicBool, up: &Up) -> GetEnding {
    let tell = || up.tell(Event::GetProgress { name: download.name().to_owned(), progress: download.progress() });
    thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .filter_map(|n| thread::Builder::new().name(format!("fetch-{n}")).spawn_scoped(scope, || download.work()).ok())
            .collect();
        if workers.is_empty() {
            download.work();
        }
        while workers.iter().any(|worker| !worker.is_finished()) {
            tell();
            thread::sleep(TICK);
        }
        if workers.into_iter().any(|worker| worker.join().is_err()) {
            download.stop();
        }
    });
    tell();
    if give_up.load(Ordering::Acquire) {
        return download.cancel().map_or_else(|e| GetEnding::Failed(e.to_string()), |()| GetEnding::Cancelled);
    }
    match download.finish() {
        Ok(installed) => GetEnding::Done(installed),
        Err(error) if error.is_stopped() => GetEnding::Paused,
        Err(error) => GetEnding::Failed(error.to_string()),
    }
}

/// Looks up, lists, checks and removes until the window is gone.
pub(super) fn keep(commands: &Receiver<Command>, up: &Up, settings: &FindSettings) {
    for command in commands {
        let told = command.clone();
        if catch_unwind(AssertUnwindSafe(|| work(command, up, settings))).is_err() {
            let why = || "an answer made the program stumble; please report it".to_owned();
            match told {
                Command::ListModels(_) => up.send(Event::Models(Err(why()))),
                Command::LookUpModel(source) => up.send(Event::ModelLookedUp { source, result: Err(why()) }),
                Command::VerifyModel(name) => up.send(Event::ModelVerified { name, result: Err(why()) }),
                Command::RemoveModel { name, .. } => up.send(Event::ModelRemoved { name, result: Err(why()) }),
                Command::RemoveConverted(folder) => up.send(Event::ConvertedRemoved { folder, result: Err(why()) }),
                _ => {}
            }
        }
    }
}

fn work(command: Command, up: &Up, settings: &FindSettings) {
    match command {
        Command::ListModels(folders) => up.send(Event::Models(settings().map(|s| list(&s, folders)).map_err(|e| e.to_string()))),
        Command::LookUpModel(source) => {
            let found = settings().and_then(|settings| look_up(&settings, &source, &Stop::default()));
            up.send(Event::ModelLookedUp { source, result: found.map(Box::new).map_err(|e| e.to_string()) });
        }
        Command::VerifyModel(name) => {
            let tell = |Checking { done, bytes }| up.tell(Event::VerifyProgress { name: name.clone(), done, bytes });
            let checked = settings().and_then(|settings| Shelf::new(&settings).verify(&name, &Stop::default(), tell));
            up.send(Event::ModelVerified { result: checked.map_err(|e| e.to_string()), name });
        }
        Command::RemoveModel { name, cached } => {
            let removed = settings().and_then(|settings| Shelf::new(&settings).remove(&name, cached));
            up.send(Event::ModelRemoved { result: removed.map_err(|e| e.to_string()), name });
        }
        Command::RemoveConverted(folder) => {
            let result = remove_converted(&folder).map_err(|e| e.to_string());
            up.send(Event::ConvertedRemoved { folder, result });
        }
        _ => {}
    }
}

fn list(settings: &Settings, folders: Vec<PathBuf>) -> Models {
    let shelf = Shelf::new(settings);
    let installed = shelf.installed();
    // What was made smaller lies beside the downloads, or where a person wanted it.
    let beside = std::fs::read_dir(&settings.models).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut beside: Vec<PathBuf> = beside.filter(|path| path.is_dir()).collect();
    beside.sort();
    let made = beside.into_iter().map(|folder| (folder, false));
    let elsewhere = folders.into_iter().filter(|folder| !folder.starts_with(&settings.models));
    let mut seen: BTreeSet<PathBuf> = installed.iter().map(|model| model.folder.clone()).collect();
    let mut all = Vec::new();
    for (folder, is_wanted) in made.chain(elsewhere.map(|folder| (folder, true))) {
        if seen.insert(folder.clone()) {
            let glance = glance(&folder);
            // What else lies there is nobody's business.
            if is_wanted || matches!(glance, Glance::Ready { .. } | Glance::Begun { .. }) {
                all.push(FolderModel { folder, glance });
            }
        }
    }
    Models {
        unfinished: shelf.unfinished(),
        folders: all,
        installed,
        folder: settings.models.clone(),
        cache: settings.cache.clone(),
        free_bytes: Cache::new(&settings.cache).free_bytes(),
        offline: settings.offline,
    }
}

/// Finds out where models are and where they come from, at every command anew.
pub type FindSettings = Arc<dyn Fn() -> Result<Settings, Error> + Send + Sync>;

/// As the environment says.
pub(super) fn from_environment() -> Result<Settings, Error> {
    Settings::from_environment(places::models().ok_or(Error::NoPlace)?, places::home().as_deref())
}
