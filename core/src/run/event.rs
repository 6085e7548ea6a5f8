//! What a run tells the world.
use std::{borrow::Cow, sync::Arc, time::Duration};

/// One message of a run, for every sink alike.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Named numbers of one step: losses, rates, PSNR.
    Scalars {
        /// The number of finished steps.
        step: u64,
        /// Training time so far, earlier sessions of a resumed run included.
        elapsed: Duration,
        /// Name and value; names are `/`-separated paths such as `eval/psnr`.
        values: Vec<(Cow<'static, str>, f64)>,
    },
    /// A picture.
    Image {
        /// The number of finished steps.
        step: u64,
        /// What it shows, such as the view's name.
        name: String,
        /// What it is for.
        role: ImageRole,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// 1 (grey), 3 (RGB) or 4 (RGBA, straight alpha).
        channels: usize,
        /// `height * width * channels` sRGB values, row by row; shared, so that sinks need no copy.
        data: Arc<[u8]>,
    },
    /// How many values lie in each of equal bins.
    Histogram {
        /// The number of finished steps.
        step: u64,
        /// Training time so far.
        elapsed: Duration,
        /// What is counted, such as `saliency/p`.
        name: Cow<'static, str>,
        /// Where the first bin begins and the last one ends.
        range: [f64; 2],
        /// Values per bin.
        counts: Arc<[u64]>,
    },
    /// One value per cell of a cube of space.
    Voxels {
        /// The number of finished steps.
        step: u64,
        /// What the values are, such as `saliency/logits`.
        name: Cow<'static, str>,
        /// Cells per axis: x, y, z.
        cells: [usize; 3],
        /// The values, x fastest; shared, so that sinks need no copy.
        values: Arc<[f32]>,
    },
    /// A message for people.
    Text {
        /// How serious it is.
        level: Level,
        /// One sentence.
        message: String,
    },
    /// The last event of a run.
    Done {
        /// Why it ended.
        reason: DoneReason,
    },
}

/// What a picture is for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageRole {
    /// What the model renders.
    Prediction,
    /// What the camera saw; the same at every step.
    GroundTruth,
    /// Prediction and ground truth side by side.
    Comparison,
    /// Their difference.
    Error,
    /// Depth, as a picture.
    Depth,
}

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is probably wrong; the run goes on.
    Warning,
    /// Something failed.
    Error,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoneReason {
    /// All steps, or all the time.
    Finished,
    /// Someone asked it to stop.
    Cancelled,
    /// An error, in words.
    Failed(String),
}
