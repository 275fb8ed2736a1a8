//! A tour through the window by keys and pointer: open a photo, select, edit, choose, compare, branch, look at steps, leave,
//! and come back.
//!
//! `PENTIMENTO_TOUR=folder cargo test --test desktop tour` keeps a picture of each stop.

use crate::controls::{self, middle};
use crate::program::Program;
use crate::screen::{HEIGHT, Screen, WIDTH};
use pentimento::document::{Placing, RevisionId};
use pentimento::imaging::{self, Format, Picture, compare};
use pentimento::project::Project;
use pentimento::ui::theme;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Lets the window draw what was asked for: until nothing moves any more above the prompt, where the cursor blinks.
#[track_caller]
pub fn rest(screen: &Screen) {
    let seen = || {
        let shot = screen.shot();
        shot.part(0, 0, WIDTH as usize, HEIGHT as usize - 130)
    };
    let start = Instant::now();
    let (mut last, mut since) = (seen(), Instant::now());
    while since.elapsed() < Duration::from_millis(1200) {
        assert!(start.elapsed() < Duration::from_mins(1), "it never rests; {}", screen.keep());
        sleep(Duration::from_millis(100));
        let now = seen();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
}

/// Presses a key and waits for what comes of it.
#[track_caller]
pub fn key(screen: &Screen, keys: &str) {
    screen.key(keys);
    rest(screen);
}

/// A stop of the tour.
pub fn stop(screen: &Screen, name: &str) {
    rest(screen);
    shot(screen, name);
}

pub fn shot(screen: &Screen, name: &str) {
    let Some(folder) = std::env::var_os("PENTIMENTO_TOUR").map(PathBuf::from) else { return };
    let shot = screen.shot();
    let picture = Picture::from_rgb8(shot.width as u32, shot.height as u32, &shot.rgb).unwrap();
    imaging::save(&picture, &folder.join(name).with_extension("png"), Format::Png).unwrap();
}

/// A larger photo than the model's: the welcome picture, three times as wide, and a meadow around it.
fn photo(path: &Path) {
    let fox = imaging::decode(include_bytes!("../../assets/welcome.png")).unwrap();
    let (side, rgb) = (fox.width() as usize, fox.to_rgb8());
    let (width, height) = (1500, 1000);
    let at = |x: usize, y: usize| {
        let (fx, fy) = ((x as i64 - 430).clamp(0, side as i64 - 1) as usize, (y as i64 - 180).clamp(0, side as i64 - 1) as usize);
        [0, 1, 2].map(|c| rgb[3 * (fy * side + fx) + c])
    };
    let pixels: Vec<u8> = (0..width * height).flat_map(|i| at(i % width, i / width)).collect();
    imaging::save(&Picture::from_rgb8(width as u32, height as u32, &pixels).unwrap(), path, Format::Png).unwrap();
}

#[test]
fn tour() {
    let _one = crate::ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (screen, home) = (Screen::start(), tempfile::tempdir().unwrap());
    let path = home.path().join("fox.png");
    photo(&path);
    let source = imaging::open(&path).unwrap();
    let mut program = Program::start(&screen, home.path(), &[&path]);
    screen.until_title(60, |t| t.starts_with("fox.png"));
    screen.focus();
    rest(&screen);
    controls::set_steps(&screen, 8);
    sleep(Duration::from_secs(1)); // the cursor blinks in the field
    key(&screen, "Return");
    let (x, y) = middle();
    stop(&screen, "1-open");

    // A selection by the brush, and another stroke that is taken back.
    key(&screen, "b");
    rest(&screen);
    screen.drag((x - 70.0, y + 20.0), (x + 60.0, y + 40.0));
    screen.drag((x - 250.0, y - 120.0), (x - 200.0, y - 120.0));
    rest(&screen);
    key(&screen, "ctrl+z");
    stop(&screen, "2-selection");

    // An edit under it in three variations: choose the third.
    controls::choose_variations(&screen, 3);
    rest(&screen);
    controls::run(&screen, "add sunglasses", 1);
    screen.until_title(60, |t| t.starts_with("Writing") || t.starts_with("Painting"));
    // It goes on meanwhile.
    shot(&screen, "3-painting");
    screen.until_title(180, |t| t.starts_with("add sunglasses"));
    rest(&screen);
    key(&screen, "Escape"); // out of the prompt
    key(&screen, "Left");
    stop(&screen, "4-candidates");
    key(&screen, "Return");

    // Compared with what was before.
    rest(&screen);
    key(&screen, "v");
    stop(&screen, "5-compare");
    key(&screen, "v");
    rest(&screen);

    // A branch: back to the photo, and another wish without a selection.
    key(&screen, "ctrl+z");
    screen.until_title(20, |t| t.starts_with("fox.png"));
    key(&screen, "ctrl+d");
    rest(&screen);
    controls::choose_variations(&screen, 1);
    rest(&screen);
    controls::run(&screen, "make it black and white", 1);
    screen.until_title(180, |t| t.starts_with("make it black and white"));
    rest(&screen);
    key(&screen, "Escape");
    stop(&screen, "6-branch");

    // The steps of its painting, and another end from one of them.
    let (right, bottom) = (WIDTH as f32 - theme::INSPECTOR_WIDTH, HEIGHT as f32 - theme::STATUS_HEIGHT);
    let slider = bottom - theme::RUN_BUTTON.y - 10.0 - theme::ROW_HEIGHT + 6.0;
    rest(&screen);
    screen.drag((right - 147.0, slider), (right - 220.0, slider));
    stop(&screen, "7-steps");
    screen.click(right - 66.0, slider);
    // The last steps may take less than a frame of a screen without a graphics card.
    program.until_kept(180, 6);
    assert!(program.quit(&screen).0.success());

    // All is there in the file, and what was not selected is as it was.
    let project = Project::open(&home.path().join("projects/current.pentimento")).unwrap();
    let document = project.document(1 << 32).unwrap();
    assert_eq!(document.revisions().len(), 6, "the photo, three candidates, a grey one and its branch");
    let under = |id: u32| document.revision(RevisionId(id)).unwrap();
    assert!((1..6).all(|id| under(id).parent == Some(RevisionId(0))));
    for id in 1..4 {
        let revision = under(id);
        let Some(Placing::Selection { mask, blend }) = revision.local.as_deref().map(|l| &l.placing) else { panic!("no selection") };
        let found = compare(&source, revision.picture.here().unwrap(), Some(&mask.grown(blend.feather))).unwrap();
        assert!(found.pixels > 0 && found.outside == 0, "{found:?}");
        let bounds = mask.bounds().unwrap();
        assert!(bounds.width < 600 && bounds.height < 300, "the second stroke was taken back: {bounds:?}");
    }
    let way = |id: u32| &under(id).steps.as_ref().unwrap().values()[0];
    assert_eq!(way(4), way(5), "they begin with the same steps");
    drop(project);

    // Come back.
    let _program = Program::start(&screen, home.path(), &[]);
    screen.until_title(60, |t| t.starts_with("make it black and white"));
    screen.focus();
    key(&screen, "v");
    stop(&screen, "8-again");
}
