//! Rows of features, each scaled by its sample's saliency.

use crate::simd::{Isa, Kernel, Simd, math};

/// Scales `n` rows of features by `p = sigmoid(logit)`: `to = p from`. All columns of a row are taken.
///
/// # Panics
/// If a slice is too short, or the stride is not whole registers.
pub fn scale(isa: Isa, n: usize, logit: &[f32], from: &[f32], to: &mut [f32], stride: usize) {
    check_rows(n, logit.len(), from.len().min(to.len()), stride);
    isa.run(Scale { n, logit, from, to, stride });
}

/// The way back of [`scale`]: `d_from = p d_to`, `d_logit = (1 - p) sum(d_to to)`.
///
/// # Panics
/// See [`scale`].
#[allow(clippy::too_many_arguments)]
pub fn scale_backward(
    isa: Isa,
    n: usize,
    logit: &[f32],
    to: &[f32],
    d_to: &[f32],
    d_from: &mut [f32],
    d_logit: &mut [f32],
    stride: usize,
) {
    let rows = to.len().min(d_to.len()).min(d_from.len());
    check_rows(n, logit.len().min(d_logit.len()), rows, stride);
    isa.run(ScaleBackward { n, logit, to, d_to, d_from, d_logit, stride });
}

fn check_rows(n: usize, columns: usize, rows: usize, stride: usize) {
    assert!(
        stride.is_multiple_of(16) && columns >= n && rows >= n * stride,
        "saliency: {n} rows of {stride}"
    );
}

struct Scale<'a> {
    n: usize,
    logit: &'a [f32],
    from: &'a [f32],
    to: &'a mut [f32],
    stride: usize,
}

impl Kernel for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { n, logit, from, to, stride } = self;
        let mut p = [0.0f32; 16];
        for at in (0..n).step_by(S::LANES) {
            let many = S::LANES.min(n - at);
            p[..many].copy_from_slice(&logit[at..at + many]);
            // SAFETY: `p` holds the widest register; rows are whole registers and inside both slices.
            unsafe {
                s.store(p.as_mut_ptr(), math::sigmoid(s, s.load(p.as_ptr())));
                for (i, p) in p[..many].iter().enumerate() {
                    let (p, row) = (s.splat(*p), (at + i) * stride);
                    for c in (row..row + stride).step_by(S::LANES) {
                        s.store(to.as_mut_ptr().add(c), s.mul(p, s.load(from.as_ptr().add(c))));
                    }
                }
            }
        }
    }
}

struct ScaleBackward<'a> {
    n: usize,
    logit: &'a [f32],
    to: &'a [f32],
    d_to: &'a [f32],
    d_from: &'a mut [f32],
    d_logit: &'a mut [f32],
    stride: usize,
}

impl Kernel for ScaleBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { n, logit, to, d_to, d_from, d_logit, stride } = self;
        let (mut p, mut rest) = ([0.0f32; 16], [0.0f32; 16]);
        for at in (0..n).step_by(S::LANES) {
            let many = S::LANES.min(n - at);
            p[..many].copy_from_slice(&logit[at..at + many]);
            // SAFETY: as in `Scale`.
            unsafe {
                let x = s.load(p.as_ptr());
                s.store(p.as_mut_ptr(), math::sigmoid(s, x));
                // 1 - p without cancellation.
                s.store(rest.as_mut_ptr(), math::sigmoid(s, s.sub(s.splat(0.0), x)));
                for i in 0..many {
                    let (p, row) = (s.splat(p[i]), (at + i) * stride);
                    let mut dot = s.splat(0.0);
                    for c in (row..row + stride).step_by(S::LANES) {
                        let d = s.load(d_to.as_ptr().add(c));
                        dot = s.fma(d, s.load(to.as_ptr().add(c)), dot);
                        s.store(d_from.as_mut_ptr().add(c), s.mul(p, d));
                    }
                    d_logit[at + i] = rest[i] * s.reduce_add(dot);
                }
            }
        }
    }
}
