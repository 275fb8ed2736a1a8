//! One code for pictures of 8 and of 16 bits, and changing a part of a picture with the rest left as it is.

use super::{Picture, Pixels, Rect, Result, light};
use rayon::prelude::*;
use std::sync::Arc;

/// A sample of a picture.
pub(super) trait Sample: Copy + PartialEq + Send + Sync {
    /// The largest value.
    const MAX: f32;
    /// As a number from 0 to [`Sample::MAX`], exactly.
    fn number(self) -> f32;
    /// The nearest to a number; what lies outside is cut off.
    fn nearest(number: f32) -> Self;
    /// As linear light, 0..1.
    fn light(self) -> f32;
    /// The nearest to linear light. `nearest_to_light(v.light()) == v`.
    fn nearest_to_light(light: f32) -> Self {
        Self::nearest(light::srgb(light) * Self::MAX)
    }
}

impl Sample for u8 {
    const MAX: f32 = 255.0;
    fn number(self) -> f32 {
        f32::from(self)
    }
    fn nearest(number: f32) -> Self {
        number.round() as Self
    }
    fn light(self) -> f32 {
        light::linear8()[usize::from(self)]
    }
}

impl Sample for u16 {
    const MAX: f32 = 65_535.0;
    fn number(self) -> f32 {
        f32::from(self)
    }
    fn nearest(number: f32) -> Self {
        number.round() as Self
    }
    fn light(self) -> f32 {
        light::linear16()[usize::from(self)]
    }
}

/// Changes rows of a picture.
pub(super) trait Painter: Sync {
    /// `rows` are the pixels of `part`, row by row, to be changed in place.
    fn paint<T: Sample>(&self, part: Rect, rows: Vec<&mut [[T; 4]]>);
}

/// Rows that are painted at once.
const BAND: usize = 32;

/// A copy of a picture with a part painted over. Nothing outside the part is touched.
pub(super) fn painted(source: &Picture, rect: Rect, painter: &impl Painter) -> Result<Picture> {
    let rect = rect.intersection(Rect { left: 0, top: 0, width: source.width(), height: source.height() });
    if rect.is_empty() {
        return Ok(source.clone());
    }
    let pixels = match source.pixels() {
        Pixels::Rgba8(v) => Pixels::Rgba8(over(v, source.width(), rect, painter)),
        Pixels::Rgba16(v) => Pixels::Rgba16(over(v, source.width(), rect, painter)),
    };
    Ok(Picture::new(source.width(), source.height(), pixels)?.with_tags(source.tags().clone()))
}

fn over<T: Sample>(from: &[T], width: u32, rect: Rect, painter: &impl Painter) -> Arc<[T]> {
    let mut out: Arc<[T]> = Arc::from(from);
    let pitch = 4 * width as usize;
    let rows = &mut Arc::get_mut(&mut out).unwrap_or_default()[rect.top as usize * pitch..rect.bottom() as usize * pitch];
    rows.par_chunks_mut(BAND * pitch).enumerate().for_each(|(i, band)| {
        let part = Rect { top: rect.top + (i * BAND) as u32, height: (band.len() / pitch) as u32, ..rect };
        let columns = rect.left as usize..rect.right() as usize;
        painter.paint(part, band.chunks_exact_mut(pitch).map(|row| &mut row.as_chunks_mut::<4>().0[columns.clone()]).collect());
    });
    out
}
