//! The same field and the same rays for the f64 reference.
//!
//! The reference has 16 harmonics and 16 geometry features. A field with fewer is embedded: the missing rows and
//! columns are zero, and their gradients are left out on the way back.

use super::shots::Shot;
use super::*;
use crate::ops::check::widen;
use crate::ops::field_reference::{FieldReference, GEOMETRY, Gradients, RaySamples, Sample};
use crate::ops::mlp::reference::Matrix;
use crate::ops::sh::COEFFICIENTS;

impl Setup {
    /// The reference with the parameters' current values.
    pub fn oracle(&self, params: &Params) -> FieldReference {
        let levels = self.grid.levels().unwrap();
        let (tables, networks) = params.blocks().split_at(levels.len());
        let tables = tables.iter().map(|b| widen(&b.weight)).collect();
        let mut matrices = networks.iter().map(|b| Matrix {
            rows: b.spec.shape[0],
            columns: b.spec.shape[1],
            values: widen(&b.weight),
        });
        let mut density: Vec<Matrix> = matrices.by_ref().take(self.density_layers + 1).collect();
        let mut color: Vec<Matrix> = matrices.collect();
        let last = &mut density[self.density_layers];
        last.values.resize(GEOMETRY * last.columns, 0.0);
        last.rows = GEOMETRY;
        let mut wide = Matrix::zeros(self.width, COEFFICIENTS + GEOMETRY);
        for o in 0..self.width {
            for i in 0..color[0].columns {
                wide.values[o * wide.columns + self.wide_column(i)] =
                    color[0].values[o * color[0].columns + i];
            }
        }
        color[0] = wide;
        let cut = self.cut.into();
        FieldReference { cut, ..FieldReference::new(levels, self.grid.features, tables, density, color) }
    }

    /// The column of the reference's first colour layer for column `i` of ours.
    fn wide_column(&self, i: usize) -> usize {
        if i < self.harmonics { i } else { COEFFICIENTS + i - self.harmonics }
    }

    /// The gradients in the order and shape of the parameters' blocks.
    pub fn blocks(&self, gradients: Gradients) -> Vec<Vec<f64>> {
        let Gradients { mut tables, mut density, mut color } = gradients;
        density[self.density_layers].values.truncate(self.geometry * self.width);
        let columns: Vec<usize> = (0..self.harmonics + self.geometry).map(|i| self.wide_column(i)).collect();
        let rows = color[0].values.chunks_exact(color[0].columns);
        color[0].values = rows.flat_map(|row| columns.iter().map(|c| row[*c])).collect();
        tables.extend(density.into_iter().chain(color).map(|m| m.values));
        tables
    }

    /// The rays as a training step sees them: at most [`CAPACITY`] samples, positions clamped to the box.
    pub fn samples(&self, shots: &Shots) -> Vec<RaySamples> {
        shots.all.iter().map(|shot| self.ray_samples(shot, CAPACITY)).collect()
    }

    /// The rays with all their samples, as pictures have them.
    pub fn all_samples(&self, shots: &Shots) -> Vec<RaySamples> {
        shots.all.iter().map(|shot| self.ray_samples(shot, usize::MAX)).collect()
    }

    fn ray_samples(&self, shot: &Shot, limit: usize) -> RaySamples {
        let Ray { origin, direction, .. } = shot.ray;
        let side = f64::from(self.box_side);
        let sample = |(t, dt): (&f32, &f32)| {
            let (t, dt) = (f64::from(*t), f64::from(*dt));
            let along = |a: usize| f64::from(origin[a]) + t * f64::from(direction[a]);
            let position = [0, 1, 2].map(|a| ((along(a) - 0.5) / side + 0.5).clamp(0.0, 1.0));
            Sample { position, t, dt }
        };
        let [r, g, b, alpha, background @ ..] = shot.target.map(f64::from);
        RaySamples {
            direction: direction.map(f64::from),
            samples: shot.samples.t.iter().zip(&shot.samples.dt).take(limit).map(sample).collect(),
            target: [r, g, b, alpha],
            background,
        }
    }
}
