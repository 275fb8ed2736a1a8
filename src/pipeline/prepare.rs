//! A reference picture as the networks want it.

use super::Result;
use crate::imaging::{Filter, Picture, resize_rgb};
use candle_core::{Device, Tensor};

/// The picture squashed to a square, for TA-Tok: `(1, 3, side, side)` in -1..1.
///
/// # Errors      the tensor cannot be made
/// # Source      transformers 4.51.3 `SiglipImageProcessor` with its defaults but for the size
pub fn vision_pixels(picture: &Picture, side: usize) -> Result<Tensor> {
    let from = (picture.width() as usize, picture.height() as usize);
    let rgb = resize_rgb(&picture.to_rgb8(), from, (side, side), Filter::Bicubic);
    // 1/255 in f64 and rounded, then centred in f32, as numpy does it there.
    tensor(&rgb, (side, side), |v| (((f64::from(v) * (1.0 / 255.0)) as f32) - 0.5) / 0.5)
}

/// The middle of the picture with its short side resized to `side`, for the autoencoder: `(1, 3, side, side)` in -1..1.
///
/// # Errors      the tensor cannot be made
/// # Source      torchvision `v2.Resize`, `v2.CenterCrop` as BLIP3o-NEXT `inference_editing.py` calls them
pub fn reference_pixels(picture: &Picture, side: usize) -> Result<Tensor> {
    let from = (picture.width() as usize, picture.height() as usize);
    let long = |short: usize, long: usize| (side as f64 * long as f64 / short as f64) as usize;
    let to = if from.0 <= from.1 { (side, long(from.0, from.1)) } else { (long(from.1, from.0), side) };
    let rgb = resize_rgb(&picture.to_rgb8(), from, to, Filter::Bilinear);
    let offset = |n: usize| ((n - side) as f64 / 2.0).round_ties_even() as usize;
    let (left, top) = (offset(to.0), offset(to.1));
    let rows = rgb.chunks_exact(3 * to.0).skip(top).take(side);
    let middle: Vec<u8> = rows.flat_map(|row| &row[3 * left..3 * (left + side)]).copied().collect();
    tensor(&middle, (side, side), |v| (f32::from(v) / 255.0 - 0.5) / 0.5)
}

fn tensor(rgb: &[u8], (w, h): (usize, usize), value: impl Fn(u8) -> f32) -> Result<Tensor> {
    let planes: Vec<f32> = (0..3).flat_map(|c| rgb.iter().skip(c).step_by(3).map(|v| value(*v)).collect::<Vec<_>>()).collect();
    Ok(Tensor::from_vec(planes, (1, 3, h, w), &Device::Cpu)?)
}
