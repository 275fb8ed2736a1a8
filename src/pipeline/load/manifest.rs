//! Which tensors a checkpoint must have, found out by building its networks on a source that only takes notes.

use super::tensors::Entry;
use super::{Configs, Part};
use crate::models::layers::{BLOCKS, Hold};
use candle_core::{DType, Device, Result as CandleResult, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Key prefix of the vision tower in a checkpoint.
pub const TOWER: &str = "model.vision_tower.vision_tower.";
/// Key below it of a codebook that was projected beforehand.
pub const PROJECTED: &str = "bottleneck.regularizer.projected.weight";

/// The tensors that do not fit the configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Misfits {
    /// Name and expected shape.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Name, expected and found shape.
    pub misshapen: Vec<(String, Vec<usize>, Vec<usize>)>,
    pub surplus: Vec<String>,
}

impl Misfits {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.surplus.is_empty()
    }
}

impl std::fmt::Display for Misfits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = [(self.missing.len(), "missing"), (self.misshapen.len(), "misshapen"), (self.surplus.len(), "surplus")];
        let counts: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        write!(f, "{}", counts.join(", "))?;
        for (name, shape) in &self.missing {
            write!(f, "\n  missing    {name} {shape:?}")?;
        }
        for (name, expected, found) in &self.misshapen {
            write!(f, "\n  misshapen  {name} expected {expected:?}, found {found:?}")?;
        }
        for name in &self.surplus {
            write!(f, "\n  surplus    {name}")?;
        }
        Ok(())
    }
}

/// Notes every tensor that a network asks for, and answers with one zero seen as the whole shape.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Asked>>);

/// Shape and type by name.
type Asked = BTreeMap<String, (Vec<usize>, DType)>;

impl SimpleBackend for Notes {
    fn get(&self, shape: Shape, name: &str, _: candle_nn::Init, dtype: DType, device: &Device) -> CandleResult<Tensor> {
        let mut notes = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        notes.insert(name.to_owned(), (shape.dims().to_vec(), dtype));
        Tensor::zeros((), dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> CandleResult<Tensor> {
        candle_core::bail!("{name} is asked for without a shape")
    }

    fn contains_tensor(&self, name: &str) -> bool {
        !name.ends_with(BLOCKS)
    }
}

/// Name and shape of every tensor of the parts.
///
/// # Errors      a network cannot be built from this configuration
pub fn expected(configs: &Configs, parts: &[Part]) -> CandleResult<BTreeMap<String, Vec<usize>>> {
    Ok(noted(configs, parts, DType::F32)?.into_iter().map(|(name, (shape, _))| (name, shape)).collect())
}

/// The same with the type that each is asked for in, where the source says that it has `dtype`.
///
/// # Errors      as for [`expected`]
pub fn noted(configs: &Configs, parts: &[Part], dtype: DType) -> CandleResult<BTreeMap<String, (Vec<usize>, DType)>> {
    let notes = Notes::default();
    let vb = VarBuilder::from_backend(Box::new(notes.clone()), dtype, Device::Cpu);
    for part in parts {
        part.build(configs, &vb, &Hold::all())?;
    }
    let notes = notes.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    Ok(notes.clone())
}

/// Compares what is there with what the configuration asks for.
pub fn compare(expected: &BTreeMap<String, Vec<usize>>, found: &BTreeMap<String, Entry>, configs: &Configs) -> Misfits {
    let mut misfits = Misfits::default();
    for (name, shape) in expected {
        match found.get(name) {
            None => misfits.missing.push((name.clone(), shape.clone())),
            Some(entry) if !entry.has_shape(shape) => misfits.misshapen.push((name.clone(), shape.clone(), entry.shape.clone())),
            Some(_) => {}
        }
    }
    misfits.surplus = found.keys().filter(|n| !expected.contains_key(*n) && !is_known_unused(n, configs)).cloned().collect();
    misfits
}

/// Tensors of official checkpoints that no stage reads.
pub fn is_known_unused(name: &str, configs: &Configs) -> bool {
    if let Some(tower) = name.strip_prefix(TOWER) {
        let layer = tower.strip_prefix("encoder.encoder.layers.").and_then(|t| t.split('.').next()).and_then(|i| i.parse::<usize>().ok());
        let prefixes = [
            "encoder.post_layernorm.",
            "encoder.head.",
            "encoder.embeddings.position_ids",
            "bottleneck.out_linear.",
            "bottleneck.regularizer.stochastic_temperature_inv",
            "decoder.",
            "decode_task_layer.",
            "scale_layer.",
            "teacher.",
        ];
        return layer.is_some_and(|i| i >= configs.ta_tok.depth()) || prefixes.iter().any(|p| tower.starts_with(p));
    }
    name.starts_with("model.und_image_vae_as_noise_connector.")
        || name.ends_with(".rotary_emb.inv_freq")
        || name == "model.sana.patch_embed.pos_embed"
        || (name == "lm_head.weight" && configs.lm.tie_word_embeddings)
        // Parts that this configuration does not use, but that its training may have carried along.
        || (name.starts_with("model.und_image_vae_connector.") && !configs.cross)
}
