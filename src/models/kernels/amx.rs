//! Matrix products by AMX, the tile units of some Xeon processors, as exact as in f32.
//!
//! The units multiply numbers of 16 bits (bf16) and sum in f32. An f32 is the sum of three bf16 exactly, each the leading eight
//! bits of what the ones before it leave. So a product of matrices is the sum of products of their terms; those below f32's own
//! rounding are left out. Weights that were published in bf16 have one term, in f16 two, and terms that are zero are skipped,
//! which changes no sum: it takes 3 products for bf16 weights and 6 in general, on units that are 16 times as fast.
//!
//! Denormal numbers count as zeros, and infinities become NaN. As in `avx512.rs` an element of the result is one chain of
//! additions per `DEPTH` terms, wherever the matrices are cut.

use super::Scratch;
use super::avx512::{Factor, first, transpose};
use half::bf16;
use std::arch::asm;
use std::arch::x86_64::{
    __cpuid, __cpuid_count, __m512, __m512i, _MM_HINT_T0, _mm_prefetch, _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512,
    _mm512_castsi512_ps, _mm512_load_ps, _mm512_mask_storeu_ps, _mm512_maskz_loadu_epi16, _mm512_maskz_loadu_ps, _mm512_or_si512,
    _mm512_permutex2var_epi16, _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_srli_epi32, _mm512_store_ps,
    _mm512_sub_ps, _mm512_test_epi32_mask,
};
use std::sync::OnceLock;

/// Lanes of a tile.
const LANES: usize = 16;
/// Terms of the sum, k, in a tile.
const TERMS: usize = 32;
/// Numbers in the f32-sized cells of a tile, 16 rows of 64 bytes.
const CELLS: usize = 256;
/// bf16 that make an f32.
const PARTS: usize = 3;
/// Lanes of a panel: two tiles of each factor meet in four tiles of sums.
const PANEL: usize = 2 * LANES;
/// Terms that are summed before they go to the destination.
const DEPTH: usize = 1024;
/// Panels of one part of the left matrix that are packed at a time: a megabyte, half of a second cache.
const ROWS: usize = 15;
/// Panels of one part of the right matrix that are packed at a time.
const COLUMNS: usize = 192;
/// Products of parts (left, right) that count, in an order in which one of the two stays; those with more parts than a factor
/// has are zero.
const PAIRS: [(usize, usize); 6] = [(0, 2), (0, 1), (0, 0), (2, 0), (1, 0), (1, 1)];
/// In place of where a part is: it stays in its tiles.
const STAYS: usize = usize::MAX;

/// A factor of the product.
#[derive(Clone, Copy)]
pub enum Source {
    F32(Factor),
    /// Lanes are rows of so many numbers.
    Bf16(*const bf16, usize),
    /// Pairs of bf16, the terms 2 k and 2 k + 1; one of the strides is 1.
    Pairs(Factor),
}

impl Source {
    fn most_parts(self) -> usize {
        if let Self::F32(_) = self { PARTS } else { 1 }
    }
}

/// The shapes of all eight tiles, as the processor wants to be told them.
#[repr(C, align(64))]
struct TileConfig {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes_per_row: [u16; 16],
    rows: [u8; 16],
}

static CONFIG: TileConfig = TileConfig {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes_per_row: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// True where this processor has tiles for bf16, and the system lets this process use them.
pub fn is_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    *HERE.get_or_init(|| {
        const TILES_AND_BF16: u32 = 1 << 24 | 1 << 22;
        let has = __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & TILES_AND_BF16 == TILES_AND_BF16;
        has && super::avx512::is_here() && is_allowed()
    })
}

/// Asks the system for the tiles' state, for all threads.
#[cfg(target_os = "linux")]
fn is_allowed() -> bool {
    const REQUEST: libc::c_long = 0x1023;
    const TILE_DATA: libc::c_long = 18;
    // SAFETY: a system call that takes two numbers.
    unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn is_allowed() -> bool {
    false
}

/// What stands in a packed panel for each `TERMS` terms of each part: two tiles.
const STEP: usize = 2 * CELLS;

/// dst(i, j) = sum over k of lhs(i, k) · rhs(j, k), or += that; element (i, j) of `dst` lies at `i * pitch + j`.
///
/// With `turned` the factors have changed places, and every sum is what it is without.
///
/// # Safety
/// As of `avx512::product`, where [`is_here`] is true.
#[target_feature(enable = "avx512f,avx512bw")]
pub unsafe fn product(
    (m, n, k): (usize, usize, usize),
    dst: *mut f32,
    pitch: usize,
    accumulate: bool,
    lhs: Source,
    rhs: Source,
    turned: bool,
) {
    let depth = k.div_ceil(k.div_ceil(DEPTH).max(1)).next_multiple_of(TERMS).max(TERMS);
    let columns = (COLUMNS / rhs.most_parts() * PANEL).min(n.next_multiple_of(PANEL));
    let rows = (ROWS / lhs.most_parts() * PANEL).min(m.next_multiple_of(PANEL));
    let (left_panel, right_panel) = (depth / TERMS * lhs.most_parts() * STEP, depth / TERMS * rhs.most_parts() * STEP);
    let mut scratch = Scratch::new((columns * right_panel + rows * left_panel) / PANEL + PANEL * PANEL + LANES);
    let aligned = scratch.0.as_ptr().align_offset(64);
    let (sums, rest) = scratch.0[aligned..].split_at_mut(PANEL * PANEL);
    let (right, left) = rest.split_at_mut(columns / PANEL * right_panel);
    let (right, left, sums) = (right.as_mut_ptr(), left.as_mut_ptr(), sums.as_mut_ptr());
    let (mut right_parts, mut left_parts) = ([0; COLUMNS], [0; ROWS]);
    // SAFETY: offsets stay below m, n and k, and the panels inside the buffer. The tiles are this thread's own until they are
    // released.
    unsafe {
        if !cfg!(test) || is_here() {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly));
        }
        for j0 in (0..n).step_by(columns) {
            let nc = columns.min(n - j0);
            for k0 in (0..k.max(1)).step_by(depth) {
                let kc = depth.min(k - k0);
                let steps = kc.div_ceil(TERMS).max(1);
                for (p, parts) in right_parts[..nc.div_ceil(PANEL)].iter_mut().enumerate() {
                    let lane = j0 + p * PANEL;
                    *parts = pack::<true>(rhs, (lane, k0), (PANEL.min(j0 + nc - lane), kc), right.add(p * right_panel));
                }
                for i0 in (0..m).step_by(rows) {
                    let mc = rows.min(m - i0);
                    for (p, parts) in left_parts[..mc.div_ceil(PANEL)].iter_mut().enumerate() {
                        let lane = i0 + p * PANEL;
                        *parts = pack::<false>(lhs, (lane, k0), (PANEL.min(i0 + mc - lane), kc), left.add(p * left_panel));
                    }
                    for (p, right_parts) in right_parts[..nc.div_ceil(PANEL)].iter().enumerate() {
                        for (q, left_parts) in left_parts[..mc.div_ceil(PANEL)].iter().enumerate() {
                            let (i, j) = (i0 + q * PANEL, j0 + p * PANEL);
                            let some = (PANEL.min(i0 + mc - i), PANEL.min(j0 + nc - j));
                            let to = dst.add(i * pitch + j);
                            for line in 0..some.0 {
                                _mm_prefetch::<_MM_HINT_T0>(to.wrapping_add(line * pitch).cast());
                                _mm_prefetch::<_MM_HINT_T0>(to.wrapping_add(line * pitch + some.1 - 1).cast());
                            }
                            tiles(steps, left.add(q * left_panel), right.add(p * right_panel), (*left_parts, *right_parts), turned, sums);
                            write(sums, to, pitch, some, accumulate || k0 > 0);
                        }
                    }
                }
            }
        }
        if !cfg!(test) || is_here() {
            asm!("tilerelease", options(nostack, nomem));
        }
    }
}

/// Sums a panel against a panel into `PANEL` rows of `PANEL` numbers.
///
/// # Safety
/// The tiles must be configured; packed panels of so many steps; `sums` on a line of the cache.
unsafe fn tiles(steps: usize, left: *const f32, right: *const f32, parts: (usize, usize), turned: bool, sums: *mut f32) {
    #[cfg(test)]
    if !is_here() {
        // SAFETY: the same.
        return unsafe { tests::plain_tiles(steps, left, right, parts, turned, sums) };
    }
    // In bytes from the beginning of a step.
    let mut pairs = [[0usize; 2]; PAIRS.len()];
    let (mut count, mut last) = (0, (PARTS, PARTS));
    for (a, b) in PAIRS.map(|(a, b)| if turned { (b, a) } else { (a, b) }) {
        if a < parts.0 && b < parts.1 {
            let place = |part: usize, last: usize| if part == last { STAYS } else { part * STEP * 4 };
            pairs[count] = [place(a, last.0), place(b, last.1)];
            (count, last) = (count + 1, (a, b));
        }
    }
    // SAFETY: as said above; all that is read lies inside the panels.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "test {count}, {count}",
            "jz 4f",
            "2:",
            "mov {pair}, {pairs}",
            "mov {left_over}, {count}",
            "3:",
            "mov {at}, [{pair}]",
            "cmp {at}, -1",
            "je 5f",
            "add {at}, {left}",
            "tileloadd tmm4, [{at} + {row}*1]",
            "tileloadd tmm5, [{at} + {row}*1 + 1024]",
            "5:",
            "mov {at}, [{pair} + 8]",
            "cmp {at}, -1",
            "je 6f",
            "add {at}, {right}",
            "tileloadd tmm6, [{at} + {row}*1]",
            "tileloadd tmm7, [{at} + {row}*1 + 1024]",
            "6:",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {pair}, 16",
            "dec {left_over}",
            "jnz 3b",
            "add {left}, {left_step}",
            "add {right}, {right_step}",
            "dec {steps}",
            "jnz 2b",
            "4:",
            "add {row}, 64",
            "tilestored [{sums} + {row}*1], tmm0",
            "tilestored [{sums} + {row}*1 + 64], tmm1",
            "tilestored [{sums} + {row}*1 + 2048], tmm2",
            "tilestored [{sums} + {row}*1 + 2112], tmm3",
            count = in(reg) count,
            pairs = in(reg) pairs.as_ptr(),
            pair = out(reg) _,
            left_over = out(reg) _,
            at = out(reg) _,
            row = inout(reg) 64usize => _,
            left_step = in(reg) parts.0 * STEP * 4,
            right_step = in(reg) parts.1 * STEP * 4,
            left = inout(reg) left => _,
            right = inout(reg) right => _,
            steps = inout(reg) steps => _,
            sums = in(reg) sums,
            options(nostack),
        );
    }
}

/// Writes or adds as many rows and columns of the sums as the matrix has.
///
/// # Safety
/// They must lie inside the destination.
#[target_feature(enable = "avx512f")]
unsafe fn write(sums: *const f32, to: *mut f32, pitch: usize, (rows, columns): (usize, usize), add: bool) {
    let (low, high) = (first(columns), first(columns.saturating_sub(LANES)));
    for row in 0..rows {
        let (from, to) = (sums.wrapping_add(row * PANEL), to.wrapping_add(row * pitch));
        for (mask, at) in [(low, 0), (high, LANES)] {
            // SAFETY: masks leave out what is not inside the matrix.
            unsafe {
                let mut values = _mm512_load_ps(from.wrapping_add(at));
                if add {
                    values = _mm512_add_ps(values, _mm512_maskz_loadu_ps(mask, to.wrapping_add(at)));
                }
                _mm512_mask_storeu_ps(to.wrapping_add(at), mask, values);
            }
        }
    }
}

/// Packs a panel of up to `PANEL` lanes and `k` terms, zeros behind both, in as many parts as its numbers have; returns how many.
///
/// A tile has a lane in each row, 32 terms long; with `PAIRED` two terms in each row, side by side for 16 lanes.
///
/// # Safety
/// The lanes and terms must be inside the matrix, and the panel inside its buffer, on a line of the cache.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack<const PAIRED: bool>(source: Source, at: (usize, usize), (lanes, k): (usize, usize), to: *mut f32) -> usize {
    // SAFETY: as said above.
    unsafe {
        match source {
            Source::Bf16(start, pitch) => {
                pack_bf16::<PAIRED>(start.add(at.0 * pitch + at.1), pitch, (lanes, k), to);
                1
            }
            Source::Pairs(factor) => {
                let (from, strides) = (factor.at(at.0, at.1 / 2), factor.strides);
                if strides.1 == 1 {
                    pack_bf16::<PAIRED>(from.cast(), 2 * strides.0, (lanes, k), to);
                } else {
                    pack_pairs::<PAIRED>(from, strides.1, (lanes, k / 2), to);
                }
                1
            }
            Source::F32(factor) => {
                let (from, strides) = (factor.at(at.0, at.1), factor.strides);
                if pack_parts::<1, PAIRED>(from, strides, lanes, k, to) {
                    1
                } else if pack_parts::<2, PAIRED>(from, strides, lanes, k, to) {
                    2
                } else {
                    pack_parts::<PARTS, PAIRED>(from, strides, lanes, k, to);
                    PARTS
                }
            }
        }
    }
}

/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack_bf16<const PAIRED: bool>(from: *const bf16, pitch: usize, (lanes, k): (usize, usize), to: *mut f32) {
    for (step, term) in (0..k).step_by(TERMS).enumerate() {
        let mask = if k - term >= TERMS { !0 } else { (1 << (k - term)) - 1 };
        for tile in 0..2 {
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (lane, row) in rows.iter_mut().enumerate().take(lanes.saturating_sub(tile * LANES)) {
                let from = from.wrapping_add((tile * LANES + lane) * pitch + term);
                // SAFETY: masks leave out what is not inside the matrix.
                *row = _mm512_castsi512_ps(unsafe { _mm512_maskz_loadu_epi16(mask, from.cast()) });
            }
            if PAIRED {
                transpose(&mut rows);
            }
            for (i, row) in rows.iter().enumerate() {
                // SAFETY: inside the panel.
                unsafe { _mm512_store_ps(to.wrapping_add(step * STEP + tile * CELLS + i * 16), *row) };
            }
        }
    }
}

/// Packs pairs whose lanes lie side by side; `pitch` is from one pair to the next.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack_pairs<const PAIRED: bool>(from: *const f32, pitch: usize, (lanes, pairs): (usize, usize), to: *mut f32) {
    for (step, pair) in (0..pairs).step_by(TERMS / 2).enumerate() {
        for tile in 0..2 {
            let mask = first(lanes.saturating_sub(tile * LANES));
            let mut rows = [_mm512_setzero_ps(); LANES];
            for (i, row) in rows.iter_mut().enumerate().take(pairs - pair) {
                // SAFETY: masks leave out what is not inside the matrix.
                *row = unsafe { _mm512_maskz_loadu_ps(mask, from.wrapping_add((pair + i) * pitch + tile * LANES)) };
            }
            if !PAIRED {
                transpose(&mut rows);
            }
            for (i, row) in rows.iter().enumerate() {
                // SAFETY: inside the panel.
                unsafe { _mm512_store_ps(to.wrapping_add(step * STEP + tile * CELLS + i * 16), *row) };
            }
        }
    }
}

/// Packs `N` parts; false as soon as there is more.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn pack_parts<const N: usize, const PAIRED: bool>(
    from: *const f32,
    strides: (usize, usize),
    lanes: usize,
    k: usize,
    to: *mut f32,
) -> bool {
    for (step, term) in (0..k.max(1)).step_by(TERMS).enumerate() {
        for tile in 0..2 {
            let lane = tile * LANES;
            let some = (lanes.saturating_sub(lane).min(LANES), (k - term).min(TERMS));
            let from = from.wrapping_add(lane * strides.0 + term * strides.1);
            let to = to.wrapping_add(step * N * STEP + tile * CELLS);
            // SAFETY: as said above.
            let rest = unsafe {
                if strides.0 == 1 {
                    split::<N, false, PAIRED>(from, strides.1, some, to)
                } else if strides.1 == 1 {
                    split::<N, true, PAIRED>(from, strides.0, some, to)
                } else {
                    let mut near = [0f32; LANES * TERMS];
                    for (lane, near) in near.chunks_exact_mut(TERMS).enumerate().take(some.0) {
                        for (term, value) in near.iter_mut().enumerate().take(some.1) {
                            *value = *from.wrapping_add(lane * strides.0 + term * strides.1);
                        }
                    }
                    split::<N, true, PAIRED>(near.as_ptr(), TERMS, (LANES, TERMS), to)
                }
            };
            if rest {
                return false;
            }
        }
    }
    true
}

/// Packs a tile of each of `N` parts; whether numbers have more. With `ALONG` the terms of a lane lie side by side, else the
/// lanes of a term; `pitch` is from one lane or term to the next.
///
/// # Safety
/// As of [`pack`].
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
unsafe fn split<const N: usize, const ALONG: bool, const PAIRED: bool>(
    from: *const f32,
    pitch: usize,
    (lanes, terms): (usize, usize),
    to: *mut f32,
) -> bool {
    let mut tile = [[_mm512_setzero_ps(); 16]; N];
    let mut rest = _mm512_setzero_si512();
    for row in 0..16 {
        // SAFETY: masks leave out what is not inside the matrix.
        let (mut a, mut b) = unsafe {
            let line = |at: usize, some: usize| _mm512_maskz_loadu_ps(first(some), from.wrapping_add(at));
            if ALONG {
                let some = if row < lanes { terms } else { 0 };
                (line(row * pitch, some), line(row * pitch + 16, some.saturating_sub(16)))
            } else {
                let some = |term: usize| if term < terms { lanes } else { 0 };
                (line(2 * row * pitch, some(2 * row)), line((2 * row + 1) * pitch, some(2 * row + 1)))
            }
        };
        for part in &mut tile {
            let (high_a, high_b) = (upper(a), upper(b));
            let both = if ALONG {
                _mm512_permutex2var_epi16(high_a, odd_words(), high_b)
            } else {
                _mm512_or_si512(_mm512_srli_epi32::<16>(high_a), high_b)
            };
            part[row] = _mm512_castsi512_ps(both);
            a = _mm512_sub_ps(a, _mm512_castsi512_ps(high_a));
            b = _mm512_sub_ps(b, _mm512_castsi512_ps(high_b));
        }
        rest = _mm512_or_si512(rest, _mm512_or_si512(_mm512_castps_si512(a), _mm512_castps_si512(b)));
    }
    if N < PARTS && _mm512_test_epi32_mask(rest, _mm512_set1_epi32(i32::MAX)) != 0 {
        return true;
    }
    for (part, rows) in tile.iter_mut().enumerate() {
        if ALONG == PAIRED {
            transpose(rows);
        }
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: inside the panel.
            unsafe { _mm512_store_ps(to.wrapping_add(part * STEP + i * 16), *row) };
        }
    }
    false
}

/// The leading eight bits of each number, as an f32.
#[target_feature(enable = "avx512f")]
#[inline]
fn upper(v: __m512) -> __m512i {
    _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(-65536))
}

/// The places of the upper halves of 32 numbers in two registers.
#[target_feature(enable = "avx512f")]
#[inline]
fn odd_words() -> __m512i {
    const PLACES: [u16; 32] = {
        let mut places = [0; 32];
        let mut i = 0;
        while i < 32 {
            places[i] = 2 * i as u16 + 1;
            i += 1;
        }
        places
    };
    // SAFETY: as many bits, and any of them make integers.
    unsafe { std::mem::transmute(PLACES) }
}

#[cfg(test)]
mod tests {
    use super::super::avx512::Cells;
    use super::super::testing::noise;
    use super::*;

    /// |a - b| / |b|, of a product with b in f64.
    fn distance(made: &[f32], a: &[f32], b: &[f32], (m, n, k): (usize, usize, usize)) -> f64 {
        let (mut apart, mut size) = (0.0, 0.0);
        for (i, made) in made.iter().enumerate() {
            let (a, b) = (&a[i / n * k..][..k], &b[i % n * k..][..k]);
            let want: f64 = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            apart += (f64::from(*made) - want).powi(2);
            size += want.powi(2);
        }
        assert_eq!(made.len(), m * n);
        (apart / size).sqrt()
    }

    /// The twin of [`tiles`] for any processor.
    ///
    /// # Safety
    /// As there.
    pub unsafe fn plain_tiles(steps: usize, left: *const f32, right: *const f32, parts: (usize, usize), turned: bool, sums: *mut f32) {
        // SAFETY: as said there.
        let sums = unsafe { std::slice::from_raw_parts_mut(sums, PANEL * PANEL) };
        // SAFETY: panels of so many steps and parts.
        let panel = |start: *const f32, parts: usize| unsafe { std::slice::from_raw_parts(start.cast::<bf16>(), steps * parts * STEP * 2) };
        let (left, right) = (panel(left, parts.0), panel(right, parts.1));
        sums.fill(0.0);
        for step in 0..steps {
            for (a, b) in PAIRS.map(|(a, b)| if turned { (b, a) } else { (a, b) }) {
                if a < parts.0 && b < parts.1 {
                    let (a, b) = (&left[(step * parts.0 + a) * STEP * 2..], &right[(step * parts.1 + b) * STEP * 2..]);
                    for (at, sum) in sums.iter_mut().enumerate() {
                        let (row, column) = (at / PANEL, at % PANEL);
                        let a = &a[row * TERMS..][..TERMS];
                        let b = &b[column / LANES * CELLS * 2 + column % LANES * 2..];
                        *sum += (0..TERMS).map(|term| a[term].to_f32() * b[term / 2 * LANES * 2 + term % 2].to_f32()).sum::<f32>();
                    }
                }
            }
        }
    }

    #[test]
    fn tiles_are_their_plain_twin() {
        if !is_here() {
            return;
        }
        let (steps, parts) = (3, (3, 2));
        let noise = |seed, parts: usize| {
            let parts = noise(seed, &[steps * parts * STEP * 2]).to_vec1::<f32>().unwrap();
            parts.into_iter().map(bf16::from_f32).collect::<Vec<_>>()
        };
        let (left, right) = (noise(1, parts.0), noise(2, parts.1));
        let mut sums = [[0f32; PANEL * PANEL]; 2];
        let (left, right) = (left.as_ptr().cast(), right.as_ptr().cast());
        // SAFETY: panels of so many steps and parts; the tiles are configured and released.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const CONFIG, options(nostack, readonly));
            tiles(steps, left, right, parts, true, sums[0].as_mut_ptr());
            asm!("tilerelease", options(nostack, nomem));
            plain_tiles(steps, left, right, parts, true, sums[1].as_mut_ptr());
        }
        assert!(sums[0].iter().zip(&sums[1]).all(|(a, b)| (a - b).abs() < 1e-4));
    }

    #[test]
    fn three_parts_are_as_exact_as_f32() {
        if !super::super::avx512::is_here() {
            return;
        }
        let (m, n, k) = (170, 45, 2100); // more rows and terms than are packed at a time
        let flat = |seed, len| noise(seed, &[len]).to_vec1::<f32>().unwrap();
        // Of very different sizes: what is small must not be lost beside what is large.
        let wild = |values: Vec<f32>| values.iter().enumerate().map(|(i, v)| v * 2f32.powi((i % 41) as i32 - 20)).collect::<Vec<f32>>();
        let (a, b) = (wild(flat(1, m * k)), flat(2, n * k));
        let bits = |zeros: u32| b.iter().map(|v| f32::from_bits(v.to_bits() >> zeros << zeros)).collect::<Vec<f32>>();
        for (b, name) in [(bits(0), "f32"), (bits(13), "f16"), (bits(16), "bf16")] {
            let (left, right) = (Factor { start: a.as_ptr(), strides: (k, 1) }, Factor { start: b.as_ptr(), strides: (k, 1) });
            let (mut tiles, mut wide) = (vec![0f32; m * n], vec![0f32; m * n]);
            // SAFETY: the processor was asked, and the matrices have these sizes.
            unsafe {
                product((m, n, k), tiles.as_mut_ptr(), n, false, Source::F32(left), Source::F32(right), false);
                super::super::avx512::product((m, n, k), wide.as_mut_ptr(), n, false, left, right, Cells::F32);
            }
            if name == "bf16" {
                // Stored in 16 bits they give the same to the last bit.
                let narrow: Vec<bf16> = b.iter().map(|v| bf16::from_f32(*v)).collect();
                let mut made = vec![0f32; m * n];
                // SAFETY: as above.
                unsafe { product((m, n, k), made.as_mut_ptr(), n, false, Source::F32(left), Source::Bf16(narrow.as_ptr(), k), false) };
                assert!(made == tiles);
            }
            let (tiles, wide) = (distance(&tiles, &a, &b, (m, n, k)), distance(&wide, &a, &b, (m, n, k)));
            assert!(tiles < 1.5 * wide && tiles < 1e-6, "{name}: {tiles:e}, in f32 {wide:e}");
        }
    }

    #[test]
    fn pairs_are_the_numbers_that_they_hold_however_they_lie() {
        if !super::super::avx512::is_here() {
            return;
        }
        let (m, n, k) = (70, 45, 1030); // panels and terms that end within a tile
        let rounded = |seed, len| noise(seed, &[len]).to_vec1::<f32>().unwrap().into_iter().map(bf16::from_f32).collect::<Vec<_>>();
        let (a, b) = (rounded(1, m * k), rounded(2, n * k));
        let pair = |pair: &[bf16]| f32::from_bits(u32::from(pair[0].to_bits()) | u32::from(pair[1].to_bits()) << 16);
        let pairs = |values: &[bf16]| values.chunks(2).map(pair).collect::<Vec<f32>>();
        let (left, right) = (pairs(&a), pairs(&b));
        let turn = |from: &[f32], rows: usize| (0..from.len()).map(|i| from[i % rows * (k / 2) + i / rows]).collect::<Vec<f32>>();
        let (left_turned, right_turned) = (turn(&left, m), turn(&right, n));
        let factor = |values: &[f32], strides| Source::Pairs(Factor { start: values.as_ptr(), strides });
        let made = |left, right| {
            let mut made = vec![0f32; m * n];
            // SAFETY: the processor was asked, and the matrices have these sizes.
            unsafe { product((m, n, k), made.as_mut_ptr(), n, false, left, right, false) };
            made
        };
        let want = made(Source::Bf16(a.as_ptr(), k), Source::Bf16(b.as_ptr(), k));
        let wide = |values: &[bf16]| values.iter().map(|v| v.to_f32()).collect::<Vec<_>>();
        assert!(distance(&want, &wide(&a), &wide(&b), (m, n, k)) < 1e-6);
        for left in [(&left, (k / 2, 1)), (&left_turned, (1, m))] {
            for right in [(&right, (k / 2, 1)), (&right_turned, (1, n))] {
                assert!(made(factor(left.0, left.1), factor(right.0, right.1)) == want);
            }
        }
    }
}
