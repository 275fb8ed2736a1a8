//! Products with weights of numbers rounded to 16 bits (bf16) and summed in f32, as graphics cards multiply.
//!
//! AMX and AMD's AVX512-BF16 are made for that. Elsewhere the same numbers are rounded and multiplied in f32, so that what comes
//! out is the same everywhere but for the order of sums.

use super::Scratch;
use super::linear::{Stored, add_bias, cuts};
use super::matrix::{Mat, Shared};
#[cfg(target_arch = "x86_64")]
use super::matrix::{as_pairs, takes_pairs};
use rayon::prelude::*;
use std::cell::Cell;

#[cfg(not(target_arch = "x86_64"))]
fn takes_pairs() -> bool {
    false
}

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
}

/// While `work` runs, every `linear` that this thread calls for more than [`super::FEW_ROWS`] rows on the CPU rounds both factors,
/// if `rounded`.
pub fn with_rounded_products<R>(rounded: bool, work: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            ON.set(self.0);
        }
    }
    let _back = Back(ON.replace(rounded));
    work()
}

pub(super) fn is_on() -> bool {
    ON.get()
}

/// out[m, n] = sum over k of x[m, k] · weight[n, k] of rounded factors, + bias[n]; element (m, n) at
/// `at + m * strides.0 + n * strides.1`. One of the strides of `x` must be 1.
pub(super) fn multiply(x: Mat, stored: &Stored, n: usize, bias: Option<&[f32]>, (out, at, strides): (&Shared, usize, (usize, usize))) {
    let (rows, k) = (x.rows, x.cols);
    // By the shape alone: an element is the same sum however the rest of the product is cut.
    let in_pairs = takes_pairs() && k % 2 == 0 && (strides.0 == 1 || strides.1 == 1);
    let cells = if in_pairs { k / 2 } else { k };
    let mut left = Scratch::new(rows * cells);
    let left = left.first(rows * cells);
    round_all(x, in_pairs, left);
    let left = if x.col_stride == 1 { Mat::new(left, rows, cells, cells, 1) } else { Mat::new(left, rows, cells, 1, rows) };
    let (panel_rows, run) = cuts(rows, n);
    let panels = n.div_ceil(panel_rows);
    let row_tasks = rows.div_ceil(run);
    #[cfg(target_arch = "x86_64")]
    let as_they_are = if let (Stored::Bf16(v), true) = (stored, in_pairs) { as_pairs(v) } else { None };
    #[cfg(not(target_arch = "x86_64"))]
    let as_they_are: Option<&[f32]> = None;
    // A panel that must be rounded is rounded once and meets all rows, where every core has panels.
    let split_rows = as_they_are.is_some() || panels < 2 * rayon::current_num_threads();
    let tasks = if split_rows { panels * row_tasks } else { panels };
    (0..tasks).into_par_iter().for_each(|task| {
        let (panel, row) = if split_rows { (task / row_tasks, task % row_tasks * run) } else { (task, 0) };
        let (from, some) = (panel * panel_rows, if split_rows { run.min(rows - row) } else { rows });
        let width = panel_rows.min(n - from);
        let (mut wide, mut made) = (Scratch::default(), Scratch::default());
        let right = as_they_are.map_or_else(
            || {
                let (values, to) = (stored.widened(from, width, k, &mut wide), made.first(width * cells));
                if in_pairs {
                    simd!(round_pairs(values, to));
                } else {
                    simd!(round_each(values, to));
                }
                &*to
            },
            |pairs| &pairs[from * cells..(from + width) * cells],
        );
        let right = Mat::new(right, width, cells, cells, 1).transposed();
        for first in (row..row + some).step_by(run) {
            let some = run.min(row + some - first);
            let at = at + first * strides.0 + from * strides.1;
            // SAFETY: tasks differ in their rows or in their columns of the output.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                if in_pairs {
                    out.product_of_pairs(at, strides, left.rows(first, some), right);
                }
                if !in_pairs {
                    out.product(at, strides, false, left.rows(first, some), right);
                }
                if let Some(bias) = bias {
                    add_bias(out, at, strides, some, &bias[from..from + width]);
                }
            }
        }
    });
}

/// Rounds a matrix of which one of the strides is 1. Rows stay rows and columns columns, side by side; pairs are of columns.
fn round_all(x: Mat, in_pairs: bool, to: &mut [f32]) {
    const ROWS: usize = 16;
    let (rows, k) = (x.rows, x.cols);
    let cells = if in_pairs { k / 2 } else { k };
    if x.col_stride == 1 {
        to.par_chunks_mut((cells * ROWS).max(1)).enumerate().for_each(|(chunk, to)| {
            for (i, to) in to.chunks_mut(cells.max(1)).enumerate() {
                let from = &x.data[(chunk * ROWS + i) * x.row_stride..][..k];
                if in_pairs { simd!(round_pairs(from, to)) } else { simd!(round_each(from, to)) }
            }
        });
    } else {
        to.par_chunks_mut(rows.max(1)).with_min_len(ROWS).enumerate().for_each(|(i, to)| {
            let column = |i: usize| &x.data[i * x.col_stride..][..rows];
            if in_pairs {
                let (even, odd) = (column(2 * i), column(2 * i + 1));
                simd!(to.iter_mut().zip(even).zip(odd).for_each(|((to, a), b)| *to = pair(*a, *b)));
            } else {
                simd!(round_each(column(i), to));
            }
        });
    }
}

#[inline(always)]
fn round_pairs(from: &[f32], to: &mut [f32]) {
    for (to, [a, b]) in to.iter_mut().zip(from.as_chunks::<2>().0) {
        *to = pair(*a, *b);
    }
}

#[inline(always)]
fn round_each(from: &[f32], to: &mut [f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = f32::from_bits(rounded(*from));
    }
}

/// The first in the lower half.
#[inline(always)]
fn pair(a: f32, b: f32) -> f32 {
    f32::from_bits(rounded(a) >> 16 | rounded(b))
}

/// The nearest bf16, of two equally near ones the even one, as the upper half of an f32.
#[inline(always)]
fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    let up = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    (if value.is_nan() { bits | 0x0040_0000 } else { up }) & 0xffff_0000
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_close, distance, noise};
    use super::super::{Matrix, linear, linear_from_map, linear_plain, linear_to_map};
    use super::*;
    use candle_core::{DType, Tensor};
    use half::bf16;

    #[test]
    fn numbers_round_to_the_nearest() {
        let near = |value: f32| (-3..=3).map(move |by| f32::from_bits(value.to_bits().wrapping_add_signed(by << 14)));
        for value in [0.0, -0.0, 1.0, -1.0, 0.3, 1e-40, 3.3e38, f32::MAX, f32::INFINITY, f32::NAN, -7.7e20].into_iter().flat_map(near) {
            let (made, want) = (f32::from_bits(rounded(value)), bf16::from_f32(value).to_f32());
            assert!(made.to_bits() == want.to_bits() || made.is_nan() && want.is_nan(), "{value}: {made} instead of {want}");
        }
    }

    /// The plain twin.
    fn plain(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor {
        let round = |t: &Tensor| t.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
        linear_plain(&round(x), &round(weight), bias).unwrap()
    }

    #[test]
    fn products_of_rounded_numbers_equal_their_plain_twin() {
        for (rows, n, k) in [(9, 130, 70), (64, 33, 257), (300, 300, 896), (1500, 600, 48)] {
            let (x, bias) = (noise(1, &[1, rows, k]), noise(2, &[n]));
            let from = x.transpose(1, 2).unwrap().contiguous().unwrap();
            for dtype in [DType::F32, DType::F16, DType::BF16] {
                let weight = noise(3, &[n, k]).to_dtype(dtype).unwrap();
                for bias in [None, Some(&bias)] {
                    let want = plain(&x, &weight, bias);
                    let matrix = Matrix::Plain(&weight);
                    let (made, map, from, turned) = with_rounded_products(true, || {
                        let turned = from.transpose(1, 2).unwrap();
                        let made = (linear(&x, matrix, bias), linear_to_map(&x, matrix, bias), linear_from_map(&from, matrix, bias));
                        (made.0.unwrap(), made.1.unwrap(), made.2.unwrap(), linear_to_map(&turned, matrix, bias).unwrap())
                    });
                    assert_close(&made, &want);
                    assert_close(&from, &want);
                    assert_close(&map.transpose(1, 2).unwrap(), &want);
                    assert_close(&turned, &map);
                    // And it is not what is made without.
                    let exact = distance(&linear(&x, matrix, bias).unwrap(), &want);
                    assert!((5e-4..1e-2).contains(&exact), "{exact:e}");
                }
            }
        }
    }

    #[test]
    fn rounding_ends_with_the_work_also_where_that_fails() {
        with_rounded_products(true, || {
            with_rounded_products(false, || assert!(!is_on()));
            assert!(is_on());
            assert!(std::panic::catch_unwind(|| with_rounded_products(false, || panic!("on purpose"))).is_err());
            assert!(is_on());
        });
        assert!(!is_on());
    }
}
