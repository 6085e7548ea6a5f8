//! Which backbone and which head, as the command line and files name them.
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::backbones::BackboneConfig;
use crate::backbones::tiny_vit::TinyVitConfig;
use crate::zoo::ENTRIES;

/// The default backbone.
const DEFAULT: &str = "tinyvit-5m";
/// Another name of it.
const ALIAS: &str = "tiny-vit";

/// A backbone by its name in the list of models.
#[derive(Clone, Copy)]
pub struct BackboneName {
    name: &'static str,
    config: fn() -> Box<dyn BackboneConfig>,
}

impl BackboneName {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Its configuration.
    #[must_use]
    pub fn config(self) -> Box<dyn BackboneConfig> {
        (self.config)()
    }

    /// All backbones.
    pub fn all() -> impl Iterator<Item = Self> {
        ENTRIES.iter().filter_map(|entry| Some(Self { name: entry.name, config: entry.backbone()? }))
    }
}

impl Default for BackboneName {
    fn default() -> Self {
        let fallback = Self { name: DEFAULT, config: || Box::new(TinyVitConfig::default()) };
        Self::all().find(|backbone| backbone.name == DEFAULT).unwrap_or(fallback)
    }
}

impl fmt::Display for BackboneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for BackboneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.name())
    }
}

impl PartialEq for BackboneName {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for BackboneName {}

impl FromStr for BackboneName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = if text == ALIAS { DEFAULT } else { text };
        let known = || Self::all().map(Self::name).collect::<Vec<_>>().join(", ");
        Self::all()
            .find(|backbone| backbone.name() == name)
            .ok_or_else(|| format!("there is no backbone '{text}'; there are {}", known()))
    }
}

impl ValueEnum for BackboneName {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: std::sync::LazyLock<Vec<BackboneName>> =
            std::sync::LazyLock::new(|| BackboneName::all().collect());
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let value = PossibleValue::new(self.name());
        Some(if self.name() == DEFAULT { value.alias(ALIAS) } else { value })
    }
}

impl Serialize for BackboneName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for BackboneName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a segmenter is made of beside its backbone and head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Nothing
    #[default]
    Plain,
    /// What the classes' names mean (Rao et al. 2022); see --text
    #[value(name = "denseclip")]
    #[serde(rename = "denseclip")]
    DenseClip,
}

/// What turns maps of features into scores of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// SegFormer's: projections, resized and fused; the fastest
    #[default]
    AllMlp,
    /// A feature pyramid whose levels are summed (Kirillov et al. 2019)
    SemanticFpn,
    /// Pooled context and a feature pyramid (Xiao et al. 2018); the slowest
    #[value(name = "upernet")]
    #[serde(rename = "upernet")]
    UperNet,
}

impl HeadKind {
    /// Its default channels: 128, and 256 for UPerNet, which is half the published width for a quarter of the work.
    #[must_use]
    pub fn width(self) -> usize {
        match self {
            Self::AllMlp | Self::SemanticFpn => 128,
            Self::UperNet => 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backbone_of_the_list_is_known_and_no_segmenter() {
        assert!(BackboneName::all().count() > 20);
        for backbone in BackboneName::all() {
            let json = serde_json::to_string(&backbone).expect("written");
            assert_eq!(serde_json::from_str::<BackboneName>(&json).expect("read"), backbone);
        }
        assert_eq!(ALIAS.parse::<BackboneName>(), Ok(BackboneName::default()));
        let error = "segformer-b0".parse::<BackboneName>().expect_err("a segmenter");
        assert!(error.contains("'segformer-b0'") && error.contains("mit-b0"), "{error}");
    }
}
