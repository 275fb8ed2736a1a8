//! Models move a picture by a pixel or a few; how far is found from all that has not been changed.

use super::super::Filter;
use super::super::resample::{Axis, Beyond, Raster, resampled};

/// A difference that is as bad as any larger one: there the scene itself has changed.
const WORST: f32 = 0.12;
/// The least shift that is undone, in pixels: resampling blurs a little.
const LEAST: f32 = 0.1;

/// The result moved onto the reconstruction, and by how much it lay to the right and below.
pub(super) fn registered(reconstruction: &Raster, result: Raster) -> (Raster, [f32; 2]) {
    let (a, b) = (luma(reconstruction), luma(&result));
    let start = whole_shift(&a, &b);
    let mut shift = start.map(|v| v as f32);
    for _ in 0..4 {
        let Some(step) = refinement(&a, &moved(&b, shift)) else { break };
        shift = [shift[0] + step[0], shift[1] + step[1]];
        if (0..2).any(|i| (shift[i] - start[i] as f32).abs() > 1.5) {
            shift = start.map(|v| v as f32);
            break;
        }
    }
    if shift.iter().all(|v| v.abs() < LEAST) {
        return (result, [0.0; 2]);
    }
    // A shift by nearly whole pixels is made by whole ones, which blurs nothing.
    shift = shift.map(|v| if (v - v.round()).abs() < LEAST { v.round() } else { v });
    let margin = margin(&a);
    if cost(&a, &moved(&b, shift), [0, 0], margin) > 0.95 * cost(&a, &b, [0, 0], margin) {
        return (result, [0.0; 2]);
    }
    (moved(&result, shift), shift)
}

fn luma(raster: &Raster) -> Raster {
    let samples = raster.samples.as_chunks::<3>().0.iter().map(|[r, g, b]| 0.3 * r + 0.6 * g + 0.1 * b).collect();
    Raster { channels: 1, samples, ..*raster }
}

/// The farthest shift that is looked for.
fn margin(a: &Raster) -> usize {
    (a.width.min(a.height) / 24).min(8)
}

/// The shift by whole pixels with the least cost.
fn whole_shift(a: &Raster, b: &Raster) -> [i64; 2] {
    let margin = margin(a);
    let reach = margin as i64;
    let still = cost(a, b, [0, 0], margin);
    let all = (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| [x, y]));
    let best = all.map(|shift| (cost(a, b, shift, margin), shift)).min_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(cost, _)| *cost < 0.9 * still).map_or([0, 0], |(_, shift)| shift)
}

/// The mean square of what differs if `b` is moved back by a shift, each difference no worse than the worst.
fn cost(a: &Raster, b: &Raster, shift: [i64; 2], margin: usize) -> f64 {
    // Large pictures are looked at on a grid.
    let step = 1 + a.width.min(a.height) / 512;
    let mut sum = 0.0;
    let mut count = 0u32;
    for y in (margin..a.height - margin).step_by(step) {
        let from = ((y as i64 + shift[1]) as usize * b.width) as i64 + shift[0];
        for x in (margin..a.width - margin).step_by(step) {
            let apart = (a.samples[y * a.width + x] - b.samples[(from + x as i64) as usize]).abs().min(WORST);
            sum += f64::from(apart * apart);
            count += 1;
        }
    }
    sum / f64::from(count.max(1))
}

/// `raster` moved to the left and up by a shift; what comes in from beyond is as at the edge.
fn moved(raster: &Raster, shift: [f32; 2]) -> Raster {
    let axis = |count: usize, shift: f32| Axis::new(count, f64::from(shift), 1.0, count, Filter::Bicubic, Beyond::Last);
    let fetch = |y: usize, left: usize, out: &mut [f32]| {
        let from = raster.channels * (y * raster.width + left);
        out.copy_from_slice(&raster.samples[from..from + out.len()]);
    };
    resampled(&fetch, raster.channels, &axis(raster.width, shift[0]), &axis(raster.height, shift[1]))
}

/// The remaining shift to first order (Lucas and Kanade), from pixels that do not differ too much; `None` where the picture
/// is too smooth to tell.
fn refinement(a: &Raster, b: &Raster) -> Option<[f32; 2]> {
    let border = margin(a).max(2);
    let (mut xx, mut xy, mut yy, mut xe, mut ye, mut count) = (0f64, 0f64, 0f64, 0f64, 0f64, 0f64);
    let at = |raster: &Raster, x: usize, y: usize| f64::from(raster.samples[y * raster.width + x]);
    for y in border..a.height.saturating_sub(border) {
        for x in border..a.width.saturating_sub(border) {
            let apart = at(b, x, y) - at(a, x, y);
            if apart.abs() > f64::from(WORST) {
                continue;
            }
            let gx = (at(a, x + 1, y) - at(a, x - 1, y) + at(b, x + 1, y) - at(b, x - 1, y)) / 4.0;
            let gy = (at(a, x, y + 1) - at(a, x, y - 1) + at(b, x, y + 1) - at(b, x, y - 1)) / 4.0;
            (xx, xy, yy) = (xx + gx * gx, xy + gx * gy, yy + gy * gy);
            (xe, ye, count) = (xe + gx * apart, ye + gy * apart, count + 1.0);
        }
    }
    let det = xx * yy - xy * xy;
    if count < 64.0 || det < 1e-12 * count * count || det < 1e-3 * (xx * xx + yy * yy) {
        return None;
    }
    Some([-(yy * xe - xy * ye) / det, -(xx * ye - xy * xe) / det].map(|v| v as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A scene of soft blobs; the result lies `dx`, `dy` to the right and below.
    fn scene(side: usize, dx: f32, dy: f32, changed: bool) -> Raster {
        let value =
            |x: f32, y: f32| 0.5 + 0.25 * (x * 0.31 + (y * 0.11).sin()).sin() * (y * 0.27).cos() + 0.1 * (x * 0.05 - y * 0.07).sin();
        let samples = (0..side * side).flat_map(|i| {
            let (x, y) = (i % side, i / side);
            let inside = changed && (20..40).contains(&x) && (30..50).contains(&y);
            [if inside { 0.9 } else { value(x as f32 - dx, y as f32 - dy) }; 3]
        });
        Raster { width: side, height: side, channels: 3, samples: samples.collect() }
    }

    #[test]
    fn a_shift_is_found_although_a_part_has_changed() {
        for (dx, dy) in [(0.0, 0.0), (1.0, 0.0), (-2.0, 3.0), (0.5, -0.5), (1.4, 2.3), (0.04, 0.0)] {
            let (_, shift) = registered(&scene(96, 0.0, 0.0, false), scene(96, dx, dy, true));
            let want = if (dx, dy) == (0.04, 0.0) { (0.0, 0.0) } else { (dx, dy) };
            assert!((shift[0] - want.0).abs() < 0.1 && (shift[1] - want.1).abs() < 0.1, "{dx}, {dy}: {shift:?}");
        }
    }

    #[test]
    fn where_nothing_tells_nothing_is_moved() {
        let flat = |v: f32, side| Raster { width: side, height: side, channels: 3, samples: vec![v; 3 * side * side] };
        for side in [1, 2, 3, 30, 64] {
            assert_eq!(registered(&flat(0.2, side), flat(0.7, side)), (flat(0.7, side), [0.0; 2]));
        }
    }
}
