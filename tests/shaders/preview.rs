//! The preview's pass against its twin on the processor.

use crate::screen::screen;
use pentimento::imaging::Pixels;
use pentimento::pipeline::{BLOCK, Latents, PreviewMap};
use pentimento::render::{PreviewImage, preview};
use std::sync::Arc;

/// Numbers around zero, the same in every run.
fn numbers(count: usize, scale: f32) -> Vec<f32> {
    let mut state = 1u32;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / (1 << 24) as f32 - 0.5) * scale
        })
        .collect()
}

#[test]
fn the_pass_is_the_map() {
    let screen = screen();
    for (channels, height, width) in [(32, 32, 32), (32, 20, 47), (1, 1, 1), (3, 64, 5)] {
        let values = numbers(channels * height * width, 6.0);
        let mut weights = numbers((channels + 1) * BLOCK * BLOCK * 3, 0.3);
        weights[channels * BLOCK * BLOCK * 3..].iter_mut().for_each(|w| *w += 0.5);
        let map = PreviewMap { channels, weights: weights.clone() };
        let want = map.apply(&Latents { channels, height, width, values: values.clone() }).unwrap();
        let Pixels::Rgba8(want) = want.pixels() else { unreachable!() };
        let image = PreviewImage { channels, height, width, values: values.into(), weights: weights.into(), block: BLOCK };
        let texture = preview::texture(&screen.state, &Arc::new(image)).unwrap();
        assert_eq!((texture.width() as usize, texture.height() as usize), (width * BLOCK, height * BLOCK));
        let got = screen.read(&texture);
        let far = got.iter().zip(want.as_chunks::<4>().0).flat_map(|(a, b)| a.iter().zip(b)).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(1), "{channels} x {height} x {width}: {far:?}");
        assert!(got.iter().any(|pixel| pixel[0] != got[0][0]) || got.len() < 16 * 16);
    }
}
