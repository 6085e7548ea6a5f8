//! Heads: from a backbone's maps to scores of classes, `(batch, height, width, classes)` at the finest map's size.
pub mod all_mlp;
