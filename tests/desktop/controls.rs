//! Where the window's controls are, found as eyes find them: by their colour.

use crate::screen::{HEIGHT, Screen, WIDTH};
use pentimento::ui::theme;
use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The colour of what is chosen, in both themes.
fn accents() -> [[u8; 3]; 2] {
    [theme::DARK, theme::LIGHT].map(|colours| [colours.accent.r(), colours.accent.g(), colours.accent.b()])
}

/// The middle of the canvas.
pub fn middle() -> (f32, f32) {
    ((WIDTH as f32 - theme::INSPECTOR_WIDTH) / 2.0, theme::TOP_HEIGHT + 280.0)
}

/// The big button.
pub fn run_button() -> (f32, f32) {
    let right = WIDTH as f32 - theme::INSPECTOR_WIDTH - f32::from(theme::PAD);
    (right - theme::RUN_BUTTON.x / 2.0, HEIGHT as f32 - theme::STATUS_HEIGHT - 10.0 - theme::RUN_BUTTON.y / 2.0)
}

/// Where a line of the accent's colour is, at least so long, in a part of the screen.
fn accent(screen: &Screen, [x, y]: [Range<usize>; 2], least: usize, tallest: usize) -> Option<[usize; 3]> {
    screen.shot().line(&accents(), x, y, least, tallest)
}

/// Waits for something; a frame takes a while where it is drawn in software and other programs are busy.
#[track_caller]
fn until<T>(screen: &Screen, what: &str, there: impl Fn() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{what}; {}", screen.keep());
        sleep(Duration::from_millis(30));
    }
}

/// Clicks until something is there: a click that takes as long as a slow frame is none.
#[track_caller]
fn click_until(screen: &Screen, (x, y): (f32, f32), what: &str, there: impl Fn() -> bool) {
    let tries = (0..5).any(|_| {
        screen.click(x, y);
        let start = Instant::now();
        while !there() && start.elapsed() < Duration::from_secs(4) {
            sleep(Duration::from_millis(30));
        }
        there()
    });
    assert!(tries, "{what}; {}", screen.keep());
}

/// Types the steps of the next run into the field beside their slider, which is the first one of the inspector. Once: where
/// there are few, the slider is not found again.
#[track_caller]
pub fn set_steps(screen: &Screen, steps: usize) {
    // Beyond the labels, and what is chosen above them.
    let (left, top) = ((WIDTH as f32 - theme::INSPECTOR_WIDTH) as usize + 90, theme::TOP_HEIGHT as usize);
    // The rail is filled up to the knob, and thinner than anything else of this colour.
    let rail = || accent(screen, [left..WIDTH as usize, top..HEIGHT as usize], 8, 7);
    let [x, y, length] = until(screen, "there is no slider", rail);
    let field = (x as f32 + 126.0 + theme::GAP + 18.0, y as f32 + 2.0);
    // What is in the field is selected.
    let around = [field.0 as usize - 18..field.0 as usize + 18, y.saturating_sub(10)..y + 10];
    let opened = || accent(screen, around.clone(), 4, usize::from(u16::MAX)).is_some();
    click_until(screen, field, "the field does not open", opened);
    screen.types(&steps.to_string());
    // Typed is it when what was selected is gone; a click in the frame of the letters would take the cursor from them.
    until(screen, "nothing is typed", || accent(screen, around.clone(), 4, usize::from(u16::MAX)).is_none().then_some(()));
    screen.key("Return");
    let moved = || rail().is_none_or(|[_, top, now]| top != y || now != length).then_some(());
    until(screen, "the slider does not move", moved);
    sleep(Duration::from_millis(300));
}

/// Chooses to make a new picture: the choice beside the one that is made at the start.
#[track_caller]
pub fn choose_new_picture(screen: &Screen) {
    let bottom = HEIGHT as usize - (theme::STATUS_HEIGHT + theme::RUN_BUTTON.y) as usize - 10;
    let chosen = || accent(screen, [0..WIDTH as usize / 2, bottom - 60..bottom], 40, usize::from(u16::MAX));
    let [x, y, length] = until(screen, "nothing is chosen", chosen);
    let other = ((x + length + 40) as f32, y as f32 + theme::BUTTON_HEIGHT / 2.0);
    click_until(screen, other, "the choice does not move", || chosen().is_some_and(|c| c[0] != x));
}

/// Types a prompt in place of the one that is there, and runs it some times.
#[track_caller]
pub fn run(screen: &Screen, prompt: &str, times: usize) {
    let (right, y) = run_button();
    // Where the cursor is, there is a frame.
    let framed = || accent(screen, [0..WIDTH as usize / 2, y as usize - 40..HEIGHT as usize], 300, 2).is_some();
    if !framed() {
        click_until(screen, (right / 3.0, y), "the cursor is not in the prompt", framed);
    }
    screen.key("ctrl+a");
    screen.types(prompt);
    for _ in 0..times {
        screen.key("ctrl+Return");
        sleep(Duration::from_millis(200)); // what comes twice in a frame counts once
    }
}

/// Answers the window's own question for a path.
#[track_caller]
pub fn answer(screen: &Screen, path: &Path) {
    let (x, y) = middle();
    // Its button is the only thing of this colour in the middle, and comes with the cursor in the field.
    let around = [x as usize..WIDTH as usize - theme::INSPECTOR_WIDTH as usize - 8, y as usize - 100..y as usize + 250];
    until(screen, "nothing is asked", || accent(screen, around.clone(), 24, usize::from(u16::MAX)));
    sleep(Duration::from_millis(300));
    screen.key("ctrl+a");
    screen.types(path.to_str().expect("a path that can be typed"));
    screen.key("Return");
}

/// Chooses how many pictures the next run makes: buttons in the third row of the settings.
pub fn choose_variations(screen: &Screen, count: u8) {
    let left = WIDTH as f32 - theme::INSPECTOR_WIDTH;
    screen.click(left + 121.0 + 34.0 * f32::from(count - 1), theme::TOP_HEIGHT + 216.0);
}

/// A button on a page over the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Button {
    pub x: f32,
    pub y: f32,
    /// The one that leads on.
    pub is_accent: bool,
}

/// All buttons that can be pressed in a part of the screen, from the top, and in each row from the left. What lies behind a page
/// is dimmed, so that it does not count.
pub fn buttons(screen: &Screen, [x, y]: [Range<usize>; 2]) -> Vec<Button> {
    const NARROWEST: usize = 24;
    let shot = screen.shot();
    let of = |c: egui::Color32| [c.r(), c.g(), c.b()];
    let fills = [theme::DARK, theme::LIGHT].map(|c| [(of(c.raised), false), (of(c.accent), true)]);
    let at = |x: usize, y: usize| -> &[u8] { &shot.rgb[3 * (y * shot.width + x)..][..3] };
    let mut found: Vec<([usize; 3], bool)> = Vec::new();
    for row in y.start..y.end.saturating_sub(20) {
        let mut left = x.start;
        while left < x.end {
            let fill = fills.iter().flatten().find(|(fill, _)| at(left, row) == fill);
            let length = fill.map_or(0, |(fill, _)| (left..x.end).take_while(|x| at(*x, row) == fill).count());
            // Tall enough, the same on the way down, and not the lower part of one that was found.
            let is_new = || !found.iter().any(|([l, top, len], _)| row < top + 34 && left < l + len && left + length > *l);
            if let Some((_, accent)) =
                fill.filter(|(fill, _)| length >= NARROWEST && (2..18).all(|d| at(left + 2, row + d) == fill) && is_new())
            {
                found.push(([left, row, length], *accent));
            }
            left += length.max(1);
        }
    }
    let half = theme::BUTTON_HEIGHT / 2.0;
    let mut all: Vec<Button> = found
        .into_iter()
        .map(|([left, top, length], is_accent)| Button { x: (left + length / 2) as f32, y: top as f32 + half - 1.0, is_accent })
        .collect();
    all.sort_by_key(|button| (button.y as usize / 6, button.x as usize));
    all
}

/// Clicks at a place until something comes of it: a click that takes as long as a slow frame is none. Afterwards the pointer is
/// where it lights up nothing, within the frame of a page; it goes there only once the click was heard, since a click counts
/// where the pointer is then.
#[track_caller]
pub fn press_at(screen: &Screen, (x, y): (f32, f32), what: &str, there: impl Fn() -> bool) {
    let tries = (0..4).any(|_| {
        screen.click(x, y);
        let start = Instant::now();
        let mut is_there = there();
        while !is_there && start.elapsed() < Duration::from_secs(12) {
            sleep(Duration::from_millis(100));
            is_there = there();
            if start.elapsed() > Duration::from_millis(1500) {
                screen.to(314.0, 410.0); // what is lit up is not found by its colour
            }
        }
        is_there
    });
    screen.to(314.0, 410.0);
    assert!(tries, "{what}; {}", screen.keep());
}
