//! Measures edits without a selection on pictures with a known local change, against the model's output put in place as it
//! is, and prints one JSON object per picture and one with the means:
//!
//!     cargo bench --profile dev --bench preserve
//!
//! The autoencoder and the model are simulated: blur, grain, colours a little off, noise, a shift. `null` stands for the
//! infinite PSNR of pictures that are the same.

#[path = "../pixels/scenes.rs"]
mod scenes;

use scenes::{Case, Row};
use serde_json::json;

/// Reach of the slider in its middle.
const REACH: f32 = 0.5;

fn main() {
    let mut rows: Vec<Row> = Vec::new();
    for (size, side) in [([1536, 1024], 512), ([2400, 1600], 1024)] {
        for case in Case::ALL {
            for seed in 1..=4 {
                let row = scenes::measure(case, seed, size, side, REACH);
                println!("{}", row.to_json());
                rows.push(row);
            }
        }
    }
    let mean = |value: &dyn Fn(&Row) -> f64, of: &dyn Fn(&&Row) -> bool| {
        let values: Vec<f64> = rows.iter().filter(of).map(value).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let changed = |row: &&Row| row.case.changes();
    println!(
        "{}",
        json!({
            "pictures": rows.len(),
            "untouched_equal": mean(&|r| r.untouched_equal, &|_| true),
            "change_kept": mean(&|r| r.change_kept, &changed),
            "psnr_db": mean(&|r| r.psnr_to_wanted, &changed),
            "pasted_untouched_equal": mean(&|r| r.pasted_untouched_equal, &|_| true),
            "pasted_change_kept": mean(&|r| r.pasted_change_kept, &changed),
            "pasted_psnr_db": mean(&|r| r.pasted_psnr_to_wanted, &changed),
        })
    );
}
