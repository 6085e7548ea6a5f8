//! Register-blocked product: a tile of `MR` rows by `NV` vectors stays in registers over the whole depth.

use super::{COLUMN_PAD, Epilogue, Finish, Left, Shape, Start};
use crate::simd::{Isa, Kernel, Simd};

/// `C = A B` (or `C += A B` with `accumulate`), then the epilogue. See the [module](super) for layouts.
///
/// # Panics
/// If a slice is too short for the shape and strides, or `n` is not a multiple of 16.
#[allow(clippy::too_many_arguments)]
pub fn small_gemm(
    isa: Isa,
    shape: Shape,
    a: Left<'_>,
    b: &[f32],
    ldb: usize,
    c: &mut [f32],
    ldc: usize,
    accumulate: bool,
    epilogue: Epilogue<'_>,
) {
    let start = if accumulate { Start::Stored } else { Start::Zero };
    small_gemm_from(isa, shape, a, b, ldb, c, ldc, start, Finish::By(epilogue));
}

/// `C = start + A B`, then the epilogue. See the [module](super) for layouts.
///
/// # Panics
/// As [`small_gemm`], if a row to start from is too short, or if what is stored is both started from and multiplied with.
#[allow(clippy::too_many_arguments)]
pub fn small_gemm_from(
    isa: Isa,
    shape: Shape,
    a: Left<'_>,
    b: &[f32],
    ldb: usize,
    c: &mut [f32],
    ldc: usize,
    start: Start<'_>,
    finish: Finish<'_>,
) {
    let Shape { m, n, k } = shape;
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        n.is_multiple_of(COLUMN_PAD) && n <= ldb && n <= ldc,
        "small_gemm: {shape:?}, ldb {ldb}, ldc {ldc}"
    );
    assert!(k == 0 || a.values.len() > (m - 1) * a.row + (k - 1) * a.col, "small_gemm: A is too short");
    assert!(k == 0 || b.len() >= (k - 1) * ldb + n, "small_gemm: B is too short");
    assert!(c.len() >= (m - 1) * ldc + n, "small_gemm: C is too short");
    if let Finish::By(Epilogue::MaskBy(h, ldh)) = finish {
        assert!(n <= ldh && h.len() >= (m - 1) * ldh + n, "small_gemm: the mask is too short");
    }
    let given = match start {
        Start::Zero | Start::Stored => true,
        Start::Row(row) => row.len() >= n,
        Start::Affine { constant, slope, by } => constant.len() >= n && slope.len() >= n && by.len() >= m,
    };
    assert!(given, "small_gemm: what it starts from is too short");
    let twice = matches!((start, finish), (Start::Stored, Finish::Times { .. }));
    assert!(!twice, "small_gemm: what is stored is a factor, not a summand");
    isa.run(Product { shape, a, b, ldb, c, ldc, start, finish, last: true });
}

struct Product<'a> {
    shape: Shape,
    a: Left<'a>,
    b: &'a [f32],
    ldb: usize,
    c: &'a mut [f32],
    ldc: usize,
    start: Start<'a>,
    finish: Finish<'a>,
    /// This is the last block of the depth: the epilogue applies.
    last: bool,
}

impl Kernel for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        // Blocks of the depth keep both operands of a long product (a weight's gradient) in the L1 cache.
        let depth = self.shape.k;
        // What is stored stays as it is until it is multiplied with.
        let most = if matches!(self.finish, Finish::Times { .. }) { depth } else { DEPTH };
        let mut at = 0;
        loop {
            self.shape.k = (depth - at).min(most);
            self.last = at + self.shape.k == depth;
            self.columns(s);
            at += self.shape.k;
            if self.last {
                return;
            }
            self.a.values = &self.a.values[self.shape.k * self.a.col..];
            self.b = &self.b[self.shape.k * self.ldb..];
            self.start = Start::Stored;
        }
    }
}

/// Rows of B (and columns of A) that are worked on at a time.
const DEPTH: usize = 64;

impl Product<'_> {
    /// All panels of columns.
    #[inline(always)]
    fn columns<S: Simd>(&mut self, s: S) {
        let mut j = 0;
        while j < self.shape.n {
            let vectors = (self.shape.n - j) / S::LANES;
            // 24 accumulators of 32 registers on AVX-512, 12 of 16 on the others.
            // SAFETY: `small_gemm` has checked every extent; the panels below cover rows < m and columns < n only.
            unsafe {
                if vectors >= 4 && S::LANES == 16 {
                    self.panel::<S, 6, 4, 4>(s, j);
                    j += 4 * S::LANES;
                } else if vectors >= 2 {
                    self.panel::<S, 6, 4, 2>(s, j);
                    j += 2 * S::LANES;
                } else {
                    self.panel::<S, 16, 8, 1>(s, j);
                    j += S::LANES;
                }
            }
        }
    }

    /// Columns `j .. j + NV * LANES` of all rows, in tiles of `MR` rows, then of `MS`, then single ones.
    ///
    /// # Safety
    /// Those columns exist, and the slices cover the shape.
    #[inline(always)]
    unsafe fn panel<S: Simd, const MR: usize, const MS: usize, const NV: usize>(&mut self, s: S, j: usize) {
        let mut i = 0;
        // SAFETY: rows i .. i + MR (or MS) are below m.
        unsafe {
            // A remainder of 8 is two tiles of 4 rather than one of 6 and two single rows.
            while i + MR <= self.shape.m && self.shape.m - i != 2 * MS {
                self.tile::<S, MR, NV>(s, i, j);
                i += MR;
            }
            while i + MS <= self.shape.m {
                self.tile::<S, MS, NV>(s, i, j);
                i += MS;
            }
            while i < self.shape.m {
                self.tile::<S, 1, NV>(s, i, j);
                i += 1;
            }
        }
    }

    /// One tile.
    ///
    /// # Safety
    /// As `panel`, and rows `i .. i + MR` exist.
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "one index runs over registers and memory")]
    unsafe fn tile<S: Simd, const MR: usize, const NV: usize>(&mut self, s: S, i: usize, j: usize) {
        let Left { values, row, col } = self.a;
        // SAFETY: all offsets stay inside the extents that `small_gemm` has checked.
        unsafe {
            let mut acc = [[s.splat(0.0); NV]; MR];
            let c = self.c.as_mut_ptr().add(i * self.ldc + j);
            match self.start {
                Start::Zero => {}
                Start::Stored => {
                    for r in 0..MR {
                        for v in 0..NV {
                            acc[r][v] = s.load(c.add(r * self.ldc + v * S::LANES));
                        }
                    }
                }
                Start::Row(from) => {
                    for v in 0..NV {
                        let from = s.load(from.as_ptr().add(j + v * S::LANES));
                        for row in &mut acc {
                            row[v] = from;
                        }
                    }
                }
                Start::Affine { constant, slope, by } => {
                    for v in 0..NV {
                        let constant = s.load(constant.as_ptr().add(j + v * S::LANES));
                        let slope = s.load(slope.as_ptr().add(j + v * S::LANES));
                        for r in 0..MR {
                            acc[r][v] = s.fma(s.splat(*by.as_ptr().add(i + r)), slope, constant);
                        }
                    }
                }
            }
            // Four rows per base pointer, offsets that the optimizer cannot relate: it would otherwise walk down the
            // rows by one addition after the other, a chain longer than the products take.
            let offset = std::hint::black_box([0, row, 2 * row, 3 * row]);
            let mut a: [*const f32; 4] =
                std::array::from_fn(|q| values.as_ptr().wrapping_add((i + 4 * q) * row));
            let mut b = self.b.as_ptr().add(j);
            for _ in 0..self.shape.k {
                let mut bv = [s.splat(0.0); NV];
                for (v, bv) in bv.iter_mut().enumerate() {
                    *bv = s.load(b.add(v * S::LANES));
                }
                for r in 0..MR {
                    let x = s.splat(*a[r / 4].add(offset[r % 4]));
                    for v in 0..NV {
                        acc[r][v] = s.fma(x, bv[v], acc[r][v]);
                    }
                }
                a = a.map(|a| a.wrapping_add(col));
                b = b.wrapping_add(self.ldb);
            }
            let zero = s.splat(0.0);
            match self.finish {
                _ if !self.last => {}
                Finish::By(Epilogue::None) | Finish::Times { .. } => {}
                Finish::By(Epilogue::Relu) => {
                    for row in &mut acc {
                        for v in row {
                            *v = s.max(*v, zero);
                        }
                    }
                }
                Finish::By(Epilogue::MaskBy(h, ldh)) => {
                    let h = h.as_ptr().add(i * ldh + j);
                    for r in 0..MR {
                        for v in 0..NV {
                            let live = s.gt(s.load(h.add(r * ldh + v * S::LANES)), zero);
                            acc[r][v] = s.select(live, acc[r][v], zero);
                        }
                    }
                }
            }
            if let Finish::Times { relu } = self.finish {
                for r in 0..MR {
                    for v in 0..NV {
                        let product = s.mul(acc[r][v], s.load(c.add(r * self.ldc + v * S::LANES)));
                        acc[r][v] = if relu { s.max(product, zero) } else { product };
                    }
                }
            }
            for r in 0..MR {
                for v in 0..NV {
                    s.store(c.add(r * self.ldc + v * S::LANES), acc[r][v]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn data(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761).wrapping_add(seed * 97) >> 8) as f32 / 8_388_608.0 - 1.0)
            .collect()
    }

    fn check(shape: Shape, a: Left<'_>, accumulate: bool, mask: bool) {
        let Shape { m, n, k } = shape;
        let (ldb, ldc) = (n + 16, n + 32);
        let (b, c0, h) = (data(k * ldb + n, 2), data(m * ldc + n, 3), data(m * n, 4));
        for isa in Isa::available() {
            let mut c = c0.clone();
            let epilogue = if mask { Epilogue::MaskBy(&h, n) } else { Epilogue::Relu };
            small_gemm(isa, shape, a, &b, ldb, &mut c, ldc, accumulate, epilogue);
            for i in 0..m {
                for j in 0..n {
                    let mut want = if accumulate { f64::from(c0[i * ldc + j]) } else { 0.0 };
                    for l in 0..k {
                        want += f64::from(a.values[i * a.row + l * a.col]) * f64::from(b[l * ldb + j]);
                    }
                    let live = if mask { h[i * n + j] > 0.0 } else { want > 0.0 };
                    let got = f64::from(c[i * ldc + j]);
                    let want = if live { want } else { 0.0 };
                    assert!(
                        (got - want).abs() < 1e-5 * (1.0 + k as f64),
                        "{isa:?} {shape:?} ({i},{j}): {got} {want}"
                    );
                }
            }
            // Nothing beside the n columns is written.
            for i in 0..m - 1 {
                assert_eq!(c[i * ldc + n..(i + 1) * ldc], c0[i * ldc + n..(i + 1) * ldc]);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn agrees_with_f64_on_every_path(m in 1usize..21, n in 1usize..9, k in 0usize..40, mode in 0..4) {
            let shape = Shape { m, n: 16 * n, k };
            let values = data(m * k.max(1) + 64, 1);
            check(shape, Left { values: &values, row: k, col: 1 }, mode & 1 == 1, mode & 2 == 2);
            check(shape, Left { values: &values, row: 1, col: m }, mode & 1 == 1, mode & 2 == 2);
        }
    }

    /// Products that start from rows, and those that multiply what is stored, are what their formula says.
    #[test]
    fn starts_and_factors_are_applied() {
        let (m, n, k) = (21, 48, 130);
        let shape = Shape { m, n, k };
        let (a, b, c0) = (data(m * k, 1), data(k * n, 2), data(m * n, 3));
        let (constant, slope, by) = (data(n, 4), data(n, 5), data(m, 6));
        let a = Left { values: &a, row: k, col: 1 };
        let affine = Start::Affine { constant: &constant, slope: &slope, by: &by };
        for isa in Isa::available() {
            for start in [Start::Zero, Start::Row(&constant), affine] {
                for relu in [None, Some(false), Some(true)] {
                    let mut c = c0.clone();
                    let finish = relu.map_or(Finish::By(Epilogue::None), |relu| Finish::Times { relu });
                    small_gemm_from(isa, shape, a, &b, n, &mut c, n, start, finish);
                    for (at, (got, stored)) in c.iter().zip(&c0).enumerate() {
                        let (i, j) = (at / n, at % n);
                        let mut want = match start {
                            Start::Zero | Start::Stored => 0.0,
                            Start::Row(row) => f64::from(row[j]),
                            Start::Affine { constant, slope, by } => {
                                f64::from(constant[j]) + f64::from(by[i]) * f64::from(slope[j])
                            }
                        };
                        want += (0..k)
                            .map(|l| f64::from(a.values[i * k + l]) * f64::from(b[l * n + j]))
                            .sum::<f64>();
                        want *= relu.map_or(1.0, |_| f64::from(*stored));
                        let want = if relu == Some(true) { want.max(0.0) } else { want };
                        assert!(
                            (f64::from(*got) - want).abs() < 1e-4,
                            "{isa:?} {relu:?} ({i}, {j}): {got} {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "B is too short")]
    fn a_short_operand_is_refused() {
        let shape = Shape { m: 1, n: 16, k: 2 };
        let a = Left { values: &[0.0; 2], row: 2, col: 1 };
        small_gemm(Isa::Scalar, shape, a, &[0.0; 31], 16, &mut [0.0; 16], 16, false, Epilogue::None);
    }
}
