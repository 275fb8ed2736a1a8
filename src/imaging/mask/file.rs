//! Masks as pictures: grey, white is selected.

use super::super::{Error, MAX_PIXELS, MAX_SIDE, Picture, Pixels, Rect, Result, decode};
use super::Mask;
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use std::sync::Arc;

impl Mask {
    /// A selection by a picture's lightness: white is inside, black and transparent outside. Of a grey picture of 8 bits
    /// every value is kept.
    ///
    /// # Errors      none for a picture that is in order
    pub fn from_picture(picture: &Picture) -> Result<Self> {
        let mut mask = Self::new(picture.width(), picture.height())?;
        let width = picture.width() as usize;
        let fill = |mask: &mut Self, rgba: &dyn Fn(usize) -> [u8; 4]| {
            let rgba = |x: u32, y: u32| rgba(y as usize * width + x as usize);
            for i in 0..mask.tiles.len() {
                let rect = mask.tile_rect(i);
                let bytes: Vec<u8> = (rect.top..rect.bottom())
                    .flat_map(|y| (rect.left..rect.right()).map(move |x| (x, y)))
                    .map(|(x, y)| grey(rgba(x, y)))
                    .collect();
                mask.write(rect, &bytes)?;
            }
            Ok(())
        };
        match picture.in_srgb().pixels() {
            Pixels::Rgba8(v) => fill(&mut mask, &|i| v.as_chunks::<4>().0[i])?,
            Pixels::Rgba16(v) => {
                fill(&mut mask, &|i| v.as_chunks::<4>().0[i].map(|s| ((u32::from(s) * 255 + 32_768) / 65_535) as u8))?;
            }
        }
        Ok(mask)
    }

    /// A grey picture, white where selected.
    ///
    /// # Errors      none for a mask that is in order
    pub fn to_picture(&self) -> Result<Picture> {
        let mut out: Arc<[u8]> = std::iter::repeat_n(255, 4 * self.width as usize * self.height as usize).collect();
        let rows = Arc::get_mut(&mut out).unwrap_or_default().par_chunks_exact_mut(4 * self.width as usize);
        rows.enumerate().for_each(|(y, out)| {
            let mut row = vec![0; self.width as usize];
            self.read_row(0, y as u32, &mut row);
            out.as_chunks_mut::<4>().0.iter_mut().zip(row).for_each(|(to, v)| *to = [v, v, v, 255]);
        });
        Picture::new(self.width, self.height, Pixels::Rgba8(out))
    }

    /// The bytes of a grey PNG file of 8 bits. [`super::super::decode`] and [`Mask::from_picture`] give the same mask back.
    ///
    /// # Errors      the encoder refuses
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut out);
        let written = encoder.write_image(&self.read(self.whole()), self.width, self.height, ExtendedColorType::L8);
        written.map_err(|e| Error::Encode(e.to_string()))?;
        Ok(out)
    }

    /// All of it in few bytes: the sizes, where something is selected, and a grey PNG of that part.
    ///
    /// # Errors      the encoder refuses
    pub fn pack(&self) -> Result<Vec<u8>> {
        let part = self.bounds().unwrap_or_default();
        let mut out: Vec<u8> =
            [self.width, self.height, part.left, part.top, part.width, part.height].iter().flat_map(|v| v.to_le_bytes()).collect();
        if !part.is_empty() {
            let encoder = image::codecs::png::PngEncoder::new(&mut out);
            let written = encoder.write_image(&self.read(part), part.width, part.height, ExtendedColorType::L8);
            written.map_err(|e| Error::Encode(e.to_string()))?;
        }
        Ok(out)
    }

    /// What [`Self::pack`] has made, or a stranger.
    ///
    /// # Errors      it is nothing of the kind
    pub fn unpack(bytes: &[u8]) -> Result<Self> {
        let spoilt = || Error::Damaged("the selection is not what was kept".to_owned());
        let (head, png) = bytes.split_at_checked(24).ok_or_else(spoilt)?;
        let number = |i: usize| u32::from_le_bytes([0, 1, 2, 3].map(|b| head[4 * i + b]));
        let [width, height, left, top, w, h] = [0, 1, 2, 3, 4, 5].map(number);
        let part = Rect { left, top, width: w, height: h };
        if width > MAX_SIDE || height > MAX_SIDE || u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(spoilt());
        }
        let mut mask = Self::new(width, height)?;
        if part.is_empty() {
            return Ok(mask);
        }
        // The size is looked at before room is made for it.
        let side = |at: usize| png.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        if part.intersection(mask.whole()) != part || (side(16), side(20)) != (Some(w), Some(h)) {
            return Err(spoilt());
        }
        let grey = Self::from_picture(&decode(png)?)?;
        if grey.size() != [w, h] {
            return Err(spoilt());
        }
        mask.write(part, &grey.read(grey.whole()))?;
        Ok(mask)
    }
}

/// Rec. 709's weights on sRGB's own values, times alpha. Grey stays exactly what it is.
fn grey([r, g, b, a]: [u8; 4]) -> u8 {
    let luma = (u32::from(r) * 2126 + u32::from(g) * 7152 + u32::from(b) * 722 + 5000) / 10_000;
    ((luma * u32::from(a) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_comes_back_from_its_png() {
        let mut mask = Mask::new(517, 300).unwrap();
        mask.lasso(&[[3.0, 5.0], [500.0, 40.0], [260.0, 290.0]], super::super::Mode::Add);
        let mask = mask.feathered(20);
        assert_eq!(Mask::from_picture(&decode(&mask.to_png().unwrap()).unwrap()).unwrap(), mask);
        assert_eq!(Mask::from_picture(&mask.to_picture().unwrap()).unwrap(), mask);
        assert_eq!(Mask::unpack(&mask.pack().unwrap()).unwrap(), mask);
        assert_eq!(Mask::unpack(&Mask::new(70, 3).unwrap().pack().unwrap()).unwrap(), Mask::new(70, 3).unwrap());
        let packed = mask.pack().unwrap();
        for broken in [&packed[..10], &packed[..40], &packed[..packed.len() - 9], &[255; 24][..], &[&[9; 24], &packed[24..]].concat()[..]] {
            assert!(Mask::unpack(broken).is_err());
        }
        let deep = Picture::new(1, 1, Pixels::Rgba16([65_535, 65_535, 65_535, 32_768].into())).unwrap();
        assert_eq!(Mask::from_picture(&deep).unwrap().coverage(0, 0), 128);
    }
}
