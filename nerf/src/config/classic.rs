//! The classic field's settings.

use nerve_core::ops::frequency::MOST_OCTAVES;
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// The classic radiance field (Mildenhall et al. 2020, appendix A): positional encoding, a trunk that sees it again half way, a
/// density and a feature behind it, colors by feature and direction. Nothing here matters to other fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct ClassicConfig {
    /// Octaves of the positions' encoding
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub octaves: usize,
    /// Octaves of the directions' encoding
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub direction_octaves: usize,
    /// Neurons per layer of the trunk, 16 to 1024 in steps of 16
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub trunk_width: usize,
    /// Layers of the trunk
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub trunk_layers: usize,
    /// The trunk's layer, from 0, that sees the encoding again; 0 is none
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub skip: usize,
    /// Neurons of the layer that sees the direction, 16 to 1024 in steps of 16
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub view_width: usize,
    /// Learning rate of the layers, as a share of --lr
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub layer_rate: f32,
}

impl Default for ClassicConfig {
    fn default() -> Self {
        Self {
            octaves: 10,
            direction_octaves: 4,
            trunk_width: 256,
            trunk_layers: 8,
            skip: 5,
            view_width: 128,
            layer_rate: 0.05,
        }
    }
}

impl ClassicConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub(crate) fn validate(&self) -> Result<(), SettingError> {
        let octaves = (1..=MOST_OCTAVES).contains(&self.octaves);
        check(octaves, "--octaves", self.octaves, "1 to 20")?;
        let directions = self.direction_octaves;
        check(directions <= MOST_OCTAVES, "--direction-octaves", directions, "0 to 20")?;
        for (field, width) in [("--trunk-width", self.trunk_width), ("--view-width", self.view_width)] {
            let ok = width.is_multiple_of(16) && (16..=1024).contains(&width);
            check(ok, field, width, "16 to 1024 in steps of 16")?;
        }
        let layers = self.trunk_layers;
        check((1..=16).contains(&layers), "--trunk-layers", layers, "1 to 16")?;
        check(self.skip < layers, "--skip", self.skip, format!("0 to {}", layers - 1))?;
        let rate = self.layer_rate;
        check(rate > 0.0 && rate <= 1.0, "--layer-rate", rate, "above 0, up to 1")
    }
}
