//! Numerical ops: one folder each, with an f64 reference beside the fast path.
pub mod adam;
pub mod composite;
pub mod hash_grid;
pub mod march;
pub mod matmul;
pub mod sh;
