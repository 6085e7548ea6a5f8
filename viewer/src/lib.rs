//! The live viewer: a run's events as Rerun entities, laid out by a blueprint.
//!
//! [`Viewer`] is a [`Sink`](nerve_core::run::Sink) that shows a run at one [`Destination`]: a viewer that it starts
//! or connects to, a server that viewers connect to, or a file. Several may listen to one run; each has its own
//! thread, its own recording stream and its own bounded backlog, so that none can hold up another, let alone the
//! training. [`replay`] shows a finished recording, [`contents`] lists what one holds. This is the only crate that
//! knows Rerun.
//!
//! ```
//! use std::time::Duration;
//!
//! use nerve_core::run::{Delivery, Event, Events};
//! use nerve_viewer::{Destination, Viewer, contents};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("recording.rrd");
//! let viewer = Viewer::new(Destination::Save(file.clone()), "nerve_scene", "fox", 320, |text| eprintln!("{text}"));
//! let events = Events::new();
//! events.attach("viewer", Delivery::Live { bytes: 64 << 20 }, viewer)?;
//! let values = vec![("loss".into(), 0.25)];
//! events.publish(Event::Scalars { step: 20, elapsed: Duration::from_secs(1), values });
//! events.close(Duration::from_secs(2));
//! assert!(contents(&file)?.entities.contains_key("/numbers/loss"));
//! # Ok(())
//! # }
//! ```
//!
//! # Entities
//!
//! | entity | what |
//! |---|---|
//! | `world/cameras/{training,held_out}/NAME` | a pinhole, with its `photo` |
//! | `world/path/NAME`, `world/points/NAME`, `world/mesh/NAME` | lines, points and surfaces in space |
//! | `world/cells/NAME` | the outermost cells of a grid, colored by their values |
//! | `views/NAME/{photo,rendering,error,depth}` | a held-out view: what the camera saw and what is rendered |
//! | `pictures/NAME/{input,ground_truth,prediction,error,...}` | labels, scores and other maps of a picture |
//! | `classes/NAME/CLASS`, `classes/confusion` | a bar per class, and which was taken for which |
//! | `numbers/NAME`, `histograms/NAME` | what the metrics log has |
//! | `log` | messages |
//!
//! Everything is in the world frame, the data's own units and axes. The timelines are `step`, `training_time` and,
//! for what is shown live, the wall clock (`log_time`).

mod blueprint;
mod identity;
mod options;
mod output;
#[cfg(feature = "web-viewer")]
mod page;
mod paths;
mod program;
mod record;
mod recording;
mod replay;
mod start_camera;
mod viewer;

pub use options::{Destination, Mode, ViewerArgs};
pub use program::{Program, SDK_VERSION};
pub use recording::{Contents, Entity, FileState, RecordingError, contents};
pub use replay::{Replay, replay};
pub use viewer::Viewer;
