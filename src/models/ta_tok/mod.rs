//! TA-Tok, the text-aligned tokenizer: a picture to the indices of a codebook.

use super::Probe;
use super::kernels;
use super::layers::{Hold, Linear};
use super::siglip::{self, SiglipVisionTransformer};
use candle_core::{D, DType, Result, Tensor};
use candle_nn::VarBuilder;

/// What the vision tower's configuration says.
#[derive(Clone, Debug)]
pub struct Config {
    pub vision: siglip::Config,
    /// Which hidden state of the encoder is taken, counted from the end: -2 is the output of the last layer but one.
    pub select_layer_id: i64,
    pub bottleneck_dim: usize,
    pub codebook_size: usize,
    pub l2_normalized: bool,
}

impl Config {
    /// Layers of the encoder that are run.
    pub fn depth(&self) -> usize {
        let states = self.vision.num_hidden_layers as i64 + 1;
        let index = if self.select_layer_id < 0 { states + self.select_layer_id } else { self.select_layer_id };
        index.clamp(0, states - 1) as usize
    }
}

/// Codes compared at a time, so that neither the projected table's scores nor its widening need much memory.
const CODES: usize = 4096;

/// Encoder, task layer and vector quantiser.
pub struct TaTok {
    encoder: SiglipVisionTransformer,
    encode_task_layer: Linear,
    in_linear: Linear,
    embedding: Tensor,
    embedding_proj: Linear,
    l2_normalized: bool,
}

/// What [`TaTok::forward`] found, for the pipeline and for dumps.
pub struct Tokens {
    /// `(B, N, hidden)`: the encoder's features.
    pub selected: Tensor,
    /// `(B, N, bottleneck)`: what is compared with the codebook, before normalisation.
    pub z: Tensor,
    /// `(B, N)` u32: the nearest codes.
    pub indices: Tensor,
}

impl TaTok {
    /// `vb` is the tower itself: keys `encoder.*`, `encode_task_layer.0.*`, `bottleneck.*`.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, vb: &VarBuilder<'static>, hold: &Hold) -> Result<Self> {
        let (hidden, dim, bottleneck) = (cfg.vision.hidden_size, cfg.bottleneck_dim, vb.pp("bottleneck"));
        let regularizer = bottleneck.pp("regularizer");
        Ok(Self {
            encoder: SiglipVisionTransformer::new(&cfg.vision, cfg.depth(), &vb.pp("encoder"), hold)?,
            encode_task_layer: Linear::new(hidden, hidden, true, &vb.pp("encode_task_layer.0"))?,
            in_linear: Linear::new(hidden, dim, true, &bottleneck.pp("in_linear"))?,
            embedding: regularizer.get((cfg.codebook_size, dim), "embedding.weight")?,
            embedding_proj: Linear::new(dim, dim, true, &regularizer.pp("embedding_proj"))?,
            l2_normalized: cfg.l2_normalized,
        })
    }

    /// Encodes and quantises.
    ///
    /// # Shapes
    /// - `pixels`: `(B, 3, S, S)` in -1..1
    /// # Source      BLIP3o-NEXT `tok/ta_tok.py`, `tok/ar_dtok/bottleneck.py` (`SimVectorQuantizer`). Differs: the softmax before
    ///   the arg-max is left out, since it keeps the order
    pub fn forward(&self, pixels: &Tensor, probe: &mut dyn Probe) -> Result<Tokens> {
        let selected = self.encoder.forward(pixels, probe)?;
        probe.see(format_args!("vision.selected"), &selected)?;
        let task = self.encode_task_layer.forward(&selected)?.tanh()?;
        probe.see(format_args!("vision.task"), &task)?;
        let z = self.in_linear.forward(&task)?;
        probe.see(format_args!("vision.z"), &z)?;
        let indices = self.nearest(&z)?;
        Ok(Tokens { selected, z, indices })
    }

    /// The code of largest cosine, or of smallest distance where rows are not normalised.
    fn nearest(&self, z: &Tensor) -> Result<Tensor> {
        let (b, n, dim) = z.dims3()?;
        let z = z.to_dtype(DType::F32)?.reshape((b * n, dim))?;
        let z = if self.l2_normalized { kernels::l2_normalize(&z)? } else { z };
        let mut best: Option<(Tensor, Tensor)> = None; // score and index of the best code so far, (B · N)
        let codes = self.embedding.dim(0)?;
        for from in (0..codes).step_by(CODES) {
            let len = CODES.min(codes - from);
            let rows = self.embedding.narrow(0, from, len)?.to_dtype(self.embedding_proj_dtype())?;
            let table = self.embedding_proj.forward(&rows)?.to_dtype(DType::F32)?; // (codes, dim)
            // argmin |z - t|² = argmax (z · t - |t|² / 2); with normalised rows |t| is one for all.
            let (table, half_squares) = if self.l2_normalized {
                (kernels::l2_normalize(&table)?, None)
            } else {
                (table.clone(), Some((table.sqr()?.sum(1)? / 2.0)?))
            };
            let mut scores = kernels::linear(&z, &table, None)?; // (B · N, codes)
            if let Some(half_squares) = half_squares {
                scores = scores.broadcast_sub(&half_squares)?;
            }
            let (score, index) = (scores.max(D::Minus1)?, (scores.argmax(D::Minus1)? + from as f64)?);
            best = Some(match best {
                None => (score, index),
                Some((top, at)) => {
                    let better = score.gt(&top)?;
                    (better.where_cond(&score, &top)?, better.where_cond(&index, &at)?)
                }
            });
        }
        match best {
            Some((_, index)) => index.reshape((b, n)),
            None => candle_core::bail!("the codebook is empty"),
        }
    }

    fn embedding_proj_dtype(&self) -> DType {
        if self.embedding.device().is_cpu() { DType::F32 } else { self.embedding.dtype() }
    }
}
