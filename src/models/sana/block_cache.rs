//! First-block cache: steps that go on from what the step before made of all blocks but the first.

use candle_core::{DType, Result, Tensor};

/// What the blocks added to their residual at the last step that ran all of them, for one painting.
///
/// # Source      `ParaAttention`'s "First Block Cache", after Liu et al., "Timestep Embedding Tells: It's Time to Cache for Video
/// Diffusion Model" (`TeaCache`), 2024
pub struct BlockCache {
    threshold: f32,
    /// By the first block, and by all others, `(B, N, C)`.
    kept: Option<(Tensor, Tensor)>,
}

impl BlockCache {
    /// `threshold`: how much the first block's part may change, relative in the L1 norm, for the others' to be taken over.
    pub fn new(threshold: f32) -> Self {
        Self { threshold, kept: None }
    }

    /// The other blocks' part where the first block's part is about what it was; `None` where it is not, or has another shape.
    pub(super) fn rest(&self, first: &Tensor) -> Result<Option<&Tensor>> {
        let Some((before, rest)) = self.kept.as_ref().filter(|(before, _)| before.dims() == first.dims()) else { return Ok(None) };
        let norm = |t: &Tensor| t.abs()?.to_dtype(DType::F32)?.mean_all()?.to_scalar::<f32>();
        Ok((norm(&(first - before)?)? < self.threshold * norm(before)?).then_some(rest))
    }

    pub(super) fn keep(&mut self, first: Tensor, rest: Tensor) {
        self.kept = Some((first, rest));
    }
}
