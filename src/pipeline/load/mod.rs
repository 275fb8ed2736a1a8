//! Checkpoints: a folder in the official layout, or the one inside the program, seen whole before a byte of it is computed with.

mod configs;
mod footprint;
mod full_size;
mod manifest;
mod pickle;
mod tensors;
mod torch_zip;

pub use configs::{Configs, TokenIds};
pub use footprint::{Footprint, Weight};
pub use manifest::Misfits;
pub use pickle::{Pickle, Value as PickleValue};
pub use tensors::{Bytes, Entry, Tensors};

use crate::models::layers::{Connector, Hold};
use crate::models::{dc_ae, qwen3, sana, ta_tok};
use crate::recipe::ModelId;
use candle_core::{DType, Device, Result as CandleResult};
use candle_nn::VarBuilder;
use manifest::TOWER;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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
    fn path(&self) -> PathBuf {
        match self {
            Self::Disk(path) => path.clone(),
            Self::Nano => PathBuf::from("nano"),
        }
    }

    /// The content of a small file, `None` where there is none.
    fn read(&self, name: &str) -> Result<Option<Cow<'static, [u8]>>> {
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

    fn map(&self, name: &str) -> Result<Arc<Bytes>> {
        match self {
            Self::Disk(folder) => {
                let path = folder.join(name);
                Ok(Arc::new(Bytes::map(&path).map_err(|source| Error::Read { source, path })?))
            }
            Self::Nano => Ok(Arc::new(Bytes::Embedded(nano_file(name).unwrap_or(&[])))),
        }
    }

    fn has(&self, name: &str) -> bool {
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
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
    sees: bool,
    encodes: bool,
}

impl Checkpoint {
    /// Opens a model and compares its tensors with its configuration. Weights are mapped, not read.
    ///
    /// # Errors      a file is missing, damaged or of another kind, or tensors do not fit: all of them in one error
    pub fn open(id: &ModelId) -> Result<Self> {
        let folder = match id {
            ModelId::Nano => Folder::Nano,
            ModelId::Folder(path) if path.is_dir() => Folder::Disk(path.clone()),
            ModelId::Folder(path) => {
                return Err(Error::NotACheckpoint { what: "there is no such folder".to_owned(), path: path.clone() });
            }
        };
        let mut tensors = read_shards(&folder)?;
        let mut pth_args = None;
        if folder.has("ta_tok.pth") && !tensors.keys().any(|k| k.starts_with(TOWER)) {
            let bytes = folder.map("ta_tok.pth")?;
            let file = torch_zip::read_ta_tok(&bytes).map_err(|what| Error::Damaged { file: "ta_tok.pth".to_owned(), what })?;
            pth_args = Some(file.args);
            tensors.extend(file.tensors.into_iter().map(|(k, v)| (format!("{TOWER}{k}"), v)));
        }
        let learnt = tensors.contains_key(&format!("{TOWER}bottleneck.regularizer.stochastic_temperature_inv"));
        let configs = Configs::read(&folder, pth_args.as_ref(), learnt)?;
        let tokenizer = folder
            .read("tokenizer.json")?
            .ok_or_else(|| Error::NotACheckpoint { what: "there is no tokenizer.json".to_owned(), path: folder.path() })?;
        let has = |prefix: &str| tensors.keys().any(|k| k.starts_with(prefix));
        let (sees, encodes) = (has(TOWER), has("model.sana_vae.encoder."));
        let mut checkpoint = Self { id: id.clone(), configs, tensors: Tensors::default(), tokenizer, sees, encodes };
        let expected = manifest::expected(&checkpoint.configs, &checkpoint.parts())?;
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
        let names = manifest::expected(&self.configs, &[part])?;
        let entries: Vec<&Entry> = names.keys().filter_map(|n| self.tensors.0.get(n)).collect();
        Ok(PartSummary {
            tensors: entries.len(),
            values: entries.iter().map(|e| e.shape.iter().product::<usize>() as u64).sum(),
            bytes: entries.iter().map(|e| e.range.len() as u64).sum(),
            dtypes: entries.iter().map(|e| e.dtype.as_str()).collect::<BTreeSet<_>>().into_iter().collect(),
        })
    }

    /// Tensors that are there but never read.
    ///
    /// # Errors      a part cannot be built from the configuration
    pub fn unused(&self) -> Result<Vec<String>> {
        let used = manifest::expected(&self.configs, &self.parts())?;
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
    pub dtypes: Vec<&'static str>,
}

/// The tensors of all weight files: those that the index names, or the single one.
fn read_shards(folder: &Folder) -> Result<BTreeMap<String, Entry>> {
    let index = "model.safetensors.index.json";
    let files: BTreeSet<String> = match folder.read(index)? {
        None => BTreeSet::from(["model.safetensors".to_owned()]),
        Some(bytes) => {
            let damaged = |what: String| Error::Damaged { file: index.to_owned(), what };
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
            let map = value["weight_map"].as_object().ok_or_else(|| damaged("it has no weight_map".to_owned()))?;
            map.values().filter_map(|v| v.as_str()).map(str::to_owned).collect()
        }
    };
    let mut tensors = BTreeMap::new();
    for file in files {
        let plain = Path::new(&file).components().count() == 1 && !file.contains(['/', '\\']) && file != "..";
        if !plain {
            return Err(Error::Damaged { file: index.to_owned(), what: format!("it names a file outside the folder, {file:?}") });
        }
        if !folder.has(&file) {
            return Err(Error::NotACheckpoint { what: format!("the weight file {file} is missing"), path: folder.path() });
        }
        let bytes = folder.map(&file)?;
        tensors.extend(tensors::read_safetensors(&bytes).map_err(|what| Error::Damaged { file, what })?);
    }
    Ok(tensors)
}
