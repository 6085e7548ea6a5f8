//! The Instant-NGP field and HollowNeRF's, and their loss for a batch of rays, composed of the op references, in f64.
//!
//! For every sample: hash grid (L F values) -> density MLP -> h (16 values) -> density from `h_0`; color MLP of
//! the 16 spherical harmonics of the direction, then all of h -> sigmoid -> color. For every ray: compositing
//! and loss. HollowNeRF scales the encoding by the saliency and multiplies the density with the gate of the result.
//! [`FieldReference::loss_and_gradients`] is the oracle that a fast engine is checked against.

use super::activation::reference::{Activation, EXP, SIGMOID};
use super::affine_color::reference as affine;
use super::composite::reference as composite;
use super::distortion::reference as distortion;
use super::gate::reference as gate;
use super::hash_grid::{GridLevel, reference as hash_grid};
use super::loss::reference::{self as loss, Penalty};
use super::mlp::reference::{self as mlp, Matrix, Trace};
use super::saliency::reference as saliency;
use super::sh::reference as sh;

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
    /// The cameras' colors (see [`affine`]); none where they are not learnt.
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

/// Everything the backward pass of one ray needs.
struct Forward {
    /// Per level, per sample.
    places: Vec<Vec<hash_grid::GridPoint>>,
    /// The encoding, and what the density network sees of it.
    encoding: Vec<f64>,
    scaled: Vec<f64>,
    positions: Vec<[f64; 3]>,
    density: Trace,
    color: Trace,
    /// Density per sample.
    sigma: Vec<f64>,
    /// Color after the sigmoid, `[n][3]`.
    rgb: Vec<f64>,
    t: Vec<f64>,
    dt: Vec<f64>,
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

    fn forward(&self, direction: [f64; 3], samples: &[ReferenceSample]) -> Forward {
        let place = |level: &GridLevel| samples.iter().map(|s| (self.locate)(level, s.position)).collect();
        let places: Vec<Vec<hash_grid::GridPoint>> = self.levels.iter().map(place).collect();
        let mut encoding = vec![0.0; samples.len() * self.encoding_width()];
        for (l, level) in self.levels.iter().enumerate() {
            let features = hash_grid::forward(level, self.features, &self.tables[l], &places[l]);
            self.of_level(l, &mut encoding).zip(features).for_each(|(to, from)| *to = from);
        }
        let positions: Vec<[f64; 3]> = samples.iter().map(|s| s.position).collect();
        let scaled = self.scale(&encoding, &positions);
        let density = mlp::forward(&self.density, &scaled);
        let harmonics = sh::forward(direction);
        let mut color_input = Vec::new();
        for h in density.output().chunks_exact(GEOMETRY) {
            color_input.extend(harmonics);
            color_input.extend_from_slice(h);
        }
        let color = mlp::forward(&self.color, &color_input);
        Forward {
            places,
            sigma: self
                .gates(&scaled)
                .zip(raw_density(&density))
                .map(|(gate, raw)| gate * (self.density_activation.value)(raw))
                .collect(),
            rgb: color.output().iter().map(|&c| (SIGMOID.value)(c)).collect(),
            density,
            color,
            encoding,
            scaled,
            positions,
            t: samples.iter().map(|s| s.t).collect(),
            dt: samples.iter().map(|s| s.dt).collect(),
        }
    }

    /// The encoding times the saliency.
    fn scale(&self, encoding: &[f64], positions: &[[f64; 3]]) -> Vec<f64> {
        let Some((side, grid)) = &self.saliency else { return encoding.to_vec() };
        let points = encoding.chunks_exact(self.encoding_width()).zip(positions);
        points.flat_map(|(f, at)| saliency::scale(saliency::logit(*side, grid, *at), f)).collect()
    }

    /// The gate of every sample; 1 without one.
    fn gates(&self, scaled: &[f64]) -> impl Iterator<Item = f64> {
        scaled
            .chunks_exact(self.encoding_width())
            .map(|v| self.gate.map_or(1.0, |alpha| gate::forward(alpha, v)))
    }

    fn composite_ray<'a>(&self, forward: &'a Forward) -> composite::RaySamples<'a> {
        let Forward { sigma, rgb, t, dt, .. } = forward;
        composite::RaySamples {
            sigma,
            color: rgb,
            channels: 3,
            t,
            dt,
            min_transmittance: self.min_transmittance,
        }
    }

    fn render(&self, forward: &Forward) -> RayOutput {
        let out = composite::forward(&self.composite_ray(forward));
        RayOutput {
            color: [out.value[0], out.value[1], out.value[2]],
            depth: out.depth,
            opacity: out.opacity,
            live_samples: out.weights.len(),
        }
    }

    /// What a ray's spread adds to the loss, and the gradient of its weights.
    fn spread(&self, forward: &Forward, distance: f64, share: f64) -> (f64, Vec<f64>) {
        let Some(spread) = self.spread else { return (0.0, Vec::new()) };
        let w = composite::forward(&self.composite_ray(forward)).weights;
        let s: Vec<f64> = forward.t[..w.len()].iter().map(|t| (spread.place)(*t)).collect();
        let ds: Vec<f64> =
            forward.t.iter().zip(&forward.dt).take(w.len()).map(|(t, dt)| (spread.length)(*t, *dt)).collect();
        let mut loss = share * spread.distortion * distortion::distortion(&w, &s, &ds);
        let mut d: Vec<f64> = distortion::distortion_gradient(&w, &s, &ds);
        d.iter_mut().for_each(|d| *d *= share * spread.distortion);
        if distance > 0.0 {
            let place = (spread.place)(distance);
            loss += share * spread.depth * distortion::deviation(&w, &s, place);
            d.iter_mut().zip(&s).for_each(|(d, s)| *d += share * spread.depth * (s - place).abs());
        }
        (loss, d)
    }

    fn backward(
        &self,
        forward: &Forward,
        d_ray: &loss::RenderedRayGradient,
        direction: [f64; 3],
        d_weights: &[f64],
        gradients: &mut FieldGradients,
    ) {
        let ray = self.composite_ray(forward);
        let (d_sigma, d_rgb) = composite::backward_weights(&ray, &d_ray.value, 0.0, d_ray.opacity, d_weights);
        let d_raw_rgb: Vec<f64> =
            d_rgb.iter().zip(forward.color.output()).map(|(d, &raw)| d * (SIGMOID.slope)(raw)).collect();
        let (d_color_input, d_color) = mlp::backward(&self.color, &forward.color, &d_raw_rgb);
        // h reaches the loss twice: through the color network, and h_0 through the density.
        let mut d_h = Vec::new();
        let mut d_harmonics = [0.0; sh::COEFFICIENTS];
        let inputs = d_color_input.chunks_exact(sh::COEFFICIENTS + GEOMETRY);
        let gates = self.gates(&forward.scaled).zip(raw_density(&forward.density));
        for ((d_input, d_sigma), (gate, raw)) in inputs.zip(&d_sigma).zip(gates) {
            add(&mut d_harmonics, &d_input[..sh::COEFFICIENTS]);
            let first = d_h.len();
            d_h.extend_from_slice(&d_input[sh::COEFFICIENTS..]);
            d_h[first] += d_sigma * gate * (self.density_activation.slope)(raw);
        }
        let (mut d_encoding, d_density) = mlp::backward(&self.density, &forward.density, &d_h);
        self.backward_hollow(forward, &d_sigma, &mut d_encoding, gradients);
        let mut d_positions = vec![[0.0; 3]; forward.t.len()];
        for (l, level) in self.levels.iter().enumerate() {
            let d_features: Vec<f64> = self.of_level(l, &mut d_encoding).map(|d| *d).collect();
            let (d_table, d_x) =
                hash_grid::backward(level, self.features, &self.tables[l], &forward.places[l], &d_features);
            add(&mut gradients.tables[l], &d_table);
            d_positions.iter_mut().zip(&d_x).for_each(|(sum, d)| add(sum, d));
        }
        gradients.positions.push(d_positions);
        gradients.directions.push(sh::backward(direction, &d_harmonics));
        let networks = [(&mut gradients.density, d_density), (&mut gradients.color, d_color)];
        for (sum, part) in networks.into_iter().flat_map(|(sum, part)| sum.iter_mut().zip(part)) {
            add(&mut sum.values, &part.values);
        }
    }

    /// From the gradient of what the density network saw to that of the encoding.
    fn backward_hollow(
        &self,
        forward: &Forward,
        d_sigma: &[f64],
        d: &mut [f64],
        gradients: &mut FieldGradients,
    ) {
        let width = self.encoding_width();
        if let Some(alpha) = self.gate {
            let samples = forward.scaled.chunks_exact(width).zip(d.chunks_exact_mut(width));
            for (((v, d), d_sigma), raw) in samples.zip(d_sigma).zip(raw_density(&forward.density)) {
                let d_gate = d_sigma * (self.density_activation.value)(raw);
                add(d, &gate::backward(alpha, v, d_gate));
            }
        }
        if let Some((side, grid)) = &self.saliency {
            let samples = forward.encoding.chunks_exact(width).zip(d.chunks_exact_mut(width));
            for ((f, d), at) in samples.zip(&forward.positions) {
                let logit = saliency::logit(*side, grid, *at);
                let (d_logit, d_f) = saliency::scale_backward(logit, f, d);
                d.copy_from_slice(&d_f);
                saliency::backward(*side, *at, d_logit, &mut gradients.saliency);
            }
        }
    }

    /// A ray as its camera shows it, and its pixel.
    fn judge(&self, ray: &ReferenceRay, output: &RayOutput) -> loss::RenderedRay {
        let RayOutput { color, opacity, .. } = *output;
        let value = self.codes.get(ray.camera).map_or(color, |code| affine::forward(code, color, opacity));
        loss::RenderedRay { value, opacity, target: ray.target, background: ray.background }
    }

    fn encoding_width(&self) -> usize {
        self.levels.len() * self.features
    }

    /// One level's features in an encoding `[n][L F]`, point by point.
    fn of_level<'a>(&self, level: usize, encoding: &'a mut [f64]) -> impl Iterator<Item = &'a mut f64> {
        let features = self.features;
        let points = encoding.chunks_exact_mut(self.encoding_width());
        points.flat_map(move |point| &mut point[level * features..][..features])
    }
}

/// The raw density of every sample: the first value of h.
fn raw_density(density: &Trace) -> impl Iterator<Item = f64> {
    density.output().iter().step_by(GEOMETRY).copied()
}

fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
}

#[cfg(test)]
mod tests;
