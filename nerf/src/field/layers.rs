//! Layers that are built otherwise: as EUGen layers, or in 8 bits.
//!
//! An EUGen layer is its features in the slot of the layer's output; the layers that read the slot are linear there, and so
//! they merge with its Theta.

use crate::config::{LayersConfig, NerfConfig};
use nerve_core::field::{FeaturesSpec, FieldSpec, LayerSpec, SlotId, StageSpec};
use nerve_core::ops::eugen::Nonlinearity;
use nerve_core::settings::SettingError;

/// A layer that can be an EUGen layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerPlace {
    /// Its name.
    pub name: String,
    /// What it reads.
    pub input: SlotId,
    /// What it fills.
    pub output: SlotId,
    /// The layers that read that.
    pub readers: Vec<String>,
}

/// The layers that can be EUGen layers, in order: those with an activation that read one slot of samples, and that layers alone
/// read.
pub fn places(spec: &FieldSpec) -> Vec<LayerPlace> {
    layers(spec).filter_map(|layer| place(spec, layer)).collect()
}

fn layers(spec: &FieldSpec) -> impl Iterator<Item = &LayerSpec> {
    spec.stages.iter().filter_map(|stage| match stage {
        StageSpec::Layer(layer) => Some(layer),
        _ => None,
    })
}

fn place(spec: &FieldSpec, layer: &LayerSpec) -> Option<LayerPlace> {
    let [input] = layer.inputs[..] else { return None };
    let output = layer.output;
    let reads = |stage: &&StageSpec| stage.inputs().iter().any(|(slot, _)| *slot == output);
    let readers = spec.stages.iter().filter(reads).map(|stage| match stage {
        StageSpec::Layer(reader) => Some(reader.name.clone()),
        _ => None,
    });
    let readers = readers.collect::<Option<Vec<String>>>()?;
    let ok = layer.ray_input.is_none() && layer.activation == Nonlinearity::Relu && !readers.is_empty();
    ok.then(|| LayerPlace { name: layer.name.clone(), input, output, readers })
}

/// Builds layers as they are asked for.
pub(super) fn rebuild(spec: &mut FieldSpec, config: &LayersConfig) -> Result<(), SettingError> {
    let all: Vec<String> = layers(spec).map(|layer| layer.name.clone()).collect();
    for name in &config.int8 {
        let found = spec.stages.iter_mut().find_map(|stage| match stage {
            StageSpec::Layer(layer) if layer.name == *name => Some(layer),
            _ => None,
        });
        let unknown = || SettingError::new("--int8-layers", name, format!("layers of {}", all.join(", ")));
        found.ok_or_else(unknown)?.int8 = true;
    }
    let places = places(spec);
    let names: Vec<&str> = places.iter().map(|place| &*place.name).collect();
    for name in &config.eugen {
        let Some(place) = places.iter().find(|place| place.name == *name) else {
            let allowed = format!("layers of {}", names.join(", "));
            return Err(SettingError::new("--eugen-layers", name, allowed));
        };
        if let Some(next) = config.eugen.iter().find(|next| place.readers.contains(next)) {
            let allowed = "layers that do not follow one another: each merges with the next".to_owned();
            return Err(SettingError::new("--eugen-layers", format!("{name}, {next}"), allowed));
        }
        let is_it = |stage: &StageSpec| matches!(stage, StageSpec::Layer(layer) if layer.name == *name);
        // The constant of Theta is a bias of the layers that it is merged into.
        for stage in &mut spec.stages {
            if let StageSpec::Layer(reader) = stage
                && place.readers.contains(&reader.name)
            {
                reader.bias = true;
            }
        }
        if let Some(stage) = spec.stages.iter_mut().find(|stage| is_it(stage)) {
            let config = config.features.clone();
            spec.slots[place.output.0] = config.outputs();
            let (name, input, output) = (name.clone(), place.input, place.output);
            *stage = StageSpec::Features(FeaturesSpec { name, input, output, config });
        }
    }
    Ok(())
}

/// Checks that the layers that a configuration names can be built so.
///
/// # Errors
/// The first name that no such layer has.
pub(crate) fn check(config: &NerfConfig) -> Result<(), SettingError> {
    if config.layers.are_apart() { rebuild(&mut super::network(config), &config.layers) } else { Ok(()) }
}
