//! Which layers of a field are built otherwise than in full width and f32.

use nerve_core::ops::eugen::FeatureConfig;
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// Layers by their names, such as `trunk.1` of a classic field or `density.1` of a plain one with two hidden layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct LayersConfig {
    /// Layers to build as EUGen layers, each merged with the layers that read it, such as trunk.1,trunk.3,trunk.6
    #[arg(id = "eugen_layers", long = "eugen-layers", value_name = "LIST", value_delimiter = ',')]
    pub eugen: Vec<String>,
    /// Layers whose products are in 8 bits, such as trunk.1,trunk.2
    #[arg(id = "int8_layers", long = "int8-layers", value_name = "LIST", value_delimiter = ',')]
    pub int8: Vec<String>,
    /// What EUGen layers are.
    #[command(flatten)]
    pub features: FeatureConfig,
    /// Whether every layer of the density network is to be reached by its name, though none is built otherwise; for
    /// distillation, which looks at them.
    #[serde(skip)]
    #[arg(skip)]
    pub apart: bool,
}

impl LayersConfig {
    /// Whether some layers are built otherwise.
    pub fn are_rebuilt(&self) -> bool {
        !self.eugen.is_empty() || !self.int8.is_empty()
    }

    /// Whether the field's layers are stages of their own.
    pub(crate) fn are_apart(&self) -> bool {
        self.apart || self.are_rebuilt()
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub(crate) fn validate(&self) -> Result<(), SettingError> {
        for (flag, list) in [("--eugen-layers", &self.eugen), ("--int8-layers", &self.int8)] {
            let twice = list.iter().enumerate().find(|(i, name)| list[..*i].contains(name));
            let name = twice.map_or("", |(_, name)| name);
            check(twice.is_none(), flag, name, "a layer once")?;
        }
        let both = self.eugen.iter().find(|name| self.int8.contains(name));
        let name = both.map_or("", |name| name);
        check(both.is_none(), "--int8-layers", name, "other layers than --eugen-layers has")?;
        self.features.validate()
    }
}
