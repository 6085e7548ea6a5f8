//! Semantic segmentation: training, evaluation and prediction with any backbone and head.
mod batches;
mod choice;
mod config;
mod distill;
mod error;
mod evaluate;
mod groups;
mod guided;
mod inference;
mod network;
mod predict;
mod published;
mod pyramid;
mod run;
mod segmenter;
mod state;
mod task;
mod trainer;
mod validate;

use nerve_core::graph::{Device, Tensor};
use nerve_data::augment::Normalise;

pub use choice::{BackboneName, HeadKind, Method};
pub use config::{
    AugmentConfig, ClassWeights, DataConfig, ModelConfig, SegConfig, SegSchedule, TrainConfig, parse_size,
};
pub use distill::{configured as distilled_config, distill};
pub use error::SegmentationError;
pub use evaluate::{Evaluation, evaluate};
pub use inference::Inference;
pub use predict::{Prediction, predict, probabilities};
pub use published::Published;
pub use run::{class_names, show};
pub(crate) use segmenter::BackboneKeys;
pub use segmenter::{PartSummary, Segmenter};
pub use state::{reached, trained, trained_alone};
pub use trainer::{Step, Trainer};

/// The kind of its runs, as their configuration and checkpoints name it.
pub const KIND: &str = "segmentation";

/// What gives every pixel scores of classes: a trained segmenter, or a published one.
pub trait SemanticSegmenter {
    /// The number of classes.
    fn classes(&self) -> usize;

    /// The device that images belong on.
    fn device(&self) -> &Device;

    /// How images are normalized.
    fn normalise(&self) -> Normalise {
        Normalise::default()
    }

    /// Scores `(batch, h, w, classes)` on a grid of the model's, for normalised images `(batch, height, width, 3)`;
    /// nothing is kept for a backward pass.
    ///
    /// # Errors
    /// If the images are too small.
    fn infer(&self, images: &Tensor) -> nerve_core::graph::Result<Tensor>;
}
