//! Times the upscaler on pictures of several sizes and prints one JSON object for each:
//!
//!     cargo bench --profile dev --bench upscale -- --threads 2
//!
//! `s_per_output_mp` is wall time for a million pixels of the result, the median of the runs, and `cpu_s_per_output_mp`
//! processor time over all threads; `peak_bytes` is the most memory
//! that the process has had up to then.

use clap::Parser;
use pentimento::imaging::Picture;
use pentimento::pipeline::{Upscaled, Upscaler, memory};
use pentimento::recipe::{Factor, UpscalerId, Upscaling};
use serde_json::json;
use std::ops::ControlFlow;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Sides of square pictures
    #[arg(long, value_delimiter = ',', default_value = "128,256,512,1024")]
    sides: Vec<u32>,
    #[arg(long, hide = true)]
    bench: bool,
}

/// Processor time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn main() -> anyhow::Result<()> {
    memory::tune_allocator();
    let Arguments { threads, runs, sides, .. } = Arguments::parse();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global()?;
    let upscaler = Upscaler::open(UpscalerId::AnimeVideo)?;
    for side in sides {
        let rgb: Vec<u8> = (0..3 * u64::from(side).pow(2)).map(|i| (i * 7919 % 251) as u8).collect();
        let picture = Picture::from_rgb8(side, side, &rgb)?;
        for by in Factor::ALL {
            let (mut all, cpu) = (Vec::new(), cpu_seconds());
            for _ in 0..runs.max(1) {
                if let Upscaled::Done { seconds, .. } =
                    upscaler.upscale(&picture, Upscaling::new(by), &mut |_| ControlFlow::Continue(()))?
                {
                    all.push(seconds);
                }
            }
            let cpu = (cpu_seconds() - cpu) / all.len() as f64;
            all.sort_by(f64::total_cmp);
            let (seconds, megapixels) = (all[all.len() / 2], f64::from(side * by.number()).powi(2) / 1e6);
            println!(
                "{}",
                json!({"side": side, "by": by, "threads": threads, "median_s": seconds, "min_s": all[0],
                       "s_per_output_mp": seconds / megapixels, "cpu_s_per_output_mp": cpu / megapixels, "peak_bytes": memory::peak_bytes()})
            );
        }
    }
    Ok(())
}
