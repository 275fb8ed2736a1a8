//! DC-AE, the deep compression autoencoder: pictures to latents and back.

mod blocks;
mod decoder;
mod encoder;
mod sampling;
mod strips;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use strips::Strips;

use serde::Deserialize;

/// What one level of the autoencoder is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum BlockType {
    ResBlock,
    EfficientViTBlock,
}

/// vae/config.json.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    pub in_channels: usize,
    pub latent_channels: usize,
    pub attention_head_dim: usize,
    pub encoder_block_types: Vec<BlockType>,
    pub decoder_block_types: Vec<BlockType>,
    pub encoder_block_out_channels: Vec<usize>,
    pub decoder_block_out_channels: Vec<usize>,
    pub encoder_layers_per_block: Vec<usize>,
    pub decoder_layers_per_block: Vec<usize>,
    pub encoder_qkv_multiscales: Vec<Vec<usize>>,
    pub decoder_qkv_multiscales: Vec<Vec<usize>>,
    pub downsample_block_type: String,
    pub upsample_block_type: String,
    pub scaling_factor: f64,
    #[serde(default)]
    pub shift_factor: Option<f64>,
}

impl Config {
    /// Pixels along one side of a latent pixel.
    pub fn compression(&self) -> usize {
        1 << (self.encoder_block_out_channels.len().clamp(1, 16) - 1)
    }

    /// Says in a phrase what this network cannot do, if anything.
    pub fn unsupported(&self) -> Option<String> {
        let levels = self.encoder_block_out_channels.len();
        let lists = [
            self.encoder_block_types.len(),
            self.decoder_block_types.len(),
            self.decoder_block_out_channels.len(),
            self.encoder_layers_per_block.len(),
            self.decoder_layers_per_block.len(),
            self.encoder_qkv_multiscales.len(),
            self.decoder_qkv_multiscales.len(),
        ];
        if !(1..=10).contains(&levels) || lists.iter().any(|n| *n != levels) {
            return Some("its lists of levels differ in length".to_owned());
        }
        if self.downsample_block_type != "Conv" || self.upsample_block_type != "interpolate" {
            return Some(format!(
                "downsample_block_type {:?} with upsample_block_type {:?}",
                self.downsample_block_type, self.upsample_block_type
            ));
        }
        for (channels, layers) in [
            (&self.encoder_block_out_channels, &self.encoder_layers_per_block),
            (&self.decoder_block_out_channels, &self.decoder_layers_per_block),
        ] {
            if layers.contains(&0) {
                return Some("a level has no layers".to_owned());
            }
            if self.latent_channels == 0 || channels.contains(&0) || channels[levels - 1] % self.latent_channels != 0 {
                return Some("the channels of the last level are no multiple of the latent channels".to_owned());
            }
            if channels.windows(2).any(|c| 4 * c[0] % c[1] != 0 || 4 * c[0] < c[1]) {
                return Some(format!("the channels {channels:?} do not divide"));
            }
        }
        let widths = self.encoder_block_out_channels.iter().chain(&self.decoder_block_out_channels);
        if self.attention_head_dim == 0
            || widths
                .zip(self.encoder_block_types.iter().chain(&self.decoder_block_types))
                .any(|(c, t)| *t == BlockType::EfficientViTBlock && c % self.attention_head_dim != 0)
        {
            return Some("a level's channels are no multiple of attention_head_dim".to_owned());
        }
        let kernels = self.encoder_qkv_multiscales.iter().chain(&self.decoder_qkv_multiscales).flatten();
        kernels.clone().any(|k| k % 2 == 0).then(|| "a multiscale kernel is even".to_owned())
    }
}
