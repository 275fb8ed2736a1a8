//! A screen of memory (Xvfb), and a person's hands on it (xdotool).

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub const WIDTH: u32 = 1280;
pub const HEIGHT: u32 = 820;

/// A display of its own, gone when it is dropped.
pub struct Screen {
    server: Child,
    display: String,
    folder: tempfile::TempDir,
}

/// What the screen shows: red, green and blue.
pub struct Shot {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<u8>,
}

impl Screen {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("{WIDTH}x{HEIGHT}x24");
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp", "-noreset", "-fbdir"]) // no reset: it outlives its windows
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb is needed (on Debian: apt-get install xvfb xdotool)");
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { server, display: format!(":{}", line.trim()), folder }
    }

    /// A program on this screen.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command
    }

    /// What it shows now: the server keeps it in a file in the format of xwd.
    pub fn shot(&self) -> Shot {
        let bytes = std::fs::read(self.folder.path().join("Xvfb_screen0")).unwrap();
        let field = |i: usize| u32::from_be_bytes(bytes[4 * i..4 * i + 4].try_into().unwrap()) as usize;
        let (width, height, pitch, colours) = (field(4), field(5), field(12), field(19));
        let data = &bytes[field(0) + 12 * colours..];
        let mut rgb = Vec::with_capacity(3 * width * height);
        for row in data.chunks(pitch).take(height) {
            for pixel in row[..4 * width].as_chunks::<4>().0 {
                rgb.extend([pixel[2], pixel[1], pixel[0]]);
            }
        }
        Shot { width, height, rgb }
    }

    pub fn xdotool(&self, arguments: &[&str]) -> String {
        let done = self.command("xdotool").args(arguments).output().expect("xdotool is needed (on Debian: apt-get install xdotool)");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Hands that go on while the test does something else.
    pub fn hands(&self, words: &str) -> Child {
        self.command("xdotool").args(words.split_whitespace()).spawn().unwrap()
    }

    pub fn key(&self, keys: &str) {
        self.xdotool(&["key", "--clearmodifiers", keys]);
    }

    pub fn types(&self, text: &str) {
        self.xdotool(&["type", "--delay", "8", text]);
    }

    pub fn click(&self, x: f32, y: f32) {
        self.to(x, y);
        self.xdotool(&["click", "1"]);
    }

    pub fn to(&self, x: f32, y: f32) {
        self.xdotool(&["mousemove", &x.round().to_string(), &y.round().to_string()]);
        sleep(Duration::from_millis(60));
    }

    /// Turns the wheel, up with a positive number.
    pub fn wheel(&self, notches: i32) {
        let button = if notches > 0 { "4" } else { "5" };
        for _ in 0..notches.abs() {
            self.xdotool(&["click", button]);
        }
    }

    pub fn drag(&self, from: (f32, f32), to: (f32, f32)) {
        // Slower than the slowest frame: what lies within one frame is a click.
        let frame = || sleep(Duration::from_millis(300));
        self.to(from.0, from.1);
        self.xdotool(&["mousedown", "1"]);
        frame();
        self.to(f32::midpoint(from.0, to.0), f32::midpoint(from.1, to.1));
        frame();
        self.to(to.0, to.1);
        frame();
        self.xdotool(&["mouseup", "1"]);
    }

    /// The window's title, empty while there is none.
    pub fn title(&self) -> String {
        let window = self.window();
        if window.is_empty() { String::new() } else { self.xdotool(&["getwindowname", &window]) }
    }

    pub fn focus(&self) {
        self.xdotool(&["windowfocus", "--sync", &self.window()]);
    }

    /// The window, as the system numbers it.
    pub fn window(&self) -> String {
        self.xdotool(&["search", "--onlyvisible", "--name", "Pentimento"]).lines().next().unwrap_or_default().to_owned()
    }

    /// Waits for a title; panics with the last one after `seconds`.
    #[track_caller]
    pub fn until_title(&self, seconds: u64, mut wanted: impl FnMut(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let title = self.title();
            if wanted(&title) {
                return title;
            }
            assert!(start.elapsed() < Duration::from_secs(seconds), "the title stayed {title:?}; {}", self.keep());
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the screen shows something; panics after `seconds`.
    #[track_caller]
    pub fn until(&self, seconds: u64, what: &str, there: impl Fn(&Shot) -> bool) {
        let start = Instant::now();
        while !there(&self.shot()) {
            assert!(start.elapsed() < Duration::from_secs(seconds), "{what}; {}", self.keep());
            sleep(Duration::from_millis(100));
        }
    }

    /// Keeps what is on the screen for whoever reads the failure.
    pub fn keep(&self) -> String {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("desktop.png");
        let shot = self.shot();
        let picture = pentimento::imaging::Picture::from_rgb8(shot.width as u32, shot.height as u32, &shot.rgb).unwrap();
        pentimento::imaging::save(&picture, &path, pentimento::imaging::Format::Png).unwrap();
        format!("the screen is in {}", path.display())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Gently, so that it takes its lock and socket along.
        let _ = Command::new("kill").arg(self.server.id().to_string()).status();
        let _ = self.server.wait();
    }
}

impl Shot {
    /// A rectangle: left, top, width, height.
    pub fn part(&self, x: usize, y: usize, w: usize, h: usize) -> Vec<u8> {
        (y..y + h).flat_map(|row| self.rgb[3 * (row * self.width + x)..][..3 * w].iter().copied()).collect()
    }

    /// The first line of one colour, from the top: its left end, its row, and its length, which is `least` or more. Lines that
    /// belong to something higher than `tallest` do not count.
    pub fn line(&self, colours: &[[u8; 3]], x: Range<usize>, y: Range<usize>, least: usize, tallest: usize) -> Option<[usize; 3]> {
        let is = |x: usize, y: usize| y < self.height && colours.iter().any(|c| self.rgb[3 * (y * self.width + x)..][..3] == *c);
        y.flat_map(|y| x.clone().map(move |x| (x, y))).find_map(|(left, top)| {
            let begins = is(left, top) && !is(left.saturating_sub(1), top) && !is(left, top.saturating_sub(1));
            let length = || (left..x.end).take_while(|x| is(*x, top)).count();
            let fits = begins && !is(left, top + tallest) && !is(left + least / 2, top + tallest);
            fits.then(length).filter(|length| *length >= least).map(|length| [left, top, length])
        })
    }

    /// Where a picture stands pixel by pixel.
    pub fn find(&self, w: usize, h: usize, rgb: &[u8]) -> Option<(usize, usize)> {
        let row = |y: usize| &rgb[3 * y * w..][..3 * w];
        (0..=self.height - h).flat_map(|y| (0..=self.width - w).map(move |x| (x, y))).find(|(x, y)| {
            let there = |dy: usize| &self.rgb[3 * ((y + dy) * self.width + x)..][..3 * w];
            // The middle row first: it is the least like its surroundings.
            there(h / 2) == row(h / 2) && (0..h).all(|dy| there(dy) == row(dy))
        })
    }
}
