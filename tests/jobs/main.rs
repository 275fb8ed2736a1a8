//! The lanes with a model that is made up: what a window can rely on.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod keeping;
mod replaying;
#[cfg(unix)]
#[path = "../project/small_disk.rs"]
mod small_disk;
mod upscaling;

use pentimento::document::{Begins, Chain, Link, RevisionId};
use pentimento::export::Switches;
use pentimento::imaging::{Picture, Tool};
use pentimento::jobs::{
    Backend, Command, ConvertRequest, Converted, DeviceChoice, Ending, Event, Failure, Job, JobId, Jobs, MeasureRequest, Precision,
    Precisions,
};
use pentimento::pipeline::{Made, Observer, Outcome, Progress, Stage};
use pentimento::recipe::{ModelId, Recipe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Takes steps of some milliseconds; the prompt says what goes wrong.
struct Fake {
    forgot: Arc<AtomicUsize>,
    steps: Arc<AtomicUsize>,
}

impl Backend for Fake {
    fn run(&mut self, job: &Job, observer: &mut dyn Observer) -> Result<Outcome, Failure> {
        let mut made = Vec::new();
        for v in 0..job.variations {
            for done in 0..job.recipe.steps {
                if observer.is_cancelled() {
                    return Ok(Outcome::Cancelled { made });
                }
                self.steps.fetch_add(1, Ordering::Relaxed);
                match job.recipe.prompt.as_str() {
                    "panic" if done == 2 => panic!("a wire is loose"),
                    "fail" if done == 2 => return Err(Failure { why: "out of paint".to_owned(), out_of_memory: true }),
                    "flood" => {}
                    _ => std::thread::sleep(Duration::from_millis(5)),
                }
                let progress = Progress {
                    stage: Stage::Denoise,
                    done: done + 1,
                    total: job.recipe.steps,
                    seconds: 0.0,
                    variation: (v, job.variations),
                };
                observer.progress(&progress);
            }
            let picture = Picture::from_rgb8(2, 1, &[1, 2, 3, 4, 5, 6]).unwrap();
            made.push(Made { picture, recipe: job.recipe.variation(v as u64), tokens: vec![7], path: vec![], reconstruction: None });
            observer.made(&made[v]);
        }
        Ok(Outcome::Done { made, seconds: vec![(Stage::Denoise, 1.0)] })
    }

    fn device(&self) -> String {
        "easel".to_owned()
    }

    fn forget(&mut self) {
        self.forgot.fetch_add(1, Ordering::Relaxed);
    }
}

struct Bench {
    jobs: Jobs,
    forgot: Arc<AtomicUsize>,
    steps: Arc<AtomicUsize>,
    woken: Arc<AtomicUsize>,
}

fn bench() -> Bench {
    let count = || Arc::new(AtomicUsize::new(0));
    let (forgot, steps, woken) = (count(), count(), count());
    let fake = Fake { forgot: forgot.clone(), steps: steps.clone() };
    let wakes = woken.clone();
    let wake = Arc::new(move || {
        wakes.fetch_add(1, Ordering::Relaxed);
    });
    Bench { jobs: Jobs::start(Box::new(fake), wake).unwrap(), forgot, steps, woken }
}

fn job(id: u64, prompt: &str, steps: usize, variations: usize) -> Command {
    let recipe = Recipe { steps, ..Recipe::new(ModelId::Nano, prompt) };
    Command::Submit(Box::new(Job {
        id: JobId(id),
        recipe,
        reference: None,
        place: None,
        variations,
        tokens: None,
        path: vec![],
        device: DeviceChoice::default(),
    }))
}

impl Bench {
    /// All events until one satisfies `last`.
    fn until(&mut self, last: impl Fn(&Event) -> bool) -> Vec<Event> {
        let (mut all, start) = (Vec::new(), Instant::now());
        while start.elapsed() < Duration::from_secs(20) {
            all.extend(self.jobs.poll(1000));
            if all.iter().any(&last) {
                return all;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("it never came, only {all:?}");
    }
}

fn finished(event: &Event, id: u64) -> bool {
    matches!(event, Event::Finished { id: i, .. } if *i == JobId(id))
}

fn endings(events: &[Event], id: u64) -> Vec<Ending> {
    let of = |e: &Event| match e {
        Event::Finished { id: i, ending } if *i == JobId(id) => Some(ending.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn a_job_starts_makes_and_finishes_once() {
    let mut bench = bench();
    bench.jobs.send(job(1, "ok", 4, 2));
    let events = bench.until(|e| finished(e, 1));
    assert!(matches!(events[0], Event::Started { id: JobId(1) }), "{:?}", events[0]);
    let made: Vec<u64> =
        events.iter().filter_map(|e| if let Event::Made { made, .. } = e { Some(made.recipe.seed) } else { None }).collect();
    assert_eq!(made, [0, 1]);
    assert_eq!(endings(&events, 1), [Ending::Done { seconds: vec![(Stage::Denoise, 1.0)], device: "easel".to_owned() }]);
    assert!(bench.woken.load(Ordering::Relaxed) >= 4, "the window was not woken");
}

#[test]
fn a_cancel_is_seen_within_a_step_and_keeps_what_is_made() {
    let mut bench = bench();
    bench.jobs.send(job(1, "ok", 20, 50));
    bench.until(|e| matches!(e, Event::Made { .. }));
    bench.jobs.send(Command::Cancel(JobId(1)));
    let at = bench.steps.load(Ordering::Relaxed);
    let events = bench.until(|e| finished(e, 1));
    assert_eq!(endings(&events, 1), [Ending::Cancelled]);
    assert!(bench.steps.load(Ordering::Relaxed) <= at + 1);
}

#[test]
fn a_job_cancelled_before_its_turn_never_starts() {
    let mut bench = bench();
    bench.jobs.send(job(1, "ok", 20, 1));
    bench.jobs.send(job(2, "ok", 20, 1));
    bench.jobs.send(Command::Cancel(JobId(2)));
    let events = bench.until(|e| finished(e, 2));
    assert_eq!(endings(&events, 2), [Ending::Cancelled]);
    assert!(!events.iter().any(|e| matches!(e, Event::Started { id: JobId(2) })));
}

#[test]
fn a_panic_fails_the_job_and_not_the_lane() {
    let mut bench = bench();
    bench.jobs.send(job(1, "panic", 5, 1));
    bench.jobs.send(job(2, "fail", 5, 1));
    bench.jobs.send(job(3, "ok", 1, 1));
    let events = bench.until(|e| finished(e, 3));
    let Ending::Failed { why, out_of_memory: false } = &endings(&events, 1)[0] else { panic!("{events:?}") };
    assert!(why.contains("a wire is loose"), "{why}");
    assert_eq!(bench.forgot.load(Ordering::Relaxed), 1, "models of a panic are not used again");
    assert_eq!(endings(&events, 2), [Ending::Failed { why: "out of paint".to_owned(), out_of_memory: true }]);
    assert!(matches!(endings(&events, 3)[..], [Ending::Done { .. }]));
}

#[test]
fn a_slow_window_loses_news_but_no_event() {
    let mut bench = bench();
    bench.jobs.send(job(1, "flood", 10_000, 3));
    std::thread::sleep(Duration::from_millis(300)); // nobody looks
    let events = bench.until(|e| finished(e, 1));
    let news: Vec<usize> =
        events.iter().filter_map(|e| if let Event::Progress { progress, .. } = e { Some(progress.done) } else { None }).collect();
    assert!(news.len() < 10_000, "{}", news.len());
    assert_eq!(news.last(), Some(&10_000), "the newest wins");
    assert_eq!(events.iter().filter(|e| matches!(e, Event::Made { .. })).count(), 3);
    assert_eq!(endings(&events, 1).len(), 1);
}

#[test]
fn the_end_of_the_window_ends_the_job() {
    let Bench { jobs, steps, .. } = {
        let mut bench = bench();
        bench.jobs.send(job(1, "ok", 100_000, 1));
        bench.until(|e| matches!(e, Event::Progress { .. }));
        bench
    };
    drop(jobs);
    std::thread::sleep(Duration::from_millis(100));
    let at = steps.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(steps.load(Ordering::Relaxed), at, "it went on");
}

#[test]
fn tools_lengths_and_recipes_find_their_way() {
    let mut bench = bench();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.jpg");
    let source = Picture::from_rgb8(60, 40, &(0..60 * 40 * 3).map(|i| (i * 7 % 251) as u8).collect::<Vec<u8>>()).unwrap();
    let tool = Tool::Turn { quarters: 1 };
    bench.jobs.send(Command::Change { of: RevisionId(7), source: source.clone(), tool });
    let Some(Event::Changed { of: RevisionId(7), result: Ok(made), .. }) = bench.until(|e| matches!(e, Event::Changed { .. })).pop() else {
        panic!("no result")
    };
    assert_eq!((made.picture.clone(), made.pyramid.size()), (tool.apply(&source).unwrap(), [40, 60]));
    let recipe = Box::new(Recipe::new(ModelId::Nano, "a fox"));
    let chain = Chain::new(Begins::Picture, vec![Link::Model { recipe, place: None }]);
    let format = pentimento::imaging::Format::Jpeg(80);
    // Only the newest question is answered, and not once it is stopped.
    for ticket in 1..=3 {
        let request = MeasureRequest { ticket, picture: source.clone(), format, chain: chain.clone(), switches: Switches::default() };
        bench.jobs.send(Command::MeasureExport(Box::new(request)));
    }
    let measured = bench.until(|e| matches!(e, Event::ExportMeasured { ticket: 3, .. }));
    let Some(Event::ExportMeasured { bytes: Ok(bytes), .. }) = measured.last() else { panic!("{measured:?}") };
    let bytes = *bytes;
    bench.jobs.send(Command::Export {
        picture: source,
        path: path.clone(),
        format,
        chain: Box::new(chain.clone()),
        switches: Switches::default(),
    });
    bench.jobs.send(Command::Open(path.clone()));
    let found = bench.until(|e| matches!(e, Event::FoundRecipe { .. })).pop();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), bytes);
    assert!(matches!(found, Some(Event::FoundRecipe { name, found }) if name == "out.jpg" && found.chain == Some(chain)));
}

#[test]
fn files_are_opened_and_written_and_bad_ones_get_a_sentence() {
    let mut bench = bench();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.png");
    let picture = Picture::from_rgb8(300, 200, &vec![9; 3 * 300 * 200]).unwrap();
    let format = pentimento::imaging::Format::of(&path, 90).unwrap();
    bench.jobs.send(Command::Export {
        picture: picture.clone(),
        path: path.clone(),
        format,
        chain: Box::new(Chain::new(Begins::Picture, vec![])),
        switches: Switches::default(),
    });
    bench.jobs.send(Command::Open(path.clone()));
    bench.jobs.send(Command::Open(folder.path().join("none.png")));
    bench.jobs.send(Command::Open(folder.path().to_owned()));
    let mut opened = Vec::new();
    for event in bench.until(|e| matches!(e, Event::Opened { name, .. } if *name == folder.path().file_name().unwrap().to_string_lossy())) {
        match event {
            Event::Exported { result, .. } => result.unwrap(),
            Event::Opened { name, result, .. } => opened.push((name, result)),
            other => panic!("{other:?}"),
        }
    }
    let (back, pyramid, thumbnail) = opened[0].1.as_ref().unwrap();
    assert_eq!((back, pyramid.size()), (&picture, [300, 200]));
    assert_eq!((thumbnail.width, thumbnail.height, thumbnail.rgba.len()), (192, 128, 4 * 192 * 128));
    assert!(opened[1..].iter().all(|(_, result)| result.is_err()));
}

#[test]
fn a_conversion_goes_beside_a_job_and_stops_when_told() {
    let mut bench = bench();
    let home = tempfile::tempdir().unwrap();
    let convert = |name: &str, model: ModelId| {
        Command::Convert(Box::new(ConvertRequest { model, out: home.path().join(name), precisions: Precisions::all(Precision::Q8) }))
    };
    bench.jobs.send(job(1, "ok", 100_000, 1));
    bench.jobs.send(convert("a", ModelId::Nano));
    bench.jobs.send(convert("none", ModelId::Folder(home.path().join("nothing"))));
    let ended = |e: &Event, name: &str| matches!(e, Event::Converted { out, .. } if out.ends_with(name));
    let events = bench.until(|e| ended(e, "none"));
    let results: Vec<_> = events.iter().filter_map(|e| if let Event::Converted { result, .. } = e { Some(result) } else { None }).collect();
    assert!(matches!(results[..], [Ok(Converted::Done { .. }), Err(why)] if why.contains("no such folder")), "{results:?}");
    assert!(events.iter().any(|e| matches!(e, Event::Converting { .. })) && !events.iter().any(|e| finished(e, 1)));
    assert!(home.path().join("a/pentimento.json").is_file());
    // Those that wait are stopped too; what is asked for afterwards is not.
    bench.jobs.send(convert("b", ModelId::Nano));
    bench.jobs.send(convert("c", ModelId::Nano));
    bench.jobs.send(Command::CancelConversion);
    bench.jobs.send(convert("d", ModelId::Nano));
    let events = bench.until(|e| ended(e, "d"));
    let done: Vec<bool> = ["b", "c", "d"]
        .map(|name| {
            let of = |e: &Event| matches!(e, Event::Converted { out, result: Ok(Converted::Done { .. }) } if out.ends_with(name));
            events.iter().filter(|e| ended(e, name)).count() == 1 && events.iter().any(of)
        })
        .to_vec();
    assert_eq!(done[1..], [false, true], "{events:?}");
    bench.jobs.send(Command::Cancel(JobId(1)));
    bench.until(|e| finished(e, 1));
}
