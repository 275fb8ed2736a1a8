//! GGUF files, as conversion writes them: a header, and tensors of floats or blocks. Read as hostile.
//!
//! # Source      ggml `docs/gguf.md`, version 3

use super::tensors::{Bytes, Entry, Stored};
use crate::models::kernels::BlockType;
use candle_core::DType;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const MAGIC: [u8; 4] = *b"GGUF";
pub const VERSION: u32 = 3;
/// What `general.architecture` says of our files.
pub const ARCHITECTURE: &str = "pentimento-blip3o-next";
/// Where a tensor may begin, if the file says nothing else.
pub const ALIGNMENT: usize = 32;

/// More than any header here has.
const MAX_HEADER: usize = 64 << 20;
const MAX_TENSORS: u64 = 100_000;
const MAX_METADATA: u64 = 10_000;
const MAX_DIMS: u32 = 4;
/// Arrays within arrays of the metadata.
const MAX_DEPTH: usize = 4;

/// The number of a type in the file.
pub fn code(stored: Stored) -> Option<u32> {
    Some(match stored {
        Stored::Floats(DType::F32) => 0,
        Stored::Floats(DType::F16) => 1,
        Stored::Floats(DType::BF16) => 30,
        Stored::Floats(_) => return None,
        Stored::Blocks(BlockType::Q8_0) => 8,
        Stored::Blocks(BlockType::Q4K) => 12,
        Stored::Blocks(BlockType::Q5K) => 13,
        Stored::Blocks(BlockType::Q6K) => 14,
    })
}

fn stored(code: u32) -> Option<Stored> {
    let floats = [DType::F32, DType::F16, DType::BF16].map(Stored::Floats);
    let all = floats.into_iter().chain(BlockType::ALL.map(Stored::Blocks));
    all.into_iter().find(|s| self::code(*s) == Some(code))
}

/// The tensors of a file by name; they stay in its bytes.
///
/// # Errors      a phrase that says what is wrong with the file
pub fn read(bytes: &Arc<Bytes>) -> Result<BTreeMap<String, Entry>, String> {
    let all = bytes.as_slice();
    let mut head = Header { bytes: &all[..all.len().min(MAX_HEADER)], at: 0 };
    if head.take(4)? != MAGIC {
        return Err("it is no GGUF file".to_owned());
    }
    let version = head.u32()?;
    if !(2..=VERSION).contains(&version) {
        return Err(format!("it is a GGUF file of version {version}; 2 and {VERSION} are read"));
    }
    let (tensors, metadata) = (head.u64()?, head.u64()?);
    if tensors > MAX_TENSORS || metadata > MAX_METADATA {
        return Err(format!("its header tells of {tensors} tensors and {metadata} properties"));
    }
    let (mut architecture, mut alignment) = (None, ALIGNMENT);
    for _ in 0..metadata {
        let (key, kind) = (head.text()?, head.u32()?);
        match (key, kind) {
            ("general.architecture", 8) => architecture = Some(head.text()?),
            ("general.alignment", 4) => alignment = head.u32()? as usize,
            _ => head.skip(kind, 0)?,
        }
    }
    if architecture != Some(ARCHITECTURE) {
        return Err(format!("it is a GGUF file for another program ({})", architecture.unwrap_or("it does not say which")));
    }
    if !alignment.is_power_of_two() || !(8..=65_536).contains(&alignment) {
        return Err(format!("its tensors lie at multiples of {alignment}"));
    }
    let mut infos = Vec::new();
    for _ in 0..tensors {
        infos.push(head.tensor()?);
    }
    let data = head.at.next_multiple_of(alignment);
    let mut entries = BTreeMap::new();
    for Info { name, shape, code, offset } in infos {
        let stored = stored(code).ok_or_else(|| format!("the tensor {name:?} has the type {code}, which is not read"))?;
        let values = shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
        let whole_rows = shape.last().is_none_or(|row| stored.bytes_of(*row).is_some());
        let len = values.filter(|n| *n > 0 && whole_rows).and_then(|n| stored.bytes_of(n));
        let from = usize::try_from(offset).ok().filter(|o| o.is_multiple_of(alignment)).and_then(|o| data.checked_add(o));
        let range = from.zip(len).and_then(|(from, len)| Some(from..from.checked_add(len)?)).filter(|r| r.end <= all.len());
        let Some(range) = range else {
            return Err(format!("the tensor {name:?} with the shape {shape:?} does not fit into the file; it may be cut off"));
        };
        let entry = Entry { bytes: bytes.clone(), range, stored, shape };
        if entries.insert(name.to_owned(), entry).is_some() {
            return Err(format!("the tensor {name:?} is there twice"));
        }
    }
    Ok(entries)
}

struct Info<'a> {
    name: &'a str,
    shape: Vec<usize>,
    code: u32,
    offset: u64,
}

/// Takes the header apart from its beginning on.
struct Header<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Header<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let Some(end) = end else { return Err("its header is cut off or too long".to_owned()) };
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(self.take(4)?.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b)))
    }

    fn u64(&mut self) -> Result<u64, String> {
        Ok(self.take(8)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn len(&mut self) -> Result<usize, String> {
        usize::try_from(self.u64()?).map_err(|_| "a length in its header is too large".to_owned())
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let len = self.len()?;
        std::str::from_utf8(self.take(len)?).map_err(|_| "a name in its header is no text".to_owned())
    }

    /// Passes over a property's value.
    fn skip(&mut self, kind: u32, depth: usize) -> Result<(), String> {
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            8 => self.len()?,
            9 if depth < MAX_DEPTH => {
                let (kind, len) = (self.u32()?, self.len()?);
                if len > self.bytes.len() {
                    return Err("a list in its header is too long".to_owned());
                }
                for _ in 0..len {
                    self.skip(kind, depth + 1)?;
                }
                0
            }
            _ => return Err(format!("its header has a property of the type {kind}")),
        };
        self.take(width).map(|_| ())
    }

    fn tensor(&mut self) -> Result<Info<'a>, String> {
        let (name, dims) = (self.text()?, self.u32()?);
        if dims > MAX_DIMS {
            return Err(format!("the tensor {name:?} has {dims} dimensions"));
        }
        // The last dimension comes first there.
        let mut shape = (0..dims).map(|_| self.len()).collect::<Result<Vec<_>, _>>()?;
        shape.reverse();
        Ok(Info { name, shape, code: self.u32()?, offset: self.u64()? })
    }
}
