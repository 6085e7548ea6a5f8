//! A problem of a scene or a label set with its remedy, as inspecting either finds them.

use serde::Serialize;

/// The largest number of names in a list.
const NAMED: usize = 4;

/// How much a problem matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Training cannot give a useful result.
    Error,
    /// The result will probably suffer.
    Warning,
    /// Worth knowing.
    Note,
}

/// A problem of a scene or a label set, with its remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataProblem {
    /// How much it matters.
    pub severity: Severity,
    /// What was found.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

/// An error's message with those of its causes.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |e| e.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

/// The first few names, as a list in a sentence.
pub(crate) fn first_few(names: &[String]) -> String {
    let more = if names.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", names[..names.len().min(NAMED)].join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..6).map(|i| i.to_string()).collect();
        assert_eq!(first_few(&names), "0, 1, 2, 3, ...");
        assert_eq!(first_few(&names[..2]), "0, 1");
    }
}
