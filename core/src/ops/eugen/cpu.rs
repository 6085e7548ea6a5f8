//! Rows of features by [small products](crate::ops::small_gemm): each projection starts from the constant's row and the
//! norm's, and its last registers are multiplied with the projections before it and pass through Phi before they are stored.

use super::{FeatureConfig, Nonlinearity};
use crate::ops::small_gemm::{Epilogue, Finish, Left, Shape, Start, small_gemm_from};
use crate::simd::{Isa, Kernel, Simd};

/// Rows that are worked on at a time: they and their features stay in the inner caches.
pub(crate) const ROWS: usize = 64;

/// Rows of inputs.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// `[row][stride]`.
    pub values: &'a [f32],
    /// Distance between rows.
    pub stride: usize,
    /// Values of a row.
    pub inputs: usize,
    /// Rows.
    pub count: usize,
}

impl<'a> Rows<'a> {
    /// The rows from `first` on, at most `count`.
    fn part(self, first: usize, count: usize) -> Self {
        let values = &self.values[first * self.stride..];
        Rows { values, count: count.min(self.count - first), ..self }
    }

    fn left(&self) -> Left<'a> {
        Left { values: self.values, row: self.stride, col: 1 }
    }
}

/// The features of rows into `out` `[row][ldo]`, `config.outputs()` values each.
///
/// # Panics
/// If a slice is too short.
pub(crate) fn forward(isa: Isa, config: &FeatureConfig, g: &[f32], x: Rows<'_>, out: &mut [f32], ldo: usize) {
    let m = config.features;
    let relu = config.phi == Nonlinearity::Relu;
    let mut norms = [0.0; ROWS];
    for first in (0..x.count).step_by(ROWS) {
        let part = x.part(first, ROWS);
        fill_norms(isa, config, part, &mut norms);
        let mut projection = 0;
        for order in 1..=config.order {
            let to = &mut out[first * ldo + (order - 1) * m..];
            for j in 1..=order {
                let finish = match (j, relu && j == order) {
                    (1, true) => Finish::By(Epilogue::Relu),
                    (1, false) => Finish::By(Epilogue::None),
                    (_, relu) => Finish::Times { relu },
                };
                project(isa, config, g, projection, part, &norms, to, ldo, finish);
                projection += 1;
            }
        }
    }
}

/// `G_p x+` of up to [`ROWS`] rows.
#[allow(clippy::too_many_arguments)]
fn project(
    isa: Isa,
    config: &FeatureConfig,
    g: &[f32],
    projection: usize,
    x: Rows<'_>,
    norms: &[f32],
    to: &mut [f32],
    ldo: usize,
    finish: Finish<'_>,
) {
    let (m, columns) = (config.features, config.columns(x.inputs));
    let g = &g[projection * columns * m..(projection + 1) * columns * m];
    let constant = &g[x.inputs * m..(x.inputs + 1) * m];
    let start = if config.no_norm {
        Start::Row(constant)
    } else {
        Start::Affine { constant, slope: &g[(x.inputs + 1) * m..], by: norms }
    };
    let shape = Shape { m: x.count, n: m, k: x.inputs };
    small_gemm_from(isa, shape, x.left(), g, m, to, ldo, start, finish);
}

/// The norms of up to [`ROWS`] rows, where they are seen.
fn fill_norms(isa: Isa, config: &FeatureConfig, x: Rows<'_>, norms: &mut [f32]) {
    if !config.no_norm {
        let rows = x.values.chunks(x.stride).take(x.count);
        norms
            .iter_mut()
            .zip(rows)
            .for_each(|(norm, row)| *norm = isa.run(Dot(&row[..x.inputs], &row[..x.inputs])).sqrt());
    }
}

/// The gradients of the projections of up to [`ROWS`] rows: `dz` is `[projection][row][feature]`, with `x.count` rows. `f` and
/// `df` are the features and their gradient, rows `ldf` apart; `z` is room for `order` projections of [`ROWS`] rows. Fills
/// `norms`.
///
/// # Panics
/// If a slice is too short, or there are more rows.
#[allow(clippy::too_many_arguments)]
pub(crate) fn backward_projections(
    isa: Isa,
    config: &FeatureConfig,
    g: &[f32],
    x: Rows<'_>,
    f: &[f32],
    df: &[f32],
    ldf: usize,
    z: &mut [f32],
    norms: &mut [f32],
    dz: &mut [f32],
) {
    let m = config.features;
    fill_norms(isa, config, x, norms);
    let relu = config.phi == Nonlinearity::Relu;
    let mut first = 0;
    for order in 1..=config.order {
        if order > 1 {
            for j in 0..order {
                let to = &mut z[j * ROWS * m..];
                project(isa, config, g, first + j, x, norms, to, m, Finish::By(Epilogue::None));
            }
        }
        let from = (order - 1) * m;
        for row in 0..x.count {
            let (f, df) = (&f[row * ldf + from..][..m], &df[row * ldf + from..][..m]);
            for j in 0..order {
                let at = ((first + j) * x.count + row) * m;
                let dz = &mut dz[at..at + m];
                for ((dz, df), f) in dz.iter_mut().zip(df).zip(f) {
                    *dz = if relu && *f <= 0.0 { 0.0 } else { *df };
                }
                for other in (0..order).filter(|other| *other != j) {
                    let z = &z[(other * ROWS + row) * m..][..m];
                    dz.iter_mut().zip(z).for_each(|(dz, z)| *dz *= z);
                }
            }
        }
        first += order;
    }
}

/// Adds to the gradient of a row of inputs what comes by its norm: `dz` are the gradients of the row's projections, rows
/// `step` apart.
#[allow(clippy::too_many_arguments)]
pub(crate) fn backward_norm(
    isa: Isa,
    config: &FeatureConfig,
    g: &[f32],
    x: &[f32],
    norm: f32,
    dz: &[f32],
    step: usize,
    dx: &mut [f32],
) {
    if config.no_norm || norm == 0.0 {
        return;
    }
    let (m, columns) = (config.features, config.columns(x.len()));
    let sum: f32 = (0..config.projections())
        .map(|p| isa.run(Dot(&g[(p * columns + x.len() + 1) * m..][..m], &dz[p * step..][..m])))
        .sum();
    let slope = sum / norm;
    dx.iter_mut().zip(x).for_each(|(dx, x)| *dx += slope * x);
}

/// The scalar product of two rows of one length.
struct Dot<'a>(&'a [f32], &'a [f32]);

impl Kernel for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        let Self(a, b) = self;
        let n = a.len().min(b.len());
        let whole = n / S::LANES * S::LANES;
        let mut sum = s.splat(0.0);
        let mut at = 0;
        while at < whole {
            // SAFETY: a register from `at` on lies inside both.
            unsafe {
                sum = s.fma(s.load(a.as_ptr().add(at)), s.load(b.as_ptr().add(at)), sum);
            }
            at += S::LANES;
        }
        let mut total = s.reduce_add(sum);
        while at < n {
            total += a[at] * b[at];
            at += 1;
        }
        total
    }
}
