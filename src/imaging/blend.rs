//! A model's result placed into the picture under a selection, with every other pixel left exactly as it was.

use super::mask::dilated;
use super::resample::{Raster, Zoomed};
use super::samples::{Painter, Sample, painted};
use super::{ContextBox, Error, Filter, Mask, Picture, Rect, Result, crop_to_model, light, mask_to_model};

/// How a result is placed. All of it can be changed afterwards without running the model again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// How far the transition reaches beyond the selection, in pixels of the picture. Inside the result is taken whole.
    pub feather: u32,
    /// How far the result's colours are matched to the picture's just outside the selection: 0 not at all, 1 wholly.
    pub matching: f32,
}

impl Default for Blend {
    fn default() -> Self {
        Self { feather: 8, matching: 1.0 }
    }
}

/// A colour is not made brighter or darker by more than this factor, in linear light.
const LARGEST_GAIN: f32 = 1.6;
/// Width of the ring whose colours are compared, as a share of the model's longer side.
const RING: f32 = 1.0 / 32.0;
/// Pixels of the model's in the ring, below which nothing is matched.
const FEWEST: usize = 24;

/// Places `result`, what a model made of the box `seen`, into `source` where `mask` selects.
///
/// Every sample of a pixel farther than the feather from the selection, or outside the box, is the source's at its own bit
/// depth. Towards an edge of the box inside the picture the selection fades, so that no seam is left there. Mixed in linear
/// light; where the source is transparent the result makes it opaque. A result that is what the model was shown leaves
/// the source as it is.
///
/// # Errors      the mask is not as large as the source
pub fn blend(source: &Picture, result: &Picture, seen: ContextBox, mask: &Mask, how: Blend) -> Result<Picture> {
    let size = [source.width(), source.height()];
    if mask.size() != size {
        return Err(Error::SizesDiffer { left: size, right: mask.size() });
    }
    let model = [result.width(), result.height()];
    let shown = crop_to_model(source, seen, model)?;
    if shown.to_rgb8() == result.to_rgb8() {
        return Ok(source.clone());
    }
    let soft = mask.grown(how.feather / 2).feathered(how.feather.div_ceil(2));
    let limit = mask.grown(how.feather);
    let Some(rect) = limit.bounds().map(|b| b.intersection(seen.visible(size))).filter(|rect| !rect.is_empty()) else {
        return Ok(source.clone());
    };
    let raster = Raster::of(result);
    let gain = gains(&Raster::of(&shown), &raster, &mask_to_model(mask, seen, model), visible_in_model(seen, size, model));
    let strength = how.matching.clamp(0.0, 1.0);
    let painter = Under {
        zoomed: Zoomed::new(&raster, seen.corner(), seen.sides(), rect, Filter::Bicubic),
        gain: gain.map(|g| g.powf(strength)),
        mask,
        soft: &soft,
        limit: &limit,
        fade: Fade::new(seen, size, how.feather.max(1)),
    };
    painted(source, rect, &painter)
}

struct Under<'a> {
    zoomed: Zoomed<'a>,
    gain: [f32; 3],
    mask: &'a Mask,
    soft: &'a Mask,
    limit: &'a Mask,
    fade: Fade,
}

impl Painter for Under<'_> {
    fn paint<T: Sample>(&self, part: Rect, rows: Vec<&mut [[T; 4]]>) {
        let values = self.zoomed.rows(part);
        let [mut covered, mut inside, mut limit] = [0; 3].map(|v| vec![v; part.width as usize]);
        for ((y, row), values) in (part.top..).zip(rows).zip(values.chunks_exact(3 * part.width as usize)) {
            self.soft.read_row(part.left, y, &mut covered);
            self.mask.read_row(part.left, y, &mut inside);
            self.limit.read_row(part.left, y, &mut limit);
            // In corners the soft edge would reach a little inside, or farther than asked.
            covered.iter_mut().zip(&inside).zip(&limit).for_each(|((soft, inside), limit)| *soft = (*soft).min(*limit).max(*inside));
            for (((x, pixel), rgb), cover) in (part.left..).zip(row).zip(values.as_chunks::<3>().0).zip(&covered) {
                let cover = f32::from(*cover) / 255.0 * self.fade.at(x, y);
                if cover > 0.0 {
                    *pixel = mixed(*pixel, [0, 1, 2].map(|c| light::linear(rgb[c].clamp(0.0, 1.0)) * self.gain[c]), cover);
                }
            }
        }
    }
}

/// A pixel with linear light laid over it.
fn mixed<T: Sample>(under: [T; 4], over: [f32; 3], cover: f32) -> [T; 4] {
    let alpha = under[3].number() / T::MAX;
    let out = alpha * (1.0 - cover) + cover;
    let share = cover / out;
    let sample = |c: usize| T::nearest_to_light(under[c].light() + share * (over[c] - under[c].light()));
    [sample(0), sample(1), sample(2), if alpha == 1.0 { under[3] } else { T::nearest(out * T::MAX) }]
}

/// A selection's fading towards those edges of a box that lie inside the picture.
pub(super) struct Fade {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
    width: f32,
}

impl Fade {
    pub(super) fn new(seen: ContextBox, size: [u32; 2], width: u32) -> Self {
        // An edge at the picture's own is as good as far away.
        let first = |at: i64| if at <= 0 { i64::MIN / 4 } else { at };
        let last = |at: i64, length: u32| if at >= i64::from(length) { i64::MAX / 4 } else { at };
        Self {
            left: first(seen.left),
            top: first(seen.top),
            right: last(seen.left + i64::from(seen.width), size[0]),
            bottom: last(seen.top + i64::from(seen.height), size[1]),
            width: width as f32,
        }
    }

    /// 0..1 for a pixel of the picture.
    pub(super) fn at(&self, x: u32, y: u32) -> f32 {
        let (x, y) = (i64::from(x), i64::from(y));
        let away = (x - self.left).min(self.right - 1 - x).min(y - self.top).min(self.bottom - 1 - y);
        ((away as f32 + 0.5) / self.width).clamp(0.0, 1.0)
    }
}

/// The part of the model's picture that shows the picture itself and not its mirror.
pub(super) fn visible_in_model(seen: ContextBox, size: [u32; 2], model: [u32; 2]) -> Rect {
    let rect = seen.visible(size);
    let at = |v: u32, from: i64, side: u32, count: u32| (i64::from(v) - from) as f64 * f64::from(count) / f64::from(side);
    let x = |v| at(v, seen.left, seen.width, model[0]);
    let y = |v| at(v, seen.top, seen.height, model[1]);
    let [left, top] = [x(rect.left), y(rect.top)].map(|v| v.ceil() as u32);
    let [right, bottom] = [x(rect.right()), y(rect.bottom())].map(|v| v.floor() as u32);
    Rect::between(left, top, right, bottom)
}

/// By how much the result's linear light is to be raised per channel so that it agrees with the source just outside the
/// selection. `covered` is the selection; all three are as large as the model's picture, of which `visible` counts.
fn gains(shown: &Raster, result: &Raster, covered: &[u8], visible: Rect) -> [f32; 3] {
    let (width, height) = (shown.width, shown.height);
    let reach = (RING * width.max(height) as f32).ceil().max(2.0) as usize;
    let (near, far) = (dilated(covered, width, height, 1), dilated(covered, width, height, reach + 1));
    let in_ring = |i: &usize| near[*i] == 0 && far[*i] > 0 && visible.contains((i % width) as u32, (i / width) as u32);
    let light = |raster: &Raster, i: usize| [0, 1, 2].map(|c| light::linear(raster.samples[3 * i + c].clamp(0.0, 1.0)));
    let mut pairs: Vec<[[f32; 3]; 2]> = (0..width * height).filter(in_ring).map(|i| [light(shown, i), light(result, i)]).collect();
    if pairs.len() < FEWEST {
        return [1.0; 3];
    }
    // Where they differ most the model has painted something else, which says nothing about its colours.
    let apart = |pair: &[[f32; 3]; 2]| (0..3).map(|c| (pair[0][c] - pair[1][c]).abs()).sum::<f32>();
    pairs.sort_by(|a, b| apart(a).total_cmp(&apart(b)));
    pairs.truncate(pairs.len() * 3 / 4);
    let sum = |which: usize, c: usize| pairs.iter().map(|pair| f64::from(pair[which][c])).sum::<f64>() + 1e-3 * pairs.len() as f64;
    [0, 1, 2].map(|c| ((sum(0, c) / sum(1, c)) as f32).clamp(1.0 / LARGEST_GAIN, LARGEST_GAIN))
}

#[cfg(test)]
mod tests {
    use super::super::{Mode, Pixels};
    use super::*;

    fn flat(size: u32, rgb: [u8; 3]) -> Picture {
        Picture::from_rgb8(size, size, &rgb.repeat((size * size) as usize)).unwrap()
    }

    #[test]
    fn inside_is_the_result_and_outside_the_source() {
        let source = flat(64, [10, 20, 30]);
        let mut mask = Mask::new(64, 64).unwrap();
        mask.rectangle(Rect { left: 20, top: 20, width: 20, height: 20 }, Mode::Add);
        let seen = ContextBox { left: 8, top: 8, width: 48, height: 48 };
        let out = blend(&source, &flat(24, [200, 100, 50]), seen, &mask, Blend { feather: 4, matching: 0.0 }).unwrap().to_rgb8();
        let at = |x: usize, y: usize| [0, 1, 2].map(|c| out[3 * (y * 64 + x) + c]);
        assert_eq!((at(20, 20), at(39, 39), at(15, 30), at(44, 30)), ([200, 100, 50], [200, 100, 50], [10, 20, 30], [10, 20, 30]));
        assert!(at(19, 30)[0] > 100 && at(17, 30)[0] > at(16, 30)[0]);
    }

    /// A model that sees everything a little too bright is matched; what it painted inside is kept.
    #[test]
    fn colours_are_matched_on_the_ring() {
        let source = flat(128, [100, 120, 90]);
        let bright = |v: f32, by: f32| (light::srgb(light::linear(v / 255.0) * by) * 255.0).round() as u8;
        let seen_as = [bright(100.0, 1.2), bright(120.0, 0.85), bright(90.0, 1.1)];
        let mut mask = Mask::new(128, 128).unwrap();
        mask.rectangle(Rect { left: 50, top: 50, width: 30, height: 30 }, Mode::Add);
        let seen = ContextBox { left: 0, top: 0, width: 128, height: 128 };
        let matched = |matching| {
            let out = blend(&source, &flat(128, seen_as), seen, &mask, Blend { feather: 6, matching }).unwrap().to_rgb8();
            [0, 1, 2].map(|c| out[3 * (64 * 128 + 64) + c])
        };
        assert_eq!(matched(0.0), seen_as);
        (0..3).for_each(|c| assert!(matched(1.0)[c].abs_diff([100, 120, 90][c]) <= 1, "{:?}", matched(1.0)));
        assert!(matched(0.5)[0] < seen_as[0] && matched(0.5)[0] > 100);
    }

    #[test]
    fn a_selection_that_leaves_the_box_fades_and_transparency_is_filled() {
        let clear = Picture::new(64, 64, Pixels::Rgba16([9, 9, 9, 0].repeat(64 * 64).into())).unwrap();
        let mut mask = Mask::new(64, 64).unwrap();
        mask.fill(255);
        let seen = ContextBox { left: 0, top: 0, width: 32, height: 64 };
        let wide = Picture::from_rgb8(32, 64, &[200, 100, 50].repeat(32 * 64)).unwrap();
        let out = blend(&clear, &wide, seen, &mask, Blend { feather: 8, matching: 1.0 }).unwrap();
        let Pixels::Rgba16(v) = out.pixels() else { unreachable!() };
        let pixel = |x: usize| v[4 * (32 * 64 + x)..][..4].to_vec();
        assert_eq!(pixel(0), [200 * 257, 100 * 257, 50 * 257, 65_535]);
        assert_eq!(pixel(32), [9, 9, 9, 0]);
        assert!(pixel(30)[3] < pixel(26)[3]);
    }
}
