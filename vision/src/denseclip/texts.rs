//! What classes mean: read once when a run begins, and kept by its checkpoints from then on.
use std::path::{Path, PathBuf};

use nerve_core::graph::{Tensor, Variables};

use super::{LanguageConfig, LanguageShape, TextShape};
use crate::clip::{Clip, is_clip};
use crate::load::{LoadError, WeightSource, load};
use crate::text::{ClassVectors, ClipTextKeys, TextError, Tokenizer};

/// The meanings of the classes of a run.
#[derive(Debug)]
pub struct TextSource {
    path: PathBuf,
    shape: TextShape,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// `(classes, channels)`.
    Vectors(Vec<f32>),
    /// The encoder's weights, and the tokens of the names.
    Clip(WeightSource, Vec<Vec<u32>>),
}

impl TextSource {
    /// Of these classes: from `config.text`, or `weights`, those of the backbone, where they are of a whole CLIP.
    ///
    /// # Errors
    /// If nothing is given, or files cannot be used.
    pub fn open(
        config: &LanguageConfig,
        weights: Option<&Path>,
        names: &[String],
    ) -> Result<Self, TextError> {
        let path = config.text.as_deref().or(weights).ok_or(TextError::None)?;
        let vectors = path.is_file() && ClassVectors::are(path);
        if vectors {
            let found = ClassVectors::open(path)?;
            let values = found.of(names, path)?;
            return Ok(Self {
                path: path.into(),
                shape: TextShape::Vectors(found.channels),
                kind: Kind::Vectors(values),
            });
        }
        let source = Clip::source(path)?;
        if !is_clip(&source) {
            return Err(TextError::Vectors {
                path: path.into(),
                problem: "neither a whole CLIP nor a file of class vectors (one matrix, with `names` in its metadata); \
                          --text says what classes mean"
                    .into(),
            });
        }
        let text = Clip::published(&source, path)?.text;
        let beside = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let tokenizer =
            Tokenizer::open(config.tokenizer.as_deref().unwrap_or(beside)).map_err(|error| match error {
                TextError::Tokenizer { path, problem } if config.tokenizer.is_none() => {
                    TextError::Tokenizer { path, problem: format!("{problem}; --tokenizer says where it is") }
                }
                other => other,
            })?;
        let most = text.length.saturating_sub(config.contexts);
        let tokens = names.iter().map(|name| tokenizer.encode(name, most)).collect::<Result<_, _>>()?;
        Ok(Self { path: path.into(), shape: TextShape::Clip(text), kind: Kind::Clip(source, tokens) })
    }

    /// Where the vectors come from.
    #[must_use]
    pub fn shape(&self) -> &TextShape {
        &self.shape
    }

    /// Puts them into the variables of a [`super::Language`] whose keys begin with `prefix`.
    ///
    /// # Errors
    /// If the file cannot be read, or lacks something.
    pub fn fill(
        &mut self,
        variables: &Variables,
        prefix: &str,
        shape: &LanguageShape,
    ) -> Result<(), TextError> {
        let set = |name: &str, values: Vec<f32>| -> Result<(), LoadError> {
            if let Some(buffer) = variables.get(&format!("{prefix}{name}")) {
                buffer.var.set(&Tensor::from_vec(values, buffer.var.dims(), variables.device())?)?;
            }
            Ok(())
        };
        match &mut self.kind {
            Kind::Vectors(values) => set("vectors", values.clone())?,
            Kind::Clip(source, tokens) => {
                let TextShape::Clip(text) = &shape.text else { return Err(TextError::None) };
                let length = text.length.saturating_sub(shape.contexts);
                let row = |ids: &Vec<u32>| {
                    let ids = ids.iter().map(|id| *id as f32 + 1.0).chain(std::iter::repeat(0.0));
                    ids.take(length).collect::<Vec<_>>()
                };
                set("tokens", tokens.iter().flat_map(row).collect())?;
                let report = load(variables, &format!("{prefix}text."), source, &ClipTextKeys)?;
                report.strict()?;
            }
        }
        Ok(())
    }

    /// The file or folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}
