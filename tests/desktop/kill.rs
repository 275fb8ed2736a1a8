//! The program is killed again and again while it makes pictures, while a selection is painted, and while it keeps them:
//! whatever it had reported as kept, and whatever was there before, is there at the next start.
//!
//!     PENTIMENTO_KILLS=200 cargo test --test desktop kill -- --nocapture
//!
//! `PENTIMENTO_KILL_SEED` repeats the moments of an earlier time, as far as a machine can.

use crate::program::Program;
use crate::screen::Screen;
use crate::{ONE, controls};
use pentimento::document::RevisionId;
use pentimento::imaging::{self, Format, Mask, Picture};
use pentimento::pipeline::Stage;
use pentimento::project::{Error, Project};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Rounds, where nobody says how many.
const ROUNDS: u64 = 6;
/// Of every picture that is made here.
const SIDE: u32 = 256;
/// Jobs that are asked for in a round: while one is painted, the one before is being kept.
const JOBS: usize = 3;
/// The latest moment of a kill, after a job that it waits for; how long it waits; and what it takes to read a title.
const ANY_MOMENT: Duration = Duration::from_millis(700);
const LATEST: Duration = Duration::from_secs(8);
const READING_TITLE: Duration = Duration::from_millis(60);

struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % n
    }
}

/// What a project's file holds.
struct Found {
    /// Hashes of the pictures.
    pictures: BTreeMap<RevisionId, u64>,
    /// What the window's title says of the revision that is looked at.
    title: String,
    /// Pixels that are selected.
    selected: u64,
}

/// Looks into the file as a second window does, and has SQLite check all of it.
fn look(path: &Path) -> Result<Found, Error> {
    let project = Project::open_read_only(path)?;
    project.check()?;
    let document = project.document(1 << 40)?;
    let hash = |picture: &Picture| {
        let mut hasher = DefaultHasher::new();
        (picture.width(), picture.height(), picture.to_rgba8()).hash(&mut hasher);
        hasher.finish()
    };
    let pictures = document.revisions().iter().map(|r| (r.id, hash(r.picture.here().unwrap()))).collect();
    let title = format!("{} – Pentimento", document.current().unwrap().title());
    let selected = project.state()?.mask.map_or(0, |bytes| Mask::unpack(&bytes).unwrap().count());
    Ok(Found { pictures, title, selected })
}

/// Everything that must be there.
#[derive(Default)]
struct Known {
    pictures: BTreeMap<RevisionId, u64>,
    promised: Vec<RevisionId>,
    /// Pixels of the selection that was reported as kept last; strokes only add to it.
    selected: u64,
}

impl Known {
    /// Nothing is missing and nothing has changed; what is new is known from here on.
    fn compare(&mut self, found: &Found, round: u64) {
        for (id, hash) in &self.pictures {
            assert_eq!(found.pictures.get(id), Some(hash), "round {round}: revision {} is gone, or another picture", id.0);
        }
        for id in &self.promised {
            assert!(found.pictures.contains_key(id), "round {round}: revision {} was reported as kept and is gone", id.0);
        }
        assert!(found.selected >= self.selected, "round {round}: of {} selected pixels {} are left", self.selected, found.selected);
        self.pictures.clone_from(&found.pictures);
    }
}

/// Asks for a few jobs by the keyboard, in every other round without a picture to edit.
fn ask(screen: &Screen, round: u64) {
    controls::set_steps(screen, 4);
    if round % 2 == 1 {
        controls::choose_new_picture(screen);
    }
    controls::run(screen, &format!("a red car in the snow, {round}"), JOBS);
}

/// Paints strokes of a selection, each of which is kept when it ends, until long after the program is gone.
fn paint(screen: &Screen, dice: &mut Dice) -> Child {
    let (x, y) = controls::middle();
    let mut place = || format!("mousemove {} {}", x as u64 - 160 + dice.below(320), y as u64 - 160 + dice.below(320));
    let stroke = |_| format!("{} mousedown 1 sleep 0.05 {} sleep 0.05 {} sleep 0.1 mouseup 1 sleep 0.05", place(), place(), place());
    let words = (0..12).map(stroke).collect::<Vec<String>>().join(" ");
    screen.key("b");
    sleep(Duration::from_millis(300)); // what comes in the same frame is not for the brush yet
    screen.hands(&words)
}

#[test]
fn killed_at_any_moment_it_finds_everything_again() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<u64>().ok());
    let rounds = number("PENTIMENTO_KILLS").unwrap_or(ROUNDS);
    let nanoseconds = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 % 1_000_000;
    let seed = number("PENTIMENTO_KILL_SEED").unwrap_or_else(nanoseconds);
    println!("PENTIMENTO_KILL_SEED={seed}");
    let (mut dice, start) = (Dice(seed), Instant::now());
    dice.below(1); // small seeds are alike at first
    let (screen, home) = (Screen::start(), tempfile::tempdir().unwrap());
    let path = home.path().join("projects/current.pentimento");
    let journal = home.path().join("projects/current.pentimento-journal");
    let begin = home.path().join("meadow.png");
    let rgb: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| [(i % SIDE) as u8, 160, (i / SIDE) as u8]).collect();
    imaging::save(&Picture::from_rgb8(SIDE, SIDE, &rgb).unwrap(), &begin, Format::Png).unwrap();

    let first = [begin.as_path()];
    let mut known = Known::default();
    let (mut generating, mut painting, mut between, mut saving) = (0, 0, 0, 0);
    let (mut unfinished, mut reported, mut strokes) = (0, 0, 0);
    let mut slowest_start = Duration::ZERO;
    for round in 0..=rounds {
        let began = Instant::now();
        let mut program = Program::start(&screen, home.path(), if round == 0 { &first } else { &[] });
        // The program itself puts right what the last kill has left.
        let title = screen.until_title(60, |t| t.ends_with(" – Pentimento") || !program.is_running());
        assert!(program.is_running(), "round {round}: it does not start: {:#?}", program.said(""));
        slowest_start = slowest_start.max(began.elapsed());
        if round == 0 {
            program.until_kept(30, 1);
        }
        let found = look(&path).unwrap_or_else(|e| panic!("round {round}: {e}"));
        assert_eq!(title, found.title, "round {round}: it shows the revision that was looked at last");
        known.compare(&found, round);
        if round == rounds {
            // The last one goes on working and ends by itself.
            screen.focus();
            ask(&screen, round);
            program.until_kept(60, 1);
            assert!(program.quit(&screen).0.success());
            break;
        }
        screen.focus();
        // In every third round nothing is made; a selection is painted.
        let mut hands = None;
        if round % 3 == 2 {
            hands = Some(paint(&screen, &mut dice));
        } else {
            ask(&screen, round);
        }
        // After some of the jobs, however fast this machine is, and then at any moment of the next one. A third of the kills
        // are aimed at the moment when something is written.
        let (after, aimed) = (dice.below(JOBS as u64) as usize, dice.below(3) == 0);
        let any = if hands.is_some() { 5 * ANY_MOMENT } else { ANY_MOMENT };
        let at = Duration::from_micros(dice.below(if aimed { 4_000 } else { any.as_micros() as u64 }));
        let late = Instant::now() + LATEST;
        while hands.is_none() && program.kept().len() < after && Instant::now() < late {
            sleep(Duration::from_millis(1));
        }
        while aimed && !journal.exists() && Instant::now() < late {
            std::hint::spin_loop();
        }
        let then = Instant::now() + at;
        // Reading the title takes a moment of its own.
        sleep(at.saturating_sub(READING_TITLE));
        let title = if at > READING_TITLE { screen.title() } else { String::new() };
        sleep(then.saturating_duration_since(Instant::now()));
        assert!(program.is_running(), "round {round}: it ended by itself: {:#?}", program.said(""));
        program.kill();
        let painted = program.kept_selection().filter(|_| hands.is_some());
        let paints = hands.map(|mut hands| hands.wait().unwrap()).is_some(); // and lets the button go
        let kept = program.kept();
        reported += kept.len();
        known.promised.extend(kept.into_iter().map(RevisionId));
        let stages = [Stage::Load, Stage::Vision, Stage::Blueprint, Stage::Denoise, Stage::Decode];
        match (journal.exists(), stages.iter().any(|s| title.starts_with(s.name()))) {
            (true, _) => saving += 1,
            (false, true) => generating += 1,
            (false, false) if paints => painting += 1,
            (false, false) => between += 1,
        }
        strokes += u64::from(painted.is_some());
        known.selected = painted.unwrap_or(0);
        match look(&path) {
            Ok(found) => known.compare(&found, round),
            // Who only looks cannot put right what is half written, and says so.
            Err(Error::Unfinished { .. }) => unfinished += 1,
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    let line = serde_json::json!({
        "rounds": rounds,
        "revisions": known.pictures.len(),
        "reported_as_kept": reported,
        "kills": { "generating": generating, "painting": painting, "saving": saving, "between": between },
        "selections_kept": strokes,
        "half_written": unfinished,
        "slowest_start_s": slowest_start.as_secs_f64(),
        "seconds": start.elapsed().as_secs_f64(),
        "seed": seed,
    });
    println!("{line}");
    assert!(known.pictures.len() as u64 > rounds / 3, "hardly anything was made: {line}");
}
