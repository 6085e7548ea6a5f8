//! Parity with published code, and gradients that reach every variable: MiT, TinyViT and the All-MLP head.
mod reach;
mod segformer;
mod support;
mod tiny_vit;
