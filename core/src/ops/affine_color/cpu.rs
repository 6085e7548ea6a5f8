//! The map and its gradients, ray by ray: twelve multiplications each, too few to vectorize.

use super::VALUES;

/// What the photograph with this code shows of a ray with this color and opacity.
#[inline]
pub fn forward(code: &[f32; VALUES], color: [f32; 3], opacity: f32) -> [f32; 3] {
    std::array::from_fn(|r| {
        let row = &code[3 * r..3 * r + 3];
        color[r] + (row[0] * color[0] + row[1] * color[1] + row[2] * color[2]) + code[9 + r] * opacity
    })
}

/// From the gradient of what the photograph shows: adds to the code's, returns the color's and the opacity's.
#[inline]
pub fn backward(
    code: &[f32; VALUES],
    color: [f32; 3],
    opacity: f32,
    d: [f32; 3],
    d_code: &mut [f32; VALUES],
) -> ([f32; 3], f32) {
    for r in 0..3 {
        for c in 0..3 {
            d_code[3 * r + c] += d[r] * color[c];
        }
        d_code[9 + r] += d[r] * opacity;
    }
    let d_color = std::array::from_fn(|c| d[c] + (code[c] * d[0] + code[3 + c] * d[1] + code[6 + c] * d[2]));
    (d_color, code[9] * d[0] + code[10] * d[1] + code[11] * d[2])
}
