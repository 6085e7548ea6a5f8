//! A row at a time, in lanes over its channels.
use rayon::prelude::*;

use crate::simd::{Isa, Kernel, Simd};

/// Rows that a thread takes at a time; sums over rows are made per group and added in order of the groups.
const ROWS: usize = 128;

/// Normalises the rows of x, which are as long as `w` and `b`; y is overwritten.
///
/// # Panics
/// If lengths do not fit.
pub fn forward(isa: Isa, x: &[f32], w: &[f32], b: &[f32], eps: f32, y: &mut [f32]) {
    let c = w.len();
    assert!(b.len() == c && x.len() == y.len() && x.len().is_multiple_of(c.max(1)), "layer_norm: extents");
    let groups = x.par_chunks(ROWS * c).zip(y.par_chunks_mut(ROWS * c));
    groups.for_each(|(x, y)| isa.run(Forward { x, w, b, eps, y }));
}

/// Gradients for `dy`: `dx` is overwritten; `dw` and `db`, where wanted, are returned as sums over all rows.
///
/// # Panics
/// If lengths do not fit.
pub fn backward(
    isa: Isa,
    x: &[f32],
    w: &[f32],
    dy: &[f32],
    eps: f32,
    dx: &mut [f32],
) -> (Vec<f32>, Vec<f32>) {
    let c = w.len();
    assert!(
        x.len() == dy.len() && x.len() == dx.len() && x.len().is_multiple_of(c.max(1)),
        "layer_norm: extents"
    );
    let groups = x.par_chunks(ROWS * c).zip(dy.par_chunks(ROWS * c)).zip(dx.par_chunks_mut(ROWS * c));
    let parts: Vec<_> = groups
        .map(|((x, dy), dx)| {
            let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
            isa.run(Backward { x, w, dy, eps, dx, dw: &mut dw, db: &mut db });
            (dw, db)
        })
        .collect();
    let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
    for (part_w, part_b) in parts {
        dw.iter_mut().zip(part_w).for_each(|(s, p)| *s += p);
        db.iter_mut().zip(part_b).for_each(|(s, p)| *s += p);
    }
    (dw, db)
}

/// Mean and `1 / sqrt(var + eps)` of a row.
#[inline(always)]
fn statistics<S: Simd>(s: S, x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let (mut sum, mut square) = (s.splat(0.0), s.splat(0.0));
    let (chunks, rest) = (x.chunks_exact(S::LANES), x.chunks_exact(S::LANES).remainder());
    for x in chunks.clone() {
        // SAFETY: a chunk holds LANES values.
        sum = s.add(sum, unsafe { s.load(x.as_ptr()) });
    }
    let mean = (s.reduce_add(sum) + rest.iter().sum::<f32>()) / n;
    let center = s.splat(mean);
    for x in chunks {
        // SAFETY: a chunk holds LANES values.
        let d = s.sub(unsafe { s.load(x.as_ptr()) }, center);
        square = s.fma(d, d, square);
    }
    let rest: f32 = rest.iter().map(|x| (x - mean) * (x - mean)).sum();
    (mean, 1.0 / ((s.reduce_add(square) + rest) / n + eps).sqrt())
}

struct Forward<'a> {
    x: &'a [f32],
    w: &'a [f32],
    b: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.w.len();
        let whole = c - c % S::LANES;
        for (x, y) in self.x.chunks_exact(c).zip(self.y.chunks_exact_mut(c)) {
            let (mean, scale) = statistics(s, x, self.eps);
            let (m, k) = (s.splat(mean), s.splat(scale));
            for i in (0..whole).step_by(S::LANES) {
                // SAFETY: i + LANES <= c, and all four rows hold c values (`forward` has checked).
                unsafe {
                    let n = s.mul(s.sub(s.load(x.as_ptr().add(i)), m), k);
                    let y = y.as_mut_ptr().add(i);
                    s.store(y, s.fma(n, s.load(self.w.as_ptr().add(i)), s.load(self.b.as_ptr().add(i))));
                }
            }
            for i in whole..c {
                y[i] = (x[i] - mean) * scale * self.w[i] + self.b[i];
            }
        }
    }
}

struct Backward<'a> {
    x: &'a [f32],
    w: &'a [f32],
    dy: &'a [f32],
    eps: f32,
    dx: &'a mut [f32],
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let c = self.w.len();
        let whole = c - c % S::LANES;
        let rows = self.x.chunks_exact(c).zip(self.dy.chunks_exact(c)).zip(self.dx.chunks_exact_mut(c));
        for ((x, dy), dx) in rows {
            let (mean, scale) = statistics(s, x, self.eps);
            let (m, k) = (s.splat(mean), s.splat(scale));
            let (mut g_sum, mut gn_sum) = (s.splat(0.0), s.splat(0.0));
            for i in (0..whole).step_by(S::LANES) {
                // SAFETY: i + LANES <= c, and all rows hold c values (`backward` has checked).
                unsafe {
                    let n = s.mul(s.sub(s.load(x.as_ptr().add(i)), m), k);
                    let d = s.load(dy.as_ptr().add(i));
                    let g = s.mul(d, s.load(self.w.as_ptr().add(i)));
                    g_sum = s.add(g_sum, g);
                    gn_sum = s.fma(g, n, gn_sum);
                    let (dw, db) = (self.dw.as_mut_ptr().add(i), self.db.as_mut_ptr().add(i));
                    s.store(dw, s.fma(d, n, s.load(dw)));
                    s.store(db, s.add(s.load(db), d));
                }
            }
            let (mut g_mean, mut gn_mean) = (s.reduce_add(g_sum), s.reduce_add(gn_sum));
            for i in whole..c {
                let n = (x[i] - mean) * scale;
                g_mean += dy[i] * self.w[i];
                gn_mean += dy[i] * self.w[i] * n;
                self.dw[i] += dy[i] * n;
                self.db[i] += dy[i];
            }
            g_mean /= c as f32;
            gn_mean /= c as f32;
            let (g_lanes, gn_lanes) = (s.splat(g_mean), s.splat(gn_mean));
            for i in (0..whole).step_by(S::LANES) {
                // SAFETY: as above.
                unsafe {
                    let n = s.mul(s.sub(s.load(x.as_ptr().add(i)), m), k);
                    let g = s.mul(s.load(dy.as_ptr().add(i)), s.load(self.w.as_ptr().add(i)));
                    let d = s.sub(s.sub(g, g_lanes), s.mul(n, gn_lanes));
                    s.store(dx.as_mut_ptr().add(i), s.mul(d, k));
                }
            }
            for i in whole..c {
                let n = (x[i] - mean) * scale;
                dx[i] = (dy[i] * self.w[i] - g_mean - n * gn_mean) * scale;
            }
        }
    }
}
