//! Weights in blocks of few bits, as GGUF files hold them: widened here, value for value as candle does it.
//!
//! A block is a run of values of one row with a scale (and a least value) of its own. On the CPU a matrix stays the bytes of
//! its file; products widen it tile by tile. On other devices it is candle's.

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{CpuStorage, DType, Device, Module, Result, Storage, StorageRef, Tensor, bail};
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// How a block is made.
///
/// # Source      ggml `ggml-quants.c`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockType {
    /// 32 values: a scale, and a byte each.
    Q8_0,
    /// 256 values: eight runs of 32 with a 6-bit scale and least value, and four bits each.
    Q4K,
    /// As `Q4K`, with five bits each.
    Q5K,
    /// 256 values: sixteen runs of 16 with an 8-bit scale, and six bits each.
    Q6K,
}

/// The most values of a block.
pub const LONGEST: usize = 256;

impl BlockType {
    pub const ALL: [Self; 4] = [Self::Q8_0, Self::Q4K, Self::Q5K, Self::Q6K];

    pub fn name(self) -> &'static str {
        match self {
            Self::Q8_0 => "q8_0",
            Self::Q4K => "q4_k",
            Self::Q5K => "q5_k",
            Self::Q6K => "q6_k",
        }
    }

    /// Values of a block.
    pub fn values(self) -> usize {
        if self == Self::Q8_0 { 32 } else { LONGEST }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q8_0 => 34,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Bytes of `values` values, if they are whole blocks.
    pub fn bytes_of(self, values: usize) -> Option<usize> {
        values.is_multiple_of(self.values()).then(|| values / self.values()).and_then(|blocks| blocks.checked_mul(self.bytes()))
    }

    /// The same type in candle's words.
    pub fn ggml(self) -> GgmlDType {
        match self {
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q5K => GgmlDType::Q5K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }

    /// Widens whole blocks.
    pub fn widen(self, from: &[u8], to: &mut [f32]) {
        self.widen_with(best(), from, to);
    }

    /// [`Self::widen`] by certain vectors, where there are any for it.
    pub(super) fn widen_with(self, level: Option<Level>, from: &[u8], to: &mut [f32]) {
        match (self, level) {
            (Self::Q8_0, Some(level)) => level.widen_q8_0(from, to),
            (Self::Q4K, Some(level)) => {
                blocks::<144, 256>(from, to, |from, to| {
                    q4_k(from, to, |bytes, low, high, to| level.widen_q4(bytes, low, high, to));
                });
            }
            _ => self.widen_plain(from, to),
        }
    }

    /// The plain twin of [`Self::widen`].
    pub(super) fn widen_plain(self, from: &[u8], to: &mut [f32]) {
        simd!(match self {
            Self::Q8_0 => blocks::<34, 32>(from, to, q8_0),
            Self::Q4K => blocks::<144, 256>(from, to, |from, to| q4_k(from, to, halves)),
            Self::Q5K => blocks::<176, 256>(from, to, q5_k),
            Self::Q6K => blocks::<210, 256>(from, to, q6_k),
        });
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use super::dots::Level;

/// Elsewhere there are none yet.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy)]
pub(super) enum Level {}

#[cfg(not(target_arch = "x86_64"))]
impl Level {
    pub fn dot_q8_0(self, _: &[f32], _: &[u8]) -> f32 {
        match self {}
    }

    pub fn widen_q8_0(self, _: &[u8], _: &mut [f32]) {
        match self {}
    }

    pub fn widen_q4(self, _: &[u8; 32], _: (f32, f32), _: (f32, f32), _: &mut [f32; 64]) {
        match self {}
    }
}

/// The best vectors of this processor.
pub(super) fn best() -> Option<Level> {
    #[cfg(target_arch = "x86_64")]
    return Level::best();
    #[cfg(not(target_arch = "x86_64"))]
    None
}

#[inline(always)]
fn blocks<const B: usize, const V: usize>(from: &[u8], to: &mut [f32], one: impl Fn(&[u8; B], &mut [f32; V])) {
    for (from, to) in from.as_chunks::<B>().0.iter().zip(to.as_chunks_mut::<V>().0) {
        one(from, to);
    }
}

/// An f16 as f32, without a call: the exponent is moved by a product, which also takes care of subnormal numbers.
#[inline(always)]
fn f16(low: u8, high: u8) -> f32 {
    let bits = u32::from(u16::from_le_bytes([low, high]));
    let (sign, rest) = ((bits & 0x8000) << 16, (bits & 0x7fff) << 13);
    let finite = f32::from_bits(rest) * f32::from_bits(0x7780_0000);
    let infinite = f32::from_bits(rest | 0x7f80_0000);
    f32::from_bits(sign | if rest >= 0x0f80_0000 { infinite } else { finite }.to_bits())
}

#[inline(always)]
fn q8_0(from: &[u8; 34], to: &mut [f32; 32]) {
    let d = f16(from[0], from[1]);
    for (t, q) in to.iter_mut().zip(&from[2..]) {
        *t = f32::from(q.cast_signed()) * d;
    }
}

/// Scale and least value of the j-th run of 32.
#[inline(always)]
fn scale_and_least(j: usize, q: &[u8]) -> (f32, f32) {
    let (scale, least) =
        if j < 4 { (q[j] & 63, q[j + 4] & 63) } else { ((q[j + 4] & 15) | ((q[j - 4] >> 6) << 4), (q[j + 4] >> 4) | ((q[j] >> 6) << 4)) };
    (f32::from(scale), f32::from(least))
}

#[inline(always)]
fn q4_k(from: &[u8; 144], to: &mut [f32; 256], run: impl Fn(&[u8; 32], (f32, f32), (f32, f32), &mut [f32; 64])) {
    let (d, least) = (f16(from[0], from[1]), f16(from[2], from[3]));
    for (pair, (to, q)) in to.as_chunks_mut::<64>().0.iter_mut().zip(from[16..].as_chunks::<32>().0).enumerate() {
        let ((s1, m1), (s2, m2)) = (scale_and_least(2 * pair, &from[4..16]), scale_and_least(2 * pair + 1, &from[4..16]));
        run(q, (d * s1, least * m1), (d * s2, least * m2), to);
    }
}

/// The low halves of bytes, then the high ones, each · scale - least.
#[inline(always)]
fn halves(q: &[u8; 32], (d1, m1): (f32, f32), (d2, m2): (f32, f32), to: &mut [f32; 64]) {
    let (low, high) = to.split_at_mut(32);
    low.iter_mut().zip(q).for_each(|(t, q)| *t = d1 * f32::from(q & 15) - m1);
    high.iter_mut().zip(q).for_each(|(t, q)| *t = d2 * f32::from(q >> 4) - m2);
}

#[inline(always)]
fn q5_k(from: &[u8; 176], to: &mut [f32; 256]) {
    let (d, least) = (f16(from[0], from[1]), f16(from[2], from[3]));
    let fifth = &from[16..48];
    for (pair, (to, q)) in to.as_chunks_mut::<64>().0.iter_mut().zip(from[48..].as_chunks::<32>().0).enumerate() {
        let ((s1, m1), (s2, m2)) = (scale_and_least(2 * pair, &from[4..16]), scale_and_least(2 * pair + 1, &from[4..16]));
        let (d1, m1, d2, m2) = (d * s1, least * m1, d * s2, least * m2);
        let (low, high) = to.split_at_mut(32);
        let bit = |h: u8, i: usize| ((h >> i) & 1) << 4;
        low.iter_mut().zip(q.iter().zip(fifth)).for_each(|(t, (q, h))| *t = d1 * f32::from((q & 15) | bit(*h, 2 * pair)) - m1);
        high.iter_mut().zip(q.iter().zip(fifth)).for_each(|(t, (q, h))| *t = d2 * f32::from((q >> 4) | bit(*h, 2 * pair + 1)) - m2);
    }
}

#[inline(always)]
fn q6_k(from: &[u8; 210], to: &mut [f32; 256]) {
    let d = f16(from[208], from[209]);
    let scales = &from[192..208];
    for (half, to) in to.as_chunks_mut::<128>().0.iter_mut().enumerate() {
        let (low, high) = (&from[64 * half..][..64], &from[128 + 32 * half..][..32]);
        for run in 0..8 {
            // Runs of 16: two of each quarter of the half.
            let (quarter, first) = (run / 2, run % 2 * 16);
            let d = d * f32::from(scales[8 * half + run].cast_signed());
            let low = &low[quarter % 2 * 32 + first..][..16];
            let values = low.iter().zip(&high[first..][..16]);
            let (shift, high_shift) = (quarter / 2 * 4, 2 * quarter);
            to[16 * run..][..16].iter_mut().zip(values).for_each(|(t, (l, h))| {
                let q = ((l >> shift) & 15) | (((h >> high_shift) & 3) << 4);
                *t = d * f32::from(q.cast_signed() - 32);
            });
        }
    }
}

/// A matrix `(rows, columns)` in blocks.
#[derive(Clone, Debug)]
pub struct Blocks {
    kind: BlockType,
    columns: usize,
    held: Held,
}

#[derive(Clone, Debug)]
enum Held {
    /// `(rows, bytes of a row)` u8 on the CPU.
    Bytes(Tensor),
    /// On another device, as a product and for looking rows up.
    Device(QMatMul, Device),
}

impl Blocks {
    /// From bytes `(rows, bytes of a row)` u8 on the CPU, for products on `device`. The type follows from the bytes of a row.
    ///
    /// # Errors      no type has rows of so many bytes, or the device fails
    pub fn new(bytes: Tensor, columns: usize, device: &Device) -> Result<Self> {
        let (rows, len) = bytes.dims2()?;
        let Some(kind) = BlockType::ALL.into_iter().find(|t| t.bytes_of(columns) == Some(len)) else {
            bail!("no blocks of {columns} values have {len} bytes");
        };
        if bytes.dtype() != DType::U8 || !bytes.is_contiguous() {
            bail!("blocks must be contiguous bytes");
        }
        let held = if device.is_cpu() {
            Held::Bytes(bytes)
        } else {
            let data = bytes.flatten_all()?.to_vec1::<u8>()?;
            let storage = QStorage::from_data(Cow::Owned(data), device, kind.ggml())?;
            Held::Device(QMatMul::from_arc(Arc::new(QTensor::new(storage, (rows, columns))?))?, device.clone())
        };
        Ok(Self { kind, columns, held })
    }

    pub fn kind(&self) -> BlockType {
        self.kind
    }

    /// `(rows, columns)`.
    ///
    /// # Errors      none for a matrix that was made by [`Self::new`]
    pub fn dims(&self) -> Result<(usize, usize)> {
        match &self.held {
            Held::Bytes(bytes) => Ok((bytes.dim(0)?, self.columns)),
            Held::Device(QMatMul::QTensor(t), _) => t.shape().dims2(),
            Held::Device(QMatMul::Tensor(t) | QMatMul::TensorF16(t), _) => t.dims2(),
        }
    }

    pub fn device(&self) -> &Device {
        match &self.held {
            Held::Bytes(_) => &Device::Cpu,
            Held::Device(_, device) => device,
        }
    }

    /// The rows `from .. from + len`; on another device than the CPU there are no parts.
    ///
    /// # Errors      no such rows, or they are on another device
    pub fn narrow(&self, from: usize, len: usize) -> Result<Self> {
        let Held::Bytes(bytes) = &self.held else { bail!("rows of blocks are not cut on {:?}", self.device()) };
        Ok(Self { held: Held::Bytes(bytes.narrow(0, from, len)?), ..*self })
    }

    /// All of it as f32.
    ///
    /// # Errors      the device fails
    pub fn dequantize(&self) -> Result<Tensor> {
        match &self.held {
            Held::Bytes(bytes) => {
                let (rows, columns) = self.dims()?;
                let bytes = Bytes::of(bytes);
                let mut out = vec![0f32; rows * columns];
                let row_bytes = self.row_bytes();
                out.par_chunks_mut(columns.max(1)).zip(bytes.as_slice()?.par_chunks(row_bytes)).for_each(|(to, from)| {
                    self.kind.widen(from, to);
                });
                Tensor::from_vec(out, (rows, columns), &Device::Cpu)
            }
            Held::Device(QMatMul::QTensor(t), device) => t.dequantize(device),
            Held::Device(QMatMul::Tensor(t) | QMatMul::TensorF16(t), _) => t.to_dtype(DType::F32),
        }
    }

    /// Rows by number.
    ///
    /// # Shapes
    /// - `ids`: `(L)` u32; returns `(L, columns)` f32
    /// # Errors      no such row, or the device fails
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match &self.held {
            Held::Bytes(bytes) => {
                let picked = bytes.index_select(ids, 0)?;
                Self { held: Held::Bytes(picked), ..*self }.dequantize()
            }
            Held::Device(product, _) => product.embedding(ids),
        }
    }

    /// x · selfᵀ by candle on another device; `None` on the CPU.
    pub(super) fn product_elsewhere(&self, x: &Tensor) -> Option<Result<Tensor>> {
        let Held::Device(product, _) = &self.held else { return None };
        let forward = || product.forward(&x.to_dtype(DType::F32)?.contiguous()?)?.to_dtype(x.dtype());
        Some(forward())
    }

    /// The bytes `(rows, bytes of a row)` where they are on the CPU.
    pub(super) fn bytes(&self) -> Result<Bytes<'_>> {
        match &self.held {
            Held::Bytes(bytes) => Ok(Bytes::of(bytes)),
            Held::Device(..) => bail!("expected blocks on the CPU"),
        }
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.columns / self.kind.values() * self.kind.bytes()
    }
}

/// The bytes of a u8 tensor on the CPU.
pub(super) struct Bytes<'a> {
    storage: StorageRef<'a>,
    start: usize,
    len: usize,
}

impl<'a> Bytes<'a> {
    fn of(tensor: &'a Tensor) -> Self {
        let len = tensor.elem_count();
        let (storage, layout) = tensor.storage_and_layout();
        Self { start: layout.start_offset(), storage, len }
    }

    pub fn as_slice(&self) -> Result<&[u8]> {
        match &*self.storage {
            Storage::Cpu(CpuStorage::U8(v)) => Ok(&v[self.start..self.start + self.len]),
            _ => bail!("expected bytes on the CPU"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    fn bits(tensor: &Tensor) -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| if v.is_nan() { !0 } else { v.to_bits() }).collect()
    }

    #[test]
    fn blocks_widen_as_candle_widens_them_to_the_last_bit() {
        for kind in BlockType::ALL {
            let (rows, columns) = (9, 3 * kind.values());
            let quantised = QTensor::quantize(&noise(1, &[rows, columns]), kind.ggml()).unwrap();
            // And any bytes at all: every bit of scales and values counts, also scales that are no numbers.
            let mut any = vec![0; 400 * kind.bytes()];
            ChaCha8Rng::seed_from_u64(2).fill_bytes(&mut any);
            let odd =
                QTensor::new(QStorage::from_data(Cow::Borrowed(&any), &Device::Cpu, kind.ggml()).unwrap(), (400, kind.values())).unwrap();
            for theirs in [quantised, odd] {
                let (rows, columns) = theirs.shape().dims2().unwrap();
                let bytes = theirs.data().unwrap().into_owned();
                let len = bytes.len() / rows;
                let ours = Blocks::new(Tensor::from_vec(bytes, (rows, len), &Device::Cpu).unwrap(), columns, &Device::Cpu).unwrap();
                assert_eq!((ours.kind(), ours.dims().unwrap()), (kind, (rows, columns)));
                let (ours_wide, wide) = (ours.dequantize().unwrap(), theirs.dequantize(&Device::Cpu).unwrap());
                assert!(bits(&ours_wide) == bits(&wide), "{}", kind.name());
                let ids = Tensor::new(&[7u32, 0, 7], &Device::Cpu).unwrap();
                assert!(bits(&ours.rows(&ids).unwrap()) == bits(&wide.index_select(&ids, 0).unwrap()));
                assert!(bits(&ours.narrow(2, 3).unwrap().dequantize().unwrap()) == bits(&wide.narrow(0, 2, 3).unwrap()));
            }
        }
    }

    #[test]
    fn halves_are_widened_exactly() {
        for n in 0..=u16::MAX {
            let [low, high] = n.to_le_bytes();
            let (ours, theirs) = (f16(low, high), half::f16::from_bits(n).to_f32());
            assert!(ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan(), "{n:#x}");
        }
    }
}
