//! Keys and values of the tokens seen so far.

use candle_core::{Result, Tensor, bail};

/// The keys and values of every layer, in buffers that are allocated once.
///
/// # Shapes      per layer `(B, key heads, capacity, head width)`
#[derive(Debug, Default)]
pub struct KvCache {
    layers: Vec<(Tensor, Tensor)>,
    len: usize,
    capacity: usize,
}

impl KvCache {
    /// Room for `capacity` tokens in each of the layers that will come.
    pub fn new(capacity: usize) -> Self {
        Self { layers: Vec::new(), len: 0, capacity }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True before the first token.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tokens there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of the buffers.
    pub fn bytes(&self) -> usize {
        let bytes = |t: &Tensor| t.elem_count() * t.dtype().size_in_bytes();
        self.layers.iter().map(|(k, v)| bytes(k) + bytes(v)).sum()
    }

    /// Forgets the tokens from `len` on, so that what stands before them can be gone on from again.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// The same tokens once for each of `batch` continuations. Only for a cache of batch size one.
    ///
    /// # Errors      the device fails
    pub fn repeat(&self, batch: usize) -> Result<Self> {
        let copy = |t: &Tensor| t.repeat((batch, 1, 1, 1));
        let layers = self.layers.iter().map(|(k, v)| Ok((copy(k)?, copy(v)?))).collect::<Result<_>>()?;
        Ok(Self { layers, len: self.len, capacity: self.capacity })
    }

    /// Writes the keys and values of new tokens behind those held, and returns all of them, `(B, key heads, len + L, width)`.
    ///
    /// [`Self::advance`] counts them once every layer has written.
    pub(super) fn append(&mut self, layer: usize, k: &Tensor, v: &Tensor) -> Result<(Tensor, Tensor)> {
        let (b, heads, l, width) = k.dims4()?;
        let len = self.len + l;
        if len > self.capacity {
            bail!("{len} tokens do not fit into a cache for {}", self.capacity);
        }
        if layer == self.layers.len() {
            let empty = || Tensor::zeros((b, heads, self.capacity, width), k.dtype(), k.device());
            self.layers.push((empty()?, empty()?));
        }
        let (keys, values) = &self.layers[layer];
        keys.slice_set(&k.contiguous()?, 2, self.len)?;
        values.slice_set(&v.contiguous()?, 2, self.len)?;
        Ok((keys.narrow(2, 0, len)?, values.narrow(2, 0, len)?))
    }

    pub(super) fn advance(&mut self, tokens: usize) {
        self.len += tokens;
    }
}
