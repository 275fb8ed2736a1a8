//! Resampling in floating point, of any part and by any factor, a few rows at a time.

use super::{Filter, Picture, Pixels, Rect};
use rayon::prelude::*;
use std::ops::Range;

/// Samples row by row from the top left, the channels of a pixel side by side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Raster {
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    pub samples: Vec<f32>,
}

impl Raster {
    /// Red, green and blue in 0..1 as a model sees them: sRGB's own values, over white where the picture is transparent.
    pub fn of(picture: &Picture) -> Self {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut samples = vec![0.0; 3 * width * height];
        samples.par_chunks_exact_mut(3 * width).enumerate().for_each(|(y, row)| fetch(picture, y, 0, row));
        Self { width, height, channels: 3, samples }
    }

    pub fn pixel(&self, x: usize, y: usize) -> &[f32] {
        &self.samples[(y * self.width + x) * self.channels..][..self.channels]
    }
}

/// Part of a row of a picture, from the pixel `left` on, as in [`Raster::of`].
pub(super) fn fetch(picture: &Picture, y: usize, left: usize, out: &mut [f32]) {
    let from = y * picture.width() as usize + left;
    let over_white = |v: f32, alpha: f32| v * alpha + 1.0 - alpha;
    let out = out.as_chunks_mut::<3>().0;
    match picture.pixels() {
        Pixels::Rgba8(v) => {
            for (out, [r, g, b, a]) in out.iter_mut().zip(&v.as_chunks::<4>().0[from..]) {
                let [rgb @ .., a] = [*r, *g, *b, *a].map(|v| f32::from(v) / 255.0);
                *out = rgb.map(|v| if a == 1.0 { v } else { over_white(v, a) });
            }
        }
        Pixels::Rgba16(v) => {
            for (out, [r, g, b, a]) in out.iter_mut().zip(&v.as_chunks::<4>().0[from..]) {
                let [rgb @ .., a] = [*r, *g, *b, *a].map(|v| f32::from(v) / 65_535.0);
                *out = rgb.map(|v| if a == 1.0 { v } else { over_white(v, a) });
            }
        }
    }
}

/// What is taken for pixels beyond the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    /// The last one again and again.
    Last,
    /// The picture in a mirror, and that in another.
    Mirror,
}

impl Beyond {
    pub(super) fn index(self, i: i64, length: usize) -> usize {
        let last = length as i64 - 1;
        match self {
            Self::Last => i.clamp(0, last) as usize,
            Self::Mirror if last == 0 => 0,
            Self::Mirror => {
                let i = i.rem_euclid(2 * last);
                i.min(2 * last - i) as usize
            }
        }
    }
}

/// The samples that one output sample is made of, with weights that add up to 1.
struct Tap(Vec<(usize, f32)>);

/// One side of a resampling.
pub(super) struct Axis(Vec<Tap>);

impl Axis {
    /// `count` outputs, of which the first begins at `start` and each is `step` long, in a row of `length` samples.
    pub fn new(count: usize, start: f64, step: f64, length: usize, filter: Filter, beyond: Beyond) -> Self {
        let stretch = step.max(1.0);
        let support = filter.support() * stretch;
        let tap = |i: usize| {
            let center = start + (i as f64 + 0.5) * step;
            let samples = (center - support).floor() as i64..=(center + support).ceil() as i64;
            let weighed = samples.map(|s| (s, filter.weight((s as f64 + 0.5 - center) / stretch))).filter(|(_, w)| *w != 0.0);
            let weighed: Vec<(i64, f64)> = weighed.collect();
            let sum: f64 = weighed.iter().map(|(_, w)| w).sum();
            let mut tap: Vec<(usize, f64)> = weighed.into_iter().map(|(s, w)| (beyond.index(s, length), w / sum)).collect();
            // What a mirror or an edge repeats is one sample: a long thin picture would else be read thousands of times.
            tap.sort_by_key(|(i, _)| *i);
            tap.dedup_by(|next, kept| {
                next.0 == kept.0 && {
                    kept.1 += next.1;
                    true
                }
            });
            Tap(tap.into_iter().map(|(i, w)| (i, w as f32)).collect())
        };
        Self((0..count).map(tap).collect())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The samples that some outputs need.
    fn reach(&self, outputs: Range<usize>) -> Range<usize> {
        let all = || self.0[outputs.clone()].iter().flat_map(|tap| tap.0.iter().map(|(i, _)| *i));
        all().min().unwrap_or(0)..all().max().map_or(0, |i| i + 1)
    }
}

/// Some rows of a resampled picture. `fetch` writes samples of the source from a row `y` and a column `left` on.
pub(super) fn rows(fetch: &impl Fn(usize, usize, &mut [f32]), channels: usize, x: &Axis, y: &Axis, wanted: Range<usize>) -> Vec<f32> {
    let (columns, lines) = (x.reach(0..x.len()), y.reach(wanted.clone()));
    let pitch = channels * x.len();
    let mut source = vec![0.0; channels * columns.len()];
    let mut across = vec![0.0; pitch * lines.len()];
    for (line, out) in lines.clone().zip(across.chunks_exact_mut(pitch)) {
        fetch(line, columns.start, &mut source);
        for (tap, out) in x.0.iter().zip(out.chunks_exact_mut(channels)) {
            for (i, weight) in &tap.0 {
                let from = &source[channels * (i - columns.start)..][..channels];
                out.iter_mut().zip(from).for_each(|(sum, v)| *sum += v * weight);
            }
        }
    }
    let mut out = vec![0.0; pitch * wanted.len()];
    for (tap, out) in y.0[wanted].iter().zip(out.chunks_exact_mut(pitch)) {
        for (i, weight) in &tap.0 {
            let from = &across[pitch * (i - lines.start)..][..pitch];
            out.iter_mut().zip(from).for_each(|(sum, v)| *sum += v * weight);
        }
    }
    out
}

/// All rows, several at a time on several cores.
pub(super) fn resampled(fetch: &(impl Fn(usize, usize, &mut [f32]) + Sync), channels: usize, x: &Axis, y: &Axis) -> Raster {
    const BAND: usize = 16;
    let bands = y.len().div_ceil(BAND);
    let band = |i: usize| rows(fetch, channels, x, y, i * BAND..((i + 1) * BAND).min(y.len()));
    let samples: Vec<Vec<f32>> = (0..bands).into_par_iter().map(band).collect();
    Raster { width: x.len(), height: y.len(), channels, samples: samples.concat() }
}

/// A raster seen at another size, of which a rectangle is wanted.
pub(super) struct Zoomed<'a> {
    raster: &'a Raster,
    rect: Rect,
    x: Axis,
    y: Axis,
}

impl<'a> Zoomed<'a> {
    /// The raster lies at `left`, `top` of a picture and is `width`, `height` of its pixels large.
    pub fn new(raster: &'a Raster, [left, top]: [i64; 2], [width, height]: [u32; 2], rect: Rect, filter: Filter) -> Self {
        let axis = |count: u32, first: u32, from: i64, side: u32, length: usize| {
            let step = length as f64 / f64::from(side);
            Axis::new(count as usize, (i64::from(first) - from) as f64 * step, step, length, filter, Beyond::Last)
        };
        Self {
            raster,
            rect,
            x: axis(rect.width, rect.left, left, width, raster.width),
            y: axis(rect.height, rect.top, top, height, raster.height),
        }
    }

    /// The rows of `part`, which must be as wide as the rectangle.
    pub fn rows(&self, part: Rect) -> Vec<f32> {
        let (raster, channels) = (self.raster, self.raster.channels);
        let fetch = |y: usize, left: usize, out: &mut [f32]| {
            let from = channels * (y * raster.width + left);
            out.copy_from_slice(&raster.samples[from..from + out.len()]);
        };
        let first = (part.top - self.rect.top) as usize;
        rows(&fetch, channels, &self.x, &self.y, first..first + part.height as usize)
    }
}
