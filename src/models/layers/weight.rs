//! The matrix of a linear layer: floats, or blocks of few bits where the checkpoint has them.

use crate::models::kernels::{Blocks, Matrix};
use candle_core::{DType, Result, Tensor, bail};
use candle_nn::VarBuilder;

/// Ending of the name under which a source of tensors gives a matrix in blocks: the bytes of its rows, `(rows, bytes)` u8
/// on the CPU. A source without it has the matrix as floats.
pub const BLOCKS: &str = ".blocks";

/// `(outputs, inputs)`.
#[derive(Clone, Debug)]
pub enum Weight {
    Plain(Tensor),
    Blocks(Blocks),
}

impl Weight {
    /// Key `name`, of the shape `(outputs, inputs)`, or `(outputs, inputs, 1, 1)` as convolutions have it, by `pointwise`.
    ///
    /// # Errors      the tensor is missing or has another shape
    pub fn new(outputs: usize, inputs: usize, pointwise: bool, vb: &VarBuilder, name: &str) -> Result<Self> {
        let in_blocks = format!("{name}{BLOCKS}");
        if vb.contains_tensor(&in_blocks) {
            let blocks = Blocks::new(vb.get_unchecked_dtype(&in_blocks, DType::U8)?, inputs, vb.device())?;
            if blocks.dims()? != (outputs, inputs) {
                bail!("the tensor {name:?} has the shape {:?} instead of {:?}", blocks.dims()?, (outputs, inputs));
            }
            return Ok(Self::Blocks(blocks));
        }
        Ok(Self::Plain(if pointwise {
            vb.get((outputs, inputs, 1, 1), name)?.squeeze(3)?.squeeze(2)?
        } else {
            vb.get((outputs, inputs), name)?
        }))
    }

    /// For products.
    pub fn matrix(&self) -> Matrix<'_> {
        match self {
            Self::Plain(tensor) => Matrix::Plain(tensor),
            Self::Blocks(blocks) => Matrix::Blocks(blocks),
        }
    }

    /// Rows by number: `ids` `(L)` u32 to `(L, inputs)`.
    ///
    /// # Errors      no such row, or the device fails
    pub fn rows(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Self::Plain(tensor) => tensor.embedding(ids),
            Self::Blocks(blocks) => blocks.rows(ids),
        }
    }

    /// The rows `from .. from + len` as floats.
    ///
    /// # Errors      no such rows, or the device fails
    pub fn row_range(&self, from: usize, len: usize) -> Result<Tensor> {
        match self {
            Self::Plain(tensor) => tensor.narrow(0, from, len),
            Self::Blocks(blocks) => {
                let ids = Tensor::arange(from as u32, (from + len) as u32, blocks.device())?;
                blocks.rows(&ids)
            }
        }
    }

    /// x · (the rows `from .. from + len`)ᵀ + bias.
    pub(super) fn product_with_rows(&self, x: &Tensor, from: usize, len: usize, bias: Option<&Tensor>) -> Result<Tensor> {
        use crate::models::kernels::linear;
        match self {
            Self::Plain(tensor) => linear(x, &tensor.narrow(0, from, len)?, bias),
            Self::Blocks(blocks) if blocks.device().is_cpu() => linear(x, &blocks.narrow(from, len)?, bias),
            // All rows and then some of them: blocks are not cut on other devices.
            Self::Blocks(blocks) => {
                let some = linear(x, blocks, None)?.narrow(candle_core::D::Minus1, from, len)?;
                bias.map_or(Ok(some.clone()), |bias| some.broadcast_add(bias))
            }
        }
    }
}
