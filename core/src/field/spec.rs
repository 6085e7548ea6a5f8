//! The whole of a field.

use super::{Encoding, Head, HeadLoss, Outputs, SlotId, Spread, StageSpec, Targets};
use crate::ops::small_gemm::Precision;
use serde::{Deserialize, Serialize};

/// A field: values, and nothing that computes. See the [module](super).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSpec {
    /// What networks are told of a position.
    pub encoding: Encoding,
    /// The columns of each slot, the encoding's first.
    pub slots: Vec<usize>,
    /// The steps from there, in order; one decides density, the last one composites.
    pub stages: Vec<StageSpec>,
    /// What is composited and compared.
    pub heads: Vec<Head>,
    /// A saliency grid, for the stage of that name.
    pub saliency: Option<SaliencySpec>,
    /// What is learned about the cameras.
    pub cameras: CameraSpec,
    /// Side of the render box that the encoding covers, centered at 0.5 of the marching frame.
    pub box_side: f32,
    /// Samples that less light than this gets to are dropped; 0 takes all.
    pub min_transmittance: f32,
    /// How parameters learn.
    pub optimizer: OptimizerSpec,
    /// An exponential average of all weights with this decay per step.
    pub average: Option<f32>,
    /// The arithmetic of the networks' products.
    pub precision: Precision,
    /// Seed of the initial values.
    pub seed: u64,
}

/// A grid of `side^3` logits over the unit cube (see [`crate::ops::saliency`]).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SaliencySpec {
    /// Logits per axis.
    pub side: usize,
    /// Where they start.
    pub init: f32,
    /// They stay within plus and minus this, so that what is closed can open again.
    pub limit: f32,
}

/// What is learned about the cameras of the rays, and of the rays by them: dense blocks with a row a camera.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CameraSpec {
    /// How many there are.
    pub count: usize,
    /// Corrections of their poses are learned (see [`crate::ops::rigid`]).
    pub poses: bool,
    /// Their own colors are learned (see [`crate::ops::affine_color`]), which a photometric head is seen in.
    pub colors: bool,
    /// Poses' gradients can be asked for ([`trace`](crate::engine::TrainEngine::trace)) though none are learned.
    pub trace: bool,
}

impl CameraSpec {
    /// Whether the loss can be followed back to the rays.
    pub fn traces_rays(&self) -> bool {
        self.poses || self.trace
    }
}

/// Adam's settings, and how the encoding's tables are updated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OptimizerSpec {
    /// Adam's betas.
    pub betas: [f32; 2],
    /// Adam's epsilon.
    pub eps: f32,
    /// Of the tables, only the entries that samples touched move.
    pub sparse_tables: bool,
    /// Of the tables, both moments are kept in 32 bits (see [`crate::ops::adam`]).
    pub packed_tables: bool,
    /// Learning rate of the networks, as a share of the run's.
    pub network_rate: f32,
}

impl Default for OptimizerSpec {
    /// Instant-NGP's.
    fn default() -> Self {
        Self { betas: [0.9, 0.99], eps: 1e-15, sparse_tables: true, packed_tables: true, network_rate: 1.0 }
    }
}

impl FieldSpec {
    /// A field of this encoding that computes nothing yet, in the unit cube, without any extra.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            slots: vec![encoding.outputs()],
            encoding,
            stages: Vec::new(),
            heads: Vec::new(),
            saliency: None,
            cameras: CameraSpec::default(),
            box_side: 1.0,
            min_transmittance: 0.0,
            optimizer: OptimizerSpec::default(),
            average: None,
            precision: Precision::F32,
            seed: 0,
        }
    }

    /// Adds a slot.
    pub fn slot(&mut self, columns: usize) -> SlotId {
        self.slots.push(columns);
        SlotId(self.slots.len() - 1)
    }

    /// The columns of a slot; 0 if there is none.
    pub fn columns(&self, slot: SlotId) -> usize {
        self.slots.get(slot.0).copied().unwrap_or(0)
    }

    /// The columns of a ray's output.
    pub fn outputs(&self) -> Outputs {
        Outputs::new(self.heads.iter().map(|head| self.columns(head.input)))
    }

    /// The columns of a ray's target.
    pub fn targets(&self) -> Targets {
        let values = self.heads.iter().map(|head| head.targets(self.columns(head.input)));
        Targets::new(values, self.spread().depth > 0.0)
    }

    /// The head that is compared with pixels, which cameras' colors are learned of.
    pub fn photometric_head(&self) -> Option<usize> {
        self.heads.iter().position(|head| matches!(head.loss, HeadLoss::Photometric(_)))
    }

    /// What holds a ray's weights together.
    pub fn spread(&self) -> Spread {
        let of = |stage: &StageSpec| match stage {
            StageSpec::Composite { spread } => Some(*spread),
            _ => None,
        };
        self.stages.iter().find_map(of).unwrap_or_default()
    }
}
