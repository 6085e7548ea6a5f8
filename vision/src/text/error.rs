//! Errors of text.
use std::path::PathBuf;

/// Text, or a file that text needs, that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
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
    /// A text that cannot become tokens.
    #[error("'{text}': {problem}")]
    Text {
        /// Its beginning.
        text: String,
        /// What is wrong.
        problem: String,
    },
}
