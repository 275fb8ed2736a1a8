//! Pictures to latents, the wide levels strip by strip.

use super::blocks::{Block, ResBlock};
use super::sampling::Downsample;
use super::strips::{Strips, gathered};
use super::{BlockType, Config};
use crate::models::Probe;
use crate::models::layers::Conv2d;
use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;
use std::ops::Range;

struct Level {
    blocks: Vec<Block>,
    down: Option<Downsample>,
    /// True where a row of the output depends on a few rows of the input only.
    local: bool,
    channels: usize,
}

/// The encoder half.
pub struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<Level>,
    conv_out: Conv2d,
    latent_channels: usize,
}

impl Level {
    /// `first` is what the first level begins with. The input is taken along, so that it is let go when nothing needs it any more.
    fn forward(&self, mut x: Tensor, first: Option<&Conv2d>, probe: &mut dyn Probe) -> Result<Tensor> {
        if let Some(conv) = first {
            x = conv.forward(&x)?;
        }
        for block in &self.blocks {
            x = block.forward(&x)?;
            probe.pulse()?;
        }
        self.down.as_ref().map_or(Ok(x.clone()), |down| down.forward(&x))
    }

    /// The output rows `rows` of a local level, from the whole input, which is twice as high.
    fn forward_rows(&self, x: &Tensor, first: Option<&Conv2d>, rows: Range<usize>, probe: &mut dyn Probe) -> Result<Tensor> {
        let reach = ResBlock::REACH * self.blocks.len() + Downsample::REACH + usize::from(first.is_some());
        // Even, so that the pairs of rows stay pairs.
        let from = (2 * rows.start).saturating_sub(reach) / 2 * 2;
        let to = (2 * rows.end + reach).next_multiple_of(2).min(x.dim(2)?);
        let made = self.forward(x.narrow(2, from, to - from)?.contiguous()?, first, probe)?;
        made.narrow(2, rows.start - from / 2, rows.len())
    }
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
            let local = down.is_some() && cfg.encoder_block_types[i] == BlockType::ResBlock;
            Ok(Level { blocks, down, local, channels: channels[i] })
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
    pub fn forward(&self, pixels: &Tensor, strips: Strips, probe: &mut dyn Probe) -> Result<Tensor> {
        if probe.keeps() {
            probe.see(format_args!("ref.enc.conv_in"), &self.conv_in.forward(pixels)?)?;
        }
        let mut x = pixels.clone();
        for (i, level) in self.down_blocks.iter().enumerate() {
            let first = (i == 0).then_some(&self.conv_in);
            let (h, w) = (x.dim(2)?, x.dim(3)?);
            x = if level.local && h % 2 == 0 {
                gathered(h / 2, strips.rows(level.channels, h, w).div_ceil(2), |rows| level.forward_rows(&x, first, rows, probe))?
            } else {
                level.forward(x, first, probe)?
            };
            probe.see(format_args!("ref.enc.down.{i}"), &x)?;
        }
        let (b, c, h, w) = x.dims4()?;
        let shortcut = x.reshape((b, self.latent_channels, c / self.latent_channels, h, w))?.mean(2)?;
        self.conv_out.forward(&x)? + shortcut
    }
}
