//! What latents look like, without the decoder: a linear map from a latent pixel to a small block of colours.
//!
//! The map is fitted once per autoencoder, by least squares on its own encodings of synthetic pictures, and cached under
//! the hash of the encoder's weights.

use super::load::{Checkpoint, Part};
use super::rng::{Rng, Stream};
use super::{Error, Result};
use crate::imaging::Picture;
use crate::models::Probe;
use crate::models::dc_ae::{Encoder, Strips};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;

/// Colour pixels along one side of a latent pixel.
pub const BLOCK: usize = 4;

/// Outputs per latent pixel: red, green and blue of a block, row by row.
const OUTPUTS: usize = 3 * BLOCK * BLOCK;

/// Latents (scaled, as the transformer has them) to colours in 0..1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PreviewMap {
    /// Channels of a latent pixel.
    pub channels: usize,
    /// `(channels + 1, BLOCK, BLOCK, 3)`: a row per channel, and the constant.
    pub weights: Vec<f32>,
}

/// Latents on the CPU, `(channels, height, width)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub values: Vec<f32>,
}

impl Latents {
    /// From `(1, C, H, W)` on any device.
    ///
    /// # Errors      the device fails
    pub fn from_tensor(tensor: &Tensor) -> candle_core::Result<Self> {
        let (_, channels, height, width) = tensor.dims4()?;
        let values = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Self { channels, height, width, values })
    }
}

impl Latents {
    /// `(1, C, H, W)` f32 on a device.
    ///
    /// # Errors      the values are not as many as the sides say, or the device fails
    pub fn to_tensor(&self, device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_slice(&self.values, (1, self.channels, self.height, self.width), device)
    }

    /// What the transformer took for the finished picture at the step that led from these latents to `next`:
    /// x0 = x - sigma · v, with v from the Euler step itself.
    #[must_use]
    pub fn predicted(&self, next: &Self, sigma: f32, sigma_next: f32) -> Self {
        let along = sigma / (sigma_next - sigma);
        let values = self.values.iter().zip(&next.values).map(|(x, n)| x - (n - x) * along).collect();
        Self { values, ..*self }
    }
}

impl PreviewMap {
    /// The picture that the map makes of latents, on the CPU; the window has the same as a shader.
    ///
    /// # Errors      the latents have another number of channels
    pub fn apply(&self, latents: &Latents) -> Result<Picture> {
        let Latents { channels, height, width, values } = latents;
        if *channels != self.channels || values.len() != channels * height * width {
            return Err(Error::Preview(format!("a map for {} channels on {channels}", self.channels)));
        }
        let (w, h) = (width * BLOCK, height * BLOCK);
        let mut rgb = vec![0u8; 3 * w * h];
        for y in 0..*height {
            for x in 0..*width {
                let mut out: [f32; OUTPUTS] = std::array::from_fn(|i| self.weights[channels * OUTPUTS + i]);
                for c in 0..*channels {
                    let value = values[(c * height + y) * width + x];
                    out.iter_mut().zip(&self.weights[c * OUTPUTS..]).for_each(|(o, weight)| *o += value * weight);
                }
                for (i, value) in out.iter().enumerate() {
                    let (row, column, part) = (i / 3 / BLOCK, i / 3 % BLOCK, i % 3);
                    rgb[((y * BLOCK + row) * w + x * BLOCK + column) * 3 + part] = (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
                }
            }
        }
        Picture::from_rgb8(w as u32, h as u32, &rgb).map_err(|e| Error::Preview(e.to_string()))
    }

    /// The map of a checkpoint's autoencoder, if it was fitted before. A cache that cannot be read is no error.
    pub fn cached(checkpoint: &Checkpoint, cache: Option<&Path>) -> Option<Self> {
        let channels = checkpoint.configs.vae.latent_channels;
        let map: Self = serde_json::from_slice(&fs::read(path(checkpoint, cache?)).ok()?).ok()?;
        (map.channels == channels && map.is_whole()).then_some(map)
    }

    /// Whether the weights are as many as the channels say, and numbers.
    pub fn is_whole(&self) -> bool {
        let count = self.channels.checked_add(1).and_then(|n| n.checked_mul(OUTPUTS));
        count == Some(self.weights.len()) && self.weights.iter().all(|w| w.is_finite())
    }

    /// Fits the map and caches it. A cache that cannot be written is no error.
    ///
    /// # Errors      cancelled, or the encoder fails
    pub fn fit(
        checkpoint: &Checkpoint,
        encoder: &Encoder,
        cache: Option<&Path>,
        device: &Device,
        dtype: DType,
        probe: &mut dyn Probe,
    ) -> Result<Self> {
        let vae = &checkpoint.configs.vae;
        let shift = vae.shift_factor.unwrap_or(0.0);
        let encode = |pixels: Tensor| -> Result<Latents> {
            let raw = encoder.forward(&pixels.to_device(device)?.to_dtype(dtype)?, Strips::DEFAULT, &mut ())?;
            Ok(Latents::from_tensor(&((raw - shift)? * vae.scaling_factor)?)?)
        };
        let map = fit(encode, vae.compression(), probe)?;
        if let Some(path) = cache.map(|folder| path(checkpoint, folder)) {
            let saved = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, serde_json::to_vec(&map)?));
            if let Err(error) = saved {
                tracing::warn!("the preview map is not cached: {error}: {}", path.display());
            }
        }
        Ok(map)
    }
}

fn path(checkpoint: &Checkpoint, cache: &Path) -> std::path::PathBuf {
    cache.join(format!("{}.json", hash(checkpoint)))
}

/// A hash of the encoder's weights as stored.
fn hash(checkpoint: &Checkpoint) -> String {
    let mut sha = Sha256::new();
    sha.update([BLOCK as u8, 1]); // the form of the map, and its version
    for (name, entry) in checkpoint.tensors.0.iter().filter(|(name, _)| name.starts_with("model.sana_vae.encoder.")) {
        sha.update(name);
        sha.update(entry.raw());
    }
    format!("{:x}", sha.finalize())
}

/// Latent pixels along one side of a synthetic picture, and how many pictures the fit takes.
const SIDE: usize = 8;
const PICTURES: usize = 12;

/// Least squares from the latents of synthetic pictures to their own colours.
fn fit(encode: impl Fn(Tensor) -> Result<Latents>, compression: usize, probe: &mut dyn Probe) -> Result<PreviewMap> {
    let side = SIDE * compression;
    let block = compression.div_ceil(BLOCK).max(1);
    let mut sums = Normal::default();
    for index in 0..PICTURES {
        probe.pulse()?;
        let rgb = synthetic(index, side);
        let planes: Vec<f32> = (0..3).flat_map(|c| rgb.iter().map(move |p| p[c] * 2.0 - 1.0)).collect();
        let latents = encode(Tensor::from_vec(planes, (1, 3, side, side), &Device::Cpu)?)?;
        for y in 0..SIDE {
            for x in 0..SIDE {
                let input: Vec<f64> =
                    (0..latents.channels).map(|c| f64::from(latents.values[(c * SIDE + y) * SIDE + x])).chain([1.0]).collect();
                let output = (0..OUTPUTS).map(|i| {
                    let (row, column, part) = (i / 3 / BLOCK, i / 3 % BLOCK, i % 3);
                    let (top, left) = (y * compression + row * compression / BLOCK, x * compression + column * compression / BLOCK);
                    let cells = (0..block * block).map(|k| rgb[(top + k / block) * side + left + k % block][part]);
                    f64::from(cells.sum::<f32>()) / (block * block) as f64
                });
                sums.add(&input, output);
            }
        }
    }
    let channels = sums.inputs - 1;
    let weights = sums.solve().ok_or_else(|| Error::Preview("the latents do not tell colours apart".to_owned()))?;
    Ok(PreviewMap { channels, weights })
}

/// The sums that least squares needs: xᵀx and xᵀy.
#[derive(Default)]
struct Normal {
    inputs: usize,
    xx: Vec<f64>,
    xy: Vec<f64>,
}

impl Normal {
    fn add(&mut self, x: &[f64], y: impl Iterator<Item = f64>) {
        let n = x.len();
        self.inputs = n;
        self.xx.resize(n * n, 0.0);
        self.xy.resize(n * OUTPUTS, 0.0);
        let y: Vec<f64> = y.collect();
        for (i, xi) in x.iter().enumerate() {
            self.xx[i * n..(i + 1) * n].iter_mut().zip(x).for_each(|(s, xj)| *s += xi * xj);
            self.xy[i * OUTPUTS..(i + 1) * OUTPUTS].iter_mut().zip(&y).for_each(|(s, yj)| *s += xi * yj);
        }
    }

    /// Gauss and Jordan with pivots; a little ridge keeps channels that say nothing at zero.
    fn solve(mut self) -> Option<Vec<f32>> {
        let n = self.inputs;
        let ridge = 1e-4 * (0..n).map(|i| self.xx[i * n + i]).sum::<f64>() / n as f64;
        for i in 0..n - 1 {
            self.xx[i * n + i] += ridge;
        }
        for column in 0..n {
            let pivot = (column..n).max_by(|a, b| self.xx[a * n + column].abs().total_cmp(&self.xx[b * n + column].abs()))?;
            for j in 0..n {
                self.xx.swap(pivot * n + j, column * n + j);
            }
            for j in 0..OUTPUTS {
                self.xy.swap(pivot * OUTPUTS + j, column * OUTPUTS + j);
            }
            let scale = self.xx[column * n + column];
            if !scale.is_normal() {
                return None;
            }
            for row in (0..n).filter(|r| *r != column) {
                let factor = self.xx[row * n + column] / scale;
                for j in 0..n {
                    self.xx[row * n + j] -= factor * self.xx[column * n + j];
                }
                for j in 0..OUTPUTS {
                    self.xy[row * OUTPUTS + j] -= factor * self.xy[column * OUTPUTS + j];
                }
            }
        }
        let value = |i: usize| (self.xy[i] / self.xx[(i / OUTPUTS) * (n + 1)]) as f32;
        let solution: Vec<f32> = (0..n * OUTPUTS).map(value).collect();
        solution.iter().all(|v| v.is_finite()).then_some(solution)
    }
}

/// A picture of soft slopes, discs and bars in chance colours, in 0..1.
fn synthetic(index: usize, side: usize) -> Vec<[f32; 3]> {
    let mut rng = Rng::new(index as u64, Stream::Noise);
    let mut chance = move || rng.uniform() as f32;
    let mut colour = || [chance(), chance(), chance()];
    let (a, b, c, d) = (colour(), colour(), colour(), colour());
    let mut shapes = Vec::new();
    for _ in 0..10 {
        let (tint, place) = (colour(), colour());
        shapes.push((tint, place[0], place[1], 0.04 + 0.2 * place[2]));
    }
    let mix = |a: [f32; 3], b: [f32; 3], t: f32| std::array::from_fn(|i| a[i] + (b[i] - a[i]) * t);
    let pixel = |i: usize| {
        let (x, y) = ((i % side) as f32 / side as f32, (i / side) as f32 / side as f32);
        let mut colour: [f32; 3] = mix(mix(a, b, x), mix(c, d, x), y);
        for (n, (tint, cx, cy, size)) in shapes.iter().enumerate() {
            let (dx, dy) = (x - cx, y - cy);
            let inside = if n % 2 == 0 { dx * dx + dy * dy < size * size } else { dx.abs() < *size && dy.abs() < size / 3.0 };
            if inside {
                colour = *tint;
            }
        }
        colour
    };
    (0..side * side).map(pixel).collect()
}

/// The parts that the fit needs.
pub const PARTS: [Part; 1] = [Part::Encoder];
