//! Everything that takes longer than a frame, on threads of its own.
//!
//! Ten lanes: *compute* runs the models, one job after the other; *storage* reads, decodes, encodes and writes; *pixels*
//! puts results into pictures, compares them and cuts them for the screen; *drawing* draws on selections; *dialogs* waits for
//! the system's file dialogs; *network* fetches models, *models* looks them up, checks and removes them, *converting* makes them
//! ready, *upscaling* makes pictures larger, and *measuring* finds out how long a file would be.
//! [`Jobs`] is the window's end: [`Jobs::send`] never blocks, and [`Jobs::poll`] takes what has come up.
//!
//! Life of a job: `Submit` → `Started` → (`Progress` | `Blueprint` | `Preview`)* → `Finished` exactly once, also after a
//! cancel, a panic and the end of the program. News (progress, blueprints, previews) may be lost, the newest wins; all
//! other events arrive.
//!
//! Architecture Invariant: the only room with threads.

mod compute;
mod converting;
mod dialogs;
mod drawing;
mod forecast;
mod keeping;
mod measuring;
mod message;
mod network;
mod pixels;
mod recipes;
mod replaying;
mod storage;
mod upscaling;
pub mod worker;

pub use compute::{Backend, EngineBackend, Failure};
pub use message::{
    Adjusted, Changed, Command, Doing, Draw, Ending, Event, FolderModel, Form, GetEnding, Job, JobId, Kept, KeptState, Larger,
    MeasureRequest, ModelFacts, Models, Place, Repeated, ReplayJob, ReplayProgress, SaveReplayed, Shape, Thumbnail, Way, WholeDrawing,
};
// The words of messages that the hub made up.
pub use crate::hub::{
    BadFile, ENTRIES as CATALOGUE, Entry as CatalogueEntry, Installed, Licence, Offer, Plan, Progress as GetProgress, RemoteFile,
    RemoteRepository, Source, Unfinished,
};
// The words of messages that the pipeline made up.
pub use crate::pipeline::{
    BLOCK as PREVIEW_BLOCK, Blueprint, Component, ConvertProgress, ConvertRequest, Converted, DeviceChoice, DeviceFacts, Estimate, Glance,
    Latents, Made, Palette, Plan as MemoryPlan, Precision, Precisions, Preview, PreviewMap, Progress, Stage, UpscaleProgress,
};
pub use forecast::{Forecast, Intent};
pub use network::FindSettings;
pub use storage::SETTINGS_FILE;
pub use worker::WorkerBackend;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Asks the window for another frame.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Says that a job is to end. Read between tokens, steps and strips.
#[derive(Clone, Debug, Default)]
pub struct CancelToken {
    cancelled: Arc<AtomicBool>,
    enough: Arc<AtomicBool>,
}

impl CancelToken {
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// What is painted so far is to be the picture.
    pub fn finish_early(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    pub fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

/// A lane's way up to the window.
#[derive(Clone)]
struct Up {
    events: Sender<Event>,
    news: Sender<Event>,
    /// The window's end of `news`, from which the oldest is taken when it is full.
    oldest: Receiver<Event>,
    wake: Wake,
}

impl Up {
    /// An event that must arrive: waits while the window is far behind. Where the window is gone there is nobody to tell.
    fn send(&self, event: Event) {
        let _ = self.events.send(event);
        (self.wake)();
    }

    /// An event that may be lost: the newest wins.
    fn tell(&self, mut event: Event) {
        while let Err(TrySendError::Full(back)) = self.news.try_send(event) {
            let _ = self.oldest.try_recv();
            event = back;
        }
        (self.wake)();
    }
}

/// The window's end of all lanes.
pub struct Jobs {
    compute: Sender<compute::Work>,
    converting: Sender<(Box<ConvertRequest>, CancelToken)>,
    upscaling: Sender<(upscaling::Wish, CancelToken)>,
    storage: Sender<Command>,
    pixels: Sender<Command>,
    drawing: Sender<Command>,
    dialogs: Sender<Command>,
    network: Sender<Command>,
    models: Sender<Command>,
    measuring: Sender<Box<MeasureRequest>>,
    /// The question about a file's length that counts.
    measured: measuring::Newest,
    events: Receiver<Event>,
    news: Receiver<Event>,
    tokens: HashMap<JobId, CancelToken>,
    /// Of the conversions that were asked for since the last were stopped.
    conversions: CancelToken,
    keeping: Option<thread::JoinHandle<()>>,
    up: Up,
}

/// Events that wait for the window before a lane waits too.
const EVENTS: usize = 256;
/// News that wait; older ones are dropped.
const NEWS: usize = 16;

impl Jobs {
    /// Starts the lanes.
    ///
    /// # Errors      the system has no thread left
    pub fn start(backend: Box<dyn Backend>, wake: Wake) -> std::io::Result<Self> {
        Self::start_at(backend, wake, Arc::new(network::from_environment))
    }

    /// Starts the lanes, with models at another place than the environment says.
    ///
    /// # Errors      the system has no thread left
    pub fn start_at(backend: Box<dyn Backend>, wake: Wake, settings: FindSettings) -> std::io::Result<Self> {
        let (events_in, events) = bounded(EVENTS);
        let (news_in, news) = bounded(NEWS);
        let up = Up { events: events_in, news: news_in, oldest: news.clone(), wake };
        // Downwards nothing is bounded: the window must never wait, and a person sends few commands.
        let (compute, compute_out) = unbounded();
        let (converting, converting_out) = unbounded();
        let (upscaling, upscaling_out) = unbounded();
        let (storage, storage_out) = unbounded();
        let (pixels, pixels_out) = unbounded();
        let (drawing, drawing_out) = unbounded();
        let (dialogs, dialogs_out) = unbounded();
        let (network, network_out) = unbounded();
        let (models, models_out) = unbounded();
        let (measuring, measuring_out) = unbounded();
        let measured = measuring::Newest::default();
        let lane = |name: &str| thread::Builder::new().name(name.to_owned());
        let lane_up = up.clone();
        let find = settings.clone();
        lane("compute").stack_size(8 << 20).spawn(move || compute::run(&compute_out, backend, &find, &lane_up))?;
        let lane_up = up.clone();
        lane("converting").spawn(move || converting::run(&converting_out, &lane_up))?;
        let lane_up = up.clone();
        lane("upscaling").spawn(move || upscaling::run(&upscaling_out, &lane_up))?;
        let lane_up = up.clone();
        let keeping = lane("storage").spawn(move || storage::run(&storage_out, &lane_up))?;
        let lane_up = up.clone();
        lane("pixels").spawn(move || pixels::run(&pixels_out, &lane_up))?;
        let lane_up = up.clone();
        lane("drawing").spawn(move || drawing::run(&drawing_out, &lane_up))?;
        let lane_up = up.clone();
        let find = settings.clone();
        lane("network").spawn(move || network::fetch(&network_out, &lane_up, &find))?;
        let lane_up = up.clone();
        lane("models").spawn(move || network::keep(&models_out, &lane_up, &settings))?;
        let (lane_up, newest) = (up.clone(), measured.clone());
        lane("measuring").spawn(move || measuring::run(&measuring_out, &newest, &lane_up))?;
        let lane_up = up.clone();
        lane("dialogs").spawn(move || dialogs::run(&dialogs_out, &lane_up))?;
        let (tokens, conversions) = (HashMap::new(), CancelToken::default());
        let keeping = Some(keeping);
        Ok(Self {
            compute,
            converting,
            upscaling,
            storage,
            pixels,
            drawing,
            dialogs,
            network,
            models,
            measuring,
            measured,
            events,
            news,
            tokens,
            conversions,
            keeping,
            up,
        })
    }

    /// Hands a command to its lane.
    pub fn send(&mut self, command: Command) {
        // A lane is gone only when the program ends.
        match command {
            Command::Submit(job) => {
                let token = CancelToken::default();
                self.tokens.insert(job.id, token.clone());
                let _ = self.compute.send(compute::Work::Job(job, token));
            }
            Command::Cancel(id) | Command::CancelUpscale(id) => {
                if let Some(token) = self.tokens.get(&id) {
                    token.cancel();
                }
            }
            Command::Replay(job) => {
                let token = CancelToken::default();
                self.tokens.insert(job.id, token.clone());
                let _ = self.compute.send(compute::Work::Replay(job, token));
            }
            Command::FinishEarly(id) => {
                if let Some(token) = self.tokens.get(&id) {
                    token.finish_early();
                }
            }
            Command::Forecast(intent) => {
                let _ = self.compute.send(compute::Work::Forecast(intent));
            }
            Command::Convert(request) => {
                let _ = self.converting.send((request, self.conversions.clone()));
            }
            Command::Upscale { id, picture, how } => {
                let token = CancelToken::default();
                self.tokens.insert(id, token.clone());
                let _ = self.upscaling.send((upscaling::Wish { id, picture, how }, token));
            }
            Command::CancelConversion => std::mem::take(&mut self.conversions).cancel(),
            Command::ListDevices => {
                // A driver may take its time, and no lane is to wait for it.
                let up = self.up.clone();
                let asking = thread::Builder::new().name("devices".to_owned()).spawn(move || up.send(Event::Devices(worker::devices())));
                if let Err(error) = asking {
                    tracing::warn!("devices cannot be listed: {error}");
                }
            }
            Command::Draw(_) => {
                let _ = self.drawing.send(command);
            }
            Command::BeginDialogsIn(_)
            | Command::AskOpen
            | Command::AskSave { .. }
            | Command::AskFolder
            | Command::AskOpenMask
            | Command::AskSaveMask
            | Command::AskRecipe
            | Command::AskSaveRecipe { .. }
            | Command::AskPhotos
            | Command::AskResults => {
                let _ = self.dialogs.send(command);
            }
            Command::GetModel { .. } | Command::ResumeGet(_) | Command::PauseGet | Command::CancelGet(_) => {
                let _ = self.network.send(command);
            }
            Command::ListModels(_)
            | Command::LookUpModel(_)
            | Command::VerifyModel(_)
            | Command::RemoveModel { .. }
            | Command::RemoveConverted(_) => {
                let _ = self.models.send(command);
            }
            Command::MeasureExport(request) => {
                self.measured.store(request.ticket, Ordering::Relaxed);
                let _ = self.measuring.send(request);
            }
            // No question has this number.
            Command::StopMeasuring => self.measured.store(0, Ordering::Relaxed),
            Command::Adjust { .. }
            | Command::Change { .. }
            | Command::Compare { .. }
            | Command::HeatMap { .. }
            | Command::FindChange { .. }
            | Command::ShapeMask { .. }
            | Command::Prepare { .. } => {
                let _ = self.pixels.send(command);
            }
            other => {
                let _ = self.storage.send(other);
            }
        }
    }

    /// All that has come up since the last time, at most `most` events.
    pub fn poll(&mut self, most: usize) -> Vec<Event> {
        let mut events: Vec<Event> = self.events.try_iter().take(most).collect();
        for event in &events {
            if let Event::Finished { id, .. } | Event::Upscaled { id, .. } | Event::Replayed { id, .. } = event {
                self.tokens.remove(id);
            }
        }
        // Behind the events, so that a job's first news find it started.
        events.extend(self.news.try_iter().take(NEWS));
        events
    }
}

impl Jobs {
    /// Ends the jobs and waits until what was asked to be kept is kept, at most `most`.
    pub fn close(&mut self, most: Duration) {
        self.tokens.values().for_each(CancelToken::cancel);
        self.conversions.cancel();
        self.storage = unbounded().0; // the lane ends behind its last command
        let start = Instant::now();
        while self.keeping.as_ref().is_some_and(|lane| !lane.is_finished()) && start.elapsed() < most {
            // The lane may wait for room among the events.
            self.events.try_iter().for_each(drop);
            thread::sleep(Duration::from_millis(5));
        }
        self.keeping = None;
    }
}

impl Drop for Jobs {
    fn drop(&mut self) {
        self.tokens.values().for_each(CancelToken::cancel);
        self.conversions.cancel();
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64)
}

/// Gives way to the window: the threads that compute are less urgent than those that draw. Call once, before the first use
/// of the thread pool.
pub fn yield_to_window() {
    let built = rayon::ThreadPoolBuilder::new().thread_name(|i| format!("compute-{i}")).start_handler(|_| lower_priority()).build_global();
    if built.is_err() {
        tracing::debug!("the thread pool was there already");
    }
}

/// Lowers the priority of the calling thread.
fn lower_priority() {
    #[cfg(target_os = "linux")]
    {
        const NICE: libc::c_int = 5;
        // SAFETY: a plain system call; with 0 it means the calling thread on Linux.
        unsafe {
            libc::setpriority(libc::PRIO_PROCESS, 0, NICE);
        }
    }
}
