//! What classes mean: read once when a run begins, and kept by its checkpoints from then on.
use std::path::{Path, PathBuf};

use nerve_core::graph::{Tensor, Variables};

use super::{LanguageConfig, LanguageShape, TextShape};
use crate::clip::{Clip, is_clip};
use crate::load::{LoadError, WeightSource, load};
use crate::text::{ClassVectors, ClipTextKeys, SentenceEncoder, TextError, Tokenizer};

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
        if SentenceEncoder::are(path) {
            let encoder = SentenceEncoder::open(path)?;
            let vectors =
                names.iter().map(|name| encoder.encode(&plain(name))).collect::<Result<Vec<_>, _>>()?;
            let (shape, kind) = (TextShape::Vectors(encoder.channels()), Kind::Vectors(vectors.concat()));
            return Ok(Self { path: path.into(), shape, kind });
        }
        let source = Clip::source(path)?;
        if !is_clip(&source) {
            return Err(TextError::Vectors {
                path: path.into(),
                problem: "no whole CLIP, no sentence encoder (a BERT's folder), no file of class vectors (one matrix, with \
                          `names` in its metadata); --text says what classes mean"
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
        let tokens =
            names.iter().map(|name| tokenizer.encode(&plain(name), most)).collect::<Result<_, _>>()?;
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
                set("tokens", token_rows(tokens, text.length.saturating_sub(shape.contexts)))?;
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

/// A class's name as a text: words apart (`traffic_light`, `SignSymbol`).
fn plain(name: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            text.push(' ');
        }
        text.push(if c == '_' || c == '-' { ' ' } else { c });
        before = c;
    }
    text
}

/// Tokens of texts as a [`super::Language`] keeps them: each one more than its number, padded with zeros to `length`.
#[must_use]
pub fn token_rows(texts: &[Vec<u32>], length: usize) -> Vec<f32> {
    let row = |ids: &Vec<u32>| {
        let ids = ids.iter().map(|id| *id as f32 + 1.0).chain(std::iter::repeat(0.0));
        ids.take(length).collect::<Vec<_>>()
    };
    texts.iter().flat_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_texts() {
        for (name, text) in [("SignSymbol", "Sign Symbol"), ("traffic_light", "traffic light"), ("TV", "TV")]
        {
            assert_eq!(plain(name), text);
        }
    }

    #[test]
    fn tokens_are_padded() {
        assert_eq!(token_rows(&[vec![0, 4], vec![7, 8, 9, 9]], 3), [1.0, 5.0, 0.0, 8.0, 9.0, 10.0]);
    }
}
