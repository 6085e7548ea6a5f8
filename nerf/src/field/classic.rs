//! The classic radiance field (Mildenhall et al. 2020, appendix A).
//!
//! ```text
//! h_0 = relu(W_0 enc(x)),  h_i = relu(W_i h_(i-1)),  at the skip  h_s = relu(W_s [enc(x), h_(s-1)])
//! raw density = w h_last,  feature = W h_last,  view = relu(W [enc(d), feature]),  rgb = sigmoid(W view)
//! ```
//!
//! All layers have biases. As everywhere here, the density is `exp` of the raw one, and positions are those of the render box;
//! space is not sampled twice: the occupancy grid says where samples are needed.

use super::CHANNELS;
use crate::config::NerfConfig;
use nerve_core::field::{Encoding, FieldSpec, LayerSpec, OptimizerSpec, SlotId, StageSpec};
use nerve_core::ops::eugen::Nonlinearity::{Identity, Relu};
use nerve_core::ops::frequency;

/// Its stages, and the slot of the raw colors.
pub(super) fn network(config: &NerfConfig) -> (FieldSpec, SlotId) {
    let c = &config.classic;
    let mut spec = FieldSpec::new(Encoding::Frequency { octaves: c.octaves });
    let mut layer = |name: &str, inputs: &[SlotId], outputs: usize, activation| {
        let output = spec.slot(outputs);
        let (name, inputs) = (name.to_owned(), inputs.to_vec());
        LayerSpec { name, ray_input: None, inputs, output, activation, bias: true, int8: false }
    };
    let (mut stages, mut h) = (Vec::new(), SlotId::ENCODING);
    for l in 0..c.trunk_layers {
        let sees_again = l > 0 && l == c.skip;
        let inputs = if sees_again { vec![SlotId::ENCODING, h] } else { vec![h] };
        let next = layer(&format!("trunk.{l}"), &inputs, c.trunk_width, Relu);
        h = next.output;
        stages.push(StageSpec::Layer(next));
    }
    let density = layer("density", &[h], 1, Identity);
    let feature = layer("feature", &[h], c.trunk_width, Identity);
    let mut view = layer("view", &[feature.output], c.view_width, Relu);
    let color = layer("color", &[view.output], CHANNELS, Identity);
    let octaves = c.direction_octaves;
    let (directions, raw) = (spec.slot(frequency::outputs(octaves)), color.output);
    view.ray_input = Some(directions);
    let input = density.output;
    stages.extend([
        StageSpec::Layer(density),
        StageSpec::Density { input, column: 0 },
        StageSpec::Layer(feature),
        StageSpec::Directions { output: directions, octaves: Some(octaves) },
        StageSpec::Layer(view),
        StageSpec::Layer(color),
    ]);
    spec.stages = stages;
    // Adam's usual memory: gradients of a deep network are noisier than those of tables.
    spec.optimizer = OptimizerSpec {
        betas: [0.9, 0.999],
        eps: 1e-8,
        network_rate: c.layer_rate,
        ..OptimizerSpec::default()
    };
    (spec, raw)
}
