//! A trained field's layers as EUGen layers, or as what rivals them, without backpropagation (see [`nerve_core::distill`]).
//!
//! Samples are those that rendering would take of the training views. Layers are replaced one after the other: each is given
//! what the field so far makes of the samples, and is to give what the trained field's layer gave, so that errors do not add
//! up. What it gives is merged into the layers that read it.
mod replace;
mod samples;

use crate::config::NerfConfig;
use crate::error::NerfError;
use crate::field;
use crate::model::{Model, OpenOptions};
use crate::trainer::Trainer;
use nerve_core::checkpoint::Checkpoint;
use nerve_core::device::{Device, DeviceKind};
use nerve_core::distill::{DistillOptions, Form, LayerReport};
use nerve_core::engine::TrainEngine;
use nerve_core::ops::eugen::FeatureConfig;
use nerve_core::settings::{SettingError, check};
use nerve_data::Scene;
pub(crate) use replace::write;
use replace::{Replacement, layer};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The configuration of a field whose `layers` are of another form.
///
/// # Errors
/// Names the layer that cannot be, and those that can, or the setting that is out of range.
pub fn configured(
    config: &NerfConfig,
    layers: &[String],
    options: &DistillOptions,
) -> Result<NerfConfig, SettingError> {
    options.validate()?;
    check(!layers.is_empty(), "--layers", "empty", "layers by their names, such as trunk.1,trunk.3")?;
    let mut config = config.clone();
    let fresh = !config.layers.are_rebuilt();
    check(fresh, "--layers", "already built otherwise", "those of the run that this one was made of")?;
    let all = |config: &mut NerfConfig, features| {
        (config.layers.eugen, config.layers.features) = (layers.to_vec(), features);
    };
    match options.form {
        Form::Eugen => {
            let wanted = FeatureConfig { order: options.k, features: options.m, ..FeatureConfig::default() };
            all(&mut config, wanted);
        }
        Form::LowRank => all(&mut config, FeatureConfig::low_rank(options.m)),
        Form::Thin => all(&mut config, FeatureConfig::snnk(options.m)),
        Form::Int8 => config.layers.int8 = layers.to_vec(),
    }
    // Averages are of other weights.
    config.train.ema = None;
    config.validate().map_err(|error| match error.setting {
        "--eugen-layers" | "--int8-layers" => SettingError { setting: "--layers", ..error },
        _ => error,
    })?;
    Ok(config)
}

/// The layers that can be replaced, in order.
#[must_use]
pub fn layers(config: &NerfConfig) -> Vec<String> {
    let mut config = config.clone();
    config.layers.apart = true;
    let spec = field::spec(&config, DeviceKind::Cpu, 1, 1);
    field::places(&spec).into_iter().map(|place| place.name).collect()
}

/// Replaces `layers` of the field in the checkpoint at `path`, whose run has this configuration; gives a trainer of the new
/// field beside its scene, where the run was, and what became of each layer. `told` hears of each layer that is done.
///
/// # Errors
/// If a setting is out of range, the checkpoint is damaged or of another field or scene, or nothing can be solved for.
pub fn distill(
    path: &Path,
    config: &NerfConfig,
    scene: Arc<Scene>,
    layers: &[String],
    options: &DistillOptions,
    threads: usize,
    told: &mut dyn FnMut(&LayerReport),
) -> Result<(Trainer, Vec<LayerReport>), NerfError> {
    let student = configured(config, layers, options)?;
    let file = Checkpoint::load(path)?;
    let mut apart = config.clone();
    apart.layers.apart = true;
    let open = OpenOptions { device: Device::Cpu, threads, fit_poses: false };
    let mut teacher = Model::of_checkpoint(&file, path, apart.clone(), &open)?;
    let mut values = read(&*teacher.engine)?;
    let mut reports = Vec::new();
    if options.form != Form::Int8 {
        let positions = samples::draw(&mut teacher, options.samples, options.seed)?;
        let mut work = Replacement { path, teacher: &mut teacher, options, positions, layer: 0 };
        for (done, name) in layers.iter().enumerate() {
            // The field so far.
            let mut before = apart.clone();
            before.layers.eugen = layers[..done].to_vec();
            before.layers.features = student.layers.features.clone();
            work.layer = done;
            let report = work.replace(name, &before, &student.layers.features, &mut values)?;
            told(&report);
            reports.push(report);
        }
    } else {
        let spec = teacher.engine.spec();
        for name in layers {
            let found = layer(spec, name).map(|layer| layer.extents(&spec.slots));
            let (inputs, outputs) = found.unwrap_or_default();
            let (parameters, products) = ([inputs * outputs + outputs; 2], [inputs * outputs; 2]);
            let report = LayerReport { name: name.clone(), error: None, parameters, products, seconds: 0.0 };
            told(&report);
            reports.push(report);
        }
    }
    let mut trainer = Trainer::on(Device::Cpu, student, scene, threads)?;
    trainer.adopt(&file, path, &values)?;
    Ok((trainer, reports))
}

/// All blocks of a field, by their names.
fn read(engine: &dyn TrainEngine) -> Result<BTreeMap<String, Vec<f32>>, NerfError> {
    let params = &engine.layout().params;
    let blocks = params.ids().zip(params.blocks());
    blocks.map(|(id, block)| Ok((block.name.clone(), engine.read(id)?))).collect()
}

#[cfg(test)]
mod tests;
