//! Maps that are worked on a few rows at a time.
//!
//! The levels of the highest resolution are convolutions and per-pixel norms only, so a strip of rows with enough rows
//! around it gives exactly the rows of the whole. That bounds the memory without visible tiles. Levels with attention
//! need the whole map, which is small there.

use candle_core::{Result, Tensor, bail};
use std::ops::Range;

/// How much of a map is worked on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strips {
    /// Whole maps, as the reference does it.
    Whole,
    /// So many rows of each local level.
    Rows(usize),
    /// As many rows as make a map of about so many values.
    Values(usize),
}

impl Strips {
    /// Maps of 128 MiB in f32: level by level at 1024 px, one, two and four strips.
    pub const DEFAULT: Self = Self::Values(32 << 20);

    /// Rows of one strip of a map of that size.
    pub fn rows(self, channels: usize, h: usize, w: usize) -> usize {
        match self {
            Self::Whole => h,
            Self::Rows(rows) => rows.clamp(1, h),
            Self::Values(values) => {
                let strips = (channels * h * w).div_ceil(values.max(1));
                h.div_ceil(strips.max(1)).max(16).min(h)
            }
        }
    }
}

/// A map `(B, C, h, W)` of which every call of `make` makes some rows. Nothing larger than the map and a strip is held.
pub(super) fn gathered(h: usize, step: usize, mut make: impl FnMut(Range<usize>) -> Result<Tensor>) -> Result<Tensor> {
    let mut whole: Option<Tensor> = None;
    for from in (0..h).step_by(step.max(1)) {
        let strip = make(from..(from + step.max(1)).min(h))?.contiguous()?;
        let (b, c, rows, w) = strip.dims4()?;
        if rows == h {
            return Ok(strip);
        }
        let map = match whole.take() {
            Some(map) => map,
            None => Tensor::zeros((b, c, h, w), strip.dtype(), strip.device())?,
        };
        map.slice_set(&strip, 2, from)?;
        whole = Some(map);
    }
    match whole {
        Some(map) => Ok(map),
        None => bail!("a map has no rows"),
    }
}
