//! Making a picture larger part by part: what a network is shown of it, and how its picture of a part is taken over.
//!
//! Whoever paints is shown red, green and blue with some pixels around; beyond the edges the picture goes on in a mirror.
//! What was painted is brought nearer to the source by one step of back-projection: where its mean over a pixel of the
//! source differs from that pixel, the difference is added, smoothed over some pixels. So colours stay, and whoever looks
//! from farther away sees the same picture, but what was made sharper is not blurred again, as it would be by the whole
//! difference. Transparency is enlarged by itself; what is opaque stays opaque.

use super::resample::{Axis, Beyond, rows};
use super::samples::Sample;
use super::{Error, Filter, Picture, Pixels, Rect, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// The largest result, in pixels.
pub const MOST_ENLARGED_PIXELS: u64 = 100_000_000;
/// How many times as large a painted part is.
pub const PAINTED: usize = 4;
/// Pixels of the source that [`Enlarged::put`] needs around a part: for smoothing, and one for what lies between pixels.
pub const AROUND: usize = SMOOTHING.len() / 2 + 1;
/// Weights of the pixels in a row that a difference is smoothed over: the binomial ones, which are nearly a bell of 1.4 pixels.
const SMOOTHING: [f32; 9] =
    [1.0 / 256.0, 8.0 / 256.0, 28.0 / 256.0, 56.0 / 256.0, 70.0 / 256.0, 56.0 / 256.0, 28.0 / 256.0, 8.0 / 256.0, 1.0 / 256.0];
/// How far the colours of what is visible reach into what is not.
const BLEED: i64 = 2;

/// Rows and columns of the source, perhaps beyond its edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub left: i64,
    pub top: i64,
    pub width: usize,
    pub height: usize,
}

/// A picture that is being made larger.
pub struct Enlarged {
    source: Picture,
    is_opaque: bool,
    by: usize,
    pixels: Pixels,
}

impl Enlarged {
    /// An empty result, `by` times as large: 2 or 4.
    ///
    /// # Errors      the result has more than [`MOST_ENLARGED_PIXELS`]
    pub fn new(source: &Picture, by: u32) -> Result<Self> {
        let size = [source.width(), source.height()].map(|side| u64::from(side) * u64::from(by));
        if size[0] * size[1] > MOST_ENLARGED_PIXELS || size.iter().any(|side| *side > u64::from(super::MAX_SIDE)) {
            return Err(Error::EnlargedTooMuch { width: size[0], height: size[1] });
        }
        let (count, by) = (4 * (size[0] * size[1]) as usize, by as usize);
        assert!(by == 2 || by == PAINTED, "{by} times");
        let (pixels, is_opaque) = match source.pixels() {
            Pixels::Rgba8(v) => (Pixels::Rgba8(std::iter::repeat_n(0, count).collect()), opaque(v)),
            Pixels::Rgba16(v) => (Pixels::Rgba16(std::iter::repeat_n(0, count).collect()), opaque(v)),
        };
        Ok(Self { source: source.clone(), is_opaque, by, pixels })
    }

    /// Red, green and blue of a window, 0..1, as three planes.
    pub fn shown(&self, window: Window) -> Vec<f32> {
        let mut planes = vec![0.0; 3 * window.width * window.height];
        match self.source.pixels() {
            Pixels::Rgba8(v) => self.source_of(v).fill(window, &mut planes),
            Pixels::Rgba16(v) => self.source_of(v).fill(window, &mut planes),
        }
        planes
    }

    fn source_of<'a, T: Sample>(&self, samples: &'a [T]) -> Source<'a, T> {
        let (width, height) = (i64::from(self.source.width()), i64::from(self.source.height()));
        Source { pixels: samples.as_chunks::<4>().0, width, height, is_opaque: self.is_opaque }
    }

    /// Takes over a part of the source, whose left and top are what they may be, from the picture that was painted of a
    /// window: three planes of `PAINTED` times its size, about 0..1. The window has [`AROUND`] pixels around the part.
    pub fn put(&mut self, part: Rect, window: Window, painted: &[f32]) {
        assert_eq!(painted.len(), 3 * PAINTED * PAINTED * window.width * window.height, "a picture of another size");
        let painted = Painted { window, planes: painted };
        let missing = match self.source.pixels() {
            Pixels::Rgba8(v) => painted.missing(part, &self.source_of(v)),
            Pixels::Rgba16(v) => painted.missing(part, &self.source_of(v)),
        };
        let by = self.by;
        match (self.source.pixels(), &mut self.pixels) {
            (Pixels::Rgba8(from), Pixels::Rgba8(to)) => {
                let alpha = (!self.is_opaque).then(|| alpha(from, &self.source, part, by));
                write(to, &self.source, by, part, &painted, &missing, alpha.as_deref());
            }
            (Pixels::Rgba16(from), Pixels::Rgba16(to)) => {
                let alpha = (!self.is_opaque).then(|| alpha(from, &self.source, part, by));
                write(to, &self.source, by, part, &painted, &missing, alpha.as_deref());
            }
            _ => unreachable!("the result has the depth of its source"),
        }
    }

    /// The result, once every part was put.
    ///
    /// # Errors      none that can be met
    pub fn finish(self) -> Result<Picture> {
        let by = self.by as u32;
        let tags = self.source.tags().clone();
        Ok(Picture::new(self.source.width() * by, self.source.height() * by, self.pixels)?.with_tags(tags))
    }
}

fn opaque<T: Sample>(samples: &[T]) -> bool {
    samples.par_chunks(1 << 16).all(|run| run.as_chunks::<4>().0.iter().all(|[.., a]| a.number() == T::MAX))
}

/// The pixels of the source.
struct Source<'a, T> {
    pixels: &'a [[T; 4]],
    width: i64,
    height: i64,
    is_opaque: bool,
}

impl<T: Sample> Source<'_, T> {
    fn pixel(&self, x: i64, y: i64) -> &[T; 4] {
        let (x, y) = (Beyond::Mirror.index(x, self.width as usize), Beyond::Mirror.index(y, self.height as usize));
        &self.pixels[y * self.width as usize + x]
    }

    /// Red, green and blue. What cannot be seen has no colour of its own that would mean anything: it takes that of the
    /// visible pixels about it.
    fn colour(&self, x: i64, y: i64) -> [f32; 3] {
        let [own @ .., a] = self.pixel(x, y).map(Sample::number);
        if self.is_opaque || a > 0.0 {
            return own.map(|v| v / T::MAX);
        }
        let (mut sums, mut weight) = ([0.0; 3], 0.0);
        for near in (-BLEED..=BLEED).flat_map(|dy| (-BLEED..=BLEED).map(move |dx| (x + dx, y + dy))) {
            let [rgb @ .., a] = self.pixel(near.0, near.1).map(Sample::number);
            sums.iter_mut().zip(rgb).for_each(|(sum, v)| *sum += v * a);
            weight += a;
        }
        if weight > 0.0 { sums.map(|sum| sum / weight / T::MAX) } else { own.map(|v| v / T::MAX) }
    }

    fn fill(&self, window: Window, planes: &mut [f32]) {
        let Window { left, top, width, height } = window;
        let (red, rest) = planes.split_at_mut(width * height);
        let (green, blue) = rest.split_at_mut(width * height);
        let rows = red.par_chunks_mut(width).zip(green.par_chunks_mut(width)).zip(blue.par_chunks_mut(width));
        rows.enumerate().for_each(|(y, ((red, green), blue))| {
            for x in 0..width {
                [red[x], green[x], blue[x]] = self.colour(left + x as i64, top + y as i64);
            }
        });
    }
}

/// What was painted of a window.
struct Painted<'a> {
    window: Window,
    planes: &'a [f32],
}

impl Painted<'_> {
    /// A row of a channel, from a column of the source on; `y` is a row of the painting.
    fn row(&self, channel: usize, y: usize, left: i64) -> &[f32] {
        let Window { width, height, .. } = self.window;
        let pitch = PAINTED * width;
        let from = (channel * PAINTED * height + y) * pitch + PAINTED * (left - self.window.left) as usize;
        &self.planes[from..(channel * PAINTED * height + y + 1) * pitch]
    }

    /// What the painting lacks of the source, smoothed: of each pixel of the part and of one around it, as three planes.
    fn missing<T: Sample>(&self, part: Rect, source: &Source<'_, T>) -> Vec<f32> {
        let (left, top) = (i64::from(part.left) - AROUND as i64, i64::from(part.top) - AROUND as i64);
        let (width, height) = (part.width as usize + 2 * AROUND, part.height as usize + 2 * AROUND);
        let mut missing = vec![0.0; 3 * width * height];
        source.fill(Window { left, top, width, height }, &mut missing);
        missing.par_chunks_mut(width).enumerate().for_each(|(i, out)| {
            let (channel, y) = (i / height, top + (i % height) as i64 - self.window.top);
            for dy in 0..PAINTED {
                let row = self.row(channel, PAINTED * y as usize + dy, left);
                for (out, painted) in out.iter_mut().zip(row.as_chunks::<PAINTED>().0) {
                    *out -= painted.iter().map(|v| v.clamp(0.0, 1.0)).sum::<f32>() / (PAINTED * PAINTED) as f32;
                }
            }
        });
        smoothed(&missing, width, height)
    }
}

/// Three planes, each side shorter by what smoothing takes.
fn smoothed(planes: &[f32], width: usize, height: usize) -> Vec<f32> {
    let (narrow, low) = (width + 1 - SMOOTHING.len(), height + 1 - SMOOTHING.len());
    let mut out = vec![0.0; 3 * narrow * low];
    out.par_chunks_mut(narrow).enumerate().for_each(|(i, out)| {
        let first = (i / low * height + i % low) * width;
        let mut sums = vec![0f32; width];
        for (weight, row) in SMOOTHING.iter().zip(planes[first..].chunks_exact(width)) {
            sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += v * weight);
        }
        for (out, near) in out.iter_mut().zip(sums.windows(SMOOTHING.len())) {
            *out = near.iter().zip(SMOOTHING).map(|(v, weight)| v * weight).sum();
        }
    });
    out
}

/// The weights of the pixel before and of the one behind, for each place within a pixel, and which the former is: 0 the
/// neighbour, 1 the pixel itself.
fn between(place: usize) -> (usize, [f32; 2]) {
    let at = (place as f32 + 0.5) / PAINTED as f32 - 0.5; // from the middle of the pixel
    if at < 0.0 { (0, [-at, 1.0 + at]) } else { (1, [1.0 - at, at]) }
}

fn write<T: Sample>(
    to: &mut Arc<[T]>,
    source: &Picture,
    by: usize,
    part: Rect,
    painted: &Painted<'_>,
    missing: &[f32],
    alpha: Option<&[f32]>,
) {
    let (width, height) = (part.width as usize, part.height as usize);
    let (pitch, around) = (4 * by * source.width() as usize, width + 2);
    let rows = &mut Arc::get_mut(to).unwrap_or_default()[by * part.top as usize * pitch..by * part.bottom() as usize * pitch];
    let shrink = PAINTED / by;
    rows.par_chunks_mut(pitch).enumerate().for_each(|(y, out)| {
        let out = &mut out.as_chunks_mut::<4>().0[by * part.left as usize..by * part.right() as usize];
        for channel in 0..3 {
            let mut sums = vec![0f32; out.len()];
            for dy in 0..shrink {
                let fine = shrink * y + dy; // row of the painted part
                let row = painted.row(channel, PAINTED * (i64::from(part.top) - painted.window.top) as usize + fine, i64::from(part.left));
                let (first, [above, below]) = between(fine % PAINTED);
                let lack = &missing[(channel * (height + 2) + fine / PAINTED + first) * around..][..2 * around];
                let (upper, lower) = lack.split_at(around);
                for (x, v) in row[..PAINTED * width].iter().enumerate() {
                    let (first, [before, behind]) = between(x % PAINTED);
                    let at = x / PAINTED + first;
                    let added =
                        above * (before * upper[at] + behind * upper[at + 1]) + below * (before * lower[at] + behind * lower[at + 1]);
                    sums[x / shrink] += (v.clamp(0.0, 1.0) + added).clamp(0.0, 1.0);
                }
            }
            let scale = T::MAX / (shrink * shrink) as f32;
            out.iter_mut().zip(&sums).for_each(|(pixel, sum)| pixel[channel] = T::nearest(sum * scale));
        }
        let alphas = alpha.map(|alpha| &alpha[y * out.len()..][..out.len()]);
        for (x, pixel) in out.iter_mut().enumerate() {
            pixel[3] = T::nearest(alphas.map_or(T::MAX, |a| a[x]));
        }
    });
}

/// The transparency of a part of the result, as numbers of its depth.
fn alpha<T: Sample>(from: &[T], source: &Picture, part: Rect, by: usize) -> Vec<f32> {
    let width = source.width() as usize;
    let axis = |first: u32, count: u32, length: u32| {
        Axis::new(by * count as usize, f64::from(first), 1.0 / by as f64, length as usize, Filter::Bicubic, Beyond::Last)
    };
    let (x, y) = (axis(part.left, part.width, source.width()), axis(part.top, part.height, source.height()));
    let fetch = |y: usize, left: usize, out: &mut [f32]| {
        let row = &from.as_chunks::<4>().0[y * width + left..];
        out.iter_mut().zip(row).for_each(|(out, [.., a])| *out = a.number());
    };
    rows(&fetch, 1, &x, &y, 0..y.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Puts a whole picture, painted by `paint` of what is shown of it.
    fn enlarged(source: &Picture, by: u32, parts: &[Rect], paint: impl Fn(&[f32], usize, usize) -> Vec<f32>) -> Picture {
        let mut result = Enlarged::new(source, by).unwrap();
        for part in parts {
            let window = Window {
                left: i64::from(part.left) - AROUND as i64,
                top: i64::from(part.top) - AROUND as i64 - 1,
                width: part.width as usize + 2 * AROUND + 3,
                height: part.height as usize + 2 * AROUND + 1,
            };
            let shown = result.shown(window);
            result.put(*part, window, &paint(&shown, window.width, window.height));
        }
        result.finish().unwrap()
    }

    /// Every pixel as a block, with something wrong about it.
    fn blocks(shown: &[f32], width: usize, height: usize, wrong: impl Fn(usize, usize, f32) -> f32) -> Vec<f32> {
        let mut out = Vec::with_capacity(16 * shown.len());
        for plane in shown.chunks_exact(width * height) {
            for (y, row) in (0..4 * height).map(|y| (y, &plane[y / 4 * width..][..width])) {
                out.extend((0..4 * width).map(|x| wrong(x, y, row[x / 4])));
            }
        }
        out
    }

    fn whole(picture: &Picture) -> [Rect; 1] {
        [Rect { left: 0, top: 0, width: picture.width(), height: picture.height() }]
    }

    /// The mean of each block, in the numbers of an 8-bit picture.
    fn means(picture: &Picture, by: usize) -> Vec<[f32; 4]> {
        let (width, rgba) = (picture.width() as usize, picture.to_rgba8());
        let pixels = rgba.as_chunks::<4>().0;
        let mean = |x: usize, y: usize| {
            let all = (0..by * by).map(|i| pixels[(by * y + i / by) * width + by * x + i % by].map(f32::from));
            let sum = all.fold([0.0; 4], |sum: [f32; 4], v| std::array::from_fn(|c| sum[c] + v[c]));
            sum.map(|v| v / (by * by) as f32)
        };
        (0..picture.height() as usize / by).flat_map(|y| (0..width / by).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect()
    }

    fn scene(width: u32, height: u32) -> Picture {
        let value = |i: u32| [40 + 3 * (i % width) as u8, 40 + 4 * (i / width) as u8, 120];
        Picture::from_rgb8(width, height, &(0..width * height).flat_map(value).collect::<Vec<u8>>()).unwrap()
    }

    #[test]
    fn colours_that_a_painter_gets_wrong_are_brought_back() {
        let source = scene(24, 18);
        // A third darker, and a pattern within every pixel.
        let darker =
            |shown: &[f32], w: usize, h: usize| blocks(shown, w, h, |x, y, v| v * 0.7 + if (x + y) % 2 == 0 { 0.02 } else { -0.02 });
        for by in [2, 4] {
            let made = enlarged(&source, by, &whole(&source), darker);
            assert_eq!((made.width(), made.height()), (24 * by, 18 * by));
            let rgba = source.to_rgba8();
            for (mean, want) in means(&made, by as usize).iter().zip(rgba.as_chunks::<4>().0) {
                for c in 0..3 {
                    assert!((mean[c] - f32::from(want[c])).abs() < 2.0, "{mean:?} instead of {want:?}");
                }
            }
        }
        // The pattern is still there: only what the source can tell is put right.
        let made = enlarged(&source, 4, &whole(&source), darker).to_rgba8();
        assert!((i16::from(made[0]) - i16::from(made[4])).abs() >= 8);
    }

    #[test]
    fn parts_meet_without_a_seam() {
        let source = scene(25, 17);
        let wrong = |shown: &[f32], w: usize, h: usize| blocks(shown, w, h, |_, _, v| v * v);
        let rect = |left, top, width, height| Rect { left, top, width, height };
        let parts = [rect(0, 0, 11, 9), rect(11, 0, 14, 9), rect(0, 9, 11, 8), rect(11, 9, 14, 8)];
        for by in [2, 4] {
            assert_eq!(enlarged(&source, by, &parts, wrong), enlarged(&source, by, &whole(&source), wrong));
        }
    }

    #[test]
    fn what_is_opaque_stays_so_and_what_cannot_be_seen_has_no_colour_to_give() {
        // A red disc on green that nobody sees.
        let inside = |i: u32| (i % 16).abs_diff(8).pow(2) + (i / 16).abs_diff(8).pow(2) <= 20;
        let pixel = |i: u32| if inside(i) { [65_535u16, 0, 0, 65_535] } else { [0, 65_535, 0, 0] };
        let source = Picture::new(16, 16, Pixels::Rgba16((0..256).flat_map(pixel).collect())).unwrap();
        let smooth = |shown: &[f32], w: usize, h: usize| blocks(shown, w, h, |_, _, v| v);
        let made = enlarged(&source, 4, &whole(&source), smooth);
        let Pixels::Rgba16(samples) = made.pixels() else { panic!("the depth is lost") };
        let pixels = samples.as_chunks::<4>().0;
        assert_eq!(pixels[32 * 64 + 32], [65_535, 0, 0, 65_535]);
        assert_eq!(pixels[0][3], 0);
        assert!(pixels.iter().any(|p| (1..65_535).contains(&p[3])), "the edge is smooth");
        let visible_green = pixels.iter().filter(|p| p[3] > 3000).map(|p| p[1]).max();
        assert_eq!(visible_green, Some(0), "green shines through at the edge");
    }

    #[test]
    fn sixteen_bits_are_more_than_eight() {
        let source = Picture::new(8, 8, Pixels::Rgba16((0..64).flat_map(|i| [30_000 + i, 0, 0, 65_535]).collect())).unwrap();
        let made = enlarged(&source, 2, &whole(&source), |shown, w, h| blocks(shown, w, h, |_, _, v| v));
        let Pixels::Rgba16(samples) = made.pixels() else { panic!("the depth is lost") };
        let values: std::collections::BTreeSet<u16> = samples.as_chunks::<4>().0.iter().map(|p| p[0]).collect();
        assert_eq!(values, (30_000..30_064).collect());
    }

    #[test]
    fn results_have_a_largest_size() {
        let long = Picture::from_rgb8(20_000, 1, &vec![0; 60_000]).unwrap();
        assert!(Enlarged::new(&long, 2).is_ok());
        let said = Enlarged::new(&long, 4).err().unwrap().to_string();
        assert!(said.contains("80000 x 4"), "{said}");
    }
}
