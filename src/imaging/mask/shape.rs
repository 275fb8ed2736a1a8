//! What is done to the whole of a mask: invert, feather, grow, shrink. Only where it is not even anything is computed.

use super::super::{ContextBox, Result, mask_to_model};
use super::{Mask, Rect, TILE, Tile};
use rayon::prelude::*;

/// The farthest that a mask is feathered, grown or shrunk, in pixels.
const FARTHEST: u32 = 1000;

impl Mask {
    /// The same selection of a picture of another size.
    ///
    /// # Errors      the size is larger than a picture can be
    pub fn stretched(&self, size: [u32; 2]) -> Result<Self> {
        let all = ContextBox { left: 0, top: 0, width: self.width(), height: self.height() };
        let mut out = Self::new(size[0], size[1])?;
        out.write(out.whole(), &mask_to_model(self, all, size))?;
        Ok(out)
    }

    /// Inside becomes outside. Twice is as before.
    pub fn invert(&mut self) {
        self.tiles.par_iter_mut().for_each(|tile| match tile {
            Tile::Even(value) => *value = 255 - *value,
            Tile::Bytes(_) => tile.bytes_mut().iter_mut().for_each(|v| *v = 255 - *v),
        });
    }

    /// The mask with soft edges that reach `reach` pixels to either side, close to a Gaussian of a third of that. Beyond
    /// the picture's edge it goes on as at the edge: a selection does not fade there.
    ///
    /// A pixel farther than `reach` from any other value keeps its own exactly.
    #[must_use]
    pub fn feathered(&self, reach: u32) -> Self {
        let reach = reach.min(FARTHEST);
        if reach == 0 {
            return self.clone();
        }
        // Three boxes one after the other, together as wide as asked.
        let radii = [reach / 3, (reach + 1) / 3, reach.div_ceil(3)].map(|r| r as usize);
        self.by_blocks(reach, |window, width, height| {
            let mut plane: Vec<u16> = window.iter().map(|v| u16::from(*v) * 257).collect();
            let mut turned = vec![0; plane.len()];
            for radius in radii {
                for row in plane.chunks_exact_mut(width) {
                    box_row(row, radius);
                }
            }
            turn(&plane, width, height, &mut turned);
            for radius in radii {
                for row in turned.chunks_exact_mut(height) {
                    box_row(row, radius);
                }
            }
            turn(&turned, height, width, &mut plane);
            plane.iter().map(|v| ((u32::from(*v) + 128) / 257) as u8).collect()
        })
    }

    /// The mask with every edge moved outwards by `by` pixels, by a disc; soft edges stay as soft.
    #[must_use]
    pub fn grown(&self, by: u32) -> Self {
        let by = by.min(FARTHEST);
        if by == 0 {
            return self.clone();
        }
        self.by_blocks(by, |window, width, height| dilated(window, width, height, by as usize))
    }

    /// The mask with every edge moved inwards by `by` pixels. At the picture's edge it does not shrink.
    #[must_use]
    pub fn shrunk(&self, by: u32) -> Self {
        let mut out = self.clone();
        out.invert();
        out = out.grown(by);
        out.invert();
        out
    }

    /// Makes each pixel anew from those up to `reach` around it: `make` takes a window (bytes, width, height) and returns as
    /// many bytes, of which those that are `reach` from its edge count.
    fn by_blocks(&self, reach: u32, make: impl Fn(&[u8], usize, usize) -> Vec<u8> + Sync) -> Self {
        // Blocks as large as the reach asks for, so that no more than three quarters of the work are for nothing.
        let side = TILE * (2 * reach).div_ceil(TILE).clamp(1, 6);
        let (across, down) = (self.width.div_ceil(side), self.height.div_ceil(side));
        let block = |i: u32| {
            let (left, top) = (i % across * side, i / across * side);
            let rect = Rect { left, top, width: side, height: side }.intersection(self.whole());
            if self.even_in(rect.grown(reach, self.size())).is_some() {
                return None;
            }
            // Beyond the picture lies what is at its edge.
            let (width, height) = ((rect.width + 2 * reach) as usize, (rect.height + 2 * reach) as usize);
            let inner = rect.grown(reach, self.size());
            let (before, above) = ((reach - (rect.left - inner.left)) as usize, reach - (rect.top - inner.top));
            let mut window = vec![0; width * height];
            for (y, row) in window.chunks_exact_mut(width).enumerate() {
                let y = (inner.top + (y as u32).saturating_sub(above)).min(inner.bottom() - 1);
                let behind = before + inner.width as usize;
                self.read_row(inner.left, y, &mut row[before..behind]);
                let (first, last) = (row[before], row[behind - 1]);
                row[..before].fill(first);
                row[behind..].fill(last);
            }
            let made = make(&window, width, height);
            let rows = made.chunks_exact(width).skip(reach as usize).take(rect.height as usize);
            Some((rect, rows.flat_map(|row| &row[reach as usize..][..rect.width as usize]).copied().collect::<Vec<u8>>()))
        };
        let mut out = self.clone();
        // A few at a time, so that memory stays small.
        let all: Vec<u32> = (0..across * down).collect();
        for some in all.chunks(4 * rayon::current_num_threads()) {
            for (rect, bytes) in some.par_iter().filter_map(|i| block(*i)).collect::<Vec<_>>() {
                let written = out.write(rect, &bytes);
                debug_assert!(written.is_ok(), "a block lies in the picture");
            }
        }
        out
    }
}

/// The mean of `2 radius + 1` values around each, rounded; what lies beyond the ends is as at the ends.
fn box_row(row: &mut [u16], radius: usize) {
    if radius == 0 {
        return;
    }
    let from = row.to_vec();
    let last = from.len() - 1;
    let count = 2 * radius as u32 + 1;
    let mut sum: u32 = (0..=2 * radius).map(|i| u32::from(from[i.saturating_sub(radius).min(last)])).sum();
    for (i, out) in row.iter_mut().enumerate() {
        *out = ((sum + count / 2) / count) as u16;
        sum = sum + u32::from(from[(i + radius + 1).min(last)]) - u32::from(from[i.saturating_sub(radius)]);
    }
}

/// Rows become columns.
fn turn(from: &[u16], width: usize, height: usize, to: &mut [u16]) {
    const PART: usize = 32;
    for (y0, x0) in (0..height).step_by(PART).flat_map(|y| (0..width).step_by(PART).map(move |x| (y, x))) {
        for x in x0..(x0 + PART).min(width) {
            for y in y0..(y0 + PART).min(height) {
                to[x * height + y] = from[y * width + x];
            }
        }
    }
}

/// The largest value in a disc around each pixel.
pub(in crate::imaging) fn dilated(from: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    // Half the disc's width in the row `dy` away.
    let half = |dy: usize| ((radius * radius + radius - dy * dy) as f64).sqrt() as usize;
    let mut out = from.to_vec();
    // The largest of the values up to `reach` to either side, for an ever larger reach.
    let (mut wide, mut next) = (from.to_vec(), vec![0; from.len()]);
    let mut dy = radius;
    for reach in 0..=half(0) {
        if reach > 0 {
            for (from, to) in wide.chunks_exact(width).zip(next.chunks_exact_mut(width)) {
                to.copy_from_slice(from);
                raise(&mut to[1..], &from[..width - 1]);
                raise(&mut to[..width - 1], &from[1..]);
            }
            std::mem::swap(&mut wide, &mut next);
        }
        while half(dy) == reach {
            let count = height.saturating_sub(dy) * width;
            raise(&mut out[..count], &wide[height * width - count..]);
            raise(&mut out[height * width - count..], &wide[..count]);
            if dy == 0 {
                return out;
            }
            dy -= 1;
        }
    }
    out
}

fn raise(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = (*to).max(*from));
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;

    fn square(width: u32, height: u32, rect: Rect) -> Mask {
        let mut mask = Mask::new(width, height).unwrap();
        mask.rectangle(rect, Mode::Add);
        mask
    }

    #[test]
    fn growing_is_by_a_disc_and_shrinking_takes_it_back() {
        let rect = Rect { left: 240, top: 250, width: 30, height: 20 };
        for by in [1, 2, 5, 40] {
            let mask = square(600, 560, rect);
            let grown = mask.grown(by);
            assert_eq!(grown.bounds(), Some(rect.grown(by, mask.size())));
            for (x, y) in (200..310).flat_map(|x| (205..315).map(move |y| (x, y))) {
                let away = |v: u32, from: u32, to: u32| from.saturating_sub(v).max((v + 1).saturating_sub(to));
                let (dx, dy) = (away(x, 240, 270), away(y, 250, 270));
                assert_eq!(grown.coverage(x, y) == 255, dx * dx + dy * dy <= by * by + by, "{by}: {x}, {y}");
            }
            assert_eq!(grown.shrunk(by), mask);
        }
    }

    #[test]
    fn a_feather_reaches_as_far_as_asked_and_keeps_the_area() {
        let rect = Rect { left: 200, top: 210, width: 300, height: 280 };
        for reach in [1, 2, 7, 64] {
            let mask = square(800, 700, rect);
            let soft = mask.feathered(reach);
            let bounds = soft.bounds().unwrap();
            assert_eq!(bounds.intersection(rect.grown(reach, mask.size())), bounds);
            let sum = |m: &Mask| m.read(m.whole()).iter().map(|v| f64::from(*v)).sum::<f64>();
            assert!((sum(&soft) / sum(&mask) - 1.0).abs() < 0.002, "{reach}");
            assert_eq!(soft.coverage(350, 350), 255);
            assert!(soft.coverage(200, 350).abs_diff(soft.coverage(499, 350)) == 0 && soft.coverage(200, 350) < 255);
        }
        let all = square(300, 300, Rect { left: 0, top: 0, width: 300, height: 300 });
        assert_eq!(all.feathered(50), all);
        assert_eq!(all.shrunk(50), all);
    }
}
