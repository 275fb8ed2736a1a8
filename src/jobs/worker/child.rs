//! The worker's side: orders from stdin, what happens to them to stdout.

use super::frames::Frame;
use super::words::{Down, Hello, News, Order, PROTOCOL, Up};
use crate::jobs::compute::{EngineBackend, words};
use crate::jobs::{Backend, Failure, Intent, lower_priority, yield_to_window};
use crate::pipeline::{Blueprint, Latents, Made, Observer, Outcome, Palette, Preview, PreviewMap, Progress};
use crossbeam_channel::{Sender, unbounded};
use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the window wants of the order that runs.
#[derive(Default)]
struct Wishes {
    cancel: AtomicBool,
    enough: AtomicBool,
}

/// What the window has asked for.
enum Task {
    /// An order and where wishes about it come in.
    Order(Box<Order>, Arc<Wishes>),
    Forecast {
        number: u64,
        step_down: u32,
        intent: Box<Intent>,
    },
}

/// Works until stdin ends: the whole of `pentimento worker`.
pub fn serve() -> ExitCode {
    let out = match own_stdout() {
        Ok(out) => Mutex::new(out),
        Err(error) => {
            eprintln!("pentimento worker: nothing can be said on stdout: {error}");
            return ExitCode::FAILURE;
        }
    };
    expendable();
    yield_to_window();
    lower_priority();
    let say = |up: &Up| match up.to_frame() {
        // Where nobody listens there is nothing left to do.
        Ok(frame) => frame.write(&mut *out.lock().unwrap_or_else(PoisonError::into_inner)).unwrap_or_else(|_| gone(0)),
        Err(error) => tracing::error!("{error}"),
    };
    say(&Up::Hello(Hello::own()));
    let (tasks_in, tasks) = unbounded();
    let listening = thread::Builder::new().name("orders".to_owned()).spawn(move || listen(&tasks_in));
    if let Err(error) = listening {
        eprintln!("pentimento worker: {error}");
        return ExitCode::FAILURE;
    }
    let mut backend = EngineBackend::default();
    for task in tasks {
        let (number, last) = match task {
            Task::Order(order, wishes) => (order.number, work(&order, &wishes, &mut backend, &say)),
            Task::Forecast { number, step_down, intent } => (number, foretell(&intent, step_down, &mut backend)),
        };
        say(&Up::News(number, last));
    }
    ExitCode::SUCCESS
}

/// Hands orders on until stdin ends, and then ends the program, whatever it is in the middle of.
fn listen(tasks: &Sender<Task>) {
    let mut from = BufReader::new(io::stdin().lock());
    let mut current: Option<(u64, Arc<Wishes>)> = None;
    loop {
        let down = match Frame::read(&mut from) {
            Ok(Some(frame)) => Down::from_frame(frame).map_err(|e| e.to_string()),
            Ok(None) => gone(0),
            Err(error) => Err(error.to_string()),
        };
        let wish = |number: u64, which: fn(&Wishes) -> &AtomicBool| {
            if let Some((_, wishes)) = current.as_ref().filter(|(n, _)| *n == number) {
                which(wishes).store(true, Ordering::Relaxed);
            }
        };
        match down {
            Ok(Down::Hello(hello)) if hello.protocol == PROTOCOL => {}
            Ok(Down::Hello(_)) => gone(2),
            Ok(Down::Cancel(number)) => wish(number, |w| &w.cancel),
            Ok(Down::Enough(number)) => wish(number, |w| &w.enough),
            Ok(Down::Job(order)) => {
                let wishes = Arc::new(Wishes::default());
                current = Some((order.number, wishes.clone()));
                if tasks.send(Task::Order(order, wishes)).is_err() {
                    gone(0);
                }
            }
            Ok(Down::Forecast { number, step_down, intent }) => {
                if tasks.send(Task::Forecast { number, step_down, intent }).is_err() {
                    gone(0);
                }
            }
            Err(why) => {
                eprintln!("pentimento worker: what the window says cannot be understood: {why}");
                gone(3);
            }
        }
    }
}

fn work(order: &Order, wishes: &Wishes, backend: &mut EngineBackend, say: &dyn Fn(&Up)) -> News {
    let mut teller = Teller { order, wishes, say, map: None, ends_early: Cell::new(false) };
    let ended = catch_unwind(AssertUnwindSafe(|| backend.run_stepped(&order.job, order.step_down, &mut teller)));
    match ended {
        Ok(Ok(Outcome::Done { seconds, .. })) => News::Done { seconds, device: backend.device() },
        Ok(Ok(Outcome::Cancelled { .. })) => News::Cancelled,
        Ok(Err(Failure { why, out_of_memory })) => News::Failed { why, out_of_memory },
        Err(panic) => {
            backend.forget();
            News::Failed { why: format!("the computation broke off: {}", words(panic.as_ref())), out_of_memory: false }
        }
    }
}

fn foretell(intent: &Intent, step_down: u32, backend: &mut EngineBackend) -> News {
    let told = catch_unwind(AssertUnwindSafe(|| backend.forecast_stepped(intent, step_down)));
    let told = told.unwrap_or_else(|panic| {
        backend.forget();
        Err(format!("the plan broke off: {}", words(panic.as_ref())))
    });
    News::Forecast(Box::new(told))
}

/// Tells the window what happens.
struct Teller<'a> {
    order: &'a Order,
    wishes: &'a Wishes,
    say: &'a dyn Fn(&Up),
    /// The map that the window knows.
    map: Option<Arc<PreviewMap>>,
    /// What was answered last to whether it is enough: the latents that follow are then a prediction.
    ends_early: Cell<bool>,
}

impl Teller<'_> {
    fn tell(&self, news: News) {
        (self.say)(&Up::News(self.order.number, news));
    }
}

impl Observer for Teller<'_> {
    fn progress(&mut self, progress: &Progress) {
        self.tell(News::Progress(*progress));
    }

    fn blueprint(&mut self, blueprint: Blueprint) {
        self.tell(News::Blueprint(blueprint));
    }

    fn palette(&mut self, palette: &Arc<Palette>) {
        self.tell(News::Palette(Palette::clone(palette)));
    }

    fn preview(&mut self, preview: Preview) {
        let Preview { step, steps, latents, map } = preview;
        if self.map.as_ref().is_none_or(|known| !Arc::ptr_eq(known, &map)) {
            self.tell(News::Map(PreviewMap::clone(&map)));
            self.map = Some(map);
        }
        self.tell(News::Preview { step, steps, latents });
    }

    fn tokens(&mut self, variation: usize, tokens: &[u32]) {
        self.tell(News::Tokens { variation, tokens: tokens.to_vec() });
    }

    fn latents(&mut self, variation: usize, step: usize, latents: &Latents) {
        let early = self.ends_early.get() || self.order.job.recipe.until == Some(step);
        self.tell(News::Latents { variation, step, early, latents: latents.clone() });
    }

    fn planned(&mut self, words: &str, is_step_down: bool) {
        self.tell(News::Plan { words: words.to_owned(), is_step_down });
    }

    fn notice(&mut self, text: &str) {
        self.tell(News::Notice(text.to_owned()));
    }

    fn made(&mut self, made: &Made) {
        self.tell(News::Made(Box::new(made.clone())));
    }

    fn wants_previews(&self) -> bool {
        self.order.previews
    }

    fn is_cancelled(&self) -> bool {
        self.wishes.cancel.load(Ordering::Relaxed)
    }

    fn is_enough(&self) -> bool {
        let enough = self.wishes.enough.load(Ordering::Relaxed);
        self.ends_early.set(enough);
        enough
    }
}

/// Ends the program at once, without waiting for a driver or a computation.
fn gone(code: i32) -> ! {
    #[cfg(unix)]
    // SAFETY: ends the process; no destructor is needed, since nothing of the worker outlives it.
    unsafe {
        libc::_exit(code)
    }
    #[cfg(not(unix))]
    std::process::exit(code)
}

/// The pipe to the window. Whatever a library prints goes to stderr instead.
#[cfg(unix)]
fn own_stdout() -> io::Result<File> {
    use std::os::fd::{AsFd, AsRawFd};
    let own = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    // SAFETY: both descriptors are open, and the program has made nothing of its stdout yet.
    let moved = unsafe { libc::dup2(io::stderr().as_raw_fd(), io::stdout().as_raw_fd()) };
    if moved < 0 { Err(io::Error::last_os_error()) } else { Ok(own) }
}

#[cfg(windows)]
fn own_stdout() -> io::Result<File> {
    use std::os::windows::io::AsHandle;
    Ok(File::from(io::stdout().as_handle().try_clone_to_owned()?))
}

/// The worker goes before the window does: with it when it is killed, and first where memory runs out.
fn expendable() {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: plain system calls with constants; the limit is on the stack.
        unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
            // Nobody waits for gigabytes of weights to be written down.
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        }
        let _ = std::fs::write("/proc/self/oom_score_adj", "500");
    }
}
