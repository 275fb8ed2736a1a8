//! Latents to pictures, the wide levels strip by strip.

use super::blocks::{Block, ResBlock};
use super::sampling::Upsample;
use super::strips::{Strips, gathered};
use super::{BlockType, Config};
use crate::models::Probe;
use crate::models::layers::{ChannelRmsNorm, Conv2d};
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use std::ops::Range;

struct Level {
    up: Option<Upsample>,
    blocks: Vec<Block>,
    /// True where a row of the output depends on a few rows of the input only.
    local: bool,
    channels: usize,
}

/// The decoder half.
pub struct Decoder {
    conv_in: Conv2d,
    up_blocks: Vec<Level>,
    norm_out: ChannelRmsNorm,
    conv_out: Conv2d,
    repeats: usize,
}

impl Level {
    fn new(cfg: &Config, i: usize, vb: &VarBuilder) -> Result<Self> {
        let (channels, layers) = (&cfg.decoder_block_out_channels, cfg.decoder_layers_per_block[i]);
        let up = channels.get(i + 1).map(|from| Upsample::new(*from, channels[i], &vb.pp(0))).transpose()?;
        let first = usize::from(up.is_some());
        let block = |j: usize| Block::new(cfg.decoder_block_types[i], channels[i], &cfg.decoder_qkv_multiscales[i], cfg, &vb.pp(first + j));
        let local = up.is_some() && cfg.decoder_block_types[i] == BlockType::ResBlock;
        Ok(Self { up, blocks: (0..layers).map(block).collect::<Result<_>>()?, local, channels: channels[i] })
    }

    /// Takes its input along, so that this is let go when nothing needs it any more.
    fn forward(&self, mut x: Tensor, probe: &mut dyn Probe) -> Result<Tensor> {
        if let Some(up) = &self.up {
            x = up.forward(&x)?;
        }
        for block in &self.blocks {
            x = block.forward(&x)?;
            probe.pulse()?;
        }
        Ok(x)
    }

    /// The output rows `rows` of a local level, from the whole input.
    fn forward_rows(&self, x: &Tensor, rows: Range<usize>, probe: &mut dyn Probe) -> Result<Tensor> {
        let input_rows = x.dim(2)?;
        let reach = ResBlock::REACH * self.blocks.len() + Upsample::REACH;
        let from = rows.start.saturating_sub(reach) / 2;
        let to = (rows.end + reach).div_ceil(2).min(input_rows);
        let made = self.forward(x.narrow(2, from, to - from)?.contiguous()?, probe)?;
        made.narrow(2, rows.start - 2 * from, rows.len())
    }
}

impl Decoder {
    /// `vb` is the decoder itself: keys `conv_in`, `up_blocks.{level}.{index}`, `norm_out`, `conv_out`.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let channels = &cfg.decoder_block_out_channels;
        let top = channels[channels.len() - 1];
        Ok(Self {
            conv_in: Conv2d::new(cfg.latent_channels, top, 3, 1, true, &vb.pp("conv_in"))?,
            up_blocks: (0..channels.len()).map(|i| Level::new(cfg, i, &vb.pp("up_blocks").pp(i))).collect::<Result<_>>()?,
            norm_out: ChannelRmsNorm::new(channels[0], &vb.pp("norm_out"))?,
            conv_out: Conv2d::new(channels[0], cfg.in_channels, 3, 1, true, &vb.pp("conv_out"))?,
            repeats: top / cfg.latent_channels,
        })
    }

    /// Decodes.
    ///
    /// # Shapes
    /// - `latents`: `(B, latent_channels, H, W)`, unscaled; returns `(B, 3, f · H, f · W)`, about -1..1
    /// # Source      diffusers 0.34 `AutoencoderDC.decode`
    pub fn forward(&self, latents: &Tensor, strips: Strips, probe: &mut dyn Probe) -> Result<Tensor> {
        let (b, c, h, w) = latents.dims4()?;
        let shortcut = latents.unsqueeze(2)?.broadcast_as((b, c, self.repeats, h, w))?.reshape((b, c * self.repeats, h, w))?;
        let mut x = self.conv_in.forward(latents)?;
        probe.see(format_args!("vae.conv_in"), &x)?;
        x = (x + shortcut)?;
        for (i, level) in self.up_blocks.iter().enumerate().rev() {
            if level.local {
                let (h, w) = (2 * x.dim(2)?, 2 * x.dim(3)?);
                let step = strips.rows(level.channels, h, w);
                if i == 0 && strips != Strips::Whole && !probe.keeps() {
                    // The widest map of all is never there as a whole.
                    return gathered(h, step, |rows| self.finish(h, rows, |rows| level.forward_rows(&x, rows, probe)));
                }
                x = gathered(h, step, |rows| level.forward_rows(&x, rows, probe))?;
            } else {
                x = level.forward(x, probe)?;
            }
            probe.see(format_args!("vae.up.{i}"), &x)?;
        }
        let (h, w) = (x.dim(2)?, x.dim(3)?);
        let step = strips.rows(x.dim(1)?, h, w);
        let sample = gathered(h, step, |rows| self.finish(h, rows, |rows| x.narrow(2, rows.start, rows.len())))?;
        probe.see(format_args!("vae.conv_out"), &sample)?;
        Ok(sample)
    }

    /// The rows `rows` of the picture, of `h` rows, from rows of the last level.
    fn finish(&self, h: usize, rows: Range<usize>, level: impl FnOnce(Range<usize>) -> Result<Tensor>) -> Result<Tensor> {
        let first = rows.start.saturating_sub(1);
        let around = level(first..(rows.end + 1).min(h))?.contiguous()?;
        self.conv_out.forward(&self.norm_out.forward_relu(&around)?)?.narrow(2, rows.start - first, rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::*;
    use crate::models::kernels::testing::{assert_close, noise};
    use candle_core::{DType, Device};
    use candle_nn::VarMap;

    #[test]
    fn strips_of_any_height_make_the_same_picture() {
        let cfg = Config {
            in_channels: 3,
            latent_channels: 4,
            attention_head_dim: 4,
            encoder_block_types: vec![],
            decoder_block_types: vec![BlockType::ResBlock, BlockType::ResBlock, BlockType::EfficientViTBlock],
            encoder_block_out_channels: vec![8, 8, 16],
            decoder_block_out_channels: vec![8, 8, 16],
            encoder_layers_per_block: vec![],
            decoder_layers_per_block: vec![2, 1, 1],
            encoder_qkv_multiscales: vec![],
            decoder_qkv_multiscales: vec![vec![], vec![], vec![5]],
            downsample_block_type: "Conv".to_owned(),
            upsample_block_type: "interpolate".to_owned(),
            scaling_factor: 1.0,
            shift_factor: None,
        };
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        let shape_only = Decoder::new(&cfg, &vb);
        assert!(shape_only.is_ok());
        for (i, var) in weights.data().lock().unwrap().values().enumerate() {
            var.set(&noise(i as u64, var.dims())).unwrap();
        }
        let decoder = Decoder::new(&cfg, &vb).unwrap();
        let latents = noise(99, &[1, 4, 7, 5]);
        let whole = decoder.forward(&latents, Strips::Whole, &mut ()).unwrap();
        assert_eq!(whole.dims(), [1, 3, 28, 20]);
        for strips in [Strips::Rows(1), Strips::Rows(5), Strips::Rows(13), Strips::Values(900)] {
            let made = decoder.forward(&latents, strips, &mut ()).unwrap();
            assert_close(&made, &whole);
        }
    }

    #[test]
    fn an_encoder_in_strips_makes_the_same_latents() {
        let channels = vec![8, 16, 16];
        let cfg = Config {
            in_channels: 3,
            latent_channels: 4,
            attention_head_dim: 4,
            encoder_block_types: vec![BlockType::ResBlock, BlockType::ResBlock, BlockType::EfficientViTBlock],
            decoder_block_types: vec![],
            encoder_block_out_channels: channels.clone(),
            decoder_block_out_channels: channels,
            encoder_layers_per_block: vec![2, 1, 1],
            decoder_layers_per_block: vec![],
            encoder_qkv_multiscales: vec![vec![], vec![], vec![5]],
            decoder_qkv_multiscales: vec![],
            downsample_block_type: "Conv".to_owned(),
            upsample_block_type: "interpolate".to_owned(),
            scaling_factor: 1.0,
            shift_factor: None,
        };
        let weights = VarMap::new();
        let vb = VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu);
        Encoder::new(&cfg, &vb).unwrap();
        for (i, var) in weights.data().lock().unwrap().values().enumerate() {
            var.set(&noise(i as u64, var.dims())).unwrap();
        }
        let encoder = Encoder::new(&cfg, &vb).unwrap();
        let pixels = noise(98, &[1, 3, 44, 28]);
        let whole = encoder.forward(&pixels, Strips::Whole, &mut ()).unwrap();
        assert_eq!(whole.dims(), [1, 4, 11, 7]);
        for strips in [Strips::Rows(2), Strips::Rows(7), Strips::Rows(16), Strips::Values(4000)] {
            assert_close(&encoder.forward(&pixels, strips, &mut ()).unwrap(), &whole);
        }
    }
}
