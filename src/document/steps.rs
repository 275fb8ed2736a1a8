//! The way that a picture was painted: the latents after every step.

use std::sync::Arc;

/// Latents of one shape, one after each step. Copies share them.
#[derive(Clone, PartialEq)]
pub struct Steps {
    channels: u32,
    height: u32,
    width: u32,
    values: Vec<Arc<[f32]>>,
}

impl std::fmt::Debug for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Steps({} of {} x {} x {})", self.values.len(), self.channels, self.height, self.width)
    }
}

impl Steps {
    /// `None` where a step has not `channels` · `height` · `width` values, where a side is zero, or where there is no step.
    pub fn new(channels: u32, height: u32, width: u32, values: Vec<Arc<[f32]>>) -> Option<Self> {
        let count = u64::from(channels).checked_mul(u64::from(height))?.checked_mul(u64::from(width))?;
        let fits = count > 0 && !values.is_empty() && values.iter().all(|v| v.len() as u64 == count);
        fits.then_some(Self { channels, height, width, values })
    }

    pub fn channels(&self) -> u32 {
        self.channels
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    /// One after each step, as `(channels, height, width)`.
    pub fn values(&self) -> &[Arc<[f32]>] {
        &self.values
    }
}
