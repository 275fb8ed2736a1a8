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
    /// Draws one segment of a stroke: [`Mask::stroke_along`] two places. A dot is a segment from a point to itself.
    pub fn stroke(&mut self, from: [f32; 2], to: [f32; 2], brush: Brush) -> Rect {
        self.stroke_along(&[from, to], brush)
    }

    /// Draws a part of a stroke along places and returns the rectangle that may have changed. Places are in pixels of the
    /// picture, a pixel's middle at one half; they may lie outside. One place alone is nothing yet.
    pub fn stroke_along(&mut self, places: &[[f32; 2]], brush: Brush) -> Rect {
        // Far beyond any picture 32 bits would not do.
        let places: Vec<[f64; 2]> = places.iter().map(|place| place.map(|v| f64::from(v).clamp(-1e6, 1e6))).collect();
        if places.len() < 2 || places.iter().flatten().any(|v| v.is_nan()) {
            return Rect::default();
        }
        let nib = Nib::new(brush);
        let segments: Vec<Segment> = places.windows(2).map(|pair| Segment::new(pair[0], pair[1])).collect();
        let end = |axis: usize, sign: f64| sign * (places.iter().map(|p| sign * p[axis]).fold(f64::MIN, f64::max) + nib.outer);
        let rect = self.covered(end(0, -1.0), end(1, -1.0), end(0, 1.0), end(1, 1.0));
        for i in self.touched(rect) {
            if matches!(self.tiles[i], Tile::Even(value) if value == brush.mode.most()) {
                continue; // more than this cannot be done to it
            }
            let part = self.tile_rect(i);
            match Cover::of(part, segments.iter(), &nib) {
                Cover::All => self.tiles[i] = Tile::Even(brush.mode.most()),
                Cover::None => {}
                Cover::Some(near) => self.stroke_blocks(part.intersection(rect), &near, &nib, brush.mode),
            }
        }
        self.tidy(rect);
        rect
    }

    /// Draws on a part of one tile, of which most is often wholly inside or outside.
    fn stroke_blocks(&mut self, part: Rect, segments: &[&Segment], nib: &Nib, mode: Mode) {
        let steps = |start: u32, length: u32| (start - start % BLOCK..start + length).step_by(BLOCK as usize);
        for (left, top) in steps(part.top, part.height).flat_map(|top| steps(part.left, part.width).map(move |left| (left, top))) {
            let block = Rect { left, top, width: BLOCK, height: BLOCK }.intersection(part);
            match Cover::of(block, segments.iter().copied(), nib) {
                Cover::All => self.change(block, |_, _, row| row.fill(mode.most())),
                Cover::None => {}
                Cover::Some(near) if nib.is_wide() => {
                    let grid = nib.grid(block, &near);
                    self.change(block, |_, y, row| grid.draw((y - block.top) as usize, row, mode));
                }
                Cover::Some(near) => self.change(block, |x, y, row| {
                    // Behind the brush all is covered already.
                    if *row != [mode.most(); BLOCK as usize][..row.len()] {
                        nib.draw([f64::from(x) + 0.5, f64::from(y) + 0.5], &near, row, mode);
                    }
                }),
            }
        }
    }
}

/// Side of the blocks in a tile, in pixels.
const BLOCK: u32 = 64;

/// How much nearer, in pixels, something must be to be known without its pixels, which are computed in 32 bits.
const SLACK: f64 = 1.0;

/// How much of a part is covered.
enum Cover<'a> {
    All,
    /// By these; the others are everywhere farther away than one of them.
    Some(Vec<&'a Segment>),
    None,
}

impl<'a> Cover<'a> {
    /// How much of a part of the picture segments cover. What is near a segment is convex: a part whose corners are is so
    /// with all that is in it.
    fn of(part: Rect, segments: impl Iterator<Item = &'a Segment>, nib: &Nib) -> Self {
        let (x, y) = (f64::from(part.left), f64::from(part.top));
        let (w, h) = (f64::from(part.width), f64::from(part.height));
        let radius = w.hypot(h) / 2.0;
        let away: Vec<(&Segment, f64)> = segments.map(|s| (s, s.away(x + w / 2.0, y + h / 2.0))).collect();
        let nearest = away.iter().map(|(_, away)| *away).fold(f64::MAX, f64::min);
        if nearest > nib.outer + radius {
            return Self::None;
        }
        let corners = [(x, y), (x + w, y), (x, y + h), (x + w, y + h)];
        let holds = |s: &Segment| corners.iter().all(|(x, y)| s.away(*x, *y) < nib.core - SLACK);
        if away.iter().any(|(s, away)| *away < nib.core && holds(s)) {
            return Self::All;
        }
        let farthest = (nearest + 2.0 * radius + SLACK).min(nib.outer + radius);
        Self::Some(away.into_iter().filter(|(_, away)| *away <= farthest).map(|(s, _)| s).collect())
    }
}

/// A segment of a stroke.
struct Segment {
    from: [f64; 2],
    by: [f64; 2],
    length2: f64,
}

impl Segment {
    fn new(from: [f64; 2], to: [f64; 2]) -> Self {
        let by = [to[0] - from[0], to[1] - from[1]];
        Self { from, by, length2: by[0] * by[0] + by[1] * by[1] }
    }

    /// The distance of a place.
    fn away(&self, x: f64, y: f64) -> f64 {
        let ([dx, dy], x, y) = (self.by, x - self.from[0], y - self.from[1]);
        let along = if self.length2 > 0.0 { ((x * dx + y * dy) / self.length2).clamp(0.0, 1.0) } else { 0.0 };
        let (x, y) = (x - along * dx, y - along * dy);
        (x * x + y * y).sqrt() // a hypot takes care of numbers that places are not
    }
}

/// What the brush leaves at a distance from its way.
struct Nib {
    /// Nothing is covered from this distance on.
    outer: f64,
    /// Up to this distance all is covered; negative where nothing is wholly.
    core: f64,
    /// One over the width of the edge.
    per_width: f64,
}

impl Nib {
    fn new(brush: Brush) -> Self {
        let radius = f64::from(brush.diameter.clamp(1.0, 20_000.0)) / 2.0;
        let soft = (radius * (1.0 - f64::from(brush.hardness.clamp(0.0, 1.0)))).max(0.5);
        // Coverage is one half where the disc ends, if the edge is one pixel wide; else it ends at the disc's edge.
        let outer = radius + (1.0 - soft).max(0.0);
        let core = radius - soft;
        Self { outer, core, per_width: 1.0 / (outer - core.max(0.0)) }
    }

    /// Whether a [`Grid`] is enough.
    fn is_wide(&self) -> bool {
        self.per_width < 1.0 / 96.0
    }

    fn grid(&self, block: Rect, segments: &[&Segment]) -> Grid {
        struct Nodes<'a>(&'a Nib, Rect, &'a [&'a Segment]);
        impl pulp::NullaryFnOnce for Nodes<'_> {
            type Output = Grid;

            #[inline(always)]
            fn call(self) -> Grid {
                let Self(nib, block, segments) = self;
                // Whole vectors, of which the last is not full.
                const LANES: usize = 24;
                let mut grid = Grid([[0.0; Grid::NODES]; Grid::NODES]);
                for (j, nodes) in grid.0.iter_mut().enumerate() {
                    let at = [f64::from(block.left) + 0.5, f64::from(block.top) + 0.5 + (j * Grid::STEP) as f64];
                    let mut away2 = [f32::MAX; LANES];
                    for segment in segments {
                        let [x, y] = [(at[0] - segment.from[0]) as f32, (at[1] - segment.from[1]) as f32];
                        let [dx, dy] = segment.by.map(|v| v as f32);
                        let per_length2 = if segment.length2 > 0.0 { (1.0 / segment.length2) as f32 } else { 0.0 };
                        for (i, nearest) in away2.iter_mut().enumerate() {
                            let x = x + (i * Grid::STEP) as i32 as f32;
                            let along = ((x * dx + y * dy) * per_length2).clamp(0.0, 1.0);
                            let (away_x, away_y) = (x - along * dx, y - along * dy);
                            *nearest = nearest.min(away_x * away_x + away_y * away_y);
                        }
                    }
                    for (node, away2) in nodes.iter_mut().zip(away2) {
                        *node = coverage(away2, nib.outer as f32, nib.per_width as f32);
                    }
                }
                grid
            }
        }
        pulp::Arch::new().dispatch(Nodes(self, block, segments))
    }

    /// Draws pixels beside each other, at most a block's; `at` is the middle of the first one. Distances to all segments
    /// first, then one root a pixel and no branch, so that the compiler makes vectors of it; they are twice as wide on a
    /// processor that has them so.
    fn draw(&self, at: [f64; 2], segments: &[&Segment], row: &mut [u8], mode: Mode) {
        struct Loop<'a>(&'a Nib, [f64; 2], &'a [&'a Segment], &'a mut [u8], Mode);
        impl pulp::NullaryFnOnce for Loop<'_> {
            type Output = ();

            // Plain loops: a closure would be a function of its own, compiled for every processor.
            #[inline(always)]
            fn call(self) {
                let Self(nib, at, segments, row, mode) = self;
                // Squares of distances. A block's row is narrower at the picture's edge; what is beyond is not used.
                let mut away2 = [f32::MAX; BLOCK as usize];
                for segment in segments {
                    let [x, y] = [(at[0] - segment.from[0]) as f32, (at[1] - segment.from[1]) as f32];
                    let [dx, dy] = segment.by.map(|v| v as f32);
                    let per_length2 = if segment.length2 > 0.0 { (1.0 / segment.length2) as f32 } else { 0.0 };
                    for (i, nearest) in away2.iter_mut().enumerate() {
                        let x = x + i as i32 as f32;
                        let along = ((x * dx + y * dy) * per_length2).clamp(0.0, 1.0);
                        let (away_x, away_y) = (x - along * dx, y - along * dy);
                        *nearest = nearest.min(away_x * away_x + away_y * away_y);
                    }
                }
                let (outer, per_width) = (nib.outer as f32, nib.per_width as f32);
                match mode {
                    Mode::Add => {
                        for (old, away2) in row.iter_mut().zip(away2) {
                            *old = (*old).max(round(coverage(away2, outer, per_width)));
                        }
                    }
                    Mode::Erase => {
                        for (old, away2) in row.iter_mut().zip(away2) {
                            *old = (*old).min(255 - round(coverage(away2, outer, per_width)));
                        }
                    }
                }
            }
        }
        pulp::Arch::new().dispatch(Loop(self, at, segments, row, mode));
    }
}

/// A wide edge rises so slowly that every fourth pixel of it tells the others: between them it is a straight line, to less
/// than one step of 255.
struct Grid([[f32; Grid::NODES]; Grid::NODES]);

impl Grid {
    const STEP: usize = 4;
    const NODES: usize = BLOCK as usize / Self::STEP + 1;

    /// Draws a row of the block, counted from its top.
    fn draw(&self, y: usize, row: &mut [u8], mode: Mode) {
        let (above, below) = (&self.0[y / Self::STEP], &self.0[(y / Self::STEP + 1).min(Self::NODES - 1)]);
        let down = (y % Self::STEP) as f32 / Self::STEP as f32;
        let nodes: [f32; Self::NODES] = std::array::from_fn(|i| above[i] + (below[i] - above[i]) * down);
        let mut line = [0u8; BLOCK as usize];
        for (four, ends) in line.as_chunks_mut::<{ Self::STEP }>().0.iter_mut().zip(nodes.windows(2)) {
            let rise = (ends[1] - ends[0]) / Self::STEP as f32;
            for (i, pixel) in four.iter_mut().enumerate() {
                *pixel = round(ends[0] + rise * i as f32);
            }
        }
        match mode {
            Mode::Add => row.iter_mut().zip(line).for_each(|(old, new)| *old = (*old).max(new)),
            Mode::Erase => row.iter_mut().zip(line).for_each(|(old, new)| *old = (*old).min(255 - new)),
        }
    }
}

/// At this size a number's last bit counts ones, so that adding rounds; a cast would be done one by one.
const ONES: f32 = 8_388_608.0;

/// How far a pixel is covered at a distance, given its square.
#[inline(always)]
fn coverage(away2: f32, outer: f32, per_width: f32) -> f32 {
    let t = ((outer - away2.sqrt()) * per_width).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t) * 255.0
}

/// To the nearest of 255 steps.
#[inline(always)]
fn round(coverage: f32) -> u8 {
    (coverage + ONES).to_bits() as u8
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

    /// The plain twin of drawing along many places at once.
    #[test]
    fn a_way_is_the_sum_of_its_segments() {
        let way: Vec<[f32; 2]> =
            (0..23).map(|i| i as f32 / 3.0).map(|t| [500.0 + 60.0 * t * t.cos(), 420.0 + 55.0 * t * t.sin()]).collect();
        for (diameter, hardness) in [(3.0, 1.0), (40.0, 0.3), (400.0, 0.8), (900.0, 0.0)] {
            for mode in [Mode::Add, Mode::Erase] {
                let brush = brush(diameter, hardness, mode);
                let mut at_once = Mask::new(1000, 900).unwrap();
                at_once.fill(if mode == Mode::Add { 0 } else { 255 });
                let mut one_by_one = at_once.clone();
                let dirty = at_once.stroke_along(&way, brush);
                let all = way.windows(2).fold(Rect::default(), |all, pair| all.union(one_by_one.stroke(pair[0], pair[1], brush)));
                assert_eq!(dirty, all);
                let bytes = [&at_once, &one_by_one].map(|mask| mask.read(mask.whole()));
                // Where an edge is wide, it is a straight line between the sums, or a sum of straight lines.
                let most = if diameter * (1.0 - hardness) / 2.0 > 96.0 { 3 } else { 0 };
                let off = bytes[0].iter().zip(&bytes[1]).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(off <= most, "{brush:?}: {off}");
            }
        }
        assert!(Mask::new(9, 9).unwrap().stroke_along(&way[..1], brush(5.0, 1.0, Mode::Add)).is_empty());
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
