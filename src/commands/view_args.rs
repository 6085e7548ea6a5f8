//! The flags of `nerve view`, which a build without viewer knows too.

use std::path::PathBuf;

/// Flags of `nerve view`.
#[derive(Debug, clap::Args)]
pub struct ViewArgs {
    /// A run's folder or checkpoint, a compact file, or a recording (.rrd)
    #[arg(value_name = "RUN|FILE")]
    pub what: PathBuf,
    /// Make the recording again, even if there is one
    #[arg(long)]
    pub rebuild: bool,
}
