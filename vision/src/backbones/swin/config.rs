//! The configuration of a Swin transformer.
use nerve_core::graph::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::activation::Activation;
use crate::backbones::MlpForms;

/// Which of the published programs is followed where they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwinForm {
    /// For dense prediction (the authors' code, mmsegmentation, Hugging Face's `SwinBackbone`): windows are always
    /// shifted, also in maps no larger than one, and each stage whose output is a map has its own norm.
    #[default]
    Dense,
    /// Hugging Face's `SwinModel`: maps no larger than a window on one of their sides are not shifted; one norm, after
    /// the last stage.
    Classifier,
    /// timm's: sides no larger than a window are not shifted; a map that is no multiple of the window is rolled before
    /// it is padded, not after; one norm, after the last stage.
    Timm,
}

/// A Swin transformer, as Hugging Face's `config.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SwinConfig {
    /// Channels of the images.
    pub num_channels: usize,
    /// Side of a patch, in pixels.
    pub patch_size: usize,
    /// Channels of the first stage; each further one has twice as many.
    pub embed_dim: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Heads of each stage.
    pub num_heads: Vec<usize>,
    /// Side of a window, in patches of the stage.
    pub window_size: usize,
    /// Hidden channels of the MLPs per channel.
    pub mlp_ratio: f64,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// The activation of the MLPs.
    pub hidden_act: Activation,
    /// Rate of stochastic depth at the last block.
    pub drop_path_rate: f32,
    /// Added to variances.
    pub layer_norm_eps: f64,
    /// Positions added to the patches; no published model has them, and they are not supported.
    pub use_absolute_embeddings: bool,
    /// The stages whose outputs become maps, from 1 (0 would be the patches); all of them if none is given.
    pub out_indices: Option<Vec<usize>>,
    /// Where published programs differ.
    pub form: SwinForm,
    /// Which MLPs are built otherwise.
    #[serde(skip_serializing_if = "MlpForms::are_full")]
    pub mlps: MlpForms,
}

impl Default for SwinConfig {
    fn default() -> Self {
        Self::tiny()
    }
}

impl SwinConfig {
    fn of(embed_dim: usize, depth: usize, head: usize) -> Self {
        Self {
            num_channels: 3,
            patch_size: 4,
            embed_dim,
            depths: vec![2, 2, depth, 2],
            num_heads: vec![head, 2 * head, 4 * head, 8 * head],
            window_size: 7,
            mlp_ratio: 4.0,
            qkv_bias: true,
            hidden_act: Activation::Gelu,
            drop_path_rate: 0.1,
            layer_norm_eps: 1e-5,
            use_absolute_embeddings: false,
            out_indices: None,
            form: SwinForm::Dense,
            mlps: MlpForms::default(),
        }
    }

    /// Swin-T: 28 million parameters.
    #[must_use]
    pub fn tiny() -> Self {
        Self::of(96, 6, 3)
    }

    /// Swin-S: 50 million.
    #[must_use]
    pub fn small() -> Self {
        Self::of(96, 18, 3)
    }

    /// Swin-B: 88 million.
    #[must_use]
    pub fn base() -> Self {
        Self::of(128, 18, 4)
    }

    /// Swin-L: 197 million.
    #[must_use]
    pub fn large() -> Self {
        Self::of(192, 18, 6)
    }

    /// The same with another window.
    #[must_use]
    pub fn with_window(self, window_size: usize) -> Self {
        Self { window_size, ..self }
    }

    /// The same in another form.
    #[must_use]
    pub fn with_form(self, form: SwinForm) -> Self {
        Self { form, ..self }
    }

    /// Channels of a stage, from 0.
    #[must_use]
    pub fn channels(&self, stage: usize) -> usize {
        self.embed_dim << stage
    }

    /// The stages whose outputs become maps, from 0.
    pub(super) fn outputs(&self) -> Result<Vec<usize>> {
        let stages = self.depths.len();
        match &self.out_indices {
            // Hugging Face's default is the last alone; as a backbone that is never meant.
            None => Ok((0..stages).collect()),
            Some(stated) if stated.iter().all(|s| (1..=stages).contains(s)) && stated.is_sorted() => {
                Ok(stated.iter().map(|s| s - 1).collect())
            }
            Some(stated) => {
                bail!("Swin: `out_indices` is {stated:?}, it must be ascending, from 1 to at most {stages}")
            }
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let stages = self.depths.len();
        if stages == 0 || stages > 16 || self.num_heads.len() != stages || self.depths.contains(&0) {
            bail!("Swin: `depths` is {:?} and `num_heads` {:?}", self.depths, self.num_heads);
        }
        if self.window_size == 0 || self.patch_size == 0 || self.embed_dim == 0 {
            bail!("Swin: `window_size`, `patch_size` and `embed_dim` must be at least 1");
        }
        for (stage, heads) in self.num_heads.iter().enumerate() {
            if *heads == 0 || !self.channels(stage).is_multiple_of(*heads) {
                bail!("Swin: {heads} heads cannot share {} channels", self.channels(stage));
            }
        }
        if self.use_absolute_embeddings {
            bail!("Swin: `use_absolute_embeddings` is not supported");
        }
        Ok(())
    }
}
