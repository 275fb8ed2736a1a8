//! Pixels on the CPU: pictures, their files, resampling, selections, and edits that leave all other pixels alone. No tensor
//! and no window is known here.

mod blend;
mod codec;
mod colour;
mod compare;
mod context;
mod enlarge;
mod light;
mod mask;
mod notes;
mod picture;
mod preserve;
mod pyramid;
mod rect;
mod resample;
mod resize;
mod samples;
mod tiff;
mod tools;
mod webp;

pub use blend::{Blend, blend};
pub use codec::{ENDINGS, Format, decode, encode, encode_with, open, read, save, write_new, write_whole};
pub use colour::through_srgb;
pub use compare::{Difference, compare, heat_map, psnr};
pub use context::{ContextBox, back_to_full, crop_to_model, mask_to_model};
pub use enlarge::{AROUND, Enlarged, MOST_ENLARGED_PIXELS, PAINTED, Window};
pub use mask::{Brush, Mask, Mode, Patch, TILE as MASK_TILE, Tile as MaskTile};
pub use notes::{Notes, Said, SourceType, Tags, escaped};
pub use picture::{Picture, Pixels};
pub use preserve::{Preserved, preserve};
pub use pyramid::{Level, Pyramid, TILE};
pub use rect::Rect;
pub use resize::{Filter, resize_rgb};
pub use tools::{MOST_DEGREES, Ratio, Tone, Tool, fit, fitted, straightened_size};

use std::path::PathBuf;

/// The largest picture that is opened, in pixels.
pub const MAX_PIXELS: u64 = 200_000_000;
/// The longest side that is opened, in pixels.
pub const MAX_SIDE: u32 = 65_000;

/// Why a picture could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file cannot be read: {source}: {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the file cannot be written: {source}: {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the file is empty")]
    Empty,
    #[error("this is not a picture that can be opened here (PNG, JPEG, WebP, TIFF, GIF and BMP are)")]
    UnknownFormat,
    #[error("the picture has {width} x {height} pixels, more than the {} million that can be opened", MAX_PIXELS / 1_000_000)]
    TooLarge { width: u64, height: u64 },
    #[error("the picture is damaged or incomplete: {0}")]
    Damaged(String),
    #[error("the picture cannot be encoded: {0}")]
    Encode(String),
    #[error("files ending in {0:?} cannot be written here (png, jpg, webp and tif can)")]
    UnknownEnding(String),
    #[error("{count} values do not make {width} x {height} pixels")]
    WrongCount { width: u32, height: u32, count: usize },
    #[error("the tool cannot be used: {0}")]
    Tool(&'static str),
    #[error(
        "the picture would have {width} x {height} pixels, more than the {} million and {MAX_SIDE} a side that can be made; \
         choose 2x or a smaller picture",
        MOST_ENLARGED_PIXELS / 1_000_000
    )]
    EnlargedTooMuch { width: u64, height: u64 },
    #[error("the sizes differ: {} x {} and {} x {}", left[0], left[1], right[0], right[1])]
    SizesDiffer { left: [u32; 2], right: [u32; 2] },
}

impl Error {
    /// True where the disk had no room.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == std::io::ErrorKind::StorageFull)
    }
}

/// The result of everything in this room.
pub type Result<T> = std::result::Result<T, Error>;
