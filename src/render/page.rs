//! A square of a mask in the graphics card's memory: written tile by tile, and only where the mask has changed.

use super::average::reduce;
use super::tiles::Key;
use super::{Gpu, Sampled, guarded};
use crate::imaging::{MASK_TILE, MaskTile, TILE};

/// The most tiles of masks that a frame brings into pages. What is left shows as it was until the next frame.
pub const MASK_TILES_PER_FRAME: u32 = 256;

/// The most bytes of pages that a frame writes.
pub const MASK_BYTES_PER_FRAME: u64 = 8 << 20;

/// Texels of the neighbours around a page. Outlines ask for the coverage one physical pixel away, which is less than two
/// texels, and the filter for half a texel more.
const MARGIN: u32 = 3;

/// Up to this many texels wide or high, a part of a tile is gathered with others before it is written: each write has its own
/// price, and this is where copying is cheaper.
const STRIP: u32 = 64;

/// The version of what was never written.
pub(super) const NEVER: u64 = 0;

/// A tile of a mask as it was last seen.
pub(super) struct Known {
    pub(super) tile: MaskTile,
    /// Another for each change.
    pub(super) version: u64,
}

/// The texels of a level that a page holds, and the tiles of the mask that they come from.
#[derive(Clone, Copy)]
pub(super) struct Region {
    level: usize,
    /// The mask's size in pixels.
    size: [u32; 2],
    /// Left, top, right and bottom in texels of the level.
    pub(super) texels: [u32; 4],
    /// Texels along one side of a tile.
    side: u32,
    columns: [u32; 2],
    rows: [u32; 2],
}

impl Region {
    pub(super) fn new(key: Key, size: [u32; 2]) -> Self {
        let span = |page: u32, side: u32| {
            let side = side.div_ceil(1 << key.level);
            [(page * TILE).saturating_sub(MARGIN), ((page + 1) * TILE + MARGIN).min(side)]
        };
        let ([left, right], [top, bottom]) = (span(key.x, size[0]), span(key.y, size[1]));
        let side = MASK_TILE >> key.level;
        let tiles = |from: u32, to: u32| [from / side, to.div_ceil(side)];
        let level = usize::from(key.level);
        Self { level, size, texels: [left, top, right, bottom], side, columns: tiles(left, right), rows: tiles(top, bottom) }
    }

    fn width(&self) -> u32 {
        self.texels[2] - self.texels[0]
    }

    fn height(&self) -> u32 {
        self.texels[3] - self.texels[1]
    }

    /// The places of its tiles, row by row.
    fn tiles(self) -> impl Iterator<Item = (u32, u32)> {
        let [from, to] = self.columns;
        (self.rows[0]..self.rows[1]).flat_map(move |y| (from..to).map(move |x| (x, y)))
    }

    /// The texels of some tiles as far as they are in the page, from its corner: left, top, right and bottom.
    fn part(&self, block: &Block) -> [u32; 4] {
        let [left, top, right, bottom] = self.texels;
        let Block { columns, rows } = block;
        [
            (columns[0] * self.side).max(left) - left,
            (rows[0] * self.side).max(top) - top,
            (columns[1] * self.side).min(right) - left,
            (rows[1] * self.side).min(bottom) - top,
        ]
    }

    /// The same of one tile, from the tile's own corner.
    fn within(&self, (x, y): (u32, u32), [left, top, right, bottom]: [u32; 4]) -> [usize; 4] {
        let across = |texel: u32| (self.texels[0] + texel - x * self.side) as usize;
        let down = |texel: u32| (self.texels[1] + texel - y * self.side) as usize;
        [across(left), down(top), across(right), down(bottom)]
    }

    /// Where a part begins in the bytes of a whole page.
    fn start(&self, part: [u32; 4]) -> usize {
        part[1] as usize * self.width() as usize + part[0] as usize
    }

    /// How many columns and rows of a tile's pixels lie in the picture.
    fn pixels(&self, (x, y): (u32, u32)) -> [usize; 2] {
        [(x, self.size[0]), (y, self.size[1])].map(|(tile, side)| (side - tile * MASK_TILE).min(MASK_TILE) as usize)
    }
}

/// A rectangle of tiles: columns and rows, from and to.
struct Block {
    columns: [u32; 2],
    rows: [u32; 2],
}

/// What a frame may still do, has done, and does it with.
#[derive(Default)]
pub(super) struct Desk {
    tiles: u32,
    bytes: u64,
    /// Set where that was not enough.
    pub(super) pending: bool,
    /// How many times a tile was written into a page.
    pub(super) written: u32,
    /// Bytes that were written into pages.
    pub(super) uploaded: u64,
    /// A page in the making, and which parts of it are new.
    texels: Vec<u8>,
    blocks: Vec<Block>,
    /// Where the blocks of the present row of tiles begin.
    row: usize,
}

impl Desk {
    pub(super) fn begin_frame(&mut self) {
        (self.tiles, self.bytes, self.pending) = (MASK_TILES_PER_FRAME, MASK_BYTES_PER_FRAME, false);
        (self.written, self.uploaded) = (0, 0);
    }

    fn begin_page(&mut self, region: &Region) {
        self.blocks.clear();
        self.row = 0;
        let bytes = region.width() as usize * region.height() as usize;
        if self.texels.len() < bytes {
            self.texels.resize(bytes, 0);
        }
    }

    /// Whether there is still room for one more tile. If so it counts.
    fn take(&mut self, tile: &MaskTile, texels: u32) -> bool {
        let (tiles, bytes) = (u32::from(matches!(tile, MaskTile::Bytes(_))), u64::from(texels));
        if self.tiles < tiles || self.bytes < bytes {
            self.pending = true;
            return false;
        }
        self.tiles -= tiles;
        self.bytes -= bytes;
        true
    }

    /// Makes the texels of a tile.
    fn fill(&mut self, region: &Region, at: (u32, u32), part: [u32; 4], tile: &MaskTile) {
        let (pitch, width, height) = (region.width() as usize, (part[2] - part[0]) as usize, (part[3] - part[1]) as usize);
        let texels = &mut self.texels[region.start(part)..];
        match tile {
            MaskTile::Even(value) => texels.chunks_mut(pitch).take(height).for_each(|row| row[..width].fill(*value)),
            MaskTile::Bytes(bytes) => reduce(bytes, region.pixels(at), region.level, region.within(at, part), texels, pitch),
        }
    }

    /// Whether texels have one value.
    fn is_even(&self, region: &Region, part: [u32; 4], value: u8) -> bool {
        let (pitch, width, height) = (region.width() as usize, (part[2] - part[0]) as usize, (part[3] - part[1]) as usize);
        self.texels[region.start(part)..].chunks(pitch).take(height).all(|row| row[..width].iter().all(|v| *v == value))
    }

    /// Adds a tile to the blocks that are to be written.
    fn add(&mut self, (x, y): (u32, u32)) {
        if self.blocks.last().is_some_and(|last| last.rows[0] < y && last.rows[1] <= y) {
            self.end_row();
        }
        match self.blocks.last_mut().filter(|last| last.rows == [y, y + 1] && last.columns[1] == x) {
            Some(last) => last.columns[1] += 1,
            None => self.blocks.push(Block { columns: [x, x + 1], rows: [y, y + 1] }),
        }
    }

    /// Puts those of the last row of tiles into blocks above that are as wide.
    fn end_row(&mut self) {
        let mut i = self.row;
        while i < self.blocks.len() {
            let (above, below) = self.blocks.split_at_mut(i);
            let Block { columns, rows } = &below[0];
            match above[..self.row].iter_mut().find(|above| above.columns == *columns && above.rows[1] == rows[0]) {
                Some(above) => {
                    above.rows[1] = rows[1];
                    self.blocks.remove(i);
                }
                None => i += 1,
            }
        }
        self.row = self.blocks.len();
    }
}

/// A square of a mask at a level, the same squares as a picture's tiles, with a margin.
pub(super) struct Page {
    /// None where all of it is `even`.
    pub(super) texture: Option<Sampled>,
    /// The value of all that was never written.
    pub(super) even: u8,
    /// The versions of the mask's tiles that it shows, row by row.
    held: Vec<u64>,
    /// Whether all of it was there once.
    complete: bool,
    pub(super) seen: u64,
}

impl Page {
    pub(super) fn new(region: &Region) -> Self {
        Self { texture: None, even: 0, held: vec![NEVER; region.tiles().count()], complete: false, seen: 0 }
    }

    /// Brings the page to where the mask is, as far as this frame's allowance goes. True where all of it is there, in whatever
    /// version. `known` tells the mask's tiles.
    pub(super) fn update<'a>(&mut self, gpu: &Gpu, region: &Region, known: impl Fn((u32, u32)) -> &'a Known, desk: &mut Desk) -> bool {
        if let MaskTile::Even(value) = known((region.columns[0], region.rows[0])).tile
            && region.tiles().all(|at| matches!(known(at).tile, MaskTile::Even(v) if v == value))
        {
            (self.texture, self.even, self.complete) = (None, value, true);
            self.held.iter_mut().zip(region.tiles()).for_each(|(held, at)| *held = known(at).version);
            return true;
        }
        desk.begin_page(region);
        let mut stopped = false;
        for (i, at) in region.tiles().enumerate() {
            let Known { tile, version } = known(at);
            if self.held[i] == *version {
                continue;
            }
            // Texels that were never written have the page's own value.
            let untouched = self.texture.is_none() || self.held[i] == NEVER;
            if !(untouched && matches!(tile, MaskTile::Even(value) if *value == self.even)) {
                let part = region.part(&Block { columns: [at.0, at.0 + 1], rows: [at.1, at.1 + 1] });
                let [width, height] = [part[2] - part[0], part[3] - part[1]];
                if !desk.take(tile, width * height) {
                    stopped = true;
                    break;
                }
                match (&self.texture, tile) {
                    (Some(sampled), MaskTile::Bytes(bytes)) if region.level == 0 && width.min(height) > STRIP => {
                        // As it is, from where it lies.
                        let [left, top, ..] = region.within(at, part);
                        write(gpu, &sampled.texture, part, &bytes[top * MASK_TILE as usize + left..], MASK_TILE);
                        desk.written += 1;
                        desk.uploaded += area(part);
                    }
                    (texture, _) => {
                        desk.fill(region, at, part, tile);
                        if texture.is_none() && !desk.is_even(region, part, self.even) {
                            self.texture = filled(gpu, region.width(), region.height(), self.even);
                            desk.uploaded += if self.even == 0 { 0 } else { area([0, 0, region.width(), region.height()]) };
                            if self.texture.is_none() {
                                return false;
                            }
                        }
                        if self.texture.is_some() {
                            desk.add(at);
                            desk.written += 1;
                        }
                    }
                }
            }
            self.held[i] = *version;
        }
        desk.end_row();
        if let Some(sampled) = &self.texture {
            for part in desk.blocks.iter().map(|block| region.part(block)) {
                write(gpu, &sampled.texture, part, &desk.texels[region.start(part)..], region.width());
                desk.uploaded += area(part);
            }
        }
        self.complete |= !stopped;
        self.complete
    }
}

/// A page with one value all over.
fn filled(gpu: &Gpu, width: u32, height: u32, value: u8) -> Option<Sampled> {
    let made = guarded(gpu.device, || {
        let sampled = texture(gpu, width, height);
        // A new texture is zero.
        if value != 0 {
            write(gpu, &sampled.texture, [0, 0, width, height], &vec![value; width as usize * height as usize], width);
        }
        sampled
    });
    made.inspect_err(|error| tracing::warn!("a part of a mask cannot be uploaded: {error}")).ok()
}

/// A texel for each value, for what is even.
pub(super) fn ramp(gpu: &Gpu) -> Option<Sampled> {
    let values: [u8; 256] = std::array::from_fn(|value| value as u8);
    let made = guarded(gpu.device, || {
        let sampled = texture(gpu, 256, 1);
        write(gpu, &sampled.texture, [0, 0, 256, 1], &values, 256);
        sampled
    });
    made.inspect_err(|error| tracing::warn!("masks cannot be drawn: {error}")).ok()
}

fn texture(gpu: &Gpu, width: u32, height: u32) -> Sampled {
    gpu.sampled(gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("page"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R8Unorm,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    }))
}

/// Texels of a rectangle, a byte each.
fn area([left, top, right, bottom]: [u32; 4]) -> u64 {
    u64::from(right - left) * u64::from(bottom - top)
}

/// Writes a rectangle, its first byte the first of `bytes`, whose rows are `pitch` apart.
fn write(gpu: &Gpu, texture: &wgpu::Texture, [left, top, right, bottom]: [u32; 4], bytes: &[u8], pitch: u32) {
    let to = wgpu::TexelCopyTextureInfo { origin: wgpu::Origin3d { x: left, y: top, z: 0 }, ..texture.as_image_copy() };
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
    let size = wgpu::Extent3d { width: right - left, height: bottom - top, depth_or_array_layers: 1 };
    gpu.queue.write_texture(to, bytes, layout, size);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_written_in_few_blocks_and_each_once() {
        let check = |tiles: &[(u32, u32)], blocks: usize| {
            let mut desk = Desk::default();
            tiles.iter().for_each(|at| desk.add(*at));
            desk.end_row();
            let all = desk
                .blocks
                .iter()
                .flat_map(|Block { columns, rows }| (rows[0]..rows[1]).flat_map(|y| (columns[0]..columns[1]).map(move |x| (x, y))));
            let mut all: Vec<(u32, u32)> = all.collect();
            all.sort_by_key(|(x, y)| (*y, *x));
            assert_eq!(all, tiles);
            assert_eq!(desk.blocks.len(), blocks, "{tiles:?}");
        };
        check(&[], 0);
        check(&[(3, 1), (4, 1), (3, 2), (4, 2), (3, 3), (4, 3)], 1);
        check(&[(0, 0), (1, 0), (3, 0), (0, 1), (1, 1), (3, 1), (4, 1)], 3);
        check(&[(0, 0), (0, 2)], 2);
        check(&[(0, 0), (0, 2), (1, 2), (0, 3), (1, 3), (1, 4)], 3);
    }

    #[test]
    fn the_tiles_of_a_page_cover_its_texels_and_end_with_the_picture() {
        for (size, key) in [([3000, 1100], Key::new(0, 1, 0)), ([5000, 4097], Key::new(2, 0, 1)), ([65_000, 3], Key::new(7, 0, 0))] {
            let region = Region::new(key, size);
            let mut count = 0;
            for at in region.tiles() {
                let part = region.part(&Block { columns: [at.0, at.0 + 1], rows: [at.1, at.1 + 1] });
                let [left, top, right, bottom] = region.within(at, part);
                assert!(left < right && top < bottom);
                // Every texel has a pixel.
                let pixels = region.pixels(at);
                assert!((right - 1) << region.level < pixels[0] && (bottom - 1) << region.level < pixels[1]);
                count += (part[2] - part[0]) * (part[3] - part[1]);
            }
            assert_eq!(count, region.width() * region.height(), "{size:?}");
        }
    }
}
