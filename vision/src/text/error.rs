//! Errors of text.
use std::path::PathBuf;

use crate::load::LoadError;

/// Text, or a file that text needs, that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Nothing says what classes mean.
    #[error(
        "nothing says what classes mean: give --text, a CLIP or a file of class vectors, or a whole CLIP's --weights"
    )]
    None,
    /// A segmenter that knows no words.
    #[error(
        "phrases need a segmenter with a language branch whose contexts all classes share: train one with `nerve seg train \
         --method denseclip`, without --class-contexts"
    )]
    NoLanguage,
    /// Nothing makes vectors of phrases.
    #[error(
        "nothing says what these words mean: give --text, a file with their vectors from the encoder of the training"
    )]
    NoEncoder,
    /// The file system failed.
    #[error("{}: {problem}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: std::io::Error,
    },
    /// A file that is no tokenizer.
    #[error("{}: {problem}", path.display())]
    Tokenizer {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A file that holds no vectors of classes, or not those that are wanted.
    #[error("{}: {problem}", path.display())]
    Vectors {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        problem: String,
    },
    /// A file of weights that cannot be used.
    #[error(transparent)]
    Weights(#[from] LoadError),
    /// A text that cannot become tokens.
    #[error("'{text}': {problem}")]
    Text {
        /// Its beginning.
        text: String,
        /// What is wrong.
        problem: String,
    },
}
