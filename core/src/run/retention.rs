//! Which waiting events are retained for a sink that is behind, what they cost, and when they are stale.
use super::{Event, ImageRole, LabelRole};

/// How much of a kind of event is retained for a sink that is behind or comes late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// All of them: numbers and messages, which are small.
    All,
    /// Each, within a limit of bytes: cameras, photographs and whatever else is large and published once.
    Once,
    /// The latest of each subject, within a limit of bytes: pictures that a newer one replaces.
    Latest,
}

impl Event {
    /// How much of its kind is retained for a sink that is behind.
    #[must_use]
    pub fn retention(&self) -> Retention {
        match self {
            Self::Scalars { .. }
            | Self::Scores { .. }
            | Self::Histogram { .. }
            | Self::Text { .. }
            | Self::Done { .. }
            | Self::Classes { .. }
            | Self::PerClass { .. } => Retention::All,
            Self::Cameras { .. } | Self::Path { .. } | Self::Points { step: None, .. } => Retention::Once,
            Self::Image { role: ImageRole::Input | ImageRole::GroundTruth, .. }
            | Self::Labels { role: LabelRole::GroundTruth, .. } => Retention::Once,
            Self::Progress { .. }
            | Self::Image { .. }
            | Self::Map { .. }
            | Self::Labels { .. }
            | Self::Confusion { .. }
            | Self::Points { .. }
            | Self::Mesh { .. }
            | Self::Voxels { .. } => Retention::Latest,
        }
    }

    /// Bytes of what it shares.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Scalars { values, .. } => size_of_val(&**values),
            Self::Progress { rates, .. } => size_of_val(&**rates),
            Self::Scores { scores, .. } => size_of_val(&**scores),
            Self::Image { data, .. } => data.len(),
            Self::Histogram { counts, .. } | Self::Confusion { counts, .. } => size_of_val(&**counts),
            Self::Map { values, .. } | Self::Voxels { values, .. } => size_of_val(&**values),
            Self::Classes { classes } => size_of_val(&**classes),
            Self::Labels { labels, .. } => size_of_val(&**labels),
            Self::PerClass { values, .. } => size_of_val(&**values),
            Self::Cameras { views } => {
                let photos = views.iter().filter_map(|v| v.photo.as_ref());
                size_of_val(&**views) + photos.map(|p| p.data.len()).sum::<usize>()
            }
            Self::Path { points, .. } => size_of_val(&**points),
            Self::Points { positions, colors, .. } => size_of_val(&**positions) + size_of_val(&**colors),
            Self::Mesh { positions, triangles, colors, .. } => {
                size_of_val(&**positions) + size_of_val(&**triangles) + size_of_val(&**colors)
            }
            Self::Text { message, .. } => message.len(),
            Self::Done { .. } => 0,
        }
    }

    /// Whether a newer event shows the same thing, so that this one need not be shown any more.
    #[must_use]
    pub fn is_superseded_by(&self, newer: &Self) -> bool {
        self.retention() != Retention::All && self.subject() == newer.subject()
    }

    /// Kind, role and name of what is shown.
    fn subject(&self) -> (u8, u8, &str) {
        match self {
            Self::Image { name, role, .. } => (0, *role as u8, name),
            Self::Map { name, role, .. } => (1, *role as u8, name),
            Self::Labels { name, role, .. } => (2, *role as u8, name),
            Self::Confusion { .. } => (3, 0, ""),
            Self::Points { name, .. } => (4, 0, name),
            Self::Mesh { name, .. } => (5, 0, name),
            Self::Voxels { name, .. } => (6, 0, name),
            Self::Cameras { .. } => (7, 0, ""),
            Self::Path { name, .. } => (8, 0, name),
            Self::Progress { .. } => (9, 0, ""),
            Self::Scalars { .. }
            | Self::Scores { .. }
            | Self::Histogram { .. }
            | Self::Text { .. }
            | Self::Done { .. }
            | Self::Classes { .. }
            | Self::PerClass { .. } => (u8::MAX, 0, ""),
        }
    }
}
