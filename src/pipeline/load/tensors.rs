//! Tensors where they lie: in mapped files, or in the program itself.

use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor, bail};
use candle_nn::var_builder::SimpleBackend;
use half::{bf16, f16};
use memmap2::Mmap;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The bytes of a file.
pub enum Bytes {
    Mapped(Mmap),
    Embedded(&'static [u8]),
}

impl Bytes {
    /// # Errors      the file cannot be opened or mapped
    pub fn map(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(Self::Embedded(&[]));
        }
        // SAFETY: the map is only read. Another program that shortens the file meanwhile makes this one fail; the
        // store of downloaded models never does that, it replaces files.
        Ok(Self::Mapped(unsafe { Mmap::map(&file)? }))
    }

    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Embedded(bytes) => bytes,
        }
    }

    /// Lets the system take back the pages of a range that has been copied; they are read again when needed.
    fn forget(&self, range: &Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            // SAFETY: the map is read-only and of a file, so that dropped pages come back with the same content.
            let dropped = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, range.start, range.len()) };
            if let Err(error) = dropped {
                tracing::debug!("pages are kept: {error}");
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

impl Bytes {
    /// Asks the system to read a range while something else computes.
    fn will_need(&self, range: &Range<usize>) {
        #[cfg(unix)]
        if let Self::Mapped(map) = self {
            let asked = map.advise_range(memmap2::Advice::WillNeed, range.start, range.len());
            if let Err(error) = asked {
                tracing::debug!("pages are not read ahead: {error}");
            }
        }
        #[cfg(not(unix))]
        let _ = range;
    }
}

/// One tensor in a file.
#[derive(Clone)]
pub struct Entry {
    pub bytes: Arc<Bytes>,
    pub range: Range<usize>,
    pub dtype: DType,
    pub shape: Vec<usize>,
}

impl Entry {
    /// The stored bytes.
    pub fn raw(&self) -> &[u8] {
        &self.bytes.as_slice()[self.range.clone()]
    }

    /// The tensor in another type, on a device.
    ///
    /// # Errors      the device fails
    pub fn load(&self, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let raw = self.raw();
        let tensor = match (self.dtype, dtype) {
            (from, DType::F32) => Tensor::from_vec(widened(raw, from)?, self.shape.as_slice(), &Device::Cpu)?,
            (from, to) if from == to => Tensor::from_raw_buffer(raw, from, &self.shape, &Device::Cpu)?,
            (from, to) => Tensor::from_vec(widened(raw, from)?, self.shape.as_slice(), &Device::Cpu)?.to_dtype(to)?,
        };
        self.bytes.forget(&self.range);
        tensor.to_device(device)
    }
}

/// Little-endian floats of any kind as f32, on all cores.
fn widened(raw: &[u8], dtype: DType) -> CandleResult<Vec<f32>> {
    const CHUNK: usize = 1 << 16;
    let mut out = vec![0f32; raw.len() / dtype.size_in_bytes()];
    let chunks = out.par_chunks_mut(CHUNK).zip(raw.par_chunks(CHUNK * dtype.size_in_bytes()));
    match dtype {
        DType::F32 => chunks.for_each(|(to, from)| to.iter_mut().zip(from.as_chunks().0).for_each(|(t, f)| *t = f32::from_le_bytes(*f))),
        DType::F16 => {
            chunks.for_each(|(to, from)| to.iter_mut().zip(from.as_chunks().0).for_each(|(t, f)| *t = f16::from_le_bytes(*f).to_f32()));
        }
        DType::BF16 => {
            chunks.for_each(|(to, from)| to.iter_mut().zip(from.as_chunks().0).for_each(|(t, f)| *t = bf16::from_le_bytes(*f).to_f32()));
        }
        other => bail!("tensors of type {other:?} are not used here"),
    }
    Ok(out)
}

/// The tensors of a safetensors file by name.
///
/// # Errors      a phrase that says what is wrong with the file
pub fn read_safetensors(bytes: &Arc<Bytes>) -> Result<BTreeMap<String, Entry>, String> {
    let all = bytes.as_slice();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(all).map_err(|e| match e {
        safetensors::SafeTensorError::MetadataIncompleteBuffer => {
            "its length is not what its header says; it may be cut off, so get it again".to_owned()
        }
        other => format!("its header cannot be read ({other})"),
    })?;
    let data = header + 8;
    let mut entries = BTreeMap::new();
    for (name, info) in metadata.tensors() {
        let dtype = match info.dtype {
            safetensors::Dtype::F32 => DType::F32,
            safetensors::Dtype::F16 => DType::F16,
            safetensors::Dtype::BF16 => DType::BF16,
            other => return Err(format!("the tensor {name:?} has the type {other:?}; f32, f16 and bf16 are read")),
        };
        let range = data + info.data_offsets.0..data + info.data_offsets.1;
        let count = info.shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
        let fits = count.and_then(|n| n.checked_mul(dtype.size_in_bytes())) == Some(range.len());
        if !fits || range.end > all.len() {
            return Err(format!("the tensor {name:?} with the shape {:?} does not fit into the file", info.shape));
        }
        entries.insert(name, Entry { bytes: bytes.clone(), range, dtype, shape: info.shape.clone() });
    }
    Ok(entries)
}

/// All tensors of a checkpoint, as a source for the networks.
#[derive(Clone, Default)]
pub struct Tensors(pub Arc<BTreeMap<String, Entry>>);

impl Tensors {
    /// Has everything below a prefix read ahead.
    pub fn will_need(&self, prefix: &str) {
        let first = format!("{prefix}.");
        let below = self.0.range(first.clone()..).take_while(|(name, _)| name.starts_with(&first));
        below.for_each(|(_, entry)| entry.bytes.will_need(&entry.range));
    }
}

/// Matrices in the type that each is stored in, everything else in the type that is asked for.
pub struct AsStored(pub Tensors);

impl AsStored {
    /// Networks ask for matrices in the type of the source and for everything exact in f32: this tells the two apart.
    pub const MATRIX: DType = DType::BF16;
}

impl SimpleBackend for AsStored {
    fn get(&self, shape: Shape, name: &str, init: candle_nn::Init, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let stored = self.0.0.get(name).filter(|_| dtype == Self::MATRIX).map_or(dtype, |entry| entry.dtype);
        self.0.get(shape, name, init, stored, device)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let stored = self.0.0.get(name).filter(|_| dtype == Self::MATRIX).map_or(dtype, |entry| entry.dtype);
        self.0.get_unchecked(name, stored, device)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_tensor(name)
    }
}

impl SimpleBackend for Tensors {
    fn get(&self, shape: Shape, name: &str, _: candle_nn::Init, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let tensor = self.get_unchecked(name, dtype, device)?;
        if tensor.shape() != &shape {
            bail!("the tensor {name:?} has the shape {:?} instead of {:?}", tensor.dims(), shape.dims());
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        match self.0.get(name) {
            Some(entry) => entry.load(dtype, device),
            None => bail!("the tensor {name:?} is missing"),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}
