//! How much working memory each stage needs besides its weights, from the sizes alone.
//!
//! Counted are the largest tensors that are alive together; measured peaks stay below (`tests/memory`).

use super::load::{Configs, Part};
use crate::models::dc_ae::{BlockType, Strips};

/// What is to be made.
#[derive(Clone, Debug)]
pub struct Task {
    pub configs: Configs,
    /// Of the latents.
    pub width: usize,
    pub height: usize,
    pub edits: bool,
    /// Tokens of the prompt, with those of a reference picture.
    pub prompt: usize,
    /// Tokens of the blueprint.
    pub tokens: usize,
    pub variations: usize,
    /// Bytes of a value in the arithmetic.
    pub value: usize,
    /// Threads that compute, each with scratch memory of its own.
    pub threads: usize,
}

impl Task {
    /// Bytes that a part works with at its peak.
    pub fn working_bytes(&self, part: Part, strips: Strips) -> u64 {
        let values = match part {
            Part::VisionTower => self.vision(),
            Part::LanguageModel => self.blueprint(),
            Part::DiffusionConnector | Part::VaeConnector => 0,
            Part::Transformer => self.painting(),
            Part::Encoder => self.encoding(strips),
            Part::Decoder => self.decoding(strips),
        };
        // Buffers of different sizes do not fit into each other's places.
        let with_gaps = values + values / 8;
        (with_gaps * self.value + self.threads * self.scratch(part)) as u64
    }

    /// Bytes that one thread keeps for its own.
    fn scratch(&self, part: Part) -> usize {
        let widest = |levels: &[usize]| levels.iter().copied().max().unwrap_or(0);
        match part {
            // Input and output spectra of 256 patches.
            Part::Encoder => 4 * 2 * 16 * 256 * widest(&self.configs.vae.encoder_block_out_channels),
            Part::Decoder => 4 * 2 * 16 * 256 * widest(&self.configs.vae.decoder_block_out_channels),
            // A panel of 256 rows, and scores of 64 queries.
            Part::LanguageModel => 4 * (256 * self.configs.lm.intermediate_size + 64 * (self.prompt + self.tokens)),
            Part::Transformer => 4 * 256 * self.inverted(),
            _ => 4 * 256 * 4096,
        }
    }

    fn vision(&self) -> usize {
        let cfg = &self.configs.ta_tok;
        let patches = cfg.vision.grid().pow(2);
        let layers = patches * (6 * cfg.vision.hidden_size + 2 * cfg.vision.intermediate_size);
        // Codes are compared 4096 at a time: rows, their projection, its squares, and the scores.
        let codebook = 4096.min(cfg.codebook_size) * (3 * cfg.bottleneck_dim + patches);
        layers.max(codebook) + patches * cfg.vision.hidden_size + 3 * self.configs.input_size.pow(2)
    }

    /// Values of the keys and values of the prompt and its blueprint, which are kept for the next run of the same words.
    pub fn cache(&self) -> usize {
        let lm = &self.configs.lm;
        2 * lm.num_hidden_layers * lm.num_key_value_heads * lm.head_dim * (self.prompt + self.tokens)
    }

    /// Values that the last run has left otherwise: hidden states, and the picture as latents and developed again.
    pub fn left(&self) -> usize {
        let (vae, f) = (&self.configs.vae, self.configs.vae.compression());
        let picture = if self.edits { (vae.latent_channels + f * f) * self.width * self.height } else { 0 };
        self.variations * (self.tokens + 1) * self.configs.lm.hidden_size + picture
    }

    fn blueprint(&self) -> usize {
        let lm = &self.configs.lm;
        let (heads, keys) = (lm.num_attention_heads * lm.head_dim, lm.num_key_value_heads * lm.head_dim);
        let prefill = self.prompt * (5 * lm.hidden_size + 3 * lm.intermediate_size + 3 * heads + 4 * keys);
        let cache = self.cache();
        // The prompt's cache is there until it has been repeated for every variation.
        let caches = if self.variations == 1 { cache } else { cache * (self.variations + 1) };
        let made = self.variations * (2 * self.tokens * lm.hidden_size + 4 * lm.vocab_size);
        caches + prefill.max(made)
    }

    /// Channels inside a block's gated convolution.
    fn inverted(&self) -> usize {
        2 * (self.configs.sana.mlp_ratio * self.configs.sana.inner_dim() as f64) as usize
    }

    fn painting(&self) -> usize {
        let (cfg, width) = (&self.configs.sana, self.configs.sana.inner_dim());
        let beside = if self.edits && self.configs.noise && !self.configs.noise_by_channel() { 2 } else { 1 };
        let places = self.width * self.height * beside;
        let block = 2 * places * (self.inverted() + self.inverted() / 2 + 5 * width);
        // Keys and values of the request stay for all steps; the branch without it has few of its own.
        let told = self.tokens + 1 + if self.edits && self.configs.cross { self.width * self.height } else { 0 };
        block + 2 * cfg.num_layers * width * told + 6 * told * width + self.variations * (self.tokens + 1) * self.configs.lm.hidden_size
    }

    fn encoding(&self, strips: Strips) -> usize {
        let (vae, f) = (&self.configs.vae, self.configs.vae.compression());
        let (mut h, mut w) = (self.height * f, self.width * f);
        let mut input = vae.in_channels * h * w;
        let mut most = input;
        let levels = vae.encoder_block_out_channels.iter().zip(&vae.encoder_block_types).enumerate();
        for (i, (channels, kind)) in levels {
            let next = vae.encoder_block_out_channels.get(i + 1);
            let output = next.map_or(channels * h * w, |next| next * h * w / 4);
            let local = next.is_some() && *kind == BlockType::ResBlock;
            most = most.max(input + output + level(*channels, h, w, local, *kind, vae.encoder_layers_per_block[i], strips));
            input = output;
            if next.is_some() {
                (h, w) = (h / 2, w / 2);
            }
        }
        most + filters(&vae.encoder_block_out_channels)
    }

    fn decoding(&self, strips: Strips) -> usize {
        let (vae, f) = (&self.configs.vae, self.configs.vae.compression());
        let (mut h, mut w) = (self.height, self.width);
        let levels = vae.decoder_block_out_channels.len();
        let mut input = vae.decoder_block_out_channels[levels - 1] * h * w;
        let mut most = input;
        for i in (0..levels).rev() {
            if i + 1 < levels {
                (h, w) = (2 * h, 2 * w);
            }
            let (channels, kind) = (vae.decoder_block_out_channels[i], vae.decoder_block_types[i]);
            let local = i + 1 < levels && kind == BlockType::ResBlock;
            // The last level goes straight into the picture.
            let output = if i == 0 && local { 3 * h * w } else { channels * h * w };
            most = most.max(input + output + level(channels, h, w, local, kind, vae.decoder_layers_per_block[i], strips));
            input = output;
        }
        // The picture as floats, in order, and as bytes.
        most.max(3 * 3 * f * f * self.width * self.height) + filters(&vae.decoder_block_out_channels)
    }
}

/// Values inside a level of the autoencoder, besides its input and output.
fn level(channels: usize, h: usize, w: usize, local: bool, kind: BlockType, layers: usize, strips: Strips) -> usize {
    match kind {
        BlockType::ResBlock => {
            let rows = if local { (strips.rows(channels, h, w) + 2 * (2 * layers + 2)).min(h) } else { h };
            // Input and both convolutions, or input, second convolution and the norm's.
            3 * channels * rows * w
        }
        // Queries, keys and values at two scales, twice; the gated convolution needs less.
        BlockType::EfficientViTBlock => 16 * channels * h * w,
    }
}

/// Filters of the widest convolution, transformed.
fn filters(channels: &[usize]) -> usize {
    16 * channels.iter().map(|c| c * c).max().unwrap_or(0)
}
