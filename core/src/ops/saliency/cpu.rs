//! Lookup, its gradient and the push to close, a register of samples at a time: the grid has one value a cell, so eight gathers are all there is to a lookup.

use crate::ops::hash_grid::{BLOCK, Points};
use crate::simd::{Isa, Kernel, Simd, math};

/// Interpolated logits of all points, which are padded to whole blocks.
///
/// # Panics
/// If a slice does not fit, or the points are not whole blocks.
pub fn forward(isa: Isa, side: usize, grid: &[f32], points: Points<'_>, out: &mut [f32]) {
    check(side, grid.len(), points);
    assert!(points.len().is_multiple_of(BLOCK) && out.len() >= points.len(), "saliency: points and output");
    isa.run(Forward { side, grid, points, out });
}

/// Adds the gradient of the grid for the first `n` points, in order.
///
/// # Panics
/// If a slice does not fit, or the points are not padded to whole blocks.
pub fn backward(isa: Isa, side: usize, points: Points<'_>, n: usize, d_logit: &[f32], grad: &mut [f32]) {
    check(side, grad.len(), points);
    let padded = n.next_multiple_of(BLOCK);
    assert!(points.len() >= padded && d_logit.len() >= n, "saliency: {n} points and gradients");
    isa.run(Backward { side, points, n, d_logit, grad });
}

/// Adds `slope p (1 - p)` to every logit's gradient.
///
/// # Panics
/// If the lengths differ or are not whole registers.
pub fn penalize(isa: Isa, slope: f32, grid: &[f32], grad: &mut [f32]) {
    assert!(grid.len() == grad.len() && grid.len().is_multiple_of(16), "saliency: lengths");
    isa.run(Penalize { slope, grid, grad });
}

/// S(G), the mean of the sigmoids.
///
/// # Panics
/// If the grid is not whole registers.
pub fn mean(isa: Isa, grid: &[f32]) -> f64 {
    assert!(grid.len().is_multiple_of(16), "saliency: {} logits are not whole registers", grid.len());
    // Sums of a few thousand stay exact enough in f32.
    let sum: f64 = grid.chunks(4096).map(|chunk| f64::from(isa.run(Sum(chunk)))).sum();
    sum / grid.len() as f64
}

/// Keeps logits within `+-limit`, so that a closed cell can open again.
pub fn clamp(limit: f32, grid: &mut [f32]) {
    grid.iter_mut().for_each(|g| *g = g.clamp(-limit, limit));
}

fn check(side: usize, values: usize, points: Points<'_>) {
    assert!((2..=512).contains(&side), "saliency: a side of {side} is not 2 to 512");
    assert!(values == side * side * side, "saliency: {values} values are not {side}^3");
    assert!(points.y.len() == points.len() && points.z.len() == points.len(), "saliency: points");
}

/// The lower corner of a register of points along one axis, and how far they are beyond it.
#[inline(always)]
unsafe fn place<S: Simd>(s: S, side: usize, axis: &[f32], at: usize) -> (S::I, S::F) {
    let (zero, top) = (s.splat(0.0), s.splat((side - 1) as f32));
    // SAFETY: the caller has checked that the register's points exist.
    let x = unsafe { s.load(axis.as_ptr().add(at)) };
    // max after min turns NaN into 0 on every path.
    let pos = s.max(s.min(s.fma(x, s.splat(side as f32), s.splat(-0.5)), top), zero);
    let low = s.min(s.floor(pos), s.splat((side - 2) as f32));
    (s.to_int(low), s.sub(pos, low))
}

/// The lowest of the eight corners of a register of points, as an index, and how far they are beyond it.
///
/// # Safety
/// Points `at .. at + LANES` exist.
#[inline(always)]
unsafe fn lowest<S: Simd>(s: S, side: usize, points: Points<'_>, at: usize) -> (S::I, [S::F; 3]) {
    // SAFETY: the caller's promise, and all axes are equally long.
    let ((x, fx), (y, fy), (z, fz)) =
        unsafe { (place(s, side, points.x, at), place(s, side, points.y, at), place(s, side, points.z, at)) };
    let (row, plane) = (s.splat_i(side as u32), s.splat_i((side * side) as u32));
    (s.add_i(x, s.add_i(s.mul_i(y, row), s.mul_i(z, plane))), [fx, fy, fz])
}

struct Forward<'a> {
    side: usize,
    grid: &'a [f32],
    points: Points<'a>,
    out: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { side, grid, points, out } = self;
        let (row, plane) = (s.splat_i(side as u32), s.splat_i((side * side) as u32));
        let one = s.splat_i(1);
        let mut at = 0;
        while at < points.len() {
            // SAFETY: points are whole blocks, `out` is as long, and corners are within 0 .. side on every axis.
            unsafe {
                let (base, [fx, fy, fz]) = lowest(s, side, points, at);
                let (p, q) = (grid.as_ptr(), s.add_i(base, row));
                let (r, t) = (s.add_i(base, plane), s.add_i(q, plane));
                let a = lerp(s, fx, s.gather(p, base), s.gather(p, s.add_i(base, one)));
                let b = lerp(s, fx, s.gather(p, q), s.gather(p, s.add_i(q, one)));
                let c = lerp(s, fx, s.gather(p, r), s.gather(p, s.add_i(r, one)));
                let d = lerp(s, fx, s.gather(p, t), s.gather(p, s.add_i(t, one)));
                let v = lerp(s, fz, lerp(s, fy, a, b), lerp(s, fy, c, d));
                s.store(out.as_mut_ptr().add(at), v);
            }
            at += S::LANES;
        }
    }
}

#[inline(always)]
fn lerp<S: Simd>(s: S, share: S::F, a: S::F, b: S::F) -> S::F {
    s.fma(share, s.sub(b, a), a)
}

struct Backward<'a> {
    side: usize,
    points: Points<'a>,
    n: usize,
    d_logit: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { side, points, n, d_logit, grad } = self;
        let (row, plane) = (side, side * side);
        let mut base = [0u32; 16];
        let mut part = [[0.0f32; 16]; 3];
        for at in (0..n).step_by(S::LANES) {
            // SAFETY: points are padded to whole blocks; the arrays hold the widest register.
            unsafe {
                let (first, [fx, fy, fz]) = lowest(s, side, points, at);
                s.store_i(base.as_mut_ptr(), first);
                s.store(part[0].as_mut_ptr(), fx);
                s.store(part[1].as_mut_ptr(), fy);
                s.store(part[2].as_mut_ptr(), fz);
            }
            for i in 0..S::LANES.min(n - at) {
                let (d, [fx, fy, fz]) = (d_logit[at + i], [part[0][i], part[1][i], part[2][i]]);
                let base = base[i] as usize;
                let yz = [(1.0 - fy) * (1.0 - fz), fy * (1.0 - fz), (1.0 - fy) * fz, fy * fz];
                for (w, offset) in yz.into_iter().zip([0, row, plane, plane + row]) {
                    grad[base + offset] += d * w * (1.0 - fx);
                    grad[base + offset + 1] += d * w * fx;
                }
            }
        }
    }
}

struct Penalize<'a> {
    slope: f32,
    grid: &'a [f32],
    grad: &'a mut [f32],
}

impl Kernel for Penalize<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let (slope, one) = (s.splat(self.slope), s.splat(1.0));
        for (g, d) in self.grid.chunks_exact(S::LANES).zip(self.grad.chunks_exact_mut(S::LANES)) {
            // SAFETY: both chunks hold LANES values.
            unsafe {
                let p = math::sigmoid(s, s.load(g.as_ptr()));
                let slope = s.mul(slope, s.mul(p, s.sub(one, p)));
                s.store(d.as_mut_ptr(), s.add(s.load(d.as_ptr()), slope));
            }
        }
    }
}

struct Sum<'a>(&'a [f32]);

impl Kernel for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let mut sum = s.splat(0.0);
        for g in self.0.chunks_exact(S::LANES) {
            // SAFETY: the chunk holds LANES values.
            sum = s.add(sum, math::sigmoid(s, unsafe { s.load(g.as_ptr()) }));
        }
        s.reduce_add(sum)
    }
}
