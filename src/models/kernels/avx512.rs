//! Matrix products by AVX-512: packed panels, and tiles of 14 x 32 sums in registers.
//!
//! The scheme is that of Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008. An element of the
//! result is one chain of fused multiplications and additions per `DEPTH` terms, wherever the matrices are cut for threads:
//! what is computed does not depend on the cuts.

use super::Scratch;
use std::arch::x86_64::{
    __cpuid, __m512, __m512bh, __mmask16, _MM_HINT_T0, _mm_prefetch, _mm_sfence, _mm512_add_ps, _mm512_castpd_ps, _mm512_castps_pd,
    _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_load_ps, _mm512_loadu_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_ps, _mm512_stream_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps,
    _mm512_unpacklo_pd, _mm512_unpacklo_ps,
};
use std::mem::{MaybeUninit, transmute};
use std::sync::OnceLock;

/// Rows and columns of the tile that is summed in registers.
const TILE: (usize, usize) = (14, 32);
/// Terms that are summed before they go to the destination: two panels of them share the first cache.
const DEPTH: usize = 384;
/// Rows of the left matrix that are packed at a time: half of a second cache.
const ROWS: usize = 24 * TILE.0;
/// Columns of the right matrix that are packed at a time.
const COLUMNS: usize = 96 * TILE.1;
/// How far ahead of its use the left panel is fetched.
const AHEAD: usize = 12 * TILE.0;

/// True where this processor has what [`product`] needs, and what `simd!` then compiles for.
pub fn is_here() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("fma")
}

/// True where it also multiplies numbers of 16 bits (bf16).
pub fn has_bf16() -> bool {
    is_here() && is_x86_feature_detected!("avx512bf16")
}

/// True where it does so faster than in f32. Intel's are slower: a product of 2048 took 0.124 s and 0.095 s in f32 (Xeon without AMX,
/// `stages --stage ceilings`, 2026-11-30).
pub fn has_fast_bf16() -> bool {
    static FAST: OnceLock<bool> = OnceLock::new();
    *FAST.get_or_init(|| {
        let maker = __cpuid(0);
        has_bf16() && [maker.ebx, maker.edx, maker.ecx].map(u32::to_le_bytes).as_flattened() != b"GenuineIntel"
    })
}

/// Calls a loop that is inlined here and so compiled for AVX-512.
///
/// # Safety
/// [`is_here`] must be true.
#[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
pub unsafe fn wide<R>(mut work: impl FnMut() -> R) -> R {
    work()
}

/// Copies past the caches: memory that will not be read soon need not be read before it is written.
///
/// # Safety
/// [`is_here`] must be true.
#[target_feature(enable = "avx512f")]
pub unsafe fn stream(from: &[f32], to: &mut [MaybeUninit<f32>]) {
    assert_eq!(from.len(), to.len());
    let head = to.as_ptr().align_offset(64).min(to.len());
    let (first, lines) = to.split_at_mut(head);
    first.write_copy_of_slice(&from[..head]);
    let (lines, rest) = lines.as_chunks_mut::<16>();
    let (sources, others) = from[head..].as_chunks::<16>();
    for (line, source) in lines.iter_mut().zip(sources) {
        // SAFETY: sixteen numbers each, and a line of the cache.
        unsafe { _mm512_stream_ps(line.as_mut_ptr().cast(), _mm512_loadu_ps(source.as_ptr())) };
    }
    rest.write_copy_of_slice(others);
    _mm_sfence(); // such stores are seen by other threads in no order otherwise
}

/// One of the two factors; element (lane, k) lies at `lane * strides.0 + k * strides.1`. A lane is a row of the left matrix or a
/// column of the right one.
#[derive(Clone, Copy)]
pub struct Factor {
    pub start: *const f32,
    pub strides: (usize, usize),
}

impl Factor {
    /// # Safety
    /// The element must be inside the matrix.
    pub unsafe fn at(self, lane: usize, k: usize) -> *const f32 {
        // SAFETY: by the contract above.
        unsafe { self.start.add(lane * self.strides.0 + k * self.strides.1) }
    }
}

/// What the 32 bits are that a factor's elements have.
#[derive(Clone, Copy)]
pub enum Cells {
    F32,
    /// Two bf16, the terms 2 k and 2 k + 1, for which [`has_bf16`] must be true. Denormal numbers count as zeros.
    Pairs,
}

/// dst(i, j) = sum over k of lhs(i, k) · rhs(j, k), or += that; element (i, j) of `dst` lies at `i * pitch + j`.
///
/// # Safety
/// [`is_here`] must be true; `lhs` must have `m` lanes, `rhs` `n` lanes, both `k` elements in each; `dst` must be exclusive.
#[target_feature(enable = "avx512f")]
pub unsafe fn product(
    (m, n, k): (usize, usize, usize),
    dst: *mut f32,
    pitch: usize,
    accumulate: bool,
    lhs: Factor,
    rhs: Factor,
    cells: Cells,
) {
    let tile = match cells {
        Cells::F32 => tile,
        Cells::Pairs => tile_of_pairs,
    };
    let depth = k.div_ceil(k.div_ceil(DEPTH).max(1)).max(1);
    let columns = COLUMNS.min(n.next_multiple_of(TILE.1));
    let rows = ROWS.min(m.next_multiple_of(TILE.0));
    let mut scratch = Scratch::new(depth * (columns + rows) + 32);
    // Panels of the right matrix begin at lines of the cache.
    let aligned = scratch.0.as_ptr().align_offset(64);
    let (right, left) = scratch.0[aligned..].split_at_mut(depth * columns);
    let (right, left) = (right.as_mut_ptr(), left.as_mut_ptr());
    for j0 in (0..n).step_by(columns) {
        let nc = columns.min(n - j0);
        // Once at least, so that a sum of nothing is written too.
        for k0 in (0..k.max(1)).step_by(depth) {
            let kc = depth.min(k - k0);
            // SAFETY: offsets stay below m, n and k, and the panels inside the buffer, which has room for whole tiles and for
            // what `pack` writes behind the last one.
            unsafe {
                for j in (0..nc).step_by(TILE.1) {
                    pack::<{ TILE.1 }>(rhs.at(j0 + j, k0), rhs.strides, TILE.1.min(nc - j), kc, right.add(j * kc));
                }
                for i0 in (0..m).step_by(rows) {
                    let mc = rows.min(m - i0);
                    for i in (0..mc).step_by(TILE.0) {
                        pack::<{ TILE.0 }>(lhs.at(i0 + i, k0), lhs.strides, TILE.0.min(mc - i), kc, left.add(i * kc));
                    }
                    for j in (0..nc).step_by(TILE.1) {
                        for i in (0..mc).step_by(TILE.0) {
                            let to = dst.add((i0 + i) * pitch + j0 + j);
                            let part = (TILE.0.min(mc - i), TILE.1.min(nc - j));
                            tile(kc, left.add(i * kc), right.add(j * kc), to, pitch, part, accumulate || k0 > 0);
                        }
                    }
                }
            }
        }
    }
}

/// Sums a tile, and writes or adds as many rows and columns of it as the matrix has.
macro_rules! tile {
    ($name:ident, $features:literal, $sum:expr) => {
        /// # Safety
        /// Packed panels of `k` terms, the right one on a line of the cache; the part of the tile must lie inside the destination.
        #[target_feature(enable = $features)]
        unsafe fn $name(k: usize, left: *const f32, right: *const f32, to: *mut f32, pitch: usize, part: (usize, usize), add: bool) {
            let (rows, columns) = part;
            let mut sums = [[_mm512_setzero_ps(); 2]; TILE.0];
            for i in 0..rows {
                let to = to.wrapping_add(i * pitch).cast::<i8>();
                _mm_prefetch::<_MM_HINT_T0>(to);
                _mm_prefetch::<_MM_HINT_T0>(to.wrapping_add(64));
                _mm_prefetch::<_MM_HINT_T0>(to.wrapping_add(124));
            }
            // SAFETY: as said above.
            unsafe {
                let (mut left, mut right) = (left, right);
                for _ in 0..k {
                    _mm_prefetch::<_MM_HINT_T0>(left.wrapping_add(AHEAD).cast());
                    let (b0, b1) = (_mm512_load_ps(right), _mm512_load_ps(right.add(16)));
                    rows!(
                        |i: usize, sum: &mut [__m512; 2]| {
                            let a = _mm512_set1_ps(*left.add(i));
                            sum[0] = $sum(sum[0], a, b0);
                            sum[1] = $sum(sum[1], a, b1);
                        },
                        sums
                    );
                    (left, right) = (left.add(TILE.0), right.add(TILE.1));
                }
                let (low, high) = (first(columns), first(columns.saturating_sub(16)));
                rows!(
                    |i: usize, sum: &mut [__m512; 2]| {
                        if i < rows {
                            let to = to.wrapping_add(i * pitch);
                            if add {
                                sum[0] = _mm512_add_ps(sum[0], _mm512_maskz_loadu_ps(low, to));
                                sum[1] = _mm512_add_ps(sum[1], _mm512_maskz_loadu_ps(high, to.wrapping_add(16)));
                            }
                            _mm512_mask_storeu_ps(to, low, sum[0]);
                            _mm512_mask_storeu_ps(to.wrapping_add(16), high, sum[1]);
                        }
                    },
                    sums
                );
            }
        }
    };
}

/// Every row of a tile by itself: a loop over them would put the sums into memory.
macro_rules! rows {
    ($body:expr, $sums:ident) => {
        rows!($body, $sums; 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($body:expr, $sums:ident; $($i:literal)*) => {
        $($body($i, &mut $sums[$i]);)*
    };
}

tile!(tile, "avx512f", |sum, a, b| _mm512_fmadd_ps(a, b, sum));
tile!(tile_of_pairs, "avx512f,avx512bf16", |sum, a: __m512, b: __m512| {
    _mm512_dpbf16_ps(sum, transmute::<__m512, __m512bh>(a), transmute::<__m512, __m512bh>(b)) // any bits are numbers
});

/// The mask of the first `n` of sixteen lanes.
pub fn first(n: usize) -> __mmask16 {
    if n >= 16 { !0 } else { (1 << n) - 1 }
}

/// Writes `W` lanes side by side for each of `k` terms, zeros behind the first `lanes`, and undefined values behind the panel: up
/// to 16 less the remainder of `W` by 16.
///
/// # Safety
/// The lanes and terms must be inside the matrix, and the panel with what stands behind it inside its buffer.
#[target_feature(enable = "avx512f")]
unsafe fn pack<const W: usize>(from: *const f32, strides: (usize, usize), lanes: usize, k: usize, to: *mut f32) {
    // SAFETY: masks leave out what is not inside the matrix.
    unsafe {
        if strides.0 == 1 {
            for term in 0..k {
                let (from, to) = (from.wrapping_add(term * strides.1), to.wrapping_add(term * W));
                for lane in (0..W).step_by(16) {
                    let some = _mm512_maskz_loadu_ps(first(lanes.saturating_sub(lane)), from.wrapping_add(lane));
                    _mm512_storeu_ps(to.wrapping_add(lane), some);
                }
            }
        } else if strides.1 == 1 {
            // Behind the last term of a narrow panel the next group of terms is written over what was undefined.
            for term in (0..k).step_by(16) {
                for lane in (0..W).step_by(16) {
                    let mut block = [_mm512_setzero_ps(); 16];
                    for (l, row) in block.iter_mut().enumerate().take(lanes.saturating_sub(lane)) {
                        *row = _mm512_maskz_loadu_ps(first(k - term), from.wrapping_add((lane + l) * strides.0 + term));
                    }
                    transpose(&mut block);
                    for (t, row) in block.iter().enumerate().take(k - term) {
                        _mm512_storeu_ps(to.wrapping_add((term + t) * W + lane), *row);
                    }
                }
            }
        } else {
            for term in 0..k {
                for lane in 0..W {
                    let value = if lane < lanes { *from.wrapping_add(lane * strides.0 + term * strides.1) } else { 0.0 };
                    *to.wrapping_add(term * W + lane) = value;
                }
            }
        }
    }
}

/// Rows to columns: in pairs of values, in pairs of pairs, and in quarters of a row.
#[target_feature(enable = "avx512f")]
#[inline]
pub fn transpose(r: &mut [__m512; 16]) {
    let mut t = [_mm512_setzero_ps(); 16];
    for i in 0..8 {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for i in 0..4 {
        for half in 0..2 {
            let (a, b) = (_mm512_castps_pd(t[4 * i + half]), _mm512_castps_pd(t[4 * i + 2 + half]));
            r[4 * i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            r[4 * i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    }
    // r[4 g + c] has, in its quarter q, the column 4 q + c of the rows 4 g ...
    for c in 0..4 {
        t[c] = _mm512_shuffle_f32x4::<0x88>(r[c], r[4 + c]);
        t[4 + c] = _mm512_shuffle_f32x4::<0xdd>(r[c], r[4 + c]);
        t[8 + c] = _mm512_shuffle_f32x4::<0x88>(r[8 + c], r[12 + c]);
        t[12 + c] = _mm512_shuffle_f32x4::<0xdd>(r[8 + c], r[12 + c]);
    }
    for c in 0..4 {
        r[c] = _mm512_shuffle_f32x4::<0x88>(t[c], t[8 + c]);
        r[8 + c] = _mm512_shuffle_f32x4::<0xdd>(t[c], t[8 + c]);
        r[4 + c] = _mm512_shuffle_f32x4::<0x88>(t[4 + c], t[12 + c]);
        r[12 + c] = _mm512_shuffle_f32x4::<0xdd>(t[4 + c], t[12 + c]);
    }
}
