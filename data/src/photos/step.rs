//! The three steps of COLMAP from photos to poses.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of COLMAP's steps from photos to poses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColmapStep {
    /// Features of each photo.
    Features,
    /// Matches of features in pairs of photos.
    Matching,
    /// Camera poses and points from the matches.
    Mapping,
}

impl fmt::Display for ColmapStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Features => "feature extraction",
            Self::Matching => "matching",
            Self::Mapping => "mapping",
        })
    }
}

impl ColmapStep {
    /// All steps, in order.
    pub const ALL: [Self; 3] = [Self::Features, Self::Matching, Self::Mapping];

    /// The remedy if the program fails.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::Features => "check that there is room on the disk and in memory, and that the photos open",
            Self::Matching => {
                "check that there is room on the disk and in memory; fewer --threads need less of it"
            }
            Self::Mapping => "more photos that overlap help, and sharper ones",
        }
    }
}
