//! Resampling exactly as Pillow does it on 8-bit samples, since the models' inputs were made by it.

/// The filter of a resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    Bilinear,
    Bicubic,
    /// Of three lobes.
    Lanczos,
}

impl Filter {
    pub(super) fn support(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    pub(super) fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic => {
                const A: f64 = -0.5;
                if x < 1.0 {
                    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if x >= 3.0 => 0.0,
            Self::Lanczos => sinc(x) * sinc(x / 3.0),
        }
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// Fraction bits of the fixed-point weights: 32 bits less 8 of the sample and 2 of head room.
const PRECISION: u32 = 32 - 8 - 2;

/// The input samples that one output sample is made of.
struct Taps {
    first: usize,
    weights: Vec<i32>,
}

/// Resizes 8-bit RGB with antialiasing, in two passes with a rounding to 8 bits between.
///
/// `rgb` holds `3 * from.0 * from.1` samples, sizes are (width, height) and not zero. The first pass goes across, unless
/// the height shrinks by more than twice as many pixels as the width: that order is Pillow 13's. Pillow before 13
/// always went across first, which differs by a few levels in a few of such a picture's samples.
///
/// # Source      Pillow `src/libImaging/Resample.c` (`ImagingResample`, 8 bits per channel)
pub fn resize_rgb(rgb: &[u8], from: (usize, usize), to: (usize, usize), filter: Filter) -> Vec<u8> {
    let across = |rgb: Vec<u8>, height: usize| if from.0 == to.0 { rgb } else { resize_rows(&rgb, (from.0, height), to.0, filter) };
    let down = |rgb: Vec<u8>, width: usize| if from.1 == to.1 { rgb } else { resize_columns(&rgb, width, from.1, to.1, filter) };
    let down_first = from.1 > to.1 && (from.1 - to.1) as i64 > 2 * (from.0 as i64 - to.0 as i64);
    if down_first { across(down(rgb.to_vec(), from.0), to.1) } else { down(across(rgb.to_vec(), from.1), to.0) }
}

fn resize_rows(rgb: &[u8], (width, height): (usize, usize), to: usize, filter: Filter) -> Vec<u8> {
    let taps = taps(width, to, filter);
    let mut out = Vec::with_capacity(3 * to * height);
    for row in rgb.chunks_exact(3 * width) {
        for tap in &taps {
            let mut sums = [1i32 << (PRECISION - 1); 3];
            for (pixel, weight) in row[3 * tap.first..].chunks_exact(3).zip(&tap.weights) {
                for (sum, sample) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*sample) * weight;
                }
            }
            out.extend(sums.map(clip));
        }
    }
    out
}

fn resize_columns(rgb: &[u8], width: usize, height: usize, to: usize, filter: Filter) -> Vec<u8> {
    let pitch = 3 * width;
    let mut out = Vec::with_capacity(pitch * to);
    let mut sums = vec![0i32; pitch];
    for tap in taps(height, to, filter) {
        sums.fill(1 << (PRECISION - 1));
        for (row, weight) in rgb[tap.first * pitch..].chunks_exact(pitch).zip(&tap.weights) {
            for (sum, sample) in sums.iter_mut().zip(row) {
                *sum += i32::from(*sample) * weight;
            }
        }
        out.extend(sums.iter().map(|s| clip(*s)));
    }
    out
}

fn clip(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Taps> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let support = filter.support() * stretch;
    (0..to)
        .map(|i| {
            let center = (i as f64 + 0.5) * scale;
            let first = ((center - support + 0.5) as i64).max(0) as usize;
            let last = ((center + support + 0.5) as i64).clamp(0, from as i64) as usize;
            let weights: Vec<f64> = (first..last).map(|x| filter.weight((x as f64 - center + 0.5) / stretch)).collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |w: f64| (w / sum * f64::from(1u32 << PRECISION) + if w < 0.0 { -0.5 } else { 0.5 }) as i32;
            Taps { first, weights: weights.into_iter().map(fixed).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_stay_and_sizes_are_right() {
        for filter in [Filter::Bilinear, Filter::Bicubic] {
            for (from, to) in [((7, 5), (3, 9)), ((640, 3), (27, 27)), ((1, 1), (8, 8)), ((8, 8), (8, 8))] {
                let grey = vec![77u8; 3 * from.0 * from.1];
                let out = resize_rgb(&grey, from, to, filter);
                assert_eq!(out.len(), 3 * to.0 * to.1);
                assert!(out.iter().all(|v| *v == 77));
            }
        }
    }
}
