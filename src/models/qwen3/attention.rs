//! Grouped-query attention with normalised queries and keys and rotary positions.

use super::{Config, KvCache};
use crate::models::kernels::{self, Mask};
use crate::models::layers::{Linear, RmsNorm};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use std::sync::Mutex;

pub(super) struct Attention {
    q_proj: Linear,
    k_proj: Linear,
    v_proj: Linear,
    o_proj: Linear,
    q_norm: RmsNorm,
    k_norm: RmsNorm,
    heads: usize,
    key_heads: usize,
    head_dim: usize,
}

impl Attention {
    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let (hidden, width) = (cfg.hidden_size, cfg.head_dim);
        let (heads, key_heads) = (cfg.num_attention_heads, cfg.num_key_value_heads);
        Ok(Self {
            q_proj: Linear::new(hidden, heads * width, false, &vb.pp("q_proj"))?,
            k_proj: Linear::new(hidden, key_heads * width, false, &vb.pp("k_proj"))?,
            v_proj: Linear::new(hidden, key_heads * width, false, &vb.pp("v_proj"))?,
            o_proj: Linear::new(heads * width, hidden, false, &vb.pp("o_proj"))?,
            q_norm: RmsNorm::new(width, cfg.rms_norm_eps, &vb.pp("q_norm"))?,
            k_norm: RmsNorm::new(width, cfg.rms_norm_eps, &vb.pp("k_norm"))?,
            heads,
            key_heads,
            head_dim: width,
        })
    }

    /// Attends to the cached tokens and, causally, to the new ones.
    ///
    /// # Shapes
    /// - `x`: `(B, L, hidden)`; returns `(B, L, hidden)`
    /// # Source      transformers 4.51.3 `Qwen3Attention`. Differs: nothing
    pub fn forward(&self, x: &Tensor, rope: &Rope, cache: &mut KvCache, layer: usize) -> Result<Tensor> {
        let (b, l, _) = x.dims3()?;
        let split = |t: Tensor, heads| t.reshape((b, l, heads, self.head_dim));
        let heads_first = |t: &Tensor| t.transpose(1, 2)?.contiguous(); // (B, heads, L, width)
        let q = self.q_norm.forward(&split(self.q_proj.forward(x)?, self.heads)?)?;
        let k = self.k_norm.forward(&split(self.k_proj.forward(x)?, self.key_heads)?)?;
        let v = split(self.v_proj.forward(x)?, self.key_heads)?;
        let (q, k) = (rope.apply(&heads_first(&q)?, cache.len())?, rope.apply(&heads_first(&k)?, cache.len())?);
        let offset = cache.len();
        let (k, v) = cache.append(layer, &k, &heads_first(&v)?)?;
        self.o_proj.forward(&kernels::attention(&q, &k, &v, Mask::Causal { offset })?)
    }
}

/// Rotary positions in the half-split form, cosines and sines in f32, as far as they were needed so far.
pub(super) struct Rope {
    inverse_frequencies: Vec<f32>,
    tables: Mutex<Option<(Tensor, Tensor)>>,
    dtype: DType,
    device: Device,
}

impl Rope {
    pub fn new(cfg: &Config, dtype: DType, device: &Device) -> Self {
        let width = cfg.head_dim;
        // theta^(-2i / width) in f32, rounded where the reference rounds.
        let inverse_frequencies = (0..width / 2).map(|i| 1.0 / (cfg.rope_theta as f32).powf((2 * i) as f32 / width as f32)).collect();
        Self { inverse_frequencies, tables: Mutex::new(None), dtype, device: device.clone() }
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Makes the tables hold at least the positions below `len`.
    pub fn reach(&self, len: usize) -> Result<()> {
        let mut tables = self.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let have = tables.as_ref().map_or(0, |(cos, _)| cos.dim(0).unwrap_or(0));
        if have < len {
            let len = len.next_power_of_two();
            let angles: Vec<f32> = (0..len).flat_map(|p| self.inverse_frequencies.iter().map(move |f| p as f32 * f)).collect();
            let angles = Tensor::from_vec(angles, (len, self.inverse_frequencies.len()), &self.device)?;
            *tables = Some((angles.cos()?.to_dtype(self.dtype)?, angles.sin()?.to_dtype(self.dtype)?));
        }
        Ok(())
    }

    /// Turns `(B, heads, L, width)` by the positions `offset ..`.
    pub fn apply(&self, x: &Tensor, offset: usize) -> Result<Tensor> {
        let tables = self.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let Some((cos, sin)) = tables else { candle_core::bail!("positions were not prepared") };
        let l = x.dim(2)?;
        candle_nn::rotary_emb::rope(x, &cos.narrow(0, offset, l)?, &sin.narrow(0, offset, l)?)
    }
}
