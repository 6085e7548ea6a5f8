//! Gradients in two passes: sums over rows, then x.
use rayon::prelude::*;

use super::forward::{Affine, Apply, Normalization, split};
use super::statistics::ROWS;
use crate::ops::gelu::{self, Form};
use crate::simd::{Isa, Kernel, Simd};

/// Gradients of x (if `dx` is there, overwritten), w and b for `dy`.
///
/// # Panics
/// If extents do not fit.
pub fn backward(
    isa: Isa,
    x: &[f32],
    of: &Normalization<'_>,
    dy: &[f32],
    mut dx: Option<&mut [f32]>,
) -> [Vec<f32>; 2] {
    assert_eq!(x.len(), dy.len(), "batch_norm: x and dy");
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == x.len()), "batch_norm: x and dx");
    let (affine, chunk) = (&Affine::new(of), ROWS * of.w.len());
    let sums = || [vec![0.0; of.w.len()], vec![0.0; of.w.len()]];
    let rows = x.par_chunks(chunk).zip(dy.par_chunks(chunk));
    let parts: Vec<[Vec<f32>; 2]> = match of.activation {
        None => rows
            .map(|(x, dy)| {
                let mut sums = sums();
                isa.run(Products { x, dy, center: &affine.center, sums: &mut sums });
                sums
            })
            .collect(),
        Some(form) => {
            // The gradient before the activation waits where that of x will be.
            let mut own = Vec::new();
            let d = match dx.as_deref_mut() {
                Some(dx) => dx,
                None => {
                    own.resize(x.len(), 0.0);
                    &mut own
                }
            };
            rows.zip(d.par_chunks_mut(chunk))
                .map(|((x, dy), d)| {
                    let mut sums = sums();
                    isa.run(Activation { x, affine, form, dy, d, sums: &mut sums });
                    sums
                })
                .collect()
        }
    };
    let (gradients, input) = combine(of, &parts);
    if let Some(dx) = dx {
        let rows = x.par_chunks(chunk).zip(dy.par_chunks(chunk)).zip(dx.par_chunks_mut(chunk));
        rows.for_each(|((x, dy), d)| {
            if of.activation.is_none() {
                d.copy_from_slice(dy);
            }
            isa.run(Input { x, center: &affine.center, of: &input, d });
        });
    }
    gradients
}

/// `dx = scale d + slope (x - center) + shift`, channel by channel.
struct Map {
    scale: Vec<f32>,
    slope: Vec<f32>,
    shift: Vec<f32>,
}

/// Gradients of w and b, and how that of x is had, from the sums of all chunks.
fn combine(of: &Normalization<'_>, parts: &[[Vec<f32>; 2]]) -> ([Vec<f32>; 2], Map) {
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
    ([dw, db], Map { scale, slope, shift })
}

/// `d = dy gelu'(z)`, z computed again, and its [`Products`].
struct Activation<'a> {
    x: &'a [f32],
    affine: &'a Affine,
    form: Form,
    dy: &'a [f32],
    d: &'a mut [f32],
    sums: &'a mut [Vec<f32>; 2],
}

impl Kernel for Activation<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { affine, form, sums, .. } = self;
        let block = affine.block();
        let mut z = vec![0.0; block.min(self.x.len())];
        let rows = self.x.chunks(block).zip(self.dy.chunks(block)).zip(self.d.chunks_mut(block));
        for ((x, dy), d) in rows {
            let z = &mut z[..x.len()];
            Apply { x, affine, y: z }.run(s);
            d.copy_from_slice(dy);
            gelu::Backward { form, x: z, d }.run(s);
            Products { x, dy: d, center: &affine.center, sums }.run(s);
        }
    }
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
    center: &'a [f32],
    of: &'a Map,
    d: &'a mut [f32],
}

impl Kernel for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let (center, Map { scale, slope, shift }) = (self.center, self.of);
        let channels = center.len();
        for (d, x) in self.d.chunks_exact_mut(channels).zip(self.x.chunks_exact(channels)) {
            let parameters = center.iter().zip(scale).zip(slope.iter().zip(shift));
            for ((d, x), ((center, scale), (slope, shift))) in d.iter_mut().zip(x).zip(parameters) {
                *d = scale * *d + (slope * (x - center) + shift);
            }
        }
    }
}
