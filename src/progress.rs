//! Progress of things that are counted: a bar on a terminal, else a line now and then.

use crate::format;
use crate::output::remark;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines where there is no terminal.
pub const EVERY: Duration = Duration::from_secs(5);

/// A bar on stderr, hidden where that is no terminal.
pub fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    // Ten frames a second: drawing must cost nothing beside the work.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style.progress_chars("━╸ "));
    bar
}

/// Counts things that are done, from any thread.
pub struct Counter {
    what: &'static str,
    bar: ProgressBar,
    begun: Instant,
    said: Mutex<Instant>,
}

impl Counter {
    /// Begins to count; `what` is such as `rendering views`.
    pub fn new(what: &'static str) -> Self {
        let bar = bar("{msg} {bar:30} {pos}/{len}  {eta} left");
        bar.set_message(what);
        Self { what, bar, begun: Instant::now(), said: Mutex::new(Instant::now()) }
    }

    /// So many are done.
    pub fn set(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        // Threads may report out of order.
        self.bar.set_position(self.bar.position().max(done as u64));
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if self.bar.is_hidden() && said.elapsed() >= EVERY {
            let left =
                total.saturating_sub(done) as f64 / done.max(1) as f64 * self.begun.elapsed().as_secs_f64();
            let left = Duration::try_from_secs_f64(left).unwrap_or_default();
            let left = if done > 0 { format!("  {} left", format::time(left)) } else { String::new() };
            remark(format_args!("{} {done}/{total}{left}", self.what));
            *said = Instant::now();
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
