//! Selections: how far each pixel of a picture is covered, in tiles, so that whatever is done costs what it touches.

mod draw;
mod file;
mod shape;
mod stroke;

pub use draw::Mode;
pub(super) use shape::dilated;
pub use stroke::Brush;

use super::{Error, Rect, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// Pixels along one side of a tile.
pub const TILE: u32 = 256;
const TILE_BYTES: usize = (TILE * TILE) as usize;

/// A part of a mask, [`TILE`] pixels wide and high. What lies beyond the picture's edge in a tile of bytes is never read.
///
/// Whoever keeps a clone keeps just these values: a change of the mask makes a new tile instead.
#[derive(Clone, Debug)]
pub enum Tile {
    /// The same value everywhere.
    Even(u8),
    /// Row by row, [`TILE`] in each.
    Bytes(Arc<[u8]>),
}

impl Tile {
    /// Whether nothing has changed from one to the other. Compares no pixels, so equal bytes of two origins are not the same.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Even(a), Self::Even(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// The bytes, to be written to: copied where someone else holds them.
    fn bytes_mut(&mut self) -> &mut [u8] {
        let owned = match self {
            Self::Bytes(bytes) => Arc::get_mut(bytes).is_some(),
            Self::Even(_) => false,
        };
        if !owned {
            *self = match self {
                Self::Even(value) => Self::Bytes(std::iter::repeat_n(*value, TILE_BYTES).collect()),
                Self::Bytes(bytes) => Self::Bytes(Arc::from(&bytes[..])),
            };
        }
        match self {
            Self::Bytes(bytes) => Arc::get_mut(bytes).unwrap_or_default(),
            Self::Even(_) => &mut [],
        }
    }
}

/// A selection of a picture's pixels: 0 is outside, 255 inside, between lie soft edges.
///
/// Copies share their tiles: keeping the mask from before a stroke costs the tiles that the stroke touches.
#[derive(Clone)]
pub struct Mask {
    width: u32,
    height: u32,
    tiles: Vec<Tile>,
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mask({} x {})", self.width, self.height)
    }
}

impl PartialEq for Mask {
    fn eq(&self, other: &Self) -> bool {
        let same_tile = |i: usize| {
            let rect = self.tile_rect(i);
            self.tiles[i].is_same(&other.tiles[i]) || self.read(rect) == other.read(rect)
        };
        self.size() == other.size() && (0..self.tiles.len()).all(same_tile)
    }
}

impl Eq for Mask {}

/// What takes a mask back to where it was: the old tiles of a change.
#[derive(Clone, Debug)]
pub struct Patch {
    size: [u32; 2],
    rect: Rect,
    tiles: Vec<(usize, Tile)>,
}

impl Patch {
    /// The part of the picture in which something may change.
    pub fn rect(&self) -> Rect {
        self.rect
    }

    pub fn is_empty(&self) -> bool {
        self.tiles.is_empty()
    }

    /// Memory that it holds.
    pub fn size_bytes(&self) -> usize {
        self.tiles.iter().map(|(_, tile)| size_of::<(usize, Tile)>() + if let Tile::Bytes(b) = tile { b.len() } else { 0 }).sum()
    }
}

impl Mask {
    /// Nothing selected, for a picture of `width` x `height`.
    ///
    /// # Errors      a side is zero
    pub fn new(width: u32, height: u32) -> Result<Self> {
        if width == 0 || height == 0 {
            return Err(Error::WrongCount { width, height, count: 0 });
        }
        let count = width.div_ceil(TILE) as usize * height.div_ceil(TILE) as usize;
        Ok(Self { width, height, tiles: vec![Tile::Even(0); count] })
    }

    /// Memory that one of a size takes at most.
    pub fn most_bytes([width, height]: [u32; 2]) -> u64 {
        u64::from(width.div_ceil(TILE)) * u64::from(height.div_ceil(TILE)) * TILE_BYTES as u64
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

    /// All of the picture.
    pub fn whole(&self) -> Rect {
        Rect { left: 0, top: 0, width: self.width, height: self.height }
    }

    /// How many tiles it has across and down.
    pub fn tile_counts(&self) -> [u32; 2] {
        self.size().map(|side| side.div_ceil(TILE))
    }

    /// The tiles row by row, for whoever keeps a copy elsewhere and wants to know what has changed.
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }

    /// Selects every pixel by `value`: 0 clears, 255 selects all.
    pub fn fill(&mut self, value: u8) {
        self.tiles.fill(Tile::Even(value));
    }

    /// How far one pixel is covered; zero outside the picture.
    pub fn coverage(&self, x: u32, y: u32) -> u8 {
        if x >= self.width || y >= self.height {
            return 0;
        }
        match &self.tiles[(y / TILE) as usize * self.across() + (x / TILE) as usize] {
            Tile::Even(value) => *value,
            Tile::Bytes(bytes) => bytes[(y % TILE * TILE + x % TILE) as usize],
        }
    }

    /// The bytes of a part, row by row. What lies beyond the picture is cut off first.
    pub fn read(&self, rect: Rect) -> Vec<u8> {
        let rect = rect.intersection(self.whole());
        let mut out = vec![0; rect.width as usize * rect.height as usize];
        if !rect.is_empty() {
            for (y, row) in out.chunks_exact_mut(rect.width as usize).enumerate() {
                self.read_row(rect.left, rect.top + y as u32, row);
            }
        }
        out
    }

    /// The bytes from `(left, y)` to the right, as many as `out` takes. They must lie in the picture.
    pub fn read_row(&self, left: u32, y: u32, out: &mut [u8]) {
        let (row, in_tile) = ((y / TILE) as usize * self.across(), (y % TILE * TILE) as usize);
        let mut done = 0;
        while done < out.len() {
            let x = left + done as u32;
            let count = ((TILE - x % TILE) as usize).min(out.len() - done);
            let to = &mut out[done..done + count];
            match &self.tiles[row + (x / TILE) as usize] {
                Tile::Even(value) => to.fill(*value),
                Tile::Bytes(bytes) => to.copy_from_slice(&bytes[in_tile + (x % TILE) as usize..][..count]),
            }
            done += count;
        }
    }

    /// Writes bytes that lie row by row to a part, which must lie in the picture.
    ///
    /// # Errors      not as many bytes as the part has pixels, or the part reaches beyond the picture
    pub fn write(&mut self, rect: Rect, bytes: &[u8]) -> Result<()> {
        if bytes.len() != rect.width as usize * rect.height as usize || rect.intersection(self.whole()) != rect {
            return Err(Error::WrongCount { width: rect.width, height: rect.height, count: bytes.len() });
        }
        self.change(rect, |x, y, row| {
            let from = (y - rect.top) as usize * rect.width as usize + (x - rect.left) as usize;
            row.copy_from_slice(&bytes[from..from + row.len()]);
        });
        self.tidy(rect);
        Ok(())
    }

    /// Calls `edit` with the left end and the bytes of each row of each tile of a part.
    ///
    /// On this thread alone, as all that a hand does: the others may be busy with a model for a long time.
    fn change(&mut self, rect: Rect, mut edit: impl FnMut(u32, u32, &mut [u8])) {
        let rect = rect.intersection(self.whole());
        let across = self.across();
        for i in self.touched(rect) {
            let (left, top) = ((i % across) as u32 * TILE, (i / across) as u32 * TILE);
            let part = rect.intersection(Rect { left, top, width: TILE, height: TILE });
            let bytes = self.tiles[i].bytes_mut();
            for y in part.top..part.bottom() {
                edit(part.left, y, &mut bytes[((y - top) * TILE + part.left - left) as usize..][..part.width as usize]);
            }
        }
    }

    /// Turns tiles of a part that have become even into that.
    fn tidy(&mut self, rect: Rect) {
        for i in self.touched(rect) {
            let part = self.tile_rect(i);
            let even = match &self.tiles[i] {
                Tile::Even(_) => None,
                Tile::Bytes(bytes) => {
                    let first = bytes[0];
                    let rows = bytes.chunks_exact(TILE as usize).take(part.height as usize);
                    rows.into_iter().all(|row| row[..part.width as usize].iter().all(|v| *v == first)).then_some(first)
                }
            };
            if let Some(value) = even {
                self.tiles[i] = Tile::Even(value);
            }
        }
    }

    fn across(&self) -> usize {
        self.width.div_ceil(TILE) as usize
    }

    /// The tiles that a part touches.
    fn touched(&self, rect: Rect) -> Vec<usize> {
        let rect = rect.intersection(self.whole());
        if rect.is_empty() {
            return Vec::new();
        }
        let across = self.across();
        let columns = (rect.left / TILE) as usize..=((rect.right() - 1) / TILE) as usize;
        let rows = (rect.top / TILE) as usize..=((rect.bottom() - 1) / TILE) as usize;
        rows.flat_map(|y| columns.clone().map(move |x| y * across + x)).collect()
    }

    /// The part of the picture that a tile stands for.
    fn tile_rect(&self, i: usize) -> Rect {
        self_rect(i, self.across(), self.size())
    }

    /// The one value of a part, if it is known without looking at each pixel.
    fn even_in(&self, rect: Rect) -> Option<u8> {
        let touched = self.touched(rect);
        let Tile::Even(first) = self.tiles.get(*touched.first()?)? else { return None };
        touched.iter().all(|i| matches!(&self.tiles[*i], Tile::Even(v) if v == first)).then_some(*first)
    }

    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.bounds().is_none()
    }

    /// The smallest rectangle around all that is selected, however softly; `None` where nothing is.
    pub fn bounds(&self) -> Option<Rect> {
        let even = (0..self.tiles.len()).filter(|i| matches!(self.tiles[*i], Tile::Even(1..)));
        let mut all = even.fold(Rect::default(), |all, i| all.union(self.tile_rect(i)));
        for (i, tile) in self.tiles.iter().enumerate() {
            let rect = self.tile_rect(i);
            if let Tile::Bytes(bytes) = tile
                && all.union(rect) != all
            {
                all = all.union(within(bytes, rect));
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// How many pixels are selected, however softly.
    pub fn count(&self) -> u64 {
        let part = |i: usize| {
            let rect = self.tile_rect(i);
            match &self.tiles[i] {
                Tile::Even(0) => 0,
                Tile::Even(_) => u64::from(rect.width) * u64::from(rect.height),
                Tile::Bytes(bytes) => {
                    let rows = bytes.chunks_exact(TILE as usize).take(rect.height as usize);
                    rows.map(|row| row[..rect.width as usize].iter().filter(|v| **v > 0).count() as u64).sum()
                }
            }
        };
        (0..self.tiles.len()).into_par_iter().map(part).sum()
    }

    /// What takes this mask back to `before`. For one stroke: a copy before its first segment, this after its last.
    ///
    /// # Errors      the sizes differ
    pub fn back_to(&self, before: &Self) -> Result<Patch> {
        self.same_size(before.size())?;
        let changed = |i: &usize| !self.tiles[*i].is_same(&before.tiles[*i]);
        let tiles: Vec<_> = (0..self.tiles.len()).filter(changed).map(|i| (i, before.tiles[i].clone())).collect();
        let rect = tiles.iter().fold(Rect::default(), |all, (i, _)| all.union(self.tile_rect(*i)));
        Ok(Patch { size: self.size(), rect, tiles })
    }

    /// Applies a patch and returns the one that takes it back: undo and redo.
    ///
    /// # Errors      the patch is of a mask of another size
    pub fn apply(&mut self, patch: Patch) -> Result<Patch> {
        self.same_size(patch.size)?;
        let swap = |(i, tile)| (i, std::mem::replace(&mut self.tiles[i], tile));
        Ok(Patch { tiles: patch.tiles.into_iter().map(swap).collect(), ..patch })
    }

    fn same_size(&self, other: [u32; 2]) -> Result<()> {
        if self.size() == other { Ok(()) } else { Err(Error::SizesDiffer { left: self.size(), right: other }) }
    }
}

fn self_rect(i: usize, across: usize, size: [u32; 2]) -> Rect {
    let (left, top) = ((i % across) as u32 * TILE, (i / across) as u32 * TILE);
    Rect::between(left, top, (left + TILE).min(size[0]), (top + TILE).min(size[1]))
}

/// The part of a tile's rectangle that is not zero.
fn within(bytes: &[u8], rect: Rect) -> Rect {
    let mut found = Rect::default();
    for (y, row) in bytes.chunks_exact(TILE as usize).take(rect.height as usize).enumerate() {
        let row = &row[..rect.width as usize];
        let (Some(first), Some(last)) = (row.iter().position(|v| *v > 0), row.iter().rposition(|v| *v > 0)) else { continue };
        let y = rect.top + y as u32;
        found = found.union(Rect::between(rect.left + first as u32, y, rect.left + last as u32 + 1, y + 1));
    }
    found
}
