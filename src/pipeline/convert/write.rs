//! One GGUF file, written tensor by tensor in stretches.

use super::super::load::{Checkpoint, Entry, Stored, TOWER, gguf};
use super::super::{Error, Result};
use super::plan::{Origin, Planned};
use super::state::said;
use crate::models::kernels::{BlockType, l2_normalize};
use crate::models::ta_tok::{CODES, Codebook};
use candle_core::quantized::QTensor;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use half::{bf16, f16};
use rayon::prelude::*;
use std::fs::File;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;

/// Values that are converted at a time: what a conversion needs of memory follows from it.
const STRETCH: usize = 4 << 20;
/// Bytes after which the disk is waited for, so that a small machine is not filled with what is still to be written.
const SYNC: u64 = 256 << 20;

/// The header of a file, and where its tensors lie.
pub struct Layout {
    header: Vec<u8>,
    /// Bytes of every tensor, without what fills up to the next.
    lens: Vec<u64>,
    pub total: u64,
}

impl Layout {
    pub fn new(tensors: &[Planned]) -> Self {
        let text = |header: &mut Vec<u8>, text: &str| {
            header.extend((text.len() as u64).to_le_bytes());
            header.extend(text.as_bytes());
        };
        let mut header = gguf::MAGIC.to_vec();
        header.extend(gguf::VERSION.to_le_bytes());
        header.extend((tensors.len() as u64).to_le_bytes());
        header.extend(2u64.to_le_bytes());
        text(&mut header, "general.architecture");
        header.extend(8u32.to_le_bytes());
        text(&mut header, gguf::ARCHITECTURE);
        text(&mut header, "general.alignment");
        header.extend(4u32.to_le_bytes());
        header.extend((gguf::ALIGNMENT as u32).to_le_bytes());
        let (mut at, mut lens) = (0u64, Vec::new());
        for Planned { name, shape, stored, .. } in tensors {
            text(&mut header, name);
            header.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|d| header.extend((*d as u64).to_le_bytes()));
            header.extend(gguf::code(*stored).unwrap_or(u32::MAX).to_le_bytes());
            header.extend(at.to_le_bytes());
            let len = stored.bytes_of(shape.iter().product()).unwrap_or(0) as u64;
            lens.push(len);
            at += len.next_multiple_of(gguf::ALIGNMENT as u64);
        }
        header.resize(header.len().next_multiple_of(gguf::ALIGNMENT), 0);
        let total = header.len() as u64 + at;
        Self { header, lens, total }
    }
}

/// Writes the file and waits until the disk has it. `wrote` hears of bytes and says whether to go on.
///
/// # Errors      values that are no numbers, or the disk is full or fails
pub fn write(
    path: &Path,
    checkpoint: &Checkpoint,
    tensors: &[Planned],
    layout: &Layout,
    wrote: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let failed = |e: io::Error| said(&e, path);
    let mut out = Out { file: File::create(path).map_err(failed)?, unsynced: 0, wrote };
    if out.put(&layout.header).map_err(failed)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    for (tensor, len) in tensors.iter().zip(&layout.lens) {
        let mut sink = |bytes: &[u8]| out.put(bytes).map_err(failed);
        let ended = match &tensor.from {
            Origin::Entry(entry) if entry.stored == tensor.stored => copied(entry, &mut sink),
            Origin::Entry(entry) => converted(entry, tensor, &mut sink),
            Origin::Codebook { unit } => projected(checkpoint, tensor, *unit, &mut sink),
        }?;
        let fill = (len.next_multiple_of(gguf::ALIGNMENT as u64) - len) as usize;
        if ended.is_break() || out.put(&[0; gguf::ALIGNMENT][..fill]).map_err(failed)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    out.file.sync_all().map_err(failed)?;
    Ok(ControlFlow::Continue(()))
}

struct Out<'a> {
    file: File,
    unsynced: u64,
    wrote: &'a mut dyn FnMut(u64) -> ControlFlow<()>,
}

impl Out<'_> {
    fn put(&mut self, bytes: &[u8]) -> io::Result<ControlFlow<()>> {
        self.file.write_all(bytes)?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced > SYNC {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok((self.wrote)(bytes.len() as u64))
    }
}

type Sink<'a> = dyn FnMut(&[u8]) -> Result<ControlFlow<()>> + 'a;

/// Bytes as they are.
fn copied(entry: &Entry, sink: &mut Sink) -> Result<ControlFlow<()>> {
    let mut at = entry.range.start;
    for piece in entry.raw().chunks(2 * STRETCH) {
        let ended = sink(piece)?;
        entry.bytes.forget(&(at..at + piece.len()));
        at += piece.len();
        if ended.is_break() {
            return Ok(ended);
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whole rows, a stretch at a time.
fn converted(entry: &Entry, tensor: &Planned, sink: &mut Sink) -> Result<ControlFlow<()>> {
    let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
    let stretch = (STRETCH / columns).max(1) * columns;
    let values = entry.values();
    for from in (0..values).step_by(stretch) {
        let to = values.min(from + stretch);
        let bytes = encoded(&entry.widened(from..to)?, columns, tensor)?;
        let at = |n: usize| entry.range.start + entry.stored.bytes_of(n).unwrap_or(0);
        entry.bytes.forget(&(at(from)..at(to)));
        if sink(&bytes)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// TA-Tok's codes, in the same portions in which they are projected at each use otherwise.
fn projected(checkpoint: &Checkpoint, tensor: &Planned, unit: bool, sink: &mut Sink) -> Result<ControlFlow<()>> {
    let held = checkpoint.tensors.0.get(&format!("{TOWER}bottleneck.regularizer.embedding.weight")).map(|e| e.stored);
    let dtype = if let Some(Stored::Floats(dtype)) = held { dtype } else { DType::F32 };
    let vb = VarBuilder::from_backend(Box::new(checkpoint.tensors.clone()), dtype, Device::Cpu);
    let codebook = Codebook::new(&checkpoint.configs.ta_tok, &vb.pp(format!("{TOWER}bottleneck.regularizer")))?;
    let codes = codebook.codes()?;
    for from in (0..codes).step_by(CODES) {
        let table = codebook.projected(from, CODES.min(codes - from))?;
        let table = if unit { l2_normalize(&table)? } else { table };
        let columns = table.dim(1)?;
        if sink(&encoded(&table.flatten_all()?.to_vec1::<f32>()?, columns, tensor)?)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Whole rows as the bytes of a type.
fn encoded(values: &[f32], columns: usize, tensor: &Planned) -> Result<Vec<u8>> {
    if values.par_iter().any(|v| !v.is_finite()) {
        let what = format!("the tensor {:?} holds values that are no numbers", tensor.name);
        return Err(super::super::load::Error::Damaged { file: "the checkpoint".to_owned(), what }.into());
    }
    Ok(match tensor.stored {
        Stored::Blocks(kind) => in_blocks(values, columns, kind)?,
        Stored::Floats(DType::F16) => values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect(),
        Stored::Floats(DType::BF16) => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        Stored::Floats(_) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
    })
}

/// Blocks of whole rows, made by candle on all cores.
fn in_blocks(values: &[f32], columns: usize, kind: BlockType) -> Result<Vec<u8>> {
    let rows = ((1 << 16) / columns).max(1) * columns;
    let some = |rows: &[f32]| -> candle_core::Result<Vec<u8>> {
        let tensor = Tensor::from_slice(rows, (rows.len() / columns, columns), &Device::Cpu)?;
        Ok(QTensor::quantize(&tensor, kind.ggml())?.data()?.into_owned())
    };
    let parts: Vec<Vec<u8>> = values.par_chunks(rows).map(some).collect::<candle_core::Result<_>>().map_err(Error::Device)?;
    Ok(parts.concat())
}
