//! The last stage: from latents to a picture.

use super::load::Configs;
use super::watch::Watch;
use super::{Error, Result, Stage};
use crate::imaging::Picture;
use crate::models::Probe;
use crate::models::dc_ae::{Decoder, Strips};
use candle_core::{DType, Tensor};

/// Decodes scaled latents `(1, C, h, w)`.
///
/// # Errors      cancelled, or the device fails
/// # Source      diffusers 0.34 `AutoencoderDC.decode`, image = clamp(x / 2 + .5, 0, 1) · 255 rounded half to even
pub fn decode(decoder: &Decoder, configs: &Configs, latents: &Tensor, dtype: DType, strips: Strips, watch: &mut Watch) -> Result<Picture> {
    watch.start(Stage::Decode, 1);
    // Latents of fewer bits, such as a reference's, are scaled as painted ones are.
    let z = (latents.to_dtype(DType::F32)? / configs.vae.scaling_factor)?;
    let z = (z + configs.vae.shift_factor.unwrap_or(0.0))?.to_dtype(dtype)?;
    watch.dump("vae.input", &z)?;
    let sample = decoder.forward(&z, strips, watch)?.to_dtype(DType::F32)?;
    let (_, channels, h, w) = sample.dims4()?;
    if channels != 3 {
        return Err(Error::Picture(format!("the autoencoder makes {channels} channels")));
    }
    let planes = sample.flatten_all()?.to_vec1::<f32>()?;
    let plane = h * w;
    let byte = |v: f32| ((v / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    let rgb: Vec<u8> = (0..3 * plane).map(|i| byte(planes[i % 3 * plane + i / 3])).collect();
    watch.dump("image", &Tensor::from_slice(&rgb, (h, w, 3), &candle_core::Device::Cpu)?)?;
    let picture = Picture::from_rgb8(w as u32, h as u32, &rgb).map_err(|e| Error::Picture(e.to_string()))?;
    watch.pulse()?;
    watch.finish(Stage::Decode);
    Ok(picture)
}
