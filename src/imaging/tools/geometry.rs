//! Crop, turn, mirror and straighten.

use super::super::samples::Sample;
use super::super::{Picture, Pixels, Rect, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// The shape of a crop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Ratio {
    #[default]
    Free,
    /// The picture's own.
    Own,
    /// Width to height.
    Of(u32, u32),
}

impl Ratio {
    /// Width by height for a picture of `size`; `None` where it is free.
    pub fn value(self, size: [u32; 2]) -> Option<f64> {
        match self {
            Self::Free => None,
            Self::Own => Some(f64::from(size[0]) / f64::from(size[1])),
            Self::Of(w, h) => Some(f64::from(w.max(1)) / f64::from(h.max(1))),
        }
    }

    /// The largest part of this shape about the middle of `part`, within it.
    pub fn within(self, part: Rect, size: [u32; 2]) -> Rect {
        let Some(ratio) = self.value(size) else { return part };
        let (w, h) = (f64::from(part.width), f64::from(part.height));
        let width = (h * ratio).min(w).round().max(1.0) as u32;
        let height = (w / ratio).min(h).round().max(1.0) as u32;
        Rect { left: part.left + (part.width - width) / 2, top: part.top + (part.height - height) / 2, width, height }
    }
}

/// A picture of which each pixel is one of another.
fn picked(picture: &Picture, [width, height]: [u32; 2], from: impl Fn(usize, usize) -> usize + Sync) -> Result<Picture> {
    fn rows<T: Sample>(pixels: &[T], [width, height]: [u32; 2], from: &(impl Fn(usize, usize) -> usize + Sync)) -> Arc<[T]> {
        let pixels = pixels.as_chunks::<4>().0;
        let row = |y: usize| (0..width as usize).map(move |x| pixels[from(x, y)]).collect::<Vec<_>>();
        let rows: Vec<Vec<[T; 4]>> = (0..height as usize).into_par_iter().map(row).collect();
        rows.iter().flatten().flatten().copied().collect()
    }
    let pixels = match picture.pixels() {
        Pixels::Rgba8(v) => Pixels::Rgba8(rows(v, [width, height], &from)),
        Pixels::Rgba16(v) => Pixels::Rgba16(rows(v, [width, height], &from)),
    };
    Picture::new(width, height, pixels)
}

pub(super) fn crop(picture: &Picture, part: Rect) -> Result<Picture> {
    let width = picture.width() as usize;
    picked(picture, [part.width, part.height], |x, y| (y + part.top as usize) * width + x + part.left as usize)
}

pub(super) fn turn(picture: &Picture, quarters: u8) -> Result<Picture> {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    let own = [picture.width(), picture.height()];
    match quarters {
        1 => picked(picture, [own[1], own[0]], |x, y| (h - 1 - x) * w + y),
        2 => picked(picture, own, |x, y| (h - 1 - y) * w + w - 1 - x),
        _ => picked(picture, [own[1], own[0]], |x, y| x * w + w - 1 - y),
    }
}

pub(super) fn mirror(picture: &Picture) -> Result<Picture> {
    let w = picture.width() as usize;
    picked(picture, [picture.width(), picture.height()], |x, y| y * w + w - 1 - x)
}

pub(super) fn flip(picture: &Picture) -> Result<Picture> {
    let (w, h) = (picture.width() as usize, picture.height() as usize);
    picked(picture, [picture.width(), picture.height()], |x, y| (h - 1 - y) * w + x)
}

/// The largest size of the picture's own shape that a turned picture fills without empty corners.
pub fn straightened_size(size: [u32; 2], degrees: f32) -> [u32; 2] {
    if degrees == 0.0 {
        return size;
    }
    let [w, h] = size.map(f64::from);
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let (sin, cos) = (sin.abs(), cos.abs());
    let scale = (w / (w * cos + h * sin)).min(h / (w * sin + h * cos));
    [w, h].map(|side| ((side * scale).floor() as u32).max(1))
}

/// Turned clockwise about the middle; sampled bicubically in linear light, weighted by alpha.
pub(super) fn straighten(picture: &Picture, degrees: f32) -> Result<Picture> {
    let size = straightened_size([picture.width(), picture.height()], degrees);
    let pixels = match picture.pixels() {
        Pixels::Rgba8(v) => Pixels::Rgba8(turned(v, picture, size, degrees)),
        Pixels::Rgba16(v) => Pixels::Rgba16(turned(v, picture, size, degrees)),
    };
    Picture::new(size[0], size[1], pixels)
}

fn turned<T: Sample>(samples: &[T], picture: &Picture, [width, height]: [u32; 2], degrees: f32) -> Arc<[T]> {
    let pixels = samples.as_chunks::<4>().0;
    let (w, h) = (i64::from(picture.width()), i64::from(picture.height()));
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let light = |x: i64, y: i64| {
        let [r, g, b, a] = pixels[(y.clamp(0, h - 1) * w + x.clamp(0, w - 1)) as usize];
        let alpha = a.number() / T::MAX;
        [r.light() * alpha, g.light() * alpha, b.light() * alpha, alpha]
    };
    let pixel = |x: u32, y: u32| {
        let (dx, dy) = (f64::from(x) + 0.5 - f64::from(width) / 2.0, f64::from(y) + 0.5 - f64::from(height) / 2.0);
        let (sx, sy) = (cos * dx + sin * dy + w as f64 / 2.0 - 0.5, cos * dy - sin * dx + h as f64 / 2.0 - 0.5);
        let (left, top) = (sx.floor(), sy.floor());
        let (across, down) = (weights((sx - left) as f32), weights((sy - top) as f32));
        let mut sum = [0.0f32; 4];
        for (j, v) in down.iter().enumerate() {
            for (i, u) in across.iter().enumerate() {
                let from = light(left as i64 + i as i64 - 1, top as i64 + j as i64 - 1);
                (0..4).for_each(|c| sum[c] += u * v * from[c]);
            }
        }
        back(sum)
    };
    let row = |y: u32| (0..width).flat_map(|x| pixel(x, y)).collect::<Vec<T>>();
    let rows: Vec<Vec<T>> = (0..height).into_par_iter().map(row).collect();
    rows.concat().into()
}

/// Of the four samples about a point that lies `t` behind the second (Catmull and Rom).
fn weights(t: f32) -> [f32; 4] {
    [((-0.5 * t + 1.0) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1.0, ((-1.5 * t + 2.0) * t + 0.5) * t, (0.5 * t - 0.5) * t * t]
}

/// Linear light times alpha, and alpha, as samples.
pub(super) fn back<T: Sample>([r, g, b, a]: [f32; 4]) -> [T; 4] {
    let alpha = a.clamp(0.0, 1.0);
    let colour = |v: f32| T::nearest_to_light(if a > 0.0 { v / a } else { 0.0 });
    [colour(r), colour(g), colour(b), T::nearest(alpha * T::MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_corner_is_empty() {
        for degrees in [-45.0f32, -10.0, -0.3, 0.1, 7.0, 30.0, 45.0] {
            for size in [[400u32, 300], [300, 400], [1000, 20], [50, 50]] {
                let [w, h] = straightened_size(size, degrees).map(f64::from);
                let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
                for (x, y) in [(w, h), (w, -h), (-w, h), (-w, -h)] {
                    let (sx, sy) = (cos * x / 2.0 + sin * y / 2.0, cos * y / 2.0 - sin * x / 2.0);
                    assert!(
                        sx.abs() <= f64::from(size[0]) / 2.0 + 1e-6 && sy.abs() <= f64::from(size[1]) / 2.0 + 1e-6,
                        "{size:?} {degrees}"
                    );
                }
                assert!(w / h > 0.7 * f64::from(size[0]) / f64::from(size[1]) || h < 8.0);
            }
        }
    }

    #[test]
    fn a_mark_goes_clockwise() {
        // A bright dot right of the middle goes down.
        let rgb: Vec<u8> = (0..41 * 41).flat_map(|i| if (i % 41, i / 41) == (30, 20) { [255; 3] } else { [0; 3] }).collect();
        let picture = Picture::from_rgb8(41, 41, &rgb).unwrap();
        let made = straighten(&picture, 45.0).unwrap();
        let bytes = made.to_rgb8();
        let brightest = (0..bytes.len() / 3).max_by_key(|i| bytes[3 * i]).unwrap();
        let (x, y) = (brightest % made.width() as usize, brightest / made.width() as usize);
        assert!(x > made.width() as usize / 2 + 4 && y > made.height() as usize / 2 + 4, "{x} {y}");
        let turned = turn(&picture, 1).unwrap().to_rgb8();
        assert_eq!(turned.iter().position(|v| *v == 255).map(|i| (i / 3 % 41, i / 3 / 41)), Some((20, 30)));
    }

    #[test]
    fn a_ratio_fits_into_what_is_given() {
        let part = Rect { left: 10, top: 10, width: 100, height: 50 };
        assert_eq!(Ratio::Of(1, 1).within(part, [200, 200]), Rect { left: 35, top: 10, width: 50, height: 50 });
        assert_eq!(Ratio::Of(4, 1).within(part, [200, 200]), Rect { left: 10, top: 22, width: 100, height: 25 });
        assert_eq!(Ratio::Free.within(part, [200, 200]), part);
    }
}
