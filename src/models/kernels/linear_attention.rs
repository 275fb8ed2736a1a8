//! Attention whose cost grows linearly with the number of tokens: SANA's self-attention and DC-AE's `EfficientViT`.

use super::linear::dot;
use super::matrix::{Mat, Shared, product};
use super::{Scratch, Values, fold, is_fast, zeros};
use candle_core::{DType, Result, Tensor, bail};
use rayon::prelude::*;

/// Attends in linear time with `ReLU` feature maps.
///
/// out = v (relu(k)ᵀ relu(q)) / (sum(relu(k))ᵀ relu(q) + eps), head by head; sums in f32.
///
/// # Shapes      B batch, h heads, d head width, N tokens
/// - `q`, `k`, `v`: `(B, h, d, N)`, of any strides; returns `(B, h, d, N)` contiguous, or laid out as `(B, N, h, d)`
///   (and seen as `(B, h, d, N)`) when `token_major`
/// # Errors      shapes that differ, or the device fails
/// # Source      diffusers 0.34 `SanaLinearAttnProcessor2_0`, `SanaMultiscaleAttnProcessor2_0`
pub fn linear_attention(q: &Tensor, k: &Tensor, v: &Tensor, eps: f32, token_major: bool) -> Result<Tensor> {
    #[cfg(feature = "cuda")]
    if super::cuda::runs(q) && q.dim(2)? <= super::cuda::WIDEST_HEAD {
        return super::cuda::linear_attention(super::cuda::CARD, q, k, v, eps, token_major);
    }
    if !is_fast(q) {
        return linear_attention_plain(q, k, v, eps, token_major);
    }
    let (b, h, d, n) = q.dims4()?;
    if k.dims() != q.dims() || v.dims() != q.dims() {
        bail!("linear attention of {:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
    }
    if token_major && [q, k, v].iter().all(|t| t.stride()[2] == 1) {
        return by_tokens(q, k, v, eps);
    }
    let views = [Values::of(q)?, Values::of(k)?, Values::of(v)?];
    let slices = [views[0].as_slice()?, views[1].as_slice()?, views[2].as_slice()?];
    let strides = [q.stride(), k.stride(), v.stride()];
    let head = |which: usize, task: usize| {
        let s = strides[which];
        let at = task / h * s[0] + task % h * s[1];
        Mat::new(&slices[which][at..], d, n, s[2], s[3])
    };
    let mut out = zeros(b * h * d * n);
    let shared = Shared::new(&mut out);
    (0..b * h).into_par_iter().for_each(|task| {
        let mut scratch = Scratch::new(3 * d * n + n + d * d + d);
        let (query, rest) = scratch.0.split_at_mut(d * n);
        let (key, rest) = rest.split_at_mut(d * n);
        let (made, rest) = rest.split_at_mut(d * n);
        let (below, rest) = rest.split_at_mut(n);
        let (state, total) = rest[..d * d + d].split_at_mut(d * d);
        positive(head(0, task), query);
        positive(head(1, task), key);
        simd!({
            for (total, row) in total.iter_mut().zip(key.chunks_exact(n)) {
                *total = sum(row);
            }
        });
        product(state, (d, 1), false, head(2, task), Mat::new(key, d, n, n, 1).transposed());
        product(made, (n, 1), false, Mat::new(state, d, d, d, 1), Mat::new(query, d, n, n, 1));
        product(below, (n, 1), false, Mat::new(total, 1, d, d, 1), Mat::new(query, d, n, n, 1));
        simd!(below.iter_mut().for_each(|v| *v = 1.0 / (*v + eps)));
        let (sample, head) = (task / h, task % h);
        for (channel, row) in made.chunks_exact_mut(n).enumerate() {
            simd!(row.iter_mut().zip(&*below).for_each(|(o, s)| *o *= s));
            if !token_major {
                // SAFETY: (sample, head, channel) is this task's own row.
                unsafe { shared.part((task * d + channel) * n, n) }.copy_from_slice(row);
            }
        }
        if token_major {
            for token in 0..n {
                // SAFETY: (sample, token, head) is this task's own run of d values.
                let run = unsafe { shared.part(((sample * n + token) * h + head) * d, d) };
                for (channel, o) in run.iter_mut().enumerate() {
                    *o = made[channel * n + token];
                }
            }
        }
    });
    if token_major {
        Tensor::from_vec(out, (b, n, h, d), q.device())?.permute((0, 2, 3, 1)) // (B, h, d, N)
    } else {
        Tensor::from_vec(out, (b, h, d, n), q.device())
    }
}

/// [`linear_attention`] where the values of a token's head lie side by side, as projections make them, and go there again.
fn by_tokens(q: &Tensor, k: &Tensor, v: &Tensor, eps: f32) -> Result<Tensor> {
    let (b, h, d, n) = q.dims4()?;
    let views = [Values::of(q)?, Values::of(k)?, Values::of(v)?];
    let slices = [views[0].as_slice()?, views[1].as_slice()?, views[2].as_slice()?];
    let strides = [q.stride(), k.stride(), v.stride()];
    let mut out = zeros(b * h * d * n);
    let shared = Shared::new(&mut out);
    (0..b * h).into_par_iter().for_each(|task| {
        let (sample, head) = (task / h, task % h);
        let from = |which: usize| (&slices[which][sample * strides[which][0] + head * strides[which][1]..], strides[which][3]);
        let mut scratch = Scratch::new(3 * d * n + d * d + d);
        let (query, rest) = scratch.0.split_at_mut(d * n);
        let (key, rest) = rest.split_at_mut(d * n);
        let (made, rest) = rest.split_at_mut(d * n);
        let (state, rest) = rest.split_at_mut(d * d);
        let total = &mut rest[..d];
        simd!({
            total.fill(0.0);
            for (to, which) in [(&mut *query, 0), (&mut *key, 1)] {
                let (from, stride) = from(which);
                for (token, to) in to.chunks_exact_mut(d).enumerate() {
                    to.iter_mut().zip(&from[token * stride..]).for_each(|(t, f)| *t = f.max(0.0));
                }
            }
            // Runs of tokens by themselves first: more exact than one long sum.
            for keys in key.chunks(64 * d) {
                let run = &mut made[..d];
                run.fill(0.0);
                keys.chunks_exact(d).for_each(|key| run.iter_mut().zip(key).for_each(|(r, k)| *r += k));
                total.iter_mut().zip(&*run).for_each(|(t, r)| *t += r);
            }
        });
        let (values, stride) = from(2);
        let (key, query) = (Mat::new(key, n, d, d, 1), Mat::new(query, n, d, d, 1));
        product(state, (d, 1), false, key.transposed(), Mat::new(values, n, d, stride, 1));
        product(made, (d, 1), false, query, Mat::new(state, d, d, d, 1));
        simd!({
            for (token, made) in made.chunks_exact(d).enumerate() {
                // SAFETY: (sample, token, head) is this task's own run of d values.
                let run = unsafe { shared.part(((sample * n + token) * h + head) * d, d) };
                let below = 1.0 / (dot(&query.data[token * d..][..d], total, |t| t) + eps);
                run.iter_mut().zip(made).for_each(|(o, m)| *o = m * below);
            }
        });
    });
    Tensor::from_vec(out, (b, n, h, d), q.device())?.permute((0, 2, 3, 1)) // (B, h, d, N)
}

/// The plain twin of [`linear_attention`].
pub fn linear_attention_plain(q: &Tensor, k: &Tensor, v: &Tensor, eps: f32, token_major: bool) -> Result<Tensor> {
    let dtype = q.dtype();
    let q = q.to_dtype(DType::F32)?.relu()?.contiguous()?; // (B, h, d, N)
    let k = k.to_dtype(DType::F32)?.relu()?.contiguous()?;
    let v = v.to_dtype(DType::F32)?.contiguous()?;
    let state = v.matmul(&k.t()?.contiguous()?)?; // (B, h, d, d)
    let total = k.sum_keepdim(3)?.t()?.contiguous()?; // (B, h, 1, d)
    let below = (total.matmul(&q)? + f64::from(eps))?; // (B, h, 1, N)
    let out = state.matmul(&q)?.broadcast_div(&below)?.to_dtype(dtype)?; // (B, h, d, N)
    if token_major { out.permute((0, 3, 1, 2))?.contiguous()?.permute((0, 2, 3, 1)) } else { Ok(out) }
}

/// Copies a (d, N) matrix row by row through `ReLU`.
fn positive(from: Mat, to: &mut [f32]) {
    let (d, n) = (from.rows, from.cols);
    simd!({
        if from.col_stride == 1 {
            for (row, to) in to.chunks_exact_mut(n).enumerate() {
                for (t, f) in to.iter_mut().zip(&from.data[row * from.row_stride..]) {
                    *t = f.max(0.0);
                }
            }
        } else {
            for token in 0..n {
                for row in 0..d {
                    to[row * n + token] = from.data[token * from.col_stride + row * from.row_stride].max(0.0);
                }
            }
        }
    });
}

#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut part = [0f32; 16];
    let (blocks, rest) = row.as_chunks::<16>();
    for block in blocks {
        for (p, x) in part.iter_mut().zip(block) {
            *p += x;
        }
    }
    fold(part) + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn linear_attention_equals_its_plain_twin_in_both_layouts() {
        for (b, h, d, n) in [(1, 2, 8, 36), (2, 3, 32, 130)] {
            let [q, k, v] = [1, 2, 3].map(|seed| noise(seed, &[b, h, d, n]));
            let plain = linear_attention_plain(&q, &k, &v, 1e-15, false).unwrap();
            for token_major in [false, true] {
                assert_close(&linear_attention(&q, &k, &v, 1e-15, token_major).unwrap(), &plain);
            }
            // The same values as token-major views, as SANA has them.
            let [q, k, v] = [&q, &k, &v].map(|t| t.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap().permute((0, 2, 3, 1)).unwrap());
            assert_close(&linear_attention(&q, &k, &v, 1e-15, true).unwrap(), &plain);
        }
    }
}
