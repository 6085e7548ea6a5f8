//! The Instant-NGP field and HollowNeRF's, and their loss for a batch of rays, composed of the op references, in f64.
//!
//! For every sample: hash grid (L F values) -> density MLP -> h (16 values) -> density from `h_0`; color MLP of
//! the 16 spherical harmonics of the direction, then all of h -> sigmoid -> color. For every ray: compositing
//! and loss. HollowNeRF scales the encoding by the saliency and multiplies the density with the gate of the result.
//! [`FieldReference::loss_and_gradients`] is the oracle that a fast engine is checked against.

mod backward;
mod forward;

use super::activation::reference::{Activation, EXP};
use super::affine_color::reference as affine;
use super::hash_grid::{GridLevel, reference as hash_grid};
use super::loss::reference::{self as loss, Penalty};
use super::mlp::reference::Matrix;
use forward::Forward;

/// Outputs of the density network: the raw density, and with it the features that the color network sees.
pub const GEOMETRY: usize = 16;

/// A field and how it is judged.
#[derive(Debug, Clone)]
pub struct FieldReference {
    /// Levels of the hash grid.
    pub levels: Vec<GridLevel>,
    /// Features per entry (F).
    pub features: usize,
    /// One table per level, `[entries][F]`.
    pub tables: Vec<Vec<f64>>,
    /// Density network, from L F values to [`GEOMETRY`].
    pub density: Vec<Matrix>,
    /// Color network, from 16 + [`GEOMETRY`] values (harmonics first) to 3.
    pub color: Vec<Matrix>,
    /// Density from `h_0`.
    pub density_activation: Activation,
    /// Finds a point's cell: in f64, or with a fast path's f32 rounding.
    pub locate: fn(&GridLevel, [f64; 3]) -> hash_grid::GridPoint,
    /// Logits of the saliency grid and how many there are per axis.
    pub saliency: Option<(usize, Vec<f64>)>,
    /// alpha of the density's gate.
    pub gate: Option<f64>,
    /// Transmittance at which a ray ends.
    pub min_transmittance: f64,
    /// Penalty of the loss.
    pub penalty: Penalty,
    /// The cameras' colors (see [`affine`]); none where they are not learned.
    pub codes: Vec<[f64; 12]>,
    /// What holds weights together: weights of distortion and deviation, and the place of a distance and the length of a
    /// stretch there (see [`super::distortion`]).
    pub spread: Option<SpreadReference>,
}

/// See [`FieldReference::spread`].
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct SpreadReference {
    pub distortion: f64,
    pub depth: f64,
    pub place: fn(f64) -> f64,
    pub length: fn(f64, f64) -> f64,
}

/// One sample of a ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceSample {
    /// Where, in the unit cube.
    pub position: [f64; 3],
    /// Distance from the ray's origin.
    pub t: f64,
    /// Length of its interval.
    pub dt: f64,
}

/// A ray to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceRay {
    /// Unit direction.
    pub direction: [f64; 3],
    /// Samples, front to back.
    pub samples: Vec<ReferenceSample>,
    /// The pixel: straight color and alpha, 0 to 1.
    pub target: [f64; 4],
    /// Background of both the rendered ray and the pixel.
    pub background: [f64; 3],
    /// Its camera.
    pub camera: usize,
    /// The known distance of what it meets; 0 for none.
    pub distance: f64,
}

/// What one ray rendered to.
#[derive(Debug, Clone, PartialEq)]
pub struct RayOutput {
    /// Color without background.
    pub color: [f64; 3],
    /// Weighted sum of distances, not divided by opacity.
    pub depth: f64,
    /// Sum of the weights.
    pub opacity: f64,
    /// Samples before the ray ended.
    pub live_samples: usize,
}

/// Gradients of the mean loss, shaped as the field's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldGradients {
    /// Per level, `[entries][F]`.
    pub tables: Vec<Vec<f64>>,
    /// Per layer of the density network.
    pub density: Vec<Matrix>,
    /// Per layer of the color network.
    pub color: Vec<Matrix>,
    /// Of the saliency grid; empty without one.
    pub saliency: Vec<f64>,
    /// Per camera, of its colors.
    pub codes: Vec<[f64; 12]>,
    /// Per ray, of its samples' positions in the unit cube (not through a saliency grid), and of its direction as the
    /// color network sees it.
    pub positions: Vec<Vec<[f64; 3]>>,
    /// See `positions`.
    pub directions: Vec<[f64; 3]>,
}

impl FieldReference {
    /// A field whose parameters are given, with exponential density, f64 places, no early stop, and MSE.
    pub fn new(
        levels: Vec<GridLevel>,
        features: usize,
        tables: Vec<Vec<f64>>,
        density: Vec<Matrix>,
        color: Vec<Matrix>,
    ) -> Self {
        Self {
            levels,
            features,
            tables,
            density,
            color,
            density_activation: EXP,
            locate: hash_grid::locate,
            saliency: None,
            gate: None,
            min_transmittance: 0.0,
            penalty: Penalty::Mse,
            codes: Vec::new(),
            spread: None,
        }
    }

    /// Density (per unit of length) and color of a point seen along a unit direction.
    pub fn query(&self, position: [f64; 3], direction: [f64; 3]) -> (f64, [f64; 3]) {
        let forward = self.forward(direction, &[ReferenceSample { position, t: 0.0, dt: 0.0 }]);
        (forward.sigma[0], [forward.rgb[0], forward.rgb[1], forward.rgb[2]])
    }

    /// The mean loss of the rays, its gradients, and what each ray rendered to.
    pub fn loss_and_gradients(&self, rays: &[ReferenceRay]) -> (f64, FieldGradients, Vec<RayOutput>) {
        let forwards: Vec<Forward> =
            rays.iter().map(|ray| self.forward(ray.direction, &ray.samples)).collect();
        let outputs: Vec<RayOutput> = forwards.iter().map(|forward| self.render(forward)).collect();
        let judged: Vec<loss::RenderedRay> =
            rays.iter().zip(&outputs).map(|(ray, output)| self.judge(ray, output)).collect();
        let (mut loss, d_rays) = loss::evaluate(self.penalty, &judged);
        let mut gradients = FieldGradients {
            tables: self.tables.iter().map(|table| vec![0.0; table.len()]).collect(),
            density: self.density.iter().map(|w| Matrix::zeros(w.rows, w.columns)).collect(),
            color: self.color.iter().map(|w| Matrix::zeros(w.rows, w.columns)).collect(),
            saliency: self.saliency.iter().flat_map(|(_, grid)| vec![0.0; grid.len()]).collect(),
            codes: vec![[0.0; 12]; self.codes.len()],
            positions: Vec::new(),
            directions: Vec::new(),
        };
        for (((forward, d_ray), ray), output) in forwards.iter().zip(&d_rays).zip(rays).zip(&outputs) {
            let mut d_ray = *d_ray;
            if let Some(code) = self.codes.get(ray.camera) {
                let (d_code, d_color, d_opacity) =
                    affine::backward(code, output.color, output.opacity, d_ray.value);
                add(&mut gradients.codes[ray.camera], &d_code);
                d_ray.value = d_color;
                d_ray.opacity += d_opacity;
            }
            let (spread, d_weights) = self.spread(forward, ray.distance, 1.0 / rays.len() as f64);
            loss += spread;
            self.backward(forward, &d_ray, ray.direction, &d_weights, &mut gradients);
        }
        (loss, gradients, outputs)
    }

    /// A ray as its camera shows it, and its pixel.
    fn judge(&self, ray: &ReferenceRay, output: &RayOutput) -> loss::RenderedRay {
        let RayOutput { color, opacity, .. } = *output;
        let value = self.codes.get(ray.camera).map_or(color, |code| affine::forward(code, color, opacity));
        loss::RenderedRay { value, opacity, target: ray.target, background: ray.background }
    }
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

#[cfg(test)]
mod tests;
