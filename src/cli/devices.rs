//! `pentimento devices`: what this machine can compute with.

use crate::pipeline::{DeviceChoice, devices};
use crate::places;
use serde_json::json;

pub fn list(as_json: bool) {
    let all = devices(places::cuda_worker().as_deref());
    if as_json {
        println!("{}", json!({ "devices": all }));
        return;
    }
    for facts in all {
        let kind = match facts.device {
            DeviceChoice::Auto => "auto",
            DeviceChoice::Cpu => "CPU",
            DeviceChoice::Cuda => "CUDA",
            DeviceChoice::Metal => "Metal",
        };
        let memory = facts.memory_bytes.map(|b| format!("{:.1} GiB", b as f64 / f64::from(1 << 30)));
        let details: Vec<String> = facts.details.into_iter().chain(memory).collect();
        println!("{kind:<6} {}{}{}", facts.name, if details.is_empty() { "" } else { ": " }, details.join("; "));
        println!("       {}", facts.missing.map_or_else(|| "can be used".to_owned(), |why| format!("cannot be used: {why}")));
    }
}
