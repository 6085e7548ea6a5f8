//! The same field and the same rays for the f64 reference.
//!
//! The reference has 16 harmonics and 16 geometry features. A field with fewer is embedded: the missing rows and
//! columns are zero, and their gradients are left out on the way back.

use super::shots::Shot;
use super::*;
use crate::ops::check::widen;
use crate::ops::field_reference::{
    FieldGradients, FieldReference, GEOMETRY, ReferenceRay, ReferenceSample, SpreadReference,
};
use crate::ops::hash_grid::reference as hash_grid;
use crate::ops::mlp::reference::{self as mlp, Matrix};
use crate::ops::rigid::reference as rigid;
use crate::ops::saliency::reference as saliency;
use crate::ops::sh::{COEFFICIENTS, reference as sh};

/// Places on the scale that the setup's spread has, for rays no longer than 1.
fn place(t: f64) -> f64 {
    let (knee, place) =
        (f64::from(KNEE), |t: f64, knee: f64| if t <= knee { t } else { knee + knee * (t / knee).ln() });
    place(t, knee) / place(1.0, knee)
}

/// The length of a stretch there.
fn length(t: f64, dt: f64) -> f64 {
    let knee = f64::from(KNEE);
    dt * (knee / t.max(knee)) / (knee + knee * (1.0 / knee).ln())
}

impl Setup {
    /// The reference with the parameters' current values.
    pub fn oracle(&self, engine: &CpuEngine) -> FieldReference {
        let (params, handles) = (&engine.params, &engine.layout.handles);
        let levels = self.grid.levels().unwrap();
        let (tables, networks) = params.blocks().split_at(levels.len());
        let networks = &networks[..self.density_layers + self.color_layers + 2];
        let tables = tables.iter().map(|b| widen(&b.weight)).collect();
        let mut matrices = networks.iter().map(|b| Matrix {
            rows: b.spec.shape[0],
            columns: b.spec.shape[1],
            values: widen(&b.weight),
        });
        let mut density: Vec<Matrix> = matrices.by_ref().take(self.density_layers + 1).collect();
        let mut color: Vec<Matrix> = matrices.collect();
        let last = &mut density[self.density_layers];
        if self.hidden {
            last.values.rotate_right(last.columns);
        }
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
        let min_transmittance = self.min_transmittance.into();
        let grid = |side| (side, widen(params.weight(handles.saliency.unwrap())));
        let (saliency, gate) = (self.saliency.map(grid), self.gate.map(f64::from));
        let colors = handles.colors.iter();
        let codes = colors.flat_map(|b| widen(params.weight(*b)).as_chunks().0.to_vec()).collect();
        let [distortion, depth] = self.spread.map(f64::from);
        FieldReference {
            min_transmittance,
            saliency,
            gate,
            codes,
            spread: (distortion > 0.0 || depth > 0.0).then_some(SpreadReference {
                distortion,
                depth,
                place,
                length,
            }),
            ..FieldReference::new(levels, self.grid.features, tables, density, color)
        }
    }

    /// The column of the reference's first color layer for column `i` of ours.
    fn wide_column(&self, i: usize) -> usize {
        if i < self.harmonics { i } else { COEFFICIENTS + i - self.harmonics + usize::from(self.hidden) }
    }

    /// The gradients in the order and shape of the parameters' blocks.
    pub fn blocks(
        &self,
        gradients: FieldGradients,
        rays: &[ReferenceRay],
        engine: &CpuEngine,
    ) -> Vec<Vec<f64>> {
        let pose = self.pose_gradient(&gradients, rays, engine);
        let FieldGradients { mut tables, mut density, mut color, saliency, codes, .. } = gradients;
        let last = &mut density[self.density_layers].values;
        last.truncate(self.geometry * self.width);
        if self.hidden {
            last.rotate_left(self.width);
        }
        let seen = self.geometry - usize::from(self.hidden);
        let columns: Vec<usize> = (0..self.harmonics + seen).map(|i| self.wide_column(i)).collect();
        let rows = color[0].values.chunks_exact(color[0].columns);
        color[0].values = rows.flat_map(|row| columns.iter().map(|c| row[*c])).collect();
        tables.extend(density.into_iter().chain(color).map(|m| m.values));
        tables.extend(self.pose.then_some(pose));
        tables.extend(self.colors.then(|| codes.concat()));
        if self.saliency.is_some() {
            tables.push(saliency);
        }
        tables
    }

    /// What the rays' gradients mean for the cameras' corrections.
    fn pose_gradient(
        &self,
        gradients: &FieldGradients,
        rays: &[ReferenceRay],
        engine: &CpuEngine,
    ) -> Vec<f64> {
        let Some(block) = engine.layout.handles.poses else { return Vec::new() };
        let (values, side) = (widen(engine.params.weight(block)), f64::from(self.box_side));
        let mut sums = vec![0.0; values.len()];
        for ((ray, positions), seen) in rays.iter().zip(&gradients.positions).zip(&gradients.directions) {
            let row = 6 * ray.camera..6 * ray.camera + 6;
            let correction: [f64; 6] = values[row.clone()].try_into().unwrap();
            let sum = |of: &dyn Fn(&ReferenceSample) -> f64, axis: usize| -> f64 {
                ray.samples.iter().zip(positions).map(|(s, d)| of(s) * d[axis] / side).sum()
            };
            let d_origin = [0, 1, 2].map(|a| sum(&|_| 1.0, a));
            let d_direction = [0, 1, 2].map(|a| sum(&|s| s.t, a) + seen[a]);
            let [a, b, c, ..] = correction;
            let before = rigid::turn([-a, -b, -c], ray.direction);
            let d = rigid::backward(correction, before, d_origin, d_direction);
            sums[row].iter_mut().zip(d).for_each(|(sum, d)| *sum += d);
        }
        sums
    }

    /// The rays as a training step sees them: at most [`CAPACITY`] samples, positions clamped to the box.
    pub fn samples(&self, shots: &Shots) -> Vec<ReferenceRay> {
        shots.all.iter().map(|shot| self.ray_samples(shot, CAPACITY)).collect()
    }

    /// The rays with all their samples, as pictures have them.
    pub fn all_samples(&self, shots: &Shots) -> Vec<ReferenceRay> {
        shots.all.iter().map(|shot| self.ray_samples(shot, usize::MAX)).collect()
    }

    /// Where in the unit cube the encoding sees the point at distance `t`.
    fn position(&self, ray: &Ray, t: f32) -> [f64; 3] {
        let (side, t) = (f64::from(self.box_side), f64::from(t));
        let along = |a: usize| f64::from(ray.origin[a]) + t * f64::from(ray.direction[a]);
        [0, 1, 2].map(|a| ((along(a) - 0.5) / side + 0.5).clamp(0.0, 1.0))
    }

    fn ray_samples(&self, shot: &Shot, limit: usize) -> ReferenceRay {
        let sample = |(t, dt): (&f32, &f32)| ReferenceSample {
            position: self.position(&shot.ray, *t),
            t: f64::from(*t),
            dt: f64::from(*dt),
        };
        let [r, g, b, alpha, x, y, z, distance] = shot.target.map(f64::from);
        ReferenceRay {
            direction: shot.ray.direction.map(f64::from),
            samples: shot.samples.t.iter().zip(&shot.samples.dt).take(limit).map(sample).collect(),
            target: [r, g, b, alpha],
            background: [x, y, z],
            camera: shot.ray.camera as usize,
            distance,
        }
    }

    /// Moves samples a little along their rays, away from where rounding would decide whether a neuron is on: a
    /// ReLU's gradient jumps there, and neither side is wrong.
    pub fn steer_clear(&self, oracle: &FieldReference, shots: &mut Shots) {
        let (clear, nudge, tries) = (2e-5, 1e-5 * self.box_side, 5);
        for shot in &mut shots.all {
            for i in 0..shot.samples.t.len() {
                for _ in 0..tries {
                    let position = self.position(&shot.ray, shot.samples.t[i]);
                    if margin(oracle, position, shot.ray.direction.map(f64::from)) > clear {
                        break;
                    }
                    shot.samples.t[i] += nudge;
                }
            }
        }
    }
}

/// How far the neuron that is closest to its threshold is away from it.
fn margin(oracle: &FieldReference, position: [f64; 3], direction: [f64; 3]) -> f64 {
    let mut encoding = Vec::new();
    for (level, table) in oracle.levels.iter().zip(&oracle.tables) {
        let place = hash_grid::locate(level, position);
        encoding.extend(hash_grid::forward(level, oracle.features, table, &[place]));
    }
    let mut input = sh::forward(direction).to_vec();
    input.extend(mlp::forward(&oracle.density, &encoding).output());
    if let Some((side, grid)) = &oracle.saliency {
        encoding = saliency::scale(saliency::logit(*side, grid, position), &encoding);
    }
    let hidden = |network: &[Matrix], input: &[f64]| {
        // A network that ends early has a linear end: what its last ReLU would see.
        let depths = 1..network.len();
        let sums = depths.flat_map(|depth| mlp::forward(&network[..depth], input).output().to_vec());
        sums.map(f64::abs).fold(f64::INFINITY, f64::min)
    };
    hidden(&oracle.density, &encoding).min(hidden(&oracle.color, &input))
}
