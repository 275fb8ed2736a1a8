//! The step of DC-AE that doubles a map: nearest neighbours, a 3 x 3 convolution, and a shortcut.
//!
//! Of a doubled map a filter sees the same value twice, so that Winograd's sixteen products (`winograd.rs`) come down to nine,
//! and the doubled map itself is never made. Along one side, with the values p, q, s around a pixel and the filter g, its two
//! outputs are p g0 + q (g1 + g2) = (p - q) g0 + q (g0 + g1 + g2) and q (g0 + g1) + s g2 = q (g0 + g1 + g2) - (q - s) g2.

use super::matrix::{Mat, Shared, product};
use super::{
    Scratch, Values, add_repeated_shuffled, add_repeated_shuffled_plain, conv2d, conv2d_plain, double, double_plain, is_fast, zeros,
};
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Pixels that one task transforms, about.
const PIXELS: usize = 256;

/// conv(nearest neighbours of x) + x with every channel repeated in place, pixel-shuffled.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `weight`: `(O, C, 3, 3)`, 4O a multiple of C; `bias`: `(O)`; returns `(B, O, 2H, 2W)`
/// # Errors      shapes that do not fit, or the device fails
/// # Source      diffusers 0.34 `DCUpBlock2d` with `interpolate: true`
pub fn upsample(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let o = weight.dim(0)?;
    if weight.dims() != [o, c, 3, 3] || c == 0 || 4 * o < c || 4 * o % c != 0 || bias.is_some_and(|b| b.dims() != [o]) {
        bail!("a step up by {:?} on {:?}", weight.dims(), x.dims());
    }
    // The transforms pay where the sums over the channels are long.
    if !is_fast(x) || c < 16 || o < 16 || h * w == 0 {
        return add_repeated_shuffled(&conv2d(&double(x)?, weight, bias, 1, false)?, x);
    }
    let x = x.contiguous()?;
    let weight = weight.to_dtype(DType::F32)?.contiguous()?;
    let bias = bias.map(|b| b.to_dtype(DType::F32)?.contiguous()).transpose()?;
    let (source, filters) = (Values::of(&x)?, Values::of(&weight)?);
    let source = source.as_slice()?;
    let filters = transform_filters(&filters.as_slice()?[..9 * o * c], c, o); // (9, O, C)
    let offsets = bias.as_ref().map(Values::of).transpose()?;
    let offsets = offsets.as_ref().map(Values::as_slice).transpose()?;
    let mut out = zeros(b * o * 4 * h * w);
    let rows = (PIXELS / w).clamp(1, h.div_ceil(rayon::current_num_threads()).max(1));
    let tasks = h.div_ceil(rows);
    let shared = Shared::new(&mut out);
    (0..b * tasks).into_par_iter().for_each(|task| {
        let (sample, first) = (task / tasks, task % tasks * rows);
        let rows = rows.min(h - first);
        let pixels = rows * w;
        let picture = &source[sample * c * h * w..][..c * h * w];
        let mut spectra = Scratch::new(9 * c * pixels);
        let mut products = Scratch::new(9 * o * pixels);
        let mut lines = Scratch::new(3 * (w + 2));
        let spectra = &mut spectra.0[..9 * c * pixels];
        let products = &mut products.0[..9 * o * pixels];
        for (channel, plane) in picture.chunks_exact(h * w).enumerate() {
            for row in 0..rows {
                let at = channel * pixels + row * w;
                transform_input(plane, w, first + row, &mut lines.0[..3 * (w + 2)], spectra, (at, c * pixels));
            }
        }
        for k in 0..9 {
            let filter = Mat::new(&filters[k * o * c..], o, c, c, 1);
            let spectrum = Mat::new(&spectra[k * c * pixels..], c, pixels, pixels, 1);
            product(&mut products[k * o * pixels..], (pixels, 1), false, filter, spectrum);
        }
        for channel in 0..o {
            let offset = offsets.map_or(0.0, |offsets| offsets[channel]);
            for row in 0..rows {
                let y = first + row;
                // SAFETY: a task writes its own rows of every channel.
                let made = unsafe { shared.part(((sample * o + channel) * h + y) * 4 * w, 4 * w) };
                let shortcut: [&[f32]; 4] = std::array::from_fn(|i| &picture[((4 * channel + i) * c / (4 * o) * h + y) * w..][..w]);
                transform_output(products, (channel * pixels + row * w, o * pixels), shortcut, offset, made);
            }
        }
    });
    Tensor::from_vec(out, (b, o, 2 * h, 2 * w), x.device())
}

/// The plain twin of [`upsample`].
pub fn upsample_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    add_repeated_shuffled_plain(&conv2d_plain(&double_plain(x)?, weight, bias, 1, false)?, x)
}

/// (g0, g0 + g1 + g2, g2) along both sides of every filter, as nine matrices `(O, C)`.
fn transform_filters(filters: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let size = outputs * inputs;
    let mut out = vec![0f32; 9 * size];
    let shared = Shared::new(&mut out);
    (0..outputs).into_par_iter().for_each(|o| {
        // SAFETY: a task writes its own row of each of the nine matrices.
        let rows: [&mut [f32]; 9] = std::array::from_fn(|k| unsafe { shared.part(k * size + o * inputs, inputs) });
        for (c, g) in filters[o * inputs * 9..(o + 1) * inputs * 9].as_chunks::<9>().0.iter().enumerate() {
            let three = |a: f32, b: f32, c: f32| [a, a + b + c, c];
            let columns: [[f32; 3]; 3] = std::array::from_fn(|x| three(g[x], g[3 + x], g[6 + x]));
            for i in 0..3 {
                for (j, value) in three(columns[0][i], columns[1][i], columns[2][i]).into_iter().enumerate() {
                    rows[3 * i + j][c] = value;
                }
            }
        }
    });
    out
}

/// (p - q, q, q - s) along both sides of every pixel of a row. Written at `at` of each of nine parts.
fn transform_input(plane: &[f32], w: usize, row: usize, lines: &mut [f32], spectra: &mut [f32], (at, part): (usize, usize)) {
    let line = |y: usize| plane.get(y * w..(y + 1) * w).unwrap_or_default();
    let (above, here, below) = (row.checked_sub(1).map(line).unwrap_or_default(), line(row), line(row + 1));
    simd!({
        lines.fill(0.0);
        let (top, rest) = lines.split_at_mut(w + 2);
        let (middle, bottom) = rest.split_at_mut(w + 2);
        let (top, middle, bottom) = (&mut top[1..=w], &mut middle[1..=w], &mut bottom[1..=w]);
        middle.copy_from_slice(here);
        top.iter_mut().zip(here).for_each(|(t, q)| *t = -q);
        top.iter_mut().zip(above).for_each(|(t, p)| *t += p);
        bottom.copy_from_slice(here);
        bottom.iter_mut().zip(below).for_each(|(t, s)| *t -= s);
        for (i, line) in lines.chunks_exact(w + 2).enumerate() {
            let (p, q, s) = (&line[..w], &line[1..=w], &line[2..]);
            let run = |k: usize| at + (3 * i + k) * part;
            spectra[run(0)..][..w].iter_mut().zip(p.iter().zip(q)).for_each(|(v, (p, q))| *v = p - q);
            spectra[run(1)..][..w].copy_from_slice(q);
            spectra[run(2)..][..w].iter_mut().zip(q.iter().zip(s)).for_each(|(v, (q, s))| *v = q - s);
        }
    });
}

/// Two rows of the output: the sums that the nine products stand for, + the offset and the four shortcuts.
fn transform_output(products: &[f32], (at, part): (usize, usize), shortcut: [&[f32]; 4], offset: f32, made: &mut [f32]) {
    let w = shortcut[0].len();
    let m: [&[f32]; 9] = std::array::from_fn(|k| &products[at + k * part..][..w]);
    let (top, bottom) = made.split_at_mut(2 * w);
    simd!({
        for (j, pair) in top.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let (left, both, right) = (m[0][j] + m[3][j], m[1][j] + m[4][j], m[2][j] + m[5][j]);
            *pair = [left + both + offset + shortcut[0][j], both - right + offset + shortcut[1][j]];
        }
        for (j, pair) in bottom.as_chunks_mut::<2>().0.iter_mut().enumerate() {
            let (left, both, right) = (m[3][j] - m[6][j], m[4][j] - m[7][j], m[5][j] - m[8][j]);
            *pair = [left + both + offset + shortcut[2][j], both - right + offset + shortcut[3][j]];
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn a_step_up_equals_its_plain_twin() {
        let cases = [
            ([1, 3, 4, 5], 6), // too small for the transforms
            ([1, 16, 1, 1], 16),
            ([2, 32, 5, 7], 16),
            ([1, 16, 9, 300], 32),
            ([1, 48, 17, 1], 24),
            ([2, 64, 33, 20], 32),
        ];
        for (shape, o) in cases {
            let x = noise(1, &shape);
            let (w, b) = (noise(2, &[o, shape[1], 3, 3]), noise(3, &[o]));
            for bias in [None, Some(&b)] {
                assert_close(&upsample(&x, &w, bias).unwrap(), &upsample_plain(&x, &w, bias).unwrap());
            }
        }
        assert!(upsample(&noise(1, &[1, 16, 4, 4]), &noise(2, &[3, 16, 3, 3]), None).is_err());
    }
}
