//! The configuration of a TinyViT.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::backbones::{Level, MlpForms, parts::drop_path_rates};

/// One entry a stage; the names are those of the published code. The default is MobileSAM's TinyViT-5M.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TinyVitConfig {
    /// Channels of the image.
    pub in_chans: usize,
    /// Channels.
    pub embed_dims: [usize; 4],
    /// Blocks.
    pub depths: [usize; 4],
    /// Heads of attention; the first stage has none.
    pub num_heads: [usize; 4],
    /// Sides of the windows; the first stage has none.
    pub window_sizes: [usize; 4],
    /// Width of the MLPs, in channels of the stage.
    pub mlp_ratio: usize,
    /// Width of the first stage's blocks, in its channels.
    pub mbconv_expand_ratio: usize,
    /// Stride of the last merging: 1 as MobileSAM has it, or 2 as timm has it.
    pub last_stride: usize,
    /// Rate at which the last block is dropped in training; earlier ones in proportion to their place.
    pub drop_path_rate: f32,
    /// Which MLPs are built otherwise.
    #[serde(skip_serializing_if = "MlpForms::are_full")]
    pub mlps: MlpForms,
}

impl Default for TinyVitConfig {
    fn default() -> Self {
        Self {
            in_chans: 3,
            embed_dims: [64, 128, 160, 320],
            depths: [2, 2, 6, 2],
            num_heads: [2, 4, 5, 10],
            window_sizes: [7, 7, 14, 7],
            mlp_ratio: 4,
            mbconv_expand_ratio: 4,
            last_stride: 1,
            drop_path_rate: 0.0,
            mlps: MlpForms::default(),
        }
    }
}

impl TinyVitConfig {
    /// timm's `tiny_vit_5m_224`.
    #[must_use]
    pub fn timm() -> Self {
        Self { last_stride: 2, ..Self::default() }
    }

    /// Checks whether it can be built.
    ///
    /// # Errors
    /// Names the field that is wrong, and how.
    pub fn check(&self) -> Result<()> {
        for stage in 1..4 {
            let (channels, heads) = (self.embed_dims[stage], self.num_heads[stage]);
            if heads == 0 || !channels.is_multiple_of(heads) {
                bail!("TinyViT: {channels} of embed_dims cannot be divided among {heads} num_heads");
            }
            if self.window_sizes[stage] == 0 {
                bail!("TinyViT: window_sizes has a 0 at stage {stage}");
            }
        }
        if self.embed_dims.contains(&0) || !self.embed_dims[0].is_multiple_of(2) {
            bail!("TinyViT: embed_dims is {:?}, it must be above 0 and begin even", self.embed_dims);
        }
        if !(1..=2).contains(&self.last_stride) {
            bail!("TinyViT: last_stride is {}, it must be 1 or 2", self.last_stride);
        }
        Ok(())
    }

    /// The rate of drop path of each block, linear in its place.
    pub(super) fn drop_rates(&self) -> Vec<f32> {
        drop_path_rates(self.drop_path_rate, self.depths.iter().sum())
    }

    /// The maps that it returns.
    pub(super) fn levels(&self) -> Vec<Level> {
        let strides = [4, 8, 16, 16 * self.last_stride];
        self.embed_dims.iter().zip(strides).map(|(&channels, stride)| Level { channels, stride }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |change: fn(&mut TinyVitConfig)| {
            let mut config = TinyVitConfig::default();
            config.check().expect("the default is right");
            change(&mut config);
            config.check().expect_err("wrong").to_string()
        };
        assert!(wrong(|c| c.num_heads[2] = 7).contains("num_heads"));
        assert!(wrong(|c| c.num_heads[1] = 0).contains("num_heads"));
        assert!(wrong(|c| c.window_sizes[3] = 0).contains("window_sizes"));
        assert!(wrong(|c| c.embed_dims[0] = 63).contains("embed_dims"));
        assert!(wrong(|c| c.last_stride = 3).contains("last_stride"));
    }
}
