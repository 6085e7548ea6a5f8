//! Errors in a model's file: the place and the problem.

use std::path::Path;

use crate::scene::error::SceneError;

/// A flaw in one of a model's files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct Flaw {
    /// Where in the file, such as `camera 3` or `line 12`.
    pub place: String,
    /// What is wrong, and the remedy.
    pub problem: String,
}

impl Flaw {
    /// The error of a scene that names the file.
    pub(super) fn in_file(self, path: &Path) -> SceneError {
        SceneError::Field { path: path.to_owned(), field: self.place, problem: self.problem }
    }

    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}
