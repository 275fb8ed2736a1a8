//! The files of `torch.save`: a zip of one pickle and the raw bytes of the tensors.

use super::pickle::{Pickle, Value};
use super::tensors::{Bytes, Entry, Stored};
use candle_core::DType;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::sync::Arc;

/// The largest pickle that is read; TA-Tok's has some hundred kilobytes.
const MAX_PICKLE: u64 = 64 << 20;

/// What a TA-Tok file holds: its arguments, and its tensors by key.
pub struct TaTokFile {
    pub args: serde_json::Value,
    pub tensors: BTreeMap<String, Entry>,
}

/// Reads `{"model": {"args": …, "sd": …}}`; tensors stay in the file's bytes.
///
/// # Errors      a phrase that says what is wrong with the file
pub fn read_ta_tok(bytes: &Arc<Bytes>) -> Result<TaTokFile, String> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes.as_slice())).map_err(|e| format!("it is not a file of torch.save ({e})"))?;
    let name =
        zip.file_names().flatten().find(|n| n.ends_with("data.pkl")).map(std::borrow::Cow::into_owned).ok_or("it has no data.pkl")?;
    let prefix = name.trim_end_matches("data.pkl").to_owned();
    let mut file = zip.by_name(&name).map_err(|e| e.to_string())?;
    if file.size() > MAX_PICKLE {
        return Err(format!("its pickle has {} bytes", file.size()));
    }
    let mut pickle = Vec::new();
    file.by_ref().take(MAX_PICKLE).read_to_end(&mut pickle).map_err(|e| e.to_string())?;
    drop(file);
    let pickle = Pickle::parse(&pickle)?;
    let model = pickle.entry(pickle.root(), "model").ok_or("it has no \"model\"")?;
    let args = pickle.entry(model, "args").map_or(serde_json::Value::Null, |a| pickle.json(a, 16));
    let dict = pickle.entry(model, "sd").ok_or("it has no \"sd\"")?;
    let mut tensors = BTreeMap::new();
    for (key, value) in pickle.entries(dict) {
        let Value::Tensor(parts) = value else { continue };
        let entry = tensor(&pickle, *parts, &mut zip, &prefix, bytes).map_err(|e| format!("the tensor {key:?}: {e}"))?;
        tensors.insert(key.to_owned(), entry);
    }
    Ok(TaTokFile { args, tensors })
}

type Zip<'a> = zip::ZipArchive<Cursor<&'a [u8]>>;

fn tensor(pickle: &Pickle, parts: [usize; 4], zip: &mut Zip, prefix: &str, bytes: &Arc<Bytes>) -> Result<Entry, String> {
    let [storage, offset, shape, strides] = parts.map(|n| pickle.get(n));
    let Value::Storage(id) = storage else { return Err("it lies on no storage".to_owned()) };
    let Value::List(id) = pickle.get(*id) else { return Err("its storage has no description".to_owned()) };
    let [_, kind, key, ..] = &id[..] else { return Err("its storage has no description".to_owned()) };
    let (Value::Global(kind), Value::Text(key)) = (pickle.get(*kind), pickle.get(*key)) else {
        return Err("its storage has no type".to_owned());
    };
    let dtype = match &**kind {
        "torch FloatStorage" => DType::F32,
        "torch HalfStorage" => DType::F16,
        "torch BFloat16Storage" => DType::BF16,
        other => return Err(format!("the type {other:?} is not used by tensors here")),
    };
    let (Value::Int(offset), Some(shape), Some(strides)) = (offset, pickle.sizes(shape), pickle.sizes(strides)) else {
        return Err("its shape cannot be read".to_owned());
    };
    let offset = usize::try_from(*offset).map_err(|_| "a negative offset")?;
    let mut dense = 1usize;
    for (size, stride) in shape.iter().zip(&strides).rev() {
        if *size != 1 && *stride != dense {
            return Err("it is not stored row by row".to_owned());
        }
        dense = dense.checked_mul(*size).ok_or("its shape is too large")?;
    }
    if shape.len() != strides.len() {
        return Err("its shape and strides differ".to_owned());
    }
    let file = zip.by_name(&format!("{prefix}data/{key}")).map_err(|_| format!("its storage {key:?} is missing"))?;
    if file.compression() != zip::CompressionMethod::Stored {
        return Err("its storage is compressed, which torch.save never does".to_owned());
    }
    let start = file.data_start().ok_or("its storage has no place in the file")?;
    let width = dtype.size_in_bytes();
    let range = |n: usize| n.checked_mul(width);
    let (from, len) = (range(offset).ok_or("too large")?, range(dense).ok_or("too large")?);
    if from.checked_add(len).is_none_or(|end| end as u64 > file.size()) {
        return Err(format!("{dense} values from {offset} on do not fit into its storage of {} bytes", file.size()));
    }
    let from = usize::try_from(start).map_err(|_| "too large")? + from;
    if from.checked_add(len).is_none_or(|end| end > bytes.as_slice().len()) {
        return Err("its storage ends behind the file".to_owned());
    }
    Ok(Entry { bytes: bytes.clone(), range: from..from + len, stored: Stored::Floats(dtype), shape })
}
