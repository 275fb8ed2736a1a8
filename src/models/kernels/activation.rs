//! `SiLU`, tanh-`GELU` and the exponential that they and softmax share.

use super::{Values, built, is_fast};
use candle_core::{Result, Tensor, bail};

/// Elements that one task of an element-wise kernel works on.
pub(super) const CHUNK: usize = 1 << 14;

/// e^x to about one unit in the last place; 0 below -87.3, finite above 88.
///
/// Cephes' scheme: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, and n added to the exponent bits. No
/// branch and no conversion, so that a loop of it becomes vector instructions.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23: adding it rounds to an integer in the low bits
    let x = x.clamp(-87.3, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_375 + n * 2.121_944_4e-4;
    let p = 1.987_569_15e-4;
    let p = p * r + 1.398_199_95e-3;
    let p = p * r + 8.333_451_9e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_55e-1;
    let p = p * r + 5.000_000_1e-1;
    let y = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_shl(23);
    f32::from_bits(y.to_bits().wrapping_add(exponent))
}

#[inline(always)]
pub(super) fn silu_of(x: f32) -> f32 {
    x / (1.0 + exp(-x))
}

/// x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x³))), with tanh written by the exponential.
#[inline(always)]
fn gelu_of(x: f32) -> f32 {
    let u = 1.595_769_1 * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-u))
}

fn map(x: &Tensor, f: impl Fn(f32) -> f32 + Sync) -> Result<Tensor> {
    let x = x.contiguous()?;
    let values = Values::of(&x)?;
    let source = &values.as_slice()?[..x.elem_count()];
    let out = built(source.len(), CHUNK, |i, out| {
        simd!({
            for (o, s) in out.iter_mut().zip(&source[i * CHUNK..]) {
                *o = f(*s);
            }
        });
    });
    Tensor::from_vec(out, x.shape(), x.device())
}

/// x · sigmoid(x), element by element; any shape.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if is_fast(x) { map(x, silu_of) } else { silu_plain(x) }
}

/// The plain twin of [`silu`].
pub fn silu_plain(x: &Tensor) -> Result<Tensor> {
    x.silu()
}

/// GELU in its tanh form, element by element; any shape.
pub fn gelu_tanh(x: &Tensor) -> Result<Tensor> {
    if is_fast(x) { map(x, gelu_of) } else { gelu_tanh_plain(x) }
}

/// The plain twin of [`gelu_tanh`].
pub fn gelu_tanh_plain(x: &Tensor) -> Result<Tensor> {
    x.gelu()
}

/// max(x, 0), element by element; any shape.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    if is_fast(x) { map(x, |v| v.max(0.0)) } else { x.relu() }
}

/// silu(gate) · up, element by element; both of one shape.
pub fn silu_mul(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    on_card!(gate, silu_mul(gate, up));
    if !is_fast(gate) || !is_fast(up) {
        return silu_mul_plain(gate, up);
    }
    if gate.dims() != up.dims() {
        bail!("silu_mul of {:?} and {:?}", gate.dims(), up.dims());
    }
    let (gate, up) = (gate.contiguous()?, up.contiguous()?);
    let (a, b) = (Values::of(&gate)?, Values::of(&up)?);
    let (a, b) = (&a.as_slice()?[..gate.elem_count()], b.as_slice()?);
    let out = built(a.len(), CHUNK, |i, out| {
        let from = i * CHUNK;
        simd!({
            for ((o, a), b) in out.iter_mut().zip(&a[from..]).zip(&b[from..]) {
                *o = silu_of(*a) * b;
            }
        });
    });
    Tensor::from_vec(out, gate.shape(), gate.device())
}

/// The plain twin of [`silu_mul`].
pub fn silu_mul_plain(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.silu()?.mul(up)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn exponential_is_within_two_units_in_the_last_place() {
        let mut worst = 0f64;
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - want).abs() / want);
        }
        assert!(worst < 2.5e-7, "{worst:e}");
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(1e9).is_finite());
    }

    #[test]
    fn activations_equal_their_plain_twins() {
        let x = (noise(1, &[3, 40_001]) * 12.0).unwrap();
        let y = noise(2, &[3, 40_001]);
        assert_close(&silu(&x).unwrap(), &silu_plain(&x).unwrap());
        assert_close(&gelu_tanh(&x).unwrap(), &gelu_tanh_plain(&x).unwrap());
        assert_close(&relu(&x).unwrap(), &x.relu().unwrap());
        assert_close(&silu_mul(&x, &y).unwrap(), &silu_mul_plain(&x, &y).unwrap());
        let view = x.t().unwrap();
        assert_close(&silu(&view).unwrap(), &silu_plain(&view).unwrap());
    }
}
