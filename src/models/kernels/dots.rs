//! Weights of few bits on x86: widened, and multiplied with a row, by vectors that compilers do not make of the plain loops.
//!
//! Bytes become f32 in registers: the inputs are not rounded to bytes, as products of integers would have it. That costs
//! nothing where memory brings the weights more slowly than a core takes them.

use std::arch::x86_64::{
    __m128i, _MM_HINT_T0, _mm_and_si128, _mm_cvtsi64_si128, _mm_prefetch, _mm_set1_epi8, _mm_set1_epi16, _mm_srli_epi16, _mm256_add_ps,
    _mm256_cvtepi8_epi32, _mm256_cvtepi32_ps, _mm256_cvtepu8_epi32, _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_mul_ps,
    _mm256_set1_epi16, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps, _mm512_cvtepi8_epi32, _mm512_cvtepi32_ps,
    _mm512_cvtepu8_epi32, _mm512_cvtph_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps,
    _mm512_storeu_ps, _mm512_sub_ps,
};

/// What a processor has of vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Avx2,
    Avx512,
}

impl Level {
    /// The best of this processor.
    pub fn best() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c");
        if !has {
            return None;
        }
        Some(if super::avx512::is_here() { Self::Avx512 } else { Self::Avx2 })
    }

    /// The scalar products of rows of values with a row of `Q8_0` blocks, each as if it were alone; the plain twin widens the row
    /// and takes `linear::dot`.
    ///
    /// # Panics      the blocks do not hold as many values
    pub fn dots_q8_0<const M: usize>(self, x: [&[f32]; M], blocks: &[u8]) -> [f32; M] {
        assert!(x.iter().all(|x| x.len() == blocks.len() / 34 * 32));
        // SAFETY: `best` has asked the processor, and the lengths were compared.
        unsafe {
            match self {
                Self::Avx512 => dots_512(x, blocks),
                Self::Avx2 => dots_256(x, blocks),
            }
        }
    }

    /// Widens whole blocks of `Q8_0`.
    ///
    /// # Panics      `to` does not hold as many values
    pub fn widen_q8_0(self, blocks: &[u8], to: &mut [f32]) {
        assert!(to.len() == blocks.len() / 34 * 32);
        // SAFETY: as above.
        unsafe {
            match self {
                Self::Avx512 => widen_512(blocks, to),
                Self::Avx2 => widen_256(blocks, to),
            }
        }
    }

    /// One run of `Q4K`: the low halves of 32 bytes · `low.0` - `low.1`, then the high halves.
    pub fn widen_q4(self, bytes: &[u8; 32], low: (f32, f32), high: (f32, f32), to: &mut [f32; 64]) {
        // SAFETY: as above.
        unsafe {
            match self {
                Self::Avx512 => quarters_512(bytes, low, high, to),
                Self::Avx2 => quarters_256(bytes, low, high, to),
            }
        }
    }
}

/// The scale of a block of `Q8_0`, as it stands. Spread over a vector before it is widened: in a vector by itself it would
/// wait for what the rest of that vector held before.
#[inline]
fn scale(block: &[u8; 34]) -> i16 {
    i16::from_le_bytes([block[0], block[1]])
}

/// How far ahead of its use a row is fetched, in bytes: the processor's own guess ends with each page.
const AHEAD: usize = 2048;

#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn dots_512<const M: usize>(x: [&[f32]; M], blocks: &[u8]) -> [f32; M] {
    let mut sums = [_mm512_setzero_ps(); M];
    for (i, block) in blocks.as_chunks::<34>().0.iter().enumerate() {
        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: sixteen of 32 bytes behind the scale.
        let half = |half: usize| _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(unsafe { sixteen(block, 2 + 16 * half) }));
        let (q0, q1, scale) = (half(0), half(1), _mm512_cvtph_ps(_mm256_set1_epi16(scale(block))));
        for (sum, x) in sums.iter_mut().zip(x) {
            let x = x.as_ptr().wrapping_add(32 * i);
            // SAFETY: there are as many values as the blocks hold.
            let (x0, x1) = unsafe { (_mm512_loadu_ps(x), _mm512_loadu_ps(x.add(16))) };
            let both = _mm512_fmadd_ps(x0, q0, _mm512_mul_ps(x1, q1));
            *sum = _mm512_fmadd_ps(both, scale, *sum);
        }
    }
    sums.map(|sum| {
        let mut parts = [0f32; 16];
        // SAFETY: sixteen values.
        unsafe { _mm512_storeu_ps(parts.as_mut_ptr(), sum) };
        super::fold(parts)
    })
}

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn dots_256<const M: usize>(x: [&[f32]; M], blocks: &[u8]) -> [f32; M] {
    let mut sums = [_mm256_setzero_ps(); M];
    for (i, block) in blocks.as_chunks::<34>().0.iter().enumerate() {
        _mm_prefetch::<_MM_HINT_T0>(block.as_ptr().wrapping_add(AHEAD).cast());
        // SAFETY: eight of 32 bytes behind the scale.
        let quarter = |quarter: usize| _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(unsafe { eight(block, 2 + 8 * quarter) }));
        let (q, scale) = ([quarter(0), quarter(1), quarter(2), quarter(3)], _mm256_cvtph_ps(_mm_set1_epi16(scale(block))));
        for (sum, x) in sums.iter_mut().zip(x) {
            let x = x.as_ptr().wrapping_add(32 * i);
            // SAFETY: there are as many values as the blocks hold.
            let x = unsafe { [_mm256_loadu_ps(x), _mm256_loadu_ps(x.add(8)), _mm256_loadu_ps(x.add(16)), _mm256_loadu_ps(x.add(24))] };
            let first = _mm256_fmadd_ps(x[0], q[0], _mm256_mul_ps(x[1], q[1]));
            let both = _mm256_add_ps(first, _mm256_fmadd_ps(x[2], q[2], _mm256_mul_ps(x[3], q[3])));
            *sum = _mm256_fmadd_ps(both, scale, *sum);
        }
    }
    sums.map(|sum| {
        let mut parts = [0f32; 8];
        // SAFETY: eight values.
        unsafe { _mm256_storeu_ps(parts.as_mut_ptr(), sum) };
        super::fold(parts)
    })
}

#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn widen_512(blocks: &[u8], to: &mut [f32]) {
    for (block, to) in blocks.as_chunks::<34>().0.iter().zip(to.as_chunks_mut::<32>().0) {
        let d = _mm512_cvtph_ps(_mm256_set1_epi16(scale(block)));
        for half in 0..2 {
            // SAFETY: sixteen of 32 bytes behind the scale, and sixteen of 32 values.
            unsafe {
                let q = sixteen(block, 2 + 16 * half);
                _mm512_storeu_ps(to.as_mut_ptr().wrapping_add(16 * half), _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q)), d));
            }
        }
    }
}

#[target_feature(enable = "avx2,f16c")]
unsafe fn widen_256(blocks: &[u8], to: &mut [f32]) {
    for (block, to) in blocks.as_chunks::<34>().0.iter().zip(to.as_chunks_mut::<32>().0) {
        let d = _mm256_cvtph_ps(_mm_set1_epi16(scale(block)));
        for quarter in 0..4 {
            // SAFETY: eight of 32 bytes behind the scale, and eight of 32 values.
            unsafe {
                let q = eight(block, 2 + 8 * quarter);
                _mm256_storeu_ps(to.as_mut_ptr().wrapping_add(8 * quarter), _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q)), d));
            }
        }
    }
}

/// Sixteen bytes from a place on.
///
/// # Safety
/// They must be inside.
#[inline]
unsafe fn sixteen<const N: usize>(bytes: &[u8; N], from: usize) -> __m128i {
    // SAFETY: as said above.
    unsafe { bytes.as_ptr().wrapping_add(from).cast::<__m128i>().read_unaligned() }
}

/// Eight bytes from a place on, in the lower half.
///
/// # Safety
/// They must be inside.
#[target_feature(enable = "sse2")]
#[inline]
unsafe fn eight<const N: usize>(bytes: &[u8; N], from: usize) -> __m128i {
    // SAFETY: as said above.
    _mm_cvtsi64_si128(unsafe { bytes.as_ptr().wrapping_add(from).cast::<i64>().read_unaligned() })
}

/// The low and the high halves of sixteen bytes.
#[target_feature(enable = "avx2")]
#[inline]
fn halves(q: __m128i) -> [__m128i; 2] {
    let mask = _mm_set1_epi8(15);
    [_mm_and_si128(q, mask), _mm_and_si128(_mm_srli_epi16::<4>(q), mask)]
}

#[target_feature(enable = "avx512f,avx512bw,avx2")]
unsafe fn quarters_512(bytes: &[u8; 32], low: (f32, f32), high: (f32, f32), to: &mut [f32; 64]) {
    for first in [0, 16] {
        // SAFETY: sixteen of 32 bytes.
        let q = halves(unsafe { sixteen(bytes, first) });
        for ((q, (d, m)), at) in q.into_iter().zip([low, high]).zip([first, 32 + first]) {
            let v = _mm512_mul_ps(_mm512_set1_ps(d), _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(q)));
            // SAFETY: sixteen of 64 values.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr().wrapping_add(at), _mm512_sub_ps(v, _mm512_set1_ps(m))) };
        }
    }
}

#[target_feature(enable = "avx2")]
unsafe fn quarters_256(bytes: &[u8; 32], low: (f32, f32), high: (f32, f32), to: &mut [f32; 64]) {
    for first in [0, 8, 16, 24] {
        // SAFETY: eight of 32 bytes.
        let q = halves(unsafe { eight(bytes, first) });
        for ((q, (d, m)), at) in q.into_iter().zip([low, high]).zip([first, 32 + first]) {
            let v = _mm256_mul_ps(_mm256_set1_ps(d), _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(q)));
            // SAFETY: eight of 64 values.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr().wrapping_add(at), _mm256_sub_ps(v, _mm256_set1_ps(m))) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::BlockType;
    use super::super::linear::dot;
    use super::*;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{RngCore, SeedableRng};

    /// Every level that this processor has.
    fn levels() -> Vec<Level> {
        match Level::best() {
            None => vec![],
            Some(Level::Avx2) => vec![Level::Avx2],
            Some(Level::Avx512) => vec![Level::Avx2, Level::Avx512],
        }
    }

    #[test]
    fn vectors_give_what_the_plain_loops_give_to_the_last_bit() {
        for level in levels() {
            for kind in [BlockType::Q8_0, BlockType::Q4K] {
                let mut bytes = vec![0u8; 50 * kind.bytes()];
                ChaCha8Rng::seed_from_u64(1).fill_bytes(&mut bytes);
                // Scales that are numbers of an ordinary size.
                bytes.chunks_mut(kind.bytes()).for_each(|block| {
                    block[1] = block[1] & 0x83 | 0x30;
                    block[3] = if kind == BlockType::Q4K { block[3] & 0x83 | 0x30 } else { block[3] };
                });
                let mut plain = vec![0f32; 50 * kind.values()];
                kind.widen_plain(&bytes, &mut plain);
                let mut wide = vec![0f32; plain.len()];
                kind.widen_with(Some(level), &bytes, &mut wide);
                assert!(plain == wide && plain.iter().any(|v| *v != 0.0), "{level:?} {kind:?}");
                if kind == BlockType::Q8_0 {
                    let x: Vec<f32> = (0..plain.len()).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
                    let size: f32 = x.iter().zip(&plain).map(|(x, w)| (x * w).abs()).sum();
                    let [one] = level.dots_q8_0([&x], &bytes);
                    assert_eq!(level.dots_q8_0([&plain, &x, &x, &plain], &bytes)[1..3], [one, one], "{level:?}");
                    let off = (one - dot(&x, &plain, |w| w)).abs();
                    assert!(off < 1e-6 * size, "{level:?}: {off} of {size}");
                }
            }
        }
    }
}
