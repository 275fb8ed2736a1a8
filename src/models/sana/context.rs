//! What the transformer is told, and what of it can be computed once.
//!
//! The null branch of guidance has tokens that are all alike, or of two kinds. Softmax attention over n equal keys
//! gives their one value whatever the query, and over two kinds it is a choice between two keys that count n and m
//! times. Both are exact, and spare the null branch most of its cross-attention.

use candle_core::{Result, Tensor};

/// The tokens of one branch: all of them, or each different one with the number of times it stands.
#[derive(Clone, Debug)]
pub struct Condition {
    /// `(1, M, caption_channels)`, or any other width while it is on its way through the network.
    pub tokens: Tensor,
    /// How often each token stands in a row; `None`: once each.
    pub counts: Option<Vec<usize>>,
}

impl Condition {
    /// Every token for itself.
    pub fn new(tokens: Tensor) -> Self {
        Self { tokens, counts: None }
    }

    /// Tokens `(1, G, C)`, of which the g-th stands `counts[g]` times.
    pub fn repeated(tokens: Tensor, counts: Vec<usize>) -> Self {
        Self { tokens, counts: Some(counts) }
    }

    /// Something computed for each of the tokens, `(1, G, …)`, as the full row of tokens that it stands for.
    ///
    /// # Errors      the device fails
    pub fn spread(&self, per_token: &Tensor) -> Result<Tensor> {
        match &self.counts {
            None => Ok(per_token.clone()),
            Some(counts) => {
                let rows: Vec<u32> = counts.iter().enumerate().flat_map(|(i, n)| std::iter::repeat_n(i as u32, *n)).collect();
                per_token.index_select(&Tensor::new(rows, per_token.device())?, 1)
            }
        }
    }

    /// The same tokens, each for itself: what the reference computes with.
    ///
    /// # Errors      the device fails
    pub fn plain(&self) -> Result<Self> {
        Ok(Self::new(self.spread(&self.tokens)?))
    }
}

/// The part of every block's cross-attention that one picture keeps.
pub struct Context {
    pub(super) layers: Vec<LayerContext>,
}

/// One block's share.
pub(super) enum LayerContext {
    /// Keys and values `(1, heads, M, d)`; key j counts e^`bias[j]` times.
    Keys { keys: Tensor, values: Tensor, bias: Option<Vec<f32>> },
    /// All tokens are one: the attention's output whatever the query, `(width)`.
    Constant(Tensor),
}
