//! Convolutions, and the gated block that SANA and DC-AE share.

use super::{Linear, exact};
use crate::models::kernels;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// A convolution with odd square filters that pads to keep the size (divided by the stride).
#[derive(Clone, Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    stride: usize,
}

impl Conv2d {
    /// Keys `weight` `(outputs, inputs, kernel, kernel)` and, if `bias`, `bias` `(outputs)`.
    pub fn new(inputs: usize, outputs: usize, kernel: usize, stride: usize, bias: bool, vb: &VarBuilder) -> Result<Self> {
        let bias = bias.then(|| exact(vb, outputs, "bias")).transpose()?;
        Ok(Self { weight: exact(vb, (outputs, inputs, kernel, kernel), "weight")?, bias, stride })
    }

    /// `(B, inputs, H, W)` to `(B, outputs, H / stride, W / stride)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::conv2d(x, &self.weight, self.bias.as_ref(), self.stride, false)
    }

    /// The same, then `SiLU`.
    pub fn forward_silu(&self, x: &Tensor) -> Result<Tensor> {
        kernels::conv2d(x, &self.weight, self.bias.as_ref(), self.stride, true)
    }

    /// The map doubled by nearest neighbours, the same with 3 x 3 filters, and the repeated, shuffled map added.
    pub fn forward_upsampled(&self, x: &Tensor) -> Result<Tensor> {
        kernels::upsample(x, &self.weight, self.bias.as_ref())
    }

    /// The same with stride 1, then what is below zero by a slope of its channel, `(outputs)`.
    pub fn forward_prelu(&self, x: &Tensor, slope: &Tensor) -> Result<Tensor> {
        kernels::conv2d_prelu(x, &self.weight, self.bias.as_ref(), slope)
    }
}

/// One small filter per channel.
#[derive(Clone, Debug)]
pub struct DepthwiseConv2d {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl DepthwiseConv2d {
    /// Keys `weight` `(channels, 1, kernel, kernel)` and, if `bias`, `bias` `(channels)`.
    pub fn new(channels: usize, kernel: usize, bias: bool, vb: &VarBuilder) -> Result<Self> {
        let bias = bias.then(|| exact(vb, channels, "bias")).transpose()?;
        Ok(Self { weight: exact(vb, (channels, 1, kernel, kernel), "weight")?, bias })
    }

    /// `(B, C, H, W)` to the same.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::depthwise_conv2d(x, &self.weight, self.bias.as_ref())
    }
}

/// Gated inverted bottleneck: 1 x 1 up, `SiLU`, depthwise 3 x 3, a · silu(g), 1 x 1 down. No norm, no residual.
///
/// # Source      diffusers 0.34 `GLUMBConv`
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "the checkpoint's keys")]
pub struct GlumbConv {
    conv_inverted: Linear,
    conv_depth: DepthwiseConv2d,
    conv_point: Linear,
}

impl GlumbConv {
    /// `hidden` channels after the gate; keys `conv_inverted.*`, `conv_depth.*`, `conv_point.weight`.
    pub fn new(inputs: usize, hidden: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            conv_inverted: Linear::pointwise(inputs, 2 * hidden, true, &vb.pp("conv_inverted"))?,
            conv_depth: DepthwiseConv2d::new(2 * hidden, 3, true, &vb.pp("conv_depth"))?,
            conv_point: Linear::pointwise(hidden, outputs, false, &vb.pp("conv_point"))?,
        })
    }

    /// Tokens `(B, h · w, inputs)`, row by row, to tokens `(B, h · w, outputs)`.
    pub fn forward_tokens(&self, x: &Tensor, (h, w): (usize, usize)) -> Result<Tensor> {
        let b = x.dim(0)?;
        let gated = self.gated(&self.conv_inverted.to_map(x)?.reshape((b, (), h, w))?)?; // (B, hidden, h, w)
        self.conv_point.from_map(&gated.flatten_from(2)?)
    }

    /// A map `(B, inputs, H, W)` to a map `(B, outputs, H, W)`.
    pub fn forward_map(&self, x: &Tensor) -> Result<Tensor> {
        self.conv_point.map_to_map(&self.gated(&self.conv_inverted.map_to_map(x)?)?)
    }

    fn gated(&self, inverted: &Tensor) -> Result<Tensor> {
        kernels::gated_depthwise(inverted, &self.conv_depth.weight, self.conv_depth.bias.as_ref())
    }
}
