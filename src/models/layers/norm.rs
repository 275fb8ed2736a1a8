//! Normalisation layers.

use super::exact;
use crate::models::kernels;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// RMS norm over the last dimension, with a gain.
#[derive(Clone, Debug)]
pub struct RmsNorm {
    weight: Tensor,
    eps: f32,
}

impl RmsNorm {
    /// Key `weight` `(width)`.
    pub fn new(width: usize, eps: f32, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { weight: exact(vb, width, "weight")?, eps })
    }

    /// `(…, C)` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::rms_norm(x, &self.weight, self.eps, false)
    }

    /// The same, then `ReLU`.
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        kernels::rms_norm(x, &self.weight, self.eps, true)
    }
}

/// Layer norm over the last dimension, with gain and offset.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f32,
}

impl LayerNorm {
    /// Keys `weight`, `bias` `(width)`.
    pub fn new(width: usize, eps: f32, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { weight: exact(vb, width, "weight")?, bias: exact(vb, width, "bias")?, eps })
    }

    /// `(…, C)` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::layer_norm(x, &self.weight, &self.bias, self.eps)
    }
}

/// RMS norm over the channels of a map, with gain and offset: DC-AE's.
#[derive(Clone, Debug)]
pub struct ChannelRmsNorm {
    weight: Tensor,
    bias: Tensor,
}

impl ChannelRmsNorm {
    const EPS: f32 = 1e-5;

    /// Keys `weight`, `bias` `(channels)`.
    pub fn new(channels: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { weight: exact(vb, channels, "weight")?, bias: exact(vb, channels, "bias")? })
    }

    /// `(B, C, H, W)` to the same, then `ReLU`.
    pub fn forward_relu(&self, x: &Tensor) -> Result<Tensor> {
        kernels::channel_rms_norm(x, &self.weight, &self.bias, Self::EPS, None, true)
    }

    /// norm(x) + residual, both `(B, C, H, W)`.
    pub fn forward_add(&self, x: &Tensor, residual: &Tensor) -> Result<Tensor> {
        kernels::channel_rms_norm(x, &self.weight, &self.bias, Self::EPS, Some(residual), false)
    }
}
