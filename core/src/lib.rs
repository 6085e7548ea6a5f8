//! The numerical core: ops, parameters, engines and runs. Knows no data format and no model.
pub mod checkpoint;
pub mod device;
pub mod engine;
pub mod field;
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
