//! Where a model has changed a picture, told from what it and the autoencoder do everywhere.

use super::super::mask::dilated;
use super::super::resample::Raster;
use rayon::prelude::*;

/// The change of a model's picture.
pub(super) struct Found {
    /// Difference of result and reconstruction, then the reconstruction: six channels, sRGB's own values.
    pub values: Raster,
    /// How far the change is taken over, and how far the source's own detail is replaced: two channels, 0..1.
    pub shares: Raster,
    /// Left, top, right and bottom of what is taken over.
    pub bounds: [usize; 4],
}

/// A drift of all colours by no more than this is the model's doing and no edit.
const LARGEST_DRIFT: f32 = 4.0 / 255.0;
/// Noise is never taken to be larger than this, so that a change of the whole picture is seen.
const LARGEST_NOISE: f32 = 6.0 / 255.0;
/// From the first on a change begins to replace the source's detail, from the second on it does so wholly.
const REPLACING: [f32; 2] = [0.05, 0.14];
/// Holes up to this share of the picture are filled.
const LARGEST_HOLE: usize = 300;
/// Specks below one of this many parts of the picture are dropped.
const SMALLEST_PART: usize = 16_000;

/// How far a change is widened, and about how wide its soft edge is, in pixels of a picture of `width` x `height`.
pub(super) fn soft_radius(width: usize, height: usize) -> usize {
    (width.max(height) * 3 / 512).max(2)
}

/// The change, or `None` where there is none. All are of one size; `shift` has already been undone in `result`.
pub(super) fn found(shown: &Raster, reconstruction: &Raster, result: &Raster, shift: [f32; 2], reach: f32) -> Option<Found> {
    let (width, height) = (result.width, result.height);
    let mut difference = difference(reconstruction, result, shift);
    steady(&mut difference);
    let scale = width.max(height) as f32 / 512.0;
    let size = |pixel: &[f32]| (0.3 * pixel[0] * pixel[0] + 0.5 * pixel[1] * pixel[1] + 0.2 * pixel[2] * pixel[2]).sqrt();
    let energy = blurred(difference.chunks_exact(3).map(size).collect(), width, 1.2 * scale.max(0.8));
    // Where the autoencoder errs more, the model's own result wavers more.
    let error = shown.samples.chunks_exact(3).zip(reconstruction.samples.chunks_exact(3));
    let error = error.map(|(a, b)| size(&[a[0] - b[0], a[1] - b[1], a[2] - b[2]])).collect();
    let error = blurred(error, width, 3.0 * scale.max(0.8));
    let noise = quantile(&energy, 0.4).min(LARGEST_NOISE);
    let factor = 4f32.powf(1.0 - 2.0 * reach);
    let low = |i: usize| factor * (1.6 * noise + 2.5 / 255.0 + 0.5 * error[i]);
    let high = |i: usize| 1.8 * low(i) + factor * 2.0 / 255.0;
    // A pixel belongs to the change if it is plain, or less plain but joined to one that is plain.
    let mut kept: Vec<bool> = (0..width * height).map(|i| energy[i] > low(i)).collect();
    for part in parts(&kept, width) {
        if part.len() < (width * height / SMALLEST_PART).max(6) || !part.iter().any(|i| energy[*i] > high(*i)) {
            part.iter().for_each(|i| kept[*i] = false);
        }
    }
    let holes: Vec<bool> = kept.iter().map(|k| !k).collect();
    for part in parts(&holes, width) {
        let open = |i: &usize| [0, width - 1].contains(&(i % width)) || [0, height - 1].contains(&(i / width));
        if part.len() <= (width * height / LARGEST_HOLE).max(4) && !part.iter().any(open) {
            part.iter().for_each(|i| kept[*i] = true);
        }
    }
    if !kept.contains(&true) {
        return None;
    }
    let radius = soft_radius(width, height);
    let wide = dilated(&kept.iter().map(|k| u8::from(*k)).collect::<Vec<_>>(), width, height, radius);
    let taken = blurred(wide.into_iter().map(f32::from).collect(), width, radius as f32 / 2.5);
    let plain = blurred(energy, width, 1.5 * scale.max(0.8));
    let bounds = bounds(&taken, width)?;
    let smooth = |v: f32| {
        let t = ((v - REPLACING[0]) / (REPLACING[1] - REPLACING[0])).clamp(0.0, 1.0);
        t * t * (3.0 - 2.0 * t)
    };
    let pairs = difference.chunks_exact(3).zip(reconstruction.samples.chunks_exact(3));
    let values = pairs.flat_map(|(d, r)| [d[0], d[1], d[2], r[0], r[1], r[2]]).collect();
    let shares = taken.iter().zip(&plain).flat_map(|(t, p)| [*t, smooth(*p)]).collect();
    Some(Found {
        values: Raster { width, height, channels: 6, samples: values },
        shares: Raster { width, height, channels: 2, samples: shares },
        bounds,
    })
}

/// Result less reconstruction. Where the result has come in from beyond the edge, the nearest known difference.
fn difference(reconstruction: &Raster, result: &Raster, shift: [f32; 2]) -> Vec<f32> {
    let (width, height) = (result.width, result.height);
    let known = |v: usize, side: usize, shift: f32| {
        // Bicubic weights reach two pixels if there is a fraction.
        let far = shift.abs().ceil() as usize + usize::from(shift.fract() != 0.0);
        let (before, behind) = if shift < 0.0 { (far, 0) } else { (0, far) };
        v.clamp(before.min(side - 1), side.saturating_sub(1 + behind).max(before.min(side - 1)))
    };
    let mut out = vec![0.0; 3 * width * height];
    out.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, row)| {
        for (x, out) in row.chunks_exact_mut(3).enumerate() {
            let (x, y) = (known(x, width, shift[0]), known(y, height, shift[1]));
            (0..3).for_each(|c| out[c] = result.pixel(x, y)[c] - reconstruction.pixel(x, y)[c]);
        }
    });
    out
}

/// Takes a small drift of all colours out of the difference.
fn steady(difference: &mut [f32]) {
    for c in 0..3 {
        let all: Vec<f32> = difference.iter().skip(c).step_by(3).copied().collect();
        let drift = quantile(&all, 0.5);
        if drift != 0.0 && drift.abs() <= LARGEST_DRIFT {
            difference.iter_mut().skip(c).step_by(3).for_each(|v| *v -= drift);
        }
    }
}

/// The value below which a share of all lies.
fn quantile(values: &[f32], share: f32) -> f32 {
    let mut values = values.to_vec();
    let i = ((values.len() - 1) as f32 * share) as usize;
    *values.select_nth_unstable_by(i, f32::total_cmp).1
}

/// Blurred by a Gaussian of `sigma` pixels; beyond the edge it goes on as at the edge.
fn blurred(plane: Vec<f32>, width: usize, sigma: f32) -> Vec<f32> {
    let reach = (3.0 * sigma).ceil() as i64;
    let weights: Vec<f32> = (-reach..=reach).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let sum: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|w| w / sum).collect();
    let height = plane.len() / width;
    let mut across = vec![0.0; plane.len()];
    across.par_chunks_exact_mut(width).zip(plane.par_chunks_exact(width)).for_each(|(out, row)| {
        for (x, out) in out.iter_mut().enumerate() {
            let at = |i: i64| row[(x as i64 + i).clamp(0, width as i64 - 1) as usize];
            *out = weights.iter().zip(-reach..).map(|(w, i)| w * at(i)).sum();
        }
    });
    let mut out = plane;
    out.par_chunks_exact_mut(width).enumerate().for_each(|(y, out)| {
        out.fill(0.0);
        for (w, i) in weights.iter().zip(-reach..) {
            let row = &across[(y as i64 + i).clamp(0, height as i64 - 1) as usize * width..][..width];
            out.iter_mut().zip(row).for_each(|(sum, v)| *sum += w * v);
        }
    });
    out
}

/// The connected parts of what is true, by sides and corners.
fn parts(inside: &[bool], width: usize) -> Vec<Vec<usize>> {
    let height = inside.len() / width;
    let mut seen = vec![false; inside.len()];
    let mut out = Vec::new();
    for start in 0..inside.len() {
        if !inside[start] || seen[start] {
            continue;
        }
        seen[start] = true;
        let (mut part, mut next) = (vec![start], 0);
        while next < part.len() {
            let (x, y) = (part[next] % width, part[next] / width);
            next += 1;
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    let i = y * width + x;
                    if inside[i] && !seen[i] {
                        seen[i] = true;
                        part.push(i);
                    }
                }
            }
        }
        out.push(part);
    }
    out
}

/// Left, top, right and bottom of what is seen in 8 bits.
fn bounds(plane: &[f32], width: usize) -> Option<[usize; 4]> {
    let seen = |i: &usize| plane[*i] > 0.25 / 255.0;
    let grow = |b: Option<[usize; 4]>, i: usize| {
        let (x, y) = (i % width, i / width);
        let [left, top, right, bottom] = b.unwrap_or([x, y, x, y]);
        Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)])
    };
    (0..plane.len()).filter(seen).fold(None, grow)
}
