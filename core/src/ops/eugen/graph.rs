//! The features as an op of graphs.

use super::FeatureConfig;
use super::cpu::{ROWS, Rows, backward_norm, backward_projections, forward};
use crate::graph::{Input, InputGradients, Keeps, Op, add_cost, apply, gradient_of, read, weight_gradient};
use crate::ops::gemm::{MatRef, gemm, gemm_here};
use crate::simd::Isa;
use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// `f(x)`: x is `(..., inputs)`, G is `(projections, columns, features)`; the result is `(..., order * features)`.
///
/// # Errors
/// If shapes do not fit.
pub fn features(x: &Tensor, g: &Tensor, config: &FeatureConfig) -> Result<Tensor> {
    let inputs = x.dims().last().copied().unwrap_or(0);
    if inputs == 0 || g.dims() != config.shape(inputs) {
        bail!(
            "eugen: G has the shape {:?}, x {:?}; G must be {:?}",
            g.dims(),
            x.dims(),
            config.shape(inputs)
        );
    }
    apply(Features(config.clone()), &[x, g])
}

struct Features(FeatureConfig);

impl Op for Features {
    fn name(&self) -> &'static str {
        "eugen"
    }

    fn keeps(&self) -> Keeps {
        Keeps::Both
    }

    fn forward(&self, given: &[Input<'_>]) -> Result<(Vec<f32>, Shape)> {
        let (config, x, g) = (&self.0, given[0], given[1]);
        let mut shape = x.dims.to_vec();
        let inputs = shape.pop().unwrap_or(1);
        shape.push(config.outputs());
        let (rows, width) = (x.len() / inputs, config.outputs());
        let isa = Isa::best();
        let mut y = vec![0.0; rows * width];
        y.par_chunks_mut(ROWS * width).enumerate().for_each(|(chunk, y)| {
            let count = y.len() / width;
            let values = &x[chunk * ROWS * inputs..][..count * inputs];
            forward(isa, config, &g, Rows { values, stride: inputs, inputs, count }, y, width);
        });
        add_cost(rows * g.len(), y.len());
        Ok((y, shape.into()))
    }

    fn backward(&self, given: &[Tensor], y: Option<&Tensor>, dy: &Tensor) -> Result<InputGradients> {
        let config = &self.0;
        let (x, g, dy) = (&given[0], &given[1], read(dy)?);
        let (xs, gs) = (read(x)?, read(g)?);
        let [projections, columns, m] = config.shape(x.dims().last().copied().unwrap_or(1));
        let inputs = columns - config.columns(0);
        let (rows, width, isa) = (xs.len() / inputs, config.outputs(), Isa::best());
        let Some(y) = y else { bail!("eugen: the features were not kept") };
        let f = read(y)?;
        // By chunks of rows, then by projections.
        let (mut dz, mut norms) = (vec![0.0; projections * rows * m], vec![0.0; rows]);
        let chunks = dz.par_chunks_mut(projections * ROWS * m).zip(norms.par_chunks_mut(ROWS)).enumerate();
        let room = || vec![0.0; config.order * ROWS * m];
        chunks.for_each_init(room, |z, (chunk, (dz, norms))| {
            let (first, count) = (chunk * ROWS, norms.len());
            let part = Rows { values: &xs[first * inputs..], stride: inputs, inputs, count };
            let (f, df) = (&f[first * width..], &dy[first * width..]);
            backward_projections(isa, config, &gs, part, f, df, width, z, norms, dz);
        });
        let dx = gradient_of(x, || {
            let mut dx = vec![0.0; xs.len()];
            let parts =
                dx.par_chunks_mut(ROWS * inputs).zip(dz.par_chunks(projections * ROWS * m)).enumerate();
            parts.for_each(|(chunk, (dx, dz))| {
                let count = dx.len() / inputs;
                for p in 0..projections {
                    let g = MatRef::rows(&gs[p * columns * m..(p + 1) * columns * m], m).t();
                    let dz = MatRef::rows(&dz[p * count * m..(p + 1) * count * m], m);
                    gemm_here([count, inputs, m], dz, g, dx, inputs, p > 0);
                }
                for (row, dx) in dx.chunks_exact_mut(inputs).enumerate() {
                    let at = chunk * ROWS + row;
                    let x = &xs[at * inputs..(at + 1) * inputs];
                    backward_norm(isa, config, &gs, x, norms[at], &dz[row * m..], count * m, dx);
                }
            });
            Ok(dx)
        })?;
        let dg = weight_gradient(g, |dg, accumulate| {
            // In the order of the chunks: the same on any number of threads.
            // With one projection, all chunks are one.
            let most = if projections == 1 { rows.max(1) } else { ROWS };
            let ones = vec![1.0; most];
            for (chunk, dz) in dz.chunks(projections * most * m).enumerate() {
                let count = dz.len() / (projections * m);
                let first = chunk * most;
                let adds = accumulate || chunk > 0;
                for (p, dg) in dg.chunks_exact_mut(columns * m).enumerate() {
                    let dz = MatRef::rows(&dz[p * count * m..(p + 1) * count * m], m);
                    let x = MatRef::rows(&xs[first * inputs..(first + count) * inputs], inputs).t();
                    gemm([inputs, m, count], x, dz, dg, m, adds);
                    let tail = &mut dg[inputs * m..];
                    gemm([1, m, count], MatRef::rows(&ones, most), dz, tail, m, adds);
                    if !config.no_norm {
                        let norms = MatRef::rows(&norms[first..first + count], count);
                        gemm([1, m, count], norms, dz, &mut tail[m..], m, adds);
                    }
                }
            }
        })?;
        Ok([dx, dg, None])
    }
}
