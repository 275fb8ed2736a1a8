//! The plain words that every room shares: what a picture is made from.

use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelId {
    /// The very small model inside the program.
    Nano,
    /// A checkpoint folder in the official layout.
    Folder(PathBuf),
}

impl ModelId {
    /// `nano`, or a folder.
    pub fn parse(text: &str) -> Self {
        if text == "nano" { Self::Nano } else { Self::Folder(PathBuf::from(text)) }
    }

    /// A short name for a person: `nano`, or the folder's own name.
    pub fn name(&self) -> String {
        match self {
            Self::Nano => "nano".to_owned(),
            Self::Folder(path) => file_name(path),
        }
    }
}

/// A path's last part, for a person.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Width and height in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Size {
    pub width: u32,
    pub height: u32,
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {}", self.width, self.height)
    }
}

/// How the blueprint's tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// Always the likeliest token; the other fields but the last three then mean nothing.
    pub greedy: bool,
    pub temperature: f32,
    /// Only the k likeliest tokens; 0: all.
    pub top_k: usize,
    /// Only the likeliest tokens that make up this share of the probability; 1: all.
    pub top_p: f32,
    /// Draw from the image tokens alone instead of the whole vocabulary.
    pub image_tokens_only: bool,
    /// Go on after a token that ends a text.
    pub ignore_eos: bool,
    /// `None`: as many as the model's picture has.
    pub max_new_tokens: Option<usize>,
}

impl Default for Sampling {
    /// The official settings: temperature 1, top-k 1200, top-p 0.95 over the whole vocabulary.
    fn default() -> Self {
        Self {
            greedy: false,
            temperature: 1.0,
            top_k: 1200,
            top_p: 0.95,
            image_tokens_only: false,
            ignore_eos: false,
            max_new_tokens: None,
        }
    }
}

impl Sampling {
    /// What the window uses: nothing but image tokens and no early end, so that every draw is a whole picture. The very small
    /// model is surest near its likeliest tokens.
    pub fn for_pictures(model: &ModelId) -> Self {
        let usual = Self { image_tokens_only: true, ignore_eos: true, ..Self::default() };
        match model {
            ModelId::Nano => Self { temperature: 0.6, top_k: 20, ..usual },
            ModelId::Folder(_) => usual,
        }
    }
}

/// What the blueprint's place holds in the branch without a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullAr {
    /// What the connector makes of zeros: official.
    #[default]
    ConnectorOfZeros,
    /// Plain zeros: what edit training used.
    Zeros,
}

/// What the reference picture's place holds in the branch without a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NullVae {
    /// Plain zeros: official.
    #[default]
    Zeros,
    /// What the connector makes of zeros.
    ConnectorOfZeros,
    /// The reference itself, so that guidance strengthens the instruction alone.
    Keep,
}

/// The first steps of a painting.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// So many steps from the beginning, less those of the stretches before.
    pub until: usize,
    pub guidance: f32,
}

/// How the painting goes from one level of noise to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// One straight step: official.
    #[default]
    Euler,
    /// DPM-Solver++ 2M, which also looks at the step before: as good with fewer steps.
    #[serde(rename = "dpm++2m")]
    DpmPlusPlus2M,
}

/// What is spared on the way to a picture, at some cost in closeness to what the official way makes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Shortcuts {
    pub solver: Solver,
    /// The levels of noise, from .. to, at which guidance is at work. Elsewhere the branch with the request goes alone.
    pub guided: [f32; 2],
    /// How much the first block of the transformer may say otherwise than at the step before, as a share, for the other blocks
    /// to be left out. 0: they never are.
    #[serde(skip_serializing_if = "is_nothing")]
    pub cache: f32,
    /// Whether the transformer's products round their factors to 16 bits (bf16), as graphics cards do anyway.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rounded: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "that is how serde asks")]
fn is_nothing(value: &f32) -> bool {
    *value == 0.0
}

impl Default for Shortcuts {
    /// None: the official way.
    fn default() -> Self {
        Self { solver: Solver::Euler, guided: [0.0, 1.0], cache: 0.0, rounded: false }
    }
}

impl Shortcuts {
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Steps and shortcuts that go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// A seventh of the steps: to look for compositions.
    Draft,
    /// A quarter of the steps, close to the best.
    Balanced,
    /// Official steps without shortcuts.
    #[default]
    Best,
}

impl Quality {
    pub const ALL: [Self; 3] = [Self::Draft, Self::Balanced, Self::Best];

    /// Steps, where the best has `usual` ones.
    pub fn steps(self, usual: usize) -> usize {
        match self {
            Self::Draft => usual.div_ceil(7),
            Self::Balanced => usual.div_ceil(4),
            Self::Best => usual,
        }
        .max(1)
    }

    pub fn shortcuts(self) -> Shortcuts {
        match self {
            Self::Draft => Shortcuts { solver: Solver::DpmPlusPlus2M, guided: [0.35, 1.0], ..Shortcuts::default() },
            Self::Balanced => Shortcuts { solver: Solver::DpmPlusPlus2M, guided: [0.22, 1.0], cache: 0.2, rounded: false },
            Self::Best => Shortcuts::default(),
        }
    }

    /// The one with these shortcuts.
    pub fn of(shortcuts: Shortcuts) -> Option<Self> {
        Self::ALL.into_iter().find(|quality| quality.shortcuts() == shortcuts)
    }
}

/// Everything that a picture follows from, besides the picture that it may start from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    pub model: ModelId,
    /// A caption, or the instruction of an edit.
    pub prompt: String,
    /// Seed of the composition: the blueprint's tokens, and the noise unless `finish_seed` says otherwise.
    pub seed: u64,
    /// Seed of the finish: the noise alone.
    pub finish_seed: Option<u64>,
    pub steps: usize,
    pub guidance: f32,
    /// The first steps, where they were painted with another guidance: the painting was gone on from one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Stretch>,
    /// After how many steps the painting was ended, where it was not after all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<usize>,
    /// `None`: the model's own size. Edits always have that.
    pub size: Option<Size>,
    pub sampling: Sampling,
    pub null_ar: NullAr,
    pub null_vae: NullVae,
    #[serde(default, skip_serializing_if = "Shortcuts::are_none")]
    pub shortcuts: Shortcuts,
}

impl Recipe {
    /// The official settings for a prompt.
    pub fn new(model: ModelId, prompt: impl Into<String>) -> Self {
        Self {
            model,
            prompt: prompt.into(),
            seed: 0,
            finish_seed: None,
            steps: 30,
            guidance: 2.0,
            earlier: Vec::new(),
            until: None,
            size: None,
            sampling: Sampling::default(),
            null_ar: NullAr::default(),
            null_vae: NullVae::default(),
            shortcuts: Shortcuts::default(),
        }
    }

    /// The seed of the noise.
    pub fn noise_seed(&self) -> u64 {
        self.finish_seed.unwrap_or(self.seed)
    }

    /// The guidance of a step, counted from 0.
    pub fn guidance_at(&self, step: usize) -> f32 {
        self.earlier.iter().find(|stretch| step < stretch.until).map_or(self.guidance, |stretch| stretch.guidance)
    }

    /// The recipe of a painting that goes on from the first `steps` steps of this one with another guidance.
    #[must_use]
    pub fn from_step(&self, steps: usize, guidance: f32) -> Self {
        let mut earlier: Vec<Stretch> = self.earlier.iter().filter(|stretch| stretch.until < steps).copied().collect();
        if let Some(last) = steps.checked_sub(1) {
            earlier.push(Stretch { until: steps, guidance: self.guidance_at(last) });
        }
        Self { guidance, earlier, until: None, ..self.clone() }
    }

    /// The recipe of the n-th variation: its seeds are n higher.
    #[must_use]
    pub fn variation(&self, n: u64) -> Self {
        Self { seed: self.seed.wrapping_add(n), finish_seed: self.finish_seed.map(|s| s.wrapping_add(n)), ..self.clone() }
    }
}

/// How many times as large a picture is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "u32", try_from = "u32")]
pub enum Factor {
    Two,
    Four,
}

impl Factor {
    pub const ALL: [Self; 2] = [Self::Two, Self::Four];

    pub fn number(self) -> u32 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }
}

impl From<Factor> for u32 {
    fn from(factor: Factor) -> Self {
        factor.number()
    }
}

impl TryFrom<u32> for Factor {
    type Error = String;

    fn try_from(number: u32) -> Result<Self, String> {
        Self::ALL.into_iter().find(|f| f.number() == number).ok_or_else(|| format!("pictures are made 2 or 4 times as large, not {number}"))
    }
}

/// Which network makes a picture larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpscalerId {
    /// The one inside the program, from Real-ESRGAN.
    #[serde(rename = "realesr-animevideov3")]
    AnimeVideo,
}

/// Everything that a larger picture follows from, besides the picture itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Upscaling {
    pub network: UpscalerId,
    pub by: Factor,
}

impl Upscaling {
    /// By the network inside the program.
    pub fn new(by: Factor) -> Self {
        Self { network: UpscalerId::AnimeVideo, by }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_the_guidance_that_it_was_painted_with() {
        let first = Recipe { steps: 8, until: Some(7), ..Recipe::new(ModelId::Nano, "a fox") };
        let second = first.from_step(5, 4.0).from_step(6, 9.0);
        assert_eq!((0..8).map(|step| second.guidance_at(step)).collect::<Vec<_>>(), [2.0, 2.0, 2.0, 2.0, 2.0, 4.0, 9.0, 9.0]);
        assert_eq!(second.until, None);
        // From a step of what was painted before, whose later steps are no more.
        let third = second.from_step(3, 1.0);
        assert_eq!((0..8).map(|step| third.guidance_at(step)).collect::<Vec<_>>(), [2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(third.earlier.len(), 1);
        let text = serde_json::to_string(&second).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), second);
        let plain = serde_json::to_string(&Recipe::new(ModelId::Nano, "a fox")).unwrap();
        assert!(!plain.contains("earlier") && !plain.contains("until"), "old recipes look as they did");
    }

    #[test]
    fn shortcuts_are_written_where_there_are_some_and_older_recipes_have_none() {
        let official = Recipe::new(ModelId::Nano, "x");
        let text = serde_json::to_string(&official).unwrap();
        assert!(!text.contains("shortcuts"), "{text}");
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), official);
        for quality in Quality::ALL {
            let recipe = Recipe { shortcuts: quality.shortcuts(), ..official.clone() };
            let read: Recipe = serde_json::from_str(&serde_json::to_string(&recipe).unwrap()).unwrap();
            assert_eq!((read.shortcuts, Quality::of(read.shortcuts)), (recipe.shortcuts, Some(quality)));
        }
        let cached = Recipe { shortcuts: Shortcuts { cache: 0.1, ..Shortcuts::default() }, ..official };
        assert_eq!(serde_json::from_str::<Recipe>(&serde_json::to_string(&cached).unwrap()).unwrap(), cached);
        assert_eq!(serde_json::to_string(&Quality::Draft.shortcuts()).unwrap(), r#"{"solver":"dpm++2m","guided":[0.35,1.0]}"#);
        assert_eq!(Quality::ALL.map(|q| q.steps(30)), [5, 8, 30]);
        assert_eq!(Quality::ALL.map(|q| q.steps(1)), [1, 1, 1]);
    }
}
