//! Checkpoints: a folder in the official layout, one that was made ready by a conversion, or the one inside the program; seen
//! whole before a byte of it is computed with.

mod configs;
mod footprint;
mod full_size;
pub(in crate::pipeline) mod gguf;
mod manifest;
mod pickle;
pub(in crate::pipeline) mod ready;
mod tensors;
mod torch_zip;

pub use configs::{Configs, TokenIds};
pub(in crate::pipeline) use configs::{Found, tower_file};
pub use footprint::{Footprint, Weight};
pub use manifest::Misfits;
pub(in crate::pipeline) use manifest::{PROJECTED, TOWER, expected};
pub use pickle::{Pickle, Value as PickleValue};
pub use tensors::{Bytes, Entry, Stored, Tensors};

use crate::models::layers::{Connector, Hold};
use crate::models::{dc_ae, qwen3, sana, ta_tok};
use crate::recipe::ModelId;
use candle_core::{DType, Device, Result as CandleResult};
use candle_nn::VarBuilder;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use tensors::AsStored;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("this is not a model folder: {what}: {}", path.display())]
    NotACheckpoint { what: String, path: PathBuf },
    #[error("the file cannot be read: {source}: {}", path.display())]
    Read { source: std::io::Error, path: PathBuf },
    #[error("the configuration is not complete: {what}: {file}")]
    Config { file: String, what: String },
    #[error("this kind of model is not built in: {what}: {file}")]
    Unsupported { file: String, what: String },
    #[error("a model file is damaged: {what}: {file}")]
    Damaged { file: String, what: String },
    #[error("the tensors do not fit the configuration: {0}")]
    Misfits(Misfits),
    #[error("the network cannot be built: {0}")]
    Network(#[from] candle_core::Error),
}

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Where the files of a checkpoint come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    Disk(PathBuf),
    Nano,
}

macro_rules! nano {
    ($name:literal) => {
        include_bytes!(concat!("../../../assets/nano/checkpoint/", $name))
    };
}

/// No configuration is larger than this; a tokenizer may be.
const MAX_CONFIG: u64 = 16 << 20;
const MAX_TOKENIZER: u64 = 512 << 20;

impl Folder {
    /// Where a model is.
    ///
    /// # Errors      there is no such folder
    pub(in crate::pipeline) fn of(id: &ModelId) -> Result<Self> {
        match id {
            ModelId::Nano => Ok(Self::Nano),
            ModelId::Folder(path) if path.is_dir() => Ok(Self::Disk(path.clone())),
            ModelId::Folder(path) => Err(Error::NotACheckpoint { what: "there is no such folder".to_owned(), path: path.clone() }),
        }
    }

    fn path(&self) -> PathBuf {
        match self {
            Self::Disk(path) => path.clone(),
            Self::Nano => PathBuf::from("nano"),
        }
    }

    /// The content of a small file, `None` where there is none.
    pub(in crate::pipeline) fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
        let folder = match self {
            Self::Disk(folder) => folder,
            Self::Nano => return Ok(nano_file(name).map(Cow::Borrowed)),
        };
        let path = folder.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::Read { source, path }),
        };
        let limit = if name == "tokenizer.json" { MAX_TOKENIZER } else { MAX_CONFIG };
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes).map_err(|source| Error::Read { source, path })?;
        if bytes.len() as u64 > limit {
            return Err(Error::Damaged { file: name.to_owned(), what: format!("it is larger than {} MiB", limit >> 20) });
        }
        Ok(Some(Cow::Owned(bytes)))
    }

    pub(in crate::pipeline) fn map(&self, name: &str) -> Result<Arc<Bytes>> {
        match self {
            Self::Disk(folder) => {
                let path = folder.join(name);
                Ok(Arc::new(Bytes::map(&path).map_err(|source| Error::Read { source, path })?))
            }
            Self::Nano => Ok(Arc::new(Bytes::Embedded(nano_file(name).unwrap_or(&[])))),
        }
    }

    pub(in crate::pipeline) fn has(&self, name: &str) -> bool {
        match self {
            Self::Disk(folder) => folder.join(name).is_file(),
            Self::Nano => nano_file(name).is_some(),
        }
    }
}

fn nano_file(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "config.json" => nano!("config.json"),
        "generation_config.json" => nano!("generation_config.json"),
        "tokenizer.json" => nano!("tokenizer.json"),
        "tokenizer_config.json" => nano!("tokenizer_config.json"),
        "transformer/config.json" => nano!("transformer/config.json"),
        "vae/config.json" => nano!("vae/config.json"),
        "vision_tower/config.json" => nano!("vision_tower/config.json"),
        "scheduler/scheduler_config.json" => nano!("scheduler/scheduler_config.json"),
        "model.safetensors" => nano!("model.safetensors"),
        _ => return None,
    })
}

/// The parts of a model that are loaded and let go on their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    VisionTower,
    LanguageModel,
    DiffusionConnector,
    VaeConnector,
    Transformer,
    Encoder,
    Decoder,
}

/// A part that has been built.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, moved once")]
pub enum Built {
    VisionTower(ta_tok::TaTok),
    LanguageModel(qwen3::Qwen3),
    DiffusionConnector(Connector),
    VaeConnector(Connector),
    Transformer(sana::SanaTransformer2D),
    Encoder(dc_ae::Encoder),
    Decoder(dc_ae::Decoder),
}

impl Part {
    pub const ALL: [Self; 7] = [
        Self::VisionTower,
        Self::LanguageModel,
        Self::DiffusionConnector,
        Self::VaeConnector,
        Self::Transformer,
        Self::Encoder,
        Self::Decoder,
    ];

    /// A name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::VisionTower => "TA-Tok (image tokenizer)",
            Self::LanguageModel => "Qwen3 (language model)",
            Self::DiffusionConnector => "connector of the blueprint",
            Self::VaeConnector => "connector of the reference",
            Self::Transformer => "SANA (diffusion transformer)",
            Self::Encoder => "DC-AE encoder",
            Self::Decoder => "DC-AE decoder",
        }
    }

    /// Builds the part's network from the tensors below the checkpoint's root; `hold` is for those that have many layers.
    ///
    /// # Errors      a tensor is missing or has another shape, or the device fails
    pub fn build(self, configs: &Configs, vb: &VarBuilder<'static>, hold: &Hold) -> CandleResult<Built> {
        let width = configs.sana.caption_channels;
        let model = vb.pp("model");
        Ok(match self {
            Self::VisionTower => Built::VisionTower(ta_tok::TaTok::new(&configs.ta_tok, &model.pp("vision_tower.vision_tower"), hold)?),
            Self::LanguageModel => Built::LanguageModel(qwen3::Qwen3::new(&configs.lm, vb, hold)?),
            Self::DiffusionConnector => {
                Built::DiffusionConnector(Connector::new(configs.lm.hidden_size, width, &model.pp("diffusion_connector"))?)
            }
            Self::VaeConnector => {
                Built::VaeConnector(Connector::new(configs.vae.latent_channels, width, &model.pp("und_image_vae_connector"))?)
            }
            Self::Transformer => Built::Transformer(sana::SanaTransformer2D::new(&configs.sana, &model.pp("sana"), hold)?),
            Self::Encoder => Built::Encoder(dc_ae::Encoder::new(&configs.vae, &model.pp("sana_vae.encoder"))?),
            Self::Decoder => Built::Decoder(dc_ae::Decoder::new(&configs.vae, &model.pp("sana_vae.decoder"))?),
        })
    }
}

/// A checkpoint whose files have all been looked at.
pub struct Checkpoint {
    pub id: ModelId,
    pub configs: Configs,
    pub tensors: Tensors,
    tokenizer: Cow<'static, [u8]>,
    found: Found,
    sees: bool,
    encodes: bool,
}

impl Checkpoint {
    /// Opens a model and compares its tensors with its configuration. Weights are mapped, not read.
    ///
    /// # Errors      a file is missing, damaged or of another kind, or tensors do not fit: all of them in one error
    pub fn open(id: &ModelId) -> Result<Self> {
        let folder = Folder::of(id)?;
        let mut found = Found::default();
        let mut tensors = match ready::read(&folder)? {
            Some(tensors) => tensors,
            None => read_shards(&folder)?,
        };
        if folder.has(PICKLE) && !tensors.keys().any(|k| k.starts_with(TOWER)) {
            let bytes = folder.map(PICKLE)?;
            let file = torch_zip::read_ta_tok(&bytes).map_err(|what| Error::Damaged { file: PICKLE.to_owned(), what })?;
            found.pth_args = Some(file.args);
            tensors.extend(file.tensors.into_iter().map(|(k, v)| (format!("{TOWER}{k}"), v)));
        }
        found.learnt_temperature = tensors.contains_key(&format!("{TOWER}bottleneck.regularizer.stochastic_temperature_inv"));
        found.projected = tensors.get(&format!("{TOWER}{PROJECTED}")).map(|entry| match entry.stored {
            Stored::Floats(dtype) => dtype,
            Stored::Blocks(_) => DType::F32,
        });
        let configs = Configs::read(&folder, &found)?;
        let tokenizer = folder
            .read("tokenizer.json")?
            .ok_or_else(|| Error::NotACheckpoint { what: "there is no tokenizer.json".to_owned(), path: folder.path() })?;
        let has = |prefix: &str| tensors.keys().any(|k| k.starts_with(prefix));
        let (sees, encodes) = (has(TOWER), has("model.sana_vae.encoder."));
        let mut checkpoint = Self { id: id.clone(), configs, tensors: Tensors::default(), tokenizer, found, sees, encodes };
        let expected = expected(&checkpoint.configs, &checkpoint.parts())?;
        let misfits = manifest::compare(&expected, &tensors, &checkpoint.configs);
        if !misfits.is_empty() {
            return Err(Error::Misfits(misfits));
        }
        checkpoint.tensors = Tensors(Arc::new(tensors));
        Ok(checkpoint)
    }

    /// The parts that this checkpoint has. The picture side may be left out as a whole; then it only generates.
    pub fn parts(&self) -> Vec<Part> {
        let has = |part: &Part| match part {
            Part::VisionTower => self.sees,
            Part::Encoder => self.encodes,
            Part::VaeConnector => self.configs.cross,
            _ => true,
        };
        Part::ALL.into_iter().filter(has).collect()
    }

    /// `Err` with the reason where this model cannot edit.
    ///
    /// # Errors      the phrase for a person
    pub fn can_edit(&self) -> std::result::Result<(), &'static str> {
        if !self.sees {
            Err("its image tokenizer (TA-Tok) is missing; put ta_tok.pth into the folder")
        } else if (self.configs.cross || self.configs.noise) && !self.encodes {
            Err("its autoencoder's encoder is missing")
        } else {
            Ok(())
        }
    }

    /// `Err` with the reason where this model cannot draw without a picture to start from.
    ///
    /// # Errors      the phrase for a person
    pub fn can_generate(&self) -> std::result::Result<(), &'static str> {
        if self.configs.noise_by_channel() { Err("it edits only: its transformer always reads a reference picture") } else { Ok(()) }
    }

    /// The bytes of tokenizer.json.
    pub fn tokenizer(&self) -> &[u8] {
        &self.tokenizer
    }

    /// Loads a part.
    ///
    /// # Errors      the device fails, such as for want of memory
    pub fn load(&self, part: Part, holding: Holding, device: &Device) -> CandleResult<Built> {
        let vb = match holding.dtype {
            Some(dtype) => VarBuilder::from_backend(Box::new(self.tensors.clone()), dtype, device.clone()),
            None => VarBuilder::from_backend(Box::new(AsStored(self.tensors.clone())), AsStored::MATRIX, device.clone()),
        };
        let tensors = self.tensors.clone();
        let hold = Hold { layers: holding.layers, ahead: Arc::new(move |prefix: &str| tensors.will_need(prefix)) };
        part.build(&self.configs, &vb, &hold)
    }

    /// Tensors, values and stored bytes of a part, and the types they are stored in.
    ///
    /// # Errors      the part cannot be built from the configuration
    pub fn summary(&self, part: Part) -> Result<PartSummary> {
        let names = expected(&self.configs, &[part])?;
        let entries: Vec<&Entry> = names.keys().filter_map(|n| self.tensors.0.get(n)).collect();
        let blocks = || entries.iter().filter(|e| matches!(e.stored, Stored::Blocks(_)));
        Ok(PartSummary {
            tensors: entries.len(),
            values: entries.iter().map(|e| e.values() as u64).sum(),
            bytes: entries.iter().map(|e| e.range.len() as u64).sum(),
            block_values: blocks().map(|e| e.values() as u64).sum(),
            block_bytes: blocks().map(|e| e.range.len() as u64).sum(),
            dtypes: entries.iter().map(|e| e.stored.name()).collect::<BTreeSet<_>>().into_iter().collect(),
        })
    }

    /// This checkpoint with the tensors of some parts taken from another, which has the same shapes.
    ///
    /// # Errors      the other has other sizes, or lacks a part
    pub(in crate::pipeline) fn with_parts_of(&self, other: &Self, parts: &[Part]) -> Result<Self> {
        let mut configs = self.configs.clone();
        let mut tensors = (*self.tensors.0).clone();
        if parts.contains(&Part::VisionTower) {
            configs.ta_tok = other.configs.ta_tok.clone();
            tensors.retain(|name, _| !name.starts_with(TOWER));
        }
        for name in expected(&configs, parts)?.into_keys() {
            if let Some(entry) = other.tensors.0.get(&name) {
                tensors.insert(name, entry.clone());
            }
        }
        let misfits = manifest::compare(&expected(&configs, &self.parts())?, &tensors, &configs);
        if !misfits.missing.is_empty() || !misfits.misshapen.is_empty() {
            return Err(Error::Misfits(misfits));
        }
        Ok(Self {
            id: other.id.clone(),
            configs,
            tensors: Tensors(Arc::new(tensors)),
            tokenizer: self.tokenizer.clone(),
            found: self.found.clone(),
            sees: self.sees,
            encodes: self.encodes,
        })
    }

    /// The tensors of a part.
    ///
    /// # Errors      the part cannot be built from the configuration
    pub(in crate::pipeline) fn names(&self, part: Part) -> Result<Vec<String>> {
        Ok(expected(&self.configs, &[part])?.into_keys().collect())
    }

    /// What was found beside the configuration files.
    pub(in crate::pipeline) fn found(&self) -> &Found {
        &self.found
    }

    /// Tensors that are there but never read.
    ///
    /// # Errors      a part cannot be built from the configuration
    pub fn unused(&self) -> Result<Vec<String>> {
        let used = expected(&self.configs, &self.parts())?;
        Ok(self.tensors.0.keys().filter(|k| !used.contains_key(*k)).cloned().collect())
    }
}

/// How a part is held in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// Of the matrices on the CPU, of everything on another device; `None`: each as it is stored, on the CPU.
    pub dtype: Option<DType>,
    /// Layers that stay, counted from the first; the others are built when their turn comes.
    pub layers: usize,
}

/// What [`Checkpoint::summary`] counts.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PartSummary {
    pub tensors: usize,
    pub values: u64,
    pub bytes: u64,
    /// Those of them that are in blocks of few bits: values, and bytes on the disk and in memory.
    pub block_values: u64,
    pub block_bytes: u64,
    pub dtypes: Vec<&'static str>,
}

impl PartSummary {
    /// Bytes in memory where all that is not in blocks is held in `width` bytes a value.
    pub fn held_bytes(&self, width: u64) -> u64 {
        (self.values - self.block_values) * width + self.block_bytes
    }
}

/// The file of TA-Tok, for folders whose weights do not have it.
pub(in crate::pipeline) const PICKLE: &str = "ta_tok.pth";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The weight files of the official layout: those that the index names, or the single one.
///
/// # Errors      the index is damaged, or names what is missing or outside the folder
pub(in crate::pipeline) fn weight_files(folder: &Folder) -> Result<BTreeSet<String>> {
    let files: BTreeSet<String> = match folder.read(INDEX)? {
        None => BTreeSet::from([SINGLE.to_owned()]),
        Some(bytes) => {
            let damaged = |what: String| Error::Damaged { file: INDEX.to_owned(), what };
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
            let map = value["weight_map"].as_object().ok_or_else(|| damaged("it has no weight_map".to_owned()))?;
            map.values().filter_map(|v| v.as_str()).map(str::to_owned).collect()
        }
    };
    for file in &files {
        if !ready::is_plain(file) {
            return Err(Error::Damaged { file: INDEX.to_owned(), what: format!("it names a file outside the folder, {file:?}") });
        }
        if !folder.has(file) {
            return Err(Error::NotACheckpoint { what: format!("the weight file {file} is missing"), path: folder.path() });
        }
    }
    Ok(files)
}

/// The tensors of all weight files of the official layout.
fn read_shards(folder: &Folder) -> Result<BTreeMap<String, Entry>> {
    let mut tensors = BTreeMap::new();
    for file in weight_files(folder)? {
        let bytes = folder.map(&file)?;
        tensors.extend(tensors::read_safetensors(&bytes).map_err(|what| Error::Damaged { file, what })?);
    }
    Ok(tensors)
}
