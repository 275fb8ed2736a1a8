//! The models put to use: a request in, pictures out, one file per stage in the order of execution.
//!
//! [`Engine::run`] is the numbered list of stages. Each stage loads the parts that it needs and, where memory is short,
//! lets them go again. Everything that happens on the way is told to an [`Observer`].
//!
//! Architecture Invariant: the only room that knows both tensors and pictures. No thread, window or network.

mod blueprint;
mod condition;
mod convert;
mod decode;
mod denoise;
mod device;
mod devices;
mod driver;
mod dump;
mod engine;
mod kept;
pub mod load;
pub mod memory;
mod needs;
mod palette;
mod plan;
mod prepare;
mod preview;
mod prompt;
mod rng;
mod sampler;
mod scheduler;
mod upscale;
mod watch;

pub use blueprint::codes;
pub use convert::{
    Compared, Component, ConvertRequest, Converted, Estimate, Glance, Measure, Precision, Precisions, Progress as ConvertProgress,
    compare as compare_precision, convert, estimate, glance, remove as remove_converted,
};
pub use device::{DeviceChoice, DtypeChoice, name as device_name};
pub use devices::{DeviceFacts, cpu, devices};
pub use dump::Dump;
pub use engine::{Engine, Settings};
pub use palette::Palette;
pub use plan::{Plan, PlanChoice, Residency, StageNeed, Weights};
pub use preview::{BLOCK, Latents, PreviewMap};
pub use rng::{Rng, Stream};
pub use scheduler::Schedule;
pub use upscale::{Progress as UpscaleProgress, Upscaled, Upscaler};

use crate::imaging::Picture;
use crate::recipe::Recipe;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Why a run failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Load(#[from] load::Error),
    #[error("{name} is not available: {why}")]
    NoDevice { name: &'static str, why: String },
    #[error("the tokenizer does not work: {0}")]
    Tokenizer(String),
    #[error("the prompt contains {mark:?}, which is a mark of the model's own; write it differently")]
    PromptReserved { mark: String },
    #[error("the prompt has {tokens} tokens with the words around it, and the model takes {most}; shorten it")]
    PromptTooLong { tokens: usize, most: usize },
    #[error("this model cannot edit: {0}")]
    CannotEdit(&'static str),
    #[error("this model cannot make a picture from words alone: {0}")]
    CannotGenerate(&'static str),
    #[error("{0}")]
    Setting(String),
    #[error("the tokens cannot be used: {0}")]
    Tokens(String),
    #[error("the noise cannot be used: {0}")]
    Noise(String),
    #[error("the picture cannot be made: {0}")]
    Picture(String),
    #[error("previews are not possible: {0}")]
    Preview(String),
    #[error("the dump cannot be written: {what}: {}", path.display())]
    Dump { path: PathBuf, what: String },
    #[error("the model cannot be converted: {what}: {}", path.display())]
    Convert { what: String, path: PathBuf },
    #[error("the converted model needs {:.1} GB and the disk has {:.1} GB free; make room or choose another disk: {}", *needed as f64 / 1e9, *free as f64 / 1e9, path.display())]
    NoRoom { needed: u64, free: u64, path: PathBuf },
    #[error("this needs {need} of memory at least (for: {stage}), and {usable} may be used; what would help: {helps}")]
    TooLarge { need: String, usable: String, stage: &'static str, helps: String },
    #[error("memory is short: what comes next needs {need}, and {free} are free; close other programs, or make a smaller picture")]
    Short { need: String, free: String },
    #[error("the computation failed: {0}")]
    Device(#[from] candle_core::Error),
}

impl Error {
    /// True where the device had no memory left: smaller pictures or another device help.
    pub fn is_out_of_memory(&self) -> bool {
        let text = self.to_string().to_lowercase();
        matches!(self, Self::Short { .. } | Self::TooLarge { .. })
            || matches!(self, Self::Device(_) | Self::Load(load::Error::Network(_)))
                && (text.contains("out of memory") || text.contains("out_of_memory"))
    }
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;

/// The stages that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    Load,
    /// The reference picture is looked at.
    Vision,
    /// The language model writes the blueprint.
    Blueprint,
    /// The diffusion transformer paints.
    Denoise,
    /// The autoencoder makes the picture.
    Decode,
}

impl Stage {
    /// A name for a person.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "Loading the model",
            Self::Vision => "Looking at the picture",
            Self::Blueprint => "Writing the blueprint",
            Self::Denoise => "Painting",
            Self::Decode => "Developing",
        }
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub stage: Stage,
    pub done: usize,
    pub total: usize,
    /// Since the stage began.
    pub seconds: f64,
    /// Which variation is being made, from 0, and how many there are.
    pub variation: (usize, usize),
}

/// The tokens written so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Blueprint {
    /// Per variation: places in the codebook, row by row; `None` for a token that is no image token.
    pub tokens: Vec<Vec<Option<u32>>>,
    /// Tokens that there will be.
    pub total: usize,
}

/// The picture as the transformer predicts it at a step.
#[derive(Clone, Debug)]
pub struct Preview {
    /// From 1.
    pub step: usize,
    pub steps: usize,
    /// x0 = x - sigma · v.
    pub latents: Latents,
    pub map: Arc<PreviewMap>,
}

/// Watches a run. All methods do nothing unless they are written.
pub trait Observer {
    /// How the run uses memory: before it begins, and again where memory was short and it goes on in a smaller way.
    fn plan(&mut self, plan: &Plan) {
        self.planned(&plan.words, plan.is_step_down);
    }

    /// The same as a sentence, for whoever has no need of the numbers.
    fn planned(&mut self, _words: &str, _is_step_down: bool) {}

    fn progress(&mut self, _: &Progress) {}

    fn blueprint(&mut self, _: Blueprint) {}

    /// The colours of the blueprint's tokens, before the first [`Self::blueprint`].
    fn palette(&mut self, _: &Arc<Palette>) {}

    fn preview(&mut self, _: Preview) {}

    /// The blueprint of a variation (from 0) is written: with these as [`Request::tokens`] another run can go on behind it.
    fn tokens(&mut self, _variation: usize, _tokens: &[u32]) {}

    /// The latents of a variation after a step (from 1): all of them so far, as [`Request::path`], let another run go on.
    fn latents(&mut self, _variation: usize, _step: usize, _latents: &Latents) {}

    /// Something that the person should know of the run, as a sentence: that it goes on in another way than it began.
    fn notice(&mut self, _: &str) {}

    /// One of the variations is done.
    fn made(&mut self, _: &Made) {}

    /// Whether blueprints and previews are worth their (small) work.
    fn wants_previews(&self) -> bool {
        false
    }

    /// Asked between tokens, layers, steps and strips: once true, the run ends at once.
    fn is_cancelled(&self) -> bool {
        false
    }

    /// Asked between steps of the painting: once true, the picture as it is predicted then is the result.
    fn is_enough(&self) -> bool {
        false
    }

    /// Where intermediate tensors go, if anywhere.
    fn dump(&mut self) -> Option<&mut Dump> {
        None
    }
}

/// Watches nothing.
impl Observer for () {}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub recipe: Recipe,
    /// The picture to edit; without one a new picture is made.
    pub reference: Option<Picture>,
    /// Pictures to make, each with its own seed, 1 to 16.
    pub variations: usize,
    /// Tokens to go on with instead of writing a blueprint.
    pub tokens: Option<Vec<u32>>,
    /// Noise to begin with instead of drawing it: `(C, h, w)`.
    pub noise: Option<Vec<f32>>,
    /// Latents after the first steps, made before: the painting goes on behind them. One variation only.
    pub path: Vec<Latents>,
    /// Which latents are painted, `(h, w)`: the others follow the reference's at every level of noise, so that what is painted
    /// fits into its surroundings.
    pub free: Option<Vec<bool>>,
    /// Also develop the reference as the autoencoder knows it, so that its own error can be told from the edit.
    pub reconstruct: bool,
    /// Everything the long way, as the reference does it: for tests.
    pub plain: bool,
}

impl Request {
    pub fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            reference: None,
            variations: 1,
            tokens: None,
            noise: None,
            path: Vec::new(),
            free: None,
            reconstruct: false,
            plain: false,
        }
    }
}

/// One picture and what it was made from.
#[derive(Clone, Debug)]
pub struct Made {
    pub picture: Picture,
    /// With the seeds of this variation.
    pub recipe: Recipe,
    /// The blueprint, as ids of the vocabulary.
    pub tokens: Vec<u32>,
    /// The latents after every step.
    pub path: Vec<Latents>,
    /// The reference, encoded and developed again, where that was asked for.
    pub reconstruction: Option<Picture>,
}

/// How a run ended, when it did not fail.
#[derive(Clone, Debug)]
pub enum Outcome {
    Done {
        made: Vec<Made>,
        seconds: Vec<(Stage, f64)>,
    },
    /// Stopped on request; what was finished before is kept.
    Cancelled {
        made: Vec<Made>,
    },
}
