//! Large dense products on all threads, `C = A B` or `C += A B`: the `gemm` crate behind checked slices.
//!
//! An operand is a [`MatRef`] with any strides, so that transposes cost nothing here. Products that are split over threads
//! are split over rows and columns, never over the depth: results do not depend on the number of threads.
//! Small products, by one thread inside its cache, are [`crate::ops::small_gemm`]'s.
mod transpose;

use gemm::Parallelism;

pub(crate) use transpose::transpose;
use transpose::{CONFLICT, SQUARE, transposed};

use super::output::{Room, each, written};

/// A matrix in memory: element (i, j) at `i * row + j * col`.
#[derive(Clone, Copy)]
pub struct MatRef<'a> {
    values: &'a [f32],
    row: usize,
    col: usize,
}

impl<'a> MatRef<'a> {
    /// Row-major with rows `stride` apart.
    pub fn rows(values: &'a [f32], stride: usize) -> Self {
        Self { values, row: stride, col: 1 }
    }

    /// The transpose.
    #[must_use]
    pub fn t(self) -> Self {
        Self { row: self.col, col: self.row, ..self }
    }

    fn covers(&self, rows: usize, cols: usize) -> bool {
        rows == 0 || cols == 0 || self.values.len() > (rows - 1) * self.row + (cols - 1) * self.col
    }
}

/// Below this many multiplications a second thread costs more than it brings.
const PARALLEL: usize = 1 << 17;

/// `C = A B`, or `C += A B` with `accumulate`: A is `m x k`, B is `k x n`, C is row-major with rows `ldc` apart.
///
/// # Panics
/// If a slice is too short for the extents and strides.
pub fn gemm(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
) {
    run([m, n, k], a, b, c, ldc, accumulate, parallelism([m, n, k]));
}

fn parallelism([m, n, k]: [usize; 3]) -> Parallelism {
    let threads = rayon::current_num_threads();
    if threads > 1 && m * n * k >= PARALLEL { Parallelism::Rayon(threads) } else { Parallelism::None }
}

/// The same on the calling thread.
///
/// # Panics
/// See [`gemm`].
pub fn gemm_here(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
) {
    run([m, n, k], a, b, c, ldc, accumulate, Parallelism::None);
}

/// `A B`, row-major without gaps, as a new array that nobody has cleared first.
///
/// # Panics
/// See [`gemm`].
#[must_use]
pub fn product([m, n, k]: [usize; 3], a: MatRef<'_>, b: MatRef<'_>) -> Vec<f32> {
    written(m * n, |c| write([m, n, k], a, b, c, parallelism([m, n, k])))
}

/// `A B`, row-major without gaps, written to `c` on the calling thread.
///
/// # Panics
/// See [`gemm`].
pub(crate) fn write_here<'a>(
    mnk: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &'a mut Room,
) -> &'a mut [f32] {
    write(mnk, a, b, c, Parallelism::None)
}

fn write<'a>(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &'a mut Room,
    parallelism: Parallelism,
) -> &'a mut [f32] {
    assert!(a.covers(m, k) && b.covers(k, n), "gemm: operands are too short for {m} x {n} x {k}");
    assert_eq!(c.len(), m * n, "gemm: C for {m} x {n}");
    if k == 0 || c.is_empty() {
        return each(c, std::iter::repeat(0.0));
    }
    // SAFETY: the operands cover their extents, and C has room for m x n; the product does not read it.
    unsafe { run_at([m, n, k], a, b, c.as_mut_ptr().cast(), n, false, parallelism) };
    // SAFETY: every element of C was written.
    unsafe { c.assume_init_mut() }
}

/// `A B^T` with B `n x k` row-major, rows without gaps: a layer's forward pass, whose weight is `(outputs, inputs)`.
///
/// The crate packs such a B along its rows, a value from each of many lines; with `k` a large power of two (times three)
/// they fall into few sets of the cache, and it loses up to half of its speed. Such a B is transposed first, which costs
/// one pass over it.
///
/// # Panics
/// See [`gemm`].
#[must_use]
pub fn product_by_rows([m, n, k]: [usize; 3], a: MatRef<'_>, b: &[f32]) -> Vec<f32> {
    if m < SQUARE || !k.is_multiple_of(CONFLICT) {
        return product([m, n, k], a, MatRef::rows(b, k).t());
    }
    transposed([n, k], b, |b| product([m, n, k], a, MatRef::rows(b, n)))
}

fn run(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.covers(m, k), "gemm: A is too short for {m} x {k}");
    assert!(b.covers(k, n), "gemm: B is too short for {k} x {n}");
    assert!(ldc >= n && c.len() >= (m - 1) * ldc + n, "gemm: C is too short for {m} x {n}");
    // SAFETY: every extent was checked against its slice right above; C is borrowed exclusively.
    unsafe { run_at([m, n, k], a, b, c.as_mut_ptr(), ldc, accumulate, parallelism) };
}

/// The crate's call.
///
/// # Safety
/// A covers `m x k`, B covers `k x n`, and `c` is valid for writing m rows of n values, `ldc` of at least n apart, and for
/// reading them if `accumulate`; they overlap neither A nor B.
unsafe fn run_at(
    [m, n, k]: [usize; 3],
    a: MatRef<'_>,
    b: MatRef<'_>,
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    // SAFETY: as the caller vouches; the rows of C do not overlap each other.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c,
            1,
            ldc as isize,
            accumulate,
            a.values.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.values.as_ptr(),
            b.col as isize,
            b.row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests;
