//! Fetching all files of a plan on as many threads as call [`Download::work`].

use super::cache::Cache;
use super::client::Client;
use super::fetch::{Fetch, News};
use super::offer::{Offer, Plan, RemoteFile, RemoteRepository};
use super::shelf::{Installed, Shelf};
use super::{Error, Result, Settings, Stop, licence, paths};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How far a download is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Progress {
    /// Of all files, and of those here by now, whole and begun.
    pub bytes: u64,
    pub bytes_done: u64,
    pub files: usize,
    pub files_done: usize,
    /// Bytes that arrive a second, over the last seconds.
    pub bytes_per_second: f64,
    /// `None`: not to be told yet.
    pub seconds_left: Option<f64>,
    /// What is looked at or fetched now.
    pub current: Vec<String>,
    /// Why nothing comes in just now, such as a server that asks to wait.
    pub waiting: Option<String>,
    /// Bytes of old files that were compared with their hashes; they do not arrive from the net.
    pub bytes_checked: u64,
}

/// Room that is left on the disk.
const MARGIN: u64 = 64 << 20;
/// Over which time speed is told.
const WINDOW: Duration = Duration::from_secs(8);

/// A model on its way here. While this lives no other window works on the same model.
pub struct Download {
    settings: Settings,
    plan: Plan,
    cache: Cache,
    client: Option<Client>,
    stop: Stop,
    /// Repository and file of each piece of work, the largest first.
    order: Vec<(usize, usize)>,
    next: AtomicUsize,
    here: Vec<AtomicU64>,
    done: Vec<AtomicBool>,
    arrived: AtomicU64,
    checked: AtomicU64,
    /// What is fetched now, and why nothing comes in, by piece of work.
    now: Mutex<BTreeMap<usize, Option<String>>>,
    speed: Mutex<VecDeque<(Instant, u64)>>,
    failed: Mutex<Option<Error>>,
    lock: File,
}

impl Download {
    /// Begins with what was offered: remembers the licences accepted, looks whether there is room, and writes the plan
    /// down. Does not connect. `accepted` are hashes of licence texts that the person accepts now.
    ///
    /// # Errors      a licence is not accepted, the disk has no room, or another window works on the same model
    pub fn begin(settings: &Settings, offer: &Offer, accepted: &[String]) -> Result<Self> {
        for repository in &offer.plan.repositories {
            let licence = &repository.licence;
            if licence::is_accepted(&settings.licences(), &repository.repo, &licence.hash) {
                continue;
            }
            if !accepted.contains(&licence.hash) {
                return Err(Error::NotAccepted { repo: repository.repo.clone() });
            }
            licence::accept(&settings.licences(), &repository.repo, &repository.commit, licence)?;
        }
        Self::new(settings, offer.plan.clone())
    }

    /// Goes on with an unfinished one.
    ///
    /// # Errors      there is none of the name; otherwise as in [`Download::begin`]
    pub fn resume(settings: &Settings, name: &str) -> Result<Self> {
        let plan = Shelf::new(settings).unfinished_plan(name)?;
        for repository in &plan.repositories {
            if !licence::is_accepted(&settings.licences(), &repository.repo, &repository.licence.hash) {
                return Err(Error::NotAccepted { repo: repository.repo.clone() });
            }
        }
        Self::new(settings, plan)
    }

    fn new(settings: &Settings, plan: Plan) -> Result<Self> {
        plan.check()?;
        let (shelf, cache, stop) = (Shelf::new(settings), Cache::new(&settings.cache), Stop::default());
        let lock = shelf.lock(&plan.name)?;
        let missing = plan.bytes().saturating_sub(cache.bytes_here(&plan));
        if let Some(free) = paths::free_bytes(&settings.cache)
            && missing > 0
            && free < missing + MARGIN
        {
            let path = settings.cache.clone();
            return Err(Error::NoRoom { free_mb: free / 1_000_000, needed_mb: (missing + MARGIN).div_ceil(1_000_000), path });
        }
        shelf.write_unfinished(&plan)?;
        // Without a network what is here already still makes a model.
        let client = if settings.offline { None } else { Some(Client::new(settings, &stop)?) };
        let mut order: Vec<(usize, usize)> =
            plan.repositories.iter().enumerate().flat_map(|(r, repository)| (0..repository.files.len()).map(move |f| (r, f))).collect();
        order.sort_by_key(|&(r, f)| std::cmp::Reverse(plan.repositories[r].files[f].size));
        let bytes_here = |&(r, f): &(usize, usize)| {
            let repository = &plan.repositories[r];
            cache.file_bytes_here(&repository.repo, &repository.commit, &repository.files[f])
        };
        let here = order.iter().map(|at| AtomicU64::new(bytes_here(at))).collect();
        let done = order.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Self {
            settings: settings.clone(),
            plan,
            cache,
            client,
            stop,
            order,
            next: AtomicUsize::new(0),
            here,
            done,
            arrived: AtomicU64::new(0),
            checked: AtomicU64::new(0),
            now: Mutex::default(),
            speed: Mutex::default(),
            failed: Mutex::default(),
            lock,
        })
    }

    /// The model's name.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// Fetches one file after the other until none is left. Any number of threads may be in here; a failure ends them all
    /// and is told by [`Download::finish`].
    pub fn work(&self) {
        while !self.stop.is_stopped() {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(&(r, f)) = self.order.get(index) else { return };
            let repository = &self.plan.repositories[r];
            let file = &repository.files[f];
            held(&self.now).insert(index, None);
            let result = self.fetch(index, repository, file);
            held(&self.now).remove(&index);
            match result {
                Ok(()) => self.done[index].store(true, Ordering::Relaxed),
                Err(error) => {
                    if !error.is_stopped() {
                        held(&self.failed).get_or_insert(error);
                    }
                    self.stop();
                }
            }
        }
    }

    fn fetch(&self, index: usize, repository: &RemoteRepository, file: &RemoteFile) -> Result<()> {
        let tell = |news| match news {
            News::Here(bytes) => self.here[index].store(bytes, Ordering::Relaxed),
            News::Arrived(bytes) => drop(self.arrived.fetch_add(bytes, Ordering::Relaxed)),
            News::Checked(bytes) => drop(self.checked.fetch_add(bytes, Ordering::Relaxed)),
            News::Waiting(why) => drop(held(&self.now).insert(index, why)),
        };
        let client = self.client.as_ref();
        Fetch { client, cache: &self.cache, repository, file, stop: &self.stop, tell: &tell }.run()
    }

    /// Ends the work soon; what has arrived is kept.
    pub fn stop(&self) {
        self.stop.stop();
        if let Some(client) = &self.client {
            client.hang_up();
        }
    }

    /// How far it is. Ask a few times a second: speed is told from one call to the others.
    pub fn progress(&self) -> Progress {
        let (bytes, done) = (self.plan.bytes(), self.here.iter().map(|b| b.load(Ordering::Relaxed)).sum());
        let (time, arrived) = (Instant::now(), self.arrived.load(Ordering::Relaxed));
        let mut speed = held(&self.speed);
        speed.push_back((time, arrived));
        while speed.len() > 2 && speed.front().is_some_and(|(then, _)| time - *then > WINDOW) {
            speed.pop_front();
        }
        let bytes_per_second = speed.front().map_or(0.0, |(then, before)| {
            let seconds = (time - *then).as_secs_f64();
            if seconds > 0.2 { (arrived - before) as f64 / seconds } else { 0.0 }
        });
        let now = held(&self.now);
        let left = bytes.saturating_sub(done) as f64;
        Progress {
            bytes,
            bytes_done: done,
            files: self.order.len(),
            files_done: self.done.iter().filter(|d| d.load(Ordering::Relaxed)).count(),
            bytes_per_second,
            seconds_left: (bytes_per_second > 1.0).then(|| left / bytes_per_second),
            current: now.keys().map(|index| self.order[*index]).map(|(r, f)| self.plan.repositories[r].files[f].path.clone()).collect(),
            waiting: if now.values().all(Option::is_some) { now.values().flatten().next().cloned() } else { None },
            bytes_checked: self.checked.load(Ordering::Relaxed),
        }
    }

    /// Makes the model's folder once all files are here.
    ///
    /// # Errors      what has ended the work before; what has arrived is kept
    pub fn finish(&self) -> Result<Installed> {
        if let Some(error) = held(&self.failed).take() {
            return Err(error);
        }
        self.stop.check()?;
        if !self.done.iter().all(|d| d.load(Ordering::Relaxed)) {
            return Err(Error::Stopped);
        }
        for repository in &self.plan.repositories {
            self.cache.put_ref(&repository.repo, &repository.revision, &repository.commit)?;
        }
        Shelf::new(&self.settings).install(&self.plan, &self.cache)
    }

    /// Lets other windows, and other parts of this one, work on the model.
    pub fn release(&self) {
        let _ = self.lock.unlock();
    }

    /// Gives it up: removes what was begun. Files that arrived whole stay in the cache that all tools share, unless nobody
    /// but this download has a use for them.
    ///
    /// # Errors      the disk fails
    pub fn cancel(&self) -> Result<()> {
        self.stop();
        Shelf::new(&self.settings).forget(&self.plan)
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.release();
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
