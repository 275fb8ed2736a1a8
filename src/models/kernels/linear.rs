//! Matrix products with weights of any width: f32, or f16, bf16 and blocks of fewer bits that are widened on the way.
//!
//! A few rows (token by token decoding) are dot products straight from the stored weights, bound by memory. Many rows
//! take the weights in panels, widen a panel if need be, and multiply. Arithmetic is f32 throughout.

use super::blocks::{self, BlockType, Blocks};
use super::matrix::{Mat, Shared, cuts_are_free};
use super::{Scratch, Values, fold, is_fast, rounded, zeros};
use candle_core::{D, DType, Device, Result, Storage, StorageRef, Tensor, bail};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

/// Up to so many rows go the way of dot products: what a row gives then does not depend, to the last bit, on how many go with it.
pub const FEW_ROWS: usize = 8;
/// Weight rows of one panel, input rows of one task at least and at most, and tasks that a product is cut into where its rows
/// allow it: not by the number of cores, so that the same sums are made everywhere.
const PANEL: usize = 256;
const ROWS: (usize, usize) = (64, 1024);
const TASKS: usize = 16;

/// Weight rows of one panel, and input rows of one task.
///
/// Each task packs its part of both factors. Where cuts leave the sums as they are, there are two for every core, of a shape
/// that makes the least of it.
pub(super) fn cuts(rows: usize, n: usize) -> (usize, usize) {
    if !cuts_are_free() {
        return (PANEL, rows.div_ceil(TASKS.div_ceil(n.div_ceil(PANEL).max(1))).clamp(ROWS.0, ROWS.1));
    }
    let tasks = if rayon::current_num_threads() > 1 { 2 * rayon::current_num_threads() } else { 1 };
    let runs = (tasks as f64 * rows as f64 / n.max(1) as f64).sqrt().round().max(1.0);
    let panels = (tasks as f64 / runs).round().max(1.0) as usize;
    (n.div_ceil(panels).next_multiple_of(32), rows.div_ceil(runs as usize).max(ROWS.0))
}

/// A matrix `(N, K)` of weights, as a tensor of floats or in blocks.
#[derive(Clone, Copy)]
pub enum Matrix<'a> {
    Plain(&'a Tensor),
    Blocks(&'a Blocks),
}

impl<'a> From<&'a Tensor> for Matrix<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        Self::Plain(tensor)
    }
}

impl<'a> From<&'a Blocks> for Matrix<'a> {
    fn from(blocks: &'a Blocks) -> Self {
        Self::Blocks(blocks)
    }
}

impl Matrix<'_> {
    fn dims2(self) -> Result<(usize, usize)> {
        match self {
            Self::Plain(tensor) => tensor.dims2(),
            Self::Blocks(blocks) => blocks.dims(),
        }
    }
}

/// x · weightᵀ + bias.
///
/// # Shapes
/// - `x`: `(…, K)`; `weight`: `(N, K)` in f32, f16, bf16 or blocks; `bias`: `(N)`; returns `(…, N)` in the type of `x`
/// # Errors      shapes that do not fit, or the device fails
pub fn linear<'a>(x: &Tensor, weight: impl Into<Matrix<'a>>, bias: Option<&Tensor>) -> Result<Tensor> {
    let weight = weight.into();
    if !is_fast(x) {
        return linear_elsewhere(x, weight, bias);
    }
    let (n, k) = weight.dims2()?;
    let mut shape = x.dims().to_vec();
    let Some(last) = shape.last_mut().filter(|last| **last == k) else {
        bail!("linear {:?} on {:?}", (n, k), x.dims());
    };
    *last = n;
    let x = x.contiguous()?;
    let rows = x.elem_count() / k.max(1);
    let source = Values::of(&x)?;
    let mut out = zeros(rows * n);
    let source = Mat::new(source.as_slice()?, rows, k, k, 1);
    multiply(source, &Weight::of(weight)?, bias, &Shared::new(&mut out), 0, (n, 1))?;
    Tensor::from_vec(out, shape, &Device::Cpu)
}

/// [`linear`] by candle's own products, where ours do not apply: blocks stay blocks on the device.
fn linear_elsewhere(x: &Tensor, weight: Matrix, bias: Option<&Tensor>) -> Result<Tensor> {
    let product = if let Matrix::Blocks(blocks) = weight { blocks.product_elsewhere(x) } else { None };
    match (product, bias) {
        (None, _) => linear_plain(x, weight, bias),
        (Some(y), None) => y,
        (Some(y), Some(bias)) => y?.broadcast_add(&bias.to_dtype(x.dtype())?),
    }
}

/// The plain twin of [`linear`]: one candle product, with the weights widened as a whole.
pub fn linear_plain<'a>(x: &Tensor, weight: impl Into<Matrix<'a>>, bias: Option<&Tensor>) -> Result<Tensor> {
    let weight = match weight.into() {
        Matrix::Plain(tensor) => tensor.to_dtype(x.dtype())?,
        Matrix::Blocks(blocks) => blocks.dequantize()?.to_dtype(x.dtype())?,
    };
    let k = x.dim(D::Minus1)?;
    let mut shape = x.dims().to_vec();
    if let Some(last) = shape.last_mut() {
        *last = weight.dim(0)?;
    }
    let y = x.reshape(((), k))?.matmul(&weight.t()?)?.reshape(shape)?;
    match bias {
        Some(bias) => y.broadcast_add(&bias.to_dtype(x.dtype())?),
        None => Ok(y),
    }
}

/// [`linear`] into a map: a 1 x 1 convolution.
///
/// # Shapes
/// - `x`: `(B, N, K)`, or a transposed view of a map `(B, K, N)`; `weight`: `(O, K)`; `bias`: `(O)`; returns `(B, O, N)`
pub fn linear_to_map<'a>(x: &Tensor, weight: impl Into<Matrix<'a>>, bias: Option<&Tensor>) -> Result<Tensor> {
    let weight = weight.into();
    if is_fast(x) {
        return strided(x, weight, bias, true);
    }
    linear_elsewhere(&x.contiguous()?, weight, bias)?.transpose(1, 2)?.contiguous()
}

/// [`linear`] from a map to tokens.
///
/// # Shapes
/// - `x`: `(B, K, N)`; `weight`: `(O, K)`; `bias`: `(O)`; returns `(B, N, O)`
pub fn linear_from_map<'a>(x: &Tensor, weight: impl Into<Matrix<'a>>, bias: Option<&Tensor>) -> Result<Tensor> {
    let (x, weight) = (x.transpose(1, 2)?, weight.into());
    if is_fast(&x) { strided(&x, weight, bias, false) } else { linear_elsewhere(&x.contiguous()?, weight, bias) }
}

fn strided(x: &Tensor, weight: Matrix, bias: Option<&Tensor>, to_map: bool) -> Result<Tensor> {
    let (b, tokens, k) = x.dims3()?;
    let (o, inner) = weight.dims2()?;
    if inner != k {
        bail!("linear {:?} on {:?}", (o, inner), x.dims());
    }
    let x = if x.stride()[1..].contains(&1) { x.clone() } else { x.contiguous()? };
    let source = Values::of(&x)?;
    let source = source.as_slice()?;
    let weight = Weight::of(weight)?;
    let mut out = zeros(b * o * tokens);
    let shared = Shared::new(&mut out);
    for sample in 0..b {
        let source = Mat::new(&source[sample * x.stride()[0]..], tokens, k, x.stride()[1], x.stride()[2]);
        multiply(source, &weight, bias, &shared, sample * o * tokens, if to_map { (1, tokens) } else { (o, 1) })?;
    }
    Tensor::from_vec(out, if to_map { (b, o, tokens) } else { (b, tokens, o) }, &Device::Cpu)
}

/// The weights `(N, K)` of a product, as stored.
struct Weight<'a> {
    held: Held<'a>,
    n: usize,
    k: usize,
}

enum Held<'a> {
    Plain { storage: StorageRef<'a>, start: usize },
    Blocks { bytes: blocks::Bytes<'a>, kind: BlockType, row_bytes: usize },
}

pub(super) enum Stored<'a> {
    F32(&'a [f32]),
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    Blocks { bytes: &'a [u8], kind: BlockType, row_bytes: usize },
}

impl Stored<'_> {
    /// Rows of `k` weights, `width` of them, as f32: as they are, or in `wide`.
    pub(super) fn widened<'s>(&'s self, from: usize, width: usize, k: usize, wide: &'s mut Scratch) -> &'s [f32] {
        let range = from * k..(from + width) * k;
        if let Self::F32(v) = self {
            return &v[range];
        }
        let to = wide.first(width * k);
        match self {
            Self::F32(_) => {}
            Self::F16(v) => v[range].convert_to_f32_slice(to),
            Self::Bf16(v) => widen_bf16(&v[range], to),
            Self::Blocks { bytes, kind, row_bytes } => kind.widen(&bytes[from * row_bytes..(from + width) * row_bytes], to),
        }
        to
    }
}

impl<'a> Weight<'a> {
    /// # Errors   not two-dimensional after flattening the kernel's 1 x 1, not contiguous, or not on the CPU
    fn of(weight: Matrix<'a>) -> Result<Self> {
        let (n, k) = weight.dims2()?;
        let weight = match weight {
            Matrix::Plain(tensor) => tensor,
            Matrix::Blocks(blocks) => {
                return Ok(Self {
                    held: Held::Blocks { bytes: blocks.bytes()?, kind: blocks.kind(), row_bytes: blocks.row_bytes() },
                    n,
                    k,
                });
            }
        };
        if !weight.is_contiguous() || !matches!(weight.dtype(), DType::F32 | DType::F16 | DType::BF16) {
            bail!("weights of type {:?} and shape {:?} must be contiguous floats", weight.dtype(), weight.dims());
        }
        let (storage, layout) = weight.storage_and_layout();
        Ok(Self { held: Held::Plain { start: layout.start_offset(), storage }, n, k })
    }

    fn stored(&self) -> Result<Stored<'_>> {
        let (storage, start) = match &self.held {
            Held::Plain { storage, start } => (storage, *start),
            Held::Blocks { bytes, kind, row_bytes } => {
                return Ok(Stored::Blocks { bytes: bytes.as_slice()?, kind: *kind, row_bytes: *row_bytes });
            }
        };
        let Storage::Cpu(cpu) = &**storage else { bail!("expected weights on the CPU") };
        let range = start..start + self.n * self.k;
        Ok(match cpu {
            candle_core::CpuStorage::F32(v) => Stored::F32(&v[range]),
            candle_core::CpuStorage::F16(v) => Stored::F16(&v[range]),
            candle_core::CpuStorage::BF16(v) => Stored::Bf16(&v[range]),
            _ => bail!("expected weights of floats"),
        })
    }
}

/// out[m, n] = sum over k of x[m, k] · weight[n, k], + bias[n]; element (m, n) at `at + m * strides.0 + n * strides.1`.
fn multiply(x: Mat, weight: &Weight, bias: Option<&Tensor>, out: &Shared, at: usize, strides: (usize, usize)) -> Result<()> {
    let (n, k) = (weight.n, weight.k);
    let bias = bias.map(|b| b.to_dtype(DType::F32)?.contiguous()).transpose()?;
    if bias.as_ref().is_some_and(|b| b.dims() != [n]) {
        bail!("bias {:?} on {n} outputs", bias.as_ref().map(|b| b.dims().to_vec()));
    }
    let bias = bias.as_ref().map(Values::of).transpose()?;
    let bias = bias.as_ref().map(Values::as_slice).transpose()?;
    let stored = weight.stored()?;
    if x.rows <= FEW_ROWS && x.col_stride == 1 {
        few_rows(x, &stored, bias, out, at, strides, n);
        return Ok(());
    }
    if rounded::is_on() {
        rounded::multiply(x, &stored, n, bias, (out, at, strides));
        return Ok(());
    }
    let (panel_rows, run) = cuts(x.rows, n);
    let panels = n.div_ceil(panel_rows);
    let row_tasks = x.rows.div_ceil(run);
    // One task takes a panel against a run of rows; a panel of fewer bits is widened once and meets all rows, where every core has
    // panels.
    #[cfg(target_arch = "x86_64")]
    let narrow = if let (Stored::Bf16(v), true) = (&stored, super::matrix::takes_bf16(k)) { Some(*v) } else { None };
    #[cfg(not(target_arch = "x86_64"))]
    let narrow: Option<&[bf16]> = None;
    let split_rows = matches!(stored, Stored::F32(_)) || narrow.is_some() || panels < 2 * rayon::current_num_threads();
    let tasks = if split_rows { panels * row_tasks } else { panels };
    (0..tasks).into_par_iter().for_each(|task| {
        let (panel, row_task) = if split_rows { (task / row_tasks, task % row_tasks) } else { (task, 0) };
        let (from, row) = (panel * panel_rows, row_task * run);
        let width = panel_rows.min(n - from);
        let rows = if split_rows { run.min(x.rows - row) } else { x.rows };
        let mut wide = Scratch::default();
        let values = if narrow.is_some() { &[] } else { stored.widened(from, width, k, &mut wide) };
        // The same runs of rows whatever the type: their number decides in which order the product sums.
        for first in (row..row + rows).step_by(run) {
            let rows = run.min(row + rows - first);
            let at = at + first * strides.0 + from * strides.1;
            // SAFETY: tasks differ in their rows or in their columns of the output.
            unsafe {
                match narrow {
                    #[cfg(target_arch = "x86_64")]
                    Some(v) => out.product_bf16(at, strides, x.rows(first, rows), &v[from * k..(from + width) * k]),
                    _ => out.product(at, strides, false, x.rows(first, rows), Mat::new(values, width, k, k, 1).transposed()),
                }
                if let Some(bias) = bias {
                    add_bias(out, at, strides, rows, &bias[from..from + width]);
                }
            }
        }
    });
    Ok(())
}

/// # Safety
/// The elements must belong to the caller alone.
pub(super) unsafe fn add_bias(out: &Shared, at: usize, strides: (usize, usize), rows: usize, bias: &[f32]) {
    if strides.1 == 1 {
        for row in 0..rows {
            // SAFETY: a contiguous run of the caller's own elements.
            let run = unsafe { out.part(at + row * strides.0, bias.len()) };
            simd!(run.iter_mut().zip(bias).for_each(|(o, b)| *o += b));
        }
    } else {
        for (column, b) in bias.iter().enumerate() {
            // SAFETY: as above; with strides (1, plane) a column is contiguous.
            let run = unsafe { out.part(at + column * strides.1, rows) };
            simd!(run.iter_mut().for_each(|o| *o += b));
        }
    }
}

/// Dot products of every weight row with each of a few input rows.
fn few_rows(x: Mat, stored: &Stored, bias: Option<&[f32]>, out: &Shared, at: usize, strides: (usize, usize), n: usize) {
    let k = x.cols;
    let chunk = n.div_ceil(4 * rayon::current_num_threads()).clamp(16, 1024);
    let min_tasks = if n * k < 1 << 19 { usize::MAX } else { 1 };
    // A row of weights that meets several inputs is widened once.
    let widens = x.rows > 1 && matches!(stored, Stored::F16(_) | Stored::Bf16(_));
    (0..n.div_ceil(chunk)).into_par_iter().with_min_len(min_tasks).for_each(|task| {
        let mut wide = Scratch::new(if widens { k } else { 0 });
        simd!({
            for row in task * chunk..((task + 1) * chunk).min(n) {
                let weights = row * k..(row + 1) * k;
                if let Stored::Blocks { bytes, kind, row_bytes } = stored {
                    let sums = dot_blocks(x, &bytes[row * row_bytes..(row + 1) * row_bytes], *kind);
                    for (m, sum) in sums[..x.rows].iter().enumerate() {
                        // SAFETY: one element per (m, row), and each row belongs to one task.
                        unsafe { out.part(at + m * strides.0 + row * strides.1, 1)[0] = sum + bias.map_or(0.0, |b| b[row]) };
                    }
                    continue;
                }
                match stored {
                    Stored::F16(v) if widens => v[weights.clone()].convert_to_f32_slice(&mut wide.0[..k]),
                    Stored::Bf16(v) if widens => v[weights.clone()].iter().zip(&mut wide.0[..k]).for_each(|(v, wide)| *wide = widened(*v)),
                    _ => {}
                }
                for m in 0..x.rows {
                    let source = &x.data[m * x.row_stride..m * x.row_stride + k];
                    let sum = match stored {
                        _ if widens => dot(source, &wide.0[..k], |w| w),
                        Stored::F32(v) => dot(source, &v[weights.clone()], |w| w),
                        Stored::Bf16(v) => dot(source, &v[weights.clone()], widened),
                        Stored::F16(v) => dot_f16(source, &v[weights.clone()]),
                        Stored::Blocks { .. } => 0.0, // above
                    };
                    // SAFETY: one element per (m, row), and each row belongs to one task.
                    unsafe { out.part(at + m * strides.0 + row * strides.1, 1)[0] = sum + bias.map_or(0.0, |b| b[row]) };
                }
            }
        });
    });
}

/// A bf16 is the upper half of an f32.
#[inline(always)]
fn widened(value: bf16) -> f32 {
    f32::from_bits(u32::from(value.to_bits()) << 16)
}

fn widen_bf16(from: &[bf16], to: &mut [f32]) {
    simd!({
        for (t, f) in to.iter_mut().zip(from) {
            *t = widened(*f);
        }
    });
}

#[inline(always)]
pub(super) fn dot<T: Copy>(x: &[f32], w: &[T], wide: impl Fn(T) -> f32) -> f32 {
    let mut part = [0f32; 32];
    let (blocks, rest) = x.as_chunks::<32>();
    let (w_blocks, w_rest) = w.as_chunks::<32>();
    for (x, w) in blocks.iter().zip(w_blocks) {
        for i in 0..32 {
            part[i] += x[i] * wide(w[i]);
        }
    }
    let tail: f32 = rest.iter().zip(w_rest).map(|(x, w)| x * wide(*w)).sum();
    fold(part) + tail
}

/// Sums in the order of [`dot`], so that a model held in f16 says what its copy in f32 says.
#[inline(always)]
fn dot_f16(x: &[f32], w: &[f16]) -> f32 {
    let (mut wide, mut part, mut tail) = ([0f32; 256], [0f32; 32], 0f32);
    for (x, w) in x.chunks(256).zip(w.chunks(256)) {
        w.convert_to_f32_slice(&mut wide[..w.len()]);
        let (blocks, rest) = x.as_chunks::<32>();
        let (w_blocks, w_rest) = wide[..x.len()].as_chunks::<32>();
        for (x, w) in blocks.iter().zip(w_blocks) {
            for i in 0..32 {
                part[i] += x[i] * w[i];
            }
        }
        tail += rest.iter().zip(w_rest).map(|(x, w)| x * w).sum::<f32>(); // of the last chunk alone
    }
    fold(part) + tail
}

/// Dot products of one row in blocks with all input rows; a stretch is widened once and stays in the nearest cache.
#[inline(always)]
fn dot_blocks(x: Mat, bytes: &[u8], kind: BlockType) -> [f32; FEW_ROWS] {
    const STRETCH: usize = blocks::LONGEST;
    let level = blocks::best();
    if let (BlockType::Q8_0, Some(level)) = (kind, level) {
        let mut sums = [0f32; FEW_ROWS];
        let mut first = 0;
        // Several rows at a time, so that blocks are widened once for them.
        macro_rules! rows {
            ($($count:literal)*) => {$(
                while x.rows - first >= $count {
                    let rows: [_; $count] = std::array::from_fn(|m| &x.data[(first + m) * x.row_stride..][..x.cols]);
                    sums[first..first + $count].copy_from_slice(&level.dots_q8_0(rows, bytes));
                    first += $count;
                }
            )*};
        }
        rows!(8 4 2 1);
        return sums;
    }
    let mut wide = [0f32; STRETCH];
    let mut part = [[0f32; 32]; FEW_ROWS];
    let stretches = bytes.chunks(STRETCH / kind.values() * kind.bytes());
    for (i, bytes) in stretches.enumerate() {
        let len = bytes.len() / kind.bytes() * kind.values();
        kind.widen_with(level, bytes, &mut wide[..len]);
        for (m, part) in part[..x.rows].iter_mut().enumerate() {
            let source = &x.data[m * x.row_stride + i * STRETCH..][..len];
            for (x, w) in source.as_chunks::<32>().0.iter().zip(wide.as_chunks::<32>().0) {
                for i in 0..32 {
                    part[i] += x[i] * w[i];
                }
            }
        }
    }
    part.map(fold)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, noise};
    use super::*;
    use candle_core::quantized::QTensor;

    #[test]
    fn products_with_blocks_equal_their_plain_twin() {
        for (rows, n, k) in [(1, 130, 512), (3, 1100, 256), (8, 33, 768), (9, 300, 512), (700, 600, 256)] {
            let (x, bias) = (noise(1, &[1, rows, k]), noise(2, &[n]));
            for kind in BlockType::ALL {
                // 8-bit rows need only be whole runs of 32.
                let k = if kind == BlockType::Q8_0 { k - 96 } else { k };
                let x = x.narrow(2, 0, k).unwrap().contiguous().unwrap();
                let weight = noise(3, &[n, k]);
                let bytes = QTensor::quantize(&weight, kind.ggml()).unwrap().data().unwrap().into_owned();
                let len = bytes.len() / n;
                let blocks = Blocks::new(Tensor::from_vec(bytes, (n, len), &Device::Cpu).unwrap(), k, &Device::Cpu).unwrap();
                let plain = linear_plain(&x, &blocks, Some(&bias)).unwrap();
                assert_close(&linear(&x, &blocks, Some(&bias)).unwrap(), &plain);
                assert_close(&linear_to_map(&x, &blocks, Some(&bias)).unwrap().transpose(1, 2).unwrap(), &plain);
                let from = x.transpose(1, 2).unwrap().contiguous().unwrap();
                assert_close(&linear_from_map(&from, &blocks, Some(&bias)).unwrap(), &plain);
                let part = linear(&x, &blocks.narrow(20, 7).unwrap(), None).unwrap();
                assert_close(&part, &linear_plain(&x, &blocks, None).unwrap().narrow(2, 20, 7).unwrap());
                // And they are what the full weights give, as well as so many bits can.
                let error = super::super::testing::distance(&plain, &linear_plain(&x, &weight, Some(&bias)).unwrap());
                let (least, most) = match kind {
                    BlockType::Q8_0 => (1e-4, 0.01),
                    BlockType::Q6K => (1e-3, 0.03),
                    BlockType::Q5K => (1e-3, 0.06),
                    BlockType::Q4K => (1e-2, 0.12),
                };
                assert!((least..most).contains(&error), "{}: {error:.1e}", kind.name());
            }
        }
    }

    /// A run that steps down to weights as they are stored goes on with the same picture.
    #[test]
    fn weights_of_sixteen_bits_give_what_their_copies_in_f32_give_to_the_last_bit() {
        for (rows, n, k) in [(1, 130, 70), (3, 70, 768), (8, 33, 1025), (9, 300, 640), (1500, 600, 96)] {
            let x = noise(1, &[1, rows, k]);
            for dtype in [DType::F16, DType::BF16] {
                let weight = noise(3, &[n, k]).to_dtype(dtype).unwrap();
                let product = |weight: &Tensor| linear(&x, weight, None).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(product(&weight) == product(&weight.to_dtype(DType::F32).unwrap()), "{rows} {n} {k} {dtype:?}");
            }
        }
    }

    #[test]
    fn products_equal_their_plain_twin_for_every_storage_type() {
        for (rows, n, k) in [(1, 130, 70), (3, 5000, 64), (8, 33, 257), (9, 300, 64), (1500, 600, 48)] {
            let x = noise(1, &[1, rows, k]);
            let bias = noise(2, &[n]);
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let weight = noise(3, &[n, k]).to_dtype(dtype).unwrap();
                for bias in [None, Some(&bias)] {
                    let plain = linear_plain(&x, &weight, bias).unwrap();
                    assert_close(&linear(&x, &weight, bias).unwrap(), &plain);
                    let map = linear_to_map(&x, &weight, bias).unwrap();
                    assert_close(&map.transpose(1, 2).unwrap(), &plain);
                    let from = x.transpose(1, 2).unwrap().contiguous().unwrap();
                    assert_close(&linear_from_map(&from, &weight, bias).unwrap(), &plain);
                    assert_close(&linear_to_map(&from.transpose(1, 2).unwrap(), &weight, bias).unwrap(), &map);
                }
            }
        }
    }

    #[test]
    fn a_few_rows_together_give_what_they_give_one_by_one_to_the_last_bit() {
        let (n, k) = (70, 768);
        let (x, weight) = (noise(1, &[FEW_ROWS, k]), noise(3, &[n, k]));
        let bits = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let check = |matrix: Matrix, name: &str| {
            let together = bits(&linear(&x, matrix, None).unwrap());
            for rows in 1..=FEW_ROWS {
                let some = bits(&linear(&x.narrow(0, FEW_ROWS - rows, rows).unwrap(), matrix, None).unwrap());
                assert!(some == together[(FEW_ROWS - rows) * n..], "{name}, {rows} rows");
            }
        };
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            check(Matrix::Plain(&weight.to_dtype(dtype).unwrap()), dtype.as_str());
        }
        for kind in BlockType::ALL {
            let bytes = QTensor::quantize(&weight, kind.ggml()).unwrap().data().unwrap().into_owned();
            let shape = (n, bytes.len() / n);
            let blocks = Blocks::new(Tensor::from_vec(bytes, shape, &Device::Cpu).unwrap(), k, &Device::Cpu).unwrap();
            check(Matrix::Blocks(&blocks), kind.name());
        }
    }

    #[test]
    fn a_slice_of_the_rows_multiplies_like_the_whole() {
        let (x, weight) = (noise(4, &[2, 40]), noise(5, &[90, 40]));
        let whole = linear(&x, &weight, None).unwrap().narrow(1, 30, 50).unwrap();
        assert_close(&linear(&x, &weight.narrow(0, 30, 50).unwrap(), None).unwrap(), &whole);
        assert!(linear(&x, &noise(6, &[90, 41]), None).is_err());
    }
}
