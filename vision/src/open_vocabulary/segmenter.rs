//! A CLIP and words, as a segmenter.
use std::path::Path;

use nerve_core::device;
use nerve_core::graph::{Device, Result, Tensor, Variables, graph_device, narrow};
use nerve_data::augment::Normalise;

use super::{LastAttention, Words};
use crate::backbones::grid::Resampling;
use crate::backbones::vit::{Vit, VitConfig};
use crate::clip::{Clip, ImageConfig, Opened};
use crate::denseclip::unit;
use crate::segmentation::{SegmentationError, SemanticSegmenter};
use crate::text::Tokenizer;

/// A CLIP's ViT that tells words apart. As a [`SemanticSegmenter`] its classes are the words; [`Words::join`] joins those
/// of a class.
#[derive(Debug)]
pub struct OpenVocabulary {
    variables: Variables,
    vit: Vit,
    clip: Clip,
    /// `(embed, words)`.
    vectors: Tensor,
    words: Words,
    last: LastAttention,
    scale: f64,
}

impl OpenVocabulary {
    /// Of a CLIP in a file or folder; the tokenizer is beside it if none is given.
    ///
    /// # Errors
    /// If it is none with a ViT, or there is no tokenizer.
    pub fn open(
        path: &Path,
        tokenizer: Option<&Path>,
        words: Words,
        templates: &[String],
        last: LastAttention,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        let Opened { config, variables, clip, .. } = Clip::open(path, graph_device(device)?)?;
        let ImageConfig::Vit(vit) = &config.image else {
            return Err(SegmentationError::Other {
                path: path.into(),
                reason: "words need a CLIP with a ViT; this one has a ResNet, which `nerve seg train --method denseclip` \
                         trains"
                    .into(),
            });
        };
        let beside = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let tokenizer = Tokenizer::open(tokenizer.unwrap_or(beside))?;
        let vit = VitConfig { resampling: Resampling::Offset, ..vit.clone() };
        let vit = Vit::new(&variables.detached().at("visual"), &vit)?;
        let vectors = words.encode(clip.text(), &tokenizer, templates)?.t()?.contiguous()?;
        Ok(Self { variables, vit, clip, vectors, words, last, scale: last.scale() })
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// Cosines `(batch, rows, columns, words)` of the patches of images and the words.
    ///
    /// # Errors
    /// If the images are too small.
    pub fn cosines(&self, images: &Tensor) -> Result<Tensor> {
        let last = |block: crate::backbones::vit::LastBlock<'_>, x: &Tensor, grid: [usize; 2]| {
            self.last.forward(block, x, grid)
        };
        let (tokens, [rows, columns]) = self.vit.with_last(images, &last)?;
        let patches = narrow(&tokens, 1, 1, rows * columns)?;
        let places = unit(&self.clip.project(&patches)?)?;
        let (batch, count, _) = places.dims3()?;
        let cosines = places.reshape((batch * count, ()))?.matmul(&self.vectors)?;
        cosines.reshape((batch, rows, columns, self.words.words().len()))
    }
}

impl SemanticSegmenter for OpenVocabulary {
    fn classes(&self) -> usize {
        self.words.words().len()
    }

    fn device(&self) -> &Device {
        self.variables.device()
    }

    fn normalise(&self) -> Normalise {
        Normalise::clip()
    }

    fn infer(&self, images: &Tensor) -> Result<Tensor> {
        self.cosines(images)? * self.scale
    }
}
