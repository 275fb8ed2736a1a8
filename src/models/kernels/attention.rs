//! Softmax attention, block by block, without the whole score matrix.

use super::activation::exp;
use super::linear::{FEW_ROWS, dot};
use super::matrix::{Mat, Shared, product};
use super::{Scratch, Values, fold, is_fast, zeros};
use candle_core::{D, DType, Device, Result, Tensor, bail};
use rayon::prelude::*;

/// Which keys a query sees.
#[derive(Clone, Copy, Debug)]
pub enum Mask<'a> {
    /// Every key.
    None,
    /// Query i sees the keys 0 ..= offset + i.
    Causal { offset: usize },
    /// Every key, key j with the score + `bias[j]`: a key with bias ln(n) counts as n equal keys.
    KeyBias(&'a [f32]),
}

/// Queries that one task works on.
const BLOCK: usize = 128;

/// softmax(q kᵀ / sqrt(d) + mask) v with grouped heads: query head i reads key head i / (h / hk).
///
/// # Shapes      B batch, h heads, hk key heads (h a multiple of hk), L queries, M keys, d head width
/// - `q`: `(B, h, L, d)`; `k`, `v`: `(B, hk, M, d)`; any strides with d innermost; returns `(B, L, h · d)`
/// # Errors      shapes that do not fit, or the device fails
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask) -> Result<Tensor> {
    let (b, h, l, d) = q.dims4()?;
    let (kb, hk, m, kd) = k.dims4()?;
    if kb != b || kd != d || hk == 0 || h % hk != 0 || k.dims() != v.dims() || m == 0 {
        bail!("attention of {:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
    }
    match mask {
        Mask::Causal { offset } if offset + l > m => bail!("{l} queries after {offset} need more than {m} keys"),
        Mask::KeyBias(bias) if bias.len() != m => bail!("{} biases for {m} keys", bias.len()),
        _ => {}
    }
    #[cfg(feature = "cuda")]
    if super::cuda::runs(q) {
        return attention_with(super::cuda::CARD, q, k, v, mask);
    }
    if !is_fast(q) {
        return attention_plain(q, k, v, mask);
    }
    let (q, k, v) = (inner_contiguous(q)?, inner_contiguous(k)?, inner_contiguous(v)?);
    let views = [Values::of(&q)?, Values::of(&k)?, Values::of(&v)?];
    let (qs, ks, vs) = (views[0].as_slice()?, views[1].as_slice()?, views[2].as_slice()?);
    let scale = 1.0 / (d as f32).sqrt();
    let blocks = l.div_ceil(BLOCK);
    let mut out = zeros(b * l * h * d);
    let shared = Shared::new(&mut out);
    if let (Mask::Causal { offset }, true) = (mask, l <= FEW_ROWS) {
        let min_tasks = if h * l * m * d < 1 << 17 { usize::MAX } else { 1 };
        (0..b * h).into_par_iter().with_min_len(min_tasks).for_each(|task| {
            let (sample, head) = (task / h, task % h);
            let key_head = head / (h / hk);
            let (sq, sk, sv) = (q.stride(), k.stride(), v.stride());
            let query = Mat::new(&qs[sample * sq[0] + head * sq[1]..], l, d, sq[2], 1);
            let key = Mat::new(&ks[sample * sk[0] + key_head * sk[1]..], offset + l, d, sk[2], 1);
            let value = Mat::new(&vs[sample * sv[0] + key_head * sv[1]..], offset + l, d, sv[2], 1);
            // SAFETY: (sample, query, head) is this task's own run of d values.
            few_queries(query, key, value, scale, |row| unsafe { shared.part(((sample * l + row) * h + head) * d, d) });
        });
        return Tensor::from_vec(out, (b, l, h * d), &Device::Cpu);
    }
    (0..b * h * blocks).into_par_iter().for_each(|task| {
        let (sample, head, first) = (task / blocks / h, task / blocks % h, task % blocks * BLOCK);
        let rows = BLOCK.min(l - first);
        let key_head = head / (h / hk);
        let seen = if let Mask::Causal { offset } = mask { offset + first + rows } else { m };
        let (sq, sk, sv) = (q.stride(), k.stride(), v.stride());
        let query = Mat::new(&qs[sample * sq[0] + head * sq[1] + first * sq[2]..], rows, d, sq[2], 1);
        let key = Mat::new(&ks[sample * sk[0] + key_head * sk[1]..], seen, d, sk[2], 1);
        let value = Mat::new(&vs[sample * sv[0] + key_head * sv[1]..], seen, d, sv[2], 1);
        let mut scratch = Scratch::new(rows * seen + rows * d);
        let (scores, made) = scratch.0[..rows * seen + rows * d].split_at_mut(rows * seen);
        product(scores, (seen, 1), false, query, key.transposed());
        let mut below = [0f32; BLOCK];
        simd!({
            for (row, (scores, below)) in scores.chunks_exact_mut(seen).zip(&mut below).enumerate() {
                let seen = if let Mask::Causal { offset } = mask { offset + first + row + 1 } else { seen };
                let (scores, hidden) = scores.split_at_mut(seen);
                if let Mask::KeyBias(bias) = mask {
                    for (s, bias) in scores.iter_mut().zip(bias) {
                        *s += bias / scale;
                    }
                }
                *below = softmax_numerators(scores, scale);
                hidden.fill(0.0);
            }
        });
        product(made, (d, 1), false, Mat::new(scores, rows, seen, seen, 1), value);
        for (row, (made, below)) in made.chunks_exact(d).zip(&below).enumerate() {
            // SAFETY: (sample, query, head) is this task's own run of d values.
            let run = unsafe { shared.part(((sample * l + first + row) * h + head) * d, d) };
            simd!(run.iter_mut().zip(made).for_each(|(o, v)| *o = v / below));
        }
    });
    Tensor::from_vec(out, (b, l, h * d), &Device::Cpu)
}

/// Causal attention of the last few tokens, key by key: what a query gives does not depend on how many go with it.
fn few_queries<'a>(query: Mat, key: Mat, value: Mat, scale: f32, out: impl Fn(usize) -> &'a mut [f32]) {
    let (d, seen, offset) = (query.cols, key.rows, key.rows - query.rows);
    let mut scratch = Scratch::new(query.rows * seen);
    let scores = &mut scratch.0[..query.rows * seen];
    let mut below = [0f32; FEW_ROWS];
    simd!({
        for j in 0..seen {
            let key = &key.data[j * key.row_stride..][..d];
            for row in j.saturating_sub(offset)..query.rows {
                scores[row * seen + j] = dot(&query.data[row * query.row_stride..][..d], key, |k| k);
            }
        }
        for (row, below) in below.iter_mut().enumerate().take(query.rows) {
            *below = softmax_numerators(&mut scores[row * seen..][..=offset + row], scale);
        }
        for j in 0..seen {
            let value = &value.data[j * value.row_stride..][..d];
            for row in j.saturating_sub(offset)..query.rows {
                let weight = scores[row * seen + j];
                out(row).iter_mut().zip(value).for_each(|(o, v)| *o += weight * v);
            }
        }
        for (row, below) in below.iter().enumerate().take(query.rows) {
            out(row).iter_mut().for_each(|o| *o /= below);
        }
    });
}

/// [`attention`] on a card: two products, and one kernel for all that is between them.
#[cfg(any(test, feature = "cuda"))]
pub(super) fn attention_with(on: &dyn super::cuda::Machine, q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask) -> Result<Tensor> {
    let (b, h, l, d) = q.dims4()?;
    let (_, hk, m, _) = k.dims4()?;
    // Queries that share keys stand one below the other, so that keys need no copies.
    let q = q.contiguous()?.reshape((b, hk, h / hk * l, d))?; // (B, hk, h / hk · L, d)
    let scores = q.matmul(&k.contiguous()?.t()?)?.reshape((b, h, l, m))?; // (B, h, L, M)
    let (causal, bias) = match mask {
        Mask::None => (None, None),
        Mask::Causal { offset } => (Some(offset), None),
        Mask::KeyBias(bias) => (None, Some(Tensor::from_slice(bias, m, q.device())?)),
    };
    let weights = super::cuda::softmax(on, &scores, bias.as_ref(), causal, 1.0 / (d as f32).sqrt())?;
    let out = weights.reshape((b, hk, h / hk * l, m))?.matmul(&v.contiguous()?)?; // (B, hk, h / hk · L, d)
    out.reshape((b, h, l, d))?.transpose(1, 2)?.reshape((b, l, h * d)) // (B, L, h · d)
}

/// The plain twin of [`attention`].
pub fn attention_plain(q: &Tensor, k: &Tensor, v: &Tensor, mask: Mask) -> Result<Tensor> {
    let (b, h, l, d) = q.dims4()?;
    let (_, hk, m, _) = k.dims4()?;
    let dtype = q.dtype();
    let spread = |t: &Tensor| t.unsqueeze(2)?.broadcast_as((b, hk, h / hk, m, d))?.reshape((b, h, m, d));
    let (q, k, v) = (q.contiguous()?, spread(k)?.contiguous()?, spread(v)?.contiguous()?);
    let mut scores = (q.matmul(&k.t()?)?.to_dtype(DType::F32)? / (d as f64).sqrt())?; // (B, h, L, M)
    match mask {
        Mask::None => {}
        Mask::Causal { offset } => {
            let bias: Vec<f32> = (0..l * m).map(|i| if i % m > offset + i / m { f32::NEG_INFINITY } else { 0.0 }).collect();
            scores = scores.broadcast_add(&Tensor::from_vec(bias, (1, 1, l, m), q.device())?)?;
        }
        Mask::KeyBias(bias) => scores = scores.broadcast_add(&Tensor::from_slice(bias, (1, 1, 1, m), q.device())?)?,
    }
    let weights = candle_nn::ops::softmax(&scores, D::Minus1)?.to_dtype(dtype)?;
    weights.matmul(&v)?.transpose(1, 2)?.reshape((b, l, h * d)) // (B, L, h · d)
}

/// Replaces scores by e^(scale · (score - largest)) and returns their sum.
#[inline(always)]
fn softmax_numerators(scores: &mut [f32], scale: f32) -> f32 {
    let mut largest = [f32::NEG_INFINITY; 16];
    let (blocks, rest) = scores.as_chunks::<16>();
    for block in blocks {
        for (l, s) in largest.iter_mut().zip(block) {
            *l = l.max(*s);
        }
    }
    let largest = largest.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| a.max(*b));
    let mut part = [0f32; 16];
    let (blocks, rest) = scores.as_chunks_mut::<16>();
    for block in blocks {
        for (p, s) in part.iter_mut().zip(block) {
            *s = exp((*s - largest) * scale);
            *p += *s;
        }
    }
    let mut tail = 0.0;
    for s in rest {
        *s = exp((*s - largest) * scale);
        tail += *s;
    }
    fold(part) + tail
}

fn inner_contiguous(t: &Tensor) -> Result<Tensor> {
    if t.stride().last() == Some(&1) { Ok(t.clone()) } else { t.contiguous() }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn attention_equals_its_plain_twin_under_every_mask() {
        for (b, h, hk, l, m, d) in [(1, 2, 1, 1, 7, 16), (2, 4, 2, 8, 300, 24), (2, 4, 2, 130, 150, 32), (1, 3, 3, 64, 64, 112)] {
            let q = (noise(1, &[b, h, l, d]) * 4.0).unwrap();
            let (k, v) = (noise(2, &[b, hk, m, d]), noise(3, &[b, hk, m, d]));
            let bias: Vec<f32> = (0..m).map(|i| (1.0 + i as f32).ln()).collect();
            for mask in [Mask::None, Mask::Causal { offset: m - l }, Mask::Causal { offset: 0 }, Mask::KeyBias(&bias)] {
                assert_close(&attention(&q, &k, &v, mask).unwrap(), &attention_plain(&q, &k, &v, mask).unwrap());
            }
            // Token-major views, as a projection makes them.
            let q = q.transpose(1, 2).unwrap().contiguous().unwrap().transpose(1, 2).unwrap();
            assert_close(&attention(&q, &k, &v, Mask::None).unwrap(), &attention_plain(&q, &k, &v, Mask::None).unwrap());
        }
        let q = noise(1, &[1, 1, 4, 8]);
        assert!(attention(&q, &noise(2, &[1, 1, 3, 8]), &noise(2, &[1, 1, 3, 8]), Mask::Causal { offset: 0 }).is_err());
    }

    #[test]
    fn a_few_tokens_together_give_what_they_give_one_by_one_to_the_last_bit() {
        for (before, d) in [(0, 16), (70, 32), (900, 64)] {
            let (l, m) = (FEW_ROWS, before + FEW_ROWS);
            let (q, k, v) = ((noise(1, &[1, 4, l, d]) * 4.0).unwrap(), noise(2, &[1, 2, m, d]), noise(3, &[1, 2, m, d]));
            let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let together = attention(&q, &k, &v, Mask::Causal { offset: before }).unwrap();
            for i in 0..l {
                let upto = |t: &Tensor| t.narrow(2, 0, before + i + 1).unwrap();
                let one = attention(&q.narrow(2, i, 1).unwrap(), &upto(&k), &upto(&v), Mask::Causal { offset: before + i }).unwrap();
                assert!(bits(&one) == bits(&together.narrow(1, i, 1).unwrap()), "{before} + {i}");
            }
        }
    }

    #[test]
    fn a_biased_key_counts_as_many_equal_keys() {
        let (q, two) = (noise(4, &[1, 2, 5, 8]), noise(5, &[1, 2, 2, 8]));
        let many = Tensor::cat(
            &[two.narrow(2, 0, 1).unwrap().repeat((1, 1, 73, 1)).unwrap(), two.narrow(2, 1, 1).unwrap().repeat((1, 1, 102, 1)).unwrap()],
            2,
        )
        .unwrap();
        let bias = [73f32.ln(), 102f32.ln()];
        let grouped = attention(&q, &two, &two, Mask::KeyBias(&bias)).unwrap();
        assert_close(&grouped, &attention_plain(&q, &many, &many, Mask::None).unwrap());
    }
}
