//! Photometric losses of composited rays. The fast path is a field's [`Objective`](crate::engine::Objective).
pub mod reference;
