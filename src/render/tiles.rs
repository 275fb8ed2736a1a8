//! Pictures' tiles in the graphics card's memory: uploaded a few per frame, kept while they are of use.

use super::{Sampled, guarded};
use crate::imaging::{Pyramid, TILE};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The most bytes of tiles that a frame uploads, one tile at least: two whole tiles with their margins.
pub const UPLOAD_BYTES_PER_FRAME: u64 = 2 * FULL_TILE_BYTES;

/// Tiles above this many bytes are dropped, the longest unseen first, but none that the current frame draws.
pub const CACHE_BYTES: u64 = 512 << 20;

const FULL_TILE_BYTES: u64 = 4 * (TILE as u64 + 2 * MARGIN as u64).pow(2);

/// Pixels of the neighbours around a tile, so that filters see across its edges.
const MARGIN: u32 = 1;

/// A tile of some pyramid: its level, and its place in tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) level: u8,
    pub(super) x: u32,
    pub(super) y: u32,
}

impl Key {
    pub(super) fn new(level: usize, x: u32, y: u32) -> Self {
        Self { level: level as u8, x, y }
    }

    /// The tile of a coarser level that this one lies in.
    pub(super) fn within(self, level: usize) -> Self {
        let steps = level as u32 - u32::from(self.level);
        Self { level: level as u8, x: self.x >> steps, y: self.y >> steps }
    }

    /// The pixels of the level that the tile's texture holds: left, top, right and bottom.
    pub(super) fn region(self, pyramid: &Pyramid) -> [u32; 4] {
        let level = &pyramid.levels()[usize::from(self.level)];
        let span = |tile: u32, side: u32| [(tile * TILE).saturating_sub(MARGIN), ((tile + 1) * TILE + MARGIN).min(side)];
        let ([left, right], [top, bottom]) = (span(self.x, level.width()), span(self.y, level.height()));
        [left, top, right, bottom]
    }
}

struct Tile {
    sampled: Sampled,
    bytes: u64,
    /// The frame that drew it last.
    seen: u64,
}

struct Entry {
    pyramid: Weak<Pyramid>,
    tiles: HashMap<Key, Tile>,
}

/// The tiles of all pictures.
pub(super) struct Tiles {
    entries: HashMap<u64, Entry>,
    frame: u64,
    bytes: u64,
    budget: u64,
    allowance: u64,
    pending: bool,
}

impl Tiles {
    pub(super) fn new() -> Self {
        Self { entries: HashMap::new(), frame: 0, bytes: 0, budget: CACHE_BYTES, allowance: 0, pending: false }
    }

    /// Drops the tiles of pictures that nobody holds any more, and what is over the budget.
    pub(super) fn begin_frame(&mut self) {
        self.entries.retain(|_, entry| entry.pyramid.strong_count() > 0);
        self.bytes = self.entries.values().flat_map(|entry| entry.tiles.values()).map(|tile| tile.bytes).sum();
        self.evict(self.budget);
        self.frame += 1;
        self.allowance = UPLOAD_BYTES_PER_FRAME;
        self.pending = false;
    }

    /// From the next frame on.
    pub(super) fn set_budget(&mut self, bytes: u64) {
        self.budget = bytes;
    }

    /// True where this frame wanted more tiles than it was allowed to upload.
    pub(super) fn pending(&self) -> bool {
        self.pending
    }

    /// Bytes of all textures.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Uploads the missing ones of the tiles that are wanted, in order, as far as this frame's allowance goes.
    pub(super) fn upload(&mut self, gpu: &super::Gpu, pyramid: &Arc<Pyramid>, wanted: &[Key]) {
        for key in wanted {
            if self.touch(pyramid.id(), *key) {
                continue;
            }
            let [left, top, right, bottom] = key.region(pyramid);
            let bytes = 4 * u64::from(right - left) * u64::from(bottom - top);
            if bytes > self.allowance && self.allowance < UPLOAD_BYTES_PER_FRAME {
                self.pending = true;
                return;
            }
            self.allowance = self.allowance.saturating_sub(bytes);
            match guarded(gpu.device, || texture(gpu, pyramid, *key)) {
                Ok(sampled) => {
                    let entry = || Entry { pyramid: Arc::downgrade(pyramid), tiles: HashMap::new() };
                    let tile = Tile { sampled, bytes, seen: self.frame };
                    self.entries.entry(pyramid.id()).or_insert_with(entry).tiles.insert(*key, tile);
                    self.bytes += bytes;
                }
                Err(error) => {
                    // The card is full: make do with what there is, and show coarser levels where that is not enough.
                    tracing::warn!("a tile of the picture cannot be uploaded: {error}");
                    self.budget = (self.bytes / 2).max(4 * FULL_TILE_BYTES);
                    self.evict(self.budget);
                    return;
                }
            }
        }
    }

    /// The texture of a tile that is uploaded. It counts as seen.
    pub(super) fn get(&mut self, pyramid: u64, key: Key) -> Option<&Sampled> {
        let frame = self.frame;
        let tile = self.entries.get_mut(&pyramid)?.tiles.get_mut(&key)?;
        tile.seen = frame;
        Some(&tile.sampled)
    }

    fn touch(&mut self, pyramid: u64, key: Key) -> bool {
        self.get(pyramid, key).is_some()
    }

    /// Drops the longest unseen tiles until the rest fits, but none of the frame that was drawn last or is being drawn.
    fn evict(&mut self, budget: u64) {
        if self.bytes <= budget {
            return;
        }
        let frame = self.frame;
        let mut unseen: Vec<(u64, u64, Key)> = self
            .entries
            .iter()
            .flat_map(|(id, entry)| entry.tiles.iter().map(|(key, tile)| (tile.seen, *id, *key)))
            .filter(|(seen, ..)| *seen < frame)
            .collect();
        unseen.sort_unstable_by_key(|(seen, ..)| *seen);
        for (_, id, key) in unseen {
            if self.bytes <= budget {
                break;
            }
            let tile = self.entries.get_mut(&id).and_then(|entry| entry.tiles.remove(&key));
            self.bytes -= tile.map_or(0, |tile| tile.bytes);
        }
    }
}

/// Uploads straight from the level's rows: no copy is made here.
fn texture(gpu: &super::Gpu, pyramid: &Pyramid, key: Key) -> Sampled {
    let level = &pyramid.levels()[usize::from(key.level)];
    let [left, top, right, bottom] = key.region(pyramid);
    let size = wgpu::Extent3d { width: right - left, height: bottom - top, depth_or_array_layers: 1 };
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("tile"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let start = 4 * (top as usize * level.width() as usize + left as usize);
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(4 * level.width()), rows_per_image: None };
    gpu.queue.write_texture(texture.as_image_copy(), &level.pixels()[start..], layout, size);
    gpu.sampled(texture)
}
