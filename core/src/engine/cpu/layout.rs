//! What a field tells the engine about itself.

use super::{Plan, Stage};
use crate::engine::Objective;
use crate::ops::hash_grid::GridLevel;
use std::ops::Range;

/// The encoding: one parameter block per level, all with the same number of features.
#[derive(Clone, Debug)]
pub struct GridBlocks {
    /// Levels, coarsest first.
    pub levels: Vec<GridLevel>,
    /// Their blocks in the parameters, consecutive.
    pub blocks: Range<usize>,
    /// Features per level.
    pub features: usize,
}

/// A saliency grid: one dense block of `side^3` logits (see [`crate::ops::saliency`]), the parameters' last.
#[derive(Clone, Copy, Debug)]
pub struct SaliencyBlock {
    /// Logits per axis.
    pub side: usize,
    /// Its block in the parameters.
    pub block: usize,
    /// Logits stay within plus and minus this.
    pub limit: f32,
}

/// What is learnt about the cameras of the rays: dense blocks, one row a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CameraBlocks {
    /// Corrections of their poses (see [`crate::ops::rigid`]). The sampler applies them; the field's stages must be
    /// built to give the directions' gradient.
    pub pose: Option<usize>,
    /// Their colors (see [`crate::ops::affine_color`]), of fields with three channels.
    pub color: Option<usize>,
}

/// A field, ready for an engine.
pub struct FieldLayout {
    /// The encoding.
    pub grid: GridBlocks,
    /// The saliency grid, if the field has one; a [stage](super::stages::Saliency) uses it.
    pub saliency: Option<SaliencyBlock>,
    /// What is learnt about cameras.
    pub cameras: CameraBlocks,
    /// The slot that receives the encoding.
    pub input: usize,
    /// Stages in order; one of them decides density.
    pub stages: Vec<Box<dyn Stage>>,
    /// Their slots.
    pub plan: Plan,
    /// Composited channels.
    pub channels: usize,
    /// The loss.
    pub objective: Box<dyn Objective>,
    /// Samples behind which less light than this gets through are not looked for; 0 takes all.
    pub min_transmittance: f32,
    /// 1 / side of the box that the encoding covers, centred at 0.5.
    pub shrink: f32,
}
