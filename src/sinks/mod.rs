//! What listens to a run: the progress bar and the JSON lines. The metrics log is core's.

mod json;
mod progress;

pub use json::JsonLines;
pub use progress::Progress;
