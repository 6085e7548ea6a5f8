//! A run: its folder, its stream of events, its cancellation.
//!
//! Training publishes [`Event`]s; the progress bar, the metrics log and a viewer are [`Sink`]s of that one
//! stream. What must outlive the process lies in a [`RunFolder`] that is resumable after a kill at any moment.
mod atomic;
mod backlog;
mod cancel;
mod error;
mod event;
mod folder;
mod length;
mod lock;
mod metrics_log;
mod publisher;
mod queue;
mod replay;
mod retention;
mod sink;
mod subject;

pub use atomic::{AtomicFile, write_atomic};
pub use cancel::Cancel;
pub use error::RunError;
pub use event::{DoneReason, Event, Level};
pub use folder::{Existing, RunFolder};
pub use length::{parse_time, seconds};
pub use metrics_log::{MetricsLog, Truncation, recorded, truncate_after};
pub use publisher::{Events, PreviewRequest};
pub use replay::ReplayBuffer;
pub use retention::Retention;
pub use sink::{Delivery, Sink, SinkError, SinkReport};
pub use subject::{Class, ImageRole, LabelRole, MapRole, Photo, View};
