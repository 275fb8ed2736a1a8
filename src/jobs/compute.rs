//! The lane that runs models.

use super::replaying::{self, Room};
use super::{CancelToken, Ending, Event, FindSettings, Forecast, Intent, Job, Place, ReplayJob, Up, lower_priority, now, storage};
use crate::document::{LocalEdit, Placing};
use crate::imaging::{self, Picture};
use crate::pipeline::{
    self, Blueprint, Engine, Made, Observer, Outcome, Palette, PlanChoice, Preview, Progress, Request, Residency, Settings, device_name,
};
use crate::places;
use crate::recipe::{ModelId, Recipe};
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// Why a job failed, as a sentence.
#[derive(Clone, Debug)]
pub struct Failure {
    pub why: String,
    pub out_of_memory: bool,
}

/// What makes the pictures of a job.
pub trait Backend: Send {
    /// # Errors      a sentence for a person
    fn run(&mut self, job: &Job, observer: &mut dyn Observer) -> Result<Outcome, Failure>;

    /// How a run would use memory now.
    ///
    /// # Errors      it could not run, as a sentence
    fn forecast(&mut self, _: &Intent) -> Result<Forecast, String> {
        Err("nobody knows".to_owned())
    }

    /// The device that computes.
    fn device(&self) -> String;

    /// Lets go of all models: after a panic nothing of them can be trusted.
    fn forget(&mut self);
}

/// The real thing: keeps the model of the last job.
pub struct EngineBackend {
    /// Where maps for previews are kept.
    cache: Option<PathBuf>,
    engine: Option<(Wanted, Engine)>,
}

/// What an engine was opened for: a model, a device, and whether memory had run out.
#[derive(Clone, PartialEq)]
struct Wanted {
    model: ModelId,
    device: pipeline::DeviceChoice,
    step_down: u32,
}

impl Default for EngineBackend {
    fn default() -> Self {
        Self { cache: places::cache(), engine: None }
    }
}

impl EngineBackend {
    /// Keeps nothing on the disk.
    pub fn without_cache() -> Self {
        Self { cache: None, engine: None }
    }
}

impl EngineBackend {
    /// Runs a job; `step_down` says how many times memory has run out on the way so far.
    ///
    /// # Errors      a sentence for a person
    pub(super) fn run_stepped(&mut self, job: &Job, step_down: u32, observer: &mut dyn Observer) -> Result<Outcome, Failure> {
        let engine = self.engine(&job.recipe.model, job.device, step_down)?;
        let mut request = Request::new(job.recipe.clone());
        request.reference.clone_from(&job.reference);
        if let (Some(picture), Some(Place { seen, placing })) = (&job.reference, &job.place) {
            let within = placing.reach();
            let changes = matches!(placing, Placing::Change { .. });
            engine.edit_part(&mut request, picture, *seen, within.as_ref(), changes).map_err(Failure::from)?;
        }
        request.variations = job.variations;
        request.tokens.clone_from(&job.tokens);
        request.path.clone_from(&job.path);
        let outcome = engine.run(&request, observer).map_err(Failure::from);
        if outcome.as_ref().is_err_and(|f| f.out_of_memory) {
            engine.unload();
        }
        outcome
    }

    /// How a run would use memory, after memory has run out so many times.
    ///
    /// # Errors      it could not run, as a sentence
    pub(super) fn forecast_stepped(&mut self, intent: &Intent, step_down: u32) -> Result<Forecast, String> {
        let engine = self.engine(&intent.model, intent.device, step_down).map_err(|failure| failure.why)?;
        let mut request = Request::new(Recipe::new(intent.model.clone(), ""));
        request.variations = intent.variations;
        let plan = engine.plan(&request, intent.edits).map_err(|e| e.to_string())?;
        Ok(Forecast { plan, device: device_name(engine.device()).to_owned() })
    }

    /// The model on the device: the one that is there, or opened for it.
    fn engine(&mut self, model: &ModelId, device: pipeline::DeviceChoice, step_down: u32) -> Result<&mut Engine, Failure> {
        let wanted = Wanted { model: model.clone(), device, step_down };
        if self.engine.as_ref().is_none_or(|(has, _)| *has != wanted) {
            self.engine = None; // two models at once are more than most machines can hold
            // Where a worker was killed, one that takes less is next, whatever memory seems to be free.
            let plan = match step_down {
                0 => PlanChoice::Auto,
                1 => PlanChoice::Fixed(Residency::StageByStage),
                _ => PlanChoice::Fixed(Residency::LayerByLayer),
            };
            let settings = Settings { device, plan, cache: self.cache.clone(), ..Settings::default() };
            let engine = Engine::open(model, &settings).map_err(Failure::from)?;
            self.engine = Some((wanted, engine));
        }
        self.engine.as_mut().map(|(_, engine)| engine).ok_or_else(|| Failure { why: "no model".to_owned(), out_of_memory: false })
    }
}

impl From<pipeline::Error> for Failure {
    fn from(error: pipeline::Error) -> Self {
        Self { why: error.to_string(), out_of_memory: error.is_out_of_memory() }
    }
}

impl Backend for EngineBackend {
    fn run(&mut self, job: &Job, observer: &mut dyn Observer) -> Result<Outcome, Failure> {
        self.run_stepped(job, 0, observer)
    }

    fn forecast(&mut self, intent: &Intent) -> Result<Forecast, String> {
        self.forecast_stepped(intent, 0)
    }

    fn device(&self) -> String {
        self.engine.as_ref().map_or("CPU", |(_, engine)| device_name(engine.device())).to_owned()
    }

    fn forget(&mut self) {
        self.engine = None;
    }
}

/// What the lane is asked for.
pub(super) enum Work {
    Job(Box<Job>, CancelToken),
    Forecast(Box<Intent>),
    Replay(Box<ReplayJob>, CancelToken),
}

/// Runs jobs until the window is gone.
pub(super) fn run(works: &Receiver<Work>, mut backend: Box<dyn Backend>, settings: &FindSettings, up: &Up) {
    lower_priority();
    let mut room = Room::default();
    replaying::sweep_cache();
    for work in works {
        let (job, cancel) = match work {
            Work::Job(job, cancel) => (job, cancel),
            Work::Forecast(intent) => {
                let told = catch_unwind(AssertUnwindSafe(|| backend.forecast(&intent))).unwrap_or_else(|panic| {
                    backend.forget();
                    Err(format!("the plan broke off: {}", words(panic.as_ref())))
                });
                up.send(Event::Forecast { intent, result: told.map(Box::new) });
                continue;
            }
            Work::Replay(job, cancel) => {
                replaying::run(&job, &cancel, backend.as_mut(), &mut room, settings, up);
                continue;
            }
        };
        let id = job.id;
        if cancel.is_cancelled() {
            up.send(Event::Finished { id, ending: Ending::Cancelled });
            continue;
        }
        up.send(Event::Started { id });
        let mut observer = ToWindow { job: &job, up, cancel: &cancel, failed: None };
        let ended = catch_unwind(AssertUnwindSafe(|| backend.run(&job, &mut observer)));
        let ending = match (observer.failed.take(), ended) {
            (Some(why), _) => Ending::Failed { why, out_of_memory: false },
            (None, ended) => ended_as(ended, backend.as_mut()),
        };
        up.send(Event::Finished { id, ending });
    }
}

fn ended_as(ended: std::thread::Result<Result<Outcome, Failure>>, backend: &mut dyn Backend) -> Ending {
    match ended {
        Ok(Ok(Outcome::Done { seconds, .. })) => Ending::Done { seconds, device: backend.device() },
        Ok(Ok(Outcome::Cancelled { .. })) => Ending::Cancelled,
        Ok(Err(Failure { why, out_of_memory })) => Ending::Failed { why, out_of_memory },
        Err(panic) => {
            backend.forget();
            Ending::Failed { why: format!("the computation broke off: {}", words(panic.as_ref())), out_of_memory: false }
        }
    }
}

/// What a panic said.
pub(super) fn words(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given")
}

/// Carries a run's news up.
struct ToWindow<'a> {
    job: &'a Job,
    up: &'a Up,
    cancel: &'a CancelToken,
    /// Why a result could not be put into its picture.
    failed: Option<String>,
}

impl ToWindow<'_> {
    /// The result in its place, where it is an edit of a part.
    fn placed(&self, made: &Made) -> imaging::Result<(Picture, Option<Arc<LocalEdit>>)> {
        let (Some(source), Some(place)) = (&self.job.reference, &self.job.place) else { return Ok((made.picture.clone(), None)) };
        let local = LocalEdit {
            seen: place.seen,
            result: made.picture.clone(),
            reconstruction: made.reconstruction.clone(),
            placing: place.placing.clone(),
        };
        Ok((local.placed(source)?.picture, Some(Arc::new(local))))
    }
}

impl Observer for ToWindow<'_> {
    fn planned(&mut self, words: &str, is_step_down: bool) {
        self.up.send(Event::Plan { id: self.job.id, plan: words.to_owned(), is_step_down });
    }

    fn progress(&mut self, progress: &Progress) {
        self.up.tell(Event::Progress { id: self.job.id, progress: *progress });
    }

    fn palette(&mut self, palette: &Arc<Palette>) {
        self.up.send(Event::Palette { id: self.job.id, palette: palette.clone() });
    }

    fn blueprint(&mut self, blueprint: Blueprint) {
        self.up.tell(Event::Blueprint { id: self.job.id, blueprint });
    }

    fn preview(&mut self, preview: Preview) {
        self.up.tell(Event::Preview { id: self.job.id, preview: Arc::new(preview) });
    }

    fn notice(&mut self, text: &str) {
        self.up.send(Event::Notice { id: self.job.id, text: text.to_owned() });
    }

    fn made(&mut self, made: &Made) {
        match self.placed(made) {
            Ok((picture, local)) => {
                let (pyramid, thumbnail) = storage::for_screen(&picture);
                let made = Box::new(Made { picture, ..made.clone() });
                self.up.send(Event::Made { id: self.job.id, made, local, pyramid, thumbnail, at: now() });
            }
            Err(error) => self.failed = Some(format!("the result cannot be put into the picture: {error}")),
        }
    }

    fn wants_previews(&self) -> bool {
        true
    }

    fn is_enough(&self) -> bool {
        self.cancel.is_enough()
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
