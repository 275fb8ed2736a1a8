//! A machine without a network: everything but fetching works, and nothing tries to connect.

use crate::kill::program;
use std::path::Path;
use std::process::{Command, Output};

fn found(name: &str, arguments: &[&str]) -> bool {
    let there = Command::new(name).args(arguments).output().is_ok_and(|done| done.status.success());
    if !there {
        println!("skipped: `{name} {}` does not work here", arguments.join(" "));
    }
    there
}

/// Runs the program behind another one.
fn behind(wrapper: &[&str], home: &Path, arguments: &[&str]) -> Output {
    let inner = program(home, "https://huggingface.co");
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(inner.get_program()).args(arguments).current_dir(home);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.output().unwrap()
}

#[test]
fn nothing_connects_but_a_download() {
    if !found("strace", &["-f", "-e", "trace=connect", "true"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let log = home.path().join("trace");
    let watch = ["strace", "-f", "-q", "-e", "trace=connect,sendto,sendmsg,sendmmsg,socket", "-o", log.to_str().unwrap()];
    let seen = |arguments: &[&str]| {
        let done = behind(&watch, home.path(), arguments);
        let trace = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<String> = trace.lines().filter(|line| line.contains("AF_INET")).map(str::to_owned).collect();
        (done.status.code(), lines, String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let paint = ["generate", "--prompt", "a fox in the snow", "--steps", "2", "--out", "fox.png"];
    for arguments in [&paint[..], &["models", "list"], &["inspect", "nano"], &["models", "verify", "x"], &["models", "remove", "x"]] {
        let (code, lines, err) = seen(arguments);
        assert!(code == Some(0) || arguments.contains(&"x"), "{arguments:?}: {err}");
        assert_eq!(lines, Vec::<String>::new(), "{arguments:?} tried to connect");
    }
    // The watch would see it: this one does ask.
    let asks =
        behind(&[&watch[..], &["env", "HF_ENDPOINT=http://127.0.0.1:1"]].concat(), home.path(), &["models", "info", crate::scene::NAME]);
    assert_eq!(asks.status.code(), Some(1));
    assert!(std::fs::read_to_string(&log).unwrap().contains("AF_INET"));
}

#[test]
fn without_a_network_it_works_and_says_what_it_lacks() {
    if !found("unshare", &["-rn", "true"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| behind(&["unshare", "-rn"], home.path(), arguments);
    let made = run(&["generate", "--prompt", "a fox in the snow", "--steps", "2", "--out", "fox.png"]);
    assert!(made.status.success() && home.path().join("fox.png").is_file(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(run(&["models", "list"]).status.success());
    let asked = run(&["models", "info", crate::scene::NAME]);
    let said = String::from_utf8_lossy(&asked.stderr);
    assert!(asked.status.code() == Some(1) && said.contains("huggingface.co cannot be reached; check the connection"), "{said}");
}
