//! The small layers that every network here is made of; struct fields are checkpoint keys.
//!
//! On the CPU matrices keep the type they are stored in (f32, f16 or bf16) and everything small, as well as every
//! convolution, is f32. On other devices all weights have the one type of the `VarBuilder`.

mod conv;
mod linear;
mod norm;
mod stack;

pub use conv::{Conv2d, DepthwiseConv2d, GlumbConv};
pub use linear::{Connector, Linear, Mlp};
pub use norm::{ChannelRmsNorm, LayerNorm, RmsNorm};
pub use stack::{Hold, Stack};

use candle_core::{DType, Device, Result, Shape, Tensor};
use candle_nn::VarBuilder;

/// The type that arithmetic is done in.
pub fn compute_dtype(vb: &VarBuilder) -> DType {
    if matches!(vb.device(), Device::Cpu) { DType::F32 } else { vb.dtype() }
}

/// A tensor in the type of the arithmetic rather than of the storage.
///
/// # Errors      the tensor is missing or has another shape
pub fn exact(vb: &VarBuilder, shape: impl Into<Shape>, name: &str) -> Result<Tensor> {
    vb.get_with_hints_dtype(shape, name, candle_nn::Init::Const(0.0), compute_dtype(vb))
}
