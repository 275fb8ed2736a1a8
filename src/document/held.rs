//! A revision's picture: its size is always known, its pixels may be on the disk alone.

use crate::imaging::Picture;

/// A picture that is here, or known to be kept somewhere else.
///
/// A photograph of 100 megapixels takes 400 MB, and a history has many: only what is looked at has to be in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    width: u32,
    height: u32,
    bits: u8,
    pixels: Option<Picture>,
}

impl From<Picture> for Held {
    fn from(picture: Picture) -> Self {
        Self { width: picture.width(), height: picture.height(), bits: picture.bits(), pixels: Some(picture) }
    }
}

impl Held {
    /// A picture that is kept somewhere else.
    pub fn away(width: u32, height: u32, bits: u8) -> Self {
        Self { width, height, bits, pixels: None }
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    /// Width and height.
    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Bits per sample.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// The picture, where its pixels are here.
    pub fn here(&self) -> Option<&Picture> {
        self.pixels.as_ref()
    }

    /// Takes the pixels in; false where they are of another picture.
    pub(super) fn bring(&mut self, picture: Picture) -> bool {
        let fits = ([picture.width(), picture.height()], picture.bits()) == (self.size(), self.bits);
        if fits {
            self.pixels = Some(picture);
        }
        fits
    }

    pub(super) fn let_go(&mut self) {
        self.pixels = None;
    }
}
