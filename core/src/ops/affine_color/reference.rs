//! What the op computes, in f64, as its formulas say; tests only.

/// What the photograph shows of a ray.
pub fn forward(code: &[f64; 12], color: [f64; 3], opacity: f64) -> [f64; 3] {
    [0, 1, 2]
        .map(|r| color[r] + (0..3).map(|c| code[3 * r + c] * color[c]).sum::<f64>() + code[9 + r] * opacity)
}

/// Gradients of the code, the color and the opacity.
pub fn backward(code: &[f64; 12], color: [f64; 3], opacity: f64, d: [f64; 3]) -> ([f64; 12], [f64; 3], f64) {
    let mut d_code = [0.0; 12];
    for r in 0..3 {
        (0..3).for_each(|c| d_code[3 * r + c] = d[r] * color[c]);
        d_code[9 + r] = d[r] * opacity;
    }
    let d_color = [0, 1, 2].map(|c| d[c] + (0..3).map(|r| code[3 * r + c] * d[r]).sum::<f64>());
    (d_code, d_color, (0..3).map(|r| code[9 + r] * d[r]).sum())
}
