//! Between the levels: convolutions that halve or double the map, with averaging and repeating shortcuts.

use crate::models::layers::Conv2d;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// Halves the map: conv(x) + the mean of consecutive channels of the pixel-unshuffled x.
pub(super) struct Downsample {
    conv: Conv2d,
    outputs: usize,
}

impl Downsample {
    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { conv: Conv2d::new(inputs, outputs, 3, 2, true, &vb.pp("conv"))?, outputs })
    }

    /// `(B, inputs, H, W)` to `(B, outputs, H / 2, W / 2)`; H and W even.
    ///
    /// # Source      diffusers 0.34 `DCDownBlock2d` with `downsample: false`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let unshuffled = x.reshape((b, c, h / 2, 2, w / 2, 2))?.permute((0, 1, 3, 5, 2, 4))?; // (B, C, dy, dx, H/2, W/2)
        let mean = unshuffled.reshape((b, self.outputs, 4 * c / self.outputs, h / 2, w / 2))?.mean(2)?;
        self.conv.forward(x)? + mean
    }
}

/// Doubles the map: conv(nearest neighbours of x) + x with repeated channels, pixel-shuffled.
pub(super) struct Upsample {
    conv: Conv2d,
    outputs: usize,
}

impl Upsample {
    /// Rows of the doubled map that a row of the output depends on, to either side.
    pub const REACH: usize = 1;

    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { conv: Conv2d::new(inputs, outputs, 3, 1, true, &vb.pp("conv"))?, outputs })
    }

    /// `(B, inputs, H, W)` to `(B, outputs, 2H, 2W)`.
    ///
    /// # Source      diffusers 0.34 `DCUpBlock2d` with `interpolate: true`
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let o = self.outputs;
        let doubled = x.reshape((b, c, h, 1, w, 1))?.broadcast_as((b, c, h, 2, w, 2))?.reshape((b, c, 2 * h, 2 * w))?;
        let repeated = x.unsqueeze(2)?.broadcast_as((b, c, 4 * o / c, h, w))?.reshape((b, o, 2, 2, h, w))?;
        let shuffled = repeated.permute((0, 1, 4, 2, 5, 3))?.reshape((b, o, 2 * h, 2 * w))?; // (B, O, H, dy, W, dx)
        self.conv.forward(&doubled)? + shuffled
    }
}
