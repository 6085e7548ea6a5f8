//! A ray's samples through the field, and the ray that they make.
use super::{FieldReference, GEOMETRY, RayOutput, ReferenceSample};
use crate::ops::activation::reference::SIGMOID;
use crate::ops::composite::reference as composite;
use crate::ops::distortion::reference as distortion;
use crate::ops::gate::reference as gate;
use crate::ops::hash_grid::{GridLevel, reference as hash_grid};
use crate::ops::mlp::reference::{self as mlp, Trace};
use crate::ops::saliency::reference as saliency;
use crate::ops::sh::reference as sh;

/// Everything the backward pass of one ray needs.
pub(super) struct Forward {
    /// Per level, per sample.
    pub(super) places: Vec<Vec<hash_grid::GridPoint>>,
    /// The encoding, and what the density network sees of it.
    pub(super) encoding: Vec<f64>,
    pub(super) scaled: Vec<f64>,
    pub(super) positions: Vec<[f64; 3]>,
    pub(super) density: Trace,
    pub(super) color: Trace,
    /// Density per sample.
    pub(super) sigma: Vec<f64>,
    /// Color after the sigmoid, `[n][3]`.
    pub(super) rgb: Vec<f64>,
    pub(super) t: Vec<f64>,
    pub(super) dt: Vec<f64>,
}

impl FieldReference {
    pub(super) fn forward(&self, direction: [f64; 3], samples: &[ReferenceSample]) -> Forward {
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
    pub(super) fn scale(&self, encoding: &[f64], positions: &[[f64; 3]]) -> Vec<f64> {
        let Some((side, grid)) = &self.saliency else { return encoding.to_vec() };
        let points = encoding.chunks_exact(self.encoding_width()).zip(positions);
        points.flat_map(|(f, at)| saliency::scale(saliency::logit(*side, grid, *at), f)).collect()
    }

    /// The gate of every sample; 1 without one.
    pub(super) fn gates(&self, scaled: &[f64]) -> impl Iterator<Item = f64> {
        scaled
            .chunks_exact(self.encoding_width())
            .map(|v| self.gate.map_or(1.0, |alpha| gate::forward(alpha, v)))
    }

    pub(super) fn composite_ray<'a>(&self, forward: &'a Forward) -> composite::RaySamples<'a> {
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

    pub(super) fn render(&self, forward: &Forward) -> RayOutput {
        let out = composite::forward(&self.composite_ray(forward));
        RayOutput {
            color: [out.value[0], out.value[1], out.value[2]],
            depth: out.depth,
            opacity: out.opacity,
            live_samples: out.weights.len(),
        }
    }

    /// What a ray's spread adds to the loss, and the gradient of its weights.
    pub(super) fn spread(&self, forward: &Forward, distance: f64, share: f64) -> (f64, Vec<f64>) {
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

    pub(super) fn encoding_width(&self) -> usize {
        self.levels.len() * self.features
    }

    /// One level's features in an encoding `[n][L F]`, point by point.
    pub(super) fn of_level<'a>(
        &self,
        level: usize,
        encoding: &'a mut [f64],
    ) -> impl Iterator<Item = &'a mut f64> {
        let features = self.features;
        let points = encoding.chunks_exact_mut(self.encoding_width());
        points.flat_map(move |point| &mut point[level * features..][..features])
    }
}

/// The raw density of every sample: the first value of h.
pub(super) fn raw_density(density: &Trace) -> impl Iterator<Item = f64> {
    density.output().iter().step_by(GEOMETRY).copied()
}
