//! Heads: from a backbone's maps to scores of classes, `(batch, height, width, classes)` at the finest map's size.
pub mod all_mlp;
pub mod fcn;
pub mod parts;
pub mod semantic_fpn;
pub mod uper_net;

#[cfg(test)]
mod tests;
