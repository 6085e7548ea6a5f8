//! What a run tells the world.
//!
//! Positions and poses are in the **world frame**, the data's own units and axes: what a trainer scales and shifts
//! for itself is undone before it is published. Big payloads are shared, so that sinks need no copy.
use std::{borrow::Cow, sync::Arc, time::Duration};

use super::{Class, ImageRole, LabelRole, MapRole, Metric, Rate, View};

/// One message of a run, for every sink alike.
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
    /// How far a training is, for people to follow; the numbers of the same step are in [`Event::Scalars`].
    Progress {
        /// The number of finished steps.
        step: u64,
        /// Training time so far.
        elapsed: Duration,
        /// The share of the run that is done, 0 to 1.
        done: f64,
        /// Training time that is left.
        eta: Duration,
        /// The mean loss of the last steps.
        loss: f64,
        /// What is done in a second of training, the most telling first.
        rates: Vec<Rate>,
        /// How good the model is on what it learns from.
        metric: Option<Metric>,
    },
    /// How good the model is on held-out data; as numbers of the log they are in [`Event::Scalars`] too.
    Scores {
        /// The number of finished steps.
        step: u64,
        /// What was measured, the most telling first.
        scores: Vec<Metric>,
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
        /// 1 (gray), 3 (RGB) or 4 (RGBA, straight alpha).
        channels: usize,
        /// `height * width * channels` sRGB values, row by row.
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
    /// One value per pixel: depth, a score, a saliency.
    Map {
        /// The number of finished steps.
        step: u64,
        /// The view or picture that it belongs to.
        name: String,
        /// What the values are.
        role: MapRole,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// `height * width` values, row by row; NaN where there is nothing to show.
        values: Arc<[f32]>,
    },
    /// The classes of all labels; the same for the whole run.
    Classes {
        /// Class `i` is that of label `i`.
        classes: Arc<[Class]>,
    },
    /// A label per pixel.
    Labels {
        /// The number of finished steps.
        step: u64,
        /// The picture that is labeled.
        name: String,
        /// Whose labels they are.
        role: LabelRole,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// `height * width` labels, row by row; one without a class is ignored.
        labels: Arc<[u16]>,
    },
    /// One number per class, such as its IoU; NaN where a class is absent.
    PerClass {
        /// The number of finished steps.
        step: u64,
        /// What the numbers are, such as `iou`.
        name: Cow<'static, str>,
        /// One per class.
        values: Arc<[f64]>,
    },
    /// How often which class was taken for which.
    Confusion {
        /// The number of finished steps.
        step: u64,
        /// Classes K.
        classes: usize,
        /// `K * K` counts: a row per true class, a column per predicted one.
        counts: Arc<[u64]>,
    },
    /// Where the pictures were taken; once per run.
    Cameras {
        /// In the order of capture, if there is one.
        views: Arc<[View]>,
    },
    /// A line through space, such as a camera's way.
    Path {
        /// What it is.
        name: Cow<'static, str>,
        /// Its corners, in the world frame.
        points: Arc<[[f32; 3]]>,
    },
    /// Points in space.
    Points {
        /// The number of finished steps; `None` for points that come with the data.
        step: Option<u64>,
        /// What they are, such as `sparse`.
        name: Cow<'static, str>,
        /// Positions in the world frame.
        positions: Arc<[[f32; 3]]>,
        /// sRGB colors: one per point, or none.
        colors: Arc<[[u8; 3]]>,
        /// Their size in world units; 0 leaves it to the sink.
        radius: f32,
    },
    /// A surface.
    Mesh {
        /// The number of finished steps.
        step: u64,
        /// What it is.
        name: Cow<'static, str>,
        /// Vertices in the world frame.
        positions: Arc<[[f32; 3]]>,
        /// Corners of each triangle, as indices of vertices.
        triangles: Arc<[[u32; 3]]>,
        /// sRGB colors: one per vertex, or none.
        colors: Arc<[[u8; 3]]>,
    },
    /// One value per cell of a box of space.
    Voxels {
        /// The number of finished steps.
        step: u64,
        /// What the values are, such as `saliency/logits`.
        name: Cow<'static, str>,
        /// Cells per axis: x, y, z.
        cells: [usize; 3],
        /// From the box, as `[0, 1]^3`, to the world: the rows of `[A | t]`.
        frame: [[f32; 4]; 3],
        /// The values, x fastest; NaN where there is nothing to show.
        values: Arc<[f32]>,
    },
    /// A message for people.
    Text {
        /// How serious it is.
        level: Level,
        /// One sentence.
        message: String,
    },
    /// The last event of a run. Whoever drives it publishes this, once nothing more is measured;
    /// [`drive`](super::drive) does not.
    Done {
        /// Why it ended.
        reason: DoneReason,
    },
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
