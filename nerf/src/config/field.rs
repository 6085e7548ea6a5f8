//! What a field is: the method, and its networks.

use super::NerfConfig;
use crate::hollow::{Pruning, Switch};
use serde::{Deserialize, Serialize};

/// Which kind of field it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Instant-NGP: a hash grid and two small networks.
    #[default]
    Plain,
    /// HollowNeRF: the same behind a saliency grid that is pruned while it trains.
    Hollow,
    /// The classic radiance field: positional encoding and one deep network.
    Classic,
}

impl Method {
    /// Its name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Hollow => "hollow",
            Self::Classic => "classic",
        }
    }
}

/// The method, and the density and color networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct FieldConfig {
    /// The kind of field: plain (Instant-NGP), hollow (HollowNeRF, with a pruned saliency grid), or classic (positional encoding
    /// and one deep network)
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Neurons per hidden layer, 32 to 128 in steps of 16
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub width: usize,
    /// Hidden layers of the density network
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub density_layers: usize,
    /// Hidden layers of the color network
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub color_layers: usize,
    /// Outputs of the density network: the density, and features for the color network
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub geometry_features: usize,
    /// Outputs of the density network that the color network is given: all (Instant-NGP), or all but the density (torch-ngp)
    #[arg(long, value_enum, default_value_t)]
    pub color_sees: ColorSees,
}

/// Which of the density network's outputs the color network sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ColorSees {
    /// All, the raw density included.
    #[default]
    All,
    /// All but the raw density.
    Geometry,
}

impl Default for FieldConfig {
    fn default() -> Self {
        Self {
            method: Method::Plain,
            width: 64,
            density_layers: 1,
            color_layers: 2,
            geometry_features: 16,
            color_sees: ColorSees::All,
        }
    }
}

impl NerfConfig {
    /// Whether the field has a saliency grid.
    pub fn has_saliency_grid(&self) -> bool {
        self.field.method == Method::Hollow && self.hollow.saliency_grid == Switch::On
    }

    /// Whether the field's density is gated.
    pub fn has_gate(&self) -> bool {
        self.field.method == Method::Hollow && self.hollow.gate == Switch::On
    }

    /// What the poses' gradients come one after the other of: the hash grid's levels, or octaves.
    pub(crate) fn pose_levels(&self) -> usize {
        if self.field.method == Method::Classic { self.classic.octaves } else { self.grid.levels }
    }

    /// Whether closed cells steer the rays at this point of the run.
    pub fn steers(&self, progress: f64) -> bool {
        let h = &self.hollow;
        let prunes = self.has_saliency_grid() && h.pruner != Pruning::Off;
        prunes && h.steering == Switch::On && progress >= h.steer_from
    }
}
