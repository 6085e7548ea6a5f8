//! A field as kernels want it: sizes, padded to tiles, or what of it they cannot run.

use crate::device::Device;
use crate::engine::EngineError;
use crate::field::{
    Activation, Encoding, FieldLayout, FieldSpec, GateSpec, HeadLoss, MlpSpec, SlotId, Spread, StageSpec,
};
use crate::gpu::params::{self, MOST_GRADIENT_TILES, MOST_LAYERS, Network, PAD, ROWS, Shape};
use crate::ops::loss::Penalty;
use crate::ops::small_gemm::Precision;

/// The field, compiled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub shape: Shape,
    /// Tables and activations in half precision.
    pub half: bool,
    pub levels: Vec<params::GridLevel>,
    /// Values of all tables.
    pub table_values: usize,
    pub gate: Option<GateSpec>,
    pub penalty: u32,
    /// The head's factor on its loss.
    pub weight: f32,
    pub spread: Spread,
    /// Columns of a ray's target.
    pub target_columns: u32,
    pub has_distance: bool,
    /// The loss can be followed back to the rays.
    pub traces_rays: bool,
}

/// Extents are padded to whole tiles.
pub(super) fn padded(n: usize) -> usize {
    n.next_multiple_of(ROWS as usize)
}

/// Bytes of shared memory of a block of each kernel.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedMemory {
    pub probe: u32,
    pub shade: u32,
    pub backward: u32,
}

/// The stages of a field of the form that kernels have.
struct Parts<'a> {
    saliency: bool,
    gate: Option<&'a GateSpec>,
    density: &'a MlpSpec,
    column: usize,
    directions: SlotId,
    color: &'a MlpSpec,
    spread: Spread,
}

/// The stages, if they are those of the Instant-NGP field or HollowNeRF's, in order.
fn parts(spec: &FieldSpec) -> Option<Parts<'_>> {
    let mut stages = spec.stages.iter().peekable();
    let mut features = SlotId::ENCODING;
    let mut saliency = false;
    if let Some(StageSpec::Saliency { input, output }) = stages.peek() {
        (*input == SlotId::ENCODING).then_some(())?;
        (features, saliency) = (*output, true);
        stages.next();
    }
    let gate = match stages.peek() {
        Some(StageSpec::Gate(gate)) => {
            (gate.input == features).then_some(())?;
            stages.next();
            Some(gate)
        }
        _ => None,
    };
    let [
        StageSpec::Mlp(density),
        StageSpec::Density { input, column },
        StageSpec::Directions { output: directions, octaves: None },
        StageSpec::Mlp(color),
        StageSpec::Composite { spread },
    ] = stages.collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let networks = density.ray_input.is_none()
        && density.input == features
        && density.inputs == spec.columns(features)
        && *input == density.output
        && color.ray_input == Some(*directions)
        && color.input == density.output
        && !density.detach
        && !color.detach;
    networks.then_some(Parts {
        saliency,
        gate,
        density,
        column: *column,
        directions: *directions,
        color,
        spread: *spread,
    })
}

fn network(mlp: &MlpSpec, slots: &[usize], weights: &mut u32) -> Option<Network> {
    let layers = mlp.layers(slots);
    (layers.len() <= MOST_LAYERS).then_some(())?;
    let mut network = Network { layers: layers.len() as u32, ..Network::default() };
    for (l, (inputs, outputs)) in layers.into_iter().enumerate() {
        let (inputs, outputs) = (padded(inputs) as u32, padded(outputs) as u32);
        (network.inputs[l], network.outputs[l], network.weight[l]) = (inputs, outputs, *weights);
        *weights += inputs * outputs;
    }
    Some(network)
}

fn gradient_tiles(network: &Network) -> u32 {
    (0..network.layers as usize).map(|l| network.outputs[l] / 16 * (network.inputs[l] / 8)).sum()
}

impl Plan {
    /// The plan of a field on a device whose blocks may have so much shared memory.
    ///
    /// # Errors
    /// Names what of the field it cannot run, and what to use instead.
    pub fn new(
        spec: &FieldSpec,
        layout: &FieldLayout,
        device: Device,
        most_shared: u32,
    ) -> Result<Self, EngineError> {
        let refuse = |what: &str| EngineError::Unsupported { device, what: what.into() };
        let Encoding::HashGrid { grid, .. } = &spec.encoding else {
            return Err(refuse("an encoding without tables: use a hash grid, or --device cpu"));
        };
        let half = match spec.precision {
            Precision::F32 => false,
            Precision::F16 => true,
            Precision::Bf16 => return Err(refuse("--precision bf16: use f16 or f32")),
        };
        let Some(parts) = parts(spec) else {
            return Err(refuse(
                "a field of these stages: it runs those of the Instant-NGP field and HollowNeRF's",
            ));
        };
        let [head] = &spec.heads[..] else {
            return Err(refuse("a field with several heads: use --device cpu"));
        };
        let HeadLoss::Photometric(penalty) = head.loss else {
            return Err(refuse("a head that compares channels: use --device cpu"));
        };
        if head.input != parts.color.output || head.activation != Activation::Sigmoid || head.detach_density {
            return Err(refuse("a head other than a color through a sigmoid: use --device cpu"));
        }
        let mut weights = 0;
        let networks = network(parts.density, &spec.slots, &mut weights).zip(network(
            parts.color,
            &spec.slots,
            &mut weights,
        ));
        let Some((density, color)) = networks else {
            return Err(refuse(&format!("networks of more than {} hidden layers", MOST_LAYERS - 1)));
        };
        let harmonics = spec.columns(parts.directions) as u32;
        let shape = Shape {
            density,
            color,
            levels: grid.levels as u32,
            level_features: grid.features as u32,
            density_column: parts.column as u32,
            color_inputs: parts.color.inputs as u32,
            harmonics,
            has_saliency: parts.saliency.into(),
            has_gate: parts.gate.is_some().into(),
            weights,
        };
        let mut offset = 0;
        let levels = layout.levels.iter().map(|level| {
            let (vertices, entries, dense) = (level.stride(), level.entries as u32, level.dense.into());
            let placed = params::GridLevel { offset, scale: level.scale, vertices, entries, dense };
            offset += (level.entries * level.features) as u64;
            placed
        });
        let levels = levels.collect();
        let plan = Self {
            shape,
            half,
            levels,
            table_values: offset as usize,
            gate: parts.gate.copied(),
            penalty: match penalty {
                Penalty::Mse => 0,
                Penalty::Huber => 1,
                Penalty::L1 => 2,
            },
            weight: head.weight,
            spread: parts.spread,
            target_columns: layout.targets.width() as u32,
            has_distance: layout.targets.distance.is_some(),
            traces_rays: spec.cameras.traces_rays(),
        };
        let tiles = gradient_tiles(&density) + gradient_tiles(&color);
        let shared = plan.shared_memory();
        let largest = shared.backward.max(shared.shade);
        if tiles > MOST_GRADIENT_TILES || largest > most_shared {
            return Err(refuse(&format!(
                "networks of this size ({tiles} tiles of weights of {MOST_GRADIENT_TILES}, {} kB of shared memory of {}): \
                 use --width 64 and fewer layers, or --device cpu",
                largest >> 10,
                most_shared >> 10
            )));
        }
        Ok(plan)
    }

    /// Bytes of a stored value.
    pub fn value(&self) -> usize {
        if self.half { 2 } else { 4 }
    }

    /// Samples that a block takes at a time.
    pub fn rows(&self) -> u32 {
        if self.half { 4 * ROWS } else { 2 * ROWS }
    }

    /// What the kernels of the networks lay out in shared memory: weights, their transposes, rows.
    pub fn shared_memory(&self) -> SharedMemory {
        let sum = |n: &Network, of: fn(u32, u32) -> u32| -> u32 {
            (0..n.layers as usize).map(|l| of(n.inputs[l], n.outputs[l])).sum()
        };
        let weights = |n: &Network| sum(n, |inputs, outputs| outputs * (inputs + PAD));
        let transposed = |n: &Network| sum(n, |inputs, outputs| inputs * (outputs + PAD));
        let rows = |n: &Network| self.rows() * (n.inputs[0] + PAD + sum(n, |_, outputs| outputs + PAD));
        let (d, c) = (&self.shape.density, &self.shape.color);
        let shade = weights(d) + weights(c) + rows(d) + rows(c);
        let bytes = |values: u32| values * self.value() as u32;
        SharedMemory {
            probe: bytes(weights(d) + rows(d)),
            shade: bytes(shade),
            backward: bytes(shade + transposed(d) + transposed(c)),
        }
    }

    /// The gate's alpha at a point of the training; 0 while it stands open.
    pub fn gate_alpha(&self, progress: f64) -> f32 {
        let Some(GateSpec { alphas, switch, start, .. }) = self.gate else { return 0.0 };
        // What is to happen at the very end never does.
        let reached = |share: f64| progress >= share && share < 1.0;
        if reached(start) { alphas[usize::from(reached(switch))] } else { 0.0 }
    }
}
