//! The program in its window, and what it says meanwhile.

use crate::screen::Screen;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

/// A running program whose log is listened to; ended when it is dropped.
pub struct Program {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Program {
    /// Starts it with everything of its own in a folder.
    pub fn start(screen: &Screen, home: &Path, files: &[&Path]) -> Self {
        Self::spawn(screen.command(env!("CARGO_BIN_EXE_pentimento")).env("PENTIMENTO_HOME", home).args(files))
    }

    /// Starts a command of [`Screen::command`].
    pub fn spawn(command: &mut Command) -> Self {
        let log = "warn,pentimento=debug,wgpu_hal=error,egui_wgpu=error,egui_system_font_provider=error,winit=error,zbus=error";
        command.env("PENTIMENTO_DIALOGS", "own").env("PENTIMENTO_LOG", log).env("NO_COLOR", "1");
        // The window speaks the system's language.
        ["LC_ALL", "LC_MESSAGES", "LANGUAGE"].iter().for_each(|name| {
            command.env_remove(name);
        });
        command.env("LANG", "C.UTF-8");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        let listen = move || lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap_or_else(PoisonError::into_inner).push(line));
        Self { child, said, listener: Some(std::thread::spawn(listen)) }
    }

    /// The lines of its log so far that have these words.
    pub fn said(&self, words: &str) -> Vec<String> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).iter().filter(|line| line.contains(words)).cloned().collect()
    }

    /// The revisions that it reported as kept so far.
    pub fn kept(&self) -> Vec<u32> {
        let id = |line: &String| line.strip_suffix(" is kept")?.rsplit_once("revision ")?.1.parse().ok();
        self.said(" is kept").iter().filter_map(id).collect()
    }

    /// Pixels of the selection that it reported as kept last.
    pub fn kept_selection(&self) -> Option<u64> {
        let line = self.said(" pixels is kept").pop()?;
        line.strip_suffix(" pixels is kept")?.rsplit_once("selection of ")?.1.parse().ok()
    }

    /// Waits until its log has `count` lines with these words; panics after `seconds`.
    #[track_caller]
    pub fn until_said(&mut self, seconds: u64, words: &str, count: usize) {
        self.until(seconds, words, |program| program.said(words).len() >= count);
    }

    /// Waits until it has reported that many revisions as kept; panics after `seconds`.
    #[track_caller]
    pub fn until_kept(&mut self, seconds: u64, count: usize) {
        self.until(seconds, "revisions kept", |program| program.kept().len() >= count);
    }

    #[track_caller]
    fn until(&mut self, seconds: u64, what: &str, there: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !there(self) {
            let ended = self.child.try_wait().unwrap();
            let late = start.elapsed() > Duration::from_secs(seconds);
            assert!(!late && ended.is_none(), "waited for {what:?}, but it said {:#?}; ended: {ended:?}", self.said(""));
            sleep(Duration::from_millis(20));
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGKILL: it hears nothing of it. Afterwards all that it had said is there.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.listen_to_the_end();
    }

    /// Closes the window and waits for the end; how it ended, and what it printed.
    #[track_caller]
    pub fn quit(&mut self, screen: &Screen) -> (ExitStatus, String) {
        screen.key("ctrl+q");
        let start = Instant::now();
        while self.is_running() {
            assert!(start.elapsed() < Duration::from_mins(1), "it does not end; {}", screen.keep());
            sleep(Duration::from_millis(20));
        }
        let mut printed = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
        let status = self.child.wait().unwrap();
        self.listen_to_the_end();
        (status, printed)
    }

    fn listen_to_the_end(&mut self) {
        self.listener.take().map(JoinHandle::join);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
