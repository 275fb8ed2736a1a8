//! What the canvas draws, pixel by pixel.

use crate::reference::{Whole, from_light, light, noise, picture, pyramid};
use crate::screen::screen;
use egui::{Rect, pos2, vec2};
use pentimento::imaging::{Picture, Pixels, Pyramid};
use pentimento::render::{self, CanvasPaint, Over, PreviewImage, UPLOAD_BYTES_PER_FRAME};
use std::sync::Arc;

const CHECKER: [[u8; 4]; 2] = [[40, 50, 60, 255], [200, 190, 180, 255]];

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
        checker: CHECKER,
    }
}

fn bytes(picture: &Picture) -> Vec<[u8; 4]> {
    let Pixels::Rgba8(bytes) = picture.pixels() else { unreachable!() };
    bytes.as_chunks::<4>().0.to_vec()
}

/// Exact at a whole scale: each of the picture's pixels is a block of the screen's.
fn check_blocks(picture: &Picture, window: [u32; 2], origin: [i64; 2], scale: u32) {
    let (screen, pixels) = (screen(), bytes(picture));
    let base = pyramid(picture);
    let frame = screen.settled(window, &paint(&base, origin.map(|v| v as f64), f64::from(scale)));
    frame.check(0, |x, y| {
        let (x, y) = ((i64::from(x) - origin[0]).div_euclid(scale.into()), (i64::from(y) - origin[1]).div_euclid(scale.into()));
        let inside = (0..picture.width().into()).contains(&x) && (0..picture.height().into()).contains(&y);
        Some(if inside { pixels[(y * i64::from(picture.width()) + x) as usize] } else { [0; 4] })
    });
}

#[test]
fn at_100_percent_the_screen_has_exactly_the_pictures_bytes() {
    let wide = picture(1500, 1100, noise);
    check_blocks(&wide, [1510, 1120], [3, 7], 1);
    check_blocks(&wide, [700, 500], [-700, -800], 1); // around the corner where four tiles meet
    check_blocks(&picture(1, 1, noise), [5, 5], [2, 2], 1);
}

#[test]
fn enlarged_pixels_are_exact_blocks() {
    check_blocks(&picture(64, 48, noise), [280, 210], [5, 9], 4);
    check_blocks(&picture(1030, 30, noise), [200, 130], [-3950, 3], 4); // across two tiles
    check_blocks(&picture(1030, 30, noise), [200, 130], [-2017, 3], 2);
}

#[test]
fn the_far_end_of_a_long_picture_does_not_jitter_when_enlarged() {
    check_blocks(&picture(65_000, 2, noise), [300, 70], [-64_995 * 32, 3], 32);
}

/// Where it is asked for, an enlarged picture is interpolated: half way between two pixels is their mean.
#[test]
fn a_soft_picture_has_no_blocks() {
    let from = picture(2, 1, |x, _| [if x == 0 { 40 } else { 200 }, 90, 90, 255]);
    let base = pyramid(&from);
    let frame = screen().settled([64, 32], &CanvasPaint { soft: true, ..paint(&base, [0.0, 0.0], 32.0) });
    let (left, middle, right) = (frame.at(8, 16)[0], frame.at(32, 16)[0], frame.at(56, 16)[0]);
    assert!(left <= 42 && right >= 198 && (117..=125).contains(&middle), "{left} {middle} {right}");
}

/// At scales that are not whole an edge of a block may be mixed, but only in the one pixel that it runs through.
#[test]
fn blocks_at_broken_scales_are_sharp() {
    let from = picture(40, 30, noise);
    let (pixels, base, scale) = (bytes(&from), pyramid(&from), 5.3);
    let frame = screen().settled([210, 150], &paint(&base, [0.4, 0.7], scale));
    frame.check(1, |x, y| {
        let (u, v) = ((f64::from(x) + 0.5 - 0.4) / scale, (f64::from(y) + 0.5 - 0.7) / scale);
        let pure = |u: f64| (u - u.round()).abs() * scale > 0.51 && u > 0.0;
        (pure(u) && pure(v)).then(|| pixels[v as usize * 40 + u as usize])
    });
}

#[test]
fn a_quarter_is_the_mean_of_light() {
    let from = picture(256, 192, |x, y| if (x / 3 + y / 5) % 2 == 0 { noise(x, y) } else { [255 * (x as u8 % 2), x as u8, y as u8, 255] });
    let (pixels, base) = (bytes(&from), pyramid(&from));
    let frame = screen().settled([64, 48], &paint(&base, [0.0, 0.0], 0.25));
    frame.check(2, |x, y| {
        let block = |c: usize| (0..16).map(move |i| (4 * y + i / 4) * 256 + 4 * x + i % 4).map(move |at| (at as usize, c));
        let mean = |c: usize| from_light(block(c).map(|(at, c)| light(f64::from(pixels[at][c]))).sum::<f64>() / 16.0).round() as u8;
        Some([mean(0), mean(1), mean(2), 255])
    });
}

/// Tiles against the same filter over the whole picture: a seam would be far off in noise, and seen in a slope.
#[test]
fn no_seam_shows_between_tiles() {
    let slope = picture(2500, 1300, |x, y| [(x * 255 / 2499) as u8, (y * 255 / 1299) as u8, ((x + y) * 255 / 3798) as u8, 255]);
    for (from, tolerance) in [(picture(2500, 1300, noise), 3), (slope, 1)] {
        let base = pyramid(&from);
        for (scale, level, origin) in [(0.73, 0, [0.0, 0.0]), (0.73, 0, [-400.3, 10.6]), (0.37, 1, [2.5, -3.1]), (1.0, 0, [0.0, 0.0])] {
            let frame = screen().settled([1900, 960], &paint(&base, origin, scale));
            let (whole, at) = (Whole { pyramid: &base, level }, scale * f64::from(1 << level));
            frame.check(tolerance, |x, y| {
                let (u, v) = ((f64::from(x) + 0.5 - origin[0]) / scale, (f64::from(y) + 0.5 - origin[1]) / scale);
                let inside = (0.0..2500.0).contains(&u) && (0.0..1300.0).contains(&v);
                Some(if inside { whole.reduced(u / f64::from(1 << level), v / f64::from(1 << level), at) } else { [0; 4] })
            });
        }
    }
}

#[test]
fn sixteen_bits_are_shown_in_eight() {
    let values: Vec<u16> = (0..64 * 64u32).flat_map(|i| [(i * 16) as u16, 65_535 - (i * 16) as u16, 77, 65_535]).collect();
    let from = Picture::new(64, 64, Pixels::Rgba16(values.into())).unwrap();
    let want = from.to_rgba8();
    let frame = screen().settled([64, 64], &paint(&pyramid(&from), [0.0, 0.0], 1.0));
    frame.check(0, |x, y| Some(want.as_chunks::<4>().0[(64 * y + x) as usize]));
}

#[test]
fn the_checkerboard_shows_through_what_is_transparent() {
    let from = picture(100, 90, |x, y| {
        let [r, g, b, _] = noise(x, y);
        [r, g, b, if y < 30 { 0 } else { (x * 5).min(255) as u8 }]
    });
    let (pixels, base) = (bytes(&from), pyramid(&from));
    for (ppp, square) in [(1.0, 8), (2.0, 16)] {
        let rect = Rect::from_min_size(egui::Pos2::ZERO, vec2(120.0, 110.0) / ppp);
        let frame = screen().frame([120, 110], ppp, &[(rect, paint(&base, [11.0, 4.0], 1.0))]);
        frame.check(1, |x, y| {
            let inside = (11..111).contains(&x) && (4..94).contains(&y);
            let (x, y) = (x.wrapping_sub(11), y.wrapping_sub(4));
            let under = CHECKER[((x / square + y / square) % 2) as usize];
            let mixed = |c: usize, alpha: u8, v: u8| {
                let alpha = f64::from(alpha) / 255.0;
                (f64::from(v) * alpha + f64::from(under[c]) * (1.0 - alpha)).round() as u8
            };
            Some(if inside {
                let [r, g, b, a] = pixels[(y * 100 + x) as usize];
                [mixed(0, a, r), mixed(1, a, g), mixed(2, a, b), 255]
            } else {
                [0; 4]
            })
        });
    }
}

/// A preview whose map says one colour per block, whatever the latents.
fn plain(colour: [f32; 3]) -> Arc<PreviewImage> {
    let weights: Vec<f32> = [0.0; 12].into_iter().chain(colour.into_iter().cycle().take(12)).collect();
    Arc::new(PreviewImage { channels: 1, height: 5, width: 7, values: vec![1.0; 35].into(), weights: weights.into(), block: 2 })
}

#[test]
fn a_preview_lies_at_its_place_and_lets_through_what_it_should() {
    let from = picture(200, 150, noise);
    let (pixels, base) = (bytes(&from), pyramid(&from));
    for (opacity, place) in [(1.0, [20.0, 30.0, 70.0, 50.0]), (0.5, [150.0, -20.0, 100.0, 60.0])] {
        let over = Some(Over { preview: plain([0.2, 0.4, 0.8]), place, opacity, through: None });
        let frame = screen().settled([400, 300], &CanvasPaint { over, ..paint(&base, [0.0, 0.0], 2.0) });
        frame.check(1, |x, y| {
            let (u, v) = (f64::from(x) / 2.0, f64::from(y) / 2.0);
            let covered = u >= place[0] && u < place[0] + place[2] && v >= place[1] && v < place[1] + place[3];
            let under = pixels[v as usize * 200 + u as usize];
            let mixed = |c: usize, colour: f32| (f32::from(under[c]) * (1.0 - opacity) + colour * opacity * 255.0).round() as u8;
            Some(if covered { [mixed(0, 0.2), mixed(1, 0.4), mixed(2, 0.8), 255] } else { under })
        });
    }
}

/// Four latent pixels of four colours: each corner of the place has its own, the middle has the mean.
#[test]
fn a_preview_is_the_right_way_round_and_soft() {
    let preview = PreviewImage {
        channels: 2,
        height: 2,
        width: 2,
        values: vec![0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0].into(), // red grows to the right, green downwards
        weights: vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.5].into(),
        block: 1,
    };
    let over = Some(Over { preview: Arc::new(preview), place: [0.0, 0.0, 64.0, 64.0], opacity: 1.0, through: None });
    let paint = CanvasPaint {
        origin: [0.0; 2],
        scale: 1.0,
        size: [64, 64],
        base: None,
        tool: None,
        over,
        selection: None,
        soft: false,
        pixel_grid: false,
        checker: CHECKER,
    };
    let frame = screen().settled([64, 64], &paint);
    for (x, y) in [(0, 0), (63, 0), (0, 63), (63, 63)] {
        let [r, g, b, a] = frame.at(x, y);
        assert_eq!((r > 240, g > 240, r < 15, g < 15), (x > 0, y > 0, x == 0, y == 0), "{x}, {y}: {r} {g}");
        assert_eq!((b, a), (128, 255));
    }
    let [r, g, ..] = frame.at(32, 32);
    assert!(r.abs_diff(128) < 8 && g.abs_diff(128) < 8, "{r} {g}");
    for x in 1..64 {
        let step = i32::from(frame.at(x, 20)[0]) - i32::from(frame.at(x - 1, 20)[0]);
        assert!((0..12).contains(&step), "a step of {step} at {x}");
    }
}

/// A wrong preview is left out and the rest is drawn.
#[test]
fn a_preview_that_makes_no_sense_is_not_drawn() {
    let from = picture(20, 20, noise);
    let (pixels, base) = (bytes(&from), pyramid(&from));
    let good = plain([1.0, 0.0, 0.0]);
    for preview in [
        PreviewImage { channels: 2, ..(*good).clone() },
        PreviewImage { width: 0, ..(*good).clone() },
        PreviewImage { block: 3, ..(*good).clone() },
        PreviewImage { channels: 0, values: Arc::new([]), ..(*good).clone() },
    ] {
        let over = Some(Over { preview: Arc::new(preview), place: [0.0, 0.0, 20.0, 20.0], opacity: 1.0, through: None });
        let frame = screen().settled([20, 20], &CanvasPaint { over, ..paint(&base, [0.0, 0.0], 1.0) });
        frame.check(0, |x, y| Some(pixels[(20 * y + x) as usize]));
    }
    for (place, opacity) in [([f64::NAN, 0.0, 20.0, 20.0], 1.0), ([0.0, 0.0, 0.0, 20.0], 1.0), ([0.0, 0.0, 20.0, 20.0], f32::NAN)] {
        let over = Some(Over { preview: good.clone(), place, opacity, through: None });
        let frame = screen().settled([20, 20], &CanvasPaint { over, ..paint(&base, [0.0, 0.0], 1.0) });
        frame.check(0, |x, y| Some(pixels[(20 * y + x) as usize]));
    }
}

#[test]
fn lines_between_large_pixels_are_one_pixel_thin_and_always_show() {
    let from = picture(6, 5, |x, y| if (x + y) % 2 == 0 { [255, 255, 255, 255] } else { [0, 0, 0, 255] });
    let (pixels, base) = (bytes(&from), pyramid(&from));
    for (scale, lines) in [(16, true), (8, true), (4, false)] {
        let grid = CanvasPaint { pixel_grid: true, ..paint(&base, [2.0, 3.0], f64::from(scale)) };
        let frame = screen().settled([110, 90], &grid);
        frame.check(0, |x, y| {
            let (x, y) = (x.checked_sub(2)?, y.checked_sub(3)?);
            let (u, v) = (x / scale, y / scale);
            let pixel = *pixels.get((v * 6 + u) as usize).filter(|_| u < 6)?;
            let line = lines && (x % scale == 0 || y % scale == 0);
            let grey = if pixel[0] == 0 { 64 } else { 191 };
            Some(if line { [grey, grey, grey, 255] } else { pixel })
        });
    }
}

/// The first frame of a large picture shows all of it coarsely; each frame uploads a little and asks for the next.
#[test]
fn uploads_are_spread_over_frames_and_forgotten_with_the_picture() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8Unorm);
    let from = picture(6000, 5000, |x, y| [100 + (x / 100) as u8, 100 + (y / 100) as u8, 55, 255]);
    let base = pyramid(&from);
    drop(from);
    let canvas = [(Rect::from_min_size(egui::Pos2::ZERO, vec2(2600.0, 1800.0)), paint(&base, [-1000.0, -1000.0], 1.0))];
    let mut frames = 0;
    let mut last = 0;
    loop {
        let frame = screen.frame([2600, 1800], 1.0, &canvas);
        frame.check(2, |x, y| (x % 97 == 0).then(|| [100 + ((x + 1000) / 100) as u8, 100 + ((y + 1000) / 100) as u8, 55, 255]));
        let residency = render::residency(&screen.state);
        frames += 1;
        assert!(frames > 1 || residency.tile_bytes <= UPLOAD_BYTES_PER_FRAME);
        assert!(residency.tile_bytes > last || frames == 1);
        assert!(frames == 1 || residency.tile_bytes - last <= UPLOAD_BYTES_PER_FRAME);
        last = residency.tile_bytes;
        assert_eq!(screen.asks_for_another_frame(), residency.uploads_pending);
        if !residency.uploads_pending {
            break;
        }
    }
    assert!((6..12).contains(&frames), "{frames}");
    drop((base, canvas));
    let small = pyramid(&picture(1, 1, noise));
    screen.settled([4, 4], &paint(&small, [0.0, 0.0], 1.0));
    assert_eq!(render::residency(&screen.state).tile_bytes, 4);
}

#[test]
fn tiles_over_the_budget_are_dropped_but_for_those_in_sight() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8Unorm);
    let base = pyramid(&picture(9000, 500, noise));
    let tile = 4 * 1026 * 500;
    render::set_cache_bytes(&screen.state, 4 * tile);
    for left in 0..8 {
        let paint = paint(&base, [f64::from(-1024 * left), 0.0], 1.0);
        let frame = screen.settled([1100, 500], &paint);
        frame.check(0, |x, y| (y % 50 == 0).then(|| noise(x + 1024 * left as u32, y)));
        let bytes = render::residency(&screen.state).tile_bytes;
        assert!(bytes <= 4 * tile + UPLOAD_BYTES_PER_FRAME, "{bytes}");
        assert!(left < 4 || bytes >= 2 * tile, "{bytes}");
    }
    let all = paint(&base, [0.0, 0.0], 1.0);
    screen.settled([8192, 500], &all).check(0, |x, y| (y % 50 == 0).then(|| noise(x, y)));
    assert!(render::residency(&screen.state).tile_bytes > 7 * tile);
}

/// Nothing is drawn on a device that is gone, and nothing panics.
#[test]
fn a_lost_device_does_not_take_the_window_along() {
    let screen = screen().with_own_device();
    let base = pyramid(&picture(3000, 40, noise));
    let over = Some(Over { preview: plain([1.0, 0.0, 0.0]), place: [0.0, 0.0, 20.0, 20.0], opacity: 1.0, through: None });
    let canvas = [(Rect::from_min_size(egui::Pos2::ZERO, vec2(90.0, 40.0)), paint(&base, [0.0, 0.0], 1.0))];
    screen.frame([90, 40], 1.0, &canvas).check(0, |x, y| Some(noise(x, y)));
    screen.state.device.destroy();
    screen.draw([90, 40], 1.0, &canvas);
    let moved = [(canvas[0].0, CanvasPaint { over, ..paint(&base, [-2000.0, 0.0], 1.0) })];
    for _ in 0..3 {
        screen.draw([90, 40], 1.0, &moved);
    }
}

#[test]
fn several_canvases_share_a_frame_and_the_window_cuts_them_off() {
    let (one, two) = (picture(60, 60, noise), picture(60, 60, |x, y| noise(y + 1, x)));
    let (first, second) = (pyramid(&one), pyramid(&two));
    let canvases = [
        (Rect::from_min_size(pos2(10.0, 5.0), vec2(30.0, 60.0)), paint(&first, [0.0, 0.0], 1.0)),
        (Rect::from_min_size(pos2(-20.0, 70.0), vec2(60.0, 60.0)), paint(&second, [0.0, 0.0], 1.0)),
        (Rect::from_min_size(pos2(60.0, 70.0), vec2(60.0, 60.0)), paint(&second, [1.0, 2.0], 1.0)),
        (Rect::from_min_size(pos2(300.0, 300.0), vec2(60.0, 60.0)), paint(&second, [1.0, 2.0], 1.0)),
    ];
    let frame = screen().frame([100, 100], 1.0, &canvases);
    frame.check(0, |x, y| {
        Some(match (x, y) {
            (10..40, 5..65) => noise(x - 10, y - 5),
            (0..40, 70..) => noise(y - 70 + 1, x + 20),
            (61.., 72..) => noise(y - 72 + 1, x - 61),
            _ => [0; 4],
        })
    });
}

/// Where a target takes linear light, the bytes that arrive are the same.
#[test]
fn a_linear_target_ends_with_the_same_bytes() {
    let screen = screen().with_format(wgpu::TextureFormat::Rgba8UnormSrgb);
    let from = picture(40, 30, noise);
    let (pixels, base) = (bytes(&from), pyramid(&from));
    let over = Some(Over { preview: plain([0.2, 0.4, 0.8]), place: [0.0, 0.0, 10.0, 30.0], opacity: 1.0, through: None });
    let frame = screen.settled([40, 30], &CanvasPaint { over, ..paint(&base, [0.0, 0.0], 1.0) });
    frame.check(1, |x, y| Some(if x < 10 { [51, 102, 204, 255] } else { pixels[(40 * y + x) as usize] }));
}

#[test]
fn numbers_without_sense_draw_nothing() {
    let base = pyramid(&picture(9, 9, noise));
    for (origin, scale) in [([f64::NAN, 0.0], 1.0), ([0.0; 2], 0.0), ([0.0; 2], f64::INFINITY), ([1e300, 0.0], 1.0), ([0.0; 2], 1e300)] {
        let frame = screen().settled([9, 9], &paint(&base, origin, scale));
        frame.check(0, |_, _| (scale < 1e299).then_some([0; 4]));
    }
    let empty = CanvasPaint { size: [0, 0], base: None, ..paint(&base, [0.0; 2], 1.0) };
    screen().settled([9, 9], &empty).check(0, |_, _| Some([0; 4]));
}
