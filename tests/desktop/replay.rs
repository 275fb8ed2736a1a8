//! A recipe on photos in the real window: dropped nowhere, but chosen by its own questions, looked through, saved, and gone on
//! with.

use crate::controls::{self, buttons, press_at};
use crate::program::Program;
use crate::screen::{HEIGHT, Screen, WIDTH};
use crate::tour::{key, rest};
use pentimento::document::RevisionId;
use pentimento::imaging::{self, Format, Picture, Tool};
use pentimento::project::Project;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Where the page lies.
const PAGE: [Range<usize>; 2] = [210..WIDTH as usize - 210, 10..HEIGHT as usize - 10];

fn photo(path: &Path, width: u32, height: u32) {
    let rgb: Vec<u8> = (0..width * height).flat_map(|i| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, 120]).collect();
    imaging::save(&Picture::from_rgb8(width, height, &rgb).unwrap(), path, Format::Png).unwrap();
}

/// Folders in which results wait.
fn rooms(home: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(home.join("cache")) else { return Vec::new() };
    entries.map(|e| e.unwrap().path()).filter(|p| p.file_name().unwrap().to_string_lossy().starts_with("replay-")).collect()
}

#[track_caller]
fn until(screen: &Screen, what: &str, there: impl Fn() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < Duration::from_mins(2), "{what}; {}", screen.keep());
        sleep(Duration::from_millis(50));
    }
}

/// Presses what brings a page over the window, or takes it away.
#[track_caller]
fn cover(screen: &Screen, keys: &str, comes: bool) {
    screen.key(keys);
    until(screen, keys, || buttons(screen, [0..WIDTH as usize, 0..48]).is_empty() == comes);
    rest(screen);
}

/// The button that leads on.
#[track_caller]
fn press_on(screen: &Screen, what: &str, there: impl Fn() -> bool) {
    rest(screen);
    let all = buttons(screen, PAGE);
    let on = all.iter().rfind(|b| b.is_accent).unwrap_or_else(|| panic!("nothing leads on; {}", screen.keep()));
    press_at(screen, (on.x, on.y), what, there);
}

#[test]
fn a_recipe_is_done_on_photos_from_the_window_alone() {
    let _one = crate::ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (screen, home) = (Screen::start(), tempfile::tempdir().unwrap());
    let [photos, results] = ["photos", "results"].map(|name| home.path().join(name));
    fs::create_dir(&photos).unwrap();
    fs::create_dir(&results).unwrap();
    photo(&home.path().join("first.png"), 300, 200);
    photo(&photos.join("a.png"), 120, 80);
    photo(&photos.join("b.png"), 60, 90);
    fs::write(photos.join("c.png"), b"\x89PNG\r\n\x1a\nnot really").unwrap();
    let mut program = Program::start(&screen, home.path(), &[&home.path().join("first.png")]);
    screen.until_title(60, |t| t.starts_with("first.png"));
    screen.focus();
    rest(&screen);
    key(&screen, "ctrl+l");
    screen.until_title(60, |t| t.starts_with("Turn left"));
    rest(&screen);

    // The page begins with the way to the picture; the third button asks for photos, and what leads on is then in its question.
    cover(&screen, "ctrl+shift+r", true);
    let leads_on = || buttons(&screen, PAGE).into_iter().rfind(|b| b.is_accent);
    let all = buttons(&screen, PAGE);
    assert!(all.len() >= 3 && leads_on().is_none(), "{all:?}; {}", screen.keep());
    press_at(&screen, (all[2].x, all[2].y), "nothing is asked", || leads_on().is_some());
    controls::answer(&screen, &photos);
    let is_whole =
        |room: &PathBuf| fs::read_dir(room).is_ok_and(|r| r.flatten().filter(|e| e.path().join("recipe.json").exists()).count() == 2);
    press_on(&screen, "it does not begin", || !rooms(home.path()).is_empty());
    until(&screen, "two photos are not done", || rooms(home.path()).first().is_some_and(is_whole));
    rest(&screen);
    key(&screen, "a");
    key(&screen, "a");
    crate::tour::shot(&screen, "replay");

    // The window does not take along unasked what is not saved.
    cover(&screen, "Escape", false);
    cover(&screen, "ctrl+q", true);
    assert!(program.is_running(), "results went with the window");
    crate::tour::shot(&screen, "replay-leaving");
    cover(&screen, "Escape", false);
    cover(&screen, "ctrl+shift+r", true);
    let on = leads_on().unwrap_or_else(|| panic!("what is accepted can be saved; {}", screen.keep()));
    let asked = || leads_on().is_some_and(|now| now != on);
    press_at(&screen, (on.x, on.y), "nothing is asked", asked);
    controls::answer(&screen, &results);
    until(&screen, "nothing was saved", || ["a.png", "b.png"].iter().all(|name| results.join(name).exists()));
    for name in ["a.png", "b.png"] {
        let want = Tool::Turn { quarters: 3 }.apply(&imaging::open(&photos.join(name)).unwrap()).unwrap();
        assert!(imaging::open(&results.join(name)).unwrap().to_rgb8() == want.to_rgb8(), "{name}");
    }

    // The last button above those at the bottom takes what is looked at into the history.
    rest(&screen);
    let all = buttons(&screen, [PAGE[0].clone(), HEIGHT as usize / 2..PAGE[1].end]);
    let lowest = all.iter().map(|b| b.y as i32).max().unwrap();
    let above = all.iter().filter(|b| (b.y as i32) < lowest - 20).map(|b| b.y as i32).max().unwrap();
    let keep = all.iter().rfind(|b| (b.y as i32 - above).abs() <= 6).unwrap();
    screen.click(keep.x, keep.y);
    program.until_kept(60, 4);
    screen.until_title(20, |t| t.starts_with("Turn left"));
    assert!(program.quit(&screen).0.success());
    let project = Project::open(&home.path().join("projects/current.pentimento")).unwrap();
    let document = project.document(1 << 32).unwrap();
    let [.., photo, turned] = document.revisions() else { unreachable!() };
    assert_eq!((photo.title(), turned.parent, turned.picture.size()), ("b.png", Some(RevisionId(2)), [90, 60]));
    drop(project);

    // What waited is gone with the next window at the latest.
    let _program = Program::start(&screen, home.path(), &[]);
    screen.until_title(60, |t| t.starts_with("Turn left"));
    until(&screen, "results stay on the disk", || rooms(home.path()).is_empty());
}
