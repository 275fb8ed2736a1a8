//! SANA: the diffusion transformer that paints latents under the guidance of hidden states.

mod attention;
mod block;
mod block_cache;
mod context;
mod embeddings;

pub use block_cache::BlockCache;
pub use context::{Condition, Context};
pub use embeddings::Timesteps;

use super::Probe;
use super::kernels;
use super::layers::{Hold, Linear, Mlp, RmsNorm, Stack, compute_dtype, exact};
use block::SanaTransformerBlock;
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::VarBuilder;
use embeddings::TimeEmbed;
use serde::Deserialize;
use std::ops::Range;

/// transformer/config.json, as far as the network depends on it.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub in_channels: usize,
    pub out_channels: usize,
    pub num_layers: usize,
    pub num_attention_heads: usize,
    pub attention_head_dim: usize,
    pub num_cross_attention_heads: usize,
    pub cross_attention_head_dim: usize,
    pub cross_attention_dim: usize,
    pub caption_channels: usize,
    pub mlp_ratio: f64,
    pub sample_size: usize,
    /// `None`: no position embedding at all.
    pub interpolation_scale: Option<f64>,
    /// `Some("rms_norm_across_heads")` or none.
    pub qk_norm: Option<String>,
    pub norm_eps: f32,
    #[serde(default)]
    pub attention_bias: bool,
    #[serde(default)]
    pub guidance_embeds: bool,
    #[serde(default = "one")]
    pub patch_size: usize,
    #[serde(default)]
    pub norm_elementwise_affine: bool,
}

fn one() -> usize {
    1
}

impl Config {
    /// Width of the hidden states.
    pub fn inner_dim(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Says in a phrase what this network cannot do, if anything.
    pub fn unsupported(&self) -> Option<String> {
        let cross = self.num_cross_attention_heads * self.cross_attention_head_dim;
        Some(match self {
            c if c.guidance_embeds => "guidance_embeds is true".to_owned(),
            c if c.patch_size != 1 => format!("patch_size is {}, not 1", c.patch_size),
            c if c.norm_elementwise_affine => "norm_elementwise_affine is true".to_owned(),
            c if c.qk_norm.as_deref().is_some_and(|n| n != "rms_norm_across_heads") => format!("qk_norm is {:?}", c.qk_norm),
            c if c.inner_dim() == 0 || c.inner_dim() % 4 != 0 => format!("the width {} is not a multiple of 4", c.inner_dim()),
            c if c.cross_attention_dim != cross || cross != c.inner_dim() => {
                format!("cross_attention_dim {} and {cross} must equal the width {}", c.cross_attention_dim, c.inner_dim())
            }
            _ => return None,
        })
    }
}

/// Eps of the layer norms inside blocks and of the norms on queries, keys and captions.
const QK_EPS: f32 = 1e-5;

/// The transformer.
pub struct SanaTransformer2D {
    patch_embed: Linear,
    time_embed: TimeEmbed,
    caption_projection: Mlp,
    caption_norm: RmsNorm,
    transformer_blocks: Stack<SanaTransformerBlock>,
    scale_shift_table: Tensor,
    proj_out: Linear,
    config: Config,
    dtype: DType,
}

impl SanaTransformer2D {
    /// `vb` is the transformer itself: keys `patch_embed.proj`, `time_embed`, `transformer_blocks.{i}`, …
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, vb: &VarBuilder<'static>, hold: &Hold) -> Result<Self> {
        let width = cfg.inner_dim();
        let (blocks, sizes) = (vb.pp("transformer_blocks"), cfg.clone());
        Ok(Self {
            patch_embed: Linear::pointwise(cfg.in_channels, width, true, &vb.pp("patch_embed.proj"))?,
            time_embed: TimeEmbed::new(width, &vb.pp("time_embed"))?,
            caption_projection: Mlp::new(cfg.caption_channels, width, width, ("linear_1", "linear_2"), &vb.pp("caption_projection"))?,
            caption_norm: RmsNorm::new(width, QK_EPS, &vb.pp("caption_norm"))?,
            transformer_blocks: Stack::new(cfg.num_layers, &blocks, hold, move |vb| SanaTransformerBlock::new(&sizes, vb))?,
            scale_shift_table: exact(vb, (2, width), "scale_shift_table")?,
            proj_out: Linear::new(width, cfg.out_channels, true, &vb.pp("proj_out"))?,
            config: cfg.clone(),
            dtype: compute_dtype(vb),
        })
    }

    /// The type that latents and conditions must have.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Everything that depends on the time alone, for all steps at once.
    ///
    /// # Errors      the device fails
    pub fn timesteps(&self, timesteps: &[f32]) -> Result<Timesteps> {
        self.time_embed.forward(timesteps, self.dtype, self.scale_shift_table.device())
    }

    /// Keys and values of every block's cross-attention: constant over the steps of a picture.
    ///
    /// # Errors      the condition has another width, or the device fails
    pub fn context(&self, condition: &Condition, probe: &mut dyn Probe) -> Result<Context> {
        let projected = self.caption_projection.forward(&condition.tokens)?;
        let captions = self.caption_norm.forward(&projected)?;
        if probe.keeps() {
            probe.see(format_args!("dit.0.caption"), &condition.spread(&projected)?)?;
            probe.see(format_args!("dit.0.caption_norm"), &condition.spread(&captions)?)?;
        }
        let mut layers = Vec::with_capacity(self.config.num_layers);
        self.transformer_blocks.each(|_, block| {
            layers.push(block.context(&captions, condition)?);
            probe.pulse()
        })?;
        Ok(Context { layers })
    }

    /// The velocity at one time, for one or more branches that differ in their context. With a cache all blocks but the first
    /// may be taken over from a step before.
    ///
    /// # Shapes
    /// - `latents`: `(B, in_channels, H, W)`; `contexts`: B of them, for one sample each; returns `(B, out_channels, H, W)`
    /// # Errors      shapes that do not fit, `step` beyond the prepared times, the probe stops, or the device fails
    /// # Source      diffusers 0.34 `SanaTransformer2DModel`. Differs: time and cross-attention keys come prepared
    pub fn forward(
        &self,
        latents: &Tensor,
        contexts: &[&Context],
        times: &Timesteps,
        step: usize,
        cache: Option<&mut BlockCache>,
        probe: &mut dyn Probe,
    ) -> Result<Tensor> {
        let (b, _, h, w) = latents.dims4()?;
        if contexts.len() != b {
            bail!("{} contexts for {b} samples", contexts.len());
        }
        let mut x = self.patch_embed.from_map(&latents.flatten_from(2)?)?; // (B, H · W, width)
        if let Some(scale) = self.config.interpolation_scale {
            let table = embeddings::sine_table(self.config.inner_dim(), (h, w), self.config.sample_size, scale);
            let table = Tensor::from_vec(table, (1, h * w, self.config.inner_dim()), x.device())?.to_dtype(x.dtype())?;
            x = x.broadcast_add(&table)?;
        }
        probe.see(format_args!("patch_embed"), &x)?;
        let modulation = times.modulation(step)?; // (6, width)
        let mut through = |x: &Tensor, blocks: Range<usize>| -> Result<Tensor> {
            let mut x = x.clone();
            self.transformer_blocks.some(blocks, |i, block| {
                let contexts: Vec<_> = contexts.iter().map(|c| &c.layers[i]).collect();
                x = block.forward(&x, &modulation, &contexts, (h, w), (i == 0).then_some(&mut *probe))?;
                probe.see(format_args!("block.{i}"), &x)
            })?;
            Ok(x)
        };
        let all = self.config.num_layers;
        x = if let Some(cache) = cache {
            let after = through(&x, 0..1)?;
            let first = (&after - x)?;
            if let Some(rest) = cache.rest(&first)? {
                (after + rest)?
            } else {
                let out = through(&after, 1..all)?;
                cache.keep(first, (&out - after)?);
                out
            }
        } else {
            through(&x, 0..all)?
        };
        // The last modulation adds the plain time embedding, not the projected one.
        let table = self.scale_shift_table.broadcast_add(&times.embedding(step)?)?; // (2, width)
        let normed = kernels::layer_norm_modulate(&x, &table.get(1)?, &table.get(0)?, self.config.norm_eps)?;
        probe.see(format_args!("norm_out"), &normed)?;
        let out = self.proj_out.to_map(&normed)?; // (B, out_channels, H · W)
        out.reshape((b, self.config.out_channels, h, w))
    }
}
