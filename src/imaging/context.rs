//! The part of a picture that a model sees: never squashed, continued where the picture ends.

use super::resample::{Axis, Beyond, Raster, Zoomed, fetch, resampled};
use super::samples::{Painter, Sample, painted};
use super::{Filter, Mask, Picture, Pixels, Rect, Result};
use std::sync::Arc;

/// The share of a selection's longer side that is seen around it on each side, at least.
const MARGIN: f64 = 0.25;
/// The smallest side of a box.
const SMALLEST: u32 = 16;

/// A part of the plane, in pixels of a picture. It may reach beyond the picture, where a mirror continues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextBox {
    pub left: i64,
    pub top: i64,
    pub width: u32,
    pub height: u32,
}

impl ContextBox {
    /// The box that a model with pictures of `model` pixels (width, height) should see of a picture of `size`.
    ///
    /// Without a selection all of the picture; else the selection (`bounds`) with a margin, no smaller than what the model
    /// sees at full size, as far as the picture has that much. It lies in the picture where it fits, and has the model's
    /// shape to the nearest pixel.
    pub fn around(size: [u32; 2], bounds: Option<Rect>, model: [u32; 2]) -> Self {
        // Sizes in units of the model's: a box is `scale * model` large.
        let model = model.map(|side| f64::from(side.max(1)));
        let whole = f64::max(f64::from(size[0]) / model[0], f64::from(size[1]) / model[1]);
        let inside = f64::min(f64::from(size[0]) / model[0], f64::from(size[1]) / model[1]);
        let (scale, middle) = match bounds.filter(|b| !b.is_empty()) {
            None => (whole, [0, 1].map(|i| f64::from(size[i]) / 2.0)),
            Some(b) => {
                let margin = MARGIN * f64::from(b.width.max(b.height));
                let need = f64::max((f64::from(b.width) + 2.0 * margin) / model[0], (f64::from(b.height) + 2.0 * margin) / model[1]);
                // One to one if the picture has that much; what is needed, if that is more; never more than all of it.
                let scale = need.max(inside.min(1.0)).min(whole);
                (scale, [f64::from(b.left) + f64::from(b.width) / 2.0, f64::from(b.top) + f64::from(b.height) / 2.0])
            }
        };
        Self::centred(middle, scale, model).kept(size)
    }

    fn centred(middle: [f64; 2], scale: f64, model: [f64; 2]) -> Self {
        let [width, height] = model.map(|side| (scale * side).round().clamp(1.0, f64::from(u32::MAX / 4)) as u32);
        let corner = |middle: f64, side: u32| (middle - f64::from(side) / 2.0).round() as i64;
        Self { left: corner(middle[0], width), top: corner(middle[1], height), width, height }
    }

    /// Moved into a picture of `size`; where it is larger than the picture, the picture lies in its middle.
    fn kept(self, size: [u32; 2]) -> Self {
        let keep = |at: i64, side: u32, length: u32| {
            let room = i64::from(length) - i64::from(side);
            if room < 0 { room.div_euclid(2) } else { at.clamp(0, room) }
        };
        Self { left: keep(self.left, self.width, size[0]), top: keep(self.top, self.height, size[1]), ..self }
    }

    /// Moved by a hand, by pixels of the picture of `size`.
    #[must_use]
    pub fn moved(self, dx: i64, dy: i64, size: [u32; 2]) -> Self {
        Self { left: self.left.saturating_add(dx), top: self.top.saturating_add(dy), ..self }.kept(size)
    }

    /// Made `width` pixels wide about its middle, with the model's shape; between a few pixels and all of the picture.
    #[must_use]
    pub fn resized(self, width: u32, size: [u32; 2], model: [u32; 2]) -> Self {
        let model = model.map(|side| f64::from(side.max(1)));
        let whole = f64::max(f64::from(size[0]) / model[0], f64::from(size[1]) / model[1]);
        let least = (f64::from(SMALLEST) / model[0].min(model[1])).min(whole);
        let middle = [self.left as f64 + f64::from(self.width) / 2.0, self.top as f64 + f64::from(self.height) / 2.0];
        Self::centred(middle, (f64::from(width) / model[0]).clamp(least, whole), model).kept(size)
    }

    /// The part of a picture of `size` that lies in the box.
    pub fn visible(self, size: [u32; 2]) -> Rect {
        let cut = |v: i64, length: u32| v.clamp(0, i64::from(length)) as u32;
        Rect::between(
            cut(self.left, size[0]),
            cut(self.top, size[1]),
            cut(self.left + i64::from(self.width), size[0]),
            cut(self.top + i64::from(self.height), size[1]),
        )
    }

    pub(super) fn corner(self) -> [i64; 2] {
        [self.left, self.top]
    }

    pub(super) fn sides(self) -> [u32; 2] {
        [self.width, self.height]
    }

    fn axes(self, size: [u32; 2], model: [u32; 2], filter: Filter) -> [Axis; 2] {
        let axis = |from: i64, side: u32, count: u32, length: u32| {
            Axis::new(count as usize, from as f64, f64::from(side) / f64::from(count), length as usize, filter, Beyond::Mirror)
        };
        [axis(self.left, self.width, model[0], size[0]), axis(self.top, self.height, model[1], size[1])]
    }
}

/// What a model sees: the box as an opaque 8-bit picture of `model` pixels, over white where the picture is transparent.
///
/// Resampled with an antialiased bicubic filter in sRGB's own values, as the models' inputs were. A box of the model's own
/// size inside an opaque 8-bit picture is copied exactly.
///
/// # Errors      a side of `model` is zero
pub fn crop_to_model(picture: &Picture, seen: ContextBox, model: [u32; 2]) -> Result<Picture> {
    let picture = &picture.in_srgb();
    let [x, y] = seen.axes([picture.width(), picture.height()], model, Filter::Bicubic);
    let raster = resampled(&|y, left, out: &mut [f32]| fetch(picture, y, left, out), 3, &x, &y);
    let bytes: Vec<u8> = raster.samples.iter().map(|v| u8::nearest(v * 255.0)).collect();
    Picture::from_rgb8(model[0], model[1], &bytes)
}

/// The selection as the model sees it: how far each of its pixels is covered, 0..255, row by row.
pub fn mask_to_model(mask: &Mask, seen: ContextBox, model: [u32; 2]) -> Vec<u8> {
    let [x, y] = seen.axes(mask.size(), model, Filter::Bilinear);
    let fetch = |y: usize, left: usize, out: &mut [f32]| {
        let mut bytes = vec![0; out.len()];
        mask.read_row(left as u32, y as u32, &mut bytes);
        out.iter_mut().zip(bytes).for_each(|(to, v)| *to = f32::from(v));
    };
    resampled(&fetch, 1, &x, &y).samples.into_iter().map(u8::nearest).collect()
}

/// A model's result for a box, at the size of a picture of `size`: that part of it which lies in the picture, opaque, with
/// 8 or 16 `bits`. A result of the box's own size is copied exactly.
///
/// # Errors      the box lies outside the picture
pub fn back_to_full(result: &Picture, seen: ContextBox, size: [u32; 2], bits: u8) -> Result<(Rect, Picture)> {
    let rect = seen.visible(size);
    let count = 4 * rect.width as usize * rect.height as usize;
    let pixels = if bits == 8 {
        Pixels::Rgba8(std::iter::repeat_n(255, count).collect::<Arc<[u8]>>())
    } else {
        Pixels::Rgba16(std::iter::repeat_n(65_535, count).collect::<Arc<[u16]>>())
    };
    let raster = Raster::of(result);
    let paint = Paste { zoomed: Zoomed::new(&raster, seen.corner(), seen.sides(), rect, Filter::Bicubic), rect };
    let blank = Picture::new(rect.width, rect.height, pixels)?;
    Ok((rect, painted(&blank, Rect { left: 0, top: 0, ..rect }, &paint)?))
}

struct Paste<'a> {
    zoomed: Zoomed<'a>,
    rect: Rect,
}

impl Painter for Paste<'_> {
    fn paint<T: Sample>(&self, part: Rect, rows: Vec<&mut [[T; 4]]>) {
        let values = self.zoomed.rows(Rect { left: self.rect.left, top: part.top + self.rect.top, ..part });
        let mut values = values.as_chunks::<3>().0.iter();
        for pixel in rows.into_iter().flatten() {
            if let Some(rgb) = values.next() {
                (0..3).for_each(|c| pixel[c] = T::nearest(rgb[c] * T::MAX));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(size: [u32; 2], bounds: Option<[u32; 4]>, model: [u32; 2], want: (i64, i64, u32, u32)) {
        let bounds = bounds.map(|[left, top, width, height]| Rect { left, top, width, height });
        let got = ContextBox::around(size, bounds, model);
        assert_eq!((got.left, got.top, got.width, got.height), want, "{size:?} {bounds:?}");
    }

    #[test]
    fn a_box_has_the_selection_with_a_margin_and_lies_in_the_picture_where_it_fits() {
        around([3000, 2000], None, [512, 512], (0, -500, 3000, 3000));
        around([3000, 2000], Some([1000, 1000, 100, 80]), [512, 512], (794, 784, 512, 512));
        around([3000, 2000], Some([0, 1900, 100, 100]), [512, 512], (0, 1488, 512, 512));
        around([3000, 2000], Some([1000, 500, 800, 600]), [512, 512], (800, 200, 1200, 1200));
        around([3000, 2000], Some([0, 0, 3000, 2000]), [512, 512], (0, -500, 3000, 3000));
        around([300, 200], Some([10, 10, 20, 20]), [512, 512], (0, 0, 200, 200));
        around([300, 200], None, [512, 512], (0, -50, 300, 300));
        around([1, 20_000], Some([0, 50, 1, 1]), [512, 512], (-1, 50, 2, 2));
        around([4000, 3000], Some([2000, 1500, 10, 10]), [1024, 512], (1493, 1249, 1024, 512));
    }

    #[test]
    fn a_hand_moves_and_resizes_it_within_the_picture() {
        let seen = ContextBox::around([1000, 800], Some(Rect { left: 10, top: 10, width: 10, height: 10 }), [256, 256]);
        assert_eq!(seen.moved(-50, 5000, [1000, 800]), ContextBox { left: 0, top: 544, width: 256, height: 256 });
        let wide = seen.resized(9999, [1000, 800], [256, 256]);
        assert_eq!(wide, ContextBox { left: 0, top: -100, width: 1000, height: 1000 });
        assert_eq!(wide.resized(1, [1000, 800], [256, 256]).sides(), [16, 16]);
        assert_eq!(wide.visible([1000, 800]), Rect { left: 0, top: 0, width: 1000, height: 800 });
    }

    #[test]
    fn beyond_the_edge_the_picture_is_mirrored_and_back_again_it_is_itself() {
        let rgb: Vec<u8> = (0..8 * 4).flat_map(|i| [i as u8 * 7, 255 - i as u8, i as u8]).collect();
        let picture = Picture::from_rgb8(8, 4, &rgb).unwrap();
        let seen = ContextBox::around([8, 4], None, [8, 8]);
        let crop = crop_to_model(&picture, seen, [8, 8]).unwrap();
        let row = |p: &Picture, y: usize| p.to_rgb8()[24 * y..24 * (y + 1)].to_vec();
        for (y, from) in [(0, 2), (1, 1), (2, 0), (3, 1), (5, 3), (6, 2), (7, 1)] {
            assert_eq!(row(&crop, y), row(&picture, from), "{y}");
        }
        let (rect, back) = back_to_full(&crop, seen, [8, 4], 8).unwrap();
        assert_eq!((rect, back), (Rect { left: 0, top: 0, width: 8, height: 4 }, picture));
    }
}
