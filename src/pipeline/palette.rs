//! Colours for the tokens of a blueprint: codes that the language model takes for alike look alike.

use super::Result;
use candle_core::{DType, Device, Tensor};

/// One colour per code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette(pub Vec<[u8; 3]>);

/// Codes that the directions are found from.
const SAMPLE: usize = 2048;

impl Palette {
    /// The three main directions of the image tokens' embeddings, as red, green and blue.
    ///
    /// # Shapes
    /// - `embeddings(from, len)`: `(len, width)`, for codes up to `codes`
    /// # Errors      the device fails
    pub fn of(codes: usize, width: usize, embeddings: impl Fn(usize, usize) -> candle_core::Result<Tensor>) -> Result<Self> {
        // Block by block: all of them in f32 would be the largest thing in memory.
        let blocks = || (0..codes).step_by(SAMPLE).map(|from| rows(&embeddings(from, SAMPLE.min(codes - from))?));
        let stride = codes.div_ceil(SAMPLE).max(1);
        let (mut mean, mut sample) = (vec![0f32; width], Vec::new());
        for (block, from) in blocks().zip((0..).step_by(SAMPLE)) {
            for (i, row) in block?.into_iter().enumerate() {
                mean.iter_mut().zip(&row).for_each(|(m, v)| *m += v);
                if (from + i) % stride == 0 {
                    sample.push(row);
                }
            }
        }
        mean.iter_mut().for_each(|m| *m /= codes as f32);
        let centred = |r: &[f32]| -> Vec<f32> { r.iter().zip(&mean).map(|(v, m)| v - m).collect() };
        let sample: Vec<Vec<f32>> = sample.iter().map(|r| centred(r)).collect();
        let mut directions: Vec<Vec<f32>> = Vec::new();
        for axis in 0..3 {
            // Power iteration from a fixed start, without the directions that are known.
            let mut d: Vec<f32> = (0..width).map(|i| (((i * 7919 + axis * 104_729) % 1009) as f32 / 1009.0) - 0.5).collect();
            for _ in 0..24 {
                let mut next = vec![0f32; width];
                for row in &sample {
                    let along = dot(row, &d);
                    next.iter_mut().zip(row).for_each(|(n, v)| *n += along * v);
                }
                for known in &directions {
                    let along = dot(&next, known);
                    next.iter_mut().zip(known).for_each(|(n, k)| *n -= along * k);
                }
                let norm = dot(&next, &next).sqrt().max(1e-20);
                d = next.into_iter().map(|v| v / norm).collect();
            }
            directions.push(d);
        }
        let spread: Vec<f32> = directions
            .iter()
            .map(|d| (sample.iter().map(|r| dot(r, d).powi(2)).sum::<f32>() / sample.len().max(1) as f32).sqrt().max(1e-12))
            .collect();
        let colour = |row: &Vec<f32>| -> [u8; 3] {
            let row = centred(row);
            std::array::from_fn(|i| (128.0 + 62.0 * dot(&row, &directions[i]) / spread[i]).clamp(16.0, 240.0) as u8)
        };
        let mut colours = Vec::with_capacity(codes);
        for block in blocks() {
            colours.extend(block?.iter().map(colour));
        }
        Ok(Self(colours))
    }
}

fn rows(embeddings: &Tensor) -> candle_core::Result<Vec<Vec<f32>>> {
    embeddings.to_dtype(DType::F32)?.to_device(&Device::Cpu)?.to_vec2()
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
