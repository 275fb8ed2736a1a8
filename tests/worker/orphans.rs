//! When the window's program is gone, so is its worker.

use super::{ONE, program, workers_of};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

fn worker() -> Child {
    Command::new(program()).arg("worker").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn ends(child: &mut Child, most: Duration) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < most, "it goes on");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_worker_ends_with_its_stdin_and_at_nonsense() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut quiet = worker();
    drop(quiet.stdin.take());
    assert!(ends(&mut quiet, Duration::from_secs(20)).success());
    let huge = [b"PEN1".to_vec(), u32::MAX.to_le_bytes().to_vec(), 0u32.to_le_bytes().to_vec()].concat();
    let head =
        |text: &[u8]| [b"PEN1".to_vec(), (text.len() as u32).to_le_bytes().to_vec(), 0u32.to_le_bytes().to_vec(), text.to_vec()].concat();
    for nonsense in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), huge, head(b"{\"job\":1}"), head(b"\xff\xfe")] {
        let mut child = worker();
        child.stdin.as_mut().unwrap().write_all(&nonsense).unwrap();
        assert_eq!(ends(&mut child, Duration::from_secs(20)).code(), Some(3), "{nonsense:?}");
    }
}

/// The parent is killed without a chance to say anything, as it happens to a window.
#[test]
fn a_killed_parent_leaves_no_orphan() {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // The other end of the worker's stdin is here and stays open: only the death of the parent itself can be noticed.
    let script = format!("exec 3<&0; {} worker <&3 >/dev/null & wait", program().display());
    let mut parent = Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    let pid = loop {
        if let [pid, ..] = workers_of(parent.id())[..] {
            break pid;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "there is no worker");
        std::thread::sleep(Duration::from_millis(5));
    };
    std::thread::sleep(Duration::from_millis(300)); // it has asked the system by then
    parent.kill().unwrap();
    parent.wait().unwrap();
    let start = Instant::now();
    // Its stdin is still open here; the system has told it.
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(start.elapsed() < Duration::from_secs(5), "an orphan is left");
        std::thread::sleep(Duration::from_millis(5));
    }
}
