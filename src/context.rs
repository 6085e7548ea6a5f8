//! What every command is given.

use crate::common::Common;
use crate::interrupt::Interrupt;
use crate::output::Output;
use anyhow::Context as _;
use tracing_subscriber::filter::{EnvFilter, LevelFilter};

/// Common flags, where to answer, and whether to stop.
pub struct Context {
    /// The flags.
    pub common: Common,
    /// Where answers go.
    pub output: Output,
    /// Ctrl-C.
    pub interrupt: Interrupt,
}

impl Context {
    /// Sets up what a process has once: diagnostics, the thread pool for data, signals.
    pub fn new(common: Common) -> anyhow::Result<Self> {
        let level = match common.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        };
        let filter = EnvFilter::builder().with_default_directive(level.into()).from_env_lossy();
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
        rayon::ThreadPoolBuilder::new()
            .num_threads(common.threads)
            .build_global()
            .context("cannot start the worker threads: use fewer, --threads 1")?;
        let interrupt = Interrupt::install().context("cannot listen to Ctrl-C")?;
        tracing::debug!("listening to signals");
        Ok(Self { output: Output::new(common.json), interrupt, common })
    }
}
