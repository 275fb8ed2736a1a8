//! What this machine can compute with, and what is missing for more.

use super::DeviceChoice;
use super::driver::{self, Driver};
use super::memory;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

/// A device, there or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    pub device: DeviceChoice,
    /// Of the hardware, where it is known.
    pub name: String,
    /// Cores, instruction sets, versions: for a person.
    pub details: Vec<String>,
    /// Memory that it computes in.
    pub memory_bytes: Option<u64>,
    /// Why it cannot be used and what to do; `None` where it can.
    pub missing: Option<String>,
}

/// CUDA that `pentimento-cuda` is built with, and the first driver that knows it.
const CUDA: u32 = 13;
const DRIVER: u32 = 580;
/// The oldest cards that it has code for.
const CAPABILITY: (u32, u32) = (8, 0);

/// All of them, the CPU first. `cuda_program` is `pentimento-cuda`, where it was found.
///
/// Loads the driver of a graphics card into this process: who cannot afford that it breaks asks in another one.
pub fn devices(cuda_program: Option<&Path>) -> Vec<DeviceFacts> {
    let mut all = vec![cpu(), cuda(Driver::ask(driver::LIBRARY), driver::version(), cuda_program.map(starts))];
    if cfg!(target_os = "macos") {
        all.push(metal());
    }
    all
}

/// The CPU, which is always there.
pub fn cpu() -> DeviceFacts {
    let cores = rayon::current_num_threads();
    let mut details = vec![format!("{cores} threads")];
    let sets = instruction_sets();
    if !sets.is_empty() {
        details.push(sets.join(", "));
    }
    DeviceFacts { device: DeviceChoice::Cpu, name: cpu_name(), details, memory_bytes: memory::total_bytes(), missing: None }
}

/// NVIDIA's cards, from what the driver said, its version, and whether the program for them starts (`None`: there is none).
fn cuda(driver: Result<Driver, String>, version: Option<String>, program: Option<Result<(), String>>) -> DeviceFacts {
    let mut facts = DeviceFacts {
        device: DeviceChoice::Cuda,
        name: "NVIDIA graphics card".to_owned(),
        details: Vec::new(),
        memory_bytes: None,
        missing: None,
    };
    let driver = match driver {
        Ok(driver) => driver,
        Err(why) => {
            facts.missing = Some(format!("{why}; with an NVIDIA card, install its driver, {DRIVER} or newer"));
            return facts;
        }
    };
    let (major, minor) = driver.cuda;
    let version = version.map_or_else(String::new, |v| format!(" {v}"));
    facts.details.push(format!("driver{version} for CUDA {major}.{minor}"));
    let Some(card) = driver.cards.first() else {
        facts.missing = Some("there is a driver, and no card that it can use".to_owned());
        return facts;
    };
    facts.name.clone_from(&card.name);
    facts.memory_bytes = Some(card.memory_bytes);
    facts.details.push(format!("compute capability {}.{}", card.capability.0, card.capability.1));
    if driver.cards.len() > 1 {
        facts.details.push(format!("the first of {} cards", driver.cards.len()));
    }
    facts.missing = if major < CUDA {
        Some(format!("the driver{version} knows CUDA up to {major}.{minor}; install version {DRIVER} or newer"))
    } else if card.capability < CAPABILITY {
        Some(format!("the card is older than the program has code for (compute capability {}.{})", CAPABILITY.0, CAPABILITY.1))
    } else {
        match program {
            None if cfg!(feature = "cuda") => None,
            None => Some("the program that computes on it, pentimento-cuda, is not installed; put it beside this one".to_owned()),
            Some(Ok(())) => None,
            Some(Err(why)) => Some(format!("pentimento-cuda does not start: {why}")),
        }
    };
    facts
}

fn metal() -> DeviceFacts {
    let missing = (!cfg!(feature = "metal")).then(|| "this build was made without it (cargo feature metal)".to_owned());
    let name = "Apple graphics".to_owned();
    DeviceFacts { device: DeviceChoice::Metal, name, details: Vec::new(), memory_bytes: memory::total_bytes(), missing }
}

/// Whether a program starts: one that is linked with libraries that are not there does not.
fn starts(program: &Path) -> Result<(), String> {
    let done = Command::new(program).arg("--version").output().map_err(|e| e.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(said.lines().next().map_or_else(|| done.status.to_string(), |line| line.chars().take(200).collect()))
}

fn cpu_name() -> String {
    let said = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = said.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim().to_owned()));
    name.unwrap_or_else(|| format!("CPU ({})", std::env::consts::ARCH))
}

/// Those that our kernels and the matrix products choose between at run time, as far as this processor has them.
fn instruction_sets() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let known = [
        ("SSE 4.2", is_x86_feature_detected!("sse4.2")),
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("AVX-512", is_x86_feature_detected!("avx512f")),
    ];
    #[cfg(target_arch = "aarch64")]
    let known = [("NEON", true)];
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let known: [(&str, bool); 0] = [];
    known.into_iter().filter(|(_, has)| *has).map(|(name, _)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::driver::Card;

    #[test]
    fn what_is_missing_for_cuda_is_said() {
        let card = |capability| Card { name: "Card".to_owned(), memory_bytes: 8 << 30, capability };
        let driver = |cuda, cards: &[Card]| Ok(Driver { cuda, cards: cards.to_vec() });
        let good = || driver((13, 0), &[card((8, 9))]);
        let check = |driver, program, what: &str| {
            let facts = cuda(driver, Some("570.1".to_owned()), program);
            assert!(facts.missing.clone().unwrap_or_default().contains(what), "{facts:?} without {what:?}");
            facts
        };
        check(Err("no NVIDIA driver was found".to_owned()), None, "no NVIDIA driver was found; with an NVIDIA card, install");
        check(driver((13, 0), &[]), Some(Ok(())), "no card");
        check(driver((12, 8), &[card((8, 9))]), Some(Ok(())), "the driver 570.1 knows CUDA up to 12.8; install version 580");
        check(driver((13, 0), &[card((7, 5))]), Some(Ok(())), "older");
        check(good(), Some(Err("libcublas.so.13: cannot open".to_owned())), "does not start: libcublas.so.13");
        if !cfg!(feature = "cuda") {
            check(good(), None, "pentimento-cuda, is not installed");
        }
        let facts = check(good(), Some(Ok(())), "");
        assert_eq!((facts.missing, facts.memory_bytes, facts.name.as_str()), (None, Some(8 << 30), "Card"));
    }

    #[test]
    fn the_cpu_is_always_there() {
        let all = devices(None);
        assert_eq!((all[0].device, &all[0].missing), (DeviceChoice::Cpu, &None));
        assert!(all[0].memory_bytes.is_some_and(|b| b > 64 << 20) && !all[0].name.is_empty(), "{:?}", all[0]);
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Vec<DeviceFacts>>(&text).unwrap(), all);
    }
}
