//! Any phrases on a segmenter that was trained with a language branch: its score map for their texts in place of the classes'.
use std::path::Path;

use nerve_core::device;
use nerve_core::graph::{Device, Result, Tensor, to_vec};
use nerve_data::augment::Normalise;

use super::Words;
use crate::denseclip::{LanguageShape, Prompting, TextShape, token_rows};
use crate::segmentation::{ModelConfig, SegmentationError, Segmenter, SemanticSegmenter};
use crate::text::{ClassVectors, SentenceEncoder, TextError, Tokenizer};

/// A trained segmenter that is asked for phrases; its classes are the words.
pub struct Phrases {
    segmenter: Segmenter,
    temperature: f64,
}

impl Phrases {
    /// Of a trained segmenter. The texts of the words come from where those of the classes came: through its own text
    /// encoder with the learned contexts; or, where it was trained with vectors, from `text`, a file of vectors.
    ///
    /// # Errors
    /// If it has no language branch, or the words have no texts.
    pub fn of(
        trained: &Segmenter,
        model: &ModelConfig,
        words: &Words,
        text: Option<&Path>,
        device: device::Device,
    ) -> std::result::Result<Self, SegmentationError> {
        let Some(shape) = trained.language() else { return Err(TextError::NoLanguage.into()) };
        if shape.class_contexts && shape.prompting != Prompting::Off {
            return Err(TextError::NoLanguage.into());
        }
        let count = words.words().len();
        let shape = LanguageShape { classes: count, ..shape.clone() };
        let segmenter = Segmenter::guided(model, Some(&shape), count, 0, device)?;
        // The head, which was trained for the classes, is not asked.
        for (key, variable) in segmenter.variables().all() {
            if let Some(from) = trained.variables().get(&key)
                && from.var.dims() == variable.var.dims()
            {
                let values = Tensor::from_vec(to_vec(&from.var), from.var.dims(), from.var.device())?;
                variable.var.set(&values)?;
            }
        }
        let names: Vec<String> = words.words().iter().map(|(word, _)| word.clone()).collect();
        let language = &model.language;
        let (key, values) = match &shape.text {
            TextShape::Vectors(channels) => {
                let path = text.or(language.text.as_deref()).ok_or(TextError::NoEncoder)?;
                let values = vectors(&names, path, *channels)?;
                ("language.vectors", values)
            }
            TextShape::Clip(config) => {
                let source = language.text.as_deref().or(model.weights.as_deref());
                let beside =
                    source.map(|path| if path.is_dir() { path } else { path.parent().unwrap_or(path) });
                let path = language.tokenizer.as_deref().or(beside).ok_or(TextError::NoEncoder)?;
                let length = config.length.saturating_sub(shape.contexts);
                let tokenizer = Tokenizer::open(path)?;
                let tokens = names.iter().map(|name| tokenizer.encode(name, length));
                ("language.tokens", token_rows(&tokens.collect::<std::result::Result<Vec<_>, _>>()?, length))
            }
        };
        if let Some(buffer) = segmenter.variables().get(key) {
            let values = Tensor::from_vec(values, buffer.var.dims(), buffer.var.device())?;
            buffer.var.set(&values)?;
        }
        Ok(Self { segmenter, temperature: f64::from(language.temperature) })
    }
}

/// Vectors of so many channels of these words: from a sentence encoder, or a file that names them.
fn vectors(names: &[String], path: &Path, channels: usize) -> std::result::Result<Vec<f32>, TextError> {
    let (values, found) = if SentenceEncoder::are(path) {
        let encoder = SentenceEncoder::open(path)?;
        let all =
            names.iter().map(|name| encoder.encode(name)).collect::<std::result::Result<Vec<_>, _>>()?;
        (all.concat(), encoder.channels())
    } else {
        let file = ClassVectors::open(path)?;
        (file.of_words(names, path)?, file.channels)
    };
    if found != channels {
        return Err(TextError::Vectors {
            path: path.to_owned(),
            problem: format!(
                "its vectors have {found} channels, those of the training {channels}; give the same encoder"
            ),
        });
    }
    Ok(values)
}

impl SemanticSegmenter for Phrases {
    fn classes(&self) -> usize {
        self.segmenter.classes()
    }

    fn device(&self) -> &Device {
        self.segmenter.device()
    }

    fn normalise(&self) -> Normalise {
        self.segmenter.normalise()
    }

    fn infer(&self, images: &Tensor) -> Result<Tensor> {
        self.segmenter.score_map(images)? / self.temperature
    }
}
