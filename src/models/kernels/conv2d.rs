//! Convolution as matrix products over tiles of the picture.
//!
//! A task takes a few rows of the output, lays the inputs of every filter tap side by side (im2col) in a scratch
//! buffer that stays in the cache, and multiplies. Nothing the size of the picture is allocated but the result.
//! Large 3 x 3 convolutions go another way, see `winograd.rs`.

use super::activation::silu_of;
use super::matrix::{Mat, Shared};
use super::{Scratch, Values, is_fast, winograd, zeros};
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Values in the unfolded inputs of one task, about: 4 MiB, which the second and third caches hold.
const UNFOLDED: usize = 1 << 20;

/// Convolution with square filters of odd size K, padded by K / 2; then `SiLU` if asked.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `weight`: `(O, C, K, K)`; `bias`: `(O)`; returns `(B, O, ceil(H / stride), ceil(W / stride))`
/// # Errors      shapes that do not fit, or the device fails
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize, then_silu: bool) -> Result<Tensor> {
    if !is_fast(x) {
        return conv2d_plain(x, weight, bias, stride, then_silu);
    }
    convolve(x, weight, bias, stride, if then_silu { Then::Silu } else { Then::Nothing })
}

/// The same with stride 1; what is below zero is then multiplied by a slope of its channel.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `weight`: `(O, C, K, K)`; `bias` and `slope`: `(O)`; returns `(B, O, H, W)`
/// # Errors      shapes that do not fit, or the device fails
pub fn conv2d_prelu(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, slope: &Tensor) -> Result<Tensor> {
    if !is_fast(x) {
        return conv2d_prelu_plain(x, weight, bias, slope);
    }
    if slope.dims() != [weight.dim(0)?] {
        bail!("slopes {:?} for {:?}", slope.dims(), weight.dims());
    }
    let slope = slope.to_dtype(DType::F32)?.contiguous()?;
    let slopes = Values::of(&slope)?;
    convolve(x, weight, bias, 1, Then::Prelu(slopes.as_slice()?))
}

/// What is done with each sum.
#[derive(Clone, Copy)]
enum Then<'a> {
    Nothing,
    Silu,
    /// Slopes of the channels.
    Prelu(&'a [f32]),
}

fn convolve(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize, then: Then<'_>) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let (o, inner, kernel, kw) = weight.dims4()?;
    if inner != c || kernel != kw || kernel % 2 == 0 || stride == 0 || bias.is_some_and(|b| b.dims() != [o]) {
        bail!("convolution {:?} with stride {stride} on {:?}", weight.dims(), x.dims());
    }
    let (oh, ow) = (h.div_ceil(stride), w.div_ceil(stride));
    let x = x.contiguous()?;
    let weight = weight.to_dtype(DType::F32)?.contiguous()?;
    let bias = bias.map(|b| b.to_dtype(DType::F32)?.contiguous()).transpose()?;
    let (source, filters) = (Values::of(&x)?, Values::of(&weight)?);
    let (source, filters) = (source.as_slice()?, &filters.as_slice()?[..weight.elem_count()]);
    let offsets = bias.as_ref().map(Values::of).transpose()?;
    let offsets = offsets.as_ref().map(Values::as_slice).transpose()?;
    let finish = |channel: usize, run: &mut [f32]| {
        let offset = offsets.map_or(0.0, |offsets| offsets[channel]);
        match then {
            Then::Silu => simd!(run.iter_mut().for_each(|v| *v = silu_of(*v + offset))),
            Then::Prelu(slopes) => {
                let slope = slopes[channel];
                simd!(run.iter_mut().for_each(|v| *v = prelu_of(*v + offset, slope)));
            }
            Then::Nothing if offsets.is_some() => simd!(run.iter_mut().for_each(|v| *v += offset)),
            Then::Nothing => {}
        }
    };
    let mut out = zeros(b * o * oh * ow);
    // The transforms pay where the sums over the channels are long and the map is large.
    if kernel == 3 && stride == 1 && c >= 16 && o >= 16 && h * w >= 256 {
        let sizes = winograd::Sizes { samples: b, inputs: c, outputs: o, h, w };
        winograd::convolve(source, filters, sizes, &mut out, finish);
        return Tensor::from_vec(out, (b, o, oh, ow), x.device());
    }
    let depth = c * kernel * kernel;
    let filters = Mat::new(filters, o, depth, depth, 1);
    let pixels = (UNFOLDED / depth.max(1)).clamp(256, 4096);
    let rows = (pixels / ow.max(1)).clamp(1, oh.div_ceil(rayon::current_num_threads()).max(1));
    let tiles = oh.div_ceil(rows);
    let shared = Shared::new(&mut out);
    (0..b * tiles).into_par_iter().for_each(|task| {
        let (sample, first) = (task / tiles, task % tiles * rows);
        let rows = rows.min(oh - first);
        let pixels = rows * ow;
        let mut columns = Scratch::new(depth * pixels);
        let columns = &mut columns.0[..depth * pixels];
        let picture = &source[sample * c * h * w..(sample + 1) * c * h * w];
        unfold(picture, (h, w), kernel, stride, (first, rows), ow, columns);
        let at = sample * o * oh * ow + first * ow;
        // SAFETY: a task writes its own rows of the output picture, in all channels.
        unsafe {
            shared.product(at, (oh * ow, 1), false, filters, Mat::new(columns, depth, pixels, pixels, 1));
            for channel in 0..o {
                finish(channel, shared.part(at + channel * oh * ow, pixels));
            }
        }
    });
    Tensor::from_vec(out, (b, o, oh, ow), x.device())
}

/// The plain twin of [`conv2d`].
pub fn conv2d_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, stride: usize, then_silu: bool) -> Result<Tensor> {
    let weight = weight.to_dtype(x.dtype())?;
    let (o, _, kernel, _) = weight.dims4()?;
    let mut y = x.conv2d(&weight, kernel / 2, stride, 1, 1)?;
    if let Some(bias) = bias {
        y = y.broadcast_add(&bias.to_dtype(x.dtype())?.reshape((1, o, 1, 1))?)?;
    }
    if then_silu { y.silu() } else { Ok(y) }
}

/// The plain twin of [`conv2d_prelu`].
pub fn conv2d_prelu_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, slope: &Tensor) -> Result<Tensor> {
    let y = conv2d_plain(x, weight, bias, 1, false)?;
    let slope = slope.to_dtype(x.dtype())?.reshape((1, (), 1, 1))?;
    y.relu()? - y.neg()?.relu()?.broadcast_mul(&slope)?
}

#[inline(always)]
fn prelu_of(x: f32, slope: f32) -> f32 {
    if x < 0.0 { x * slope } else { x }
}

/// Row (channel, dy, dx) of `columns` is what that filter tap sees at each output pixel of the rows asked for.
fn unfold(
    picture: &[f32],
    (h, w): (usize, usize),
    kernel: usize,
    stride: usize,
    (first, rows): (usize, usize),
    ow: usize,
    columns: &mut [f32],
) {
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
        let cases = [
            ([1, 3, 8, 8], 5, 3, 1),
            ([2, 4, 9, 13], 6, 3, 2),
            ([1, 2, 1, 1], 3, 3, 1),
            ([1, 8, 40, 70], 16, 3, 1),
            ([1, 3, 6, 5], 4, 5, 1),
            ([1, 7, 4, 4], 9, 1, 1),
            // Large enough for the other way, of even and odd sizes, one pixel high and wide.
            ([2, 16, 16, 16], 20, 3, 1),
            ([1, 33, 17, 31], 16, 3, 1),
            ([1, 16, 1, 300], 16, 3, 1),
            ([1, 16, 257, 1], 16, 3, 1),
            ([1, 64, 70, 515], 48, 3, 1),
        ];
        for (shape, o, kernel, stride) in cases {
            let x = noise(1, &shape);
            let (w, b) = (noise(2, &[o, shape[1], kernel, kernel]), noise(3, &[o]));
            for (bias, silu) in [(None, false), (Some(&b), false), (None, true), (Some(&b), true)] {
                assert_close(&conv2d(&x, &w, bias, stride, silu).unwrap(), &conv2d_plain(&x, &w, bias, stride, silu).unwrap());
            }
            let slope = noise(4, &[o]);
            assert_close(&conv2d_prelu(&x, &w, Some(&b), &slope).unwrap(), &conv2d_prelu_plain(&x, &w, Some(&b), &slope).unwrap());
        }
    }
}
