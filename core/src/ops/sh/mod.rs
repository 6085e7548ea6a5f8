//! Real spherical harmonics of the viewing direction, degree 1 to 4 (1, 4, 9 or 16 coefficients), in the order
//! and with the signs of Instant-NGP and torch-ngp.

#[cfg(test)]
pub(crate) mod reference;

/// Coefficients of degree 4.
pub const COEFFICIENTS: usize = 16;

/// The first `out.len()` of the 16 coefficients for the unit direction `d`.
pub fn encode(d: [f32; 3], out: &mut [f32]) {
    let [x, y, z] = d;
    let (xx, yy, zz, xy, yz, xz) = (x * x, y * y, z * z, x * y, y * z, x * z);
    let all = [
        0.282_094_8,
        -0.488_602_52 * y,
        0.488_602_52 * z,
        -0.488_602_52 * x,
        1.092_548_5 * xy,
        -1.092_548_5 * yz,
        0.315_391_57 * (2.0 * zz - xx - yy),
        -1.092_548_5 * xz,
        0.546_274_24 * (xx - yy),
        -0.590_043_6 * y * (3.0 * xx - yy),
        2.890_611_4 * xy * z,
        -0.457_045_8 * y * (4.0 * zz - xx - yy),
        0.373_176_34 * z * (2.0 * zz - 3.0 * xx - 3.0 * yy),
        -0.457_045_8 * x * (4.0 * zz - xx - yy),
        1.445_305_7 * z * (xx - yy),
        -0.590_043_6 * x * (xx - 3.0 * yy),
    ];
    let n = out.len().min(COEFFICIENTS);
    out[..n].copy_from_slice(&all[..n]);
}

/// The gradient of the direction from that of its first `d_out.len()` coefficients (at most 16).
pub fn backward(d: [f32; 3], d_out: &[f32]) -> [f32; 3] {
    let [x, y, z] = d;
    let (xx, yy, zz, xy, yz, xz) = (x * x, y * y, z * z, x * y, y * z, x * z);
    let slopes: [[f32; 3]; COEFFICIENTS] = [
        [0.0; 3],
        [0.0, -0.488_602_52, 0.0],
        [0.0, 0.0, 0.488_602_52],
        [-0.488_602_52, 0.0, 0.0],
        [1.092_548_5 * y, 1.092_548_5 * x, 0.0],
        [0.0, -1.092_548_5 * z, -1.092_548_5 * y],
        [-0.630_783_1 * x, -0.630_783_1 * y, 1.261_566_3 * z],
        [-1.092_548_5 * z, 0.0, -1.092_548_5 * x],
        [1.092_548_5 * x, -1.092_548_5 * y, 0.0],
        [-3.540_261_5 * xy, -1.770_130_8 * (xx - yy), 0.0],
        [2.890_611_4 * yz, 2.890_611_4 * xz, 2.890_611_4 * xy],
        [0.914_091_6 * xy, -0.457_045_8 * (4.0 * zz - xx - 3.0 * yy), -3.656_366_4 * yz],
        [-2.239_058 * xz, -2.239_058 * yz, 0.373_176_34 * (6.0 * zz - 3.0 * xx - 3.0 * yy)],
        [-0.457_045_8 * (4.0 * zz - 3.0 * xx - yy), 0.914_091_6 * xy, -3.656_366_4 * xz],
        [2.890_611_4 * xz, -2.890_611_4 * yz, 1.445_305_7 * (xx - yy)],
        [-1.770_130_8 * (xx - yy), 3.540_261_5 * xy, 0.0],
    ];
    let mut sum = [0.0; 3];
    for (slope, g) in slopes.iter().zip(d_out) {
        sum = std::array::from_fn(|a| sum[a] + slope[a] * g);
    }
    sum
}

#[cfg(test)]
mod tests;
