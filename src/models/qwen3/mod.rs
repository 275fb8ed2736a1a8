//! Qwen3: the autoregressive model that writes the blueprint.

mod attention;
mod kv_cache;

pub use kv_cache::KvCache;

use super::Probe;
use super::kernels;
use super::layers::{Hold, Linear, RmsNorm, Stack, Weight, compute_dtype};
use attention::{Attention, Rope};
use candle_core::{DType, IndexOp, Result, Tensor};
use candle_nn::VarBuilder;
use serde::Deserialize;

/// The sizes in config.json.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub rms_norm_eps: f32,
    pub rope_theta: f64,
    pub tie_word_embeddings: bool,
}

/// x += o(attention(rms(x))), x += down(silu(gate(rms'(x))) · up(rms'(x))).
struct DecoderLayer {
    input_layernorm: RmsNorm,
    self_attn: Attention,
    post_attention_layernorm: RmsNorm,
    gate_proj: Linear,
    up_proj: Linear,
    down_proj: Linear,
}

impl DecoderLayer {
    fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let (hidden, wide, mlp) = (cfg.hidden_size, cfg.intermediate_size, vb.pp("mlp"));
        Ok(Self {
            input_layernorm: RmsNorm::new(hidden, cfg.rms_norm_eps, &vb.pp("input_layernorm"))?,
            self_attn: Attention::new(cfg, &vb.pp("self_attn"))?,
            post_attention_layernorm: RmsNorm::new(hidden, cfg.rms_norm_eps, &vb.pp("post_attention_layernorm"))?,
            gate_proj: Linear::new(hidden, wide, false, &mlp.pp("gate_proj"))?,
            up_proj: Linear::new(hidden, wide, false, &mlp.pp("up_proj"))?,
            down_proj: Linear::new(wide, hidden, false, &mlp.pp("down_proj"))?,
        })
    }

    fn forward(&self, x: &Tensor, rope: &Rope, cache: &mut KvCache, layer: usize) -> Result<Tensor> {
        let attended = self.self_attn.forward(&self.input_layernorm.forward(x)?, rope, cache, layer)?;
        let x = (x + attended)?;
        let normed = self.post_attention_layernorm.forward(&x)?;
        let gated = kernels::silu_mul(&self.gate_proj.forward(&normed)?, &self.up_proj.forward(&normed)?)?;
        x + self.down_proj.forward(&gated)?
    }
}

/// The language model with its head.
pub struct Qwen3 {
    embed_tokens: Weight,
    layers: Stack<DecoderLayer>,
    norm: RmsNorm,
    lm_head: Linear,
    rope: Rope,
}

impl Qwen3 {
    /// `vb` is the root of the checkpoint: keys `model.embed_tokens`, `model.layers.{i}`, `model.norm` and, if untied, `lm_head`.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, vb: &VarBuilder<'static>, hold: &Hold) -> Result<Self> {
        let model = vb.pp("model");
        let embed_tokens = Weight::new(cfg.vocab_size, cfg.hidden_size, false, &model, "embed_tokens.weight")?;
        let lm_head = if cfg.tie_word_embeddings {
            Linear::from_parts(embed_tokens.clone(), None)
        } else {
            Linear::new(cfg.hidden_size, cfg.vocab_size, false, &vb.pp("lm_head"))?
        };
        let sizes = cfg.clone();
        Ok(Self {
            embed_tokens,
            layers: Stack::new(cfg.num_hidden_layers, &model.pp("layers"), hold, move |vb| DecoderLayer::new(&sizes, vb))?,
            norm: RmsNorm::new(cfg.hidden_size, cfg.rms_norm_eps, &model.pp("norm"))?,
            lm_head,
            rope: Rope::new(cfg, compute_dtype(vb), vb.device()),
        })
    }

    /// Runs tokens that follow what the cache holds, and adds them to it.
    ///
    /// # Shapes
    /// - `ids`: `(B, L)` u32; returns the hidden states after the final norm, `(B, L, hidden)`
    /// # Errors      the cache is full or of another batch size, an id is outside the vocabulary, or the device fails
    pub fn forward(&self, ids: &Tensor, cache: &mut KvCache, probe: &mut dyn Probe) -> Result<Tensor> {
        let (b, l) = ids.dims2()?;
        let embeds = self.embed_tokens.rows(&ids.flatten_all()?)?.to_dtype(self.rope.dtype())?;
        let mut x = embeds.reshape((b, l, ()))?;
        probe.see(format_args!("ar.embeds"), &x)?;
        self.rope.reach(cache.len() + l)?;
        self.layers.each(|i, layer| {
            x = layer.forward(&x, &self.rope, cache, i)?;
            probe.see(format_args!("ar.layer.{i}"), &x)
        })?;
        cache.advance(l);
        let x = self.norm.forward(&x)?;
        probe.see(format_args!("ar.final"), &x)?;
        Ok(x)
    }

    /// How many tokens one pass may run and still give, to the last bit, what they give one after the other.
    pub fn exact_window(&self) -> usize {
        if self.rope.device().is_cpu() && self.rope.dtype() == DType::F32 { kernels::FEW_ROWS } else { 1 }
    }

    /// The embeddings of the tokens `from .. from + len`, `(len, hidden)`.
    ///
    /// # Errors      tokens outside the vocabulary
    pub fn embeddings(&self, from: usize, len: usize) -> Result<Tensor> {
        self.embed_tokens.row_range(from, len)
    }

    /// Logits of the last position: `(B, L, hidden)` to `(B, vocabulary)`, or only those of the tokens `from .. from + len`.
    ///
    /// # Errors      rows outside the vocabulary, or the device fails
    pub fn logits(&self, hidden_states: &Tensor, rows: Option<(usize, usize)>) -> Result<Tensor> {
        let last = hidden_states.i((.., hidden_states.dim(1)? - 1, ..))?; // (B, hidden)
        match rows {
            Some((from, len)) => self.lm_head.forward_rows(&last, from, len),
            None => self.lm_head.forward(&last),
        }
    }
}
