//! How long the window's own work takes in each frame: `PENTIMENTO_FRAME_TIMES=1` prints it at the end, as JSON.

use std::time::Instant;

/// Times of the frames, where somebody wants to know them.
#[derive(Default)]
pub struct Frames {
    wanted: bool,
    /// Milliseconds of work of a frame, milliseconds since the frame before, and whether a model ran.
    all: Vec<(f32, f32, bool)>,
    last: Option<Instant>,
    logic: f32,
}

/// Frames that are kept: half an hour of them.
const MOST: usize = 108_000;

impl Frames {
    pub fn new() -> Self {
        Self { wanted: std::env::var_os("PENTIMENTO_FRAME_TIMES").is_some_and(|v| !v.is_empty()), ..Self::default() }
    }

    /// The part before drawing took from `start` until now.
    pub fn logic(&mut self, start: Instant) {
        self.logic += milliseconds(start, Instant::now());
    }

    /// Drawing took from `start` until now.
    pub fn drawn(&mut self, start: Instant, running: bool) {
        if !self.wanted || self.all.len() == MOST {
            return;
        }
        let since = self.last.map_or(0.0, |last| milliseconds(last, start));
        self.last = Some(start);
        self.all.push((std::mem::take(&mut self.logic) + milliseconds(start, Instant::now()), since, running));
    }

    /// Prints what was seen, where it was asked for.
    pub fn print(&self) {
        if !self.wanted {
            return;
        }
        for (name, running) in [("while a model runs", true), ("at rest", false)] {
            let of: Vec<&(f32, f32, bool)> = self.all.iter().filter(|f| f.2 == running).collect();
            let work: Vec<f32> = of.iter().map(|f| f.0).collect();
            let between: Vec<f32> = of.iter().map(|f| f.1).collect();
            let line = serde_json::json!({
                "frames": of.len(), "when": name, "work_ms": quantiles(work), "between_ms": quantiles(between),
            });
            println!("{line}");
        }
    }
}

fn milliseconds(from: Instant, to: Instant) -> f32 {
    to.saturating_duration_since(from).as_secs_f32() * 1000.0
}

/// Half, 95 % and 99 % of the values are not above these.
fn quantiles(mut values: Vec<f32>) -> [f32; 3] {
    values.sort_by(f32::total_cmp);
    [0.5, 0.95, 0.99].map(|q| values.get(((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1))).copied().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_values() {
        assert_eq!(quantiles((1..=100).rev().map(|v| v as f32).collect()), [51.0, 96.0, 100.0]);
        assert_eq!(quantiles(vec![]), [0.0; 3]);
    }
}
