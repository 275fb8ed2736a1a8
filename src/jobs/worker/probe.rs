//! What the machine can compute with, asked in a process of its own: a driver that breaks takes only that with it.

use super::parent::own_program;
use crate::pipeline::{self, DeviceChoice, DeviceFacts};
use serde::Deserialize;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a driver may think about it.
const MOST: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const MOST_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct Answer {
    devices: Vec<DeviceFacts>,
}

/// All devices, the CPU first. Takes time: not for the window's thread.
pub fn devices() -> Vec<DeviceFacts> {
    ask().unwrap_or_else(|why| {
        tracing::warn!("devices cannot be listed: {why}");
        let missing = Some(format!("the driver could not be asked ({why})"));
        let name = "NVIDIA graphics card".to_owned();
        vec![pipeline::cpu(), DeviceFacts { device: DeviceChoice::Cuda, name, details: Vec::new(), memory_bytes: None, missing }]
    })
}

fn ask() -> Result<Vec<DeviceFacts>, String> {
    let program = own_program().ok_or("this program does not know where it is")?;
    let mut command = Command::new(program);
    command.args(["devices", "--json"]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|e| e.to_string())?;
    let Some(stdout) = child.stdout.take() else { return Err("it has no stdout".to_owned()) };
    let reading = thread::spawn(move || {
        let mut text = String::new();
        stdout.take(MOST_BYTES).read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    while !reading.is_finished() && start.elapsed() < MOST {
        thread::sleep(Duration::from_millis(5));
    }
    if !reading.is_finished() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    let text = reading.join().map_err(|_| "it cannot be read".to_owned())?.map_err(|e| e.to_string())?;
    if !status.success() {
        return Err(format!("it broke off: {status}"));
    }
    serde_json::from_str(&text).map(|answer: Answer| answer.devices).map_err(|e| e.to_string())
}
