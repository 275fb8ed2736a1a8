//! Which tensor goes where, and in how many bits.

use super::super::Result;
use super::super::load::{Checkpoint, Entry, Error, PROJECTED, Part, Stored, TOWER, expected};
use crate::models::kernels::BlockType;
use candle_core::DType;
use serde::{Deserialize, Serialize};

/// What becomes one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    LanguageModel,
    Transformer,
    ImageTokenizer,
    Connectors,
    Autoencoder,
}

impl Component {
    pub const ALL: [Self; 5] = [Self::LanguageModel, Self::Transformer, Self::ImageTokenizer, Self::Connectors, Self::Autoencoder];

    /// A name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::LanguageModel => "language model",
            Self::Transformer => "diffusion transformer",
            Self::ImageTokenizer => "image tokenizer",
            Self::Connectors => "connectors",
            Self::Autoencoder => "autoencoder",
        }
    }

    pub fn file(self) -> &'static str {
        match self {
            Self::LanguageModel => "language_model.gguf",
            Self::Transformer => "transformer.gguf",
            Self::ImageTokenizer => "image_tokenizer.gguf",
            Self::Connectors => "connectors.gguf",
            Self::Autoencoder => "autoencoder.gguf",
        }
    }

    pub fn parts(self) -> &'static [Part] {
        match self {
            Self::LanguageModel => &[Part::LanguageModel],
            Self::Transformer => &[Part::Transformer],
            Self::ImageTokenizer => &[Part::VisionTower],
            Self::Connectors => &[Part::DiffusionConnector, Part::VaeConnector],
            Self::Autoencoder => &[Part::Encoder, Part::Decoder],
        }
    }
}

/// How many bits the large matrices of a component get; everything else stays as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 16 bits: a checkpoint of 16 bits stays what it is, bit for bit.
    Bf16,
    /// 8 bits and a scale for every 32 values.
    #[default]
    Q8,
    /// About 4.5 bits, and 6.5 where it matters most. Rows that are no multiples of 256 get 8.
    Q4,
}

impl Precision {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bf16 => "bf16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
        }
    }

    /// Bits of a value, for a person.
    pub fn bits(self) -> u32 {
        match self {
            Self::Bf16 => 16,
            Self::Q8 => 8,
            Self::Q4 => 4,
        }
    }

    pub const ALL: [Self; 3] = [Self::Bf16, Self::Q8, Self::Q4];
}

/// The precision of each component that has a choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precisions {
    pub language_model: Precision,
    pub transformer: Precision,
    pub image_tokenizer: Precision,
}

impl Precisions {
    /// The same for all.
    pub fn all(precision: Precision) -> Self {
        Self { language_model: precision, transformer: precision, image_tokenizer: precision }
    }

    /// Connectors and autoencoder stay in 16 or 32 bits.
    pub fn of(&self, component: Component) -> Precision {
        match component {
            Component::LanguageModel => self.language_model,
            Component::Transformer => self.transformer,
            Component::ImageTokenizer => self.image_tokenizer,
            Component::Connectors | Component::Autoencoder => Precision::Bf16,
        }
    }
}

/// A tensor of the new file.
pub struct Planned {
    pub name: String,
    pub shape: Vec<usize>,
    pub stored: Stored,
    pub from: Origin,
}

/// Where its values come from.
pub enum Origin {
    Entry(Entry),
    /// TA-Tok's codes, projected; and brought to length one if `unit`.
    Codebook {
        unit: bool,
    },
}

/// The tensors of a component, in the order of their names. None, where the checkpoint does not have it.
///
/// # Errors      the checkpoint's networks cannot be built
pub fn plan(checkpoint: &Checkpoint, component: Component, precision: Precision) -> Result<Vec<Planned>> {
    let there = checkpoint.parts();
    let parts: Vec<Part> = component.parts().iter().copied().filter(|p| there.contains(p)).collect();
    let mut configs = checkpoint.configs.clone();
    // Codes of length one fit into 16 bits; others stay as they are computed.
    let unit = configs.ta_tok.l2_normalized && precision != Precision::Bf16;
    let projected = if unit { DType::F16 } else { DType::F32 };
    configs.ta_tok.projected = Some(projected);
    let names = expected(&configs, &parts).map_err(Error::Network)?;
    let mut planned = Vec::new();
    for (name, shape) in names {
        if name.strip_prefix(TOWER) == Some(PROJECTED) {
            planned.push(Planned { name, shape, stored: Stored::Floats(projected), from: Origin::Codebook { unit } });
            continue;
        }
        let Some(entry) = checkpoint.tensors.0.get(&name) else { continue };
        let stored = target(component, &name, &shape, entry.stored, precision);
        let shape = match (stored, shape.strip_suffix(&[1, 1])) {
            // A row of a matrix in blocks must be its last dimension.
            (Stored::Blocks(_), Some(matrix)) => matrix.to_vec(),
            _ => shape,
        };
        planned.push(Planned { name, shape, stored, from: Origin::Entry(entry.clone()) });
    }
    Ok(planned)
}

/// What a tensor is stored as.
fn target(component: Component, name: &str, shape: &[usize], stored: Stored, precision: Precision) -> Stored {
    let columns = match shape {
        [_, columns] | [_, columns, 1, 1] => *columns,
        _ => return stored,
    };
    let choice = matches!(component, Component::LanguageModel | Component::Transformer | Component::ImageTokenizer);
    // Small, and all that is painted goes through them.
    let kept = [".time_embed.", ".patch_embed.", ".sana.proj_out.", ".position_embedding."].iter().any(|part| name.contains(part));
    if !choice || kept || !name.ends_with(".weight") {
        return stored;
    }
    let sixteen = if stored == Stored::Floats(DType::F32) { Stored::Floats(DType::BF16) } else { stored };
    let most = ["embed_tokens.weight", "lm_head.weight", ".v_proj.weight", ".down_proj.weight"].iter().any(|end| name.ends_with(end));
    // What attention looks for: its error is multiplied by the exponential of the softmax.
    let looks = component == Component::LanguageModel && [".q_proj.weight", ".k_proj.weight"].iter().any(|end| name.ends_with(end));
    let wanted: &[BlockType] = match precision {
        Precision::Bf16 => &[],
        Precision::Q8 if looks => &[],
        Precision::Q4 if looks => &[BlockType::Q8_0],
        Precision::Q8 => &[BlockType::Q8_0],
        Precision::Q4 if most => &[BlockType::Q6K, BlockType::Q8_0],
        Precision::Q4 => &[BlockType::Q4K, BlockType::Q8_0],
    };
    wanted.iter().find(|kind| columns.is_multiple_of(kind.values())).map_or(sixteen, |kind| Stored::Blocks(*kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_blocks_do_not_fit_fall_back() {
        let bf16 = Stored::Floats(DType::BF16);
        let of = |name: &str, shape: &[usize], precision| target(Component::LanguageModel, name, shape, bf16, precision).name();
        assert_eq!(of("o_proj.weight", &[7, 2048], Precision::Q4), "q4_k");
        assert_eq!(of("x.q_proj.weight", &[7, 2048], Precision::Q4), "q8_0");
        assert_eq!(of("x.k_proj.weight", &[7, 2048], Precision::Q8), "bf16");
        assert_eq!(of("x.v_proj.weight", &[7, 2048], Precision::Q4), "q6_k");
        assert_eq!(of("q_proj.weight", &[7, 2240], Precision::Q4), "q8_0");
        assert_eq!(of("q_proj.weight", &[7, 4304], Precision::Q4), "bf16");
        assert_eq!(of("q_proj.weight", &[7, 2240, 1, 1], Precision::Q8), "q8_0");
        assert_eq!(of("q_proj.weight", &[7, 2240], Precision::Bf16), "bf16");
        assert_eq!(of("norm.weight", &[2048], Precision::Q4), "bf16");
        assert_eq!(of("conv_depth.weight", &[64, 1, 3, 3], Precision::Q4), "bf16");
        assert_eq!(of("model.sana.time_embed.linear.weight", &[64, 256], Precision::Q4), "bf16");
        assert_eq!(target(Component::Autoencoder, "to_q.weight", &[64, 256], bf16, Precision::Q4), bf16);
        let from_f32 = target(Component::Transformer, "to_q.weight", &[64, 256], Stored::Floats(DType::F32), Precision::Bf16);
        assert_eq!(from_f32, bf16);
    }
}
