//! The program itself on the command line: its contract, and what it says to bad input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../golden/checkpoint.rs"]
mod checkpoint;
#[path = "../golden/torch_random.rs"]
mod torch_random;

mod contract;
mod convert;
mod corrupted;
mod hostile;
mod upscale;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The program with a place of its own for caches and settings.
fn program(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pentimento"));
    command.env("PENTIMENTO_HOME", home).env_remove("RUST_BACKTRACE").current_dir(home);
    command
}

fn run(home: &Path, arguments: &[&str]) -> Output {
    program(home).args(arguments).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/cases")
}

/// A random checkpoint in `home/model`, as a golden case has it.
fn model(home: &Path, case: &str, change: impl FnOnce(&mut checkpoint::Weights)) -> PathBuf {
    let case: Value = serde_json::from_slice(&std::fs::read(cases().join(format!("{case}.json"))).unwrap()).unwrap();
    let mut weights = checkpoint::weights(&case);
    change(&mut weights);
    let folder = home.join("model");
    std::fs::create_dir_all(&folder).unwrap();
    checkpoint::write(&case, &weights, &cases().join(format!("{}.tokenizer.json", case["size"].as_str().unwrap())), &folder);
    folder
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?} is not in {said:?}");
    }
}

/// The last line of standard error, which is the sentence for a person; there is no trace of a panic above it.
#[track_caller]
fn sentence(output: &Output) -> String {
    let text = stderr(output);
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
    let at = text.find("pentimento: ").unwrap_or_else(|| panic!("no sentence in {text:?}"));
    text[at..].trim().to_owned()
}
