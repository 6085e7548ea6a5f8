//! One layer is replaced: what stands for it is solved for, and merged into the layers that read it.

use crate::config::NerfConfig;
use crate::error::NerfError;
use crate::field::{self, LayerPlace};
use crate::model::Model;
use nerve_core::device::{Device, DeviceKind};
use nerve_core::distill::{
    DistillOptions, Form, LayerReport, Normal, Unsolvable, low_rank, most_important, train_projections,
};
use nerve_core::engine::{self, Options, Purpose, TrainEngine};
use nerve_core::field::{FieldSpec, LayerSpec, StageSpec};
use nerve_core::graph::{self, Tensor};
use nerve_core::ops::eugen::{FeatureConfig, draw, features, merge};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

/// Samples that are looked at together.
const CHUNK: usize = 16_384;

/// The blocks of a field by their names.
type Blocks = BTreeMap<String, Vec<f32>>;

/// The layer of this name.
pub(super) fn layer<'a>(spec: &'a FieldSpec, name: &str) -> Option<&'a LayerSpec> {
    spec.stages.iter().find_map(|stage| match stage {
        StageSpec::Layer(layer) if layer.name == name => Some(layer),
        _ => None,
    })
}

/// What is needed to replace layers.
pub(super) struct Replacement<'a> {
    pub path: &'a Path,
    pub teacher: &'a mut Model,
    pub options: &'a DistillOptions,
    pub positions: [Vec<f32>; 3],
    /// The number of the layer among those to be replaced.
    pub layer: usize,
}

/// The first half of what takes a layer's place, and the second half, which gives the layer's outputs.
struct Halves {
    g: Vec<f32>,
    theta: Vec<f32>,
    bias: Vec<f32>,
    error: f64,
}

impl Replacement<'_> {
    /// Replaces a layer of the field `before`; `values` then are those of the field with it.
    pub fn replace(
        &mut self,
        name: &str,
        before: &NerfConfig,
        config: &FeatureConfig,
        values: &mut Blocks,
    ) -> Result<LayerReport, NerfError> {
        let start = Instant::now();
        let (side, cameras) = (self.teacher.capture.frame.aabb_scale, self.teacher.capture.training.count);
        let spec = field::spec(before, DeviceKind::Cpu, side, cameras);
        let Some(place) = field::places(&spec).into_iter().find(|place| place.name == name) else {
            return Err(self.failed(format!("its field has no layer `{name}` that could be replaced")));
        };
        let options = Options { purpose: Purpose::Look, pool: self.teacher.pool.clone() };
        let mut student = engine::open(Device::Cpu, &spec, &options)?;
        write(&mut *student, values)?;
        let halves = self.solve(&place, &mut *student, config, values)?;
        let (inputs, outputs) = (spec.columns(place.input), spec.columns(place.output));
        let bias = values.remove(&format!("{name}.bias")).map_or(0, |bias| bias.len());
        values.remove(&format!("{name}.weight"));
        let mut parameters = [inputs * outputs + bias, halves.g.len()];
        let mut products = [inputs * outputs, halves.g.len()];
        values.insert(format!("{name}.g"), halves.g);
        for reader in &place.readers {
            let Some(reading) = Reading::of(&spec, reader, &place) else { continue };
            let Reading { width, rows, first } = reading;
            let [key, bias_key] = ["weight", "bias"].map(|what| format!("{reader}.{what}"));
            let weight = values.remove(&key).unwrap_or_default();
            let bias = values.remove(&bias_key);
            let u = reading.columns(&weight, outputs);
            let (merged, constant) = merge(&halves.theta, &halves.bias, &u, bias.as_deref());
            let both = weight.chunks_exact(width).zip(merged.chunks_exact(config.outputs()));
            let rebuilt = both.flat_map(|(row, merged)| {
                row[..first].iter().chain(merged).chain(&row[first + outputs..]).copied()
            });
            values.insert(key, rebuilt.collect());
            values.insert(bias_key, constant);
            parameters[0] += rows * outputs + if bias.is_some() { rows } else { 0 };
            parameters[1] += rows * (config.outputs() + 1);
            products[0] += rows * outputs;
            products[1] += rows * config.outputs();
        }
        let (error, seconds) = (Some(halves.error), start.elapsed().as_secs_f64());
        Ok(LayerReport { name: name.to_owned(), error, parameters, products, seconds })
    }

    /// Finds both halves.
    fn solve(
        &mut self,
        place: &LayerPlace,
        student: &mut dyn TrainEngine,
        config: &FeatureConfig,
        values: &Blocks,
    ) -> Result<Halves, NerfError> {
        let DistillOptions { form, ridge, seed, train_g, .. } = *self.options;
        let spec = student.spec().clone();
        let (inputs, outputs) = (spec.columns(place.input), spec.columns(place.output));
        let mut g = draw(&config.start(), config.shape(inputs), seed, 1 + self.layer as u64);
        let mut normal = Normal::new(
            match form {
                Form::LowRank => inputs,
                Form::Thin => outputs,
                Form::Eugen | Form::Int8 => config.outputs(),
            },
            outputs,
        );
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        let count = self.positions[0].len();
        for first in (0..count).step_by(CHUNK) {
            let range = first..(first + CHUNK).min(count);
            let positions = self.positions.each_ref().map(|axis| &axis[range.clone()]);
            // What the field so far gives the layer (of a thin one, what the layer makes of it), and what it gave in training.
            let slot = if form == Form::Thin { place.output } else { place.input };
            let mut x = vec![0.0; range.len() * spec.columns(slot)];
            student.activations(positions, slot, &mut x)?;
            let mut y = vec![0.0; range.len() * outputs];
            self.teacher.engine.activations(positions, place.output, &mut y)?;
            match form {
                Form::Eugen | Form::Int8 => normal.add(&self.features(config, &g, &x, inputs)?, &y),
                Form::LowRank | Form::Thin => normal.add(&x, &y),
            }
            if train_g > 0 {
                xs.extend(x);
                ys.extend(y);
            }
        }
        let failed = |error: Unsolvable| self.failed(format!("layer `{}`: {error}", place.name));
        let m = config.features;
        // Of fewer values than there is room for, the rest is none.
        let spread = |rows: &[f32], width: usize| -> Vec<f32> {
            let none = || std::iter::repeat_n(0.0, m - width);
            rows.chunks_exact(width).flat_map(|row| row.iter().copied().chain(none())).collect()
        };
        match form {
            Form::LowRank => {
                let found = low_rank(&normal, m, ridge, seed).map_err(failed)?;
                g.fill(0.0);
                for (r, row) in found.down.chunks_exact(inputs).enumerate() {
                    row.iter().enumerate().for_each(|(c, v)| g[c * m + r] = *v);
                }
                let theta = spread(&found.up, found.down.len() / inputs);
                Ok(Halves { g, theta, bias: found.bias, error: found.error })
            }
            Form::Thin => {
                let columns = |reader: &String| {
                    let weight = values.get(&format!("{reader}.weight"));
                    weight
                        .zip(Reading::of(&spec, reader, place))
                        .map(|(w, reading)| reading.columns(w, outputs))
                };
                let readers: Vec<Vec<f32>> = place.readers.iter().filter_map(columns).collect();
                let readers: Vec<&[f32]> = readers.iter().map(Vec::as_slice).collect();
                let chosen = most_important(&normal.squares(), &readers, m);
                let found = normal.subset(&chosen).solve(ridge).map_err(failed)?;
                let [weight, bias] =
                    ["weight", "bias"].map(|what| values.get(&format!("{}.{what}", place.name)));
                g.fill(0.0);
                for (f, row) in chosen.iter().enumerate() {
                    let weight = weight.map_or(&[][..], |w| &w[row * inputs..(row + 1) * inputs]);
                    weight.iter().enumerate().for_each(|(c, w)| g[c * m + f] = *w);
                    g[inputs * m + f] = bias.map_or(0.0, |bias| bias[*row]);
                }
                let theta = spread(&found.weight, chosen.len());
                Ok(Halves { g, theta, bias: found.bias, error: found.error })
            }
            Form::Eugen | Form::Int8 => {
                let mut found = normal.solve(ridge).map_err(failed)?;
                if train_g > 0 {
                    let theta = (&found.weight[..], &found.bias[..]);
                    let trained = self.teacher.pool.run(|| {
                        train_projections(config, &g, theta, &xs, &ys, inputs, outputs, train_g, seed)
                    });
                    g = trained.map_err(|error| self.failed(error.to_string()))?;
                    let mut anew = Normal::new(config.outputs(), outputs);
                    for (x, y) in xs.chunks(CHUNK * inputs).zip(ys.chunks(CHUNK * outputs)) {
                        anew.add(&self.features(config, &g, x, inputs)?, y);
                    }
                    found = anew.solve(ridge).map_err(failed)?;
                }
                Ok(Halves { g, theta: found.weight, bias: found.bias, error: found.error })
            }
        }
    }

    /// The features of rows.
    fn features(
        &self,
        config: &FeatureConfig,
        g: &[f32],
        x: &[f32],
        inputs: usize,
    ) -> Result<Vec<f32>, NerfError> {
        let run = || -> graph::Result<Vec<f32>> {
            let x = Tensor::from_slice(x, (x.len() / inputs, inputs), &graph::Device::Cpu)?;
            let g = Tensor::from_slice(g, &config.shape(inputs)[..], &graph::Device::Cpu)?;
            Ok(graph::read(&features(&x, &g, config)?)?.to_vec())
        };
        self.teacher.pool.run(run).map_err(|error| self.failed(error.to_string()))
    }

    fn failed(&self, reason: String) -> NerfError {
        NerfError::Other { path: self.path.to_owned(), reason }
    }
}

/// Where a layer's outputs are among the inputs of one that reads them.
#[derive(Clone, Copy)]
struct Reading {
    /// The reader's inputs and outputs.
    width: usize,
    rows: usize,
    /// The first of the layer's outputs.
    first: usize,
}

impl Reading {
    fn of(spec: &FieldSpec, reader: &str, place: &LayerPlace) -> Option<Self> {
        let reader = layer(spec, reader)?;
        let (width, rows) = reader.extents(&spec.slots);
        let slots = reader.ray_input.iter().chain(&reader.inputs);
        let first = slots.take_while(|slot| **slot != place.output).map(|slot| spec.columns(*slot)).sum();
        Some(Self { width, rows, first })
    }

    /// The reader's weights of those outputs.
    fn columns(self, weight: &[f32], outputs: usize) -> Vec<f32> {
        let rows = weight.chunks_exact(self.width);
        rows.flat_map(|row| &row[self.first..self.first + outputs]).copied().collect()
    }
}

/// Gives a field blocks of these names; others stay.
pub(crate) fn write(engine: &mut dyn TrainEngine, values: &Blocks) -> Result<(), NerfError> {
    let params = engine.layout().params.clone();
    for (id, block) in params.ids().zip(params.blocks()) {
        if let Some(values) = values.get(&block.name) {
            engine.write(id, values)?;
        }
    }
    Ok(())
}
