//! Times and places as vectors.

use crate::models::kernels;
use crate::models::layers::Linear;
use candle_core::{DType, Device, Result, Tensor, bail};
use candle_nn::VarBuilder;

/// Width of the sine embedding of a time.
const SINES: usize = 256;

/// A time to the modulation of every block.
pub(super) struct TimeEmbed {
    linear_1: Linear,
    linear_2: Linear,
    linear: Linear,
    width: usize,
}

impl TimeEmbed {
    pub fn new(width: usize, vb: &VarBuilder) -> Result<Self> {
        let embedder = vb.pp("emb.timestep_embedder");
        Ok(Self {
            linear_1: Linear::new(SINES, width, true, &embedder.pp("linear_1"))?,
            linear_2: Linear::new(width, width, true, &embedder.pp("linear_2"))?,
            linear: Linear::new(width, 6 * width, true, &vb.pp("linear"))?,
            width,
        })
    }

    /// `emb = linear_2(silu(linear_1([cos(t f), sin(t f)])))`, `mod = linear(silu(emb))`, for every time.
    ///
    /// # Source      diffusers 0.34 `AdaLayerNormSingle`, `get_timestep_embedding` with `flip_sin_to_cos`
    pub fn forward(&self, timesteps: &[f32], dtype: DType, device: &Device) -> Result<Timesteps> {
        let n = timesteps.len();
        let half = SINES / 2;
        let mut sines = vec![0f32; n * SINES];
        for (t, row) in timesteps.iter().zip(sines.chunks_exact_mut(SINES)) {
            for i in 0..half {
                // In f32 throughout: t · f reaches 1000, where a differently rounded f shows.
                let f = (-(10_000f64.ln() as f32) * i as f32 / half as f32).exp();
                let angle = t * f;
                row[i] = angle.cos();
                row[half + i] = angle.sin();
            }
        }
        let sines = Tensor::from_vec(sines, (n, SINES), device)?.to_dtype(dtype)?;
        let embedding = self.linear_2.forward(&kernels::silu(&self.linear_1.forward(&sines)?)?)?; // (n, width)
        let modulation = self.linear.forward(&kernels::silu(&embedding)?)?.reshape((n, 6, self.width))?;
        Ok(Timesteps { embedding, modulation })
    }
}

/// What the blocks need to know of each step's time.
pub struct Timesteps {
    embedding: Tensor,  // (n, width)
    modulation: Tensor, // (n, 6, width)
}

impl Timesteps {
    /// The modulation of the blocks at a step, `(6, width)`.
    ///
    /// # Errors      no such step
    pub fn modulation(&self, step: usize) -> Result<Tensor> {
        self.modulation.get(step)
    }

    /// The time embedding itself at a step, `(1, width)`.
    ///
    /// # Errors      no such step
    pub fn embedding(&self, step: usize) -> Result<Tensor> {
        if step >= self.embedding.dim(0)? {
            bail!("step {step} of {}", self.embedding.dim(0)?);
        }
        self.embedding.narrow(0, step, 1)
    }
}

/// The fixed sine position table, `(h · w, width)` row by row.
///
/// Half of the channels tell the column, the other half the row, each as [sin | cos] of the position times
/// 10000^(-k / (width / 4)). Positions are i / (n / base) / scale, so that a wider grid spans the same range.
///
/// # Source      diffusers 0.34 `get_2d_sincos_pos_embed`, which computes in f64
pub(super) fn sine_table(width: usize, (h, w): (usize, usize), base: usize, scale: f64) -> Vec<f32> {
    let quarter = width / 4;
    let place = |i: usize, n: usize| (i as f64 / (n as f64 / base as f64) / scale) as f32;
    let mut table = Vec::with_capacity(h * w * width);
    for row in 0..h {
        for column in 0..w {
            for position in [place(column, w), place(row, h)] {
                let angle = |k: usize| f64::from(position) / 10_000f64.powf(k as f64 / quarter as f64);
                table.extend((0..quarter).map(|k| angle(k).sin() as f32));
                table.extend((0..quarter).map(|k| angle(k).cos() as f32));
            }
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_columns_first_and_squeezes_a_wider_grid() {
        let width = 16;
        let square = sine_table(width, (4, 4), 4, 1.0);
        let at = |table: &[f32], w: usize, row: usize, column: usize| table[(row * w + column) * width..][..width].to_vec();
        assert_eq!(at(&square, 4, 0, 0), [0., 0., 0., 0., 1., 1., 1., 1., 0., 0., 0., 0., 1., 1., 1., 1.]);
        assert_eq!(at(&square, 4, 0, 3)[..8], at(&square, 4, 2, 3)[..8]);
        assert_eq!(at(&square, 4, 2, 0)[8..], at(&square, 4, 2, 3)[8..]);
        assert!((at(&square, 4, 0, 3)[0] - 3f32.sin()).abs() < 1e-6);
        let wide = sine_table(width, (4, 8), 4, 1.0);
        assert_eq!(at(&wide, 8, 1, 6), at(&square, 4, 1, 3));
    }
}
