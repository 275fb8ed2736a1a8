//! Masks in the graphics card's memory: pages of coverage in the size in which they are seen. Of a mask that changes only the
//! tiles that did are uploaded, and of one that is even nothing is.

use super::page::{Desk, Known, NEVER, Page, Region, ramp};
use super::placement::{Placement, Span};
use super::tiles::Key;
use super::{Gpu, Sampled};
use crate::imaging::{MASK_TILE, Mask};
use std::collections::HashMap;

/// Pages above this many bytes are dropped, but none that the current frame draws.
const CACHE_BYTES: u64 = 128 << 20;

/// The levels of pages. Smaller than at the last no picture is seen.
const LEVELS: usize = 8;

/// The pages of one mask.
struct Entry {
    size: [u32; 2],
    tiles: Vec<Known>,
    pages: HashMap<Key, Page>,
    /// The level that was last drawn with all of its pages.
    shown: Option<usize>,
    seen: u64,
}

/// A seen part of a mask, and what shows it.
pub(super) struct SeenPage {
    pub(super) across: Span,
    pub(super) down: Span,
    pub(super) level: usize,
    /// The one value of all of it, if there is one.
    pub(super) even: Option<u8>,
    pub(super) texture: Sampled,
    /// The texel of the level in the texture's corner.
    corner: [u32; 2],
}

impl SeenPage {
    /// What lies at the corner of a physical pixel, in texels, and how many of them a physical pixel is.
    pub(super) fn texels(&self, placement: &Placement, [x, y]: [i64; 2]) -> ([f32; 2], [f32; 2]) {
        if let Some(value) = self.even {
            return ([f32::from(value) + 0.5, 0.5], [0.0; 2]);
        }
        let at = [placement.texel(0, x, self.level, self.corner[0]), placement.texel(1, y, self.level, self.corner[1])];
        (at, [(1.0 / placement.scale_of(self.level)) as f32; 2])
    }
}

/// The pages of all masks.
pub(super) struct Pages {
    entries: Vec<Entry>,
    /// A texel for each value, for what is even.
    ramp: Option<Sampled>,
    desk: Desk,
    frame: u64,
    version: u64,
}

impl Pages {
    pub(super) fn new() -> Self {
        Self { entries: Vec::new(), ramp: None, desk: Desk::default(), frame: 0, version: NEVER }
    }

    pub(super) fn begin_frame(&mut self) {
        self.frame += 1;
        self.desk.begin_frame();
    }

    /// Drops the masks that this frame did not draw, and what is over the budget.
    pub(super) fn end_frame(&mut self) {
        let frame = self.frame;
        self.entries.retain(|entry| entry.seen == frame);
        if self.bytes() > CACHE_BYTES {
            self.entries.iter_mut().for_each(|entry| entry.pages.retain(|_, page| page.seen == frame));
        }
    }

    /// True where this frame had more to do than it was allowed to.
    pub(super) fn pending(&self) -> bool {
        self.desk.pending
    }

    /// How many times this frame wrote a tile of a mask into a page.
    pub(super) fn written(&self) -> u32 {
        self.desk.written
    }

    /// How many bytes this frame wrote into pages.
    pub(super) fn uploaded(&self) -> u64 {
        self.desk.uploaded
    }

    /// Bytes of all pages.
    pub(super) fn bytes(&self) -> u64 {
        let textures = self.entries.iter().flat_map(|entry| entry.pages.values()).filter_map(|page| page.texture.as_ref());
        textures.map(|sampled| u64::from(sampled.texture.width()) * u64::from(sampled.texture.height())).sum()
    }

    /// One value over all of the picture that is on the canvas.
    pub(super) fn everywhere(&mut self, gpu: &Gpu, value: u8, placement: &Placement) -> Option<SeenPage> {
        let span = |axis: usize| {
            let [from, to] = placement.whole(axis);
            Span { tile: 0, from, to }
        };
        let texture = self.ramp(gpu)?;
        Some(SeenPage { across: span(0), down: span(1), level: 0, even: Some(value), texture, corner: [0; 2] })
    }

    /// The part of a mask that is on the canvas, after the uploads that this frame may do. Nothing where the mask has another
    /// size than the picture.
    pub(super) fn seen(&mut self, gpu: &Gpu, mask: &Mask, placement: &Placement) -> Vec<SeenPage> {
        let Some(ramp) = self.ramp(gpu).filter(|_| mask.size() == placement.size) else { return Vec::new() };
        let frame = self.frame;
        let entry = entry(&mut self.entries, &mut self.version, frame, mask);
        let mut level = placement.level(LEVELS);
        let mut squares = placement.squares(level);
        let key = |level: usize, [across, down]: [Span; 2]| Key::new(level, across.tile, down.tile);
        let mut all_there = true;
        for square in &squares {
            all_there &= entry.update(gpu, key(level, *square), frame, &mut self.desk);
        }
        match entry.shown.filter(|shown| !all_there && *shown != level) {
            // What was there at another zoom is better than half of this one.
            Some(shown) => {
                level = shown;
                squares = placement.squares(level);
            }
            None if all_there => entry.shown = Some(level),
            None => {}
        }
        let mut seen = Vec::with_capacity(squares.len());
        for square in squares {
            let key = key(level, square);
            let Some(page) = entry.pages.get_mut(&key) else { continue };
            page.seen = frame;
            let even = if page.texture.is_some() { None } else { Some(page.even) };
            let texture = page.texture.as_ref().unwrap_or(&ramp).clone();
            let [left, top, ..] = Region::new(key, entry.size).texels;
            let [across, down] = square;
            seen.push(SeenPage { across, down, level, even, texture, corner: [left, top] });
        }
        seen
    }

    fn ramp(&mut self, gpu: &Gpu) -> Option<Sampled> {
        if self.ramp.is_none() {
            self.ramp = ramp(gpu);
        }
        self.ramp.clone()
    }
}

/// The pages of a mask, made to know its tiles. Masks have no names: of those that no other mask of this frame is drawn with,
/// the pages are taken that need the fewest changes.
fn entry<'a>(entries: &'a mut Vec<Entry>, version: &mut u64, frame: u64, mask: &Mask) -> &'a mut Entry {
    let tiles = mask.tiles();
    let mut best: Option<(usize, usize)> = None;
    for (i, entry) in entries.iter().enumerate().filter(|(_, entry)| entry.size == mask.size()) {
        let same = entry.tiles.iter().zip(tiles).filter(|(known, tile)| known.tile.is_same(tile)).count();
        if entry.seen == frame && same == tiles.len() {
            best = Some((i, same));
            break;
        }
        if entry.seen < frame && best.is_none_or(|(_, most)| same > most) {
            best = Some((i, same));
        }
    }
    *version += 1;
    let i = best.map_or(entries.len(), |(i, _)| i);
    if i == entries.len() {
        let tiles = tiles.iter().map(|tile| Known { tile: tile.clone(), version: *version }).collect();
        entries.push(Entry { size: mask.size(), tiles, pages: HashMap::new(), shown: None, seen: frame });
    }
    let entry = &mut entries[i];
    for (known, tile) in entry.tiles.iter_mut().zip(tiles).filter(|(known, tile)| !known.tile.is_same(tile)) {
        *known = Known { tile: tile.clone(), version: *version };
    }
    entry.seen = frame;
    entry
}

impl Entry {
    /// Brings a page to where the mask is, as [`Page::update`].
    fn update(&mut self, gpu: &Gpu, key: Key, frame: u64, desk: &mut Desk) -> bool {
        let region = Region::new(key, self.size);
        let across = self.size[0].div_ceil(MASK_TILE);
        let page = self.pages.entry(key).or_insert_with(|| Page::new(&region));
        page.seen = frame;
        page.update(gpu, &region, |(x, y)| &self.tiles[(y * across + x) as usize], desk)
    }
}
