//! What a load found, and what it did not.
use std::fmt;

use super::LoadError;

/// An array whose shape does not fit its variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Its key in the file.
    pub key: String,
    /// Its shape in the file.
    pub file: Vec<usize>,
    /// The shape that the model needs.
    pub model: Vec<usize>,
}

/// The result of a load. Missing keys are the model's, all others the file's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The file or folder.
    pub source: String,
    /// How many variables have new values.
    pub loaded: usize,
    /// Variables that were not found, or only in part.
    pub missing: Vec<String>,
    /// Arrays that the model does not have.
    pub unexpected: Vec<String>,
    /// Arrays of another shape.
    pub mismatched: Vec<Mismatch>,
    /// Arrays that were resized to fit.
    pub resized: Vec<String>,
    /// Arrays that are known, but not needed.
    pub ignored: Vec<String>,
    /// Variables that such files do not have, which keep their initial values.
    pub fresh: Vec<String>,
}

impl LoadReport {
    /// The report, if every variable was found and nothing was left over.
    ///
    /// # Errors
    /// [`LoadError::Incomplete`] otherwise; its message lists the keys.
    pub fn strict(self) -> Result<Self, LoadError> {
        if self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty() {
            Ok(self)
        } else {
            Err(LoadError::Incomplete(Box::new(self)))
        }
    }
}

/// Keys of a kind that a message lists.
const LISTED: usize = 10;

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} variables loaded", self.source, self.loaded)?;
        list(f, "missing in the file", &self.missing, |key| key.clone())?;
        list(f, "unexpected in the file", &self.unexpected, |key| key.clone())?;
        list(f, "of another shape", &self.mismatched, |m| {
            format!("{}: {:?} in the file, {:?} in the model", m.key, m.file, m.model)
        })
    }
}

fn list<T>(f: &mut fmt::Formatter<'_>, what: &str, keys: &[T], show: impl Fn(&T) -> String) -> fmt::Result {
    if keys.is_empty() {
        return Ok(());
    }
    write!(f, "\n{} {what}:", keys.len())?;
    for key in keys.iter().take(LISTED) {
        write!(f, "\n  {}", show(key))?;
    }
    if keys.len() > LISTED {
        write!(f, "\n  and {} more", keys.len() - LISTED)?;
    }
    Ok(())
}
