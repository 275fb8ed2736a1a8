//! Depthwise convolution, one small filter per channel, and the gated form that SANA and DC-AE are full of.
//!
//! candle runs a grouped convolution as one convolution per group: a second for SANA's 11,200 channels. Here a
//! channel is copied once into a padded plane that fits the first cache, and its filter runs over whole rows.

use super::activation::silu_of;
use super::{Scratch, Values, built, fetch, is_fast};
use candle_core::{Result, Tensor, bail};

/// Values that are summed tap by tap.
const RUN: usize = 2048;

/// Convolution with one K x K filter per channel, K odd, stride 1, padded to the same size.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `weight`: `(C, 1, K, K)`; `bias`: `(C)`; returns `(B, C, H, W)`
pub fn depthwise_conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    on_card!(x, depthwise(x, weight, bias, false));
    if is_fast(x) { run(x, weight, bias, false) } else { depthwise_conv2d_plain(x, weight, bias) }
}

/// The plain twin of [`depthwise_conv2d`]: K² shifted multiplications, quick enough on any device.
pub fn depthwise_conv2d_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (_, c, h, w) = x.dims4()?;
    let (channels, _, kh, kw) = weight.dims4()?;
    if channels != c {
        bail!("depthwise filters {:?} on {:?}", weight.dims(), x.dims());
    }
    let weight = weight.to_dtype(x.dtype())?;
    let padded = x.pad_with_zeros(2, kh / 2, kh / 2)?.pad_with_zeros(3, kw / 2, kw / 2)?;
    let mut sum: Option<Tensor> = None;
    for dy in 0..kh {
        for dx in 0..kw {
            let tap = weight.narrow(2, dy, 1)?.narrow(3, dx, 1)?.reshape((1, c, 1, 1))?;
            let term = padded.narrow(2, dy, h)?.narrow(3, dx, w)?.broadcast_mul(&tap)?;
            sum = Some(match sum {
                Some(sum) => (sum + term)?,
                None => term,
            });
        }
    }
    let Some(sum) = sum else { bail!("an empty filter") };
    match bias {
        Some(bias) => sum.broadcast_add(&bias.to_dtype(x.dtype())?.reshape((1, c, 1, 1))?),
        None => Ok(sum),
    }
}

/// `SiLU`, depthwise convolution, and the gate: with d = conv(silu(x)) split in halves (a, g), a · silu(g).
///
/// # Shapes
/// - `x`: `(B, 2C, H, W)`; `weight`: `(2C, 1, K, K)`; `bias`: `(2C)`; returns `(B, C, H, W)`
/// # Source      diffusers 0.34 `GLUMBConv`, between its two 1 x 1 convolutions
pub fn gated_depthwise(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    on_card!(x, depthwise(x, weight, bias, true));
    if is_fast(x) { run(x, weight, bias, true) } else { gated_depthwise_plain(x, weight, bias) }
}

/// The plain twin of [`gated_depthwise`].
pub fn gated_depthwise_plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let halves = depthwise_conv2d_plain(&x.silu()?, weight, bias)?.chunk(2, 1)?;
    let [a, gate] = &halves[..] else { bail!("an odd number of channels") };
    a.mul(&gate.silu()?)
}

fn run(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, gated: bool) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let (channels, one, kernel, kw) = weight.dims4()?;
    if channels != c || one != 1 || kernel != kw || kernel % 2 == 0 || (gated && c % 2 != 0) || bias.is_some_and(|b| b.dims() != [c]) {
        bail!("depthwise filters {:?} on {:?}", weight.dims(), x.dims());
    }
    let x = x.contiguous()?;
    let weight = weight.to_dtype(candle_core::DType::F32)?.contiguous()?;
    let bias = bias.map(|b| b.to_dtype(candle_core::DType::F32)?.contiguous()).transpose()?;
    let (source, taps) = (Values::of(&x)?, Values::of(&weight)?);
    let (source, taps) = (source.as_slice()?, taps.as_slice()?);
    let offsets = bias.as_ref().map(Values::of).transpose()?;
    let offsets = offsets.as_ref().map(Values::as_slice).transpose()?;
    let plane = h * w;
    let padded_len = (h + kernel - 1) * (w + kernel - 1);
    let filter = |sample: usize, channel: usize, padded: &mut [f32], out: &mut [f32]| {
        let (padded, made) = padded.split_at_mut(padded_len);
        let at = (sample * c + channel) * plane;
        let taps = &taps[channel * kernel * kernel..(channel + 1) * kernel * kernel];
        let offset = offsets.map_or(0.0, |b| b[channel]);
        pad(&source[at..at + plane], (h, w), kernel / 2, gated, padded);
        let next = (at + plane).min(source.len());
        fetch(&source[next..(next + plane).min(source.len())]);
        plane_filter(padded, (h, w), kernel, taps, offset, made, out);
    };
    let made = if gated { c / 2 } else { c };
    let result = built(b * made * plane, plane, |i, out| {
        let (sample, channel) = (i / made, i % made);
        let mut padded = Scratch::new(2 * padded_len);
        let padded = &mut padded.0[..2 * padded_len];
        filter(sample, channel, padded, out);
        if gated {
            let mut gate = Scratch::new(plane);
            let gate = &mut gate.0[..plane];
            filter(sample, made + channel, padded, gate);
            simd!({
                for (o, g) in out.iter_mut().zip(&*gate) {
                    *o *= silu_of(*g);
                }
            });
        }
    });
    Tensor::from_vec(result, (b, made, h, w), x.device())
}

/// Filters a plane that stands in the middle of a zero frame.
fn plane_filter(padded: &[f32], size: (usize, usize), kernel: usize, taps: &[f32], offset: f32, made: &mut [f32], out: &mut [f32]) {
    match taps.try_into() {
        Ok(taps) if kernel == 3 => filter_of_nine(padded, size.1, taps, offset, out),
        _ => filter(padded, size, kernel, taps, offset, made, out),
    }
}

/// [`filter`] for 3 x 3 taps, the usual ones, in its order.
fn filter_of_nine(padded: &[f32], w: usize, taps: &[f32; 9], offset: f32, out: &mut [f32]) {
    simd!({
        let mut x = 0;
        while x < w {
            x += match w - x {
                16.. => strip::<16>(padded, (w, x), taps, offset, out),
                8.. => strip::<8>(padded, (w, x), taps, offset, out),
                _ => strip::<1>(padded, (w, x), taps, offset, out),
            };
        }
    });
}

/// `N` columns from `x` on, from top to bottom: what is read of a row goes into the sums of the three rows that it belongs to,
/// which stay in registers. Returns `N`.
#[inline(always)]
fn strip<const N: usize>(padded: &[f32], (w, x): (usize, usize), taps: &[f32; 9], offset: f32, out: &mut [f32]) -> usize {
    let add = |sums: &mut [f32; N], taps: [f32; 3], row: [&[f32; N]; 3]| {
        for i in 0..N {
            sums[i] = sums[i] + taps[0] * row[0][i] + taps[1] * row[1][i] + taps[2] * row[2][i];
        }
    };
    let [a, b, c, d, e, f, g, h, i] = *taps;
    let (mut above, mut here) = ([offset; N], [offset; N]);
    for (y, row) in padded.chunks_exact(w + 2).enumerate() {
        let (Some(left), Some(middle), Some(right)) = (row[x..].first_chunk(), row[x + 1..].first_chunk(), row[x + 2..].first_chunk())
        else {
            continue;
        };
        let row = [left, middle, right];
        let mut below = [offset; N];
        add(&mut above, [g, h, i], row);
        add(&mut here, [d, e, f], row);
        add(&mut below, [a, b, c], row);
        if y >= 2
            && let Some(out) = out[(y - 2) * w + x..].first_chunk_mut()
        {
            *out = above;
        }
        (above, here) = (here, below);
    }
    N
}

/// Filters of any size.
///
/// One long run over all rows and their frames, since vectors are long and rows are short; what it makes of the frames is left.
/// Three taps at a time over a stretch that stays in the first cache: compilers make vectors of little more.
fn filter(padded: &[f32], (h, w): (usize, usize), kernel: usize, taps: &[f32], offset: f32, made: &mut [f32], out: &mut [f32]) {
    let pitch = w + kernel - 1;
    let made = &mut made[..(h - 1) * pitch + w];
    simd!({
        for (i, run) in made.chunks_mut(RUN).enumerate() {
            run.fill(offset);
            for (dy, taps) in taps.chunks_exact(kernel).enumerate() {
                let row = &padded[i * RUN + dy * pitch..];
                let (threes, rest) = taps.as_chunks::<3>();
                for (n, [a, b, c]) in threes.iter().enumerate() {
                    let (x, y, z) = (&row[3 * n..], &row[3 * n + 1..], &row[3 * n + 2..]);
                    run.iter_mut().zip(x).zip(y).zip(z).for_each(|(((sum, x), y), z)| *sum = *sum + a * x + b * y + c * z);
                }
                for (n, tap) in rest.iter().enumerate() {
                    run.iter_mut().zip(&row[3 * threes.len() + n..]).for_each(|(sum, v)| *sum += tap * v);
                }
            }
        }
        for (out, made) in out.chunks_exact_mut(w).zip(made.chunks(pitch)) {
            out.copy_from_slice(&made[..w]);
        }
    });
}

/// Copies a plane into the middle of a zero frame, through `SiLU` if asked.
fn pad(source: &[f32], (h, w): (usize, usize), frame: usize, activate: bool, padded: &mut [f32]) {
    const LANES: usize = 16;
    let pitch = w + 2 * frame;
    padded.fill(0.0);
    simd!({
        for (row, source) in padded[frame * pitch..(h + frame) * pitch].chunks_exact_mut(pitch).zip(source.chunks_exact(w)) {
            let inner = &mut row[frame..frame + w];
            if activate {
                inner.iter_mut().zip(source).for_each(|(o, s)| *o = silu_of(*s));
                continue;
            }
            // Arrays: for so little, a function that copies slices takes longer than the copy.
            let ((to, rest), (from, others)) = (inner.as_chunks_mut::<LANES>(), source.as_chunks::<LANES>());
            to.iter_mut().zip(from).for_each(|(o, s)| *o = *s);
            rest.iter_mut().zip(others).for_each(|(o, s)| *o = *s);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn depthwise_equals_its_plain_twin() {
        for (shape, kernel) in
            [([1, 4, 6, 6], 3), ([1, 2, 3, 37], 3), ([2, 6, 5, 17], 5), ([1, 2, 1, 1], 3), ([1, 2, 4, 26], 3), ([1, 2, 9, 4], 7)]
        {
            let x = noise(1, &shape);
            let (w, b) = (noise(2, &[shape[1], 1, kernel, kernel]), noise(3, &[shape[1]]));
            for bias in [None, Some(&b)] {
                assert_close(&depthwise_conv2d(&x, &w, bias).unwrap(), &depthwise_conv2d_plain(&x, &w, bias).unwrap());
                assert_close(&gated_depthwise(&x, &w, bias).unwrap(), &gated_depthwise_plain(&x, &w, bias).unwrap());
            }
        }
    }

    #[test]
    fn depthwise_equals_candles_grouped_convolution() {
        let (x, w) = (noise(4, &[1, 5, 8, 7]), noise(5, &[5, 1, 3, 3]));
        assert_close(&depthwise_conv2d(&x, &w, None).unwrap(), &x.conv2d(&w, 1, 1, 1, 5).unwrap());
    }
}
