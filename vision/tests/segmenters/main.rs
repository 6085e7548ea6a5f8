//! Parity with published code, and gradients that reach every variable: MiT, TinyViT and the All-MLP head.
#[path = "../support/check.rs"]
mod check;
mod reach;
mod segformer;
mod support;
mod tiny_vit;
