//! The numerical core of nerve: what radiance fields and dense vision share, fast on CPUs.
//!
//! | for | module |
//! |---|---|
//! | computing: a folder for each op, with its formula, its f64 reference, and kernels for three instruction sets | [`ops`], [`simd`] |
//! | training a field on rays, phase by phase over a whole batch | [`engine`], [`params`] |
//! | building models as graphs of tensors, and taking gradients back through them | [`graph`], [`layers`] |
//! | a run: its folder, its events and who listens, its checkpoints, its learning rate | [`run`], [`checkpoint`], [`schedule`] |
//! | reading weights that others have trained | [`weights`] |
//! | measuring images and label maps: PSNR, SSIM, LPIPS, IoU, boundary F | [`metrics`] |
//! | the machine: devices, memory, randomness that depends on seed, stream, step and index alone | [`device`], [`rng`] |
//!
//! It knows no file format of scenes or labels, and draws nothing. Results do not depend on the number of threads.
//!
//! An op is a function of slices, and where graphs use it also one of tensors:
//!
//! ```
//! use nerve_core::graph::{Device, Tensor};
//! use nerve_core::ops::hash_grid::{BLOCK, HashGridConfig, Points, forward_level};
//! use nerve_core::ops::softmax::softmax;
//! use nerve_core::simd::Isa;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // 64 points in the unit cube, encoded by the coarsest level of a hash grid whose table holds ones:
//! // interpolation weights add up to one.
//! let level = HashGridConfig::default().levels()?[0];
//! let table = vec![1.0; level.entries * level.features];
//! let x: Vec<f32> = (0..BLOCK).map(|i| i as f32 / BLOCK as f32).collect();
//! let mut features = vec![0.0; BLOCK * level.features];
//! forward_level(Isa::best(), &level, &table, Points { x: &x, y: &x, z: &x }, &mut features);
//! assert!(features.iter().all(|f| (f - 1.0).abs() < 1e-6));
//!
//! // Rows of logits as probabilities.
//! let rows = softmax(&Tensor::new(&[[0f32, 0.0], [1e9, 0.0]], &Device::Cpu)?)?.to_vec2::<f32>()?;
//! assert_eq!(rows[0], [0.5, 0.5]);
//! assert!(rows[1][0] == 1.0 && rows[1][1] < 1e-30);
//! # Ok(())
//! # }
//! ```
pub mod checkpoint;
pub mod device;
pub mod distill;
pub mod engine;
pub mod field;
pub mod gpu;
pub mod graph;
pub mod layers;
pub mod metrics;
pub mod ops;
pub mod params;
pub mod rng;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod simd;
pub mod weights;
