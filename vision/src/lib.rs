//! Vision models on core's graph engine: backbones, heads, and the segmenters made of them.
pub mod activation;
pub mod backbones;
#[cfg(test)]
#[path = "../tests/support/check.rs"]
mod check;
pub mod heads;
pub mod load;
pub mod segformer;
pub mod segmentation;
pub mod stepper;
pub mod task;
pub mod upernet;
pub mod zoo;
