//! What is wrong in a model's file, and where.

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
    pub(super) fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}
