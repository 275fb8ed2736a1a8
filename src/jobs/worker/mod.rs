//! The model in a process of its own, so that nothing that happens to it happens to the window.
//!
//! [`WorkerBackend`] starts `pentimento worker` (or `pentimento-cuda worker`, where a graphics card computes) and keeps it
//! from job to job, with the model that it has loaded. Where it dies in the middle of a job — a fault in a driver, a kill by
//! a system that has no memory left — another one goes on from the tokens and latents that it had told, and the result is
//! the same to the last bit. The worker ends when its stdin does, whatever it is in the middle of.

mod child;
mod course;
mod forecast;
mod frames;
mod parent;
mod probe;
mod words;

pub use child::serve;
pub use probe::devices;

use super::compute::EngineBackend;
use super::{Backend, Failure, Forecast, Intent, Job};
use crate::pipeline::{DeviceChoice, DeviceFacts, Observer, Outcome, PreviewMap, Stage};
use crate::places;
use crate::recipe::ModelId;
use course::{Course, Relay};
use parent::{Gone, Heard, Worker};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use words::{Down, News, Order, Up};

/// How often wishes of the window are looked at while the worker says nothing.
const LISTEN: Duration = Duration::from_millis(10);
/// How long a worker may go on with a job that was cancelled.
const PATIENCE: Duration = Duration::from_secs(20);
/// Workers that may die one after the other without having got any further.
const DEATHS: u32 = 3;

/// Which programs can be workers.
#[derive(Clone, Debug, Default)]
struct Programs {
    usual: Option<PathBuf>,
    cuda: Option<PathBuf>,
}

/// Runs jobs in a worker process.
pub struct WorkerBackend {
    programs: Programs,
    /// The worker that runs, and its program.
    worker: Option<(PathBuf, Worker)>,
    /// Where no worker can be started: in this process after all.
    inside: EngineBackend,
    /// Where the last job ran.
    device: String,
    /// What was found out about graphics cards.
    cuda: Option<DeviceFacts>,
    /// How many times workers were killed, probably for want of memory, since the model was chosen.
    step_down: (Option<ModelId>, u32),
    next_order: u64,
}

impl Default for WorkerBackend {
    /// With this program as worker, and `pentimento-cuda` where it is there.
    fn default() -> Self {
        Self::with(Programs { usual: parent::own_program(), cuda: places::cuda_worker() })
    }
}

/// How a part of a job ended.
enum Ended {
    Done(Vec<(Stage, f64)>),
    Cancelled,
    Failed(Failure),
    Gone(Gone),
}

impl WorkerBackend {
    /// With another program as worker.
    pub fn with_program(program: PathBuf) -> Self {
        Self::with(Programs { usual: Some(program), cuda: None })
    }

    fn with(programs: Programs) -> Self {
        Self {
            programs,
            worker: None,
            inside: EngineBackend::default(),
            device: "CPU".to_owned(),
            cuda: None,
            step_down: (None, 0),
            next_order: 0,
        }
    }

    /// The program for a device. With `Auto` that for a graphics card, where there is one that it can use.
    fn program(&mut self, device: DeviceChoice) -> Result<Option<PathBuf>, Failure> {
        let asks = match device {
            DeviceChoice::Cpu | DeviceChoice::Metal => false,
            DeviceChoice::Auto => self.programs.cuda.is_some(),
            DeviceChoice::Cuda => true,
        };
        if !asks {
            return Ok(self.programs.usual.clone());
        }
        // A driver that was installed meanwhile is found where a person insists on it.
        if self.cuda.is_none() || device == DeviceChoice::Cuda {
            self.cuda = devices().into_iter().find(|facts| facts.device == DeviceChoice::Cuda);
        }
        match self.cuda.as_ref().and_then(|facts| facts.missing.as_ref()) {
            None => Ok(self.programs.cuda.clone().or_else(|| self.programs.usual.clone())),
            Some(_) if device == DeviceChoice::Auto => Ok(self.programs.usual.clone()),
            Some(why) => Err(Failure { why: format!("CUDA cannot be used: {why}"), out_of_memory: false }),
        }
    }

    /// Deaths are counted for each model anew.
    fn count_for(&mut self, model: &ModelId) {
        if self.step_down.0.as_ref() != Some(model) {
            self.step_down = (Some(model.clone()), 0);
        }
    }

    /// The worker for a program: the one that runs, or a new one.
    fn worker(&mut self, program: &Path) -> Result<&mut Worker, String> {
        // A model for one device is of no use to the other, and two of them may not fit.
        let kept = self.worker.take().filter(|(running, _)| running == program);
        let (program, worker) = match kept {
            Some(kept) => kept,
            None => (program.to_owned(), Worker::start(program)?),
        };
        Ok(&mut self.worker.insert((program, worker)).1)
    }

    /// Has the worker do the rest of a job.
    ///
    /// # Errors      there is no worker, and why
    fn part(&mut self, program: &Path, rest: Job, relay: &mut Relay) -> Result<Ended, String> {
        self.next_order += 1;
        let number = self.next_order;
        let order = Order { number, step_down: self.step_down.1, previews: relay.wants_previews(), job: rest };
        let worker = self.worker(program)?;
        worker.say(&Down::Job(Box::new(order)))?;
        let (mut cancelled, mut enough): (Option<Instant>, bool) = (None, false);
        let mut map: Option<Arc<PreviewMap>> = None;
        let ended = loop {
            if cancelled.is_none() && relay.is_cancelled() {
                worker.say(&Down::Cancel(number))?;
                cancelled = Some(Instant::now());
            }
            if !enough && relay.is_enough() {
                worker.say(&Down::Enough(number))?;
                enough = true;
            }
            if cancelled.is_some_and(|at| at.elapsed() > PATIENCE) {
                self.worker = None;
                return Ok(Ended::Cancelled);
            }
            match worker.listen(LISTEN) {
                Heard::Nothing => {}
                Heard::Gone(_) if cancelled.is_some() => break Ended::Cancelled,
                Heard::Gone(gone) => break Ended::Gone(gone),
                Heard::Up(Up::News(n, news)) if n == number => match news {
                    News::Progress(progress) => relay.progress(&progress),
                    News::Palette(palette) => relay.palette(&Arc::new(palette)),
                    News::Blueprint(blueprint) => relay.blueprint(blueprint),
                    News::Map(told) => map = Some(Arc::new(told)),
                    News::Preview { step, steps, latents } => {
                        if let Some(preview) = map.as_ref().and_then(|map| News::preview(step, steps, latents, map)) {
                            relay.preview(preview);
                        }
                    }
                    News::Tokens { variation, tokens } => relay.tokens(variation, &tokens),
                    News::Latents { variation, step, early: false, latents } => relay.latents(variation, step, &latents),
                    News::Latents { variation, step, early: true, latents } => relay.latents_early(variation, step, &latents),
                    News::Notice(text) => relay.notice(&text),
                    News::Plan { words, is_step_down } => relay.planned(&words, is_step_down),
                    News::Made(made) => relay.made(&made),
                    News::Done { seconds, device } => {
                        self.device = device;
                        return Ok(Ended::Done(seconds));
                    }
                    News::Forecast(_) => {}
                    News::Cancelled => return Ok(Ended::Cancelled),
                    News::Failed { why, out_of_memory } => return Ok(Ended::Failed(Failure { why, out_of_memory })),
                },
                // Of an order before, or a hello too many: nothing that matters.
                Heard::Up(_) => {}
            }
        };
        self.worker = None;
        Ok(ended)
    }

    /// The same without a worker.
    fn part_inside(&mut self, rest: &Job, relay: &mut Relay) -> Ended {
        match self.inside.run(rest, relay) {
            Ok(Outcome::Done { seconds, .. }) => {
                self.device = self.inside.device();
                Ended::Done(seconds)
            }
            Ok(Outcome::Cancelled { .. }) => Ended::Cancelled,
            Err(failure) => Ended::Failed(failure),
        }
    }
}

impl Backend for WorkerBackend {
    fn run(&mut self, job: &Job, observer: &mut dyn Observer) -> Result<Outcome, Failure> {
        let mut program = self.program(job.device)?;
        self.count_for(&job.recipe.model);
        let mut course = Course::new(job);
        let mut seconds = Vec::new();
        let mut deaths = 0;
        while let Some(rest) = course.rest() {
            let (gains, before) = (course.gains(), course.made());
            let mut relay = Relay::new(&mut course, observer);
            let in_worker = match &program {
                Some(program) => self.part(program, rest, &mut relay),
                None => Err("this program does not know where it is".to_owned()),
            };
            let ended = match in_worker {
                Ok(ended) => ended,
                Err(why) if program.is_some() && program == self.programs.cuda => {
                    if job.device == DeviceChoice::Cuda {
                        return Err(Failure { why: format!("CUDA cannot be used: {why}"), out_of_memory: false });
                    }
                    observer.notice(&format!("The graphics card cannot be used, so the CPU computes: {why}."));
                    self.programs.cuda = None;
                    program.clone_from(&self.programs.usual);
                    continue;
                }
                Err(why) => {
                    tracing::warn!("the model runs in the window's own process: {why}");
                    let Some(rest) = relay.course.rest() else { break };
                    self.part_inside(&rest, &mut relay)
                }
            };
            match ended {
                Ended::Done(part) => {
                    seconds.extend(part);
                    if observer.is_enough() {
                        break;
                    }
                    if course.made() == before {
                        return Err(Failure {
                            why: "the worker says that it is done, and has made nothing".to_owned(),
                            out_of_memory: false,
                        });
                    }
                }
                Ended::Cancelled => return Ok(Outcome::Cancelled { made: course.into_made() }),
                Ended::Failed(failure) => return Err(failure),
                Ended::Gone(Gone { how, killed }) => {
                    deaths = if course.gains() > gains { 1 } else { deaths + 1 };
                    self.step_down.1 += u32::from(killed);
                    tracing::warn!("the worker broke off: {how}");
                    if deaths >= DEATHS {
                        let why =
                            format!("the part of the program that paints broke off {deaths} times without getting any further ({how})");
                        return Err(Failure { why, out_of_memory: killed });
                    }
                    observer.notice(&format!("The part of the program that paints broke off ({how}); {}.", course.place()));
                }
            }
        }
        Ok(Outcome::Done { made: course.into_made(), seconds })
    }

    fn forecast(&mut self, intent: &Intent) -> Result<Forecast, String> {
        self.ask_forecast(intent)
    }

    fn device(&self) -> String {
        self.device.clone()
    }

    fn forget(&mut self) {
        self.worker = None;
        self.inside.forget();
    }
}
