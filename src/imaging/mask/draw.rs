//! What a hand does to a mask: strokes, rectangles, lassos.

use super::{Mask, Rect};

/// Whether something is added to a selection or taken from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Add,
    Erase,
}

impl Mode {
    /// Drawing the same twice is the same as once, so segments of one stroke may overlap.
    fn apply(self, old: u8, new: u8) -> u8 {
        match self {
            Self::Add => old.max(new),
            Self::Erase => old.min(255 - new),
        }
    }
}

/// A round brush.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brush {
    /// In pixels of the picture.
    pub diameter: f32,
    /// The share of the radius that is wholly covered, 0..1. At 1 the edge is one pixel wide.
    pub hardness: f32,
    pub mode: Mode,
}

/// Rows between the top and the bottom of a pixel at which a lasso is looked at.
const LINES: u32 = 16;

impl Mask {
    /// Draws one segment of a stroke and returns the rectangle that may have changed. `from` and `to` are in pixels of the
    /// picture, a pixel's middle at one half; they may lie outside. A dot is a segment from a point to itself.
    pub fn stroke(&mut self, from: [f32; 2], to: [f32; 2], brush: Brush) -> Rect {
        let radius = f64::from(brush.diameter.clamp(1.0, 20_000.0)) / 2.0;
        // Far beyond any picture 32 bits would not do.
        let [x0, y0, x1, y1] = [from[0], from[1], to[0], to[1]].map(|v| f64::from(v).clamp(-1e6, 1e6));
        if [x0, y0, x1, y1].iter().any(|v| v.is_nan()) {
            return Rect::default();
        }
        let soft = (radius * (1.0 - f64::from(brush.hardness.clamp(0.0, 1.0)))).max(0.5);
        // Coverage is one half where the disc ends, if the edge is one pixel wide; else it ends at the disc's edge.
        let outer = radius + (1.0 - soft).max(0.0);
        let rect = self.covered(x0.min(x1) - outer, y0.min(y1) - outer, x0.max(x1) + outer, y0.max(y1) + outer);
        let (dx, dy) = (x1 - x0, y1 - y0);
        let length2 = dx * dx + dy * dy;
        let width = outer - (radius - soft).max(0.0);
        let mode = brush.mode;
        // One root for each pixel, in 32 bits about the segment's own end, so that the loop is wide.
        let [dx32, dy32, outer32, inverse] = [dx, dy, outer, 1.0 / width].map(|v| v as f32);
        let per_length2 = if length2 > 0.0 { (1.0 / length2) as f32 } else { 0.0 };
        let value = |px: f32, py: f32| {
            let along = ((px * dx32 + py * dy32) * per_length2).clamp(0.0, 1.0);
            let (away_x, away_y) = (px - along * dx32, py - along * dy32);
            let t = ((outer32 - (away_x * away_x + away_y * away_y).sqrt()) * inverse).clamp(0.0, 1.0);
            (t * t * (3.0 - 2.0 * t) * 255.0 + 0.5) as u8
        };
        self.change_where(
            rect,
            |tile| {
                // Tiles of a long slanting segment's box that it does not come near stay as they are.
                let middle = [f64::from(tile.left) + f64::from(tile.width) / 2.0, f64::from(tile.top) + f64::from(tile.height) / 2.0];
                let along = if length2 > 0.0 { (((middle[0] - x0) * dx + (middle[1] - y0) * dy) / length2).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (middle[0] - x0 - along * dx).hypot(middle[1] - y0 - along * dy);
                distance <= outer + f64::from(tile.width).hypot(f64::from(tile.height)) / 2.0
            },
            |x, y, row| {
                let (px, py) = ((f64::from(x) + 0.5 - x0) as f32, (f64::from(y) + 0.5 - y0) as f32);
                for (i, old) in row.iter_mut().enumerate() {
                    *old = mode.apply(*old, value(px + i as f32, py));
                }
            },
        );
        self.tidy(rect);
        rect
    }

    /// Adds or takes away a rectangle; returns the part of it that lies in the picture.
    pub fn rectangle(&mut self, rect: Rect, mode: Mode) -> Rect {
        let rect = rect.intersection(self.whole());
        self.change(rect, |_, _, row| row.fill(if mode == Mode::Add { 255 } else { 0 }));
        self.tidy(rect);
        rect
    }

    /// Adds or takes away what a line encloses, with soft edges, and returns the rectangle that may have changed.
    ///
    /// The line is closed by itself. Where it crosses itself all that it goes around counts (non-zero rule).
    pub fn lasso(&mut self, points: &[[f32; 2]], mode: Mode) -> Rect {
        if points.len() < 3 || !points.iter().flatten().all(|v| v.is_finite()) {
            return Rect::default();
        }
        let reach = |axis: usize| {
            let values = points.iter().map(|p| f64::from(p[axis]));
            (values.clone().fold(f64::MAX, f64::min), values.fold(f64::MIN, f64::max))
        };
        let ((left, right), (top, bottom)) = (reach(0), reach(1));
        let rect = self.covered(left, top, right, bottom);
        if rect.is_empty() {
            return rect;
        }
        let mut edges: Vec<Edge> = (0..points.len()).filter_map(|i| Edge::new(points[i], points[(i + 1) % points.len()])).collect();
        edges.sort_by(|a, b| a.top.total_cmp(&b.top));
        let (mut next, mut active): (usize, Vec<Edge>) = (0, Vec::new());
        let mut row = vec![0u8; rect.width as usize];
        // Changes of coverage from one pixel to the next, and what single pixels have besides.
        let (mut steps, mut single) = (vec![0i32; rect.width as usize + 1], vec![0f32; rect.width as usize]);
        for y in rect.top..rect.bottom() {
            while next < edges.len() && edges[next].top < f64::from(y + 1) {
                active.push(edges[next]);
                next += 1;
            }
            active.retain(|edge| edge.bottom > f64::from(y));
            steps.fill(0);
            single.fill(0.0);
            for line in 0..LINES {
                let at = f64::from(y) + (f64::from(line) + 0.5) / f64::from(LINES);
                let crossing = active.iter().filter(|e| e.top <= at && at < e.bottom);
                let mut crossings: Vec<(f64, i32)> = crossing.map(|e| (e.x + (at - e.top) * e.slope, e.winding)).collect();
                crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
                let mut winding = 0;
                for pair in crossings.windows(2) {
                    winding += pair[0].1;
                    if winding != 0 {
                        let inside = |x: f64| (x - f64::from(rect.left)).clamp(0.0, f64::from(rect.width));
                        span(inside(pair[0].0), inside(pair[1].0), &mut steps, &mut single);
                    }
                }
            }
            let mut sum = 0;
            for ((out, step), single) in row.iter_mut().zip(&steps).zip(&single) {
                sum += step;
                *out = ((sum as f32 + single) * (255.0 / LINES as f32) + 0.5) as u8;
            }
            if row.iter().any(|v| *v > 0) {
                self.change(Rect { top: y, height: 1, ..rect }, |x, _, to| {
                    let from = &row[(x - rect.left) as usize..];
                    to.iter_mut().zip(from).for_each(|(old, new)| *old = mode.apply(*old, *new));
                });
            }
        }
        self.tidy(rect);
        rect
    }

    /// [`Mask::change`] of those tiles alone for which `wanted` is true.
    fn change_where(&mut self, rect: Rect, wanted: impl Fn(Rect) -> bool, edit: impl Fn(u32, u32, &mut [u8]) + Sync) {
        for i in self.touched(rect) {
            let tile = self.tile_rect(i);
            if wanted(tile) {
                self.change(tile.intersection(rect), &edit);
            }
        }
    }

    /// The pixels that a rectangle of the plane touches.
    fn covered(&self, left: f64, top: f64, right: f64, bottom: f64) -> Rect {
        let [w, h] = self.size().map(f64::from);
        Rect::between(
            left.floor().clamp(0.0, w) as u32,
            top.floor().clamp(0.0, h) as u32,
            right.ceil().clamp(0.0, w) as u32,
            bottom.ceil().clamp(0.0, h) as u32,
        )
    }
}

/// Side of a lasso, from its upper end to its lower one.
#[derive(Clone, Copy)]
struct Edge {
    top: f64,
    bottom: f64,
    /// Where it is at `top`.
    x: f64,
    slope: f64,
    winding: i32,
}

impl Edge {
    /// `None` for a level one, which no row crosses.
    fn new(a: [f32; 2], b: [f32; 2]) -> Option<Self> {
        let (winding, [a, b]) = if a[1] < b[1] { (1, [a, b]) } else { (-1, [b, a]) };
        let [x, top, x1, bottom] = [a[0], a[1], b[0], b[1]].map(f64::from);
        (bottom > top).then(|| Self { top, bottom, x, slope: (x1 - x) / (bottom - top), winding })
    }
}

/// Adds a piece of a line from `from` to `to`, in pixels from the left.
fn span(from: f64, to: f64, steps: &mut [i32], single: &mut [f32]) {
    let (first, last) = (from as usize, to as usize);
    if to <= from || first >= single.len() {
        return;
    }
    if first == last {
        single[first] += (to - from) as f32;
        return;
    }
    single[first] += (first as f64 + 1.0 - from) as f32;
    steps[first + 1] += 1;
    steps[last] -= 1;
    if last < single.len() {
        single[last] += (to - last as f64) as f32;
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

    #[test]
    fn erasing_a_stroke_leaves_nothing_and_a_soft_one_falls_off() {
        let mut mask = Mask::new(900, 900).unwrap();
        mask.stroke([10.0, 20.0], [880.0, 870.0], brush(30.0, 1.0, Mode::Add));
        assert!(mask.tiles.iter().filter(|t| matches!(t, super::super::Tile::Bytes(_))).count() < 14);
        mask.stroke([10.0, 20.0], [880.0, 870.0], brush(34.0, 1.0, Mode::Erase));
        assert_eq!(mask.count(), 0);
        mask.stroke([450.0, 450.0], [450.0, 450.0], brush(100.0, 0.0, Mode::Add));
        let values: Vec<u8> = (450..505).map(|x| mask.coverage(x, 450)).collect();
        assert!(values.is_sorted_by(|a, b| a >= b) && values[0] > 250 && values[25] > 100 && values[25] < 150 && values[50] == 0);
    }

    #[test]
    fn a_lasso_covers_its_area_and_all_that_it_goes_around() {
        let mut mask = Mask::new(400, 300).unwrap();
        mask.lasso(&[[10.5, 10.25], [200.5, 10.25], [200.5, 150.75], [10.5, 150.75]], Mode::Add);
        let area = mask.read(mask.whole()).iter().map(|v| f64::from(*v)).sum::<f64>() / 255.0;
        assert!((area - 190.0 * 140.5).abs() < 2.0, "{area}");
        assert_eq!(mask.coverage(10, 50), 128);
        // A star drawn in one line has no hole in its middle.
        let star: Vec<[f32; 2]> =
            (0..5).map(|i| (i as f32 * 144.0).to_radians()).map(|a| [300.0 + 80.0 * a.sin(), 150.0 - 80.0 * a.cos()]).collect();
        mask.lasso(&star, Mode::Add);
        assert_eq!(mask.coverage(300, 150), 255);
        mask.lasso(&star, Mode::Erase);
        assert_eq!((mask.coverage(300, 150), mask.coverage(100, 100)), (0, 255));
    }

    #[test]
    fn what_lies_outside_or_is_no_number_does_nothing() {
        let mut mask = Mask::new(30, 20).unwrap();
        assert!(mask.stroke([f32::NAN, 0.0], [1.0, 1.0], brush(5.0, 1.0, Mode::Add)).is_empty());
        mask.stroke([-1e30, -100.0], [-50.0, 1e30], brush(5.0, 1.0, Mode::Add));
        mask.lasso(&[[-5.0, -5.0], [-1.0, -5.0], [-3.0, 90.0]], Mode::Add);
        assert!(mask.rectangle(Rect { left: 30, top: 0, width: 9, height: 9 }, Mode::Add).is_empty());
        assert!(mask.is_empty());
        mask.lasso(&[[-9e9, -9e9], [9e9, -9e9], [9e9, 9e9], [-9e9, 9e9]], Mode::Add);
        assert_eq!(mask.count(), 600);
    }
}
