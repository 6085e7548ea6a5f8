//! A register of points at a time, an axis after the other.
//!
//! `2^k pi (2 x - 1) = pi (2^(k+1) x - 2^k)`, so but for the first octave, which changes its sign, the half turns are
//! `2^(k+1) x`: a product by a power of two, exact in f32, as is what is left of it beside whole turns. The finest
//! octave is as precise as the first.

use super::{MOST_OCTAVES, outputs};
use crate::ops::hash_grid::Points;
use crate::simd::{Isa, Kernel, Simd};
use std::f32::consts::PI;

/// The widest register.
const WIDEST: usize = 16;

/// Encodes the first `n` points into rows of `stride` values; columns beyond the encoding are left alone.
///
/// # Panics
/// If there are more than [`MOST_OCTAVES`], the points are not padded to whole registers, or a row does not fit.
pub fn forward(isa: Isa, octaves: usize, points: Points<'_>, n: usize, out: &mut [f32], stride: usize) {
    check(octaves, points, n, out.len(), stride);
    isa.run(Forward { octaves, points, n, out, stride });
}

/// Adds the gradient of the first `n` positions, per unit of the unit cube, from that of the coordinates and of the first
/// `octaves` octaves. Up to a register of values may be written behind them.
///
/// # Panics
/// As [`forward`], and if the gradient is shorter than the points.
pub fn backward_positions(
    isa: Isa,
    octaves: usize,
    points: Points<'_>,
    n: usize,
    d_out: &[f32],
    stride: usize,
    d: [&mut [f32]; 3],
) {
    check(octaves, points, n, d_out.len(), stride);
    assert!(d.iter().all(|d| d.len() >= points.len()), "frequency: the positions' gradient is too short");
    isa.run(Backward { octaves, points, n, d_out, stride, d });
}

fn check(octaves: usize, points: Points<'_>, n: usize, values: usize, stride: usize) {
    let whole = n.next_multiple_of(WIDEST);
    let equal = points.y.len() == points.len() && points.z.len() == points.len();
    assert!(octaves <= MOST_OCTAVES, "frequency: {octaves} octaves");
    assert!(equal && points.len() >= whole, "frequency: points are not padded to whole registers");
    assert!(values >= n * stride && stride >= outputs(octaves), "frequency: {n} rows of {stride}");
}

/// `sin(pi r)` and `cos(pi r)` of half turns, within 1e-7.
#[inline(always)]
fn sin_cos<S: Simd>(s: S, half_turns: S::F) -> (S::F, S::F) {
    let (half, one, zero) = (s.splat(0.5), s.splat(1.0), s.splat(0.0));
    // Whole turns away: -1 to 1 is left.
    let turns = s.floor(s.fma(half_turns, half, half));
    let r = s.fma(turns, s.splat(-2.0), half_turns);
    let size = s.max(r, s.sub(zero, r));
    let back = s.sub(s.select(s.gt(r, zero), one, s.splat(-1.0)), r);
    let folded = s.select(s.gt(size, half), back, r);
    (sin(s, folded), sin(s, s.sub(half, size)))
}

/// `sin(pi r)` for r in -0.5 to 0.5, by its series.
#[inline(always)]
fn sin<S: Simd>(s: S, r: S::F) -> S::F {
    let square = s.mul(r, r);
    // (-1)^i pi^(2 i + 1) / (2 i + 1)!
    let mut p = s.splat(-0.007_370_431);
    for c in [0.082_145_89, -0.599_264_5, 2.550_164, -5.167_712_7, PI] {
        p = s.fma(p, square, s.splat(c));
    }
    s.mul(p, r)
}

struct Forward<'a> {
    octaves: usize,
    points: Points<'a>,
    n: usize,
    out: &'a mut [f32],
    stride: usize,
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { octaves, points, n, out, stride } = self;
        let (mut sines, mut cosines) = ([0.0f32; WIDEST], [0.0f32; WIDEST]);
        for at in (0..n).step_by(S::LANES) {
            let rows = S::LANES.min(n - at);
            for (axis, x) in [points.x, points.y, points.z].into_iter().enumerate() {
                // SAFETY: `check` has found whole registers of points; the lanes hold the widest.
                unsafe {
                    let x = s.load(x.as_ptr().add(at));
                    s.store(sines.as_mut_ptr(), s.fma(x, s.splat(2.0), s.splat(-1.0)));
                    for (i, value) in sines[..rows].iter().enumerate() {
                        out[(at + i) * stride + axis] = *value;
                    }
                    for k in 0..octaves {
                        let (sin, cos) = octave(s, k, x);
                        s.store(sines.as_mut_ptr(), sin);
                        s.store(cosines.as_mut_ptr(), cos);
                        let column = 3 + 6 * k + axis;
                        for (i, (sin, cos)) in sines[..rows].iter().zip(&cosines).enumerate() {
                            let row = (at + i) * stride + column;
                            (out[row], out[row + 3]) = (*sin, *cos);
                        }
                    }
                }
            }
        }
    }
}

/// The sines and cosines of one octave.
#[inline(always)]
fn octave<S: Simd>(s: S, k: usize, x: S::F) -> (S::F, S::F) {
    let (sin, cos) = sin_cos(s, s.mul(x, s.splat((2u32 << k) as f32)));
    if k == 0 { (s.sub(s.splat(0.0), sin), s.sub(s.splat(0.0), cos)) } else { (sin, cos) }
}

struct Backward<'a> {
    octaves: usize,
    points: Points<'a>,
    n: usize,
    d_out: &'a [f32],
    stride: usize,
    d: [&'a mut [f32]; 3],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { octaves, points, n, d_out, stride, d } = self;
        for ((axis, x), d) in [points.x, points.y, points.z].into_iter().enumerate().zip(d) {
            for at in (0..n).step_by(S::LANES) {
                let rows = S::LANES.min(n - at);
                let column = |column: usize| {
                    let mut lanes = [0.0f32; WIDEST];
                    for (i, lane) in lanes[..rows].iter_mut().enumerate() {
                        *lane = d_out[(at + i) * stride + column];
                    }
                    // SAFETY: the lanes hold the widest register.
                    unsafe { s.load(lanes.as_ptr()) }
                };
                // SAFETY: `check` has found whole registers of points, and the gradient is as long.
                unsafe {
                    let x = s.load(x.as_ptr().add(at));
                    let mut sum = s.mul(s.splat(2.0), column(axis));
                    for k in 0..octaves {
                        let (sin, cos) = octave(s, k, x);
                        let (d_sin, d_cos) = (column(3 + 6 * k + axis), column(6 + 6 * k + axis));
                        let across = s.sub(s.mul(cos, d_sin), s.mul(sin, d_cos));
                        sum = s.fma(s.splat((2u32 << k) as f32 * PI), across, sum);
                    }
                    let to = d.as_mut_ptr().add(at);
                    s.store(to, s.add(s.load(to), sum));
                }
            }
        }
    }
}
