//! The steps from an encoded position to what is composited.

use crate::ops::distortion::DistanceScale;
use crate::ops::eugen::{FeatureConfig, Nonlinearity};
use serde::{Deserialize, Serialize};

/// A matrix between stages, with one row per sample or per ray: an index into [`FieldSpec::slots`](super::FieldSpec).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SlotId(pub usize);

impl SlotId {
    /// The slot that the encoding fills.
    pub const ENCODING: Self = Self(0);
}

/// A step of a field's computation. It reads slots that were filled before it and fills one, or what rays hold: densities,
/// outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum StageSpec {
    /// The encoding times the saliency of the place (see [`crate::ops::saliency`]).
    Saliency {
        /// The encoding.
        input: SlotId,
        /// As wide as that.
        output: SlotId,
    },
    /// A factor on the density (see `crate::ops::gate`).
    Gate(GateSpec),
    /// A small fully connected network.
    Mlp(MlpSpec),
    /// One fully connected layer.
    Layer(LayerSpec),
    /// The features of an EUGen layer (see [`crate::ops::eugen`]); the layers that read them are its Theta.
    Features(FeaturesSpec),
    /// A raw value becomes the density, `gate exp(min(x, 15))` (see [`crate::ops::activation`]); samples that no light gets
    /// to are dropped.
    Density {
        /// The slot.
        input: SlotId,
        /// Its column of the raw density.
        column: usize,
    },
    /// Every ray's direction: its spherical harmonics (see [`crate::ops::sh`]), 1, 4, 9 or 16 columns; or itself with the sines
    /// and cosines of its components (see [`crate::ops::frequency`]).
    Directions {
        /// The slot, with one row per ray.
        output: SlotId,
        /// How often the frequency doubles, and once more; none for harmonics.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        octaves: Option<usize>,
    },
    /// The heads' values, composited along the rays (see [`crate::ops::composite`]): the last stage.
    Composite {
        /// What holds a ray's weights together.
        spread: Spread,
    },
}

/// The gate on the density. It stands open at first; later, alpha takes a step up.
///
/// Tables start so small that the gate is on its slope, where its gradient is some thousand times that of the
/// networks: the second moments of Adam would remember that for the first thousand steps that touch an entry, and the
/// entry would hardly learn. Once features have grown, the slope is reached only where the saliency closes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateSpec {
    /// The slot of the features that the density network sees.
    pub input: SlotId,
    /// alpha up to `switch` and from then on.
    pub alphas: [f32; 2],
    /// The share of the training at which alpha changes; 1 is never.
    pub switch: f64,
    /// The share of the training up to which the gate stands open; 1 is always.
    pub start: f64,
}

/// A network with ReLU between its layers and no biases (see `crate::ops::mlp`). Its blocks are `NAME.LAYER.weight`,
/// `[out][in]`, and start uniform in +-sqrt(6 / in) (He et al. 2015).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MlpSpec {
    /// Its blocks' prefix.
    pub name: String,
    /// Inputs that all samples of a ray share, ahead of the others: a slot with one row per ray.
    pub ray_input: Option<SlotId>,
    /// Inputs of each sample.
    pub input: SlotId,
    /// How many of that slot's columns it sees, the first ones.
    pub inputs: usize,
    /// Neurons of a hidden layer.
    pub width: usize,
    /// Hidden layers, at least one.
    pub hidden: usize,
    /// Its output, all columns of a slot.
    pub output: SlotId,
    /// Whether what lies in front of it learns nothing from it.
    pub detach: bool,
}

impl MlpSpec {
    /// `(in, out)` of every layer, given the columns of the field's slots.
    pub fn layers(&self, slots: &[usize]) -> Vec<(usize, usize)> {
        let rays = self.ray_input.map_or(0, |slot| slots[slot.0]);
        let first = (rays + self.inputs, self.width);
        let inner = std::iter::repeat_n((self.width, self.width), self.hidden.saturating_sub(1));
        std::iter::once(first).chain(inner).chain([(self.width, slots[self.output.0])]).collect()
    }
}

/// An affine map of one or more slots side by side, and an activation. Its blocks are `NAME.weight` `[out][in]`, which starts
/// uniform in +-sqrt(6 / in), and with a bias `NAME.bias`, which starts at 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerSpec {
    /// Its blocks' prefix.
    pub name: String,
    /// Inputs that all samples of a ray share, ahead of the others: a slot with one row per ray.
    pub ray_input: Option<SlotId>,
    /// Inputs of each sample, all columns of each slot.
    pub inputs: Vec<SlotId>,
    /// Its output, all columns of a slot.
    pub output: SlotId,
    /// What the output passes through.
    pub activation: Nonlinearity,
    /// Whether it has a bias.
    pub bias: bool,
    /// Whether the products of samples' inputs are in 8 bits (see [`crate::ops::int8`]); on the way back they count as exact.
    pub int8: bool,
}

impl LayerSpec {
    /// Inputs and outputs, given the columns of the field's slots.
    pub fn extents(&self, slots: &[usize]) -> (usize, usize) {
        let inputs = self.ray_input.iter().chain(&self.inputs).map(|slot| slots[slot.0]).sum();
        (inputs, slots[self.output.0])
    }
}

/// The features of the rows of a slot. Its block is `NAME.g`, `[projection][column][feature]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FeaturesSpec {
    /// Its block's prefix.
    pub name: String,
    /// The slot, all columns.
    pub input: SlotId,
    /// As wide as the features.
    pub output: SlotId,
    /// Which features.
    pub config: FeatureConfig,
}

/// Weights of what holds a ray's weights together (see [`crate::ops::distortion`]); 0 leaves it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Weight of the distortion.
    pub distortion: f32,
    /// Weight of the deviation from the known distance, of rays that have one.
    pub depth: f32,
    /// The scale of distances.
    pub scale: DistanceScale,
}

impl StageSpec {
    /// What it is called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Saliency { .. } => "saliency".into(),
            Self::Gate(_) => "gate".into(),
            Self::Mlp(mlp) => format!("network `{}`", mlp.name),
            Self::Layer(layer) => format!("layer `{}`", layer.name),
            Self::Features(features) => format!("features `{}`", features.name),
            Self::Density { .. } => "density".into(),
            Self::Directions { .. } => "directions".into(),
            Self::Composite { .. } => "compositing".into(),
        }
    }

    /// The slot that it fills, and whether that has one row per ray.
    pub fn output(&self) -> Option<(SlotId, bool)> {
        match self {
            Self::Saliency { output, .. } => Some((*output, false)),
            Self::Mlp(mlp) => Some((mlp.output, false)),
            Self::Layer(layer) => Some((layer.output, false)),
            Self::Features(features) => Some((features.output, false)),
            Self::Directions { output, .. } => Some((*output, true)),
            Self::Gate(_) | Self::Density { .. } | Self::Composite { .. } => None,
        }
    }

    /// The slots that it reads, and whether these must have one row per ray. The heads' slots are read by compositing.
    pub fn inputs(&self) -> Vec<(SlotId, bool)> {
        match self {
            Self::Saliency { input, .. } | Self::Density { input, .. } => vec![(*input, false)],
            Self::Gate(gate) => vec![(gate.input, false)],
            Self::Mlp(mlp) => {
                mlp.ray_input.map(|slot| (slot, true)).into_iter().chain([(mlp.input, false)]).collect()
            }
            Self::Layer(layer) => {
                let samples = layer.inputs.iter().map(|slot| (*slot, false));
                layer.ray_input.map(|slot| (slot, true)).into_iter().chain(samples).collect()
            }
            Self::Features(features) => vec![(features.input, false)],
            Self::Directions { .. } | Self::Composite { .. } => Vec::new(),
        }
    }
}
