//! Where a picture lies on the canvas: which level is drawn, which tiles are seen, and which physical pixels each fills.
//!
//! All in f64, since 65,000 pixels enlarged 32 times are two million physical pixels, where an f32 knows eighths.

use crate::imaging::TILE;

/// A picture on the canvas. Physical pixels are counted from the canvas's top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Placement {
    /// The picture's top left corner, in physical pixels.
    pub(super) origin: [f64; 2],
    /// Physical pixels per pixel of the picture.
    pub(super) scale: f64,
    /// The picture's size in its own pixels.
    pub(super) size: [u32; 2],
    /// The canvas's size in physical pixels.
    pub(super) canvas: [u32; 2],
}

/// Part of one axis: a range of physical pixels, and what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The tile along this axis.
    pub(super) tile: u32,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Placement {
    /// None where nothing can be drawn: a size is zero, or a number is not finite or senseless.
    ///
    /// At a whole scale the origin is rounded to whole pixels, so that the picture's pixels are the screen's, unmixed.
    pub(super) fn new(origin: [f64; 2], scale: f64, size: [u32; 2], canvas: [u32; 2]) -> Option<Self> {
        let sane = scale.is_finite() && scale > 0.0 && origin.iter().all(|v| v.is_finite());
        let origin = if scale.fract() == 0.0 { origin.map(f64::round) } else { origin };
        (sane && size.iter().chain(&canvas).all(|side| *side > 0)).then_some(Self { origin, scale, size, canvas })
    }

    /// The level to draw: the coarsest whose pixels are no larger than physical ones, or the picture's own.
    pub(super) fn level(&self, levels: usize) -> usize {
        (1..levels).take_while(|level| self.scale * (1u64 << level) as f64 <= 1.0).last().unwrap_or(0)
    }

    /// Physical pixels per pixel of a level.
    pub(super) fn scale_of(&self, level: usize) -> f64 {
        self.scale * (1u64 << level) as f64
    }

    /// The seen tiles of a level along an axis (0 across, 1 down) with the seen part of each.
    ///
    /// A physical pixel belongs to the tile that its middle lies in, so that tiles neither overlap nor gape.
    pub(super) fn spans(&self, axis: usize, level: usize) -> Vec<Span> {
        let side = u64::from(TILE) << level;
        let count = u64::from(self.size[axis]).div_ceil(side);
        let edge = |tile: u64| self.pixel(axis, (tile * side).min(u64::from(self.size[axis])) as f64);
        let (start, end) = (edge(0), edge(count).max(edge(0).saturating_add(1))); // a line too thin for any pixel still gets one
        let first = (-self.origin[axis] / self.scale / side as f64).floor().clamp(0.0, (count - 1) as f64) as u64;
        let mut spans = Vec::new();
        for tile in first..count {
            let from = if tile == 0 { start } else { edge(tile) };
            if from >= i64::from(self.canvas[axis]) {
                break;
            }
            let to = if tile + 1 == count { end } else { edge(tile + 1) };
            let (from, to) = (from.max(0), to.min(i64::from(self.canvas[axis])));
            if from < to {
                spans.push(Span { tile: tile as u32, from, to });
            }
        }
        spans
    }

    /// The seen tiles of a level with the seen part of each along both axes, from the middle of the canvas outwards.
    pub(super) fn squares(&self, level: usize) -> Vec<[Span; 2]> {
        let across = self.spans(0, level);
        let mut squares: Vec<[Span; 2]> =
            self.spans(1, level).into_iter().flat_map(|down| across.iter().map(move |across| [*across, down])).collect();
        let middle = |span: &Span, axis: usize| (span.from + span.to - i64::from(self.canvas[axis])).pow(2);
        squares.sort_by_key(|[across, down]| middle(across, 0) + middle(down, 1));
        squares
    }

    /// The physical pixels of the canvas that the whole picture takes along an axis: one at least, but for what is off the canvas.
    pub(super) fn whole(&self, axis: usize) -> [i64; 2] {
        let [start, end] = self.edges(axis);
        [start.max(0), end.min(i64::from(self.canvas[axis]))]
    }

    /// The same, with what is off the canvas.
    pub(super) fn edges(&self, axis: usize) -> [i64; 2] {
        let start = self.pixel(axis, 0.0);
        [start, self.pixel(axis, f64::from(self.size[axis])).max(start.saturating_add(1))]
    }

    /// The first physical pixel whose middle is at or right of (below) a place in the picture.
    pub(super) fn pixel(&self, axis: usize, place: f64) -> i64 {
        (self.origin[axis] + place * self.scale - 0.5).ceil() as i64
    }

    /// The place in the picture of the left (upper) edge of a physical pixel.
    pub(super) fn place(&self, axis: usize, pixel: i64) -> f64 {
        (pixel as f64 - self.origin[axis]) / self.scale
    }

    /// The same in pixels of a level, from pixel `start` of it on.
    pub(super) fn texel(&self, axis: usize, pixel: i64, level: usize, start: u32) -> f32 {
        (self.place(axis, pixel) / (1u64 << level) as f64 - f64::from(start)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(origin: f64, scale: f64, size: u32, canvas: u32) -> Placement {
        Placement::new([origin, 0.0], scale, [size, 1], [canvas, 1]).unwrap()
    }

    #[test]
    fn levels_are_never_reduced_by_two_nor_enlarged_below_the_last() {
        for (scale, level) in [(32.0, 0), (1.0, 0), (0.73, 0), (0.500001, 0), (0.5, 1), (0.26, 1), (0.25, 2), (0.01, 6), (1e-9, 11)] {
            let placement = placement(0.0, scale, 2000, 100);
            assert_eq!(placement.level(12), level, "{scale}");
            assert!(level == 11 || (0.5..=1.0).contains(&placement.scale_of(level)) || scale > 1.0);
        }
    }

    #[test]
    fn spans_meet_and_cover_what_is_seen() {
        for scale in [0.11, 0.37, 0.73, 1.0, 1.7, 33.3] {
            for origin in [-40_000.3, -1000.5, -0.5, 0.0, 12.25, 700.0] {
                let placement = placement(origin, scale, 65_000, 1000);
                let level = placement.level(17);
                let spans = placement.spans(0, level);
                let whole = [placement.pixel(0, 0.0).clamp(0, 1000), placement.pixel(0, 65_000.0).clamp(0, 1000)];
                assert_eq!(spans.first().map_or(whole[1], |s| s.from), whole[0], "{scale} {origin}");
                assert_eq!(spans.last().map_or(whole[0], |s| s.to), whole[1], "{scale} {origin}");
                assert!(spans.windows(2).all(|pair| pair[0].to == pair[1].from && pair[0].tile + 1 == pair[1].tile));
                for span in spans {
                    let side = f64::from(TILE << level);
                    for pixel in [span.from, span.to - 1] {
                        let middle = f64::midpoint(placement.place(0, pixel), placement.place(0, pixel + 1));
                        assert_eq!((middle / side).floor() as u32, span.tile, "{scale} {origin}: {span:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_thin_line_is_not_lost_and_what_is_off_the_canvas_is_not_drawn() {
        assert_eq!(placement(3.2, 0.01, 5, 10).spans(0, 3), [Span { tile: 0, from: 3, to: 4 }]);
        assert_eq!(placement(-9.0, 1.0, 5, 10).spans(0, 0), []);
        assert_eq!(placement(10.0, 1.0, 5, 10).spans(0, 0), []);
    }

    #[test]
    fn senseless_numbers_are_refused_and_whole_scales_meet_the_pixels() {
        for (origin, scale) in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (0.0, 0.0), (0.0, -1.0), (0.0, f64::NAN)] {
            assert_eq!(Placement::new([origin, 0.0], scale, [1, 1], [1, 1]), None);
        }
        assert_eq!(Placement::new([0.0; 2], 1.0, [0, 1], [1, 1]), None);
        assert_eq!(placement(0.4, 2.0, 5, 10).origin, [0.0, 0.0]);
        assert_eq!(placement(0.4, 2.5, 5, 10).origin, [0.4, 0.0]);
    }
}
