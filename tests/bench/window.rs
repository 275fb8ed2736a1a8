//! Times the real window on a screen of memory, with a picture of 50 megapixels, and prints one JSON object:
//!
//!     cargo bench --profile dev --bench window
//!
//! The program itself keeps the times (`src/ui/times.rs` says what they are); this drives it with keys and mouse: it pans and
//! zooms at rest and while the small model edits, makes pictures, and stops jobs. Drawing is done in software where there is
//! no graphics card, and takes processors that a card would leave to the window and the model.

#[allow(dead_code, reason = "the tests of the window use all of it")]
#[path = "../desktop/controls.rs"]
mod controls;
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the window use all of it")]
#[path = "../desktop/program.rs"]
mod program;
#[allow(dead_code, clippy::unwrap_used, reason = "the tests of the window use all of it")]
#[path = "../desktop/screen.rs"]
mod screen;

use pentimento::imaging::{self, Format, Picture};
use pentimento::pipeline::Stage;
use program::Program;
use screen::Screen;
use serde_json::{Value, json};
use std::f32::consts::TAU;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Of the picture.
const SIZE: [u32; 2] = [8660, 5774];
/// How often the program is started, and how many jobs of a kind are timed.
const STARTS: usize = 5;
const JOBS: usize = 4;

fn main() {
    let folder = tempfile::tempdir().expect("a folder for what is made");
    let screen = Screen::start();
    let starts: Vec<Value> = (0..STARTS).map(|_| start(&screen, &folder.path().join("start"))).collect();
    let picture = folder.path().join("large.png");
    imaging::save(&large(), &picture, Format::Png).expect("the picture is written");
    let moved = move_about(&screen, &folder.path().join("moved"), &picture);
    let painted = paint_it(&screen, &folder.path().join("painted"), &picture);
    let frames = |lines: &[Value]| lines.iter().filter(|l| l.get("when").is_some()).cloned().collect::<Vec<Value>>();
    let (moved_frames, painted_frames) = (frames(&moved), frames(&painted));
    let jobs: Vec<&Value> = moved.iter().filter(|l| l.get("job").is_some()).collect();
    // Those that nobody stopped, in order. The first edit loads the model, while the picture is moved about.
    let of = |kind: &str| -> Value {
        let done: Vec<&&Value> = jobs.iter().filter(|j| j["job"] == kind && j["cancel_to_end_ms"].is_null()).collect();
        let all = |what: &str| done.iter().filter_map(|j| j[what].as_f64()).map(f64::round).collect::<Vec<f64>>();
        json!({ "first_token_ms": all("first_token_ms"), "first_preview_ms": all("first_preview_ms"), "end_ms": all("end_ms") })
    };
    let quick = |frames: &[Value]| frames.iter().all(|f| f["work_cpu_ms"][2].as_f64().is_some_and(|ms| ms < 4.0));
    let cancels: Vec<f64> = jobs.iter().filter_map(|j| j["cancel_to_end_ms"].as_f64()).collect();
    let starts_cpu: Vec<f64> = starts.iter().filter_map(|s| first_frame(s)?["cpu_ms"].as_f64()).collect();
    let middle = middle_of(&starts, &starts_cpu);
    println!(
        "{}",
        json!({
            "picture": format!("{} x {}", SIZE[0], SIZE[1]),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "start_to_first_frame_cpu_ms": starts_cpu,
            "a_start_in_the_middle": middle,
            "moved_about": moved_frames,
            "painted_on": painted_frames,
            "generate": of("generate"),
            "edit": of("edit"),
            "cancel_to_end_ms": cancels,
            "goals": {
                "work_cpu_p99_below_4_ms_moved_about": quick(&moved_frames),
                "work_cpu_p99_below_4_ms_painted_on": quick(&painted_frames),
                "start_below_500_ms_of_processor": first_frame(&middle).and_then(|f| f["cpu_ms"].as_f64()).is_some_and(|ms| ms < 500.0),
            },
        })
    );
}

/// Soft hills of colour: quick to pack, and no two places alike.
fn large() -> Picture {
    let [width, height] = SIZE;
    let wave = |n: u32, of: u32, turns: f32| ((n as f32 / of as f32 * turns * TAU).sin() * 60.0 + 128.0) as u8;
    let across: Vec<[u8; 3]> = (0..width).map(|x| [wave(x, width, 3.0), wave(x, width, 7.3), wave(x, width, 1.4)]).collect();
    let rgb: Vec<u8> = (0..height)
        .flat_map(|y| {
            let down = [wave(y, height, 2.0), wave(y, height, 5.1), wave(y, height, 9.7)];
            across.iter().flat_map(move |a| [0, 1, 2].map(|c| a[c] / 2 + down[c] / 2))
        })
        .collect();
    Picture::from_rgb8(width, height, &rgb).expect("as many bytes as pixels")
}

/// The program with its times, on a file or on nothing.
fn open(screen: &Screen, home: &Path, file: Option<&Path>) -> Program {
    let mut command = screen.command(env!("CARGO_BIN_EXE_pentimento"));
    Program::spawn(command.env("PENTIMENTO_HOME", home).env("PENTIMENTO_FRAME_TIMES", "1").args(file))
}

fn lines(printed: &str) -> Vec<Value> {
    printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Starts it and closes it; the line about the start.
fn start(screen: &Screen, home: &Path) -> Value {
    let mut program = open(screen, home, None);
    screen.until_title(60, |t| t.ends_with(" – Pentimento"));
    sleep(Duration::from_millis(500));
    screen.focus();
    let (_, printed) = program.quit(screen);
    lines(&printed).into_iter().find(|line| line.get("start").is_some()).expect("a line about the start")
}

fn first_frame(start: &Value) -> Option<&Value> {
    start["start"].as_array()?.iter().find(|mark| mark["at"] == "first frame")
}

fn middle_of(starts: &[Value], cpu: &[f64]) -> Value {
    let mut order: Vec<usize> = (0..cpu.len()).collect();
    order.sort_by(|a, b| cpu[*a].total_cmp(&cpu[*b]));
    order.get(order.len() / 2).map_or(Value::Null, |at| starts[*at].clone())
}

/// The program with the large picture, once that is on the screen and on the disk.
fn begin(screen: &Screen, home: &Path, picture: &Path) -> Program {
    let mut program = open(screen, home, Some(picture));
    screen.until_title(120, |t| t.starts_with("large.png"));
    program.until_kept(300, 1);
    screen.focus();
    program
}

/// Moves the large picture about, at rest and while it is edited; then times jobs, and stops some. What was printed at the end.
fn move_about(screen: &Screen, home: &Path, picture: &Path) -> Vec<Value> {
    let mut program = begin(screen, home, picture);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        pan(screen);
        zoom(screen);
    }
    screen.key("ctrl+0");
    controls::run(screen, "make it darker", 1);
    until_it_runs(screen);
    while runs(&screen.title()) {
        pan(screen);
        zoom(screen);
    }
    program.until_kept(300, 2);

    // Each when the one before is on the disk: packing a picture of that size is work too.
    let mut kept = 2;
    let mut jobs = |prompt: &str| {
        for _ in 0..JOBS {
            controls::run(screen, prompt, 1);
            kept += 1;
            program.until_kept(300, kept);
        }
    };
    jobs("make it brighter");
    controls::choose_new_picture(screen);
    jobs("a fox in the snow");
    controls::set_steps(screen, 100);
    for n in 0..2 * JOBS as u64 {
        controls::run(screen, "a boat at night", 1);
        until_it_runs(screen);
        sleep(Duration::from_millis(200 + 450 * n));
        // Where something is painted already, the first one asks.
        screen.key("Escape");
        sleep(Duration::from_millis(300));
        screen.key("Escape");
        until_it_rests(screen);
    }
    lines(&program.quit(screen).1)
}

/// Paints a selection with a brush as wide as a face, at rest and while a job runs. What was printed at the end.
fn paint_it(screen: &Screen, home: &Path, picture: &Path) -> Vec<Value> {
    let mut program = begin(screen, home, picture);
    screen.key("b");
    hands(screen, &"key bracketright sleep 0.03 ".repeat(15));
    (0..8).for_each(|_| paint(screen));
    hands(screen, "key ctrl+z sleep 0.3 key ctrl+z sleep 0.3");
    controls::run(screen, "make it darker", 1);
    until_it_runs(screen);
    until_it_rests(screen);
    program.until_kept(300, 2);
    // While the result is edited, what it was made from is painted on.
    controls::run(screen, "make it darker", 1);
    until_it_runs(screen);
    let (x, y) = controls::middle();
    screen.click(x, y);
    sleep(Duration::from_millis(500));
    screen.key("ctrl+z");
    while runs(&screen.title()) {
        paint(screen);
    }
    program.until_kept(300, 3);
    lines(&program.quit(screen).1)
}

fn runs(title: &str) -> bool {
    [Stage::Load, Stage::Vision, Stage::Blueprint, Stage::Denoise, Stage::Decode].iter().any(|s| title.starts_with(s.name()))
}

fn until_it_runs(screen: &Screen) {
    screen.until_title(60, runs);
}

fn until_it_rests(screen: &Screen) {
    screen.until_title(240, |title| !runs(title));
}

/// A second of dragging the picture about.
fn pan(screen: &Screen) {
    drag(screen, 2);
}

/// A second of painting.
fn paint(screen: &Screen) {
    drag(screen, 1);
}

/// Once around, with a button held down, sixty times a second.
fn drag(screen: &Screen, button: u8) {
    let (x, y) = controls::middle();
    let mut words = Vec::new();
    for i in 0..60u8 {
        let turn = f32::from(i) / 60.0 * TAU;
        words.push(format!("mousemove {:.0} {:.0}", x + 200.0 * turn.sin(), y + 120.0 * (turn.cos() - 1.0)));
        if i == 0 {
            words.push(format!("mousedown {button}"));
        }
        words.push("sleep 0.0167".to_owned());
    }
    words.push(format!("mouseup {button}"));
    hands(screen, &words.join(" "));
}

/// In and out again, a notch every twentieth of a second.
fn zoom(screen: &Screen) {
    let (x, y) = controls::middle();
    screen.to(x + 90.0, y - 40.0);
    let notches = |button: &str| format!("click {button} sleep 0.05 ").repeat(8);
    hands(screen, &(notches("4") + &notches("5")));
}

/// Movements in one go, so that nothing but themselves takes time.
fn hands(screen: &Screen, words: &str) {
    screen.xdotool(&words.split_whitespace().collect::<Vec<_>>());
}
