//! The two kinds of block.

use super::{BlockType, Config};
use crate::models::kernels;
use crate::models::layers::{ChannelRmsNorm, Conv2d, DepthwiseConv2d, GlumbConv, Linear, exact};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A block of either kind.
pub(super) enum Block {
    Res(ResBlock),
    EfficientVit(Box<EfficientVitBlock>),
}

impl Block {
    pub fn new(kind: BlockType, channels: usize, multiscales: &[usize], cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        Ok(match kind {
            BlockType::ResBlock => Self::Res(ResBlock::new(channels, vb)?),
            BlockType::EfficientViTBlock => {
                Self::EfficientVit(Box::new(EfficientVitBlock::new(channels, multiscales, cfg.attention_head_dim, vb)?))
            }
        })
    }

    /// `(B, C, H, W)` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Res(block) => block.forward(x),
            Self::EfficientVit(block) => block.forward(x),
        }
    }
}

/// norm(conv2(silu(conv1(x)))) + x.
pub(super) struct ResBlock {
    conv1: Conv2d,
    conv2: Conv2d,
    norm: ChannelRmsNorm,
}

impl ResBlock {
    /// Rows of its input that a row of its output depends on, to either side.
    pub const REACH: usize = 2;

    fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            conv1: Conv2d::new(channels, channels, 3, 1, true, &vb.pp("conv1"))?,
            conv2: Conv2d::new(channels, channels, 3, 1, false, &vb.pp("conv2"))?,
            norm: ChannelRmsNorm::new(channels, &vb.pp("norm"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.conv1.forward_silu(x)?;
        let made = self.conv2.forward(&h)?;
        drop(h); // three maps at a time, not four
        self.norm.forward_add(&made, x)
    }
}

/// Multiscale linear attention, then a gated convolution, each with its norm and residual.
pub(super) struct EfficientVitBlock {
    attn: MultiscaleLinearAttention,
    conv_out: GlumbConv,
    norm: ChannelRmsNorm,
}

impl EfficientVitBlock {
    fn new(channels: usize, multiscales: &[usize], head_dim: usize, vb: &VarBuilder) -> Result<Self> {
        let conv_out = vb.pp("conv_out");
        Ok(Self {
            attn: MultiscaleLinearAttention::new(channels, multiscales, head_dim, &vb.pp("attn"))?,
            conv_out: GlumbConv::new(channels, 4 * channels, channels, &conv_out)?,
            norm: ChannelRmsNorm::new(channels, &conv_out.pp("norm"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.attn.forward(x)?;
        let mixed = self.conv_out.forward_map(&x)?;
        self.norm.forward_add(&mixed, &x)
    }
}

/// One smaller view of queries, keys and values: a depthwise filter, then a small matrix per head and part.
struct Projection {
    proj_in: DepthwiseConv2d,
    /// `(3 · heads, d, d)`
    proj_out: Tensor,
}

/// `ReLU` linear attention over the pixels, at the map's own scale and at blurred ones.
struct MultiscaleLinearAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    to_qkv_multiscale: Vec<Projection>,
    to_out: Linear,
    norm_out: ChannelRmsNorm,
    head_dim: usize,
}

impl MultiscaleLinearAttention {
    const EPS: f32 = 1e-15;

    fn new(channels: usize, multiscales: &[usize], head_dim: usize, vb: &VarBuilder) -> Result<Self> {
        let square = |name: &str| Linear::new(channels, channels, false, &vb.pp(name));
        let groups = 3 * channels / head_dim;
        let scale = |(i, kernel): (usize, &usize)| {
            let vb = vb.pp("to_qkv_multiscale").pp(i);
            let proj_out = exact(&vb, (3 * channels, head_dim, 1, 1), "proj_out.weight")?;
            Ok(Projection {
                proj_in: DepthwiseConv2d::new(3 * channels, *kernel, false, &vb.pp("proj_in"))?,
                proj_out: proj_out.reshape((groups, head_dim, head_dim))?,
            })
        };
        Ok(Self {
            to_q: square("to_q")?,
            to_k: square("to_k")?,
            to_v: square("to_v")?,
            to_qkv_multiscale: multiscales.iter().enumerate().map(scale).collect::<Result<_>>()?,
            to_out: Linear::new(channels * (1 + multiscales.len()), channels, false, &vb.pp("to_out"))?,
            norm_out: ChannelRmsNorm::new(channels, &vb.pp("norm_out"))?,
            head_dim,
        })
    }

    /// `norm(to_out(attention(x))) + x`. Heads are consecutive runs of 3 d channels of [q, k, v, m(q), m(k), m(v), …],
    /// each split into q, k and v: the first head is made of the first 3 d channels of the queries.
    ///
    /// # Shapes
    /// - `x`: `(B, C, H, W)`; returns the same
    /// # Source      diffusers 0.34 `SanaMultiscaleAttnProcessor2_0`. Differs: small maps take the linear way too
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let d = self.head_dim;
        let parts = [&self.to_q, &self.to_k, &self.to_v].map(|l| l.map_to_map(x));
        let [q, k, v] = parts;
        let qkv = Tensor::cat(&[q?, k?, v?], 1)?; // (B, 3C, H, W)
        let mut all = vec![qkv];
        for scale in &self.to_qkv_multiscale {
            let mixed = scale.proj_in.forward(&all[0])?.reshape((b * 3 * c / d, d, h * w))?; // (B · groups, d, N)
            let proj_out = scale.proj_out.repeat((b, 1, 1))?;
            all.push(proj_out.matmul(&mixed)?.reshape((b, 3 * c, h, w))?);
        }
        let heads = c / d * all.len();
        let joined = Tensor::cat(&all, 1)?.reshape((b, heads, 3, d, h * w))?;
        drop(all);
        let part = |i: usize| joined.narrow(2, i, 1)?.squeeze(2); // (B, heads, d, N)
        let out = kernels::linear_attention(&part(0)?, &part(1)?, &part(2)?, Self::EPS, false)?;
        drop(joined);
        let out = self.to_out.map_to_map(&out.reshape((b, heads * d, h, w))?)?;
        self.norm_out.forward_add(&out, x)
    }
}
