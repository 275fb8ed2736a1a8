//! What stands in a file beside the pixels: camera data, colour profile, how the picture came to be, and recipes.

mod exif;
mod read;
mod write;
mod xmp;

#[cfg(test)]
pub(super) use exif::tests::camera;
pub(super) use exif::{Block, Entry, PROFILE as TIFF_PROFILE, XMP as TIFF_XMP, of_tiff, upright, value_of_tiff};
pub use read::Said;
pub(super) use write::{into_jpeg, into_png, into_webp};
pub use xmp::{SourceType, escaped};

use std::sync::Arc;

/// What a picture carries beside its pixels, from the file that it was opened from to those that it is written to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The ICC profile in which its samples are; `None`: sRGB.
    pub profile: Option<Arc<[u8]>>,
    /// EXIF as a block in TIFF's structure, of the upright picture.
    pub exif: Option<Arc<[u8]>>,
    /// How the file said that the picture came to be.
    pub source: Option<SourceType>,
}

/// What is written into a file beside the pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    pub profile: Option<Arc<[u8]>>,
    pub exif: Option<Arc<[u8]>>,
    pub source: Option<SourceType>,
    /// Text in the manner of A1111.
    pub parameters: Option<String>,
    /// Our own recipe, as JSON.
    pub recipe: Option<String>,
}

impl Notes {
    fn packet(&self) -> Option<String> {
        xmp::packet(self.source, self.recipe.as_deref())
    }

    /// EXIF with the parameters as a comment, for formats that have no texts of their own; at most `most` bytes.
    fn exif_with_comment(&self, most: usize) -> Option<Vec<u8>> {
        let with = self.parameters.as_ref().map(|text| exif::with_comment(self.exif.as_deref(), text));
        let fits = |bytes: &Vec<u8>| bytes.len() <= most;
        with.filter(fits).or_else(|| self.exif.as_deref().map(<[u8]>::to_vec).filter(fits))
    }

    /// For a TIFF file: EXIF with the parameters, and XMP.
    pub(super) fn for_tiff(&self) -> (Option<Vec<u8>>, Option<String>) {
        (self.exif_with_comment(exif::MOST_BYTES), self.packet())
    }

    /// Whether a JPEG file has room for the recipe.
    pub fn fits_jpeg(&self) -> bool {
        self.packet().is_none_or(|p| p.len() + read::JPEG_XMP.len() <= write::JPEG_SEGMENT)
    }
}

impl From<&Tags> for Notes {
    fn from(tags: &Tags) -> Self {
        Self { profile: tags.profile.clone(), exif: tags.exif.clone(), source: tags.source, ..Self::default() }
    }
}
