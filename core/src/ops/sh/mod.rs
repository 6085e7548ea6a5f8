//! Real spherical harmonics of the viewing direction, degree 1 to 4 (1, 4, 9 or 16 coefficients), in the order
//! and with the signs of Instant-NGP and torch-ngp. Directions get no gradient: cameras are not trained.

pub mod reference;

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

#[cfg(test)]
mod tests;
