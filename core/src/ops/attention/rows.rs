//! Softmax of score rows and its gradient, in the cache.

use crate::simd::{Isa, Kernel, Simd, math};

/// Rows of scores with a stride that is a multiple of 16; `keys` of each count.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) rows: usize,
    pub(super) keys: usize,
    pub(super) stride: usize,
}

/// What is added to scores: matrices of the rows' stride, from the first row on.
#[derive(Clone, Copy)]
pub(super) struct Added<'a> {
    pub(super) bias: Option<&'a [f32]>,
    pub(super) mask: Option<&'a [f32]>,
}

/// `s <- exp(s + bias + mask - max)`, zero beyond the keys; `inverse[i]` is 1 / the sum of row i.
pub(super) fn softmax(isa: Isa, extent: Extent, s: &mut [f32], added: Added<'_>, inverse: &mut [f32]) {
    let size = extent.rows * extent.stride;
    assert!(s.len() >= size && inverse.len() >= extent.rows, "attention: scores are too short");
    assert!(
        [added.bias, added.mask].iter().flatten().all(|a| a.len() >= size),
        "attention: bias is too short"
    );
    isa.run(Softmax { extent, s, added, inverse });
}

struct Softmax<'a> {
    extent: Extent,
    s: &'a mut [f32],
    added: Added<'a>,
    inverse: &'a mut [f32],
}

impl Kernel for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Extent { rows, keys, stride } = self.extent;
        for i in 0..rows {
            let row = &mut self.s[i * stride..(i + 1) * stride];
            row[keys..].fill(f32::MIN);
            let mut max = s.splat(f32::MIN);
            for j in (0..stride).step_by(S::LANES) {
                // SAFETY: strides are multiples of LANES, and `softmax` has checked that all rows are there.
                unsafe {
                    let at = row.as_mut_ptr().add(j);
                    let mut v = s.load(at);
                    for added in [self.added.bias, self.added.mask].into_iter().flatten() {
                        v = s.add(v, s.load(added.as_ptr().add(i * stride + j)));
                    }
                    s.store(at, v);
                    max = s.max(max, v);
                }
            }
            let mut lanes = [f32::MIN; 16];
            // SAFETY: a register is at most 16 values.
            unsafe { s.store(lanes.as_mut_ptr(), max) };
            let max = s.splat(lanes.iter().copied().fold(f32::MIN, f32::max));
            let mut sum = s.splat(0.0);
            for j in (0..stride).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let at = row.as_mut_ptr().add(j);
                    let e = math::exp(s, s.sub(s.load(at), max));
                    s.store(at, e);
                    sum = s.add(sum, e);
                }
            }
            // Beyond the keys lies exp(-87), which no sum of at least 1 notices.
            self.inverse[i] = 1.0 / s.reduce_add(sum);
            row[keys..].fill(0.0);
        }
    }
}

/// From `e` (what [`softmax`] left) and `dp`: `e <- p`, `dp <- ds = p (dp - sum p dp)`, and `dbias += ds`.
pub(super) fn softmax_backward(
    isa: Isa,
    extent: Extent,
    e: &mut [f32],
    inverse: &[f32],
    dp: &mut [f32],
    dbias: Option<&mut [f32]>,
) {
    let size = extent.rows * extent.stride;
    assert!(
        e.len() >= size && dp.len() >= size && inverse.len() >= extent.rows,
        "attention: scores are too short"
    );
    assert!(dbias.as_ref().is_none_or(|d| d.len() >= size), "attention: bias is too short");
    isa.run(Backward { extent, e, inverse, dp, dbias });
}

struct Backward<'a> {
    extent: Extent,
    e: &'a mut [f32],
    inverse: &'a [f32],
    dp: &'a mut [f32],
    dbias: Option<&'a mut [f32]>,
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        let Extent { rows, stride, .. } = self.extent;
        for i in 0..rows {
            let inverse = s.splat(self.inverse[i]);
            let mut dot = s.splat(0.0);
            for j in (i * stride..(i + 1) * stride).step_by(S::LANES) {
                // SAFETY: strides are multiples of LANES, and `softmax_backward` has checked that all rows are there.
                unsafe {
                    let at = self.e.as_mut_ptr().add(j);
                    let p = s.mul(s.load(at), inverse);
                    s.store(at, p);
                    dot = s.fma(p, s.load(self.dp.as_ptr().add(j)), dot);
                }
            }
            let dot = s.splat(s.reduce_add(dot));
            for j in (i * stride..(i + 1) * stride).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let at = self.dp.as_mut_ptr().add(j);
                    let ds = s.mul(s.load(self.e.as_ptr().add(j)), s.sub(s.load(at), dot));
                    s.store(at, ds);
                    if let Some(dbias) = &mut self.dbias {
                        let at = dbias.as_mut_ptr().add(j);
                        s.store(at, s.add(s.load(at), ds));
                    }
                }
            }
        }
    }
}
