//! One token out of the logits.

use super::rng::{Rng, Stream};
use crate::recipe::Sampling;

/// Draws tokens for one picture.
pub struct Sampler {
    settings: Sampling,
    rng: Rng,
    /// The uniform number of each position so far: what is drawn at a position follows from the logits there alone.
    chances: Vec<f64>,
}

impl Sampler {
    pub fn new(settings: Sampling, seed: u64) -> Self {
        Self { settings, rng: Rng::new(seed, Stream::Tokens), chances: Vec::new() }
    }

    /// The place in `logits` of the token at a position, counted from 0. Drawn again there, it is the same from the same logits.
    ///
    /// Temperature first, then top-k, then top-p, then one draw: the order of the reference. Logits that are not
    /// numbers are never drawn.
    ///
    /// # Source      transformers 4.51.3 `TopKLogitsWarper`, `TopPLogitsWarper`
    pub fn pick(&mut self, position: usize, logits: &[f32]) -> usize {
        while self.chances.len() <= position {
            self.chances.push(self.rng.uniform());
        }
        let likeliest = || {
            let best = |a: (usize, f32), (i, v): (usize, &f32)| if *v > a.1 { (i, *v) } else { a };
            logits.iter().enumerate().fold((0, f32::NEG_INFINITY), best).0
        };
        if self.settings.greedy {
            return likeliest();
        }
        let mut kept: Vec<(f32, usize)> =
            logits.iter().map(|v| v / self.settings.temperature).zip(0..).filter(|(v, _)| v.is_finite()).collect();
        if kept.is_empty() {
            return likeliest();
        }
        let k = self.settings.top_k;
        if k > 0 && k < kept.len() {
            // Everything that is not below the k-th largest stays, ties included.
            let (_, kth, _) = kept.select_nth_unstable_by(k - 1, |a, b| b.0.total_cmp(&a.0));
            let least = kth.0;
            kept.retain(|(v, _)| *v >= least);
        }
        kept.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let largest = kept[kept.len() - 1].0;
        let weights: Vec<f64> = kept.iter().map(|(v, _)| libm::exp(f64::from(v - largest))).collect();
        let mut from = 0;
        if self.settings.top_p < 1.0 {
            // From the least likely up: dropped as long as the sum stays within 1 - top_p; the likeliest always stays.
            let total: f64 = weights.iter().sum();
            let mut sum = 0.0;
            for weight in &weights[..weights.len() - 1] {
                sum += weight / total;
                if sum > 1.0 - f64::from(self.settings.top_p) {
                    break;
                }
                from += 1;
            }
        }
        let total: f64 = weights[from..].iter().sum();
        let mut left = self.chances[position] * total;
        for (weight, (_, place)) in weights[from..].iter().zip(&kept[from..]) {
            left -= weight;
            if left < 0.0 {
                return *place;
            }
        }
        kept[kept.len() - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(settings: Sampling, logits: &[f32]) -> Vec<f64> {
        let mut sampler = Sampler::new(settings, 3);
        let mut counts = vec![0.0; logits.len()];
        for position in 0..20_000 {
            counts[sampler.pick(position, logits)] += 1.0 / 20_000.0;
        }
        counts
    }

    #[track_caller]
    fn check(settings: Sampling, logits: &[f32], want: &[f64]) {
        let found = shares(settings, logits);
        assert!(found.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.015 && (*b > 0.0 || *a == 0.0)), "{found:?} for {want:?}");
    }

    #[test]
    fn filters_work_in_the_official_order() {
        let all = Sampling { top_k: 0, top_p: 1.0, ..Sampling::default() };
        let logits = [0.1f32.ln(), 0.4f32.ln(), f32::NEG_INFINITY, 0.2f32.ln(), 0.3f32.ln()];
        check(all, &logits, &[0.1, 0.4, 0.0, 0.2, 0.3]);
        check(Sampling { top_k: 2, ..all }, &logits, &[0.0, 4.0 / 7.0, 0.0, 0.0, 3.0 / 7.0]);
        // 0.1 is dropped (0.1 <= 0.25), 0.2 is not (0.3 > 0.25).
        check(Sampling { top_p: 0.75, ..all }, &logits, &[0.0, 4.0 / 9.0, 0.0, 2.0 / 9.0, 3.0 / 9.0]);
        // Top-k first: of 0.4 and 0.3, the smaller share 3/7 is within 1 - 0.5.
        check(Sampling { top_k: 2, top_p: 0.5, ..all }, &logits, &[0.0, 1.0, 0.0, 0.0, 0.0]);
        check(Sampling { temperature: 0.5, ..all }, &logits, &[1.0 / 30.0, 16.0 / 30.0, 0.0, 4.0 / 30.0, 9.0 / 30.0]);
        check(Sampling { greedy: true, ..all }, &logits, &[0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn ties_and_nonsense_are_survived() {
        let all = Sampling { top_k: 1, ..Sampling::default() };
        check(all, &[1.0, 1.0, 0.0], &[0.5, 0.5, 0.0]);
        assert_eq!(Sampler::new(all, 0).pick(0, &[f32::NAN, f32::NAN]), 0);
        assert_eq!(Sampler::new(Sampling { greedy: true, ..all }, 0).pick(0, &[f32::NAN, -1.0]), 1);
    }
}
