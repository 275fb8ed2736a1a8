//! `torch.randn` on the CPU, so that the random checkpoints of the reference can be made here from their seeds.
//!
//! Source: PyTorch's `MT19937RNGEngine.h`, `DistributionsHelper.h` and `normal_fill` in `DistributionTemplates.h`.

/// The Mersenne twister.
pub struct Generator {
    state: [u32; 624],
    at: usize,
}

impl Generator {
    /// Like `torch.Generator().manual_seed(seed)`: the engine takes the lower 32 bits.
    pub fn new(seed: u64) -> Self {
        let mut state = [seed as u32; 624];
        for i in 1..624 {
            state[i] = 1_812_433_253u32.wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30)).wrapping_add(i as u32);
        }
        Self { state, at: 624 }
    }

    fn next(&mut self) -> u32 {
        if self.at == 624 {
            for i in 0..624 {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % 624] & 0x7fff_ffff);
                self.state[i] = self.state[(i + 397) % 624] ^ (y >> 1) ^ if y & 1 == 1 { 0x9908_b0df } else { 0 };
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    fn uniform(&mut self) -> f32 {
        (self.next() & 0xff_ffff) as f32 / (1 << 24) as f32
    }

    fn uniform_double(&mut self) -> f64 {
        let (high, low) = (u64::from(self.next()), u64::from(self.next()));
        ((high << 32 | low) & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }

    /// `torch.randn(len)`. The last bit may differ: there, sixteen values at a time are made by vector instructions.
    pub fn randn(&mut self, len: usize) -> Vec<f32> {
        if len < 16 {
            let mut out = Vec::with_capacity(len + 1);
            while out.len() < len {
                let (u1, u2) = (self.uniform_double(), self.uniform_double());
                let radius = (-2.0 * (-u2).ln_1p()).sqrt();
                let angle = std::f64::consts::TAU * u1;
                out.extend([(radius * angle.cos()) as f32, (radius * angle.sin()) as f32]);
            }
            out.truncate(len);
            return out;
        }
        let mut out: Vec<f32> = (0..len).map(|_| self.uniform()).collect();
        let whole = len / 16 * 16;
        out[..whole].as_chunks_mut::<16>().0.iter_mut().for_each(normals);
        if whole != len {
            let last: &mut [f32; 16] = (&mut out[len - 16..]).try_into().unwrap();
            for value in last.iter_mut() {
                *value = self.uniform();
            }
            normals(last);
        }
        out
    }
}

fn normals(values: &mut [f32; 16]) {
    for j in 0..8 {
        let radius = (-2.0 * (1.0 - values[j]).ln()).sqrt();
        let angle = std::f32::consts::TAU * values[j + 8];
        (values[j], values[j + 8]) = (radius * angle.cos(), radius * angle.sin());
    }
}

#[test]
fn values_are_those_of_torch() {
    // What torch 2.15 printed for sha256("0:NAME")[:7] as little-endian seed.
    let seed = |name: &str| {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(format!("0:{name}"));
        (0..7).fold(0u64, |n, i| n | u64::from(digest[i]) << (8 * i))
    };
    let cases: [(&str, usize, &[f32], &[f32]); 5] = [
        ("a.weight", 15, &[-0.413_066_66, -0.706_970_04, 0.548_462_4, -1.045_878], &[-1.326_243_5, 0.487_591_8, 0.152_602_09]),
        ("b.weight", 16, &[0.530_188_9, -0.634_498_4, -0.423_266_4, -0.986_221], &[0.724_916_94, -0.107_867_666, -0.166_102_93]),
        ("c.bias", 7, &[-0.298_779_5, -0.569_144_73, 3.217_723_4, 0.013_709_413], &[-1.900_188_2, -0.752_748_07, -0.647_388_16]),
        ("d.weight", 99, &[0.780_202_7, -0.481_364_37, 0.524_869_56, -0.778_602_5], &[1.182_215_7, -0.103_846_54, 0.011_014_808]),
        ("e", 1, &[1.149_304_5], &[1.149_304_5]),
    ];
    for (name, len, first, last) in cases {
        let values = Generator::new(seed(name)).randn(len);
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-6);
        assert!(close(&values, first) && close(&values[len - last.len()..], last), "{name}: {values:?}");
    }
}
