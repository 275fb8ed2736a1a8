//! The real program in a real window, with keys and mouse: the main job from the first to the last step.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![cfg(target_os = "linux")]

mod controls;
mod disk;
mod kill;
mod models;
mod program;
#[allow(dead_code, reason = "made for the tests of the hub")]
#[path = "../hub/scene.rs"]
mod scene;
mod screen;
#[allow(dead_code, reason = "made for the tests of the hub")]
#[path = "../hub/server.rs"]
mod server;
mod tour;

use controls::{middle, press_at, run_button};
use pentimento::imaging::{self, Format, Picture};
use program::Program;
use screen::Screen;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// One window at a time: a software renderer takes all processors.
static ONE: Mutex<()> = Mutex::new(());

/// Columns of a picture that something may be drawn over.
const RIM: usize = 6;

#[test]
fn open_type_run_watch_and_export() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (screen, home) = (Screen::start(), tempfile::tempdir().unwrap());
    // A scene of the small model's world, in an odd size.
    let (side, high) = (301, 213);
    let rgb: Vec<u8> =
        (0..side * high).flat_map(|i| if i / side < 120 { [120, 190, 240] } else { [110, (180 + i % side / 20) as u8, 80] }).collect();
    // The box that the model sees is drawn over its sides.
    let inner = |rgb: &[u8]| rgb.chunks(3 * side).flat_map(|row| row[3 * RIM..3 * (side - RIM)].to_vec()).collect::<Vec<u8>>();
    let (wide, seen) = (side - 2 * RIM, inner(&rgb));
    let photo = home.path().join("meadow.png");
    imaging::save(&Picture::from_rgb8(side as u32, high as u32, &rgb).unwrap(), &photo, Format::Png).unwrap();
    let mut program = Program::start(&screen, home.path(), &[&photo]);
    screen.until_title(60, |t| t.starts_with("meadow.png"));
    screen.focus();

    // The picture is on the canvas, pixel by pixel, where 100 % is asked for.
    sleep(Duration::from_millis(500));
    screen.key("ctrl+1");
    screen.until(20, "the picture is not on the canvas", |shot| shot.find(wide, high, &seen).is_some());

    // The wheel zooms and a drag moves.
    let at = screen.shot().find(wide, high, &seen).unwrap();
    let (x, y) = middle();
    screen.drag((x, y), (x + 40.0, y - 30.0));
    screen.to(20.0, 600.0); // the pointer is part of the screen
    let moved = Some((at.0 + 40, at.1 - 30));
    screen.until(20, "the drag did not move the picture", |shot| shot.find(wide, high, &seen) == moved);
    let (x, y) = middle();
    screen.to(x, y);
    screen.wheel(2);
    screen.to(20.0, 600.0);
    screen.until(20, "the wheel did not zoom", |shot| shot.find(wide, high, &seen).is_none());
    screen.key("ctrl+0");

    // Words by the keyboard, the button by the mouse.
    screen.key("slash");
    sleep(Duration::from_millis(200));
    screen.types("make it darker");
    sleep(Duration::from_secs(2)); // a click in the frame of the last letters would take the cursor from them
    press_at(&screen, run_button(), "the run does not begin", || !screen.title().starts_with("meadow.png"));
    screen.until_title(60, |t| t.starts_with("Painting"));
    screen.to(20.0, 600.0);
    let mut previews = BTreeSet::new();
    let start = Instant::now();
    loop {
        let (x, y) = middle();
        previews.insert(screen.shot().part(x as usize - 60, y as usize - 60, 120, 120));
        if !screen.title().starts_with("Painting") {
            break;
        }
        assert!(start.elapsed() < Duration::from_mins(4), "it never ends; {}", screen.keep());
    }
    screen.until_title(60, |t| t.starts_with("make it darker"));
    assert!(previews.len() >= 4, "only {} different pictures while it painted (the last may be the result)", previews.len());

    // Export what is on the canvas; this system is said to have no dialogs, so the window asks.
    let out = home.path().join("result.png");
    screen.key("ctrl+shift+e");
    sleep(Duration::from_millis(300)); // the page comes first, and Enter is its Save
    screen.key("Return");
    controls::answer(&screen, &out);
    let start = Instant::now();
    while !out.exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "nothing was exported; {}", screen.keep());
        sleep(Duration::from_millis(50));
    }
    let exported = imaging::open(&out).unwrap();
    assert_eq!((exported.width() as usize, exported.height() as usize), (side, high), "the edit is put into its picture");
    screen.key("ctrl+1");
    screen.to(20.0, 600.0);
    let shown = inner(&exported.to_rgb8());
    screen.until(20, "the file is not the picture on the canvas", |shot| shot.find(wide, high, &shown).is_some());

    // Back to where it came from, and out.
    screen.key("ctrl+z");
    screen.until_title(10, |t| t.starts_with("meadow.png"));
    screen.key("ctrl+shift+z");
    screen.until_title(10, |t| t.starts_with("make it darker"));
    assert!(program.quit(&screen).0.success());

    // All of it is there at the next start, and after a violent end as well.
    let mut program = Program::start(&screen, home.path(), &[]);
    screen.until_title(60, |t| t.starts_with("make it darker"));
    screen.focus();
    sleep(Duration::from_millis(500));
    screen.key("ctrl+1");
    screen.until(20, "the picture is not on the canvas again", |shot| shot.find(wide, high, &shown).is_some());
    program.kill();
    let _program = Program::start(&screen, home.path(), &[]);
    screen.until_title(60, |t| t.starts_with("make it darker"));
    screen.focus();
    screen.key("ctrl+z");
    screen.until_title(10, |t| t.starts_with("meadow.png"));
}

#[test]
fn a_run_is_stopped_by_escape_and_bad_files_say_so() {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (screen, home) = (Screen::start(), tempfile::tempdir().unwrap());
    let broken = home.path().join("broken.png");
    std::fs::write(&broken, b"\x89PNG\r\n\x1a\nnot really").unwrap();
    let mut program = Program::start(&screen, home.path(), &[&broken]);
    program.until_said(60, "broken.png cannot be opened", 1);
    screen.until_title(10, |t| t == "Pentimento");
    screen.focus();
    controls::set_steps(&screen, 100);
    controls::run(&screen, "a fox in the snow", 1);
    screen.until_title(60, |t| t.starts_with("Writing") || t.starts_with("Painting"));
    screen.key("Escape");
    sleep(Duration::from_millis(700));
    screen.key("Escape"); // where something was painted already, the first one asks
    screen.until_title(30, |t| t == "Pentimento");
    assert!(program.is_running(), "it ended");
}

#[test]
fn without_a_display_it_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pentimento"));
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").env("PENTIMENTO_HOME", home.path());
    let done = command.output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(said.contains("no display") && said.contains("pentimento generate"), "{said}");
}
