//! 3 x 3 convolution by Winograd's minimal filtering F(2 x 2, 3 x 3): 16 multiplications where the definition has 36.
//!
//! Every 4 x 4 patch of the input (patches overlap by two) is transformed, multiplied point by point with the transformed
//! filter and summed over the channels, which makes sixteen matrix products; one more transform gives 2 x 2 outputs.
//! The transforms only add and halve, so that rounding stays that of a plain convolution.
//!
//! Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015.

use super::Scratch;
use super::matrix::{Mat, Shared, product};
use rayon::prelude::*;

/// Patches that one task transforms, about.
const PATCHES: usize = 256;

/// The sizes of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub samples: usize,
    pub inputs: usize,
    pub outputs: usize,
    pub h: usize,
    pub w: usize,
}

/// Stride 1, padded by one. `finish` gets every finished row of an output channel: (channel, row).
///
/// # Shapes
/// - `source`: `(B, C, H, W)`; `filters`: `(O, C, 3, 3)`; `out`: `(B, O, H, W)`
pub(super) fn convolve(source: &[f32], filters: &[f32], sizes: Sizes, out: &mut [f32], finish: impl Fn(usize, &mut [f32]) + Sync) {
    let Sizes { samples, inputs, outputs, h, w } = sizes;
    let filters = transform_filters(filters, inputs, outputs); // (16, O, C)
    let across = w.div_ceil(2);
    let down = h.div_ceil(2);
    let rows = (PATCHES / across).clamp(1, down.div_ceil(rayon::current_num_threads()).max(1));
    let tasks = down.div_ceil(rows);
    let shared = Shared::new(out);
    (0..samples * tasks).into_par_iter().for_each(|task| {
        let (sample, first) = (task / tasks, task % tasks * rows);
        let rows = rows.min(down - first);
        let patches = rows * across;
        let mut spectra = Scratch::new(16 * inputs * patches);
        let mut products = Scratch::new(16 * outputs * patches);
        let mut lines = Scratch::new(16 * (across + 1));
        let spectra = &mut spectra.0[..16 * inputs * patches];
        let products = &mut products.0[..16 * outputs * patches];
        for channel in 0..inputs {
            let plane = &source[(sample * inputs + channel) * h * w..][..h * w];
            for row in 0..rows {
                let at = channel * patches + row * across;
                transform_input(plane, (h, w), 2 * (first + row), &mut lines.0, spectra, (at, inputs * patches), across);
            }
        }
        for k in 0..16 {
            let filter = Mat::new(&filters[k * outputs * inputs..], outputs, inputs, inputs, 1);
            let spectrum = Mat::new(&spectra[k * inputs * patches..], inputs, patches, patches, 1);
            product(&mut products[k * outputs * patches..], (patches, 1), false, filter, spectrum);
        }
        for channel in 0..outputs {
            for row in 0..rows {
                let at = channel * patches + row * across;
                let y = 2 * (first + row);
                let start = ((sample * outputs + channel) * h + y) * w;
                // SAFETY: a task writes its own rows of every channel.
                let made = unsafe { shared.part(start, w * 2.min(h - y)) };
                transform_output(products, (at, outputs * patches), w, &mut lines.0, made);
                for line in made.chunks_exact_mut(w) {
                    finish(channel, line);
                }
            }
        }
    });
}

/// G g Gᵀ of every filter, as sixteen matrices `(O, C)`.
fn transform_filters(filters: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut out = vec![0f32; 16 * outputs * inputs];
    let size = outputs * inputs;
    let shared = Shared::new(&mut out);
    (0..outputs).into_par_iter().for_each(|o| {
        // SAFETY: a task writes its own row of each of the sixteen matrices.
        let rows: [&mut [f32]; 16] = std::array::from_fn(|k| unsafe { shared.part(k * size + o * inputs, inputs) });
        for (c, g) in filters[o * inputs * 9..(o + 1) * inputs * 9].as_chunks::<9>().0.iter().enumerate() {
            let half = |a: f32, b: f32, c: f32| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
            let columns: [[f32; 4]; 3] = std::array::from_fn(|x| half(g[x], g[3 + x], g[6 + x]));
            for i in 0..4 {
                for (j, value) in half(columns[0][i], columns[1][i], columns[2][i]).into_iter().enumerate() {
                    rows[4 * i + j][c] = value;
                }
            }
        }
    });
    out
}

/// Bᵀ d B of a row of patches: the first of its four input lines is `top - 1`. Written at `at` of each of sixteen parts.
fn transform_input(
    plane: &[f32],
    (h, w): (usize, usize),
    top: usize,
    lines: &mut [f32],
    spectra: &mut [f32],
    (at, part): (usize, usize),
    across: usize,
) {
    // Even and odd columns of four padded lines. Column x of the padded line is column x - 1 of the picture.
    let len = across + 1;
    let (lines, sums) = lines[..16 * len].split_at_mut(8 * len);
    for (i, line) in lines.chunks_exact_mut(2 * len).enumerate() {
        let (even, odd) = line.split_at_mut(len);
        let y = top + i;
        if y == 0 || y > h {
            even.fill(0.0);
            odd.fill(0.0);
            continue;
        }
        let row = &plane[(y - 1) * w..y * w];
        let (pairs, rest) = row.as_chunks::<2>();
        simd!({
            even[0] = 0.0;
            for ((e, o), [a, b]) in even[1..].iter_mut().zip(odd.iter_mut()).zip(pairs) {
                *o = *a;
                *e = *b;
            }
        });
        let n = pairs.len();
        odd[n..].fill(0.0);
        even[n + 1..].fill(0.0);
        if let [last] = rest {
            odd[n] = *last;
        }
    }
    simd!({
        let (d0, rest) = lines.split_at(2 * len);
        let (d1, rest) = rest.split_at(2 * len);
        let (d2, d3) = rest.split_at(2 * len);
        let (t0, rest) = sums.split_at_mut(2 * len);
        let (t1, rest) = rest.split_at_mut(2 * len);
        let (t2, t3) = rest.split_at_mut(2 * len);
        for i in 0..2 * len {
            t0[i] = d0[i] - d2[i];
            t1[i] = d1[i] + d2[i];
            t2[i] = d2[i] - d1[i];
            t3[i] = d1[i] - d3[i];
        }
        for (i, t) in sums.chunks_exact(2 * len).enumerate() {
            let (even, odd) = t.split_at(len);
            let (e0, e1, o0, o1) = (&even[..across], &even[1..], &odd[..across], &odd[1..]);
            let line = |k: usize| at + (4 * i + k) * part;
            spectra[line(0)..][..across].iter_mut().zip(e0.iter().zip(e1)).for_each(|(v, (a, b))| *v = a - b);
            spectra[line(1)..][..across].iter_mut().zip(o0.iter().zip(e1)).for_each(|(v, (a, b))| *v = a + b);
            spectra[line(2)..][..across].iter_mut().zip(o0.iter().zip(e1)).for_each(|(v, (a, b))| *v = b - a);
            spectra[line(3)..][..across].iter_mut().zip(o0.iter().zip(o1)).for_each(|(v, (a, b))| *v = a - b);
        }
    });
}

/// Aᵀ m A of a row of patches, into one or two lines of `w` pixels.
fn transform_output(products: &[f32], (at, part): (usize, usize), w: usize, sums: &mut [f32], out: &mut [f32]) {
    let across = w.div_ceil(2);
    let m: [&[f32]; 16] = std::array::from_fn(|k| &products[at + k * part..][..across]);
    simd!({
        for (y, line) in out.chunks_exact_mut(w).enumerate() {
            // Line y of Aᵀ m, in four runs; then every pair of pixels from its four values.
            let sign = if y == 0 { 1.0 } else { -1.0 };
            let first = if y == 0 { 0 } else { 12 };
            for (l, sum) in sums[..4 * across].chunks_exact_mut(across).enumerate() {
                add_three(sum, m[4 + l], m[8 + l], m[first + l], sign);
            }
            let (s0, rest) = sums.split_at(across);
            let (s1, rest) = rest.split_at(across);
            let (s2, s3) = rest.split_at(across);
            let (pairs, rest) = line.as_chunks_mut::<2>();
            for (j, pair) in pairs.iter_mut().enumerate() {
                let (plus, minus) = (s1[j] + s2[j], s1[j] - s2[j]);
                *pair = [s0[j] + plus, minus - s3[j]];
            }
            if let [last] = rest {
                let j = across - 1;
                *last = s0[j] + s1[j] + s2[j];
            }
        }
    });
}

/// out = a + sign · (b + c): m1 + m2 + m0 for the first line, m1 - m2 - m3 for the second.
#[inline(always)]
fn add_three(out: &mut [f32], a: &[f32], b: &[f32], c: &[f32], sign: f32) {
    for (((o, a), b), c) in out.iter_mut().zip(a).zip(b).zip(c) {
        *o = a + sign * (b + c);
    }
}
