//! A photo that is there and cannot be used, and what is said of such.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::problem::with_causes;

/// How many are told in a message.
const TOLD: usize = 4;

/// A photo that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPhoto {
    /// Its file.
    pub path: PathBuf,
    /// Why, with the file's name and what to do.
    pub reason: String,
}

impl BadPhoto {
    pub(crate) fn new(path: &Path, error: &dyn std::error::Error) -> Self {
        Self { path: path.to_owned(), reason: with_causes(error) }
    }
}

/// The reasons of the first few, and how many more there are.
pub(crate) struct Told<'a>(pub &'a [BadPhoto]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bad = self.0;
        if bad.len() > 1 {
            write!(f, "{} photos cannot be used: ", bad.len())?;
        }
        let reasons: Vec<&str> = bad.iter().take(TOLD).map(|bad| bad.reason.as_str()).collect();
        f.write_str(&reasons.join("; "))?;
        if bad.len() > TOLD { write!(f, "; and {} more", bad.len() - TOLD) } else { Ok(()) }
    }
}

/// What is said of those that are left out.
pub fn left_out(bad: &[BadPhoto]) -> String {
    let count = bad.len();
    format!("left out {count} photo{} by --skip-bad: {}", if count == 1 { "" } else { "s" }, Told(bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut_in_messages() {
        let bad: Vec<BadPhoto> =
            (0..6).map(|i| BadPhoto { path: format!("{i}").into(), reason: format!("{i}: no") }).collect();
        assert_eq!(Told(&bad).to_string(), "6 photos cannot be used: 0: no; 1: no; 2: no; 3: no; and 2 more");
        assert_eq!(Told(&bad[..1]).to_string(), "0: no");
    }
}
