//! Where the window's controls are, found as eyes find them: by their colour.

use crate::screen::{HEIGHT, Screen, WIDTH};
use pentimento::ui::theme;
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

/// Types the steps of the next run into the field beside their slider, which is the first one of the inspector.
#[track_caller]
pub fn set_steps(screen: &Screen, steps: usize) {
    let (left, top) = (WIDTH as usize - theme::INSPECTOR_WIDTH as usize, theme::TOP_HEIGHT as usize);
    let start = Instant::now();
    let [x, y, _] = loop {
        // The rail is filled up to the knob, and thinner than anything else of this colour.
        let rail = screen.shot().line(&accents(), left..WIDTH as usize, top..HEIGHT as usize, 8, 7);
        match rail {
            Some(rail) => break rail,
            None => assert!(start.elapsed() < Duration::from_secs(20), "there is no slider; {}", screen.keep()),
        }
        sleep(Duration::from_millis(50));
    };
    screen.click(x as f32 + 126.0 + theme::GAP + 18.0, y as f32 + 2.0);
    sleep(Duration::from_millis(150));
    screen.key("ctrl+a");
    screen.types(&steps.to_string());
    screen.key("Return");
}

/// Chooses to make a new picture: the choice beside the one that is made at the start.
#[track_caller]
pub fn choose_new_picture(screen: &Screen) {
    let bottom = HEIGHT as usize - (theme::STATUS_HEIGHT + theme::RUN_BUTTON.y) as usize - 10;
    let rows = bottom - 60..bottom;
    let chosen = screen.shot().line(&accents(), 0..WIDTH as usize / 2, rows, 40, usize::from(u16::MAX));
    let [x, y, length] = chosen.unwrap_or_else(|| panic!("nothing is chosen; {}", screen.keep()));
    screen.click((x + length + 40) as f32, y as f32 + theme::BUTTON_HEIGHT / 2.0);
}

/// Types a prompt and runs it some times.
pub fn run(screen: &Screen, prompt: &str, times: usize) {
    screen.key("slash");
    sleep(Duration::from_millis(150));
    screen.key("ctrl+a");
    screen.types(prompt);
    for _ in 0..times {
        screen.key("ctrl+Return");
    }
}
