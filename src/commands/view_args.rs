//! The flags of `nerve view`, which a build without viewer knows too.

use std::path::PathBuf;

/// Flags of `nerve view`.
#[derive(Debug, clap::Args)]
pub struct ViewArgs {
    /// The run's folder, or a recording (.rrd)
    #[arg(value_name = "RUN|FILE")]
    pub what: PathBuf,
    /// Make a run's recording anew, even if it has one
    #[arg(long)]
    pub rebuild: bool,
}
