//! Our kernels for NVIDIA's cards: how each is launched. What they compute stands in the `.cu` files beside this one.
//!
//! A launch is plain data, so that the same one runs on a card (`card.rs`) and, in tests, on the CPU, where the kernels'
//! own text is compiled as C++ and run thread by thread. Values are f32, bf16 or f16; sums are f32 whatever they are.

#[cfg(feature = "cuda")]
mod card;
#[cfg(test)]
mod tests;

#[cfg(feature = "cuda")]
pub use card::{CARD, runs};

use candle_core::{D, DType, Result, Shape, Tensor, bail};

/// What a kernel gets besides its output, in order.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    /// A pointer to the tensor's first value; strides are other arguments.
    Values(&'a Tensor),
    /// A null pointer.
    Missing,
    Size(u32),
    Real(f32),
}

use Argument::{Missing, Real, Size, Values};

impl<'a> From<Option<&'a Tensor>> for Argument<'a> {
    fn from(tensor: Option<&'a Tensor>) -> Self {
        tensor.map_or(Missing, Values)
    }
}

impl From<bool> for Argument<'_> {
    fn from(is: bool) -> Self {
        Size(u32::from(is))
    }
}

/// One run of a kernel.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// Without the type.
    pub kernel: &'static str,
    /// Of the values that are read.
    pub dtype: DType,
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: u32,
    pub out: (Shape, DType),
    pub arguments: Vec<Argument<'a>>,
}

/// What runs kernels.
pub trait Machine {
    /// The new tensor that a kernel fills.
    ///
    /// # Errors      there is no such kernel, or the device fails
    fn launch(&self, launch: &Launch) -> Result<Tensor>;
}

/// Threads of a block where each makes one value.
const THREADS: u32 = 256;

fn size(n: usize) -> Result<u32> {
    u32::try_from(n).map_err(|_| candle_core::Error::Msg(format!("{n} values are more than a kernel counts")).bt())
}

/// A tensor beside `x`: of its type, one value after the other.
fn beside(t: &Tensor, x: &Tensor) -> Result<Tensor> {
    t.to_dtype(x.dtype())?.contiguous()
}

/// One block per row of the last dimension, with as many threads as the row keeps busy.
fn rows<'a>(kernel: &'static str, x: &Tensor, arguments: Vec<Argument<'a>>) -> Result<Launch<'a>> {
    let width = x.dim(D::Minus1)?;
    let threads = size(width.div_ceil(4))?.next_power_of_two().clamp(32, THREADS);
    let count = size(x.elem_count() / width.max(1))?;
    let out = (x.shape().clone(), x.dtype());
    Ok(Launch { kernel, dtype: x.dtype(), grid: [count, 1, 1], block: [threads, 1, 1], shared_bytes: 0, out, arguments })
}

/// One thread per value made.
fn values<'a>(kernel: &'static str, dtype: DType, shape: &Shape, mut arguments: Vec<Argument<'a>>) -> Result<Launch<'a>> {
    let count = size(shape.elem_count())?;
    arguments.push(Size(count));
    let grid = [count.div_ceil(THREADS), 1, 1];
    Ok(Launch { kernel, dtype, grid, block: [THREADS, 1, 1], shared_bytes: 0, out: (shape.clone(), dtype), arguments })
}

pub fn rms_norm(on: &dyn Machine, x: &Tensor, weight: &Tensor, eps: f32, then_relu: bool) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if weight.dims() != [width] {
        bail!("rms_norm of width {width} with weight {:?}", weight.dims());
    }
    let (x, weight) = (x.contiguous()?, beside(weight, x)?);
    on.launch(&rows("rms_norm", &x, vec![Values(&x), Values(&weight), Size(size(width)?), Real(eps), then_relu.into()])?)
}

/// Layer norm, · (base + gain) + offset.
pub fn layer_norm(on: &dyn Machine, x: &Tensor, gain: &Tensor, offset: &Tensor, base: f32, eps: f32) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if gain.dims() != [width] || offset.dims() != [width] {
        bail!("layer norm of width {width} with {:?} and {:?}", gain.dims(), offset.dims());
    }
    let (x, gain, offset) = (x.contiguous()?, beside(gain, x)?, beside(offset, x)?);
    let arguments = vec![Values(&x), Values(&gain), Values(&offset), Size(size(width)?), Real(base), Real(eps)];
    on.launch(&rows("layer_norm", &x, arguments)?)
}

pub fn l2_normalize(on: &dyn Machine, x: &Tensor) -> Result<Tensor> {
    let x = x.contiguous()?;
    on.launch(&rows("l2_normalize", &x, vec![Values(&x), Size(size(x.dim(D::Minus1)?)?)])?)
}

pub fn channel_rms_norm(
    on: &dyn Machine,
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f32,
    residual: Option<&Tensor>,
    then_relu: bool,
) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    if weight.dims() != [c] || bias.dims() != [c] || residual.is_some_and(|r| r.dims() != x.dims()) {
        bail!("channel norm of {:?} with {:?} and {:?}", x.dims(), weight.dims(), bias.dims());
    }
    let residual = residual.map(|r| beside(r, x)).transpose()?;
    let (x, weight, bias) = (x.contiguous()?, beside(weight, x)?, beside(bias, x)?);
    let (plane, channels) = (size(h * w)?, size(c)?);
    // Runs of 32 pixels, eight channels at a time.
    on.launch(&Launch {
        kernel: "channel_rms_norm",
        dtype: x.dtype(),
        grid: [plane.div_ceil(32), size(b)?, 1],
        block: [32, 8, 1],
        shared_bytes: 0,
        out: (x.shape().clone(), x.dtype()),
        arguments: vec![
            Values(&x),
            Values(&weight),
            Values(&bias),
            residual.as_ref().into(),
            Size(channels),
            Size(plane),
            Real(eps),
            then_relu.into(),
        ],
    })
}

pub fn add_scaled(on: &dyn Machine, x: &Tensor, gate: &Tensor, y: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    if x.dims() != y.dims() || gate.dims() != [width] {
        bail!("add_scaled of {:?}, {:?} and {:?}", x.dims(), gate.dims(), y.dims());
    }
    let (x, gate, y) = (x.contiguous()?, beside(gate, x)?, beside(y, x)?);
    on.launch(&values("add_scaled", x.dtype(), x.shape(), vec![Values(&x), Values(&gate), Values(&y), Size(size(width)?)])?)
}

pub fn silu_mul(on: &dyn Machine, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    if gate.dims() != up.dims() {
        bail!("silu_mul of {:?} and {:?}", gate.dims(), up.dims());
    }
    let (gate, up) = (gate.contiguous()?, beside(up, gate)?);
    on.launch(&values("silu_mul", gate.dtype(), gate.shape(), vec![Values(&gate), Values(&up)])?)
}

/// softmax(scale · scores + bias) over keys, where query i of a causal one sees the keys 0 ..= offset + i.
///
/// # Shapes
/// - `scores`: `(…, queries, keys)`; `bias`: `(keys)` f32; returns the shape of `scores`
pub fn softmax(on: &dyn Machine, scores: &Tensor, bias: Option<&Tensor>, causal: Option<usize>, scale: f32) -> Result<Tensor> {
    let (queries, keys) = (scores.dim(D::Minus2)?, scores.dim(D::Minus1)?);
    if bias.is_some_and(|b| b.dims() != [keys] || b.dtype() != DType::F32 || !b.is_contiguous()) {
        bail!("scores {:?} with other biases", scores.dims());
    }
    let scores = scores.contiguous()?;
    let arguments = vec![
        Values(&scores),
        bias.into(),
        Size(size(queries)?),
        Size(size(keys)?),
        causal.is_some().into(),
        Size(size(causal.unwrap_or(0))?),
        Real(scale),
    ];
    on.launch(&rows("softmax", &scores, arguments)?)
}

/// Both forms of the depthwise convolution.
pub fn depthwise(on: &dyn Machine, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, gated: bool) -> Result<Tensor> {
    /// Pixels of a tile.
    const TILE: (u32, u32) = (32, 8);
    let (b, c, h, w) = x.dims4()?;
    let (channels, one, kernel, kw) = weight.dims4()?;
    if channels != c || one != 1 || kernel != kw || kernel % 2 == 0 || (gated && c % 2 != 0) || bias.is_some_and(|b| b.dims() != [c]) {
        bail!("depthwise filters {:?} on {:?}", weight.dims(), x.dims());
    }
    let made = if gated { c / 2 } else { c };
    let bias = bias.map(|bias| beside(bias, x)).transpose()?;
    let (x, weight) = (x.contiguous()?, beside(weight, x)?);
    let (frame, planes) = (size(kernel)? - 1, size(b * made)?);
    // The third dimension of a grid is the narrow one.
    const MOST_PLANES: u32 = 65_535;
    let tile_bytes = 4 * (TILE.0 + frame) * (TILE.1 + frame) * if gated { 2 } else { 1 };
    if planes > MOST_PLANES || tile_bytes > 48 << 10 {
        bail!("depthwise filters {:?} on {:?} are more than a kernel takes", weight.dims(), x.dims());
    }
    on.launch(&Launch {
        kernel: "depthwise",
        dtype: x.dtype(),
        grid: [size(w)?.div_ceil(TILE.0), size(h)?.div_ceil(TILE.1), planes],
        block: [TILE.0, TILE.1, 1],
        shared_bytes: tile_bytes,
        out: ((b, made, h, w).into(), x.dtype()),
        arguments: vec![
            Values(&x),
            Values(&weight),
            bias.as_ref().into(),
            Size(size(c)?),
            Size(size(h)?),
            Size(size(w)?),
            Size(size(kernel)?),
            gated.into(),
        ],
    })
}

/// The widest head that the kernels of linear attention know.
pub const WIDEST_HEAD: usize = 32;

pub fn linear_attention(on: &dyn Machine, q: &Tensor, k: &Tensor, v: &Tensor, eps: f32, token_major: bool) -> Result<Tensor> {
    let (b, h, d, n) = q.dims4()?;
    if k.dims() != q.dims() || v.dims() != q.dims() || d > WIDEST_HEAD {
        bail!("linear attention of {:?}, {:?} and {:?}", q.dims(), k.dims(), v.dims());
    }
    let (k, v) = (k.to_dtype(q.dtype())?, v.to_dtype(q.dtype())?);
    let sizes = [Size(size(h)?), Size(size(d)?), Size(size(n)?)];
    let strides = |t: &Tensor| t.stride().iter().map(|s| size(*s).map(Size)).collect::<Result<Vec<_>>>();
    let (heads, width) = (size(b * h)?, size(d)?);
    let state = on.launch(&Launch {
        kernel: "attention_state",
        dtype: q.dtype(),
        grid: [heads, 1, 1],
        block: [width, width, 1],
        shared_bytes: 0,
        out: ((b * h, d + 1, d).into(), DType::F32),
        arguments: [vec![Values(&k), Values(&v)], sizes.to_vec(), strides(&k)?, strides(&v)?].concat(),
    })?;
    let shape: Shape = if token_major { (b, n, h, d).into() } else { (b, h, d, n).into() };
    let out = on.launch(&Launch {
        kernel: "attention_apply",
        dtype: q.dtype(),
        grid: [size(n)?.div_ceil(THREADS), heads, 1],
        block: [THREADS, 1, 1],
        shared_bytes: 0,
        out: (shape, q.dtype()),
        arguments: [vec![Values(&state), Values(q)], sizes.to_vec(), strides(q)?, vec![Real(eps), token_major.into()]].concat(),
    })?;
    if token_major { out.permute((0, 2, 3, 1)) } else { Ok(out) } // (B, h, d, N)
}

/// `x` `(B, C, 2h, 2w)`, `y` `(B, O, h, w)`.
pub fn add_unshuffled_mean(on: &dyn Machine, y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (_, o, h, w) = y.dims4()?;
    let (x, y) = (beside(x, y)?, y.contiguous()?);
    let sizes = [x.dim(1)?, o, h, w].into_iter().map(|n| size(n).map(Size)).collect::<Result<Vec<_>>>()?;
    on.launch(&values("add_unshuffled_mean", y.dtype(), y.shape(), [vec![Values(&y), Values(&x)], sizes].concat())?)
}

/// `x` `(B, C, h, w)`, `y` `(B, O, 2h, 2w)`.
pub fn add_repeated_shuffled(on: &dyn Machine, y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (_, c, h, w) = x.dims4()?;
    let (x, y) = (beside(x, y)?, y.contiguous()?);
    let sizes = [c, y.dim(1)?, h, w].into_iter().map(|n| size(n).map(Size)).collect::<Result<Vec<_>>>()?;
    on.launch(&values("add_repeated_shuffled", y.dtype(), y.shape(), [vec![Values(&y), Values(&x)], sizes].concat())?)
}

pub fn double(on: &dyn Machine, x: &Tensor) -> Result<Tensor> {
    let (b, c, h, w) = x.dims4()?;
    let x = x.contiguous()?;
    on.launch(&values("double", x.dtype(), &(b, c, 2 * h, 2 * w).into(), vec![Values(&x), Size(size(w)?)])?)
}
