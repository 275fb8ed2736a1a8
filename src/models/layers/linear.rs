//! Linear layers, and the two small stacks of them that several networks share.

use super::{RmsNorm, Weight, exact};
use crate::models::kernels;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// x · weightᵀ + bias.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Weight,
    bias: Option<Tensor>,
}

impl Linear {
    /// Keys `weight` `(outputs, inputs)` and, if `bias`, `bias` `(outputs)`.
    pub fn new(inputs: usize, outputs: usize, bias: bool, vb: &VarBuilder) -> Result<Self> {
        let bias = bias.then(|| exact(vb, outputs, "bias")).transpose()?;
        Ok(Self { weight: Weight::new(outputs, inputs, false, vb, "weight")?, bias })
    }

    /// A 1 x 1 convolution: `weight` is `(outputs, inputs, 1, 1)`.
    pub fn pointwise(inputs: usize, outputs: usize, bias: bool, vb: &VarBuilder) -> Result<Self> {
        let bias = bias.then(|| exact(vb, outputs, "bias")).transpose()?;
        Ok(Self { weight: Weight::new(outputs, inputs, true, vb, "weight")?, bias })
    }

    /// From a weight `(outputs, inputs)` that was read elsewhere or has another owner, such as a tied embedding.
    pub fn from_parts(weight: Weight, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `(…, inputs)` to `(…, outputs)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        kernels::linear(x, self.weight.matrix(), self.bias.as_ref())
    }

    /// Only the outputs `from .. from + len`.
    pub fn forward_rows(&self, x: &Tensor, from: usize, len: usize) -> Result<Tensor> {
        let bias = self.bias.as_ref().map(|b| b.narrow(0, from, len)).transpose()?;
        self.weight.product_with_rows(x, from, len, bias.as_ref())
    }

    /// Tokens `(B, N, inputs)` to a map `(B, outputs, N)`.
    pub fn to_map(&self, x: &Tensor) -> Result<Tensor> {
        kernels::linear_to_map(x, self.weight.matrix(), self.bias.as_ref())
    }

    /// A map `(B, inputs, N)` to tokens `(B, N, outputs)`.
    pub fn from_map(&self, x: &Tensor) -> Result<Tensor> {
        kernels::linear_from_map(x, self.weight.matrix(), self.bias.as_ref())
    }

    /// A map `(B, inputs, H, W)` to a map `(B, outputs, H, W)`.
    pub fn map_to_map(&self, x: &Tensor) -> Result<Tensor> {
        let (b, c, h, w) = x.dims4()?;
        let y = self.to_map(&x.reshape((b, c, h * w))?.transpose(1, 2)?)?; // (B, outputs, N)
        y.reshape((b, (), h, w))
    }
}

/// Linear, tanh-GELU, linear.
#[derive(Clone, Debug)]
pub struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    /// Keys `names.0.*` `(hidden, inputs)` and `names.1.*` `(outputs, hidden)`.
    pub fn new(inputs: usize, hidden: usize, outputs: usize, names: (&str, &str), vb: &VarBuilder) -> Result<Self> {
        Ok(Self {
            first: Linear::new(inputs, hidden, true, &vb.pp(names.0))?,
            second: Linear::new(hidden, outputs, true, &vb.pp(names.1))?,
        })
    }

    /// `(…, inputs)` to `(…, outputs)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&kernels::gelu_tanh(&self.first.forward(x)?)?)
    }
}

/// What carries hidden states or latents into the diffusion transformer: linear, tanh-GELU, linear, RMS norm.
///
/// # Source      BLIP3o-NEXT `diffusion_connector`, `und_image_vae_connector`
#[derive(Clone, Debug)]
pub struct Connector {
    mlp: Mlp,
    norm: RmsNorm,
}

impl Connector {
    /// Keys `0.*`, `2.*`, `3.weight`.
    pub fn new(inputs: usize, outputs: usize, vb: &VarBuilder) -> Result<Self> {
        Ok(Self { mlp: Mlp::new(inputs, outputs, outputs, ("0", "2"), vb)?, norm: RmsNorm::new(outputs, 1e-5, &vb.pp("3"))? })
    }

    /// `(B, N, inputs)` to `(B, N, outputs)`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.mlp.forward(x)?)
    }
}
