//! The real program as a worker, killed at random moments: the window goes on, and the result is the same to the last bit.
//!
//!     PENTIMENTO_KILLS=100 cargo test --test worker -- --nocapture

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod orphans;

use pentimento::document::Placing;
use pentimento::imaging::{Blend, ContextBox, Mask, Mode, Picture, Rect};
use pentimento::jobs::{
    Backend, Command, DeviceChoice, Ending, EngineBackend, Event, Intent, Job, JobId, Jobs, Place, Shape, WorkerBackend,
};
use pentimento::pipeline::{Made, Observer, Outcome, Progress, Stage};
use pentimento::recipe::{ModelId, Recipe, Sampling};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// One of these tests at a time: they look for the workers that they started.
static ONE: Mutex<()> = Mutex::new(());

/// Kills, where nobody says how many.
const KILLS: usize = 24;

pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_pentimento"))
}

fn picture() -> Picture {
    let rgb: Vec<u8> = (0..96 * 80).flat_map(|i| [(i % 96 * 2) as u8, (i / 96 * 3) as u8, (i * 7 % 251) as u8]).collect();
    Picture::from_rgb8(96, 80, &rgb).unwrap()
}

/// What is run: words alone, three at once, an edit under a selection, an edit that keeps the rest.
fn jobs() -> [Job; 4] {
    let job = |prompt: &str, variations: usize| Job {
        id: JobId(0),
        recipe: Recipe { steps: 12, seed: 3, sampling: Sampling::for_pictures(&ModelId::Nano), ..Recipe::new(ModelId::Nano, prompt) },
        reference: None,
        place: None,
        variations,
        tokens: None,
        path: vec![],
        device: DeviceChoice::Cpu,
    };
    let mut mask = Mask::new(96, 80).unwrap();
    mask.rectangle(Rect { left: 20, top: 10, width: 30, height: 40 }, Mode::Add);
    let seen = ContextBox { left: 8, top: 0, width: 80, height: 80 };
    let edit = |prompt: &str, placing: Placing| Job { reference: Some(picture()), place: Some(Place { seen, placing }), ..job(prompt, 1) };
    [
        job("a red car in the snow", 1),
        job("a fox in the snow", 3),
        edit("make it night", Placing::Selection { mask, blend: Blend::default() }),
        edit("make it darker", Placing::Change { reach: 0.5 }),
    ]
}

#[track_caller]
fn assert_same(made: &[Made], undisturbed: &[Made], what: &str) {
    assert_eq!(made.len(), undisturbed.len(), "{what}");
    for (one, other) in made.iter().zip(undisturbed) {
        assert_eq!(one.tokens, other.tokens, "{what}");
        assert_eq!(one.recipe, other.recipe, "{what}");
        // Thousands of numbers are no help: where they part, and by how much.
        let parts = one.path.iter().zip(&other.path).position(|(a, b)| a != b);
        let by = |step: usize| one.path[step].values.iter().zip(&other.path[step].values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(parts.map(|step| (step, by(step))), None, "{what}: latents");
        assert_eq!(one.path.len(), other.path.len(), "{what}");
        assert!(one.picture == other.picture, "{what}: the picture");
        assert!(one.reconstruction == other.reconstruction, "{what}: the reconstruction");
    }
}

/// What is told of a run.
#[derive(Default)]
struct Told {
    notices: Vec<String>,
    plans: Vec<String>,
    previews: usize,
    palettes: usize,
    blueprints: usize,
    cancelled: bool,
    enough_after: Option<usize>,
    steps: usize,
}

impl Observer for Told {
    fn notice(&mut self, text: &str) {
        self.notices.push(text.to_owned());
    }

    fn planned(&mut self, words: &str, _: bool) {
        self.plans.push(words.to_owned());
    }

    fn preview(&mut self, _: pentimento::pipeline::Preview) {
        self.previews += 1;
    }

    fn palette(&mut self, _: &Arc<pentimento::pipeline::Palette>) {
        self.palettes += 1;
    }

    fn blueprint(&mut self, _: pentimento::pipeline::Blueprint) {
        self.blueprints += 1;
    }

    fn latents(&mut self, _: usize, step: usize, _: &pentimento::pipeline::Latents) {
        self.steps = step;
    }

    fn wants_previews(&self) -> bool {
        true
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    fn is_enough(&self) -> bool {
        self.enough_after.is_some_and(|steps| self.steps >= steps)
    }
}

fn made(outcome: Outcome) -> Vec<Made> {
    match outcome {
        Outcome::Done { made, .. } => made,
        Outcome::Cancelled { .. } => panic!("nobody has cancelled"),
    }
}

/// The processes that this one has started and that are workers.
pub fn workers_of(parent: u32) -> Vec<u32> {
    let stat = |entry: std::fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        let mut words = stat.rsplit_once(") ")?.1.split(' ');
        let (state, of) = (words.next()?, words.next()?.parse::<u32>().ok()?);
        let command = std::fs::read(entry.path().join("cmdline")).ok()?;
        (of == parent && state != "Z" && command.ends_with(b"\0worker\0")).then_some(pid)
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| stat(entry.unwrap())).collect()
}

fn signal(pid: u32, signal: libc::c_int) {
    // SAFETY: a plain system call, to a process that this one has started and not waited for.
    unsafe { libc::kill(pid as libc::pid_t, signal) };
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

#[test]
fn a_worker_makes_what_this_process_makes() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut inside, mut worker) = (EngineBackend::default(), WorkerBackend::with_program(program()));
    for job in jobs() {
        let (mut here, mut there) = (Told::default(), Told::default());
        let undisturbed = made(inside.run(&job, &mut here).unwrap());
        assert_same(&made(worker.run(&job, &mut there).unwrap()), &undisturbed, &job.recipe.prompt);
        assert_eq!((there.previews, there.palettes, there.blueprints), (here.previews, here.palettes, here.blueprints));
        assert_eq!(there.plans.len(), here.plans.len());
        assert!(!there.plans.is_empty() && !there.plans[0].is_empty());
        assert!(there.notices.is_empty() && here.previews > 0, "{:?}", there.notices);
        assert_eq!(workers_of(std::process::id()).len(), 1, "the worker is kept");
        assert_eq!(worker.device(), "CPU");
    }
    // A deep picture arrives as it is.
    let deep = Picture::new(64, 64, pentimento::imaging::Pixels::Rgba16((0..4 * 64 * 64).map(|i| (i * 13 % 65_536) as u16).collect()));
    let job = Job { reference: Some(deep.unwrap()), place: None, ..jobs()[3].clone() };
    let undisturbed = made(inside.run(&job, &mut ()).unwrap());
    assert_same(&made(worker.run(&job, &mut ()).unwrap()), &undisturbed, "16 bit");
}

#[test]
fn wishes_and_failures_pass_through() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut worker = WorkerBackend::with_program(program());
    let job = Job { recipe: Recipe { steps: 90, ..jobs()[0].recipe.clone() }, ..jobs()[0].clone() };
    let mut told = Told { enough_after: Some(2), ..Told::default() };
    let early = made(worker.run(&job, &mut told).unwrap());
    assert!(early.len() == 1 && (2..90).contains(&early[0].path.len()), "{} steps", early[0].path.len());
    let mut told = Told { cancelled: true, ..Told::default() };
    assert!(matches!(worker.run(&job, &mut told), Ok(Outcome::Cancelled { .. })));
    let nowhere = Job { recipe: Recipe { model: ModelId::Folder("/nowhere".into()), ..job.recipe.clone() }, ..job.clone() };
    assert!(worker.run(&nowhere, &mut ()).unwrap_err().why.contains("/nowhere"));
    let broken = Job { recipe: Recipe { steps: 0, ..job.recipe.clone() }, ..job };
    assert!(worker.run(&broken, &mut ()).unwrap_err().why.contains("0 steps"));
}

#[test]
fn the_worker_that_would_run_tells_its_plan_beforehand() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut backend = WorkerBackend::with_program(program());
    let intent = |edits, variations| Intent { model: ModelId::Nano, device: DeviceChoice::Cpu, edits, variations };
    let told = backend.forecast(&intent(false, 1)).unwrap();
    let worker = workers_of(std::process::id());
    assert!(told.device == "CPU" && told.plan.peak_bytes > 10 << 20 && !told.plan.is_step_down, "{told:?}");
    let more = backend.forecast(&intent(true, 4)).unwrap();
    assert!(more.plan.peak_bytes > told.plan.peak_bytes, "an edit in four variations takes more: {} {}", more.words(), told.words());
    // The run that follows is by the same worker and says the same.
    let mut seen = Told::default();
    backend.run(&jobs()[0], &mut seen).unwrap();
    assert_eq!(workers_of(std::process::id()), worker);
    let how = |words: &str| words.split(':').next().unwrap().to_owned();
    assert_eq!(how(&seen.plans[0]), how(&told.plan.words));
    // What cannot run says why, and the worker lives on; one that is dead is followed by another.
    let missing = Intent { model: ModelId::Folder("/nowhere".into()), ..intent(false, 1) };
    assert!(backend.forecast(&missing).unwrap_err().contains("no such folder"));
    assert!(backend.forecast(&intent(false, 17)).unwrap_err().contains("17 variations"));
    signal(worker[0], libc::SIGKILL);
    assert!(backend.forecast(&intent(false, 1)).is_ok());
    assert!(workers_of(std::process::id()).iter().all(|pid| !worker.contains(pid)));
}

#[test]
fn without_a_worker_the_model_runs_here() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let job = &jobs()[0];
    let undisturbed = made(EngineBackend::default().run(job, &mut ()).unwrap());
    // A program that is not there, and programs that are something else.
    for program in [folder.path().join("gone"), PathBuf::from("/bin/true"), PathBuf::from("/bin/echo"), PathBuf::from("/bin/false")] {
        let mut backend = WorkerBackend::with_program(program);
        assert_same(&made(backend.run(job, &mut ()).unwrap()), &undisturbed, "in this process");
        assert_eq!(backend.device(), "CPU");
    }
}

/// Kills the worker as soon as it has begun.
#[derive(Default)]
struct Killer(usize);

impl Observer for Killer {
    fn progress(&mut self, progress: &Progress) {
        // What it still told before it died comes behind.
        if (progress.stage, progress.done) == (Stage::Load, 0) {
            self.0 += 1;
            workers_of(std::process::id()).into_iter().for_each(|pid| signal(pid, libc::SIGKILL));
        }
    }
}

#[test]
fn one_that_dies_again_and_again_is_given_up() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut backend, mut killer) = (WorkerBackend::with_program(program()), Killer::default());
    let failure = backend.run(&jobs()[0], &mut killer).unwrap_err();
    assert!(failure.why.contains("broke off 3 times") && failure.out_of_memory, "{failure:?}");
    assert!(killer.0 >= 3);
    // The next job has a worker again.
    assert_eq!(made(backend.run(&jobs()[0], &mut ()).unwrap()).len(), 1);
}

/// A bench with a window's end of the lanes.
struct Window {
    jobs: Jobs,
    next: u64,
}

#[derive(Default)]
struct Seen {
    made: Vec<Made>,
    endings: Vec<Ending>,
    notices: Vec<String>,
    /// Answers of another lane meanwhile.
    shaped: usize,
}

impl Window {
    /// Runs a job and kills its workers, each after a moment; the other lanes have work meanwhile.
    fn run(&mut self, job: &Job, moments: &[(Duration, libc::c_int)]) -> Seen {
        self.next += 1;
        let id = JobId(self.next);
        self.jobs.send(Command::Submit(Box::new(Job { id, ..job.clone() })));
        let (mut seen, start) = (Seen::default(), Instant::now());
        let (mut moments, mut last) = (moments.iter(), Instant::now());
        let mut next = moments.next();
        let mask = Mask::new(64, 64).unwrap();
        let mut asked = 0;
        while seen.endings.is_empty() {
            assert!(start.elapsed() < Duration::from_mins(2), "{:?}", seen.notices);
            if let Some((after, with)) = next
                && last.elapsed() >= *after
                && let [pid, ..] = workers_of(std::process::id())[..]
            {
                signal(pid, *with);
                (last, next) = (Instant::now(), moments.next());
            }
            if asked == seen.shaped {
                self.jobs.send(Command::ShapeMask { mask: mask.clone(), by: Shape::Invert });
                asked += 1;
            }
            self.listen(id, &mut seen);
            std::thread::sleep(Duration::from_millis(1));
        }
        // Nothing comes behind the end.
        std::thread::sleep(Duration::from_millis(20));
        self.listen(id, &mut seen);
        seen
    }

    fn listen(&mut self, of: JobId, seen: &mut Seen) {
        for event in self.jobs.poll(1000) {
            match event {
                Event::Made { id, made, .. } if id == of => seen.made.push(*made),
                Event::Notice { id, text } if id == of => seen.notices.push(text),
                Event::Finished { id, ending } if id == of => seen.endings.push(ending),
                Event::MaskShaped { .. } => seen.shaped += 1,
                _ => {}
            }
        }
    }
}

#[test]
fn killed_at_any_moment_the_result_is_the_same() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let kills = number("PENTIMENTO_KILLS").map_or(KILLS, |n| n as usize);
    let seed = number("PENTIMENTO_KILL_SEED").unwrap_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 % 1_000_000);
    println!("PENTIMENTO_KILL_SEED={seed}");
    let mut dice = Dice(seed);
    dice.below(1);
    let jobs = Jobs::start(Box::new(WorkerBackend::with_program(program())), Arc::new(|| {})).unwrap();
    let mut window = Window { jobs, next: 0 };
    // How each goes when nobody disturbs it, the second time with a model that is loaded.
    let undisturbed: Vec<(Job, Seen, Duration)> = self::jobs()
        .into_iter()
        .map(|job| {
            window.run(&job, &[]);
            let start = Instant::now();
            let seen = window.run(&job, &[]);
            (job, seen, start.elapsed())
        })
        .collect();
    let (mut done, mut shaped, mut at_most) = (0, 0, std::collections::BTreeMap::<String, usize>::new());
    let mut round = 0;
    while done < kills {
        let (job, calm, length) = &undisturbed[round % undisturbed.len()];
        let with = [libc::SIGKILL, libc::SIGSEGV, libc::SIGABRT][dice.below(3) as usize];
        let moment = |dice: &mut Dice| Duration::from_micros(dice.below(length.as_micros() as u64));
        // Two that get nowhere are forgiven, a third is not.
        let moments: Vec<_> = (0..=round % 2).map(|_| (moment(&mut dice), with)).collect();
        let seen = window.run(job, &moments);
        assert_eq!(seen.endings.len(), 1, "round {round}");
        assert!(matches!(seen.endings[0], Ending::Done { .. }), "round {round}: {:?}", seen.endings);
        assert_same(&seen.made, &calm.made, &format!("round {round}, {:?}", seen.notices));
        done += seen.notices.len();
        shaped += seen.shaped;
        for notice in seen.notices {
            let place = notice.rsplit_once("; ").unwrap().1.split(" of picture").next().unwrap().to_owned();
            *at_most.entry(place).or_default() += 1;
        }
        round += 1;
        assert!(round < 20 * kills.max(1), "hardly any kill hits: {done} in {round} rounds");
    }
    println!("{}", serde_json::json!({ "kills": done, "rounds": round, "answers_meanwhile": shaped, "went_on": at_most }));
    assert!(shaped > round, "the other lanes stood still");
}
