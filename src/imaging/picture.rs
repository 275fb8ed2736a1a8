//! A picture in memory.

use super::{Error, Result, Tags};
use std::sync::Arc;

/// The samples of a picture: red, green, blue and alpha (not premultiplied), row by row from the top left, in sRGB or in
/// the profile that its tags name.
#[derive(Clone, PartialEq, Eq)]
pub enum Pixels {
    Rgba8(Arc<[u8]>),
    Rgba16(Arc<[u16]>),
}

/// A picture. Copies share their pixels.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Pixels,
    tags: Tags,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({} x {}, {} bit)", self.width, self.height, self.bits())
    }
}

impl Picture {
    /// A picture in sRGB, without tags.
    ///
    /// # Errors      the number of samples is not 4 · width · height, or a side is zero
    pub fn new(width: u32, height: u32, pixels: Pixels) -> Result<Self> {
        let count = match &pixels {
            Pixels::Rgba8(v) => v.len(),
            Pixels::Rgba16(v) => v.len(),
        };
        if width == 0 || height == 0 || count as u64 != 4 * u64::from(width) * u64::from(height) {
            return Err(Error::WrongCount { width, height, count });
        }
        Ok(Self { width, height, pixels, tags: Tags::default() })
    }

    /// An opaque picture from 8-bit red, green and blue.
    ///
    /// # Errors      the number of samples is not 3 · width · height, or a side is zero
    pub fn from_rgb8(width: u32, height: u32, rgb: &[u8]) -> Result<Self> {
        if rgb.len() as u64 != 3 * u64::from(width) * u64::from(height) {
            return Err(Error::WrongCount { width, height, count: rgb.len() });
        }
        let rgba: Arc<[u8]> = rgb.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
        Self::new(width, height, Pixels::Rgba8(rgba))
    }

    /// The same samples with other tags. A profile that cannot be worked with is as good as none.
    #[must_use]
    pub fn with_tags(self, tags: Tags) -> Self {
        Self { tags, ..self }
    }

    /// What it carries beside its pixels.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn pixels(&self) -> &Pixels {
        &self.pixels
    }

    /// Bits per sample.
    pub fn bits(&self) -> u8 {
        match self.pixels {
            Pixels::Rgba8(_) => 8,
            Pixels::Rgba16(_) => 16,
        }
    }

    /// Red, green, blue and alpha in 8 bits, in sRGB.
    pub fn to_rgba8(&self) -> Arc<[u8]> {
        self.in_srgb().own_rgba8()
    }

    /// Red, green and blue in 8 bits, as a model sees them: in sRGB, over white where the picture is transparent.
    pub fn to_rgb8(&self) -> Vec<u8> {
        self.in_srgb().own_rgb8()
    }

    /// [`Self::to_rgba8`] in the picture's own profile.
    pub(super) fn own_rgba8(&self) -> Arc<[u8]> {
        match &self.pixels {
            Pixels::Rgba8(v) => v.clone(),
            Pixels::Rgba16(v) => v.iter().map(|s| ((u32::from(*s) * 255 + 32_768) / 65_535) as u8).collect(),
        }
    }

    /// [`Self::to_rgb8`] in the picture's own profile.
    pub(super) fn own_rgb8(&self) -> Vec<u8> {
        let over_white = |v: u8, a: u8| ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8;
        self.own_rgba8()
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|[r, g, b, a]| [over_white(*r, *a), over_white(*g, *a), over_white(*b, *a)])
            .collect()
    }
}
