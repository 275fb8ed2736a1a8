//! What a hand does to a mask in one go: rectangles and lassos.

use super::{Mask, Rect, Tile};

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

    /// What a place becomes that is covered wholly.
    pub(super) fn most(self) -> u8 {
        self.apply(if self == Self::Add { 0 } else { 255 }, 255)
    }
}

/// Rows between the top and the bottom of a pixel at which a lasso is looked at.
const LINES: u32 = 16;

impl Mask {
    /// Adds or takes away a rectangle; returns the part of it that lies in the picture.
    pub fn rectangle(&mut self, rect: Rect, mode: Mode) -> Rect {
        let rect = rect.intersection(self.whole());
        for i in self.touched(rect) {
            let part = self.tile_rect(i);
            if part.intersection(rect) == part {
                self.tiles[i] = Tile::Even(mode.most());
            } else {
                self.change(part.intersection(rect), |_, _, row| row.fill(mode.most()));
            }
        }
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

    /// The pixels that a rectangle of the plane touches.
    pub(super) fn covered(&self, left: f64, top: f64, right: f64, bottom: f64) -> Rect {
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
    fn what_lies_outside_does_nothing() {
        let mut mask = Mask::new(30, 20).unwrap();
        mask.lasso(&[[-5.0, -5.0], [-1.0, -5.0], [-3.0, 90.0]], Mode::Add);
        assert!(mask.rectangle(Rect { left: 30, top: 0, width: 9, height: 9 }, Mode::Add).is_empty());
        assert!(mask.is_empty());
        mask.lasso(&[[-9e9, -9e9], [9e9, -9e9], [9e9, 9e9], [-9e9, 9e9]], Mode::Add);
        assert_eq!(mask.count(), 600);
    }
}
