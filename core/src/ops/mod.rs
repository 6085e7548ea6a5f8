//! Numerical ops: one folder each, with an f64 reference beside the fast path.
