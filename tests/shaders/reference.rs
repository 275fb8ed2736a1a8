//! Pictures to draw, and the same drawing on the processor.

use pentimento::imaging::{Picture, Pixels, Pyramid};
use std::sync::Arc;

/// A picture from a rule.
pub fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
    let bytes: Vec<u8> = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
    Picture::new(width, height, Pixels::Rgba8(bytes.into())).unwrap()
}

pub fn pyramid(picture: &Picture) -> Arc<Pyramid> {
    Arc::new(Pyramid::new(picture))
}

/// Chance numbers that differ in every pixel, the same in every run.
pub fn noise(x: u32, y: u32) -> [u8; 4] {
    let mut v = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    v = (v ^ (v >> 15)).wrapping_mul(0x2c1b_3c6d);
    v = (v ^ (v >> 12)).wrapping_mul(0x297a_2d39);
    let [r, g, b, _] = (v ^ (v >> 15)).to_le_bytes();
    [r, g, b, 255]
}

pub fn light(value: f64) -> f64 {
    let v = value / 255.0;
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

pub fn from_light(v: f64) -> f64 {
    255.0 * if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

/// An opaque level of a pyramid as one whole, filtered as the shader filters tiles of it.
pub struct Whole<'a> {
    pub pyramid: &'a Pyramid,
    pub level: usize,
}

impl Whole<'_> {
    /// Between the four nearest pixels, by the linear filter. The place is in pixels of the level.
    fn linear(&self, x: f64, y: f64) -> [f64; 3] {
        let level = &self.pyramid.levels()[self.level];
        let (x, y) = (x - 0.5, y - 0.5);
        let (left, top) = (x.floor(), y.floor());
        let pixel = |x: f64, y: f64, c: usize| {
            let x = x.clamp(0.0, f64::from(level.width() - 1)) as usize;
            let y = y.clamp(0.0, f64::from(level.height() - 1)) as usize;
            f64::from(level.pixels()[4 * (y * level.width() as usize + x) + c])
        };
        let (u, v) = (x - left, y - top);
        std::array::from_fn(|c| {
            let row = |y: f64| pixel(left, y, c) * (1.0 - u) + pixel(left + 1.0, y, c) * u;
            row(top) * (1.0 - v) + row(top + 1.0) * v
        })
    }

    /// A physical pixel of `1 / scale` of the level's pixels, with its middle at a place.
    pub fn reduced(&self, x: f64, y: f64, scale: f64) -> [u8; 4] {
        let spread = ((1.0 / scale - 1.0) / 2.0).clamp(0.0, 0.5);
        let taps = [(-1.0, -1.0), (1.0, -1.0), (-1.0, 1.0), (1.0, 1.0)].map(|(h, v)| self.linear(x + h * spread, y + v * spread));
        let mean = |c: usize| (taps.iter().map(|tap| tap[c] * tap[c]).sum::<f64>() / 4.0).sqrt();
        [mean(0), mean(1), mean(2), 255.0].map(|v| v.round() as u8)
    }
}
