//! What every command is given.

use crate::common::Common;
use crate::interrupt::Interrupt;
use crate::output::Output;
use anyhow::Context as _;
use std::fmt;
use std::io::IsTerminal;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

/// Diagnostics as the program's other lines are: `warning: what`; for debugging, with the module.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        match *metadata.level() {
            Level::ERROR => writer.write_str("error: ")?,
            Level::WARN => writer.write_str("warning: ")?,
            Level::INFO => writer.write_str("info: ")?,
            _ => write!(writer, "debug: {}: ", metadata.target())?,
        }
        context.field_format().format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

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
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            // What cannot be said is dropped: by default it is said again, in a way that panics on a closed stderr.
            .log_internal_errors(false)
            .event_format(Plain)
            .init();
        rayon::ThreadPoolBuilder::new()
            .num_threads(common.threads)
            .build_global()
            .context("cannot start the worker threads: use fewer, --threads 1")?;
        let interrupt = Interrupt::install().context("cannot listen to Ctrl-C")?;
        tracing::debug!("listening to signals");
        Ok(Self { output: Output::new(common.json), interrupt, common })
    }
}
