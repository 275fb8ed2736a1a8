//! Chance from a seed, on the CPU and the same on every machine.

use half::bf16;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What a stream of numbers is for; each has its own.
#[derive(Clone, Copy, Debug)]
pub enum Stream {
    Tokens = 0,
    Noise = 1,
}

/// `ChaCha20` keyed with the seed; mathematics by `libm`, so that no platform rounds differently.
pub struct Rng(ChaCha20Rng);

impl Rng {
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut key = [0u8; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha20Rng::from_seed(key);
        rng.set_stream(stream as u64);
        Self(rng)
    }

    /// Uniform in [0, 1), 53 bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Two standard normal values (Box and Muller).
    fn normals(&mut self) -> [f64; 2] {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.uniform()));
        let angle = std::f64::consts::TAU * self.uniform();
        [radius * libm::cos(angle), radius * libm::sin(angle)]
    }

    /// Standard normal values as the official code draws them: in bf16.
    pub fn noise(&mut self, len: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(len + 1);
        while out.len() < len {
            out.extend(self.normals().map(|v| bf16::from_f64(v).to_f32()));
        }
        out.truncate(len);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_standard_normal_and_fixed_by_its_seed() {
        let noise = Rng::new(7, Stream::Noise).noise(100_001);
        let mean = noise.iter().map(|v| f64::from(*v)).sum::<f64>() / noise.len() as f64;
        let square = noise.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / noise.len() as f64;
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.02, "{mean} {square}");
        assert_eq!(noise, Rng::new(7, Stream::Noise).noise(100_001));
        assert_ne!(noise[..8], Rng::new(8, Stream::Noise).noise(8)[..]);
        assert_ne!(noise[..8], Rng::new(7, Stream::Tokens).noise(8)[..]);
        // The same recipe gives the same picture in every version: these values never change.
        assert_eq!(Rng::new(0, Stream::Noise).noise(4), [-2.84375, -0.016_235_352, 0.5, 1.40625]);
    }
}
