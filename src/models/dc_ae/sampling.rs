//! Between the levels: convolutions that halve or double the map, with averaging and repeating shortcuts.

use crate::models::kernels;
use crate::models::layers::Conv2d;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Halves the map: conv(x) + the mean of consecutive channels of the pixel-unshuffled x.
pub(super) struct Downsample {
    conv: Conv2d,
}

impl Downsample {
    /// Rows of the map that a row of the halved one depends on, beyond its own two.
    pub const REACH: usize = 1;

    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { conv: Conv2d::new(inputs, outputs, 3, 2, true, &vb.pp("conv"))? })
    }

    /// `(B, inputs, H, W)` to `(B, outputs, H / 2, W / 2)`; H and W even.
    ///
    /// # Source      diffusers 0.34 `DCDownBlock2d` with `downsample: false`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::add_unshuffled_mean(&self.conv.forward(x)?, x)
    }
}

/// Doubles the map: conv(nearest neighbours of x) + x with repeated channels, pixel-shuffled.
pub(super) struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    /// Rows of the doubled map that a row of the output depends on, to either side.
    pub const REACH: usize = 1;

    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { conv: Conv2d::new(inputs, outputs, 3, 1, true, &vb.pp("conv"))? })
    }

    /// `(B, inputs, H, W)` to `(B, outputs, 2H, 2W)`.
    ///
    /// # Source      diffusers 0.34 `DCUpBlock2d` with `interpolate: true`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.conv.forward_upsampled(x)
    }
}
