//! Over rows, on all threads. The loops over channels are plain; each instruction set compiles them for itself.
use rayon::prelude::*;

use crate::simd::{Isa, Kernel, Simd};

/// Means and variances of channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Statistics {
    /// Of every channel.
    pub mean: Vec<f64>,
    /// Of every channel, divided by the number of rows.
    pub variance: Vec<f64>,
    /// Rows that they were computed from: gradients go through them. None: they are given.
    pub rows: Option<usize>,
}

/// Rows that are summed in f32.
const ROWS: usize = 128;

/// Statistics of the rows of `x`.
pub fn statistics(isa: Isa, x: &[f32], channels: usize) -> Statistics {
    let parts: Vec<[Vec<f32>; 3]> = x
        .par_chunks(ROWS * channels)
        .map(|x| {
            // Once about the first row for a mean, once more about that while the rows are in the cache: the first may
            // lie far from all others.
            let rows = (x.len() / channels) as f32;
            let (mut first, mut second) = (vec![0.0; channels], vec![0.0; channels]);
            isa.run(Moments { x, shift: &x[..channels], sums: [&mut first, &mut second] });
            let shift: Vec<f32> = first.iter().zip(x).map(|(sum, x)| x + sum / rows).collect();
            first.fill(0.0);
            second.fill(0.0);
            isa.run(Moments { x, shift: &shift, sums: [&mut first, &mut second] });
            [shift, first, second]
        })
        .collect();
    let (mut mean, mut square) = (vec![0.0; channels], vec![0.0; channels]);
    let mut rows = 0.0;
    for ([shift, first, second], x) in parts.iter().zip(x.chunks(ROWS * channels)) {
        // Chan, Golub and LeVeque 1979: means and sums of squares of two sets give those of both.
        let more = (x.len() / channels) as f64;
        let total = rows + more;
        for c in 0..channels {
            let (first, second) = (f64::from(first[c]), f64::from(second[c]));
            let apart = f64::from(shift[c]) + first / more - mean[c];
            mean[c] += apart * more / total;
            square[c] += second - first * first / more + apart * apart * rows * more / total;
        }
        rows = total;
    }
    let variance = square.iter().map(|s| (s / rows).max(0.0)).collect();
    Statistics { mean, variance, rows: Some(x.len() / channels) }
}

struct Moments<'a> {
    x: &'a [f32],
    shift: &'a [f32],
    sums: [&'a mut [f32]; 2],
}

impl Kernel for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let [first, second] = self.sums;
        for x in self.x.chunks_exact(self.shift.len()) {
            for (((x, shift), first), second) in
                x.iter().zip(self.shift).zip(first.iter_mut()).zip(second.iter_mut())
            {
                let d = x - shift;
                *first += d;
                *second += d * d;
            }
        }
    }
}

/// What is subtracted from x in f32, and what of the mean that leaves.
fn split(mean: f64) -> (f32, f64) {
    let high = mean as f32;
    (high, mean - f64::from(high))
}

/// `y` for `x`, overwritten.
///
/// # Panics
/// If extents do not fit.
pub fn apply(isa: Isa, x: &[f32], of: &Statistics, eps: f64, w: &[f32], b: &[f32], y: &mut [f32]) {
    let channels = w.len();
    let (mut center, mut scale, mut shift) = (vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]);
    for c in 0..channels {
        let (high, low) = split(of.mean[c]);
        let s = f64::from(w[c]) / (of.variance[c] + eps).sqrt();
        (center[c], scale[c], shift[c]) = (high, s as f32, (f64::from(b[c]) - low * s) as f32);
    }
    assert_eq!(x.len(), y.len(), "batch_norm: x and y");
    y.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).for_each(|(y, x)| {
        isa.run(Apply { x, center: &center, scale: &scale, shift: &shift, y });
    });
}

struct Apply<'a> {
    x: &'a [f32],
    center: &'a [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.center.len();
        for (y, x) in self.y.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            let parameters = self.center.iter().zip(self.scale).zip(self.shift);
            for ((y, x), ((center, scale), shift)) in y.iter_mut().zip(x).zip(parameters) {
                *y = (x - center) * scale + shift;
            }
        }
    }
}

/// Gradients of x (if `dx` is there, overwritten), w and b for `dy`.
///
/// # Panics
/// If extents do not fit.
pub fn backward(
    isa: Isa,
    x: &[f32],
    of: &Statistics,
    eps: f64,
    w: &[f32],
    dy: &[f32],
    dx: Option<&mut [f32]>,
) -> [Vec<f32>; 2] {
    let channels = w.len();
    let (center, low): (Vec<f32>, Vec<f64>) = of.mean.iter().map(|m| split(*m)).unzip();
    let parts: Vec<[Vec<f32>; 2]> = dy
        .par_chunks(ROWS * channels)
        .zip(x.par_chunks(ROWS * channels))
        .map(|(dy, x)| {
            let mut sums = [vec![0.0; channels], vec![0.0; channels]];
            isa.run(Products { x, dy, center: &center, sums: &mut sums });
            sums
        })
        .collect();
    let (mut sum, mut product) = (vec![0.0; channels], vec![0.0; channels]);
    for [first, second] in &parts {
        sum.iter_mut().zip(first).for_each(|(s, v)| *s += f64::from(*v));
        product.iter_mut().zip(second).for_each(|(s, v)| *s += f64::from(*v));
    }
    let (mut dw, mut db) = (vec![0.0; channels], vec![0.0; channels]);
    // dx = scale dy + slope (x - center) + shift.
    let (mut scale, mut slope, mut shift) = (vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]);
    for c in 0..channels {
        let inverse = 1.0 / (of.variance[c] + eps).sqrt();
        let product = product[c] - low[c] * sum[c];
        (dw[c], db[c]) = ((product * inverse) as f32, sum[c] as f32);
        let s = f64::from(w[c]) * inverse;
        scale[c] = s as f32;
        if let Some(rows) = of.rows {
            let k = -s * inverse * inverse * product / rows as f64;
            slope[c] = k as f32;
            shift[c] = (-s * sum[c] / rows as f64 - k * low[c]) as f32;
        }
    }
    if let Some(dx) = dx {
        assert!(x.len() == dx.len() && dy.len() == dx.len(), "batch_norm: x, dy and dx");
        let chunk = ROWS * channels;
        dx.par_chunks_mut(chunk).zip(dy.par_chunks(chunk)).zip(x.par_chunks(chunk)).for_each(
            |((dx, dy), x)| {
                let (center, scale, slope, shift) = (&*center, &*scale, &*slope, &*shift);
                isa.run(Input { x, dy, center, scale, slope, shift, dx });
            },
        );
    }
    [dw, db]
}

struct Products<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    center: &'a [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl Kernel for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let ([sum, product], channels) = (self.sums, self.center.len());
        for (x, dy) in self.x.chunks_exact(channels).zip(self.dy.chunks_exact(channels)) {
            let sums = sum.iter_mut().zip(product.iter_mut());
            for (((x, dy), center), (sum, product)) in x.iter().zip(dy).zip(self.center).zip(sums) {
                *sum += dy;
                *product += dy * (x - center);
            }
        }
    }
}

struct Input<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    center: &'a [f32],
    scale: &'a [f32],
    slope: &'a [f32],
    shift: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let channels = self.center.len();
        let rows = self.x.chunks_exact(channels).zip(self.dy.chunks_exact(channels));
        for (dx, (x, dy)) in self.dx.chunks_exact_mut(channels).zip(rows) {
            let parameters = self.center.iter().zip(self.scale).zip(self.slope.iter().zip(self.shift));
            for ((dx, (x, dy)), ((center, scale), (slope, shift))) in
                dx.iter_mut().zip(x.iter().zip(dy)).zip(parameters)
            {
                *dx = scale * dy + (slope * (x - center) + shift);
            }
        }
    }
}
