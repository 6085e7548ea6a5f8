//! What the MLPs of a backbone's blocks are: two linear layers, an EUGen layer in place of both, or fewer hidden values.
//!
//! An EUGen layer stands for the first linear layer with its activation (Likhosherstov et al. 2025, section on transformers); the
//! second one is merged into its Theta, so that `y = Theta f(x) + theta_0` is the whole MLP. A Mix-FFN's depthwise convolution
//! then sees the projections in place of the hidden values.
use std::fmt;
use std::str::FromStr;

use clap::Args;
use nerve_core::graph::{Result, bail};
use nerve_core::ops::eugen::FeatureConfig;
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Branch, Part};

/// Which MLPs are built otherwise, by the numbers of their blocks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct MlpForms {
    /// Blocks whose MLPs are EUGen layers: numbers from 0 such as 0,2,4-6, or all
    #[arg(id = "eugen_blocks", long = "eugen-blocks", value_name = "BLOCKS", default_value_t)]
    pub eugen: Blocks,
    /// Blocks whose MLPs have --thin-hidden values between their two layers
    #[arg(id = "thin_blocks", long = "thin-blocks", value_name = "BLOCKS", default_value_t)]
    pub thin: Blocks,
    /// Hidden values of thin MLPs
    #[arg(id = "thin_hidden", long = "thin-hidden", value_name = "N", default_value_t = 0)]
    pub thin_hidden: usize,
    /// Blocks whose MLPs multiply in 8 bits where the network is only looked at
    #[arg(id = "int8_blocks", long = "int8-blocks", value_name = "BLOCKS", default_value_t)]
    pub int8: Blocks,
    /// What EUGen layers are.
    #[command(flatten)]
    pub features: FeatureConfig,
}

/// What one MLP is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum MlpForm {
    /// Two linear layers.
    Full,
    /// An EUGen layer.
    Eugen(FeatureConfig),
    /// Two with so many values between them.
    Thin(usize),
    /// Two whose products are in 8 bits in evaluation.
    Int8,
}

impl MlpForms {
    /// That of a block.
    pub(crate) fn of(&self, block: usize) -> MlpForm {
        let block = block as u32;
        if self.eugen.contains(block) {
            MlpForm::Eugen(self.features.clone())
        } else if self.thin.contains(block) {
            MlpForm::Thin(self.thin_hidden)
        } else if self.int8.contains(block) {
            MlpForm::Int8
        } else {
            MlpForm::Full
        }
    }

    /// Whether all are two linear layers.
    #[must_use]
    pub fn are_full(&self) -> bool {
        [&self.eugen, &self.thin, &self.int8].into_iter().all(Blocks::is_empty)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> std::result::Result<(), SettingError> {
        self.features.validate()?;
        let thin = self.thin.is_empty() || self.thin_hidden > 0;
        check(thin, "--thin-hidden", self.thin_hidden, "at least 1 where there are --thin-blocks")
    }

    /// Checks that the blocks are those of a backbone with these branches.
    ///
    /// # Errors
    /// Names the block that has no MLP, and those that have.
    pub fn check(&self, branches: &[Branch]) -> Result<()> {
        let known: Vec<u32> = branches.iter().filter(|b| b.part == Part::Mlp).map(|b| b.block).collect();
        for (flag, blocks) in
            [("--eugen-blocks", &self.eugen), ("--thin-blocks", &self.thin), ("--int8-blocks", &self.int8)]
        {
            if let Some(block) = blocks.listed().find(|block| !known.contains(block)) {
                bail!("{flag}: block {block} has no MLP; those of this backbone are {}", Blocks::of(&known));
            }
        }
        Ok(())
    }
}

/// Whether a variable is one of an EUGen layer.
pub(crate) fn is_of_eugen(key: &str) -> bool {
    key.contains(".mlp.") && (key.ends_with(".g") || key.contains(".theta."))
}

/// Blocks by their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// Every block that has an MLP.
    All,
    /// These, in order.
    Some(Vec<u32>),
}

impl Default for Blocks {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Blocks {
    /// These.
    #[must_use]
    pub fn of(blocks: &[u32]) -> Self {
        let mut blocks = blocks.to_vec();
        blocks.sort_unstable();
        blocks.dedup();
        Self::Some(blocks)
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, block: u32) -> bool {
        match self {
            Self::All => true,
            Self::Some(blocks) => blocks.contains(&block),
        }
    }

    fn listed(&self) -> impl Iterator<Item = u32> + '_ {
        let blocks = if let Self::Some(blocks) = self { &blocks[..] } else { &[] };
        blocks.iter().copied()
    }
}

impl fmt::Display for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Some(blocks) => {
                f.write_str(&blocks.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// The highest number: lists of more are a mistake.
const MOST: u32 = 1024;

impl FromStr for Blocks {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let wrong = |part: &str| format!("'{part}' is no block: use numbers from 0, such as 0,2,4-6, or all");
        if text == "all" {
            return Ok(Self::All);
        }
        let mut blocks = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let number =
                |text: &str| text.parse::<u32>().ok().filter(|n| *n < MOST).ok_or_else(|| wrong(part));
            blocks.extend(number(from)?..=number(to)?);
        }
        Ok(Self::of(&blocks))
    }
}

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backbones::mit::MitConfig;
    use crate::backbones::swin::SwinConfig;
    use crate::backbones::tiny_vit::TinyVitConfig;
    use crate::backbones::vit::VitConfig;
    use crate::backbones::{Backbone, BackboneConfig};
    use nerve_core::graph::{Device, Gradients, Mode, Tensor, Variables, differentiate};

    fn small() -> FeatureConfig {
        FeatureConfig { features: 16, ..FeatureConfig::default() }
    }

    fn backbones() -> Vec<Box<dyn BackboneConfig>> {
        vec![
            Box::new(VitConfig {
                image: [32, 32],
                dim: 32,
                depth: 3,
                heads: 2,
                hidden: 64,
                ..VitConfig::tiny(16)
            }),
            Box::new(SwinConfig {
                embed_dim: 16,
                depths: vec![1, 1, 2],
                num_heads: vec![1, 2, 4],
                window_size: 4,
                ..SwinConfig::tiny()
            }),
            Box::new(TinyVitConfig {
                embed_dims: [16, 16, 32, 32],
                depths: [1, 1, 2, 1],
                num_heads: [1, 2, 2, 2],
                window_sizes: [4; 4],
                ..TinyVitConfig::default()
            }),
            Box::new(MitConfig {
                hidden_sizes: vec![16, 32],
                depths: vec![1, 2],
                sr_ratios: vec![2, 1],
                patch_sizes: vec![7, 3],
                strides: vec![4, 2],
                num_attention_heads: vec![1, 2],
                mlp_ratios: vec![4, 4],
                ..MitConfig::default()
            }),
        ]
    }

    fn image() -> Tensor {
        let values = (0..64 * 64 * 3).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect::<Vec<_>>();
        Tensor::from_vec(values, (1, 64, 64, 3), &Device::Cpu).expect("an image")
    }

    /// Every variable of every form of every backbone's MLPs hears of the loss, and EUGen layers have fewer of them.
    #[test]
    fn any_block_of_any_backbone_may_have_them() {
        for config in backbones() {
            let build = |forms: &MlpForms| {
                let variables = Variables::random(2);
                let config = config.with_mlps(forms).expect("a backbone with MLPs");
                let backbone = config.build(&variables.tracked()).expect("a backbone");
                (variables, backbone)
            };
            let (full, backbone) = build(&MlpForms::default());
            let last = backbone.branches().iter().map(|b| b.block).max().expect("blocks");
            let eugen = MlpForms { eugen: Blocks::All, features: small(), ..MlpForms::default() };
            let second = FeatureConfig { order: 2, ..small() };
            let one = MlpForms { eugen: Blocks::of(&[last]), features: second, ..MlpForms::default() };
            let thin = MlpForms { thin: Blocks::All, thin_hidden: 8, ..MlpForms::default() };
            for forms in [eugen, one, thin] {
                let (variables, backbone) = build(&forms);
                forms.check(&backbone.branches()).expect("its blocks");
                assert!(variables.parameters() < full.parameters(), "{forms:?}");
                let reached = reached(&variables, &*backbone);
                assert!(reached.is_empty(), "{config:?} {forms:?}: no gradient reaches {reached:?}");
            }
            let none = MlpForms { eugen: Blocks::of(&[last + 1]), ..MlpForms::default() };
            let error = none.check(&backbone.branches()).expect_err("no such block").to_string();
            assert!(error.contains(&format!("block {}", last + 1)), "{error}");
        }
    }

    /// Of the MLPs' variables, those that no gradient reaches.
    fn reached(variables: &Variables, backbone: &dyn Backbone) -> Vec<String> {
        let mut gradients = Gradients::default();
        let image = image();
        differentiate(&mut gradients, || {
            let maps = backbone.maps(&image, Mode::Eval)?;
            let mut total = maps[0].sqr()?.sum_all()?;
            for map in &maps[1..] {
                total = (total + map.sqr()?.sum_all()?)?;
            }
            Ok::<_, nerve_core::graph::Error>(total)
        })
        .expect("backward");
        let all = variables.trainable().into_iter().filter(|(key, _)| key.contains(".mlp."));
        let silent =
            |var: &nerve_core::graph::Var| gradients.get(var).is_none_or(|g| g.iter().all(|g| *g == 0.0));
        all.filter(|(_, var)| silent(var)).map(|(key, _)| key).collect()
    }

    /// In 8 bits a backbone gives about the same maps, where it is only looked at.
    #[test]
    fn maps_in_8_bits_are_close() {
        for config in backbones() {
            let maps = |forms: &MlpForms| {
                let variables = Variables::random(2);
                let config = config.with_mlps(forms).expect("a backbone with MLPs");
                let backbone = config.build(&variables.detached()).expect("a backbone");
                let maps = backbone.maps(&image(), Mode::Eval).expect("maps");
                let last = maps.last().expect("a map");
                nerve_core::graph::read(last).expect("values").to_vec()
            };
            let exact = maps(&MlpForms::default());
            let rounded = maps(&MlpForms { int8: Blocks::All, ..MlpForms::default() });
            assert_ne!(exact, rounded);
            let norm = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            let off: Vec<f32> = exact.iter().zip(&rounded).map(|(a, b)| a - b).collect();
            assert!(norm(&off) < 0.05 * norm(&exact), "{config:?}: {} of {}", norm(&off), norm(&exact));
        }
    }

    #[test]
    fn blocks_are_read_and_written() {
        assert_eq!("0,2,4-6".parse(), Ok(Blocks::of(&[0, 2, 4, 5, 6])));
        assert_eq!("all".parse(), Ok(Blocks::All));
        assert_eq!("".parse(), Ok(Blocks::default()));
        assert!("half".parse::<Blocks>().expect_err("no number").contains("'half'"));
        assert!("0-99999999".parse::<Blocks>().is_err());
        let forms = MlpForms { eugen: Blocks::of(&[1, 3]), thin: Blocks::All, ..MlpForms::default() };
        let text = serde_json::to_string(&forms).expect("text");
        assert_eq!(serde_json::from_str::<MlpForms>(&text).expect("forms"), forms);
        assert!(forms.validate().expect_err("no width").to_string().contains("--thin-hidden"));
    }
}
