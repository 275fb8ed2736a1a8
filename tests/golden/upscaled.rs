//! The upscaler beside the program that its weights were published with, and beside plain arithmetic in f64;
//! `upscale/record.py` records both.

use pentimento::imaging::{self, Picture};
use pentimento::pipeline::{Upscaled, Upscaler};
use pentimento::recipe::{Factor, UpscalerId, Upscaling};
use sha2::{Digest as _, Sha256};
use std::ops::ControlFlow;

const SIZE: (usize, usize) = (144, 112);
/// The sum of 18 layers in f32 instead of f64, with values of up to some thirty on the way: measured 5.4e-7.
const EXACT: f32 = 4e-6;
/// The runner computes in 16 bits: measured, it is off by 0.10 levels of 255 in the mean and 2 at most.
const RUNNER: (f32, f32) = (0.15, 2.0);

fn picture(name: &str) -> Picture {
    imaging::open(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/upscale").join(name)).unwrap()
}

fn exact() -> Vec<f32> {
    include_bytes!("upscale/exact.bin").as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

#[test]
fn the_network_computes_what_it_is_defined_to() {
    let upscaler = Upscaler::open(UpscalerId::AnimeVideo).unwrap();
    let (made, exact) = (upscaler.plain(&picture("source.png")).unwrap(), exact());
    assert_eq!(made.len(), 3 * SIZE.0 * SIZE.1);
    let off = |made: &[f32]| made.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("off by {:.1e} at most", off(&made));
    assert!(off(&made) < EXACT);
    // A canary: red and blue exchanged.
    let rgb: Vec<u8> = picture("source.png").to_rgb8().as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*b, *g, *r]).collect();
    let mut wrong = upscaler.plain(&Picture::from_rgb8(36, 28, &rgb).unwrap()).unwrap();
    wrong.rotate_left(2 * SIZE.0 * SIZE.1);
    assert!(off(&wrong) > 0.01);
}

#[test]
fn the_runner_makes_the_same_picture() {
    let made = Upscaler::open(UpscalerId::AnimeVideo).unwrap().plain(&picture("source.png")).unwrap();
    let runner = picture("runner.png").to_rgb8();
    let plane = SIZE.0 * SIZE.1;
    // Where a value leaves its range, the runner's wraps around: black becomes white. That is not taken over.
    let inside = (0..3 * plane).filter(|i| (0.0..=1.0).contains(&made[*i]));
    let off: Vec<f32> = inside.map(|i| ((made[i] * 255.0).round() - f32::from(runner[i % plane * 3 + i / plane])).abs()).collect();
    let (mean, most) = (off.iter().sum::<f32>() / off.len() as f32, off.iter().copied().fold(0.0, f32::max));
    println!("{} of {} values: off by {mean:.3} levels in the mean and {most} at most", off.len(), 3 * plane);
    assert!(off.len() > 3 * plane * 4 / 5 && mean < RUNNER.0 && most <= RUNNER.1);
}

/// The whole of it, with the step that keeps colours, is near the network's own picture and is the same everywhere.
#[test]
fn keeping_colours_changes_little() {
    let upscaler = Upscaler::open(UpscalerId::AnimeVideo).unwrap();
    let ended = upscaler.upscale(&picture("source.png"), Upscaling::new(Factor::Four), &mut |_| ControlFlow::Continue(())).unwrap();
    let Upscaled::Done { picture: made, .. } = ended else { panic!("nobody stopped it") };
    let (rgb, plain) = (made.to_rgb8(), exact());
    let plane = SIZE.0 * SIZE.1;
    let off = |i: usize| (f32::from(rgb[i % plane * 3 + i / plane]) - plain[i].clamp(0.0, 1.0) * 255.0).abs();
    let mean = (0..3 * plane).map(off).sum::<f32>() / (3 * plane) as f32;
    assert!((0.05..4.0).contains(&mean), "{mean} levels");
}

#[test]
fn the_weights_are_those_that_the_script_writes() {
    let file = include_bytes!("../../assets/upscaler/weights.safetensors");
    assert_eq!(format!("{:x}", Sha256::digest(file)), "71931d9dc464b11eab77bde4484e71bce75e7bfe18643f90c8eadf0949d16f51");
}
