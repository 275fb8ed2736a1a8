//! Edits without a selection: only what the model meant to change is taken into the picture.
//!
//! An autoencoder changes every pixel a little, also where the model has left the scene alone. So the result is not held
//! against the source but against the autoencoder's own reconstruction of it: what is left is the edit.

mod change;
mod register;

use self::change::Found;
use super::blend::Fade;
use super::resample::{Raster, Zoomed};
use super::samples::{Painter, Sample, painted};
use super::{ContextBox, Error, Filter, Mask, Picture, Rect, Result};

/// What [`preserve`] has made.
#[derive(Clone, Debug)]
pub struct Preserved {
    pub picture: Picture,
    /// Where the picture has been changed and how far, at its full size: to look at, or to be used as a selection. A pixel
    /// with 0 here is the source's to the last bit.
    pub change: Mask,
    /// By how much the result lay to the right of and below the reconstruction, in the model's pixels.
    pub shift: [f32; 2],
}

/// Takes over what a model changed in the part `seen` of `source`, and nothing else.
///
/// All of one size, the model's: `shown` is what it was shown ([`super::crop_to_model`]), `reconstruction` what the
/// autoencoder alone makes of that, `result` what the model made. `reach` (0..1, about one half is right) says how small a
/// change still counts.
///
/// Where the change is small its difference is added to the source's own detail; where it is large the result replaces the
/// source. A result equal to the reconstruction gives the source back. Alpha is the source's everywhere.
///
/// # Errors      the three are not of one size
pub fn preserve(
    source: &Picture,
    seen: ContextBox,
    shown: &Picture,
    reconstruction: &Picture,
    result: &Picture,
    reach: f32,
) -> Result<Preserved> {
    let (size, model) = ([source.width(), source.height()], [result.width(), result.height()]);
    for other in [shown, reconstruction] {
        if [other.width(), other.height()] != model {
            return Err(Error::SizesDiffer { left: model, right: [other.width(), other.height()] });
        }
    }
    let unchanged = Preserved { picture: source.clone(), change: Mask::new(size[0], size[1])?, shift: [0.0; 2] };
    if reconstruction.to_rgb8() == result.to_rgb8() {
        return Ok(unchanged);
    }
    let (shown, reconstruction, result) = (Raster::of(shown), Raster::of(reconstruction), Raster::of(result));
    let (result, shift) = register::registered(&reconstruction, result);
    let unchanged = Preserved { shift, ..unchanged };
    let Some(found) = change::found(&shown, &reconstruction, &result, shift, reach.clamp(0.0, 1.0)) else {
        return Ok(unchanged);
    };
    let rect = rect_in_picture(&found, seen, size);
    if rect.is_empty() {
        return Ok(unchanged);
    }
    let change = at_full_size(&found.shares, seen, size, rect)?;
    let taken = Taken {
        values: Zoomed::new(&found.values, seen.corner(), seen.sides(), rect, Filter::Bicubic),
        shares: Zoomed::new(&found.shares, seen.corner(), seen.sides(), rect, Filter::Bilinear),
        change: &change,
    };
    let picture = painted(source, rect, &taken)?;
    Ok(Preserved { picture, change, shift })
}

/// The part of the picture in which something is changed.
fn rect_in_picture(found: &Found, seen: ContextBox, size: [u32; 2]) -> Rect {
    let (width, height) = (found.shares.width as f64, found.shares.height as f64);
    let x = |v: f64| (seen.left as f64 + v * f64::from(seen.width) / width).clamp(0.0, f64::from(size[0]));
    let y = |v: f64| (seen.top as f64 + v * f64::from(seen.height) / height).clamp(0.0, f64::from(size[1]));
    // Resampling spreads a pixel of the model's by one of its own.
    let [left, top, right, bottom] = found.bounds.map(|v| v as f64);
    Rect::between(x(left - 1.0).floor() as u32, y(top - 1.0).floor() as u32, x(right + 1.0).ceil() as u32, y(bottom + 1.0).ceil() as u32)
        .intersection(seen.visible(size))
}

/// The first of the shares as a mask of the picture.
fn at_full_size(shares: &Raster, seen: ContextBox, size: [u32; 2], rect: Rect) -> Result<Mask> {
    const BAND: u32 = 256;
    let mut mask = Mask::new(size[0], size[1])?;
    let zoomed = Zoomed::new(shares, seen.corner(), seen.sides(), rect, Filter::Bilinear);
    let scale = f64::from(seen.width) / shares.width as f64;
    let fade = Fade::new(seen, size, (change::soft_radius(shares.width, shares.height) as f64 * scale).ceil() as u32);
    for top in (rect.top..rect.bottom()).step_by(BAND as usize) {
        let part = Rect::between(rect.left, top, rect.right(), (top + BAND).min(rect.bottom()));
        let pixels = (part.top..part.bottom()).flat_map(|y| (part.left..part.right()).map(move |x| (x, y)));
        let values = zoomed.rows(part);
        let bytes: Vec<u8> =
            values.as_chunks::<2>().0.iter().zip(pixels).map(|(v, (x, y))| u8::nearest(v[0] * fade.at(x, y) * 255.0)).collect();
        mask.write(part, &bytes)?;
    }
    Ok(mask)
}

struct Taken<'a> {
    /// The difference and the reconstruction.
    values: Zoomed<'a>,
    /// How far it is taken over, and how far the source's own detail is replaced.
    shares: Zoomed<'a>,
    change: &'a Mask,
}

impl Painter for Taken<'_> {
    fn paint<T: Sample>(&self, part: Rect, rows: Vec<&mut [[T; 4]]>) {
        let width = part.width as usize;
        let (values, shares) = (self.values.rows(part), self.shares.rows(part));
        let mut change = vec![0; width];
        for (i, row) in rows.into_iter().enumerate() {
            self.change.read_row(part.left, part.top + i as u32, &mut change);
            for (x, pixel) in row.iter_mut().enumerate().filter(|(x, _)| change[*x] > 0) {
                let [difference @ .., r, g, b] = &values.as_chunks::<6>().0[i * width + x];
                let replaced = shares[2 * (i * width + x) + 1].clamp(0.0, 1.0);
                let share = f32::from(change[x]) / 255.0;
                for (c, reconstructed) in [r, g, b].into_iter().enumerate() {
                    let old = pixel[c].number();
                    let by = difference[c] * T::MAX + replaced * (reconstructed * T::MAX - old);
                    pixel[c] = T::nearest(old + share * by);
                }
            }
        }
    }
}
