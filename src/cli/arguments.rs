//! The arguments.

use crate::document::USUAL_REACH;
use crate::pipeline::{DeviceChoice, DtypeChoice, PlanChoice, Precision, Residency};
use crate::recipe::{Factor, ModelId, NullAr, NullVae, Quality, Recipe, Sampling, Size, Solver};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Create and edit pictures by describing what you want, on your own machine.
///
/// Without a command the window opens, with the files that are named.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Pictures to open in the window
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a picture from words
    Generate {
        #[command(flatten)]
        common: Common,
    },
    /// Edit a picture by an instruction
    Edit {
        /// The picture: PNG, JPEG, WebP, TIFF, GIF or BMP
        image: PathBuf,
        #[command(flatten)]
        how: How,
        #[command(flatten)]
        common: Common,
    },
    /// Change a picture by plain tools: crop, turn, straighten, resize, light and colour
    Adjust(Box<super::AdjustArguments>),
    /// Write a picture, or one of a project, into a file of another kind
    Export(super::ExportArguments),
    /// Do the edits of a recipe on other photos, or make its picture again
    Replay(super::ReplayArguments),
    /// Make a picture two or four times as large, by a small network for illustrations
    Upscale(UpscaleArguments),
    /// Fetch models, and list, check and remove them
    Models {
        #[command(subcommand)]
        command: super::Models,
    },
    /// Tell what this machine can compute with, and what is missing for more
    Devices {
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Compute for the window, which speaks by stdin and stdout
    #[command(hide = true)]
    Worker,
    /// Tell how a run would use memory, without running it
    Plan {
        /// `nano` or a model folder
        #[arg(long, default_value = "nano", value_name = "nano|FOLDER")]
        model: String,
        /// In pixels; the model's own if left out
        #[arg(long, value_name = "WxH", value_parser = size)]
        size: Option<Size>,
        /// For an edit instead of a new picture
        #[arg(long)]
        edit: bool,
        /// Pictures to make at once
        #[arg(long, default_value_t = 1, value_name = "N")]
        variations: usize,
        /// What computes
        #[arg(long, value_enum, default_value_t = Device::Auto)]
        device: Device,
        #[command(flatten)]
        memory: Memory,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Tell what a model is: parts, sizes, types, what is missing, the memory it needs
    Inspect {
        /// A model folder, or `nano`
        folder: String,
        /// JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Make an official model folder smaller and ready, in a folder of its own; goes on where it was broken off
    Convert(ConvertArguments),
    /// Print what fewer bits cost: the error of each stage of converted models, beside the original
    ComparePrecision(CompareArguments),
}

/// What `upscale` is told.
#[derive(Args, Debug)]
pub struct UpscaleArguments {
    /// The picture: PNG, JPEG, WebP, TIFF, GIF or BMP
    pub image: PathBuf,
    /// How many times as wide and high
    #[arg(long, value_enum)]
    pub by: By,
    /// Where the picture goes: a name ending in .png, .jpg or .webp
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Progress and result as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum By {
    #[value(name = "2")]
    Two,
    #[value(name = "4")]
    Four,
}

impl From<By> for Factor {
    fn from(by: By) -> Self {
        match by {
            By::Two => Self::Two,
            By::Four => Self::Four,
        }
    }
}

/// What `convert` is told.
#[derive(Args, Debug)]
pub struct ConvertArguments {
    /// `nano` or the official folder, which is only read
    #[arg(long, value_name = "nano|FOLDER")]
    pub model: String,
    /// The new folder
    #[arg(long, short, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Bits of the large matrices; norms, connectors and the autoencoder stay as they are
    #[arg(long, value_enum, default_value_t = PrecisionChoice::Q8)]
    pub precision: PrecisionChoice,
    /// Of the language model alone
    #[arg(long, value_enum)]
    pub language_model: Option<PrecisionChoice>,
    /// Of the diffusion transformer alone
    #[arg(long, value_enum)]
    pub transformer: Option<PrecisionChoice>,
    /// Of the image tokenizer alone
    #[arg(long, value_enum)]
    pub image_tokenizer: Option<PrecisionChoice>,
    /// Progress and result as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
}

/// What `compare-precision` is told.
#[derive(Args, Debug)]
pub struct CompareArguments {
    /// The original: `nano` or a folder
    #[arg(long, value_name = "nano|FOLDER")]
    pub model: String,
    /// Models that were made of it; may be given again
    #[arg(long, value_name = "FOLDER", required = true)]
    pub with: Vec<String>,
    /// Steps of the painting
    #[arg(long, default_value_t = 4)]
    pub steps: usize,
    /// Develop no pictures, which takes long at full size
    #[arg(long)]
    pub no_picture: bool,
    /// What computes
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub device: Device,
    /// JSON on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum PrecisionChoice {
    /// 16 bits, nothing is lost of an official model
    Bf16,
    /// 8 bits, half the size
    Q8,
    /// 4 to 8 bits, by what matters
    Q4,
}

impl From<PrecisionChoice> for Precision {
    fn from(choice: PrecisionChoice) -> Self {
        match choice {
            PrecisionChoice::Bf16 => Self::Bf16,
            PrecisionChoice::Q8 => Self::Q8,
            PrecisionChoice::Q4 => Self::Q4,
        }
    }
}

/// What of an edit is taken over. If nothing is said: what the model has changed, and every other pixel stays as it is.
#[derive(Args, Debug)]
pub struct How {
    /// Change only what is white in this picture, which is as large as the other
    #[arg(long, value_name = "FILE", conflicts_with_all = ["whole", "raw"])]
    pub mask: Option<PathBuf>,
    /// Pixels that the transition reaches beyond the mask
    #[arg(long, requires = "mask", default_value_t = 8, value_name = "N")]
    pub feather: u32,
    /// How small a change still counts, 0 to 1
    #[arg(long, default_value_t = USUAL_REACH)]
    pub reach: f32,
    /// Take over all of the model's picture, at the size of the other
    #[arg(long, conflicts_with = "raw")]
    pub whole: bool,
    /// Write the model's own picture, at its own size
    #[arg(long)]
    pub raw: bool,
}

/// How memory is used.
#[derive(Args, Debug)]
pub struct Memory {
    /// The most memory to use, such as 4GiB or 900MiB; if left out, what is free but for a reserve
    #[arg(long = "memory", value_name = "SIZE", value_parser = bytes)]
    pub limit: Option<u64>,
    /// Load each part when it is needed and let it go, for little memory
    #[arg(long, conflicts_with = "layer_by_layer")]
    pub stage_by_stage: bool,
    /// Load each layer when it is needed and let it go, for the least memory
    #[arg(long)]
    pub layer_by_layer: bool,
}

impl Memory {
    pub fn choice(&self) -> PlanChoice {
        match (self.stage_by_stage, self.layer_by_layer) {
            (true, _) => PlanChoice::Fixed(Residency::StageByStage),
            (_, true) => PlanChoice::Fixed(Residency::LayerByLayer),
            _ => PlanChoice::Auto,
        }
    }
}

/// `4GiB`, `900MiB` or `1500MB`.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().map_err(|_| "a number and a unit, such as 4GiB".to_owned())?;
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "gib" | "g" => 2f64.powi(30),
        "mib" | "m" => 2f64.powi(20),
        "gb" => 1e9,
        "mb" => 1e6,
        _ => return Err("its unit is GiB, MiB, GB or MB".to_owned()),
    };
    Ok((number * unit) as u64)
}

/// `1024x768`.
pub(super) fn size(text: &str) -> Result<Size, String> {
    let sides = text.split_once('x').and_then(|(w, h)| Some(Size { width: w.parse().ok()?, height: h.parse().ok()? }));
    sides.ok_or_else(|| "two sides in pixels, such as 1024x768".to_owned())
}

/// What `generate` and `edit` have in common.
#[derive(Args, Debug)]
pub struct Common {
    /// The caption, or what to change
    #[arg(long, short)]
    pub prompt: String,
    /// `nano` (the very small model inside the program) or a model folder
    #[arg(long, default_value = "nano", value_name = "nano|FOLDER")]
    pub model: String,
    /// Where the picture goes: a name ending in .png, .jpg, .webp or .tif
    #[arg(long, short, default_value = "pentimento.png", value_name = "FILE")]
    pub out: PathBuf,
    /// The same seed gives the same picture
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How much of the work is done: `best` is the official way; the others paint fewer steps of a higher order, the last of
    /// them without guidance. `--steps`, `--solver`, `--guided`, `--cache-threshold` and `--rounded` change parts of it
    #[arg(long, value_enum, default_value_t = QualityChoice::Best)]
    pub quality: QualityChoice,
    /// Steps of the painting; 30 for the best quality
    #[arg(long)]
    pub steps: Option<usize>,
    /// How the painting goes from step to step
    #[arg(long, value_enum)]
    pub solver: Option<SolverChoice>,
    /// Levels of noise, 0 to 1, at which guidance is at work
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"])]
    pub guided: Option<Vec<f32>>,
    /// Leave all blocks of the transformer but the first out where that one says what it said at the step before, but for this
    /// share: 0.05 to 0.3 with many steps, 0.2 where the quality is `balanced`; 0 leaves none out
    #[arg(long, value_name = "SHARE")]
    pub cache_threshold: Option<f32>,
    /// Whether the transformer multiplies numbers rounded to 16 bits, as graphics cards do: meant for AMX and AMD's
    /// AVX512-BF16, hardly to be seen in the picture
    #[arg(long, value_name = "BOOL")]
    pub rounded: Option<bool>,
    /// How closely the request is followed; 1 is without guidance
    #[arg(long, default_value_t = 2.0)]
    pub guidance: f32,
    /// What computes
    #[arg(long, value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    /// Type of the weights; on the CPU arithmetic is f32 whatever they are held in
    #[arg(long, value_enum, default_value_t = Dtype::Auto)]
    pub dtype: Dtype,
    /// Always the likeliest token
    #[arg(long)]
    pub greedy: bool,
    #[arg(long, default_value_t = 1.0)]
    pub temperature: f32,
    /// Only the K likeliest tokens; 0: all
    #[arg(long, default_value_t = 1200)]
    pub top_k: usize,
    /// Only the likeliest tokens that make up this share
    #[arg(long, default_value_t = 0.95)]
    pub top_p: f32,
    /// Draw tokens from the image tokens alone
    #[arg(long, overrides_with = "whole_vocabulary")]
    pub image_tokens_only: bool,
    /// Draw tokens from the whole vocabulary (official, the default)
    #[arg(long)]
    pub whole_vocabulary: bool,
    /// Tokens of the blueprint; the model's own number if left out
    #[arg(long, value_name = "N")]
    pub max_new_tokens: Option<usize>,
    /// Go on after a token that ends a text
    #[arg(long)]
    pub ignore_eos: bool,
    /// The blueprint's place in the branch without request
    #[arg(long, value_enum, default_value_t = NullArChoice::ConnectorOfZeros)]
    pub null_ar: NullArChoice,
    /// The reference's place in the branch without request
    #[arg(long, value_enum, default_value_t = NullVaeChoice::Zeros)]
    pub null_vae: NullVaeChoice,
    /// In pixels; the model's own if left out
    #[arg(long, requires = "height")]
    pub width: Option<u32>,
    /// In pixels; the model's own if left out
    #[arg(long, requires = "width")]
    pub height: Option<u32>,
    /// Pictures to make, with seeds that follow each other
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub variations: usize,
    /// Go on from these tokens: a dump (`ar.generated`) or a JSON list
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Begin with this noise: a dump (`noise`) or a file with one tensor
    #[arg(long, value_name = "FILE")]
    pub noise: Option<PathBuf>,
    /// Write intermediate tensors
    #[arg(long, value_name = "FILE.safetensors")]
    pub dump: Option<PathBuf>,
    /// Progress and result as JSON lines on stdout
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub memory: Memory,
    #[command(flatten)]
    pub writing: super::Writing,
    /// Compute everything the long way, as the reference does
    #[arg(long, hide = true)]
    pub plain: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum QualityChoice {
    Draft,
    Balanced,
    Best,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SolverChoice {
    /// Official
    Euler,
    /// DPM-Solver++ 2M
    Dpm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Device {
    Auto,
    Cpu,
    Cuda,
    Metal,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Dtype {
    Auto,
    F32,
    Bf16,
    F16,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum NullArChoice {
    ConnectorOfZeros,
    Zeros,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum NullVaeChoice {
    Zeros,
    ConnectorOfZeros,
    Keep,
}

impl Common {
    pub fn model(&self) -> ModelId {
        ModelId::parse(&self.model)
    }

    pub fn recipe(&self) -> Recipe {
        let size = self.width.zip(self.height).map(|(width, height)| Size { width, height });
        let official = Recipe::new(self.model(), self.prompt.as_str());
        let quality = match self.quality {
            QualityChoice::Draft => Quality::Draft,
            QualityChoice::Balanced => Quality::Balanced,
            QualityChoice::Best => Quality::Best,
        };
        let mut shortcuts = quality.shortcuts();
        if let Some(solver) = self.solver {
            shortcuts.solver = match solver {
                SolverChoice::Euler => Solver::Euler,
                SolverChoice::Dpm => Solver::DpmPlusPlus2M,
            };
        }
        if let Some([from, to]) = self.guided.as_deref() {
            shortcuts.guided = [*from, *to];
        }
        if let Some(share) = self.cache_threshold {
            shortcuts.cache = share;
        }
        if let Some(rounded) = self.rounded {
            shortcuts.rounded = rounded;
        }
        Recipe {
            seed: self.seed,
            steps: self.steps.unwrap_or(quality.steps(official.steps)),
            shortcuts,
            guidance: self.guidance,
            size,
            sampling: Sampling {
                greedy: self.greedy,
                temperature: self.temperature,
                top_k: self.top_k,
                top_p: self.top_p,
                image_tokens_only: self.image_tokens_only,
                ignore_eos: self.ignore_eos,
                max_new_tokens: self.max_new_tokens,
            },
            null_ar: match self.null_ar {
                NullArChoice::ConnectorOfZeros => NullAr::ConnectorOfZeros,
                NullArChoice::Zeros => NullAr::Zeros,
            },
            null_vae: match self.null_vae {
                NullVaeChoice::Zeros => NullVae::Zeros,
                NullVaeChoice::ConnectorOfZeros => NullVae::ConnectorOfZeros,
                NullVaeChoice::Keep => NullVae::Keep,
            },
            ..official
        }
    }
}

impl From<Device> for DeviceChoice {
    fn from(device: Device) -> Self {
        match device {
            Device::Auto => Self::Auto,
            Device::Cpu => Self::Cpu,
            Device::Cuda => Self::Cuda,
            Device::Metal => Self::Metal,
        }
    }
}

impl From<Dtype> for DtypeChoice {
    fn from(dtype: Dtype) -> Self {
        match dtype {
            Dtype::Auto => Self::Auto,
            Dtype::F32 => Self::F32,
            Dtype::Bf16 => Self::Bf16,
            Dtype::F16 => Self::F16,
        }
    }
}
