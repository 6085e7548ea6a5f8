//! Models against their published programs, on random weights. `../fixtures/make_*.py` say how each file was made.
mod clip;
mod common;
mod denseclip;
mod dinov3;
mod grids;
mod segmenters;
mod sentence;
mod swin;
mod vit;
mod zoo;
