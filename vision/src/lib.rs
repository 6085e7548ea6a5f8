//! Dense prediction on images: published vision backbones, segmentation heads, and the training, evaluation and inference
//! of segmenters made of them.
//!
//! - [`segmentation`] is what most users need: a [`segmentation::Trainer`] for a run, [`segmentation::predict`] for an
//!   image, [`segmentation::Published`] for a segmenter from Hugging Face.
//! - [`zoo`] lists the models by name and opens published folders; [`load`] reads weights with other key names.
//! - [`backbones`] and [`heads`] are the networks; [`segformer`] and [`upernet`] are whole published segmenters.
//! - [`task`] and [`stepper`] are what a new kind of training implements and uses.
//!
//! Tensors are those of [`nerve_core::graph`]; maps are `(batch, height, width, channels)`.
//!
//! ```
//! use nerve_core::device::Device;
//! use nerve_vision::segmentation::{Inference, ModelConfig, Segmenter, predict};
//!
//! # fn main() -> Result<(), nerve_vision::segmentation::SegmentationError> {
//! // TinyViT with an All-MLP head for five classes. Its weights are random: what it predicts means nothing yet.
//! let config = ModelConfig { head_width: Some(16), ..ModelConfig::default() };
//! let segmenter = Segmenter::new(&config, 5, 0, Device::Cpu)?;
//! let image = ndarray::Array3::<u8>::zeros((64, 96, 3));
//! let prediction = predict(&segmenter, image.view(), &Inference::default())?;
//! assert_eq!(prediction.labels.dim(), (64, 96));
//! assert!(prediction.labels.iter().all(|class| *class < 5));
//! # Ok(())
//! # }
//! ```
pub mod activation;
pub mod adaptation;
mod ahead;
pub mod backbones;
#[cfg(test)]
#[path = "../tests/support/check.rs"]
mod check;
pub mod clip;
pub mod denseclip;
pub mod heads;
pub mod load;
pub mod open_vocabulary;
mod ranges;
pub mod segformer;
pub mod segmentation;
pub mod stepper;
pub mod task;
pub mod tasks;
pub mod text;
pub mod upernet;
pub mod zoo;
