//! To another size, in linear light.

use super::super::resample::{Axis, Beyond, rows};
use super::super::samples::Sample;
use super::super::{Filter, Picture, Pixels, Result};
use super::geometry::back;
use rayon::prelude::*;
use std::sync::Arc;

/// Rows that are made at once.
const BAND: usize = 16;

/// Resampled with Lanczos' filter of three lobes in linear light, weighted by alpha, and widened where the picture shrinks.
pub(super) fn resize(picture: &Picture, size: [u32; 2]) -> Result<Picture> {
    let pixels = match picture.pixels() {
        Pixels::Rgba8(v) => Pixels::Rgba8(resized(v, picture, size)),
        Pixels::Rgba16(v) => Pixels::Rgba16(resized(v, picture, size)),
    };
    Picture::new(size[0], size[1], pixels)
}

fn resized<T: Sample>(samples: &[T], picture: &Picture, size: [u32; 2]) -> Arc<[T]> {
    let from = [picture.width() as usize, picture.height() as usize];
    let axis = |i: usize| Axis::new(size[i] as usize, 0.0, from[i] as f64 / f64::from(size[i]), from[i], Filter::Lanczos, Beyond::Last);
    let (x, y) = (axis(0), axis(1));
    let pixels = samples.as_chunks::<4>().0;
    let fetch = |line: usize, left: usize, out: &mut [f32]| {
        for (out, [r, g, b, a]) in out.as_chunks_mut::<4>().0.iter_mut().zip(&pixels[line * from[0] + left..]) {
            let alpha = a.number() / T::MAX;
            *out = [r.light() * alpha, g.light() * alpha, b.light() * alpha, alpha];
        }
    };
    let band = |i: usize| {
        let made = rows(&fetch, 4, &x, &y, i * BAND..((i + 1) * BAND).min(size[1] as usize));
        made.as_chunks::<4>().0.iter().flat_map(|v| back(*v)).collect::<Vec<T>>()
    };
    let bands: Vec<Vec<T>> = (0..(size[1] as usize).div_ceil(BAND)).into_par_iter().map(band).collect();
    bands.concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_stripes_become_the_light_that_they_are() {
        let rgb: Vec<u8> = (0..64 * 64).flat_map(|i| if i % 2 == 0 { [255; 3] } else { [0; 3] }).collect();
        let small = resize(&Picture::from_rgb8(64, 64, &rgb).unwrap(), [8, 8]).unwrap().to_rgb8();
        // Half of the light is 188 in sRGB, not 128. At the edge half a stripe is repeated.
        assert!(small.chunks(24).all(|row| row[6..18].iter().all(|v| v.abs_diff(188) <= 1)), "{small:?}");
    }

    #[test]
    fn what_is_transparent_gives_no_colour() {
        let rgba: Vec<u8> = (0..16 * 16).flat_map(|i| if i % 16 < 8 { [255, 0, 0, 0] } else { [0, 0, 255, 255] }).collect();
        let made = resize(&Picture::new(16, 16, Pixels::Rgba8(rgba.into())).unwrap(), [5, 5]).unwrap();
        let Pixels::Rgba8(v) = made.pixels() else { unreachable!() };
        assert!(v.as_chunks::<4>().0.iter().all(|p| p[3] < 20 || (p[0] < 3 && p[2] > 250)), "{v:?}");
    }
}
