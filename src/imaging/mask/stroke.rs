//! What a hand does to a mask as it moves: strokes. Each segment of a stroke is drawn while the window waits, so that only
//! its soft edge is computed.

use super::{Mask, Mode, Rect, Tile};

/// A round brush.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    /// In pixels of the picture.
    pub diameter: f32,
    /// The share of the radius that is wholly covered, 0..1. At 1 the edge is one pixel wide.
    pub hardness: f32,
    pub mode: Mode,
}

impl Mask {
    /// Draws one segment of a stroke and returns the rectangle that may have changed. `from` and `to` are in pixels of the
    /// picture, a pixel's middle at one half; they may lie outside. A dot is a segment from a point to itself.
    pub fn stroke(&mut self, from: [f32; 2], to: [f32; 2], brush: Brush) -> Rect {
        // Far beyond any picture 32 bits would not do.
        let [from, to] = [from, to].map(|point| point.map(|v| f64::from(v).clamp(-1e6, 1e6)));
        if from.iter().chain(&to).any(|v| v.is_nan()) {
            return Rect::default();
        }
        let segment = Segment::new(from, to, brush);
        let reach = |axis: usize, sign: f64| (sign * from[axis]).max(sign * to[axis]) * sign + sign * segment.outer;
        let rect = self.covered(reach(0, -1.0), reach(1, -1.0), reach(0, 1.0), reach(1, 1.0));
        for i in self.touched(rect) {
            if matches!(self.tiles[i], Tile::Even(value) if value == brush.mode.most()) {
                continue; // more than this cannot be done to it
            }
            let part = self.tile_rect(i);
            match segment.covers(part, from) {
                Cover::All => self.tiles[i] = Tile::Even(brush.mode.most()),
                Cover::None => {}
                Cover::Some => self.stroke_blocks(part.intersection(rect), &segment, from, brush.mode),
            }
        }
        self.tidy(rect);
        rect
    }

    /// Draws on a part of one tile, of which most is often wholly inside or outside.
    fn stroke_blocks(&mut self, part: Rect, segment: &Segment, from: [f64; 2], mode: Mode) {
        let steps = |start: u32, length: u32| (start - start % BLOCK..start + length).step_by(BLOCK as usize);
        for (left, top) in steps(part.top, part.height).flat_map(|top| steps(part.left, part.width).map(move |left| (left, top))) {
            let block = Rect { left, top, width: BLOCK, height: BLOCK }.intersection(part);
            match segment.covers(block, from) {
                Cover::All => self.change(block, |_, _, row| row.fill(mode.most())),
                Cover::None => {}
                Cover::Some => self.change(block, |x, y, row| {
                    // Behind the brush all is covered already.
                    if *row != [mode.most(); BLOCK as usize][..row.len()] {
                        segment.fine.draw((f64::from(x) + 0.5 - from[0]) as f32, (f64::from(y) + 0.5 - from[1]) as f32, row, mode);
                    }
                }),
            }
        }
    }
}

/// Side of the blocks in a tile, in pixels.
const BLOCK: u32 = 64;

/// How much of a part is covered.
enum Cover {
    All,
    Some,
    None,
}

/// How much nearer, in pixels, something must be to be known without its pixels, which are computed in 32 bits.
const SLACK: f64 = 1.0;

/// A segment of a stroke. Places are seen from its own beginning.
struct Segment {
    by: [f64; 2],
    length2: f64,
    /// Nothing is covered from this distance on.
    outer: f64,
    /// Up to this distance all is covered; negative where nothing is wholly.
    core: f64,
    fine: Fine,
}

/// The same for the loop over pixels.
struct Fine {
    by: [f32; 2],
    per_length2: f32,
    outer: f32,
    per_width: f32,
}

impl Segment {
    fn new(from: [f64; 2], to: [f64; 2], brush: Brush) -> Self {
        let radius = f64::from(brush.diameter.clamp(1.0, 20_000.0)) / 2.0;
        let soft = (radius * (1.0 - f64::from(brush.hardness.clamp(0.0, 1.0)))).max(0.5);
        // Coverage is one half where the disc ends, if the edge is one pixel wide; else it ends at the disc's edge.
        let outer = radius + (1.0 - soft).max(0.0);
        let core = radius - soft;
        let by = [to[0] - from[0], to[1] - from[1]];
        let length2 = by[0] * by[0] + by[1] * by[1];
        let fine = Fine {
            by: by.map(|v| v as f32),
            per_length2: if length2 > 0.0 { (1.0 / length2) as f32 } else { 0.0 },
            outer: outer as f32,
            per_width: (1.0 / (outer - core.max(0.0))) as f32,
        };
        Self { by, length2, outer, core, fine }
    }

    /// The distance of a place.
    fn away(&self, x: f64, y: f64) -> f64 {
        let [dx, dy] = self.by;
        let along = if self.length2 > 0.0 { ((x * dx + y * dy) / self.length2).clamp(0.0, 1.0) } else { 0.0 };
        (x - along * dx).hypot(y - along * dy)
    }

    /// How much of a part of the picture it covers, where it begins at `from`. What is near a segment is convex: a part whose
    /// corners are is so with all that is in it.
    fn covers(&self, part: Rect, from: [f64; 2]) -> Cover {
        let (x, y) = (f64::from(part.left) - from[0], f64::from(part.top) - from[1]);
        let (w, h) = (f64::from(part.width), f64::from(part.height));
        if self.away(x + w / 2.0, y + h / 2.0) > self.outer + w.hypot(h) / 2.0 {
            return Cover::None;
        }
        let corners = [(x, y), (x + w, y), (x, y + h), (x + w, y + h)];
        if corners.iter().all(|(x, y)| self.away(*x, *y) < self.core - SLACK) { Cover::All } else { Cover::Some }
    }
}

impl Fine {
    /// Draws pixels beside each other. One root a pixel and no branch, so that the compiler makes vectors of it; they are
    /// twice as wide on a processor that has them so.
    fn draw(&self, x: f32, y: f32, row: &mut [u8], mode: Mode) {
        struct Loop<'a>(&'a Fine, [f32; 2], &'a mut [u8], Mode);
        impl pulp::NullaryFnOnce for Loop<'_> {
            type Output = ();

            #[inline(always)]
            fn call(self) {
                let Self(fine, [x, y], row, mode) = self;
                // Plain loops: a closure would be a function of its own, compiled for every processor.
                match mode {
                    Mode::Add => {
                        for (i, old) in row.iter_mut().enumerate() {
                            *old = (*old).max(fine.coverage(x + i as i32 as f32, y));
                        }
                    }
                    Mode::Erase => {
                        for (i, old) in row.iter_mut().enumerate() {
                            *old = (*old).min(255 - fine.coverage(x + i as i32 as f32, y));
                        }
                    }
                }
            }
        }
        pulp::Arch::new().dispatch(Loop(self, [x, y], row, mode));
    }

    /// How far a pixel is covered.
    #[inline(always)]
    fn coverage(&self, x: f32, y: f32) -> u8 {
        // At this size a number's last bit counts ones, so that adding rounds; a cast would be done one by one.
        const ONES: f32 = 8_388_608.0;
        let [dx, dy] = self.by;
        let along = ((x * dx + y * dy) * self.per_length2).clamp(0.0, 1.0);
        let (away_x, away_y) = (x - along * dx, y - along * dy);
        let t = ((self.outer - (away_x * away_x + away_y * away_y).sqrt()) * self.per_width).clamp(0.0, 1.0);
        (t * t * (3.0 - 2.0 * t) * 255.0 + ONES).to_bits() as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brush(diameter: f32, hardness: f32, mode: Mode) -> Brush {
        Brush { diameter, hardness, mode }
    }

    #[test]
    fn a_hard_dot_has_the_area_of_a_disc_and_lies_in_its_dirty_rectangle() {
        for diameter in [1.0, 2.0, 7.5, 40.0, 300.0] {
            let mut mask = Mask::new(700, 600).unwrap();
            let dirty = mask.stroke([333.3, 280.7], [333.3, 280.7], brush(diameter, 1.0, Mode::Add));
            let area = mask.read(mask.whole()).iter().map(|v| f64::from(*v)).sum::<f64>() / 255.0;
            let want = std::f64::consts::PI * f64::from(diameter * diameter) / 4.0;
            assert!((area / want - 1.0).abs() < 0.02 + 0.6 / f64::from(diameter), "{diameter}: {area} is not {want}");
            let bounds = mask.bounds().unwrap();
            assert_eq!(bounds.intersection(dirty), bounds);
        }
    }

    /// The plain twin: every pixel by itself, in 64 bits.
    #[test]
    fn a_stroke_is_what_its_formula_says_for_every_pixel() {
        let plain = |[x, y]: [f64; 2], [a, b]: [[f64; 2]; 2], brush: Brush| {
            let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
            let length2 = dx * dx + dy * dy;
            let along = if length2 > 0.0 { (((x - a[0]) * dx + (y - a[1]) * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
            let away = (x - a[0] - along * dx).hypot(y - a[1] - along * dy);
            let radius = f64::from(brush.diameter) / 2.0;
            let soft = (radius * (1.0 - f64::from(brush.hardness))).max(0.5);
            let outer = radius + (1.0 - soft).max(0.0);
            let t = ((outer - away) / (outer - (radius - soft).max(0.0))).clamp(0.0, 1.0);
            t * t * (3.0 - 2.0 * t) * 255.0
        };
        for (n, diameter) in [1.0, 3.0, 40.0, 300.0, 1100.0, 3000.0].into_iter().enumerate() {
            for hardness in [0.0, 0.8, 1.0] {
                for mode in [Mode::Add, Mode::Erase] {
                    let mut mask = Mask::new(1500, 1100).unwrap();
                    mask.fill(if mode == Mode::Add { 0 } else { 255 });
                    let (from, to) = ([300.25, 100.5 + 60.0 * n as f32], [900.0 - 130.0 * n as f32, 700.75]);
                    let brush = brush(diameter, hardness, mode);
                    mask.stroke(from, to, brush);
                    let segment = [from, to].map(|p| p.map(f64::from));
                    for (x, y) in (0..1100).step_by(7).flat_map(|y| (0..1500).step_by(3).map(move |x| (x, y))) {
                        let drawn = if mode == Mode::Add { mask.coverage(x, y) } else { 255 - mask.coverage(x, y) };
                        let want = plain([f64::from(x) + 0.5, f64::from(y) + 0.5], segment, brush);
                        assert!((f64::from(drawn) - want).abs() <= 0.75, "{brush:?} at {x}, {y}: {drawn} is not {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn erasing_a_stroke_leaves_nothing_and_a_soft_one_falls_off() {
        let mut mask = Mask::new(900, 900).unwrap();
        mask.stroke([10.0, 20.0], [880.0, 870.0], brush(30.0, 1.0, Mode::Add));
        assert!(mask.tiles.iter().filter(|t| matches!(t, Tile::Bytes(_))).count() < 14);
        mask.stroke([10.0, 20.0], [880.0, 870.0], brush(34.0, 1.0, Mode::Erase));
        assert_eq!(mask.count(), 0);
        mask.stroke([450.0, 450.0], [450.0, 450.0], brush(100.0, 0.0, Mode::Add));
        let values: Vec<u8> = (450..505).map(|x| mask.coverage(x, 450)).collect();
        assert!(values.is_sorted_by(|a, b| a >= b) && values[0] > 250 && values[25] > 100 && values[25] < 150 && values[50] == 0);
    }

    #[test]
    fn what_lies_outside_or_is_no_number_does_nothing() {
        let mut mask = Mask::new(30, 20).unwrap();
        assert!(mask.stroke([f32::NAN, 0.0], [1.0, 1.0], brush(5.0, 1.0, Mode::Add)).is_empty());
        mask.stroke([-1e30, -100.0], [-50.0, 1e30], brush(5.0, 1.0, Mode::Add));
        assert!(mask.is_empty());
    }
}
