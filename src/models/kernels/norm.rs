//! Normalisations, and the modulated residual additions around them.

use super::activation::CHUNK;
use super::{Values, built, fold, is_fast, zeros};
use candle_core::{D, DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Rows of `width` that make up one task.
fn rows_per_task(width: usize) -> usize {
    (CHUNK / width.max(1)).max(1)
}

/// Applies `f(row in, row out)` to every row of the last dimension.
fn map_rows(x: &Tensor, f: impl Fn(&[f32], &mut [f32]) + Sync) -> Result<Tensor> {
    let x = x.contiguous()?;
    let width = x.dim(D::Minus1)?;
    let values = Values::of(&x)?;
    let source = &values.as_slice()?[..x.elem_count()];
    let step = rows_per_task(width) * width.max(1);
    let out = built(source.len(), step, |i, out| {
        simd!({
            for (o, s) in out.chunks_exact_mut(width).zip(source[i * step..].chunks_exact(width)) {
                f(s, o);
            }
        });
    });
    Tensor::from_vec(out, x.shape(), x.device())
}

/// The sum of `f(x)` over a row, in eight partial sums: quick, and more exact than one running sum.
#[inline(always)]
fn sum_of(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut part = [0f32; 8];
    let (blocks, rest) = row.as_chunks::<8>();
    for block in blocks {
        for (p, x) in part.iter_mut().zip(block) {
            *p += f(*x);
        }
    }
    fold(part) + rest.iter().map(|x| f(*x)).sum::<f32>()
}

/// x · rsqrt(mean(x²) + eps) · weight over the last dimension, then `ReLU` if asked.
///
/// # Shapes
/// - `x`: `(…, C)`; `weight`: `(C)`; returns `(…, C)`
/// # Source      transformers 4.51.3 `Qwen3RMSNorm`, diffusers 0.34 `RMSNorm` (in f32 the two are the same)
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f32, then_relu: bool) -> Result<Tensor> {
    on_card!(x, rms_norm(x, weight, eps, then_relu));
    if !is_fast(x) || !is_fast(weight) {
        return rms_norm_plain(x, weight, eps, then_relu);
    }
    let width = x.dim(D::Minus1)?;
    if weight.dims() != [width] {
        bail!("rms_norm of width {width} with weight {:?}", weight.dims());
    }
    let weight = Values::of(weight)?;
    let weight = &weight.as_slice()?[..width];
    let floor = if then_relu { 0.0 } else { f32::NEG_INFINITY };
    map_rows(x, |row, out| {
        let scale = 1.0 / (sum_of(row, |v| v * v) / width as f32 + eps).sqrt();
        for ((o, v), w) in out.iter_mut().zip(row).zip(weight) {
            *o = (v * scale * w).max(floor);
        }
    })
}

/// The plain twin of [`rms_norm`].
pub fn rms_norm_plain(x: &Tensor, weight: &Tensor, eps: f32, then_relu: bool) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let scale = ((wide.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?).sqrt()?;
    let normed = wide.broadcast_div(&scale)?.broadcast_mul(&weight.to_dtype(DType::F32)?)?.to_dtype(x.dtype())?;
    if then_relu { normed.relu() } else { Ok(normed) }
}

/// x / max(|x|, 1e-12) over the last dimension.
///
/// # Shapes
/// - `x`: `(…, C)`; returns `(…, C)`
pub fn l2_normalize(x: &Tensor) -> Result<Tensor> {
    on_card!(x, l2_normalize(x));
    if !is_fast(x) {
        return l2_normalize_plain(x);
    }
    map_rows(x, |row, out| {
        let scale = 1.0 / sum_of(row, |v| v * v).sqrt().max(1e-12);
        for (o, v) in out.iter_mut().zip(row) {
            *o = v * scale;
        }
    })
}

/// The plain twin of [`l2_normalize`].
pub fn l2_normalize_plain(x: &Tensor) -> Result<Tensor> {
    x.broadcast_div(&x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?)
}

/// Layer norm with gain and offset over the last dimension.
///
/// # Shapes
/// - `x`: `(…, C)`; `weight`, `bias`: `(C)`; returns `(…, C)`
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    on_card!(x, layer_norm(x, weight, bias, 0.0, eps));
    if is_fast(x) { layer_norm_rows(x, weight, bias, 0.0, eps) } else { layer_norm_plain(x, weight, bias, eps) }
}

/// The plain twin of [`layer_norm`].
pub fn layer_norm_plain(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f32) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
    let scale = ((centred.sqr()?.mean_keepdim(D::Minus1)? + f64::from(eps))?).sqrt()?;
    let normed = centred.broadcast_div(&scale)?;
    normed.broadcast_mul(&weight.to_dtype(DType::F32)?)?.broadcast_add(&bias.to_dtype(DType::F32)?)?.to_dtype(x.dtype())
}

/// Layer norm without gain or offset, then · (1 + scale) + shift: the `AdaLN` of a diffusion transformer.
///
/// # Shapes
/// - `x`: `(…, C)`; `scale`, `shift`: `(C)`; returns `(…, C)`
/// # Source      diffusers 0.34 `SanaTransformerBlock`, `SanaModulatedNorm`
pub fn layer_norm_modulate(x: &Tensor, scale: &Tensor, shift: &Tensor, eps: f32) -> Result<Tensor> {
    on_card!(x, layer_norm(x, scale, shift, 1.0, eps));
    if !is_fast(x) || !is_fast(scale) {
        layer_norm_modulate_plain(x, scale, shift, eps)
    } else {
        layer_norm_rows(x, scale, shift, 1.0, eps)
    }
}

/// The plain twin of [`layer_norm_modulate`].
pub fn layer_norm_modulate_plain(x: &Tensor, scale: &Tensor, shift: &Tensor, eps: f32) -> Result<Tensor> {
    layer_norm_plain(x, &(scale + 1.0)?, shift, eps)
}

/// Layer norm, · (base + gain) + offset.
fn layer_norm_rows(x: &Tensor, gain: &Tensor, offset: &Tensor, base: f32, eps: f32) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if gain.dims() != [width] || offset.dims() != [width] {
        bail!("layer norm of width {width} with {:?} and {:?}", gain.dims(), offset.dims());
    }
    let (gain, offset) = (gain.contiguous()?, offset.contiguous()?);
    let (gain, offset) = (Values::of(&gain)?, Values::of(&offset)?);
    let (gain, offset) = (gain.as_slice()?, offset.as_slice()?);
    map_rows(x, |row, out| {
        let mean = sum_of(row, |v| v) / width as f32;
        let scale = 1.0 / (sum_of(row, |v| (v - mean) * (v - mean)) / width as f32 + eps).sqrt();
        for (((o, v), g), b) in out.iter_mut().zip(row).zip(gain).zip(offset) {
            *o = (v - mean) * scale * (base + g) + b;
        }
    })
}

/// RMS norm over the channels of a map, with gain and offset, then + `residual` if given, then `ReLU` if asked.
///
/// # Shapes
/// - `x`, `residual`: `(B, C, H, W)`; `weight`, `bias`: `(C)`; returns `(B, C, H, W)`
/// # Source      diffusers 0.34 `RMSNorm` as used by `AutoencoderDC`
pub fn channel_rms_norm(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f32,
    residual: Option<&Tensor>,
    then_relu: bool,
) -> Result<Tensor> {
    on_card!(x, channel_rms_norm(x, weight, bias, eps, residual, then_relu));
    if !is_fast(x) {
        return channel_rms_norm_plain(x, weight, bias, eps, residual, then_relu);
    }
    let (b, c, h, w) = x.dims4()?;
    if weight.dims() != [c] || bias.dims() != [c] || residual.is_some_and(|r| r.dims() != x.dims()) {
        bail!("channel norm of {:?} with {:?} and {:?}", x.dims(), weight.dims(), bias.dims());
    }
    let x = x.contiguous()?;
    let residual = residual.map(Tensor::contiguous).transpose()?;
    let (source, weight, bias) = (Values::of(&x)?, Values::of(weight)?, Values::of(bias)?);
    let (source, weight, bias) = (source.as_slice()?, weight.as_slice()?, bias.as_slice()?);
    let added = residual.as_ref().map(Values::of).transpose()?;
    let added = added.as_ref().map(Values::as_slice).transpose()?;
    let plane = h * w;
    let mut out = zeros(b * c * plane);
    let floor = if then_relu { 0.0 } else { f32::NEG_INFINITY };
    // A task owns a run of pixels in all channels: first their scales, then each channel's run.
    const RUN: usize = 512;
    let runs = plane.div_ceil(RUN);
    let shared = super::matrix::Shared::new(&mut out);
    (0..b * runs).into_par_iter().for_each(|task| {
        let (sample, from) = (task / runs, task % runs * RUN);
        let len = RUN.min(plane - from);
        simd!({
            let mut scale = [0f32; RUN];
            for channel in 0..c {
                let at = (sample * c + channel) * plane + from;
                for (s, v) in scale[..len].iter_mut().zip(&source[at..at + len]) {
                    *s += v * v;
                }
            }
            for s in &mut scale[..len] {
                *s = 1.0 / (*s / c as f32 + eps).sqrt();
            }
            for channel in 0..c {
                let at = (sample * c + channel) * plane + from;
                // SAFETY: (sample, run) differ between tasks, so this run of pixels is this task's alone.
                let out = unsafe { shared.part(at, len) };
                let (gain, offset) = (weight[channel], bias[channel]);
                for ((o, v), s) in out.iter_mut().zip(&source[at..at + len]).zip(&scale) {
                    *o = v * s * gain + offset;
                }
                if let Some(added) = added {
                    for (o, r) in out.iter_mut().zip(&added[at..at + len]) {
                        *o += r;
                    }
                }
                for o in out {
                    *o = o.max(floor);
                }
            }
        });
    });
    Tensor::from_vec(out, (b, c, h, w), x.device())
}

/// The plain twin of [`channel_rms_norm`].
pub fn channel_rms_norm_plain(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f32,
    residual: Option<&Tensor>,
    then_relu: bool,
) -> Result<Tensor> {
    let c = x.dim(1)?;
    let wide = x.to_dtype(DType::F32)?;
    let scale = ((wide.sqr()?.mean_keepdim(1)? + f64::from(eps))?).sqrt()?;
    let (weight, bias) = (weight.to_dtype(DType::F32)?.reshape((1, c, 1, 1))?, bias.to_dtype(DType::F32)?.reshape((1, c, 1, 1))?);
    let mut normed = wide.broadcast_div(&scale)?.broadcast_mul(&weight)?.broadcast_add(&bias)?.to_dtype(x.dtype())?;
    if let Some(residual) = residual {
        normed = (normed + residual)?;
    }
    if then_relu { normed.relu() } else { Ok(normed) }
}

/// x + gate · y, one gate per channel of the last dimension.
///
/// # Shapes
/// - `x`, `y`: `(…, C)`; `gate`: `(C)`; returns `(…, C)`
pub fn add_scaled(x: &Tensor, gate: &Tensor, y: &Tensor) -> Result<Tensor> {
    on_card!(x, add_scaled(x, gate, y));
    if !is_fast(x) || !is_fast(gate) {
        return add_scaled_plain(x, gate, y);
    }
    let width = x.dim(D::Minus1)?;
    if x.dims() != y.dims() || gate.dims() != [width] {
        bail!("add_scaled of {:?}, {:?} and {:?}", x.dims(), gate.dims(), y.dims());
    }
    let (x, y, gate) = (x.contiguous()?, y.contiguous()?, gate.contiguous()?);
    let (a, b, g) = (Values::of(&x)?, Values::of(&y)?, Values::of(&gate)?);
    let (a, b, g) = (a.as_slice()?, b.as_slice()?, g.as_slice()?);
    let step = rows_per_task(width) * width.max(1);
    let out = built(x.elem_count(), step, |i, out| {
        simd!({
            for (r, row) in out.chunks_exact_mut(width).enumerate() {
                let at = i * step + r * width;
                for (((o, a), b), g) in row.iter_mut().zip(&a[at..]).zip(&b[at..]).zip(g) {
                    *o = a + g * b;
                }
            }
        });
    });
    Tensor::from_vec(out, x.shape(), x.device())
}

/// The plain twin of [`add_scaled`].
pub fn add_scaled_plain(x: &Tensor, gate: &Tensor, y: &Tensor) -> Result<Tensor> {
    x + y.broadcast_mul(gate)?
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn norms_equal_their_plain_twins() {
        for (rows, width) in [(1, 33), (130, 192), (7, 2240)] {
            let x = (noise(1, &[2, rows, width]) * 3.0).unwrap();
            let (w, b) = (noise(2, &[width]), noise(3, &[width]));
            for relu in [false, true] {
                assert_close(&rms_norm(&x, &w, 1e-5, relu).unwrap(), &rms_norm_plain(&x, &w, 1e-5, relu).unwrap());
            }
            assert_close(&l2_normalize(&x).unwrap(), &l2_normalize_plain(&x).unwrap());
            assert_close(&layer_norm(&x, &w, &b, 1e-6).unwrap(), &layer_norm_plain(&x, &w, &b, 1e-6).unwrap());
            assert_close(&layer_norm_modulate(&x, &w, &b, 1e-6).unwrap(), &layer_norm_modulate_plain(&x, &w, &b, 1e-6).unwrap());
            let y = noise(4, &[2, rows, width]);
            assert_close(&add_scaled(&x, &w, &y).unwrap(), &add_scaled_plain(&x, &w, &y).unwrap());
        }
    }

    #[test]
    fn channel_norm_equals_its_plain_twin() {
        for shape in [[1, 5, 3, 7], [2, 128, 40, 33]] {
            let (x, r) = (noise(5, &shape), noise(6, &shape));
            let (w, b) = (noise(7, &shape[1..2]), noise(8, &shape[1..2]));
            for (residual, relu) in [(None, false), (None, true), (Some(&r), false), (Some(&r), true)] {
                let fast = channel_rms_norm(&x, &w, &b, 1e-5, residual, relu).unwrap();
                assert_close(&fast, &channel_rms_norm_plain(&x, &w, &b, 1e-5, residual, relu).unwrap());
            }
        }
    }
}
