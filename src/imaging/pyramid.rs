//! A picture in ever halved sizes, from which a screen is filled whatever the zoom.

use super::Picture;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Pixels along one side of a tile, the unit in which a level goes to the screen.
pub const TILE: u32 = 1024;

/// A picture and its halvings, down to a single pixel, in 8 bits with premultiplied alpha.
///
/// A pixel of level `l` covers exactly the `2^l x 2^l` pixels of the picture from `(x << l, y << l)` on, fewer where the
/// picture ends. So a tile of a level lies in one tile of every coarser level, for odd sizes too.
///
/// An opaque picture of 8 bits shares its pixels with level 0, and all other levels are a third of it.
#[derive(Debug)]
pub struct Pyramid {
    id: u64,
    opaque: bool,
    levels: Vec<Level>,
}

/// One size of a [`Pyramid`].
pub struct Level {
    width: u32,
    height: u32,
    pixels: Arc<[u8]>,
}

impl std::fmt::Debug for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} x {}", self.width, self.height)
    }
}

impl Level {
    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    /// Red, green, blue (times alpha, in sRGB's own values) and alpha, row by row from the top left.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

impl Pyramid {
    /// Halves a picture until one pixel is left. Takes about a second for 100 million pixels: not for the window's thread.
    ///
    /// Colours are averaged in linear light, weighted by alpha and by how many of the picture's pixels each stands for.
    pub fn new(picture: &Picture) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let bytes = picture.to_rgba8();
        let opaque = bytes.par_chunks(1 << 16).all(|part| part.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255));
        let pixels = if opaque { bytes } else { premultiplied(&bytes) };
        let mut levels = vec![Level { width: picture.width(), height: picture.height(), pixels }];
        let tables = Tables::new();
        while let Some(last) = levels.last().filter(|level| level.width > 1 || level.height > 1) {
            let next = halved(last, levels.len() as u32, [picture.width(), picture.height()], opaque, &tables);
            levels.push(next);
        }
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), opaque, levels }
    }

    /// A number that no other pyramid of this run has.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Width and height of the picture.
    pub fn size(&self) -> [u32; 2] {
        [self.levels[0].width, self.levels[0].height]
    }

    /// True where no pixel lets anything through.
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// The sizes, from the picture's own to one pixel. There is at least one.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The finest level that is no more than one tile.
    pub fn overview(&self) -> usize {
        self.levels.iter().position(|level| level.width <= TILE && level.height <= TILE).unwrap_or(0)
    }
}

fn premultiplied(bytes: &[u8]) -> Arc<[u8]> {
    let mut out: Arc<[u8]> = std::iter::repeat_n(0, bytes.len()).collect();
    if let Some(out) = Arc::get_mut(&mut out) {
        out.par_chunks_mut(1 << 16).zip(bytes.par_chunks(1 << 16)).for_each(|(to, from)| {
            for (to, [r, g, b, a]) in to.as_chunks_mut::<4>().0.iter_mut().zip(from.as_chunks::<4>().0) {
                *to = [times(*r, *a), times(*g, *a), times(*b, *a), *a];
            }
        });
    }
    out
}

fn times(value: u8, alpha: u8) -> u8 {
    ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8
}

/// sRGB's curve both ways, with linear light in 16 bits.
struct Tables {
    linear: [u16; 256],
    srgb: Vec<u8>,
}

impl Tables {
    fn new() -> Self {
        let decode = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
        let encode = |v: f64| if v <= 0.0031308 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        Self {
            linear: std::array::from_fn(|v| (decode(v as f64 / 255.0) * 65_535.0).round() as u16),
            srgb: (0..=65_535u32).map(|v| (encode(f64::from(v) / 65_535.0) * 255.0).round() as u8).collect(),
        }
    }
}

/// A pixel and the number of the picture's pixels that it stands for; of a premultiplied pixel, its colour by itself.
type Part = ([u8; 4], u64);

/// The next level. `index` is the new level's, `size` the picture's.
fn halved(from: &Level, index: u32, size: [u32; 2], opaque: bool, tables: &Tables) -> Level {
    let (width, height) = (from.width.div_ceil(2), from.height.div_ceil(2));
    // How many columns or rows of the picture pixel `i` of the level before covers: none past the end.
    let cover = |i: u32, side: u32| u64::from(side).saturating_sub(u64::from(i) << (index - 1)).min(1 << (index - 1));
    let source = from.pixels.as_chunks::<4>().0;
    let mut pixels: Arc<[u8]> = std::iter::repeat_n(0, 4 * width as usize * height as usize).collect();
    let out = Arc::get_mut(&mut pixels).map_or(&mut [] as &mut [u8], |out| out);
    out.par_chunks_mut(4 * width as usize).enumerate().for_each(|(y, out)| {
        let y = y as u32;
        let rows = [2 * y, (2 * y + 1).min(from.height - 1)].map(|y| &source[y as usize * from.width as usize..][..from.width as usize]);
        let heights = [cover(2 * y, size[1]), cover(2 * y + 1, size[1])];
        let out = out.as_chunks_mut::<4>().0;
        // All four weigh the same, but for the last column and the last row.
        let plain = if opaque && heights[0] == heights[1] { out.len() - 1 } else { 0 };
        for (x, out) in out[..plain].iter_mut().enumerate() {
            let sum = |c: usize| rows.iter().map(|row| light(tables, row[2 * x][c]) + light(tables, row[2 * x + 1][c])).sum::<u32>();
            *out = [0, 1, 2, 3].map(|c| if c == 3 { 255 } else { tables.srgb[((sum(c) + 2) / 4) as usize] });
        }
        for (x, out) in out.iter_mut().enumerate().skip(plain) {
            let x = x as u32;
            let columns = [2 * x, (2 * x + 1).min(from.width - 1)];
            let widths = [cover(2 * x, size[0]), cover(2 * x + 1, size[0])];
            let part = |i: usize| (rows[i / 2][columns[i % 2] as usize], heights[i / 2] * widths[i % 2]);
            *out = average([part(0), part(1), part(2), part(3)], tables);
        }
    });
    Level { width, height, pixels }
}

fn light(tables: &Tables, value: u8) -> u32 {
    u32::from(tables.linear[usize::from(value)])
}

/// The mean of premultiplied pixels in linear light. Sums stay below 2^60: weights 2^32, alpha 2^8, light 2^16, four of them.
fn average(parts: [Part; 4], tables: &Tables) -> [u8; 4] {
    let total: u64 = parts.iter().map(|(_, weight)| weight).sum();
    let alphas: u64 = parts.iter().map(|(pixel, weight)| u64::from(pixel[3]) * weight).sum();
    let alpha = ((alphas + total / 2) / total) as u8;
    if alpha == 0 {
        return [0; 4];
    }
    let colour = |c: usize| {
        let sum: u64 =
            parts.iter().map(|(pixel, weight)| u64::from(straight(pixel[c], pixel[3], tables)) * u64::from(pixel[3]) * weight).sum();
        times(tables.srgb[((sum + alphas / 2) / alphas) as usize], alpha)
    };
    [colour(0), colour(1), colour(2), alpha]
}

/// The linear light of a premultiplied value's own colour.
fn straight(value: u8, alpha: u8, tables: &Tables) -> u32 {
    match alpha {
        0 => 0,
        255 => light(tables, value),
        _ => light(tables, ((u32::from(value) * 255 + u32::from(alpha) / 2) / u32::from(alpha)).min(255) as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Pixels;
    use super::*;

    fn picture(width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 4]) -> Picture {
        let bytes: Arc<[u8]> = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).flat_map(|(x, y)| pixel(x, y)).collect();
        Picture::new(width, height, Pixels::Rgba8(bytes)).unwrap()
    }

    #[test]
    fn an_opaque_picture_is_its_own_first_level() {
        let picture = picture(33, 21, |x, y| [x as u8 * 7, y as u8 * 11, (x ^ y) as u8, 255]);
        let Pixels::Rgba8(bytes) = picture.pixels() else { unreachable!() };
        let pyramid = Pyramid::new(&picture);
        assert!(Arc::ptr_eq(bytes, &pyramid.levels[0].pixels));
        assert!(pyramid.is_opaque());
        assert_ne!(pyramid.id(), Pyramid::new(&picture).id());
    }

    #[test]
    fn sizes_are_halved_and_rounded_up_until_one_pixel_is_left() {
        for (width, height, levels) in [(1, 1, 1), (1, 20_000, 16), (2, 2, 2), (3, 2, 3), (1025, 7, 12)] {
            let pyramid = Pyramid::new(&picture(width, height, |_, _| [9, 99, 199, 255]));
            assert_eq!(pyramid.levels().len(), levels, "{width} x {height}");
            for (l, level) in pyramid.levels().iter().enumerate() {
                assert_eq!((level.width(), level.height()), (width.div_ceil(1 << l), height.div_ceil(1 << l)));
                assert!(level.pixels().as_chunks::<4>().0.iter().all(|pixel| *pixel == [9, 99, 199, 255]));
            }
            assert!(pyramid.levels()[pyramid.overview()].height() <= TILE);
        }
    }

    /// A pixel of any level is the mean of the light of just the pixels it covers: within the roundings on the way.
    #[test]
    fn averages_are_of_light_and_of_the_covered_pixels_only() {
        let tables = Tables::new();
        for (width, height) in [(64, 64), (7, 5), (13, 1), (1, 11), (37, 50)] {
            let from =
                picture(width, height, |x, y| [(x * 37 + y * 101) as u8, if (x + y) % 2 == 0 { 0 } else { 255 }, (x * y) as u8, 255]);
            let pyramid = Pyramid::new(&from);
            let source = &pyramid.levels()[0].pixels;
            for (l, level) in pyramid.levels().iter().enumerate().skip(1) {
                for (i, pixel) in level.pixels().as_chunks::<4>().0.iter().enumerate() {
                    let (x0, y0) = ((i as u32 % level.width) << l, (i as u32 / level.width) << l);
                    for (c, got) in pixel[..3].iter().enumerate() {
                        let (mut sum, mut count) = (0u64, 0u64);
                        for y in y0..(y0 + (1 << l)).min(height) {
                            for x in x0..(x0 + (1 << l)).min(width) {
                                sum += u64::from(light(&tables, source[4 * (y * width + x) as usize + c]));
                                count += 1;
                            }
                        }
                        let want = tables.srgb[(sum / count) as usize];
                        assert!(got.abs_diff(want) <= 2, "{width} x {height}, level {l}, pixel {i}: {got} is not {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_transparent_pixel_lends_no_colour() {
        let pyramid = Pyramid::new(&picture(2, 2, |x, _| if x == 0 { [200, 100, 50, 255] } else { [0, 255, 255, 0] }));
        assert!(!pyramid.is_opaque());
        assert_eq!(pyramid.levels()[0].pixels()[4..8], [0; 4]);
        assert_eq!(*pyramid.levels()[1].pixels(), [100, 50, 25, 128]);
    }
}
