//! From the gradient of a ray to those of the field's parameters, and of its samples' positions.
use super::forward::{Forward, raw_density};
use super::{FieldGradients, FieldReference, GEOMETRY, add};
use crate::ops::activation::reference::SIGMOID;
use crate::ops::composite::reference as composite;
use crate::ops::gate::reference as gate;
use crate::ops::hash_grid::reference as hash_grid;
use crate::ops::loss::reference as loss;
use crate::ops::mlp::reference as mlp;
use crate::ops::saliency::reference as saliency;
use crate::ops::sh::reference as sh;

impl FieldReference {
    pub(super) fn backward(
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
    pub(super) fn backward_hollow(
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
}
