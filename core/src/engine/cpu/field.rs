//! A field, compiled: stages over tiles, and where they put what.

use super::encoder::Encoder;
use super::stage::Stage;
use super::workspace::SlotPlan;
use crate::field::{HeadLoss, Outputs, Targets};
use crate::params::BlockId;
use std::ops::Range;

/// A field, ready for tiles.
pub(super) struct Field {
    pub encoder: Encoder,
    pub saliency: Option<Saliency>,
    /// Corrections of the cameras' poses.
    pub poses: Option<BlockId>,
    /// The cameras' colors.
    pub colors: Option<BlockId>,
    /// Whether the loss is followed back to the rays.
    pub traces_rays: bool,
    /// In order; one of them decides density.
    pub stages: Vec<Box<dyn Stage>>,
    /// Their slots; the first is the encoding's.
    pub plan: SlotPlan,
    /// Slots whose gradient is zeroed before a tile goes back, because what reads them adds to it.
    pub cleared: Vec<usize>,
    pub heads: Vec<HeadColumns>,
    pub outputs: Outputs,
    pub targets: Targets,
    /// Samples that less light gets to are not looked for; 0 takes all.
    pub min_transmittance: f32,
    /// 1 / side of the box that the encoding covers.
    pub shrink: f32,
}

/// The saliency grid.
#[derive(Clone, Copy)]
pub(super) struct Saliency {
    /// Logits per axis.
    pub side: usize,
    pub block: BlockId,
    /// Logits stay within plus and minus this.
    pub limit: f32,
}

/// A head's loss, and its columns.
pub(super) struct HeadColumns {
    pub loss: HeadLoss,
    pub weight: f32,
    /// Of the output.
    pub output: Range<usize>,
    /// Of the target.
    pub target: Range<usize>,
}
