//! One file per subcommand.

pub mod compare;
pub mod demo;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod inspect;
pub mod models;
pub mod resume;
pub mod seg;
pub mod train;
#[cfg(feature = "viewer")]
pub mod view;
#[cfg(not(feature = "viewer"))]
#[path = "no_view.rs"]
pub mod view;

use nerve_core::run::RunFolder;

/// What a run is of. Commands on runs dispatch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A radiance field.
    Nerf,
    /// A segmenter.
    Segmentation,
}

impl Kind {
    /// The kind of a run.
    pub fn of(run: &RunFolder) -> anyhow::Result<Self> {
        match run.kind() {
            crate::nerf::KIND => Ok(Self::Nerf),
            crate::segmentation::KIND => Ok(Self::Segmentation),
            other => anyhow::bail!(
                "{}: kind is '{other}', and this nerve ({}) knows only '{}' and '{}': use the version that wrote it ({})",
                run.config_path().display(),
                env!("CARGO_PKG_VERSION"),
                crate::nerf::KIND,
                crate::segmentation::KIND,
                run.version()
            ),
        }
    }
}
