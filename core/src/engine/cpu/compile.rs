//! From a spec to stages over tiles.

use super::encoder::Encoder;
use super::field::{Field, HeadColumns, Saliency};
use super::stage::Stage;
use super::stages::{self, CompositeHead, Gradient};
use super::workspace::SlotPlan;
use crate::device::Device;
use crate::engine::EngineError;
use crate::field::{Encoding, FieldLayout, FieldSpec, SlotId, StageSpec};
use crate::ops::small_gemm::{MOST_BF16_DEPTH, Precision};

/// Compiles a field whose parameters are laid out so.
pub(super) fn compile(spec: &FieldSpec, layout: &FieldLayout) -> Result<Field, EngineError> {
    if !spec.precision.available() {
        let what = match spec.precision {
            Precision::F16 => "a field in f16: use f32".to_owned(),
            other => format!("products in {other:?}, which need AMX: use f32"),
        };
        return Err(EngineError::Unsupported { device: Device::Cpu, what });
    }
    let deep = |&(inputs, outputs): &(usize, usize)| inputs.max(outputs) > MOST_BF16_DEPTH;
    if spec.precision == Precision::Bf16
        && let Some(mlp) = spec.networks().find(|mlp| mlp.layers(&spec.slots).iter().any(deep))
    {
        let what = format!(
            "network `{}` in bf16: a layer has more than {MOST_BF16_DEPTH} inputs or outputs; use f32",
            mlp.name
        );
        return Err(EngineError::Unsupported { device: Device::Cpu, what });
    }
    let layered = |stage: &StageSpec| matches!(stage, StageSpec::Layer(_) | StageSpec::Features(_));
    if spec.precision == Precision::Bf16
        && let Some(stage) = spec.stages.iter().find(|stage| layered(stage))
    {
        let what = format!("{} in bf16: use f32", stage.name());
        return Err(EngineError::Unsupported { device: Device::Cpu, what });
    }
    let mut plan = SlotPlan::default();
    for columns in &spec.slots {
        plan.slot(*columns);
    }
    let mut compiler = Compiler {
        spec,
        layout,
        plan,
        samples: vec![SlotId::ENCODING.0],
        gated: false,
        networks: 0,
        layers: 0,
    };
    let stages = (0..spec.stages.len()).map(|index| compiler.stage(index)).collect();
    let plan = compiler.plan;
    let handles = &layout.handles;
    let encoder = match &spec.encoding {
        Encoding::HashGrid { grid, .. } => {
            let first = handles.tables.first().map_or(0, |table| table.index());
            let blocks = first..first + handles.tables.len();
            Encoder::Grid { levels: layout.levels.clone(), blocks, features: grid.features }
        }
        Encoding::Frequency { octaves } => Encoder::Frequency { octaves: *octaves },
        Encoding::Coordinates => Encoder::Frequency { octaves: 0 },
    };
    let saliency = spec.saliency.zip(handles.saliency);
    let saliency = saliency.map(|(grid, block)| Saliency { side: grid.side, block, limit: grid.limit });
    let (outputs, targets) = (layout.outputs.clone(), layout.targets.clone());
    let columns = spec.heads.iter().zip(&outputs.heads).zip(&targets.heads);
    let heads = columns.map(|((head, output), target)| HeadColumns {
        loss: head.loss,
        weight: head.weight,
        output: output.clone(),
        target: target.clone(),
    });
    Ok(Field {
        encoder,
        saliency,
        poses: handles.poses,
        colors: handles.colors,
        traces_rays: spec.cameras.traces_rays(),
        stages,
        plan,
        cleared: (0..spec.slots.len()).filter(|slot| is_cleared(spec, SlotId(*slot))).collect(),
        heads: heads.collect(),
        outputs,
        targets,
        min_transmittance: spec.min_transmittance,
        shrink: 1.0 / spec.box_side,
    })
}

struct Compiler<'a> {
    spec: &'a FieldSpec,
    layout: &'a FieldLayout,
    plan: SlotPlan,
    /// Slots with a row per sample that have been filled so far.
    samples: Vec<usize>,
    /// Whether a gate has been met.
    gated: bool,
    /// Networks so far.
    networks: usize,
    /// Layers and features so far.
    layers: usize,
}

impl Compiler<'_> {
    fn stage(&mut self, index: usize) -> Box<dyn Stage> {
        let spec = self.spec;
        let stage: Box<dyn Stage> = match &spec.stages[index] {
            StageSpec::Saliency { input, output } => {
                Box::new(stages::Saliency { input: input.0, output: output.0 })
            }
            StageSpec::Gate(gate) => {
                self.gated = true;
                Box::new(stages::Gate::new(*gate))
            }
            StageSpec::Mlp(mlp) => {
                let input = self.gradient(mlp.input, index, !mlp.detach && self.learns(mlp.input));
                let rays = mlp.ray_input.map_or(Gradient::None, |slot| {
                    self.gradient(slot, index, !mlp.detach && spec.cameras.traces_rays())
                });
                let blocks = &self.layout.handles.networks[self.networks];
                self.networks += 1;
                let network = stages::Mlp::new(mlp, &spec.slots, blocks, [rays, input], &mut self.plan);
                self.samples.extend(network.hidden_slots());
                Box::new(network)
            }
            StageSpec::Layer(layer) => {
                let of = |slot: &SlotId| self.gradient(*slot, index, self.learns(*slot));
                let gradients: Vec<Gradient> = layer.inputs.iter().map(of).collect();
                let blocks = &self.layout.handles.layers[self.layers];
                self.layers += 1;
                let outputs = spec.columns(layer.output);
                let rays = layer.ray_input.map(|slot| {
                    let gradient = self.gradient(slot, index, spec.cameras.traces_rays());
                    let columns = spec.columns(slot);
                    stages::RayInput::new(slot.0, columns, outputs, gradient, &mut self.plan)
                });
                Box::new(stages::Layer::new(layer, &spec.slots, blocks, rays, &gradients))
            }
            StageSpec::Features(features) => {
                let gradient = self.gradient(features.input, index, self.learns(features.input));
                let block = self.layout.handles.layers[self.layers][0];
                self.layers += 1;
                let inputs = spec.columns(features.input);
                Box::new(stages::Features::new(features, inputs, block, gradient, &mut self.plan))
            }
            StageSpec::Density { input, column } => Box::new(stages::Density {
                input: input.0,
                column: *column,
                rows: self.samples.clone(),
                min_transmittance: spec.min_transmittance,
                gated: self.gated,
            }),
            StageSpec::Directions { output, octaves } => Box::new(stages::Directions {
                output: output.0,
                octaves: *octaves,
                gradient: spec.cameras.traces_rays() && self.is_read(*output),
            }),
            StageSpec::Composite { spread } => {
                let heads = spec.heads.iter().zip(&self.layout.outputs.heads);
                let heads = heads.map(|(head, columns)| CompositeHead {
                    slot: head.input.0,
                    columns: columns.clone(),
                    activation: head.activation,
                    detached: head.detach_density,
                });
                let depth = self.layout.outputs.depth;
                Box::new(stages::Composite { heads: heads.collect(), depth, spread: *spread })
            }
        };
        if let Some((slot, false)) = spec.stages[index].output() {
            self.samples.push(slot.0);
        }
        stage
    }

    /// What stage `index` does with the gradient of a slot that it reads.
    fn gradient(&self, slot: SlotId, index: usize, wanted: bool) -> Gradient {
        match wanted {
            false => Gradient::None,
            true if self.adds(slot, index) => Gradient::Add,
            true => Gradient::Set,
        }
    }

    /// Whether anything in front of a slot learns from its gradient.
    fn learns(&self, slot: SlotId) -> bool {
        let spec = self.spec;
        slot != SlotId::ENCODING || spec.encoding.is_trained() || spec.cameras.traces_rays()
    }

    /// Whether a slot's gradient holds something already when it is stage `index`'s turn, on the way back.
    fn adds(&self, slot: SlotId, index: usize) -> bool {
        is_cleared(self.spec, slot) || writers(self.spec, slot).any(|later| later > index)
    }

    /// Whether a network that hands its gradients on reads a slot of rays.
    fn is_read(&self, slot: SlotId) -> bool {
        self.spec.stages.iter().any(|stage| match stage {
            StageSpec::Mlp(mlp) => mlp.ray_input == Some(slot) && !mlp.detach,
            StageSpec::Layer(layer) => layer.ray_input == Some(slot),
            _ => false,
        })
    }
}

/// The stages that give a slot its gradient.
fn writers(spec: &FieldSpec, slot: SlotId) -> impl Iterator<Item = usize> + '_ {
    let writes = move |stage: &StageSpec| match stage {
        StageSpec::Mlp(mlp) => !mlp.detach && (mlp.input == slot || mlp.ray_input == Some(slot)),
        StageSpec::Layer(layer) => layer.inputs.contains(&slot) || layer.ray_input == Some(slot),
        StageSpec::Features(features) => features.input == slot,
        StageSpec::Saliency { input, .. } | StageSpec::Density { input, .. } => *input == slot,
        StageSpec::Gate(gate) => gate.input == slot,
        StageSpec::Directions { .. } | StageSpec::Composite { .. } => false,
    };
    spec.stages.iter().enumerate().filter(move |(_, stage)| writes(stage)).map(|(index, _)| index)
}

/// Whether a slot's gradient must be zeroed before a tile goes back: unless what writes it first writes all of it, and
/// what is left out is written by nobody. A head's gradient is compositing's.
fn is_cleared(spec: &FieldSpec, slot: SlotId) -> bool {
    if spec.heads.iter().any(|head| head.input == slot) {
        return false;
    }
    match writers(spec, slot).last().map(|index| &spec.stages[index]) {
        Some(StageSpec::Mlp(mlp)) if mlp.input == slot => {
            // Whole panels of columns are written, so that only what lies beyond these matters.
            SlotPlan::stride(mlp.inputs) < SlotPlan::stride(spec.columns(slot))
        }
        // All columns, of what rays share, too.
        Some(
            StageSpec::Mlp(_) | StageSpec::Layer(_) | StageSpec::Features(_) | StageSpec::Saliency { .. },
        ) => false,
        _ => true,
    }
}
