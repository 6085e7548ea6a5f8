//! Training on the procedural label set.
#[path = "../support/check.rs"]
mod check;
mod denseclip;
mod distilling;
mod parts;
mod runs;
mod settings;
mod support;
mod weights;
