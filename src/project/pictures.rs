//! Pictures as PNG, lossless: how they are kept, and how they are read without believing what is said of them.

use super::{Error, Result, blobs};
use crate::imaging::{self, MAX_PIXELS, MAX_SIDE, Mask, Picture};
use rusqlite::Connection;
use std::collections::HashMap;
use std::path::Path;

/// What the file says of a picture before it is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Kept {
    pub(super) blob: i64,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bits: u8,
}

/// What was read before, by its blob, so that what is used twice is in memory once.
#[derive(Default)]
pub(super) struct Seen {
    pictures: HashMap<i64, Picture>,
    pub(super) masks: HashMap<i64, Mask>,
}

impl Kept {
    pub(super) fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Bytes of its pixels in memory.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * 4 * u64::from(self.bits) / 8
    }

    /// What no picture of ours can be, as the end of a sentence about it.
    pub(super) fn complaint(&self) -> Option<String> {
        if !fits(self.size()) {
            Some(format!("is said to have {} x {} pixels", self.width, self.height))
        } else if !matches!(self.bits, 8 | 16) {
            Some(format!("is said to have {} bits", self.bits))
        } else {
            None
        }
    }

    /// Reads it. `name` stands in what is said of it, such as `the picture of revision 3`.
    ///
    /// # Errors      what is there is not what was said
    pub(super) fn read(&self, connection: &Connection, path: &Path, name: &str, seen: &mut Seen) -> Result<Picture> {
        let picture = match seen.pictures.get(&self.blob) {
            Some(picture) => picture.clone(),
            None => self.decode(connection, path, name)?,
        };
        if ([picture.width(), picture.height()], picture.bits()) != (self.size(), self.bits) {
            return Err(Error::damaged(path, format!("{name} is not the one that was said")));
        }
        seen.pictures.insert(self.blob, picture.clone());
        Ok(picture)
    }

    fn decode(&self, connection: &Connection, path: &Path, name: &str) -> Result<Picture> {
        // PNG is rarely longer than what it holds, and never much.
        let png = blobs::read(connection, path, self.blob, 2 * self.bytes() + (1 << 20))?;
        // The size is looked at before room is made for it.
        let side = |at: usize| png.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
        let is_deep = png.get(24).map(|bits| *bits == 16);
        if !png.starts_with(b"\x89PNG\r\n\x1a\n")
            || (side(16), side(20), is_deep) != (Some(self.width), Some(self.height), Some(self.bits == 16))
        {
            return Err(Error::damaged(path, format!("{name} is not the one that was said")));
        }
        imaging::decode(&png).map_err(|e| Error::damaged(path, e.to_string()))
    }
}

/// Whether a picture of a size could be opened.
pub(super) fn fits([width, height]: [u32; 2]) -> bool {
    width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE && u64::from(width) * u64::from(height) <= MAX_PIXELS
}
