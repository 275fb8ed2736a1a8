//! One block of the transformer.

use super::attention::{CrossAttention, SelfAttention};
use super::context::LayerContext;
use super::{Condition, Config};
use crate::models::Probe;
use crate::models::kernels;
use crate::models::layers::{GlumbConv, exact};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Linear attention, cross-attention and a gated convolution, each added to the residual.
pub(super) struct SanaTransformerBlock {
    scale_shift_table: Tensor,
    attn1: SelfAttention,
    attn2: CrossAttention,
    ff: GlumbConv,
    eps: f32,
}

impl SanaTransformerBlock {
    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let width = cfg.inner_dim();
        let hidden = (cfg.mlp_ratio * width as f64) as usize;
        Ok(Self {
            scale_shift_table: exact(vb, (6, width), "scale_shift_table")?,
            attn1: SelfAttention::new(cfg, &vb.pp("attn1"))?,
            attn2: CrossAttention::new(cfg, &vb.pp("attn2"))?,
            ff: GlumbConv::new(width, hidden, width, &vb.pp("ff"))?,
            eps: cfg.norm_eps,
        })
    }

    pub fn context(&self, captions: &Tensor, condition: &Condition) -> Result<LayerContext> {
        self.attn2.context(captions, condition)
    }

    /// x += gate1 · attn1(n1(x)), x += attn2(x, context), x += gate2 · ff(n2(x)), with n(x) = LN(x) · (1 + scale) + shift.
    ///
    /// # Shapes
    /// - `x`: `(B, h · w, C)`; `modulation`: `(6, C)`; `contexts`: B of them; returns `(B, h · w, C)`
    /// # Source      diffusers 0.34 `SanaTransformerBlock`. Differs: cross-attention keys come prepared
    pub fn forward(
        &self,
        x: &Tensor,
        modulation: &Tensor,
        contexts: &[&LayerContext],
        size: (usize, usize),
        probe: Option<&mut dyn Probe>,
    ) -> Result<Tensor> {
        let table = (&self.scale_shift_table + modulation)?;
        let row = |i: usize| table.get(i);
        let (shift1, scale1, gate1) = (row(0)?, row(1)?, row(2)?);
        let (shift2, scale2, gate2) = (row(3)?, row(4)?, row(5)?);
        let attended = self.attn1.forward(&kernels::layer_norm_modulate(x, &scale1, &shift1, self.eps)?)?;
        let x = kernels::add_scaled(x, &gate1, &attended)?;
        let x = self.attn2.forward_add(&x, contexts)?;
        let mixed = self.ff.forward_tokens(&kernels::layer_norm_modulate(&x, &scale2, &shift2, self.eps)?, size)?;
        if let Some(probe) = probe {
            probe.see(format_args!("block0.attn1"), &attended)?;
        }
        kernels::add_scaled(&x, &gate2, &mixed)
    }
}
