//! Selections over the picture, against the same on the processor, and how much of a mask goes to the graphics card.

use crate::reference::{noise, picture, pyramid};
use crate::screen::{Frame, Screen, screen};
use egui::{Rect, vec2};
use pentimento::imaging::{Brush, Mask, Mode, Pyramid, Rect as Part};
use pentimento::render::{self, CanvasPaint, MASK_BYTES_PER_FRAME, MASK_TILES_PER_FRAME, Over, PreviewImage, Selection};
use std::sync::Arc;

const RED: [u8; 4] = [255, 40, 10, 140];

fn paint(base: &Arc<Pyramid>, origin: [f64; 2], scale: f64) -> CanvasPaint {
    CanvasPaint {
        origin,
        scale,
        size: base.size(),
        base: Some(base.clone()),
        tool: None,
        over: None,
        selection: None,
        soft: false,
        pixel_grid: false,
        checker: [[90, 90, 90, 255]; 2],
    }
}

fn selection(mask: &Mask) -> Selection {
    Selection { mask: mask.clone(), colour: RED, outline: false, invert: false, phase: 0.0 }
}

fn stroke(mask: &mut Mask, from: [f32; 2], to: [f32; 2], diameter: f32, mode: Mode) {
    mask.stroke(from, to, Brush { diameter, hardness: 0.5, mode });
}

/// Of everything: hard and soft edges, whole tiles, and noise.
fn mask(width: u32, height: u32) -> Mask {
    let mut mask = Mask::new(width, height).unwrap();
    let (w, h) = (width as f32, height as f32);
    mask.lasso(&[[w * 0.1, h * 0.05], [w * 1.2, h * 0.2], [w * 0.6, h * 0.7], [w * 0.05, h * 0.6]], Mode::Add);
    stroke(&mut mask, [w * 0.2, h], [w * 0.9, h * 0.8], (w * 0.2).max(2.0), Mode::Add);
    stroke(&mut mask, [w * 0.3, h * 0.3], [w * 0.5, h * 0.4], (w * 0.1).max(1.0), Mode::Erase);
    let part = Part { left: width / 3, top: height / 2, width: (width / 3).max(1), height: height / 3 };
    mask.write(part, &speckles(part)).unwrap();
    mask
}

/// Noise whose mean is not one half, where an outline would hang on the last bit.
fn speckles(part: Part) -> Vec<u8> {
    (0..part.width * part.height).map(|i| noise(i % part.width, i / part.width)[0] / 3 * 2).collect()
}

/// What the pass draws, on the processor.
struct Twin {
    origin: [f64; 2],
    scale: f64,
    size: [u32; 2],
    /// The mask's level that is drawn, and its means.
    level: u32,
    width: u32,
    texels: Vec<u8>,
    soft: bool,
    /// Physical pixels per point.
    ppp: f64,
}

impl Twin {
    fn new(mask: &Mask, origin: [f64; 2], scale: f64, soft: bool) -> Self {
        let level = (1..8).take_while(|l| scale * f64::from(1 << l) <= 1.0).last().unwrap_or(0);
        let [width, height] = mask.size().map(|side| side.div_ceil(1 << level));
        let mean = |x: u32, y: u32| {
            let square = Part { left: x << level, top: y << level, width: 1 << level, height: 1 << level };
            let values = mask.read(square);
            let (sum, count) = (values.iter().map(|v| u32::from(*v)).sum::<u32>(), values.len() as u32);
            ((sum + count / 2) / count) as u8
        };
        let texels = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| mean(x, y)).collect();
        Self { origin, scale, size: mask.size(), level, width, texels, soft, ppp: 1.0 }
    }

    fn pixel(&self, axis: usize, place: u32) -> i64 {
        (self.origin[axis] + f64::from(place) * self.scale - 0.5).ceil() as i64
    }

    fn is_in_picture(&self, at: [i64; 2]) -> bool {
        (0..2).all(|axis| {
            let start = self.pixel(axis, 0);
            at[axis] >= start && at[axis] < self.pixel(axis, self.size[axis]).max(start + 1)
        })
    }

    fn coverage(&self, at: [i64; 2]) -> f64 {
        let sharpness = if self.level == 0 && !self.soft { self.scale.max(1.0) } else { 1.0 };
        let [x, y] = [0, 1].map(|axis| {
            let texel = (at[axis] as f64 + 0.5 - self.origin[axis]) / self.scale / f64::from(1 << self.level);
            let edge = (texel + 0.5).floor();
            edge + ((texel - edge) * sharpness).clamp(-0.5, 0.5) - 0.5
        });
        let height = self.texels.len() as u32 / self.width;
        let texel = |x: f64, y: f64| {
            let (x, y) = (x.clamp(0.0, f64::from(self.width - 1)) as u32, y.clamp(0.0, f64::from(height - 1)) as u32);
            f64::from(self.texels[(y * self.width + x) as usize]) / 255.0
        };
        let (left, top) = (x.floor(), y.floor());
        let (u, v) = (x - left, y - top);
        let row = |y: f64| texel(left, y) * (1.0 - u) + texel(left + 1.0, y) * u;
        row(top) * (1.0 - v) + row(top + 1.0) * v
    }

    /// Whether each physical pixel shows one texel and nothing of its neighbours.
    fn is_exact(&self) -> bool {
        (self.scale * f64::from(1 << self.level)).fract() == 0.0
            && (!self.soft || self.scale <= 1.0)
            && self.origin == self.origin.map(f64::round)
    }

    /// None where the filter's own precision decides.
    fn is_inside(&self, at: [i64; 2]) -> Option<bool> {
        let coverage = if self.is_in_picture(at) { self.coverage(at) } else { 0.0 };
        ((coverage - 0.5).abs() > 0.005 || self.is_exact()).then_some(coverage > 0.5)
    }

    fn is_on_outline(&self, [x, y]: [i64; 2]) -> Option<bool> {
        let own = self.is_inside([x, y])?;
        let around = [[x + 1, y], [x - 1, y], [x, y + 1], [x, y - 1]].map(|at| self.is_inside(at));
        if self.ppp < 1.5 && !own {
            return Some(false);
        }
        let crossed = around.contains(&Some(!own));
        (crossed || around.iter().all(Option::is_some)).then_some(crossed)
    }

    fn dash(&self, [x, y]: [i64; 2], phase: f64) -> [u8; 4] {
        let along = (x + y) as f64 + 0.5 - self.origin[0].round() - self.origin[1].round();
        let dash = (along / (4.0 * self.ppp).round() + 2.0 * phase).floor() as i64;
        if dash.rem_euclid(2) == 1 { [255; 4] } else { [0, 0, 0, 255] }
    }

    /// A pixel of the picture under a selection.
    fn over(&self, at: [i64; 2], under: [u8; 4], selection: &Selection) -> Option<[u8; 4]> {
        if !self.is_in_picture(at) {
            return Some(under);
        }
        if selection.outline && self.is_on_outline(at)? {
            return Some(self.dash(at, selection.phase.into()));
        }
        let coverage = self.coverage(at);
        let alpha = f64::from(selection.colour[3]) / 255.0 * if selection.invert { 1.0 - coverage } else { coverage };
        let mixed = |c: usize| (f64::from(under[c]) * (1.0 - alpha) + f64::from(selection.colour[c]) * alpha).round() as u8;
        Some([mixed(0), mixed(1), mixed(2), under[3]])
    }

    fn check(&self, frame: &Frame, bare: &Frame, selection: &Selection) {
        frame.check(2, |x, y| self.over([x.into(), y.into()], bare.at(x, y), selection));
        let looked_at = |i: usize| self.over([(i as u32 % frame.width).into(), (i as u32 / frame.width).into()], [0; 4], selection);
        let unsure = (0..frame.pixels.len()).step_by(7).filter(|i| looked_at(*i).is_none()).count();
        assert!(
            unsure * 7 <= frame.pixels.len() / if self.is_exact() { usize::MAX } else { 5 },
            "{unsure} of {} pixels were not looked at",
            frame.pixels.len() / 7
        );
    }
}

/// Draws and compares with the twin.
fn check(screen: &Screen, window: [u32; 2], bare: &CanvasPaint, selection: &Selection) {
    let under = screen.settled(window, bare);
    let frame = screen.settled(window, &CanvasPaint { selection: Some(selection.clone()), ..bare.clone() });
    Twin::new(&selection.mask, bare.origin, bare.scale, bare.soft).check(&frame, &under, selection);
}

#[test]
fn a_selection_is_as_on_the_processor_at_every_zoom() {
    let screen = screen();
    for (width, height) in [(700, 530), (1, 900)] {
        let (base, mask) = (pyramid(&picture(width, height, noise)), mask(width, height));
        for scale in [0.125, 0.3, 1.0, 2.6, 8.0] {
            let middle =
                if scale > 1.0 { [120.0 - f64::from(width) * 0.4 * scale, 100.0 - f64::from(height) * 0.55 * scale] } else { [3.0, 2.0] };
            for (soft, outline, invert) in [(false, false, false), (true, true, false), (false, true, true)] {
                let bare = CanvasPaint { soft, ..paint(&base, middle.map(f64::round), scale) };
                check(&screen, [330, 340], &bare, &Selection { outline, invert, phase: 0.3, ..selection(&mask) });
            }
        }
    }
}

/// A seam between pages would be off in noise; the margin must do for the outline's neighbours as well.
#[test]
fn no_seam_shows_between_pages() {
    let screen = screen();
    let base = pyramid(&picture(2700, 2300, |_, _| [60, 120, 60, 255]));
    let mut whole = mask(2700, 2300);
    let part = Part { left: 900, top: 900, width: 300, height: 300 };
    whole.write(part, &speckles(part)).unwrap();
    whole.rectangle(Part { left: 1000, top: 1000, width: 24, height: 24 }, Mode::Add); // ends just where a page does
    for mask in [whole.feathered(40), whole] {
        for (scale, origin) in [(0.51, [-330.4, -350.0]), (0.73, [-600.3, -610.0]), (1.0, [-900.0, -900.0]), (3.3, [-3250.0, -3290.2])] {
            let bare = CanvasPaint { soft: true, ..paint(&base, origin, scale) };
            check(&screen, [300, 280], &bare, &Selection { outline: true, ..selection(&mask) });
        }
    }
}

/// Exactly along the border: a pixel wide on its inside, or where a point is more than one pixel, one on either side.
#[test]
fn the_outline_of_a_rectangle_is_its_border() {
    let base = pyramid(&picture(600, 300, |_, _| [10, 60, 110, 255]));
    let mut mask = Mask::new(600, 300).unwrap();
    let rect = Part { left: 200, top: 100, width: 120, height: 157 };
    mask.rectangle(rect, Mode::Add);
    let selection = Selection { outline: true, ..selection(&mask) };
    for (scale, ppp) in [(1, 1.0), (8, 1.0), (1, 2.0), (3, 2.0)] {
        let origin = [7 - 180 * (scale - 1), 5 - 90 * (scale - 1)];
        let paint = CanvasPaint { selection: Some(selection.clone()), ..paint(&base, origin.map(f64::from), scale.into()) };
        let canvas = Rect::from_min_size(egui::Pos2::ZERO, vec2(500.0, 320.0) / ppp);
        let frame = screen().frame([500, 320], ppp, &[(canvas, paint)]);
        let twin = Twin { ppp: ppp.into(), ..Twin::new(&mask, origin.map(f64::from), scale.into(), false) };
        let (left, top) = (origin[0] + 200 * scale, origin[1] + 100 * scale);
        let (right, bottom) = (left + 120 * scale, top + 157 * scale);
        let (mut black, mut white) = (0, 0);
        for (x, y) in (0..320).flat_map(|y| (0..500).map(move |x| (x, y))) {
            let within = |by: i32| x >= left + by && x < right - by && y >= top + by && y < bottom - by;
            let inner = within(0) && !within(1);
            let corner = (x < left || x >= right) && (y < top || y >= bottom);
            let outer = ppp > 1.5 && within(-1) && !within(0) && !corner;
            let got = frame.at(x as u32, y as u32);
            let want = twin.dash([x.into(), y.into()], 0.0);
            if inner || outer {
                assert_eq!(got, want, "{scale}, {ppp}: {x}, {y}");
                (black, white) = (black + i32::from(want[0] == 0), white + i32::from(want[0] == 255));
            } else {
                assert!(got != [0, 0, 0, 255] && got != [255; 4], "{scale}, {ppp}: {x}, {y} is {got:?}");
            }
        }
        assert!(black > 50 && white > 50, "{black} and {white}");
    }
}

/// What is selected up to the picture's edge has its outline there, and one that moves is the same after a whole round.
#[test]
fn all_of_a_picture_is_outlined_at_its_edge_and_dashes_move() {
    let (screen, base) = (screen(), pyramid(&picture(90, 70, |_, _| [10, 60, 110, 255])));
    let mut mask = Mask::new(90, 70).unwrap();
    mask.fill(255);
    let draw = |phase: f32, invert: bool| {
        let selection = Selection { outline: true, invert, phase, ..selection(&mask) };
        screen.settled([100, 80], &CanvasPaint { selection: Some(selection), ..paint(&base, [4.0, 3.0], 1.0) })
    };
    let (still, half) = (draw(0.0, true), draw(0.5, true));
    still.check(0, |x, y| {
        let (x, y) = (x.checked_sub(4).filter(|x| *x < 90), y.checked_sub(3).filter(|y| *y < 70));
        let (Some(x), Some(y)) = (x, y) else { return Some([0; 4]) };
        let edge = x == 0 || x == 89 || y == 0 || y == 69;
        let dash = if (x + y) / 4 % 2 == 0 { [0, 0, 0, 255] } else { [255; 4] };
        Some(if edge { dash } else { [10, 60, 110, 255] })
    });
    half.check(0, |x, y| match still.at(x, y) {
        [0, 0, 0, 255] => Some([255; 4]),
        [255, ..] => Some([0, 0, 0, 255]),
        other => Some(other),
    });
    assert_eq!(draw(1.0, true).pixels, still.pixels);
    assert_eq!(draw(f32::NAN, true).pixels, still.pixels);
    assert_ne!(draw(0.0, false).at(50, 40), still.at(50, 40));
    assert_eq!(render::residency(&screen.state).mask_bytes, 0);
}

/// Only what has changed is uploaded, once, and it is seen in the next frame.
#[test]
fn a_stroke_uploads_its_tiles_alone() {
    let screen = screen();
    let base = pyramid(&picture(2600, 2100, |_, _| [60, 120, 60, 255]));
    for (scale, origin) in [(1.0, [-250.0, -250.0]), (0.25, [0.0, 0.0]), (0.125, [0.0, 0.0])] {
        let bare = paint(&base, origin, scale);
        let (window, under) = ([850, 820], screen.settled([850, 820], &bare));
        let mut mask = mask(2600, 2100);
        let draw = |mask: &Mask| {
            let selection = Selection { outline: true, ..selection(mask) };
            let shown = CanvasPaint { selection: Some(selection.clone()), ..bare.clone() };
            let canvas = [(Rect::from_min_size(egui::Pos2::ZERO, vec2(850.0, 820.0)), shown)];
            Twin::new(mask, origin, scale, false).check(&screen.frame(window, 1.0, &canvas), &under, &selection);
            render::residency(&screen.state).mask_tiles_written
        };
        assert!(draw(&mask) > 9);
        // In one tile, in two, and in one that the margins of three more pages reach into, where there is more than one.
        for (from, to, tiles) in [
            ([400.0, 400.0], [410.0, 420.0], 1),
            ([450.0, 300.0], [600.0, 310.0], 2),
            ([900.0, 900.0], [910.0, 900.0], if scale < 1.0 { 1 } else { 4 }),
        ] {
            for mode in [Mode::Erase, Mode::Add] {
                let before = mask.clone();
                stroke(&mut mask, from, to, if mode == Mode::Erase { 41.0 } else { 20.0 }, mode);
                assert_ne!(mask, before);
                assert_eq!(draw(&mask), tiles, "{scale}: {from:?}");
                assert_eq!(draw(&mask), 0, "{scale}: {from:?}");
            }
        }
        let bytes = render::residency(&screen.state).mask_bytes;
        assert!(bytes > 0);
        // What is not seen changes without any upload; what becomes even is no longer kept.
        if scale == 1.0 {
            stroke(&mut mask, [2500.0, 2000.0], [2510.0, 2000.0], 20.0, Mode::Add);
            assert_eq!(draw(&mask), 0);
        }
        mask.fill(0);
        assert_eq!(draw(&mask), 0);
        assert!(render::residency(&screen.state).mask_bytes < bytes);
        stroke(&mut mask, [400.0, 400.0], [410.0, 420.0], 40.0, Mode::Add);
        assert_eq!(draw(&mask), 1);
        mask.fill(255);
        assert_eq!(draw(&mask), 0);
        stroke(&mut mask, [400.0, 400.0], [410.0, 420.0], 40.0, Mode::Erase);
        assert_eq!(draw(&mask), 1);
        screen.settled(window, &bare);
        assert_eq!(render::residency(&screen.state).mask_bytes, 0, "pages of a mask that is no longer drawn are dropped");
    }
}

/// A mask without an even tile.
fn uneven(width: u32, height: u32, add: u32) -> Mask {
    let mut mask = Mask::new(width, height).unwrap();
    let whole = mask.whole();
    let bytes: Vec<u8> = (0..width * height).map(|i| (i % width / 64 * 9 + i / width / 64 * 5 + add) as u8 % 120 + add as u8).collect();
    mask.write(whole, &bytes).unwrap();
    mask
}

/// Much at once takes a few frames, each with a bounded part, and until then what is there stays.
#[test]
fn large_changes_are_spread_over_frames() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8Unorm);
    let base = pyramid(&picture(6100, 5000, |_, _| [0, 0, 0, 255]));
    let (old, new) = (uneven(6100, 5000, 0), uneven(6100, 5000, 120));
    let white = |mask: &Mask, scale: f64| CanvasPaint {
        selection: Some(Selection { colour: [255; 4], ..selection(mask) }),
        ..paint(&base, [0.0, 0.0], scale)
    };
    let draw = |mask: &Mask, scale: f64| {
        let canvas = [(Rect::from_min_size(egui::Pos2::ZERO, vec2(1525.0, 1250.0)), white(mask, scale))];
        let frame = screen.frame([1525, 1250], 1.0, &canvas);
        let residency = render::residency(&screen.state);
        assert!(residency.mask_tiles_written <= MASK_TILES_PER_FRAME);
        assert_eq!(screen.asks_for_another_frame(), residency.uploads_pending);
        (frame, residency)
    };
    screen.settled([1525, 1250], &paint(&base, [0.0, 0.0], 0.25));
    // The first time, what is there grows.
    let (first, residency) = draw(&old, 0.25);
    assert!(residency.uploads_pending && residency.mask_tiles_written == MASK_TILES_PER_FRAME);
    let shown = screen.settled([1525, 1250], &white(&old, 0.25));
    first.check(1, |x, y| if first.at(x, y)[0] == 0 { None } else { Some(shown.at(x, y)) });
    // A change of all shows old and new, never nothing.
    let (between, residency) = draw(&new, 0.25);
    assert!(residency.uploads_pending);
    let after = screen.settled([1525, 1250], &white(&new, 0.25));
    between.check(0, |x, y| (x % 5 == 0).then(|| if between.at(x, y)[0] < 120 { shown.at(x, y) } else { after.at(x, y) }));
    let olds = between.pixels.iter().filter(|pixel| pixel[0] < 120).count();
    assert!(olds > 0 && olds < between.pixels.len() * 3 / 5, "{olds}");
    // Another zoom: coarser or finer, until it is there.
    for scale in [0.5, 0.25, 0.125] {
        let (passing, _) = draw(&new, scale);
        let there = screen.settled([1525, 1250], &white(&new, scale));
        passing.check(130, |x, y| (x % 5 == 0).then(|| there.at(x, y)));
        let off = passing.pixels.iter().zip(&there.pixels).filter(|(a, b)| a[0].abs_diff(b[0]) > 12).count();
        assert!(off * 20 < there.pixels.len(), "{scale}: {off}");
    }
    // Whole tiles: the bytes are what is bounded.
    let (_, residency) = draw(&new, 1.0);
    let whole = u32::try_from(MASK_BYTES_PER_FRAME >> 16).unwrap();
    assert!(residency.uploads_pending || residency.mask_tiles_written < whole);
}

/// A preview with one colour, whatever the latents.
fn plain(colour: [f32; 3]) -> Arc<PreviewImage> {
    let weights: Vec<f32> = [0.0; 3].into_iter().chain(colour).collect();
    Arc::new(PreviewImage { channels: 1, height: 3, width: 3, values: vec![1.0; 9].into(), weights: weights.into(), block: 1 })
}

#[test]
fn a_preview_is_seen_through_a_mask_alone() {
    let screen = screen();
    let (base, mask) = (pyramid(&picture(1400, 1200, noise)), mask(1400, 1200));
    let colour = [51, 102, 204, 255];
    for (scale, origin, soft) in [(0.25, [0.0, 0.0], false), (1.0, [-900.0, -850.0], false), (6.5, [-3100.3, -3000.2], true)] {
        let bare = CanvasPaint { soft, ..paint(&base, origin, scale) };
        let (window, under) = ([360, 300], screen.settled([360, 300], &bare));
        for (place, opacity) in [([0.0, 0.0, 1400.0, 1200.0], 1.0), ([500.0, 620.0, 480.0, 300.0], 0.75)] {
            let over = Over { preview: plain([0.2, 0.4, 0.8]), place, opacity, through: Some(mask.clone()) };
            let frame = screen.settled(window, &CanvasPaint { over: Some(over), ..bare.clone() });
            let twin = Twin::new(&mask, origin, scale, soft);
            let selection = Selection { colour: [51, 102, 204, (255.0 * opacity) as u8], ..selection(&mask) };
            let mut seen = 0;
            for (x, y) in (0..300).flat_map(|y| (0..360).map(move |x| (x, y))) {
                let at = [f64::from(x), f64::from(y)];
                let inside = [0, 1].iter().all(|i| {
                    let place_at = (at[*i] + 0.5 - origin[*i]) / scale;
                    place_at >= place[*i] && place_at < place[*i] + place[*i + 2]
                });
                let bare = under.at(x, y);
                let want = if inside { twin.over([x.into(), y.into()], bare, &selection).unwrap() } else { bare };
                let far = (0..4).map(|c| want[c].abs_diff(frame.at(x, y)[c])).max();
                assert!(far <= Some(2), "{scale}, {place:?}: {x}, {y}: {:?} is not {want:?}", frame.at(x, y));
                seen += usize::from(want == colour);
            }
            assert!(opacity < 1.0 || seen > 1000, "{scale}: {seen}");
        }
    }
}

/// Two masks in one frame do not get into each other's pages, and each is known again in the next frame.
#[test]
fn several_masks_share_a_frame() {
    let screen = screen();
    let base = pyramid(&picture(1300, 600, |_, _| [0, 0, 0, 255]));
    let mut masks = [Mask::new(1300, 600).unwrap(), Mask::new(1300, 600).unwrap()];
    stroke(&mut masks[0], [100.0, 100.0], [500.0, 200.0], 60.0, Mode::Add);
    stroke(&mut masks[1], [1200.0, 500.0], [900.0, 400.0], 60.0, Mode::Add);
    let canvas = |mask: &Mask, over: &Mask, top: f32| {
        let over = Over { preview: plain([0.0, 0.0, 1.0]), place: [0.0, 0.0, 1300.0, 600.0], opacity: 1.0, through: Some(over.clone()) };
        let selection = Selection { colour: [255, 0, 0, 255], ..selection(mask) };
        let paint = CanvasPaint { selection: Some(selection), over: Some(over), ..paint(&base, [0.0, 0.0], 0.5) };
        (Rect::from_min_size(egui::pos2(0.0, top), vec2(650.0, 300.0)), paint)
    };
    for round in 0..3 {
        let frame = screen.frame([650, 600], 1.0, &[canvas(&masks[0], &masks[1], 0.0), canvas(&masks[1], &masks[0], 300.0)]);
        let twins = [0, 1].map(|i| Twin::new(&masks[i], [0.0; 2], 0.5, false));
        frame.check(2, |x, y| {
            let (top, at) = (usize::from(y >= 300), [i64::from(x), i64::from(y % 300)]);
            let (red, blue) = (twins[top].coverage(at), twins[1 - top].coverage(at));
            Some([(red * 255.0) as u8, 0, (blue * (1.0 - red) * 255.0) as u8, 255])
        });
        let written = render::residency(&screen.state).mask_tiles_written;
        assert!(if round == 1 { written == 2 } else { written > 2 || round == 2 }, "{round}: {written}");
        stroke(&mut masks[0], [300.0, 150.0], [310.0, 150.0], 110.0 + round as f32, Mode::Add);
    }
}

#[test]
fn a_mask_of_another_size_is_not_drawn() {
    let base = pyramid(&picture(60, 50, noise));
    let mut mask = Mask::new(50, 60).unwrap();
    mask.fill(255);
    let over = Over { preview: plain([1.0, 0.0, 0.0]), place: [0.0, 0.0, 60.0, 50.0], opacity: 1.0, through: Some(mask.clone()) };
    let selection = Selection { outline: true, ..selection(&mask) };
    let paint = CanvasPaint { over: Some(over), selection: Some(selection), ..paint(&base, [0.0, 0.0], 1.0) };
    screen().settled([60, 50], &paint).check(0, |x, y| Some(noise(x, y)));
}

/// Where a target takes linear light a whole tint ends with the same bytes.
#[test]
fn a_linear_target_has_the_same_tint() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8UnormSrgb);
    let base = pyramid(&picture(40, 30, noise));
    let mut mask = Mask::new(40, 30).unwrap();
    mask.rectangle(Part { left: 10, top: 0, width: 30, height: 30 }, Mode::Add);
    let selection = Selection { colour: [51, 102, 204, 255], ..selection(&mask) };
    let frame = screen.settled([40, 30], &CanvasPaint { selection: Some(selection), ..paint(&base, [0.0, 0.0], 1.0) });
    frame.check(1, |x, y| Some(if x < 10 { noise(x, y) } else { [51, 102, 204, 255] }));
}

#[test]
fn a_lost_device_takes_no_selection_along() {
    let screen = screen().with_own_device();
    let (base, mut mask) = (pyramid(&picture(5000, 40, noise)), mask(5000, 40));
    let canvas = |mask: &Mask, left: f32| {
        let paint = CanvasPaint { selection: Some(selection(mask)), ..paint(&base, [f64::from(-left), 0.0], 1.0) };
        [(Rect::from_min_size(egui::Pos2::ZERO, vec2(90.0, 40.0)), paint)]
    };
    screen.frame([90, 40], 1.0, &canvas(&mask, 700.0));
    screen.state.device.destroy();
    // In the page that is there, and in new ones.
    for left in [700.0, 2000.0, 3000.0] {
        stroke(&mut mask, [left, 20.0], [left + 30.0, 20.0], 20.0, Mode::Add);
        stroke(&mut mask, [left, 20.0], [left + 30.0, 20.0], 10.0, Mode::Erase);
        screen.draw([90, 40], 1.0, &canvas(&mask, left));
    }
}

/// Painting on 50 megapixels, 40 tiles in each frame: what goes to the graphics card is what is new, in the size in which it is
/// seen, however large the picture is.
#[test]
fn painting_on_a_large_picture_costs_little() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8Unorm);
    let empty = pyramid(&picture(1, 1, |_, _| [40, 90, 140, 255]));
    let mut mask = mask(8660, 5774).feathered(30);
    // Eight by five tiles, each with something new.
    let part = Part { left: 3072, top: 1536, width: 2048, height: 1280 };
    for (scale, origin) in [(0.185, [0.0, 0.0]), (0.4, [-700.0, -300.0]), (1.0, [-3000.0, -1500.0])] {
        let draw = |selection: Option<Selection>| {
            let paint = CanvasPaint { selection, size: [8660, 5774], base: None, ..paint(&empty, origin, scale) };
            screen.draw([1920, 1080], 1.0, &[(Rect::from_min_size(egui::Pos2::ZERO, vec2(1920.0, 1080.0)), paint)]);
            let left = render::residency(&screen.state);
            (left.mask_tiles_written, left.mask_bytes_written, left.uploads_pending)
        };
        assert_eq!(draw(None), (0, 0, false));
        let shown = |mask: &Mask| Some(Selection { outline: true, ..selection(mask) });
        assert!((0..100).any(|_| !draw(shown(&mask)).2), "the uploads never end");
        assert_eq!(draw(shown(&mask)), (0, 0, false), "nothing is new at {scale}");
        // A finer level than is seen would be four times as much; tiles at the edges of pages are in both.
        let level = (1.0f64 / scale).log2().floor() as i32;
        let most = 1.6 * f64::from(part.width * part.height) / 4f64.powi(level);
        for i in 0..8 {
            let soft: Vec<u8> = (0..part.width * part.height).map(|at| (at / 7 + at / part.width + i) as u8).collect();
            mask.write(part, &soft).unwrap();
            let (tiles, bytes, is_pending) = draw(shown(&mask));
            assert!(
                (40..=80).contains(&tiles) && bytes > 0 && bytes as f64 <= most,
                "{tiles} tiles and {bytes} bytes at {scale}, not {most}"
            );
            assert!(!is_pending, "one frame is enough");
        }
    }
}
