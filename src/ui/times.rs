//! How long things take in the real window: `PENTIMENTO_FRAME_TIMES=1` prints it at the end, one JSON object a line. Where
//! nobody asked for it, nothing is measured.
//!
//! A line for the start: milliseconds of the wall clock since [`Times::new`], of the processor over all threads since the
//! process began, and of the window's own thread. `first frame` is when the first frame was handed over; `threads` are
//! milliseconds of the processor until then, by the names of the threads.
//!
//! A line for the frames with a model running and one for the others. Of each number, half, 95 %, 99 % and all of the frames
//! are not above the four values. `work_ms` is the window's logic and the building of its surface; `work_cpu_ms` is the same
//! as processor time, which does not count while another thread has the processor; `frame_ms` is all of the frame, with
//! tessellation, uploads and what the driver does before it returns; `between_ms` is from the start of a frame to the next.
//!
//! A line for each job: milliseconds from its submission until the window heard of the first token, of the first preview and
//! of the end, and from the wish to stop until the end.

use super::processor;
use serde_json::{Map, Value, json};
use std::time::Instant;

/// What the window has to do with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Submitted { edit: bool },
    Token,
    Preview,
    Cancelled,
    Ended,
}

/// Times, where somebody wants to know them.
#[derive(Default)]
pub struct Times(Option<Box<Seen>>);

struct Seen {
    begun: Instant,
    /// Of the start: what, wall clock, processor of all threads and of this one.
    marks: Vec<(&'static str, [Option<f64>; 3])>,
    threads: Map<String, Value>,
    frames: Vec<Frame>,
    /// The frame that is being made, and its number.
    frame: Option<(u64, Frame)>,
    /// When the work that goes on was begun, and the processor's time then.
    work: Option<(Instant, Option<f64>)>,
    jobs: Vec<JobTimes>,
}

/// Milliseconds.
#[derive(Clone, Copy, Default)]
struct Frame {
    start_ms: f64,
    work_ms: f64,
    work_cpu_ms: Option<f64>,
    all_ms: Option<f64>,
    running: bool,
}

struct JobTimes {
    edit: bool,
    submitted: Instant,
    cancelled: Option<Instant>,
    token_ms: Option<f64>,
    preview_ms: Option<f64>,
    cancel_ms: Option<f64>,
    end_ms: Option<f64>,
}

impl JobTimes {
    fn new(edit: bool) -> Self {
        Self { edit, submitted: Instant::now(), cancelled: None, token_ms: None, preview_ms: None, cancel_ms: None, end_ms: None }
    }
}

/// Frames that are kept: half an hour of them; and jobs.
const MOST_FRAMES: usize = 108_000;
const MOST_JOBS: usize = 10_000;

impl Times {
    /// Begins to count where the environment asks for it.
    pub fn new() -> Self {
        let wanted = std::env::var_os("PENTIMENTO_FRAME_TIMES").is_some_and(|v| !v.is_empty());
        let mut times = Self(wanted.then(|| Box::new(Seen::new())));
        times.mark("begin");
        times
    }

    /// A step of the start is done.
    pub fn mark(&mut self, what: &'static str) {
        if let Some(seen) = &mut self.0 {
            seen.marks.push((what, [Some(since(seen.begun)), processor::of_process(), processor::of_thread()]));
        }
    }

    /// A frame's work begins: its number, and how many seconds all of the frame before took, where that is known. A frame may
    /// be worked on several times.
    pub fn begin(&mut self, number: u64, before: Option<f32>) {
        let Some(seen) = &mut self.0 else { return };
        if seen.frame.is_none_or(|(known, _)| known != number) {
            let first = seen.frame.is_some() && seen.frames.is_empty();
            if let Some((_, mut frame)) = seen.frame.take().filter(|_| seen.frames.len() < MOST_FRAMES) {
                frame.all_ms = before.map(|s| f64::from(s) * 1e3);
                seen.frames.push(frame);
            }
            seen.frame = Some((number, Frame { start_ms: since(seen.begun), ..Frame::default() }));
            if first {
                self.mark("first frame");
                self.threads();
            }
        }
        self.work();
    }

    /// Work begins or goes on.
    pub fn work(&mut self) {
        if let Some(seen) = &mut self.0 {
            seen.work = Some((Instant::now(), processor::of_thread()));
        }
    }

    /// What began with [`Self::begin`] or [`Self::work`] is done.
    pub fn done(&mut self, running: bool) {
        let Some(seen) = &mut self.0 else { return };
        if let (Some((_, frame)), Some((start, processor))) = (&mut seen.frame, seen.work.take()) {
            frame.work_ms += since(start);
            frame.work_cpu_ms = processor::of_thread().zip(processor).map(|(now, then)| frame.work_cpu_ms.unwrap_or(0.0) + now - then);
            frame.running = running;
        }
    }

    /// Whether the first frame is still to be handed over: only the next frame can tell when that was.
    pub fn wants_a_frame(&self) -> bool {
        self.0.as_ref().is_some_and(|seen| seen.frames.is_empty())
    }

    /// Something happened to the job that was submitted last.
    pub fn job(&mut self, moment: Moment) {
        let Some(seen) = &mut self.0 else { return };
        if let Moment::Submitted { edit } = moment {
            if seen.jobs.len() < MOST_JOBS {
                seen.jobs.push(JobTimes::new(edit));
            }
            return;
        }
        let Some(job) = seen.jobs.last_mut().filter(|job| job.end_ms.is_none()) else { return };
        let ms = since(job.submitted);
        match moment {
            Moment::Submitted { .. } => {}
            Moment::Token => drop(job.token_ms.get_or_insert(ms)),
            Moment::Preview => drop(job.preview_ms.get_or_insert(ms)),
            Moment::Cancelled => drop(job.cancelled.get_or_insert_with(Instant::now)),
            Moment::Ended => {
                job.cancel_ms = job.cancelled.map(since);
                job.end_ms = Some(ms);
            }
        }
    }

    fn threads(&mut self) {
        if let Some(seen) = &mut self.0 {
            seen.threads = processor::of_threads().into_iter().map(|(name, ms)| (name, json!(rounded(ms)))).collect();
        }
    }

    /// Prints what was seen, where it was asked for.
    pub fn print(&self) {
        if let Some(seen) = &self.0 {
            seen.lines().iter().for_each(|line| println!("{line}"));
        }
    }
}

impl Seen {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            marks: Vec::new(),
            threads: Map::new(),
            frames: Vec::new(),
            frame: None,
            work: None,
            jobs: Vec::new(),
        }
    }

    fn lines(&self) -> Vec<Value> {
        let marks: Vec<Value> = self
            .marks
            .iter()
            .map(|(at, times)| {
                let [wall_ms, cpu_ms, own_ms] = times.map(|t| t.map(rounded));
                json!({ "at": at, "wall_ms": wall_ms, "cpu_ms": cpu_ms, "own_thread_ms": own_ms })
            })
            .collect();
        let mut lines = vec![json!({ "start": marks, "threads": self.threads })];
        // The first frame comes after none.
        let next = self.frames.iter().skip(1).map(|f| f.start_ms);
        let between: Vec<(f64, &Frame)> = next.zip(&self.frames).map(|(next, frame)| (next - frame.start_ms, frame)).collect();
        for (when, running) in [("while a model runs", true), ("at rest", false)] {
            let of: Vec<&Frame> = self.frames.iter().filter(|f| f.running == running).collect();
            let all = |value: &dyn Fn(&Frame) -> Option<f64>| quantiles(of.iter().filter_map(|f| value(f)).collect());
            lines.push(json!({
                "when": when,
                "frames": of.len(),
                "work_ms": all(&|f| Some(f.work_ms)),
                "work_cpu_ms": all(&|f| f.work_cpu_ms),
                "frame_ms": all(&|f| f.all_ms),
                "between_ms": quantiles(between.iter().filter(|(_, f)| f.running == running).map(|(ms, _)| *ms).collect()),
            }));
        }
        lines.extend(self.jobs.iter().map(|job| {
            let kind = if job.edit { "edit" } else { "generate" };
            let [token, preview, end, cancel] = [job.token_ms, job.preview_ms, job.end_ms, job.cancel_ms].map(|t| t.map(rounded));
            json!({ "job": kind, "first_token_ms": token, "first_preview_ms": preview, "end_ms": end, "cancel_to_end_ms": cancel })
        }));
        lines
    }
}

fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

/// To the microsecond.
fn rounded(ms: f64) -> f64 {
    (ms * 1e3).round() / 1e3
}

/// Half, 95 %, 99 % and all of the values are not above these.
fn quantiles(mut values: Vec<f64>) -> [f64; 4] {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values.get(((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1)));
    [0.5, 0.95, 0.99, 1.0].map(|q| at(q).map_or(0.0, |ms| rounded(*ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Waits for what never comes: threads have a room of their own.
    fn sleep(time: Duration) {
        let (_never, nothing) = std::sync::mpsc::channel::<()>();
        assert!(nothing.recv_timeout(time).is_err());
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        assert_eq!(quantiles((1..=100).rev().map(f64::from).collect()), [51.0, 96.0, 100.0, 100.0]);
        assert_eq!(quantiles(vec![]), [0.0; 4]);
    }

    #[test]
    fn frames_and_jobs_are_timed() {
        let mut times = Times(Some(Box::new(Seen::new())));
        for number in 0..3 {
            assert_eq!(times.wants_a_frame(), number < 2);
            for _ in 0..2 {
                times.begin(number, (number > 0).then_some(0.25));
                sleep(Duration::from_millis(2));
                times.done(number == 1);
            }
        }
        times.job(Moment::Token); // nobody asked for it
        times.job(Moment::Submitted { edit: true });
        for moment in [Moment::Token, Moment::Cancelled, Moment::Ended, Moment::Preview] {
            sleep(Duration::from_millis(1));
            times.job(moment);
        }
        let lines = times.0.as_ref().unwrap().lines();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[0]["start"][0]["at"], "first frame");
        assert_eq!((&lines[1]["frames"], &lines[2]["frames"]), (&json!(1), &json!(1)), "the last is not handed over yet");
        assert_eq!(lines[1]["frame_ms"][0], 250.0);
        assert!(lines[1]["work_ms"][0].as_f64().unwrap() >= 4.0, "all of a frame's work counts");
        let ms = |key: &str| lines[3][key].as_f64();
        assert!(ms("first_token_ms") >= Some(1.0) && ms("end_ms") >= Some(3.0) && ms("cancel_to_end_ms") >= Some(1.0));
        assert!(ms("cancel_to_end_ms") < ms("end_ms") && ms("first_preview_ms").is_none());
    }

    #[test]
    fn nothing_is_measured_unless_it_is_asked_for() {
        let mut times = Times::default();
        times.begin(0, None);
        times.done(true);
        times.job(Moment::Submitted { edit: false });
        assert!(!times.wants_a_frame() && times.0.is_none());
    }
}
