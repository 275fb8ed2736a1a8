//! Files that leave the program, judged by others: exiftool for what stands beside the pixels, Pillow for the pixels, pyora for
//! layers. And the way back: recipes that are done again.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod files;
mod layers;
mod others;
mod replay;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Runs the program with a place of its own for caches and settings.
fn program(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pentimento"));
    command.env("PENTIMENTO_HOME", home).env_remove("RUST_BACKTRACE").current_dir(home).args(arguments);
    command.output().unwrap()
}

#[track_caller]
fn done(home: &Path, arguments: &[&str]) {
    let output = program(home, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A Python that has Pillow and pyora, below the build folder. `None` where it cannot be had, which is said.
fn python() -> Option<&'static Path> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let has = |python: &Path| Command::new(python).args(["-c", "import pyora, PIL"]).output().is_ok_and(|done| done.status.success());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pyora");
        let own = folder.join("bin/python");
        if !has(&own) {
            let made = Command::new("python3").args(["-m", "venv"]).arg(&folder).output();
            let fetched = Command::new(&own).args(["-m", "pip", "install", "--quiet", "--retries", "1", "pyora"]).output();
            if !has(&own) {
                println!("skipped: pyora is not here and cannot be installed: {made:?} {fetched:?}");
                return None;
            }
        }
        Some(own)
    };
    PYTHON.get_or_init(find).as_deref()
}

/// Runs a script in a folder, which prints JSON or nothing.
#[track_caller]
fn ask(python: &Path, folder: &Path, script: &str) -> Value {
    let output = Command::new(python).current_dir(folder).args(["-c", script]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// What exiftool says of a file, by group and name.
#[track_caller]
fn exiftool(path: &Path) -> Value {
    let output = Command::new("exiftool").args(["-json", "-G1", "-n", "-warning", "-all"]).arg(path).output();
    let output = output.expect("exiftool is needed: install libimage-exiftool-perl (Debian) or perl-image-exiftool (others)");
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    all[0].clone()
}
