//! Gradients in two passes: sums over rows, then x.
use rayon::prelude::*;

use super::forward::{Affine, Apply, Normalization, split};
use super::statistics::ROWS;
use crate::ops::gelu::{self, Form};
use crate::ops::output::{Room, by_chunks, by_chunks_with, by_rows, written, written_with};
use crate::simd::{Isa, Kernel, Simd};

/// Gradients of w and b for `dy`, and that of x, if it is wanted.
///
/// # Panics
/// If shapes do not fit.
#[must_use]
pub fn backward(
    isa: Isa,
    x: &[f32],
    of: &Normalization<'_>,
    dy: &[f32],
    wanted: bool,
) -> ([Vec<f32>; 2], Option<Vec<f32>>) {
    assert_eq!(x.len(), dy.len(), "batch_norm: x and dy");
    let (affine, chunk) = (&Affine::new(of), ROWS * of.w.len());
    let sums = || [vec![0.0; of.w.len()], vec![0.0; of.w.len()]];
    let Some(form) = of.activation else {
        let rows = x.par_chunks(chunk).zip(dy.par_chunks(chunk));
        let parts = rows.map(|(x, dy)| {
            let mut sums = sums();
            isa.run(Sums { x, dy, center: &affine.center, sums: &mut sums });
            sums
        });
        let (gradients, of) = &combine(of, &parts.collect::<Vec<_>>());
        let dx = wanted.then(|| {
            written(x.len(), |dx| {
                by_chunks(dx, chunk, |at, dx| {
                    let range = at * chunk..at * chunk + dx.len();
                    let d = dx.write_copy_of_slice(&dy[range.clone()]);
                    isa.run(ToInput { x: &x[range], center: &affine.center, of, d });
                    d
                })
            })
        });
        return (gradients.clone(), dx);
    };
    // The gradient before the activation waits where that of x will be.
    let (mut d, parts) = written_with(x.len(), |d| {
        by_chunks_with(d, chunk, |at, d| {
            let range = at * chunk..at * chunk + d.len();
            let mut sums = sums();
            let (x, dy) = (&x[range.clone()], &dy[range]);
            let d = isa.run(ThroughActivation { x, affine, form, dy, d, sums: &mut sums });
            (d, sums)
        })
    });
    let (gradients, of) = combine(of, &parts);
    let dx = wanted.then(|| {
        d.par_chunks_mut(chunk).zip(x.par_chunks(chunk)).for_each(|(d, x)| {
            isa.run(ToInput { x, center: &affine.center, of: &of, d });
        });
        d
    });
    (gradients, dx)
}

/// `dx = scale d + slope (x - center) + shift`, channel by channel.
struct InputMap {
    scale: Vec<f32>,
    slope: Vec<f32>,
    shift: Vec<f32>,
}

/// Gradients of w and b, and the map that gives that of x, from the sums of all chunks.
fn combine(of: &Normalization<'_>, parts: &[[Vec<f32>; 2]]) -> ([Vec<f32>; 2], InputMap) {
    let channels = of.w.len();
    let (mut sum, mut product) = (vec![0.0; channels], vec![0.0; channels]);
    for [first, second] in parts {
        sum.iter_mut().zip(first).for_each(|(s, v)| *s += f64::from(*v));
        product.iter_mut().zip(second).for_each(|(s, v)| *s += f64::from(*v));
    }
    let (mut dw, mut db) = (vec![0.0; channels], vec![0.0; channels]);
    let (mut scale, mut slope, mut shift) = (vec![0.0; channels], vec![0.0; channels], vec![0.0; channels]);
    for c in 0..channels {
        let inverse = 1.0 / (of.statistics.variance[c] + of.eps).sqrt();
        let (_, low) = split(of.statistics.mean[c]);
        let product = product[c] - low * sum[c];
        (dw[c], db[c]) = ((product * inverse) as f32, sum[c] as f32);
        let s = f64::from(of.w[c]) * inverse;
        scale[c] = s as f32;
        if let Some(rows) = of.statistics.rows {
            let k = -s * inverse * inverse * product / rows as f64;
            slope[c] = k as f32;
            shift[c] = (-s * sum[c] / rows as f64 - k * low) as f32;
        }
    }
    ([dw, db], InputMap { scale, slope, shift })
}

/// `d = dy gelu'(z)`, z computed again, and its [`Sums`].
struct ThroughActivation<'a, 'o> {
    x: &'a [f32],
    affine: &'a Affine,
    form: Form,
    dy: &'a [f32],
    d: &'o mut Room,
    sums: &'a mut [Vec<f32>; 2],
}

impl<'o> Kernel for ThroughActivation<'_, 'o> {
    type Output = &'o mut [f32];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> &'o mut [f32] {
        let Self { affine, form, sums, .. } = self;
        let block = affine.block();
        let mut z = Box::new_uninit_slice(block.min(self.x.len()));
        by_rows!(self.d, block, |at, d| {
            let range = at * block..at * block + d.len();
            let x = &self.x[range.clone()];
            let z = Apply { x, affine, y: &mut z[..x.len()] }.run(s);
            let d = d.write_copy_of_slice(&self.dy[range]);
            gelu::Backward { form, x: z, d }.run(s);
            Sums { x, dy: d, center: &affine.center, sums }.run(s);
            d
        })
    }
}

/// Adds to the sums of dy and of `dy (x - center)`.
struct Sums<'a> {
    x: &'a [f32],
    dy: &'a [f32],
    center: &'a [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl Kernel for Sums<'_> {
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

/// `d <- scale d + slope (x - center) + shift`.
struct ToInput<'a> {
    x: &'a [f32],
    center: &'a [f32],
    of: &'a InputMap,
    d: &'a mut [f32],
}

impl Kernel for ToInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (center, InputMap { scale, slope, shift }) = (self.center, self.of);
        let channels = center.len();
        for (d, x) in self.d.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            let parameters = center.iter().zip(scale).zip(slope.iter().zip(shift));
            for ((d, x), ((center, scale), (slope, shift))) in d.iter_mut().zip(x).zip(parameters) {
                *d = scale * *d + (slope * (x - center) + shift);
            }
        }
    }
}
