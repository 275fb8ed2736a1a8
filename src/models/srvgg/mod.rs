//! `SRVGGNetCompact`, the upscaler: a row of convolutions at the size of the source whose channels are then laid out as
//! pixels, on top of the source with every pixel repeated.

use super::layers::{Conv2d, exact};
use super::{Probe, kernels};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

/// The sizes of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Channels of a picture.
    pub channels: usize,
    pub features: usize,
    /// Convolutions between the first and the last.
    pub inner: usize,
    pub scale: usize,
}

impl Config {
    /// `realesr-animevideov3`.
    pub const ANIME_VIDEO: Self = Self { channels: 3, features: 64, inner: 16, scale: 4 };

    /// How many pixels of the source around it an output pixel depends on.
    pub const fn reach(&self) -> usize {
        self.inner + 2
    }
}

/// The network.
pub struct SrvggNetCompact {
    /// All convolutions but the last, each with the slopes behind it.
    body: Vec<(Conv2d, Tensor)>,
    last: Conv2d,
    scale: usize,
}

impl SrvggNetCompact {
    /// Keys `body.{i}.weight` and `body.{i}.bias`: convolutions at even places, slopes at odd ones.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: Config, vb: &VarBuilder) -> Result<Self> {
        let vb = vb.pp("body");
        let layer = |i: usize| -> Result<(Conv2d, Tensor)> {
            let inputs = if i == 0 { cfg.channels } else { cfg.features };
            let convolution = Conv2d::new(inputs, cfg.features, 3, 1, true, &vb.pp(2 * i))?;
            Ok((convolution, exact(&vb.pp(2 * i + 1), cfg.features, "weight")?))
        };
        let body = (0..=cfg.inner).map(layer).collect::<Result<Vec<_>>>()?;
        let outputs = cfg.channels * cfg.scale * cfg.scale;
        let last = Conv2d::new(cfg.features, outputs, 3, 1, true, &vb.pp(2 * body.len()))?;
        Ok(Self { body, last, scale: cfg.scale })
    }

    /// How often [`Self::forward`] asks its probe whether to go on.
    pub fn pulses(&self) -> usize {
        self.body.len() + 1
    }

    /// Enlarges.
    ///
    /// # Shapes
    /// - `x`: `(B, channels, H, W)`, 0..1; returns `(B, channels, scale · H, scale · W)`, about 0..1
    /// # Errors      the device fails, or the probe ends it
    /// # Source      Real-ESRGAN `SRVGGNetCompact.forward`
    pub fn forward(&self, x: &Tensor, probe: &mut dyn Probe) -> Result<Tensor> {
        let mut y = x.clone();
        for (convolution, slope) in &self.body {
            y = convolution.forward_prelu(&y, slope)?;
            probe.pulse()?;
        }
        y = self.last.forward(&y)?;
        probe.pulse()?;
        kernels::add_shuffled(x, &y, self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::kernels::testing::{assert_close, noise};
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    /// A network with random weights that are small enough for a long row of layers.
    fn network(cfg: Config) -> SrvggNetCompact {
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        SrvggNetCompact::new(cfg, &vb).unwrap();
        let mut all: Vec<_> = weights.data().lock().unwrap().clone().into_iter().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        for (i, (_, var)) in all.iter().enumerate() {
            var.set(&(noise(i as u64, var.dims()) * 0.4).unwrap()).unwrap();
        }
        SrvggNetCompact::new(cfg, &vb).unwrap()
    }

    #[test]
    fn channels_become_pixels_and_the_source_lies_below() {
        let cfg = Config { channels: 3, features: 8, inner: 1, scale: 4 };
        let net = network(cfg);
        let x = noise(5, &[1, 3, 6, 7]);
        let made = net.forward(&x, &mut ()).unwrap();
        let mut y = x.clone();
        for (convolution, slope) in &net.body {
            y = convolution.forward_prelu(&y, slope).unwrap();
        }
        let y = net.last.forward(&y).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let (made, x) = (made.flatten_all().unwrap().to_vec1::<f32>().unwrap(), x.flatten_all().unwrap().to_vec1::<f32>().unwrap());
        for (at, value) in made.iter().enumerate() {
            let (channel, row, column) = (at / (24 * 28), at / 28 % 24, at % 28);
            let pixel = row / 4 * 7 + column / 4;
            let want = y[(channel * 16 + row % 4 * 4 + column % 4) * 42 + pixel] + x[channel * 42 + pixel];
            assert!((value - want).abs() < 1e-6, "{channel} {row} {column}: {value} instead of {want}");
        }
    }

    #[test]
    fn nothing_beyond_its_reach_matters_and_what_is_within_does() {
        let cfg = Config { channels: 1, features: 4, inner: 2, scale: 2 };
        let net = network(cfg);
        let x = noise(6, &[1, 1, 23, 31]);
        let whole = net.forward(&x, &mut ()).unwrap();
        // The middle of a part is that of the whole where the part has the reach around it, and not where it has less.
        for (around, is_enough) in [(cfg.reach(), true), (cfg.reach() - 1, false)] {
            let part = x.narrow(2, 10 - around, 3 + 2 * around).unwrap().narrow(3, 12 - around, 5 + 2 * around).unwrap();
            let made = net.forward(&part.contiguous().unwrap(), &mut ()).unwrap();
            let middle = made.narrow(2, 2 * around, 6).unwrap().narrow(3, 2 * around, 10).unwrap();
            let wanted = whole.narrow(2, 20, 6).unwrap().narrow(3, 24, 10).unwrap();
            if is_enough {
                assert_close(&middle, &wanted);
            } else {
                assert!(kernels::testing::distance(&middle, &wanted) > 1e-4);
            }
        }
    }
}
