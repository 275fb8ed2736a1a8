//! Strided matrix views over slices, their product, and rows that several threads write: the unsafe code of the kernels.

#[cfg(target_arch = "x86_64")]
use half::bf16;
use std::marker::PhantomData;

/// A matrix somewhere in a slice; element (r, c) lies at `r * row_stride + c * col_stride`.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl<'a> Mat<'a> {
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> Self {
        Self { data, rows, cols, row_stride, col_stride }
    }

    pub fn transposed(self) -> Self {
        Self { data: self.data, rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride }
    }

    /// The rows from `first` on, `rows` of them.
    pub fn rows(self, first: usize, rows: usize) -> Self {
        assert!(first + rows <= self.rows, "rows {first}+{rows} of {}", self.rows);
        Self { data: &self.data[(first * self.row_stride).min(self.data.len())..], rows, ..self }
    }

    fn assert_inside(&self) {
        assert!(extent(self.rows, self.cols, self.row_stride, self.col_stride) <= self.data.len(), "matrix view leaves its slice");
    }
}

/// Terms from which on packing for AMX pays.
#[cfg(target_arch = "x86_64")]
const AMX_TERMS: usize = 96;

/// True where an element of a product is the same sum however the matrices are cut into parts.
pub fn cuts_are_free() -> bool {
    #[cfg(target_arch = "x86_64")]
    return super::avx512::is_here();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// True where weights in bf16 go into a product with sums of `k` terms as they are.
#[cfg(target_arch = "x86_64")]
pub fn takes_bf16(k: usize) -> bool {
    k >= AMX_TERMS && super::amx::is_here()
}

/// True where this processor multiplies pairs of bf16 faster than numbers in f32.
#[cfg(target_arch = "x86_64")]
pub fn takes_pairs() -> bool {
    // Tests try it wherever it can be tried.
    super::avx512::has_fast_bf16() || cfg!(test) && super::avx512::has_bf16() || super::amx::is_here()
}

/// The same numbers two by two, where they lie so that they can be taken so.
#[cfg(target_arch = "x86_64")]
pub fn as_pairs(values: &[bf16]) -> Option<&[f32]> {
    // SAFETY: two bf16 have as many bits as an f32, and any bits are one.
    let (before, pairs, behind) = unsafe { values.align_to::<f32>() };
    (before.is_empty() && behind.is_empty()).then_some(pairs)
}

fn extent(rows: usize, cols: usize, row_stride: usize, col_stride: usize) -> usize {
    if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row_stride + (cols - 1) * col_stride + 1 }
}

/// dst = lhs · rhs, or dst += lhs · rhs; on the calling thread.
///
/// `dst` has the element (r, c) at `r * strides.0 + c * strides.1`.
pub fn product(dst: &mut [f32], strides: (usize, usize), accumulate: bool, lhs: Mat, rhs: Mat) {
    // SAFETY: `dst` is exclusive.
    unsafe { Shared::new(dst).product(0, strides, accumulate, lhs, rhs) }
}

/// A slice of which several threads write different, possibly interleaved parts.
pub struct Shared<'a> {
    start: *mut f32,
    len: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: `part` obliges its callers to take parts of which no element is written by two threads.
unsafe impl Sync for Shared<'_> {}
// SAFETY: as above.
unsafe impl Send for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(slice: &'a mut [f32]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), lifetime: PhantomData }
    }

    /// The part `from .. from + len`.
    ///
    /// # Safety
    /// No other part or product that is alive at the same time may reach into it.
    #[expect(clippy::mut_from_ref, reason = "that is what the type is for")]
    pub unsafe fn part(&self, from: usize, len: usize) -> &mut [f32] {
        assert!(from + len <= self.len, "part {from}+{len} of {}", self.len);
        // SAFETY: inside the slice (asserted); exclusive by the contract above.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), len) }
    }

    /// The product with rows of `lhs.cols` weights each, at `from`; element (r, c) at `from + r * strides.0 + c * strides.1`. It is
    /// what [`Self::product`] makes of their copies in f32. One of the strides must be 1, and [`takes_bf16`] true.
    ///
    /// # Safety
    /// No other part or product that is alive at the same time may touch these elements.
    #[cfg(target_arch = "x86_64")]
    pub unsafe fn product_bf16(&self, from: usize, strides: (usize, usize), lhs: Mat, weights: &[bf16]) {
        use super::{amx::Source, avx512::Factor};
        let (m, n, k) = (lhs.rows, weights.len() / lhs.cols, lhs.cols);
        assert!(takes_bf16(k) && (strides.0 == 1 || strides.1 == 1), "a product with bf16");
        lhs.assert_inside();
        assert!(from + extent(m, n, strides.0, strides.1) <= self.len, "product leaves its destination");
        let left = Source::F32(Factor { start: lhs.data.as_ptr(), strides: (lhs.row_stride, lhs.col_stride) });
        let right = Source::Bf16(weights.as_ptr(), k);
        // SAFETY: as below.
        unsafe {
            let to = self.start.add(from);
            if strides.1 == 1 {
                super::amx::product((m, n, k), to, strides.0, false, left, right, false);
            } else {
                super::amx::product((n, m, k), to, strides.1, false, right, left, true);
            }
        }
    }

    /// The product of matrices of pairs of bf16, written at `from`; element (r, c) at `from + r * strides.0 + c * strides.1`. One of
    /// the strides of each of the three must be 1, and [`takes_pairs`] true.
    ///
    /// # Safety
    /// No other part or product that is alive at the same time may touch these elements.
    #[cfg(target_arch = "x86_64")]
    pub unsafe fn product_of_pairs(&self, from: usize, strides: (usize, usize), lhs: Mat, rhs: Mat) {
        use super::amx::{self, Source};
        use super::avx512::{self, Cells, Factor};
        assert!(takes_pairs() && [strides.0, strides.1].contains(&1), "a product of pairs");
        assert!([lhs, rhs].iter().all(|m| m.row_stride == 1 || m.col_stride == 1), "a product of pairs");
        assert_eq!(lhs.cols, rhs.rows, "inner sizes of a product");
        lhs.assert_inside();
        rhs.assert_inside();
        assert!(from + extent(lhs.rows, rhs.cols, strides.0, strides.1) <= self.len, "product leaves its destination");
        let left = Factor { start: lhs.data.as_ptr(), strides: (lhs.row_stride, lhs.col_stride) };
        let right = Factor { start: rhs.data.as_ptr(), strides: (rhs.col_stride, rhs.row_stride) };
        let (m, n, k) = (lhs.rows, rhs.cols, lhs.cols);
        let (turned, pitch) = if strides.1 == 1 { (false, strides.0) } else { (true, strides.1) };
        let (size, left, right) = if turned { ((n, m, k), right, left) } else { ((m, n, k), left, right) };
        // SAFETY: the processor was asked; the three matrices lie inside their slices (asserted above).
        unsafe {
            let to = self.start.add(from);
            if amx::is_here() {
                amx::product((size.0, size.1, 2 * k), to, pitch, false, Source::Pairs(left), Source::Pairs(right), turned);
            } else {
                avx512::product(size, to, pitch, false, left, right, Cells::Pairs);
            }
        }
    }

    /// The product of two matrices, written or added at `from`; element (r, c) at `from + r * strides.0 + c * strides.1`.
    ///
    /// # Safety
    /// No other part or product that is alive at the same time may touch these elements.
    pub unsafe fn product(&self, from: usize, strides: (usize, usize), accumulate: bool, lhs: Mat, rhs: Mat) {
        assert_eq!(lhs.cols, rhs.rows, "inner sizes of a product");
        lhs.assert_inside();
        rhs.assert_inside();
        assert!(from + extent(lhs.rows, rhs.cols, strides.0, strides.1) <= self.len, "product leaves its destination");
        #[cfg(target_arch = "x86_64")]
        if (strides.0 == 1 || strides.1 == 1) && super::avx512::is_here() {
            use super::amx::Source;
            use super::avx512::{self, Cells, Factor};
            let left = Factor { start: lhs.data.as_ptr(), strides: (lhs.row_stride, lhs.col_stride) };
            let right = Factor { start: rhs.data.as_ptr(), strides: (rhs.col_stride, rhs.row_stride) };
            let (m, n, k) = (lhs.rows, rhs.cols, lhs.cols);
            // By the length of the sums alone, so that cuts leave them as they are.
            let by_tiles = takes_bf16(k);
            // A destination that stands column by column is the transposed one, of the transposed product.
            let (turned, pitch) = if strides.1 == 1 { (false, strides.0) } else { (true, strides.1) };
            let (size, left, right) = if turned { ((n, m, k), right, left) } else { ((m, n, k), left, right) };
            // SAFETY: the processor was asked; the three matrices lie inside their slices (asserted above).
            unsafe {
                let to = self.start.add(from);
                if by_tiles {
                    let (left, right) = (Source::F32(left), Source::F32(right));
                    super::amx::product(size, to, pitch, accumulate, left, right, turned);
                } else {
                    avx512::product(size, to, pitch, accumulate, left, right, Cells::F32);
                }
            }
            return;
        }
        let stride = |s: usize| isize::try_from(s).unwrap_or(isize::MAX);
        // SAFETY: the three matrices lie inside their slices (asserted above).
        unsafe {
            gemm::gemm(
                lhs.rows,
                rhs.cols,
                lhs.cols,
                self.start.add(from),
                stride(strides.1),
                stride(strides.0),
                accumulate,
                lhs.data.as_ptr(),
                stride(lhs.col_stride),
                stride(lhs.row_stride),
                rhs.data.as_ptr(),
                stride(rhs.col_stride),
                stride(rhs.row_stride),
                if accumulate { 1.0 } else { 0.0 },
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{distance, noise};
    use super::*;
    use candle_core::{Device, Tensor};

    /// In f64, element by element.
    fn plain(lhs: Mat, rhs: Mat) -> Vec<f64> {
        let element = |m: &Mat, r: usize, c: usize| f64::from(m.data[r * m.row_stride + c * m.col_stride]);
        (0..lhs.rows * rhs.cols)
            .map(|i| (0..lhs.cols).map(|k| element(&lhs, i / rhs.cols, k) * element(&rhs, k, i % rhs.cols)).sum())
            .collect()
    }

    #[test]
    fn products_equal_the_definition_in_every_layout_and_size() {
        for (m, n, k) in [(1, 1, 1), (3, 5, 7), (14, 32, 16), (15, 33, 17), (29, 70, 401), (350, 65, 40), (30, 2100, 9), (37, 65, 1100)] {
            let flat = |seed, len| noise(seed, &[len]).to_vec1::<f32>().unwrap();
            let (a, b) = (flat(1, 3 * m * k), flat(2, 3 * n * k));
            for (left, right) in [((k, 1), (n, 1)), ((k, 1), (1, k)), ((1, m), (n, 1)), ((1, m), (1, k)), ((3 * k, 3), (1, k))] {
                let (lhs, rhs) = (Mat::new(&a, m, k, left.0, left.1), Mat::new(&b, k, n, right.0, right.1));
                let want = plain(lhs, rhs);
                for (by, strides) in [("rows", (n + 1, 1)), ("columns", (1, m + 2)), ("neither", (2 * n, 2))] {
                    for add in [false, true] {
                        let mut out = vec![3f32; 2 * m.max(n) * (m.min(n) + 3)];
                        product(&mut out, strides, add, lhs, rhs);
                        let at = |i: usize| i / n * strides.0 + i % n * strides.1;
                        let made: Vec<f64> = (0..m * n).map(|i| f64::from(out[at(i)]) - if add { 3.0 } else { 0.0 }).collect();
                        let tensor = |v: &[f64]| Tensor::from_slice(v, (m, n), &Device::Cpu).unwrap();
                        let d = distance(&tensor(&made), &tensor(&want));
                        assert!(d < 4e-6, "{m} x {k} x {n}, {left:?}, {right:?}, {by}, {add}: {d:e}");
                        // Nothing else is written.
                        let written: std::collections::HashSet<usize> = (0..m * n).map(at).collect();
                        assert!(out.iter().enumerate().all(|(i, v)| *v == 3.0 || written.contains(&i)), "{by}");
                    }
                }
            }
        }
    }

    #[test]
    fn cuts_leave_every_sum_as_it_is() {
        if !cuts_are_free() {
            return;
        }
        let (m, n, k) = (70, 100, 900);
        let flat = |seed, len| noise(seed, &[len]).to_vec1::<f32>().unwrap();
        let (a, b) = (flat(1, m * k), flat(2, n * k));
        let (lhs, rhs) = (Mat::new(&a, m, k, k, 1), Mat::new(&b, n, k, k, 1));
        let mut whole = vec![0f32; m * n];
        product(&mut whole, (n, 1), false, lhs, rhs.transposed());
        for (rows, columns) in [(1, n), (33, 41), (m, 7)] {
            let mut parts = vec![0f32; m * n];
            for i in (0..m).step_by(rows) {
                for j in (0..n).step_by(columns) {
                    let (some, others) = (lhs.rows(i, rows.min(m - i)), rhs.rows(j, columns.min(n - j)));
                    product(&mut parts[i * n + j..], (n, 1), false, some, others.transposed());
                }
            }
            assert!(parts == whole, "{rows} x {columns}");
            let mut turned = vec![0f32; m * n];
            product(&mut turned, (1, m), false, lhs, rhs.transposed());
            assert!((0..m * n).all(|i| turned[i % n * m + i / n] == whole[i]));
        }
    }
}
