//! Vision models on core's graph engine: backbones, heads, and the segmenters made of them.
