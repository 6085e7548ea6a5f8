//! The configuration of a Mix Transformer: the part of Hugging Face's `config.json` that concerns it.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::backbones::{Level, MlpForms, parts::drop_path_rates};

/// One entry a stage. The default is B0, as published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MitConfig {
    /// Channels of the image.
    pub num_channels: usize,
    /// Blocks.
    pub depths: Vec<usize>,
    /// By how much keys and values are reduced along each side.
    pub sr_ratios: Vec<usize>,
    /// Channels.
    pub hidden_sizes: Vec<usize>,
    /// Kernels of the patch embeddings.
    pub patch_sizes: Vec<usize>,
    /// Their strides.
    pub strides: Vec<usize>,
    /// Heads of attention.
    pub num_attention_heads: Vec<usize>,
    /// Width of the MLPs, in channels of the stage.
    pub mlp_ratios: Vec<usize>,
    /// Activation of the MLPs.
    pub hidden_act: Activation,
    /// Rate at which the last block is dropped in training; earlier ones in proportion to their place.
    pub drop_path_rate: f32,
    /// Dropout inside blocks; no published model has any.
    pub hidden_dropout_prob: f32,
    /// Dropout of attention; no published model has any.
    pub attention_probs_dropout_prob: f32,
    /// Which MLPs are built otherwise.
    #[serde(skip_serializing_if = "MlpForms::are_full")]
    pub mlps: MlpForms,
}

impl Default for MitConfig {
    fn default() -> Self {
        Self::sized([32, 64, 160, 256], [2, 2, 2, 2])
    }
}

impl MitConfig {
    fn sized(hidden_sizes: [usize; 4], depths: [usize; 4]) -> Self {
        Self {
            num_channels: 3,
            depths: depths.to_vec(),
            sr_ratios: vec![8, 4, 2, 1],
            hidden_sizes: hidden_sizes.to_vec(),
            patch_sizes: vec![7, 3, 3, 3],
            strides: vec![4, 2, 2, 2],
            num_attention_heads: vec![1, 2, 5, 8],
            mlp_ratios: vec![4; 4],
            hidden_act: Activation::Gelu,
            drop_path_rate: 0.1,
            hidden_dropout_prob: 0.0,
            attention_probs_dropout_prob: 0.0,
            mlps: MlpForms::default(),
        }
    }

    /// B0 to B5 of the paper (table 6); none beyond.
    #[must_use]
    pub fn b(size: usize) -> Option<Self> {
        let depths = match size {
            0 => return Some(Self::default()),
            1 => [2, 2, 2, 2],
            2 => [3, 4, 6, 3],
            3 => [3, 4, 18, 3],
            4 => [3, 8, 27, 3],
            5 => [3, 6, 40, 3],
            _ => return None,
        };
        Some(Self::sized([64, 128, 320, 512], depths))
    }

    /// Checks whether it can be built.
    ///
    /// # Errors
    /// Names the field that is wrong, and how.
    pub fn check(&self) -> Result<()> {
        let lists = [
            ("sr_ratios", &self.sr_ratios),
            ("hidden_sizes", &self.hidden_sizes),
            ("patch_sizes", &self.patch_sizes),
            ("strides", &self.strides),
            ("num_attention_heads", &self.num_attention_heads),
            ("mlp_ratios", &self.mlp_ratios),
            ("depths", &self.depths),
        ];
        let stages = self.depths.len();
        if stages == 0 {
            bail!("MiT: depths is empty, it has an entry a stage");
        }
        for (name, list) in lists {
            if list.len() != stages || list.contains(&0) {
                bail!("MiT: {name} is {list:?}, it must have {stages} entries above 0, as depths has");
            }
        }
        for (channels, heads) in self.hidden_sizes.iter().zip(&self.num_attention_heads) {
            if !channels.is_multiple_of(*heads) {
                bail!("MiT: {channels} of hidden_sizes cannot be divided among {heads} num_attention_heads");
            }
        }
        if self.hidden_dropout_prob != 0.0 || self.attention_probs_dropout_prob != 0.0 {
            bail!("MiT: hidden_dropout_prob and attention_probs_dropout_prob must be 0");
        }
        Ok(())
    }

    /// The rate of drop path of each block, linear in its place.
    pub(super) fn drop_rates(&self) -> Vec<f32> {
        drop_path_rates(self.drop_path_rate, self.depths.iter().sum())
    }

    /// The maps that it returns.
    pub(super) fn levels(&self) -> Vec<Level> {
        let mut stride = 1;
        let stages = self.hidden_sizes.iter().zip(&self.strides);
        stages
            .map(|(&channels, step)| {
                stride *= step;
                Level { channels, stride }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_sizes_can_be_built_and_others_cannot() {
        for size in 0..6 {
            MitConfig::b(size).expect("a size").check().expect("can be built");
        }
        assert_eq!(MitConfig::b(6), None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: fn(&mut MitConfig)| {
            let mut config = MitConfig::default();
            change(&mut config);
            config.check().expect_err("wrong").to_string()
        };
        assert!(wrong(|c| c.strides = vec![4, 2]).contains("strides"));
        assert!(wrong(|c| c.sr_ratios[1] = 0).contains("sr_ratios"));
        assert!(wrong(|c| c.depths.clear()).contains("depths"));
        assert!(wrong(|c| c.num_attention_heads[0] = 3).contains("num_attention_heads"));
        assert!(wrong(|c| c.hidden_dropout_prob = 0.1).contains("hidden_dropout_prob"));
    }

    #[test]
    fn a_published_file_is_read() {
        let json = r#"{"architectures": ["SegformerForImageClassification"], "depths": [3, 4, 6, 3],
            "hidden_sizes": [64, 128, 320, 512], "layer_norm_eps": 1e-06, "id2label": {"0": "tench"}}"#;
        let config: MitConfig = serde_json::from_str(json).expect("read");
        assert_eq!(Some(config), MitConfig::b(2));
    }
}
