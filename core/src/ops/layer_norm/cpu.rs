//! Forward pass and gradients, a row at a time, vectorized over its channels.
use crate::ops::output::{Room, by_chunks, by_chunks_with, written, written_with};
use crate::simd::{Isa, Kernel, Simd};

/// Rows that a thread takes at a time; sums over rows are made per group and added in order of the groups.
const ROWS: usize = 128;

/// The normalized rows of x, which are as long as `w` and `b`.
///
/// # Panics
/// If lengths do not fit.
#[must_use]
pub fn forward(isa: Isa, x: &[f32], w: &[f32], b: &[f32], eps: f32) -> Vec<f32> {
    let c = w.len();
    assert!(c > 0 && b.len() == c && x.len().is_multiple_of(c), "layer_norm: extents");
    written(x.len(), |y| {
        by_chunks(y, ROWS * c, |group, y| {
            isa.run(Forward { x: &x[group * ROWS * c..][..y.len()], w, b, eps, y })
        })
    })
}

/// Gradients of x, `w` and `b` for `dy`, those of `w` and `b` as sums over all rows.
///
/// # Panics
/// If lengths do not fit.
#[must_use]
pub fn backward(isa: Isa, x: &[f32], w: &[f32], dy: &[f32], eps: f32) -> [Vec<f32>; 3] {
    let c = w.len();
    assert!(c > 0 && x.len() == dy.len() && x.len().is_multiple_of(c), "layer_norm: extents");
    let (dx, parts) = written_with(x.len(), |dx| {
        by_chunks_with(dx, ROWS * c, |group, dx| {
            let range = group * ROWS * c..group * ROWS * c + dx.len();
            let (x, dy) = (&x[range.clone()], &dy[range]);
            let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
            let dx = isa.run(Backward { x, w, dy, eps, dx, dw: &mut dw, db: &mut db });
            (dx, (dw, db))
        })
    });
    let (mut dw, mut db) = (vec![0.0; c], vec![0.0; c]);
    for (part_w, part_b) in parts {
        dw.iter_mut().zip(part_w).for_each(|(s, p)| *s += p);
        db.iter_mut().zip(part_b).for_each(|(s, p)| *s += p);
    }
    [dx, dw, db]
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

struct Forward<'a, 'o> {
    x: &'a [f32],
    w: &'a [f32],
    b: &'a [f32],
    eps: f32,
    y: &'o mut Room,
}

impl<'o> Kernel for Forward<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> &'o mut [f32] {
        let c = self.w.len();
        assert!(self.y.len() == self.x.len() && self.x.len().is_multiple_of(c), "layer_norm: extents");
        let whole = c - c % S::LANES;
        for (x, y) in self.x.chunks_exact(c).zip(self.y.chunks_exact_mut(c)) {
            let (mean, scale) = statistics(s, x, self.eps);
            let (m, k) = (s.splat(mean), s.splat(scale));
            for i in (0..whole).step_by(S::LANES) {
                // SAFETY: i + LANES <= c, and all four rows hold c values (`forward` has checked).
                unsafe {
                    let n = s.mul(s.sub(s.load(x.as_ptr().add(i)), m), k);
                    let y = y.as_mut_ptr().cast::<f32>().add(i);
                    s.store(y, s.fma(n, s.load(self.w.as_ptr().add(i)), s.load(self.b.as_ptr().add(i))));
                }
            }
            for i in whole..c {
                y[i].write((x[i] - mean) * scale * self.w[i] + self.b[i]);
            }
        }
        // SAFETY: y is whole rows, and every value of a row was written: whole registers, then the rest.
        unsafe { self.y.assume_init_mut() }
    }
}

struct Backward<'a, 'o> {
    x: &'a [f32],
    w: &'a [f32],
    dy: &'a [f32],
    eps: f32,
    dx: &'o mut Room,
    dw: &'a mut [f32],
    db: &'a mut [f32],
}

impl<'o> Kernel for Backward<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> &'o mut [f32] {
        let c = self.w.len();
        assert!(self.dx.len() == self.x.len() && self.x.len().is_multiple_of(c), "layer_norm: extents");
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
                    s.store(dx.as_mut_ptr().cast::<f32>().add(i), s.mul(d, k));
                }
            }
            for i in whole..c {
                let n = (x[i] - mean) * scale;
                dx[i].write((dy[i] * self.w[i] - g_mean - n * gn_mean) * scale);
            }
        }
        // SAFETY: as in the forward pass.
        unsafe { self.dx.assume_init_mut() }
    }
}
