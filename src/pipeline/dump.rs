//! Intermediate tensors under the names of the reference, for comparing the two.

use super::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Larger tensors are replaced by five statistics, as the reference does it.
const MAX_BYTES: usize = 64 << 20;

/// Tensors by name. A name that comes again (token by token decoding) is continued along the second dimension.
#[derive(Default)]
pub struct Dump {
    tensors: BTreeMap<String, Vec<Tensor>>,
    /// The only names that are kept; all, where there are none.
    only: BTreeSet<String>,
}

impl Dump {
    /// A dump that keeps these names and no others.
    pub fn only(names: &[&str]) -> Self {
        Self { tensors: BTreeMap::new(), only: names.iter().map(|n| (*n).to_owned()).collect() }
    }

    /// Keeps a tensor: floats as f32, integers as i64, bytes as they are.
    ///
    /// # Errors      the device fails
    pub fn add(&mut self, name: impl Into<String>, tensor: &Tensor) -> candle_core::Result<()> {
        let name = name.into();
        if !self.only.is_empty() && !self.only.contains(&name) {
            return Ok(());
        }
        let tensor = tensor.to_device(&Device::Cpu)?;
        let tensor = match tensor.dtype() {
            DType::U8 => tensor,
            dtype if dtype.is_float() => tensor.to_dtype(DType::F32)?,
            _ => tensor.to_dtype(DType::I64)?,
        };
        // The copy keeps views from pinning the large tensors that they look into.
        self.tensors.entry(name).or_default().push(tensor.force_contiguous()?);
        Ok(())
    }

    /// The whole tensor under a name.
    ///
    /// # Errors      its pieces do not fit together
    pub fn get(&self, name: &str) -> candle_core::Result<Option<Tensor>> {
        self.tensors.get(name).map(|pieces| if let [one] = &pieces[..] { Ok(one.clone()) } else { Tensor::cat(pieces, 1) }).transpose()
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Writes a safetensors file.
    ///
    /// # Errors      the file cannot be written
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut out = std::collections::HashMap::new();
        for name in self.tensors.keys() {
            let Some(tensor) = self.get(name)? else { continue };
            if tensor.elem_count() * tensor.dtype().size_in_bytes() > MAX_BYTES && tensor.dtype() == DType::F32 {
                out.insert(format!("{name}.stats"), statistics(&tensor)?);
            } else {
                out.insert(name.clone(), tensor);
            }
        }
        candle_core::safetensors::save(&out, path).map_err(|e| Error::Dump { path: path.to_owned(), what: e.to_string() })
    }
}

/// Mean, standard deviation, minimum, maximum and root mean square.
fn statistics(tensor: &Tensor) -> candle_core::Result<Tensor> {
    let values = tensor.flatten_all()?.to_vec1::<f32>()?;
    let n = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let squares = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let (least, most) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    Tensor::new(&[mean as f32, variance.sqrt() as f32, least, most, (squares / n).sqrt() as f32], &Device::Cpu)
}
