//! The two attentions of a block: linear over the latents, softmax over the condition.

use super::context::LayerContext;
use super::{Condition, Config, QK_EPS};
use crate::models::kernels::{self, Mask};
use crate::models::layers::{Linear, RmsNorm};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// `ReLU` linear attention over the latent's own tokens.
pub(super) struct SelfAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: Option<RmsNorm>,
    norm_k: Option<RmsNorm>,
    heads: usize,
}

impl SelfAttention {
    const EPS: f32 = 1e-15;

    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let width = cfg.inner_dim();
        let square = |name: &str, bias: bool| Linear::new(width, width, bias, &vb.pp(name));
        Ok(Self {
            to_q: square("to_q", cfg.attention_bias)?,
            to_k: square("to_k", cfg.attention_bias)?,
            to_v: square("to_v", cfg.attention_bias)?,
            to_out: square("to_out.0", true)?,
            norm_q: norm(cfg, "norm_q", vb)?,
            norm_k: norm(cfg, "norm_k", vb)?,
            heads: cfg.num_attention_heads,
        })
    }

    /// # Shapes
    /// - `x`: `(B, N, C)`; returns `(B, N, C)`
    /// # Source      diffusers 0.34 `SanaLinearAttnProcessor2_0`. Differs: nothing
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, n, c) = x.dims3()?;
        let heads = |t: Tensor| t.reshape((b, n, self.heads, c / self.heads))?.permute((0, 2, 3, 1)); // (B, h, d, N)
        let positive = |t: Tensor, norm: &Option<RmsNorm>| match norm {
            Some(norm) => norm.forward_relu(&t),
            None => Ok(t), // the kernel applies ReLU
        };
        let q = positive(self.to_q.forward(x)?, &self.norm_q)?;
        let k = positive(self.to_k.forward(x)?, &self.norm_k)?;
        let v = self.to_v.forward(x)?;
        let out = kernels::linear_attention(&heads(q)?, &heads(k)?, &heads(v)?, Self::EPS, true)?;
        self.to_out.forward(&out.permute((0, 3, 1, 2))?.reshape((b, n, c))?) // (B, N, h · d)
    }
}

/// Softmax attention of the latent's tokens to the condition's.
pub(super) struct CrossAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_out: Linear,
    norm_q: Option<RmsNorm>,
    norm_k: Option<RmsNorm>,
    heads: usize,
}

impl CrossAttention {
    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let width = cfg.inner_dim();
        let square = |name: &str| Linear::new(width, width, true, &vb.pp(name));
        Ok(Self {
            to_q: square("to_q")?,
            to_k: square("to_k")?,
            to_v: square("to_v")?,
            to_out: square("to_out.0")?,
            norm_q: norm(cfg, "norm_q", vb)?,
            norm_k: norm(cfg, "norm_k", vb)?,
            heads: cfg.num_cross_attention_heads,
        })
    }

    /// Keys and values of a condition `(1, M, C)`, once per picture.
    pub fn context(&self, captions: &Tensor, condition: &Condition) -> Result<LayerContext> {
        let (b, m, c) = captions.dims3()?;
        let values = self.to_v.forward(captions)?;
        if let Some(counts) = &condition.counts
            && counts.len() == 1
        {
            return Ok(LayerContext::Constant(self.to_out.forward(&values)?.flatten_all()?));
        }
        let heads = |t: Tensor| t.reshape((b, m, self.heads, c / self.heads))?.transpose(1, 2)?.contiguous(); // (1, h, M, d)
        let keys = self.to_k.forward(captions)?;
        let keys = self.norm_k.as_ref().map_or(Ok(keys.clone()), |n| n.forward(&keys))?;
        let bias = condition.counts.as_ref().map(|counts| counts.iter().map(|n| (*n as f32).ln()).collect());
        Ok(LayerContext::Keys { keys: heads(keys)?, values: heads(values)?, bias })
    }

    /// x + attention(x), each sample with its own context. The query is x itself, without a norm, and there is no gate.
    ///
    /// # Shapes
    /// - `x`: `(B, N, C)`; `contexts`: B of them; returns `(B, N, C)`
    pub fn forward_add(&self, x: &Tensor, contexts: &[&LayerContext]) -> Result<Tensor> {
        let (_, n, c) = x.dims3()?;
        let mut out = Vec::with_capacity(contexts.len());
        for (sample, context) in contexts.iter().enumerate() {
            let x = x.narrow(0, sample, 1)?;
            out.push(match context {
                LayerContext::Constant(value) => x.broadcast_add(value)?,
                LayerContext::Keys { keys, values, bias } => {
                    let q = self.to_q.forward(&x)?;
                    let q = self.norm_q.as_ref().map_or(Ok(q.clone()), |norm| norm.forward(&q))?;
                    let q = q.reshape((1, n, self.heads, c / self.heads))?.transpose(1, 2)?; // (1, h, N, d)
                    let mask = bias.as_ref().map_or(Mask::None, |bias| Mask::KeyBias(bias));
                    (x + self.to_out.forward(&kernels::attention(&q, keys, values, mask)?)?)?
                }
            });
        }
        Tensor::cat(&out, 0)
    }
}

/// RMS norm over all channels of all heads, where the configuration has one.
fn norm(cfg: &Config, name: &str, vb: &VarBuilder) -> Result<Option<RmsNorm>> {
    cfg.qk_norm.is_some().then(|| RmsNorm::new(cfg.inner_dim(), QK_EPS, &vb.pp(name))).transpose()
}
