//! The image encoder of TA-Tok: SigLIP's vision transformer up to the layer whose output is used.

use super::Probe;
use super::kernels::{self, Mask};
use super::layers::{Hold, LayerNorm, Linear, Mlp, Stack};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

/// The sizes in `vision_config`.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub image_size: usize,
    pub patch_size: usize,
    pub layer_norm_eps: f32,
}

impl Config {
    /// Patches along one side; pixels beyond the last whole patch are not read.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

struct EncoderLayer {
    layer_norm1: LayerNorm,
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    out_proj: Linear,
    layer_norm2: LayerNorm,
    mlp: Mlp,
    heads: usize,
}

impl EncoderLayer {
    fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let (hidden, attn) = (cfg.hidden_size, vb.pp("self_attn"));
        let square = |name: &str| Linear::new(hidden, hidden, true, &attn.pp(name));
        Ok(Self {
            layer_norm1: LayerNorm::new(hidden, cfg.layer_norm_eps, &vb.pp("layer_norm1"))?,
            q_proj: square("q_proj")?,
            k_proj: square("k_proj")?,
            v_proj: square("v_proj")?,
            out_proj: square("out_proj")?,
            layer_norm2: LayerNorm::new(hidden, cfg.layer_norm_eps, &vb.pp("layer_norm2"))?,
            mlp: Mlp::new(hidden, cfg.intermediate_size, hidden, ("fc1", "fc2"), &vb.pp("mlp"))?,
            heads: cfg.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, n, hidden) = x.dims3()?;
        let heads = |t: Tensor| t.reshape((b, n, self.heads, hidden / self.heads))?.transpose(1, 2); // (B, h, N, d)
        let normed = self.layer_norm1.forward(x)?;
        let (q, k, v) = (self.q_proj.forward(&normed)?, self.k_proj.forward(&normed)?, self.v_proj.forward(&normed)?);
        let attended = kernels::attention(&heads(q)?, &heads(k)?, &heads(v)?, Mask::None)?;
        let x = (x + self.out_proj.forward(&attended)?)?;
        &x + self.mlp.forward(&self.layer_norm2.forward(&x)?)?
    }
}

/// Patches, positions, and the first `depth` layers.
pub struct SiglipVisionTransformer {
    patch_embedding: Linear,
    position_embedding: Tensor,
    layers: Stack<EncoderLayer>,
    grid: usize,
    patch_size: usize,
}

impl SiglipVisionTransformer {
    /// Keys `embeddings.*` and `encoder.layers.{i}.*` for i below `depth`.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, depth: usize, vb: &VarBuilder<'static>, hold: &Hold) -> Result<Self> {
        let (patch, hidden) = (cfg.patch_size, cfg.hidden_size);
        let (embeddings, sizes) = (vb.pp("embeddings"), cfg.clone());
        let weight = embeddings.get((hidden, 3, patch, patch), "patch_embedding.weight")?;
        let bias = super::layers::exact(&embeddings, hidden, "patch_embedding.bias")?;
        Ok(Self {
            patch_embedding: Linear::from_parts(weight.reshape((hidden, 3 * patch * patch))?, Some(bias)),
            position_embedding: super::layers::exact(&embeddings, (cfg.grid() * cfg.grid(), hidden), "position_embedding.weight")?,
            layers: Stack::new(depth, &vb.pp("encoder.layers"), hold, move |vb| EncoderLayer::new(&sizes, vb))?,
            grid: cfg.grid(),
            patch_size: patch,
        })
    }

    /// Features of every patch, row by row, without the final norm.
    ///
    /// # Shapes
    /// - `pixels`: `(B, 3, S, S)`; returns `(B, grid², hidden)`
    /// # Source      transformers 4.51.3 `SiglipVisionTransformer`, `hidden_states[depth]`
    pub fn forward(&self, pixels: &Tensor, probe: &mut dyn Probe) -> Result<Tensor> {
        let (g, p) = (self.grid, self.patch_size);
        let b = pixels.dim(0)?;
        let patches = pixels.narrow(2, 0, g * p)?.narrow(3, 0, g * p)?.reshape((b, 3, g, p, g, p))?;
        let patches = patches.permute((0, 2, 4, 1, 3, 5))?.reshape((b, g * g, 3 * p * p))?; // (B, patches, 3 · p · p)
        let mut x = self.patch_embedding.forward(&patches)?.broadcast_add(&self.position_embedding)?;
        probe.see(format_args!("vision.embeddings"), &x)?;
        self.layers.each(|i, layer| {
            x = layer.forward(&x)?;
            probe.see(format_args!("vision.layer.{i}"), &x)
        })?;
        Ok(x)
    }
}
