//! The largest value of every window, and its gradient. The loops over channels are plain; each instruction set compiles them for itself.
use rayon::prelude::*;

use crate::ops::depthwise::ChannelGeometry;
use crate::simd::{Isa, Kernel, Simd};

impl ChannelGeometry {
    /// Rows or columns that a place of an axis sees.
    fn seen(&self, axis: usize, place: usize) -> std::ops::Range<usize> {
        let (first, padding) = (place * self.window.stride[axis], self.window.padding[axis]);
        let until = (first + self.window.kernel[axis]).saturating_sub(padding);
        first.saturating_sub(padding)..until.min(self.size[axis])
    }

    /// Pixels of an image that a place sees, row by row, as indices of their first channels.
    fn pixels(&self, row: usize, column: usize) -> impl Iterator<Item = usize> + use<> {
        let (columns, width, channels) = (self.seen(1, column), self.size[1], self.channels);
        self.seen(0, row).flat_map(move |y| columns.clone().map(move |x| (y * width + x) * channels))
    }
}

/// `y`, overwritten.
///
/// # Panics
/// If shapes do not fit.
pub fn forward(isa: Isa, g: &ChannelGeometry, x: &[f32], y: &mut [f32]) {
    let image = g.size[0] * g.size[1] * g.channels;
    y.par_chunks_exact_mut(g.places[1] * g.channels).enumerate().for_each(|(row, y)| {
        let x = &x[row / g.places[0] * image..][..image];
        isa.run(Largest { g, row: row % g.places[0], x, y });
    });
}

/// Whether a value takes the place of the largest so far.
#[inline(always)]
fn larger(value: f32, best: f32) -> bool {
    value > best || value.is_nan()
}

struct Largest<'a> {
    g: &'a ChannelGeometry,
    row: usize,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Largest<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        for (column, y) in self.y.chunks_exact_mut(self.g.channels).enumerate() {
            y.fill(f32::NEG_INFINITY);
            for pixel in self.g.pixels(self.row, column) {
                for (y, x) in y.iter_mut().zip(&self.x[pixel..]) {
                    *y = if larger(*x, *y) { *x } else { *y };
                }
            }
        }
    }
}

/// Rows of dx that a thread takes at a time; places that see rows of two bands are looked at for both.
const BAND: usize = 16;

/// `dx` for `dy`, overwritten.
///
/// # Panics
/// If shapes do not fit.
pub fn backward(isa: Isa, g: &ChannelGeometry, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    let (image, pitch) = (g.size[0] * g.size[1] * g.channels, g.size[1] * g.channels);
    let image_dy = g.places[0] * g.places[1] * g.channels;
    dx.par_chunks_exact_mut(image)
        .zip(x.par_chunks_exact(image))
        .zip(dy.par_chunks_exact(image_dy))
        .flat_map(|((dx, x), dy)| {
            let bands = dx.par_chunks_mut(BAND * pitch).enumerate();
            bands.map(move |(band, dx)| (band * BAND, x, dy, dx))
        })
        .for_each(|(first, x, dy, dx)| {
            dx.fill(0.0);
            isa.run(Spread { g, first, x, dy, dx });
        });
}

struct Spread<'a> {
    g: &'a ChannelGeometry,
    /// The first row of dx.
    first: usize,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { g, first, x, dy, dx } = self;
        let channels = g.channels;
        let start = first * g.size[1] * channels;
        let end = start + dx.len();
        let (mut best, mut chosen) = (vec![0.0f32; channels], vec![0u32; channels]);
        let last = first + dx.len() / (g.size[1] * channels);
        for row in 0..g.places[0] {
            let seen = g.seen(0, row);
            if seen.end <= first || seen.start >= last {
                continue;
            }
            for column in 0..g.places[1] {
                best.fill(f32::NEG_INFINITY);
                chosen.fill(0);
                for (number, pixel) in g.pixels(row, column).enumerate() {
                    for ((best, chosen), x) in best.iter_mut().zip(&mut chosen).zip(&x[pixel..]) {
                        let take = larger(*x, *best);
                        *best = if take { *x } else { *best };
                        *chosen = if take { number as u32 } else { *chosen };
                    }
                }
                let dy = &dy[(row * g.places[1] + column) * channels..][..channels];
                for (number, pixel) in g.pixels(row, column).enumerate() {
                    if (start..end).contains(&pixel) {
                        let dx = dx[pixel - start..].iter_mut();
                        for ((dx, dy), chosen) in dx.zip(dy).zip(&chosen) {
                            *dx += if *chosen == number as u32 { *dy } else { 0.0 };
                        }
                    }
                }
            }
        }
    }
}
