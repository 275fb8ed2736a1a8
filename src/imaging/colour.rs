//! Colour profiles: from a picture's own colours to sRGB, in which models and screens work, and back.

use super::{Picture, Pixels, Result};
use moxcms::{ColorProfile, DataColorSpace, Layout, Transform16BitExecutor, TransformOptions};
use std::sync::Arc;

/// A profile that says something else than sRGB.
struct Profile(ColorProfile);

/// Samples that are converted at once.
const PART: usize = 4 << 16;

impl Profile {
    fn new(icc: &[u8]) -> Option<Self> {
        let profile = ColorProfile::new_from_slice(icc).ok().filter(|p| p.color_space == DataColorSpace::Rgb).map(Self)?;
        // A grid of colours tells whether it is sRGB under another name.
        let steps: Vec<u16> = (0..5).map(|i| i * 16_383).collect();
        let grid: Vec<u16> =
            steps.iter().flat_map(|r| steps.iter().flat_map(|g| steps.iter().flat_map(|b| [*r, *g, *b, 65_535]))).collect();
        let mut seen = grid.clone();
        Profile::run(profile.to_srgb()?.as_ref(), &mut seen).then_some(())?;
        let is_srgb = grid.iter().zip(&seen).all(|(a, b)| a.abs_diff(*b) < 300);
        (!is_srgb && profile.of_srgb().is_some()).then_some(profile)
    }

    fn to_srgb(&self) -> Option<Arc<Transform16BitExecutor>> {
        self.0.create_transform_16bit(Layout::Rgba, &ColorProfile::new_srgb(), Layout::Rgba, TransformOptions::default()).ok()
    }

    fn of_srgb(&self) -> Option<Arc<Transform16BitExecutor>> {
        ColorProfile::new_srgb().create_transform_16bit(Layout::Rgba, &self.0, Layout::Rgba, TransformOptions::default()).ok()
    }

    /// Converts in place; false where the profile fails.
    fn run(transform: &Transform16BitExecutor, samples: &mut [u16]) -> bool {
        use rayon::prelude::*;
        let part = |part: &mut [u16]| {
            let from = part.to_vec();
            transform.transform(&from, part).is_ok()
        };
        samples.par_chunks_mut(PART).map(part).reduce(|| true, |a, b| a && b)
    }
}

/// Whether a profile can be worked with. Others are as good as none.
pub(super) fn is_of_use(icc: &[u8]) -> bool {
    ColorProfile::new_from_slice(icc).is_ok_and(|p| p.color_space == DataColorSpace::Rgb && Profile(p).to_srgb().is_some())
}

fn deep(picture: &Picture) -> Vec<u16> {
    match picture.pixels() {
        Pixels::Rgba8(v) => v.iter().map(|s| u16::from(*s) * 257).collect(),
        Pixels::Rgba16(v) => v.to_vec(),
    }
}

fn shallow(samples: &[u16]) -> Arc<[u8]> {
    samples.iter().map(|s| ((u32::from(*s) * 255 + 32_768) / 65_535) as u8).collect()
}

impl Picture {
    fn own_profile(&self) -> Option<Profile> {
        Profile::new(self.tags().profile.as_ref()?)
    }

    /// The same picture in sRGB, as models and screens want it, without tags. Colours beyond sRGB become the nearest in it.
    #[must_use]
    pub fn in_srgb(&self) -> Self {
        let plain = |pixels| Self::new(self.width(), self.height(), pixels).unwrap_or_else(|_| self.clone());
        let Some(samples) = self.own_profile().and_then(|profile| srgb_samples(self, &profile)) else {
            return plain(self.pixels().clone());
        };
        plain(if self.bits() == 8 { Pixels::Rgba8(shallow(&samples)) } else { Pixels::Rgba16(samples.into()) })
    }
}

fn srgb_samples(picture: &Picture, profile: &Profile) -> Option<Vec<u16>> {
    let mut samples = deep(picture);
    Profile::run(profile.to_srgb()?.as_ref(), &mut samples).then_some(samples)
}

/// Changes a picture by work that wants sRGB. The result has the picture's tags, depth and colour profile; what the work
/// leaves as it was is the picture's own to the last bit, colours beyond sRGB too.
///
/// # Errors      those of the work
pub fn through_srgb<T>(source: &Picture, work: impl FnOnce(&Picture) -> Result<(Picture, T)>) -> Result<(Picture, T)> {
    let found = source.own_profile().and_then(|profile| Some((srgb_samples(source, &profile)?, profile)));
    let Some((samples, profile)) = found else {
        let (made, rest) = work(source)?;
        return Ok((made.with_tags(source.tags().clone()), rest));
    };
    let plain = Picture::new(source.width(), source.height(), Pixels::Rgba16(samples.into()))?;
    let (made, rest) = work(&plain)?;
    let (before, mut after) = (deep(&plain), deep(&made));
    let same: Vec<bool> = before.as_chunks::<4>().0.iter().zip(after.as_chunks::<4>().0).map(|(a, b)| a == b).collect();
    if let Some(transform) = profile.of_srgb() {
        Profile::run(transform.as_ref(), &mut after);
    }
    fn kept<T: Copy>(own: &[T], made: &[T], same: &[bool]) -> Arc<[T]> {
        let pixels = own.as_chunks::<4>().0.iter().zip(made.as_chunks::<4>().0).zip(same);
        pixels.flat_map(|((own, made), same)| if *same { *own } else { *made }).collect()
    }
    let pixels = match source.pixels() {
        Pixels::Rgba8(own) => Pixels::Rgba8(kept(own, &shallow(&after), &same)),
        Pixels::Rgba16(own) => Pixels::Rgba16(kept(own, &after, &same)),
    };
    Ok((Picture::new(source.width(), source.height(), pixels)?.with_tags(source.tags().clone()), rest))
}
