//! What a run leaves for the next one on the same picture or of the same words.
//!
//! It is used again as it is or not at all: a picture never depends on what was made before it. So a prompt is kept as a whole. To
//! go on from the beginning that two prompts have in common would sum the rest in other runs of rows, and would gain little: the
//! words of an edit stand before the picture's tokens, which attend to them.

use super::blueprint::{Prefix, Written};
use super::{Plan, Request, Weights};
use crate::imaging::Picture;
use crate::recipe::Sampling;
use candle_core::Tensor;
use sha2::{Digest, Sha256};

/// What one run leaves. The long way leaves nothing and takes nothing.
#[derive(Default)]
pub struct Kept {
    is_open: bool,
    keeps_prompt: bool,
    /// The plan's weights and strips, which decide how sums are rounded.
    way: Option<(Weights, usize)>,
    sight: Option<([u8; 32], Sight)>,
    /// The prompt that was read last.
    pub prefix: Option<Prefix>,
    written: Option<(Asked, Vec<Written>)>,
}

/// A reference picture as the networks know it.
#[derive(Clone, Default)]
pub struct Sight {
    /// Ids of the vocabulary.
    pub tokens: Vec<u32>,
    /// Scaled, where they were asked for.
    pub latents: Option<Tensor>,
    /// What the autoencoder makes of its own latents, where that was asked for.
    pub reconstruction: Option<Picture>,
}

/// All that a blueprint depends on.
#[derive(Clone, PartialEq)]
pub struct Asked {
    prompt: Vec<u32>,
    variations: usize,
    tokens: Option<Vec<u32>>,
    sampling: Sampling,
    seed: u64,
}

impl Asked {
    pub fn new(prompt: &[u32], request: &Request) -> Self {
        Self {
            prompt: prompt.to_vec(),
            variations: request.variations,
            tokens: request.tokens.clone(),
            sampling: request.recipe.sampling,
            seed: request.recipe.seed,
        }
    }

    /// True where what was written for this is what would be written for `other`.
    fn serves(&self, written: &[Written], other: &Self) -> bool {
        let drawn_alike = (&self.tokens, &self.sampling, self.seed) == (&other.tokens, &other.sampling, other.seed);
        // Tokens that are given are written as those were that were drawn.
        let given = other.tokens.as_ref().is_some_and(|tokens| written.iter().all(|w| w.tokens == *tokens));
        (&self.prompt, self.variations) == (&other.prompt, other.variations) && (drawn_alike || given)
    }
}

impl Kept {
    /// Begins a run under a plan; `is_open`: it takes and leaves something.
    pub fn follow(&mut self, plan: &Plan, is_open: bool) {
        let way = Some((plan.weights, plan.strip_values));
        if !is_open || self.way != way {
            *self = Self::default();
        }
        (self.is_open, self.keeps_prompt, self.way) = (is_open, plan.keeps_prompt, way);
        self.settle();
    }

    /// Lets the prompt go where it has no room: its keys and values are most of what is kept.
    pub fn settle(&mut self) {
        if !(self.is_open && self.keeps_prompt) {
            self.prefix = None;
        }
    }

    /// Bytes of the prompt, which can be had again.
    pub fn prompt_bytes(&self) -> u64 {
        self.prefix.as_ref().map_or(0, Prefix::bytes)
    }

    /// What tells a picture from others for [`Self::sight`].
    pub fn fingerprint(picture: &Picture) -> [u8; 32] {
        let sides = [picture.width(), picture.height()].map(u32::to_le_bytes).concat();
        Sha256::new().chain_update(sides).chain_update(picture.to_rgb8()).finalize().into()
    }

    /// A picture that was looked at; `encodes`: its latents are needed.
    pub fn sight(&self, fingerprint: [u8; 32], encodes: bool) -> Option<&Sight> {
        let (known, sight) = self.sight.as_ref()?;
        (*known == fingerprint && (sight.latents.is_some() || !encodes)).then_some(sight)
    }

    pub fn keep_sight(&mut self, fingerprint: [u8; 32], sight: &Sight) {
        if self.is_open {
            self.sight = Some((fingerprint, sight.clone()));
        }
    }

    /// Of the picture that was looked at last.
    pub fn keep_reconstruction(&mut self, reconstruction: &Picture) {
        if let Some((_, sight)) = &mut self.sight {
            sight.reconstruction = Some(reconstruction.clone());
        }
    }

    pub fn written(&self, asked: &Asked) -> Option<&[Written]> {
        let (known, written) = self.written.as_ref()?;
        known.serves(written, asked).then_some(written)
    }

    pub fn keep_written(&mut self, asked: Asked, written: &[Written]) {
        if self.is_open {
            self.written = Some((asked, written.to_vec()));
        }
    }
}
