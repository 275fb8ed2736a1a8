//! Moving pixels into channels and back: the shortcuts of DC-AE's levels, nearest-neighbour doubling, and the end of the
//! upscaler.

use super::{Values, built, is_fast};
use candle_core::{Result, Tensor, bail};

/// y + the mean of each group of consecutive channels of the pixel-unshuffled x.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`, H and W even; `y`: `(B, O, H / 2, W / 2)`; groups of 4C / O; returns the shape of `y`
/// # Source      diffusers 0.34 `DCDownBlock2d`; channel order c · 4 + dy · 2 + dx
pub fn add_unshuffled_mean(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let o = y.dim(1)?;
    if y.dims() != [b, o, h / 2, w / 2] || h % 2 != 0 || w % 2 != 0 || o == 0 || 4 * c % o != 0 {
        bail!("a shortcut from {:?} to {:?}", x.dims(), y.dims());
    }
    on_card!(x, add_unshuffled_mean(y, x));
    if !is_fast(x) || !is_fast(y) {
        return add_unshuffled_mean_plain(y, x);
    }
    let (y, x) = (y.contiguous()?, x.contiguous()?);
    let (to, from) = (Values::of(&y)?, Values::of(&x)?);
    let (to, from) = (to.as_slice()?, from.as_slice()?);
    let (plane, half, group) = (h * w / 4, w / 2, 4 * c / o);
    let out = built(b * o * plane, plane, |i, out| {
        let (sample, channel) = (i / o, i % o);
        out.copy_from_slice(&to[i * plane..][..plane]);
        let scale = 1.0 / group as f32;
        for unshuffled in channel * group..(channel + 1) * group {
            let (source, dy, dx) = (unshuffled / 4, unshuffled / 2 % 2, unshuffled % 2);
            let picture = &from[(sample * c + source) * h * w..][..h * w];
            simd!({
                for (out, rows) in out.chunks_exact_mut(half).zip(picture.chunks_exact(2 * w)) {
                    for (o, pair) in out.iter_mut().zip(rows[dy * w..][..w].as_chunks::<2>().0) {
                        *o += pair[dx] * scale;
                    }
                }
            });
        }
    });
    Tensor::from_vec(out, y.shape(), y.device())
}

/// The plain twin of [`add_unshuffled_mean`].
pub fn add_unshuffled_mean_plain(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let o = y.dim(1)?;
    let unshuffled = x.reshape((b, c, h / 2, 2, w / 2, 2))?.permute((0, 1, 3, 5, 2, 4))?; // (B, C, dy, dx, H/2, W/2)
    y + unshuffled.reshape((b, o, 4 * c / o, h / 2, w / 2))?.mean(2)?
}

/// y + x with every channel repeated in place, pixel-shuffled.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `y`: `(B, O, 2H, 2W)`, 4O a multiple of C; returns the shape of `y`
/// # Source      diffusers 0.34 `DCUpBlock2d`
pub fn add_repeated_shuffled(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let o = y.dim(1)?;
    if y.dims() != [b, o, 2 * h, 2 * w] || c == 0 || 4 * o % c != 0 {
        bail!("a shortcut from {:?} to {:?}", x.dims(), y.dims());
    }
    on_card!(x, add_repeated_shuffled(y, x));
    if !is_fast(x) || !is_fast(y) {
        return add_repeated_shuffled_plain(y, x);
    }
    let (y, x) = (y.contiguous()?, x.contiguous()?);
    let (to, from) = (Values::of(&y)?, Values::of(&x)?);
    let (to, from) = (to.as_slice()?, from.as_slice()?);
    let repeats = 4 * o / c;
    let out = built(b * o * 4 * h * w, 4 * h * w, |i, out| {
        let (sample, channel) = (i / o, i % o);
        out.copy_from_slice(&to[i * 4 * h * w..][..4 * h * w]);
        let plane = |dy: usize, dx: usize| &from[(sample * c + (channel * 4 + 2 * dy + dx) / repeats) * h * w..][..h * w];
        simd!({
            for (row, out) in out.chunks_exact_mut(2 * w).enumerate() {
                let (left, right) = (&plane(row % 2, 0)[row / 2 * w..][..w], &plane(row % 2, 1)[row / 2 * w..][..w]);
                for ((pair, l), r) in out.as_chunks_mut::<2>().0.iter_mut().zip(left).zip(right) {
                    pair[0] += l;
                    pair[1] += r;
                }
            }
        });
    });
    Tensor::from_vec(out, y.shape(), y.device())
}

/// The plain twin of [`add_repeated_shuffled`].
pub fn add_repeated_shuffled_plain(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let o = y.dim(1)?;
    let repeated = x.unsqueeze(2)?.broadcast_as((b, c, 4 * o / c, h, w))?.reshape((b, o, 2, 2, h, w))?;
    y + repeated.permute((0, 1, 4, 2, 5, 3))?.reshape((b, o, 2 * h, 2 * w))? // (B, O, H, dy, W, dx)
}

/// Every pixel as a block of 2 x 2.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; returns `(B, C, 2H, 2W)`
pub fn double(x: &Tensor) -> Result<Tensor> {
    on_card!(x, double(x));
    if !is_fast(x) {
        return double_plain(x);
    }
    let (b, c, h, w) = x.dims4()?;
    let x = x.contiguous()?;
    let from = Values::of(&x)?;
    let from = from.as_slice()?;
    let out = built(4 * b * c * h * w, 4 * w, |row, out| {
        let (first, second) = out.split_at_mut(2 * w);
        simd!({
            for (pair, v) in first.as_chunks_mut::<2>().0.iter_mut().zip(&from[row * w..(row + 1) * w]) {
                *pair = [*v, *v];
            }
        });
        second.copy_from_slice(first);
    });
    Tensor::from_vec(out, (b, c, 2 * h, 2 * w), x.device())
}

/// The plain twin of [`double`].
pub fn double_plain(x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    x.reshape((b, c, h, 1, w, 1))?.broadcast_as((b, c, h, 2, w, 2))?.reshape((b, c, 2 * h, 2 * w))
}

/// The pixel-shuffled `detail` upon x with every pixel as a block.
///
/// # Shapes
/// - `x`: `(B, C, H, W)`; `detail`: `(B, C · s · s, H, W)`, channel order c · s² + dy · s + dx; returns `(B, C, sH, sW)`
pub fn add_shuffled(x: &Tensor, detail: &Tensor, s: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    if s == 0 || detail.dims() != [b, c * s * s, h, w] {
        bail!("details {:?} for {:?}, {s} times as large", detail.dims(), x.dims());
    }
    if !is_fast(x) || !is_fast(detail) {
        return add_shuffled_plain(x, detail, s);
    }
    let (x, detail) = (x.contiguous()?, detail.contiguous()?);
    let (below, above) = (Values::of(&x)?, Values::of(&detail)?);
    let (below, above) = (below.as_slice()?, above.as_slice()?);
    let out = built(b * c * s * h * s * w, s * w, |i, out| {
        let (plane, row) = (i / (s * h), i % (s * h));
        let below = &below[(plane * h + row / s) * w..][..w];
        simd!({
            for dx in 0..s {
                let above = &above[((plane * s * s + row % s * s + dx) * h + row / s) * w..][..w];
                for ((out, low), high) in out[dx..].iter_mut().step_by(s).zip(below).zip(above) {
                    *out = low + high;
                }
            }
        });
    });
    Tensor::from_vec(out, (b, c, s * h, s * w), x.device())
}

/// The plain twin of [`add_shuffled`].
pub fn add_shuffled_plain(x: &Tensor, detail: &Tensor, s: usize) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let detail = detail.reshape((b, c, s, s, h, w))?.permute((0, 1, 4, 2, 5, 3))?; // (B, C, H, dy, W, dx)
    detail.broadcast_add(&x.reshape((b, c, h, 1, w, 1))?)?.reshape((b, c, s * h, s * w))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;

    #[test]
    fn shuffles_equal_their_plain_twins() {
        for (c, o) in [(8, 8), (8, 16), (16, 8), (4, 16), (16, 4)] {
            let (large, small) = (noise(1, &[2, c, 6, 10]), noise(2, &[2, o, 3, 5]));
            assert_close(&add_unshuffled_mean(&small, &large).unwrap(), &add_unshuffled_mean_plain(&small, &large).unwrap());
            let (small, large) = (noise(3, &[2, c, 3, 5]), noise(4, &[2, o, 6, 10]));
            assert_close(&add_repeated_shuffled(&large, &small).unwrap(), &add_repeated_shuffled_plain(&large, &small).unwrap());
            assert_close(&double(&small).unwrap(), &double_plain(&small).unwrap());
        }
        for s in 1..5 {
            let (x, detail) = (noise(5, &[2, 3, 5, 7]), noise(6, &[2, 3 * s * s, 5, 7]));
            assert_close(&add_shuffled(&x, &detail, s).unwrap(), &add_shuffled_plain(&x, &detail, s).unwrap());
        }
    }
}
