//! Processor time, by the system's own clocks: what a program used, whoever else was busy meanwhile.

use std::collections::BTreeMap;

/// Milliseconds of all threads since the process began; `None` where the system does not tell.
pub fn of_process() -> Option<f64> {
    clock(Clock::Process)
}

/// Milliseconds of the calling thread.
pub fn of_thread() -> Option<f64> {
    clock(Clock::Thread)
}

/// Milliseconds of the threads that are there, by name; the numbers of threads that are many of a kind are left out. Only
/// Linux tells.
pub fn of_threads() -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let name = read("comm");
        let name = name.trim_end().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-' || c == ':');
        let nanoseconds = read("schedstat").split_whitespace().next().and_then(|n| n.parse::<f64>().ok());
        *all.entry(name.to_owned()).or_default() += nanoseconds.unwrap_or(0.0) / 1e6;
    }
    all
}

#[derive(Clone, Copy)]
enum Clock {
    Process,
    Thread,
}

#[cfg(unix)]
fn clock(which: Clock) -> Option<f64> {
    let id = match which {
        Clock::Process => libc::CLOCK_PROCESS_CPUTIME_ID,
        Clock::Thread => libc::CLOCK_THREAD_CPUTIME_ID,
    };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a plain struct of two numbers is written.
    let failed = unsafe { libc::clock_gettime(id, &raw mut time) };
    (failed == 0).then(|| time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6)
}

#[cfg(not(unix))]
fn clock(_: Clock) -> Option<f64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn work_counts_and_sleep_does_not() {
        let (process, thread) = (of_process().unwrap(), of_thread().unwrap());
        // Waits for what never comes: threads have a room of their own.
        let (_never, nothing) = std::sync::mpsc::channel::<()>();
        assert!(nothing.recv_timeout(Duration::from_millis(60)).is_err());
        let slept = of_thread().unwrap() - thread;
        assert!(slept < 30.0, "{slept} ms of sleep");
        let start = Instant::now();
        while of_thread().unwrap() - thread < slept + 20.0 {
            assert!(start.elapsed() < Duration::from_secs(20), "work is not counted");
        }
        assert!(of_process().unwrap() - process >= 20.0);
        assert!(of_threads().values().sum::<f64>() > 0.0);
    }
}
