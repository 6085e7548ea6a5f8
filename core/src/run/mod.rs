//! A run: its loop, its folder, its stream of events, its cancellation.
//!
//! [`drive`] trains whatever is a [`Trainee`], for as long as its [`RunConfig`] says. Training publishes [`Event`]s; the
//! progress bar, the metrics log and a viewer are [`Sink`]s of that one stream. What must outlive the process lies in a
//! [`RunFolder`] that is resumable after a kill at any moment.
mod atomic;
mod backlog;
mod cancel;
mod clock;
mod config;
mod drive;
mod error;
mod event;
mod folder;
mod length;
mod lock;
mod measure;
mod metrics_log;
mod publisher;
mod queue;
mod replay;
mod retention;
mod sink;
mod subject;

pub use atomic::{AtomicFile, write_atomic};
pub use cancel::Cancel;
pub use clock::Clock;
pub use config::RunConfig;
pub use drive::{ReportWindow, Trainee, TrainingReport, drive};
pub use error::RunError;
pub use event::{DoneReason, Event, Level};
pub use folder::{Existing, RunFolder};
pub use length::{parse_time, seconds};
pub use measure::{Metric, Rate, Unit};
pub use metrics_log::{MetricsLog, Truncation, recorded, truncate_after};
pub use publisher::{Events, PreviewRequest};
pub use replay::ReplayBuffer;
pub use retention::Retention;
pub use sink::{Delivery, Sink, SinkError, SinkReport};
pub use subject::{Class, ImageRole, LabelRole, MapRole, Photo, View};
