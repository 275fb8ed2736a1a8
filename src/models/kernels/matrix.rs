//! Strided matrix views over slices, their product, and rows that several threads write: the unsafe code of the kernels.

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

    /// The product of two matrices, written or added at `from`; element (r, c) at `from + r * strides.0 + c * strides.1`.
    ///
    /// # Safety
    /// No other part or product that is alive at the same time may touch these elements.
    pub unsafe fn product(&self, from: usize, strides: (usize, usize), accumulate: bool, lhs: Mat, rhs: Mat) {
        assert_eq!(lhs.cols, rhs.rows, "inner sizes of a product");
        lhs.assert_inside();
        rhs.assert_inside();
        assert!(from + extent(lhs.rows, rhs.cols, strides.0, strides.1) <= self.len, "product leaves its destination");
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
