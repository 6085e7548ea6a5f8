//! Vision models on core's graph engine: backbones, heads, and the segmenters made of them.
pub mod activation;
pub mod backbones;
pub mod check;
pub mod heads;
pub mod load;
pub mod segformer;
pub mod segmentation;
pub mod upernet;
pub mod zoo;
