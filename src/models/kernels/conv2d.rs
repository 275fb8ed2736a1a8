//! Convolution as matrix products over tiles of the picture.
//!
//! A task takes a few rows of the output, lays the inputs of every filter tap side by side (im2col) in a scratch
//! buffer that stays in the cache, and multiplies. Nothing the size of the picture is allocated but the result.

use super::linear::Weight;
use super::matrix::{Mat, Shared};
use super::{Scratch, Values, is_fast, simd};
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Values in the unfolded inputs of one task, about: 4 MiB, which the second and third caches hold.
const UNFOLDED: usize = 1 << 20;

/// Convolution with square filters of odd size K, padded by K / 2.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `weight`: `(O, C, K, K)`; `bias`: `(O)`; returns `(B, O, ceil(H / stride), ceil(W / stride))`
/// # Errors      shapes that do not fit, or the device fails
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize) -> Result<Tensor> {
    if !is_fast(x) {
        return conv2d_plain(x, weight, bias, stride);
    }
    let (b, c, h, w) = x.dims4()?;
    let (o, inner, kernel, kw) = weight.dims4()?;
    if inner != c || kernel != kw || kernel % 2 == 0 || stride == 0 || bias.is_some_and(|b| b.dims() != [o]) {
        bail!("convolution {:?} with stride {stride} on {:?}", weight.dims(), x.dims());
    }
    let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
    let x = x.contiguous()?;
    let flat = weight.to_dtype(DType::F32)?.reshape((o, c * kernel * kernel))?.contiguous()?;
    let filters = Weight::of(&flat)?;
    let bias = bias.map(|b| b.to_dtype(DType::F32)?.contiguous()).transpose()?;
    let source = Values::of(&x)?;
    let source = source.as_slice()?;
    let offsets = bias.as_ref().map(Values::of).transpose()?;
    let offsets = offsets.as_ref().map(Values::as_slice).transpose()?;
    let filters = Mat::new(filters.f32()?, o, c * kernel * kernel, c * kernel * kernel, 1);
    let pixels = (UNFOLDED / (c * kernel * kernel).max(1)).clamp(256, 4096);
    let rows = (pixels / ow.max(1)).clamp(1, oh.div_ceil(rayon::current_num_threads()).max(1));
    let tiles = oh.div_ceil(rows);
    let mut out = vec![0f32; b * o * oh * ow];
    let shared = Shared::new(&mut out);
    (0..b * tiles).into_par_iter().for_each(|task| {
        let (sample, first) = (task / tiles, task % tiles * rows);
        let rows = rows.min(oh - first);
        let pixels = rows * ow;
        let depth = c * kernel * kernel;
        let mut columns = Scratch::new(depth * pixels);
        let columns = &mut columns.0[..depth * pixels];
        let picture = &source[sample * c * h * w..(sample + 1) * c * h * w];
        unfold(picture, (h, w), kernel, stride, (first, rows), ow, columns);
        let at = sample * o * oh * ow + first * ow;
        // SAFETY: a task writes its own rows of the output picture, in all channels.
        unsafe {
            shared.product(at, (oh * ow, 1), false, filters, Mat::new(columns, depth, pixels, pixels, 1));
            if let Some(offsets) = offsets {
                for (channel, offset) in offsets.iter().enumerate().take(o) {
                    let run = shared.part(at + channel * oh * ow, pixels);
                    simd(|| run.iter_mut().for_each(|v| *v += offset));
                }
            }
        }
    });
    Tensor::from_vec(out, (b, o, oh, ow), x.device())
}

/// The plain twin of [`conv2d`].
pub fn conv2d_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize) -> Result<Tensor> {
    let weight = weight.to_dtype(x.dtype())?;
    let (o, _, kernel, _) = weight.dims4()?;
    let y = x.conv2d(&weight, kernel / 2, stride, 1, 1)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?.reshape((1, o, 1, 1))?),
        None => Ok(y),
    }
}

/// Row (channel, dy, dx) of `columns` is what that filter tap sees at each output pixel of the rows asked for.
fn unfold(picture: &[f32], (h, w): (usize, usize), kernel: usize, stride: usize, (first, rows): (usize, usize), ow: usize, columns: &mut [f32]) {
    let pad = kernel / 2;
    for (tap, column) in columns.chunks_exact_mut(rows * ow).enumerate() {
        let (channel, dy, dx) = (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
        let plane = &picture[channel * h * w..(channel + 1) * h * w];
        // Output columns whose input column x * stride + dx - pad lies inside the picture.
        let from = pad.saturating_sub(dx).div_ceil(stride);
        let to = if w + pad > dx { ((w + pad - dx - 1) / stride + 1).min(ow) } else { 0 };
        for (row, out) in column.chunks_exact_mut(ow).enumerate() {
            let y = (first + row) * stride + dy;
            if y < pad || y - pad >= h || to <= from {
                out.fill(0.0);
                continue;
            }
            let line = &plane[(y - pad) * w..(y - pad + 1) * w];
            out[..from].fill(0.0);
            out[to..].fill(0.0);
            let source = &line[from * stride + dx - pad..];
            if stride == 1 {
                out[from..to].copy_from_slice(&source[..to - from]);
            } else {
                for (o, s) in out[from..to].iter_mut().zip(source.iter().step_by(stride)) {
                    *o = *s;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn convolution_equals_its_plain_twin() {
        for (shape, o, kernel, stride) in
            [([1, 3, 8, 8], 5, 3, 1), ([2, 4, 9, 13], 6, 3, 2), ([1, 2, 1, 1], 3, 3, 1), ([1, 8, 40, 70], 16, 3, 1), ([1, 3, 6, 5], 4, 5, 1), ([1, 7, 4, 4], 9, 1, 1)]
        {
            let x = noise(1, &shape);
            let (w, b) = (noise(2, &[o, shape[1], kernel, kernel]), noise(3, &[o]));
            for bias in [None, Some(&b)] {
                assert_close(&conv2d(&x, &w, bias, stride).unwrap(), &conv2d_plain(&x, &w, bias, stride).unwrap());
            }
        }
    }
}
