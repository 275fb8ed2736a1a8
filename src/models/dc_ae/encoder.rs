//! Pictures to latents.

use super::Config;
use super::blocks::Block;
use super::sampling::Downsample;
use crate::models::Probe;
use crate::models::layers::Conv2d;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

struct Level {
    blocks: Vec<Block>,
    down: Option<Downsample>,
}

/// The encoder half.
pub struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<Level>,
    conv_out: Conv2d,
    latent_channels: usize,
}

impl Encoder {
    /// `vb` is the encoder itself: keys `conv_in`, `down_blocks.{level}.{index}`, `conv_out`.
    ///
    /// # Errors      a tensor is missing or has another shape
    pub fn new(cfg: &Config, vb: &VarBuilder) -> Result<Self> {
        let channels = &cfg.encoder_block_out_channels;
        let level = |i: usize| {
            let (vb, layers) = (vb.pp("down_blocks").pp(i), cfg.encoder_layers_per_block[i]);
            let block = |j: usize| Block::new(cfg.encoder_block_types[i], channels[i], &cfg.encoder_qkv_multiscales[i], cfg, &vb.pp(j));
            let blocks = (0..layers).map(block).collect::<Result<_>>()?;
            let down = channels.get(i + 1).map(|next| Downsample::new(channels[i], *next, &vb.pp(layers))).transpose()?;
            Ok(Level { blocks, down })
        };
        Ok(Self {
            conv_in: Conv2d::new(cfg.in_channels, channels[0], 3, 1, true, &vb.pp("conv_in"))?,
            down_blocks: (0..channels.len()).map(level).collect::<Result<_>>()?,
            conv_out: Conv2d::new(channels[channels.len() - 1], cfg.latent_channels, 3, 1, true, &vb.pp("conv_out"))?,
            latent_channels: cfg.latent_channels,
        })
    }

    /// Encodes; nothing is drawn at random.
    ///
    /// # Shapes
    /// - `pixels`: `(B, 3, H, W)` in -1..1, sides multiples of the compression f; returns `(B, latent_channels, H / f, W / f)`,
    ///   not yet scaled
    /// # Source      diffusers 0.34 `AutoencoderDC.encode`
    pub fn forward(&self, pixels: &Tensor, probe: &mut dyn Probe) -> Result<Tensor> {
        let mut x = self.conv_in.forward(pixels)?;
        probe.see(format_args!("ref.enc.conv_in"), &x)?;
        for (i, level) in self.down_blocks.iter().enumerate() {
            for block in &level.blocks {
                x = block.forward(&x)?;
                probe.pulse()?;
            }
            if let Some(down) = &level.down {
                x = down.forward(&x)?;
            }
            probe.see(format_args!("ref.enc.down.{i}"), &x)?;
        }
        let (b, c, h, w) = x.dims4()?;
        let shortcut = x.reshape((b, self.latent_channels, c / self.latent_channels, h, w))?.mean(2)?;
        self.conv_out.forward(&x)? + shortcut
    }
}
