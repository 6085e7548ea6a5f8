//! Real spherical harmonics up to band 3 ("degree 4", 16 coefficients) of a direction, in f64.
//!
//! Order and signs are those of Instant-NGP and torch-ngp: bands in order, m from -l to l, with the
//! Condon-Shortley sign. Every coefficient is a homogeneous polynomial of its band's degree in (x, y, z); for
//! a unit vector they are orthonormal over the sphere. A lower degree n is the prefix of n^2 coefficients.

/// Coefficients of degree 4.
pub const COEFFICIENTS: usize = 16;

const C0: f64 = 0.282_094_791_773_878_14; // sqrt(1 / 4 pi)
const C1: f64 = 0.488_602_511_902_919_9; // sqrt(3 / 4 pi)
const C2_XY: f64 = 1.092_548_430_592_079; // sqrt(15 / 4 pi)
const C2_ZZ: f64 = 0.315_391_565_252_520_05; // sqrt(5 / 16 pi)
const C2_XX: f64 = 0.546_274_215_296_039_5; // sqrt(15 / 16 pi)
const C3_YYY: f64 = 0.590_043_589_926_643_5; // sqrt(35 / 32 pi)
const C3_XYZ: f64 = 2.890_611_442_640_554; // sqrt(105 / 4 pi)
const C3_YZZ: f64 = 0.457_045_799_464_465_8; // sqrt(21 / 32 pi)
const C3_ZZZ: f64 = 0.373_176_332_590_115_4; // sqrt(7 / 16 pi)
const C3_XXZ: f64 = 1.445_305_721_320_277; // sqrt(105 / 16 pi)

/// The 16 coefficients of a unit direction.
pub fn forward([x, y, z]: [f64; 3]) -> [f64; COEFFICIENTS] {
    let (xx, yy, zz) = (x * x, y * y, z * z);
    [
        C0,
        -C1 * y,
        C1 * z,
        -C1 * x,
        C2_XY * x * y,
        -C2_XY * y * z,
        C2_ZZ * (2.0 * zz - xx - yy),
        -C2_XY * x * z,
        C2_XX * (xx - yy),
        -C3_YYY * y * (3.0 * xx - yy),
        C3_XYZ * x * y * z,
        -C3_YZZ * y * (4.0 * zz - xx - yy),
        C3_ZZZ * z * (2.0 * zz - 3.0 * xx - 3.0 * yy),
        -C3_YZZ * x * (4.0 * zz - xx - yy),
        C3_XXZ * z * (xx - yy),
        -C3_YYY * x * (xx - 3.0 * yy),
    ]
}

/// Derivatives of the polynomials of [`forward`] with respect to (x, y, z), taken as free variables.
///
/// Off the sphere other forms of the same harmonics have other derivatives; along the sphere all agree.
pub fn jacobian([x, y, z]: [f64; 3]) -> [[f64; 3]; COEFFICIENTS] {
    let (xx, yy, zz) = (x * x, y * y, z * z);
    let times = |c: f64, v: [f64; 3]| v.map(|component| c * component);
    [
        [0.0; 3],
        [0.0, -C1, 0.0],
        [0.0, 0.0, C1],
        [-C1, 0.0, 0.0],
        times(C2_XY, [y, x, 0.0]),
        times(-C2_XY, [0.0, z, y]),
        times(C2_ZZ, [-2.0 * x, -2.0 * y, 4.0 * z]),
        times(-C2_XY, [z, 0.0, x]),
        times(C2_XX, [2.0 * x, -2.0 * y, 0.0]),
        times(-C3_YYY, [6.0 * x * y, 3.0 * (xx - yy), 0.0]),
        times(C3_XYZ, [y * z, x * z, x * y]),
        times(-C3_YZZ, [-2.0 * x * y, 4.0 * zz - xx - 3.0 * yy, 8.0 * y * z]),
        times(C3_ZZZ, [-6.0 * x * z, -6.0 * y * z, 6.0 * zz - 3.0 * xx - 3.0 * yy]),
        times(-C3_YZZ, [4.0 * zz - 3.0 * xx - yy, -2.0 * x * y, 8.0 * x * z]),
        times(C3_XXZ, [2.0 * x * z, -2.0 * y * z, xx - yy]),
        times(-C3_YYY, [3.0 * (xx - yy), -6.0 * x * y, 0.0]),
    ]
}

/// Gradient with respect to the direction, from that with respect to the first `d_out.len()` coefficients.
pub fn backward(direction: [f64; 3], d_out: &[f64]) -> [f64; 3] {
    let mut d_direction = [0.0; 3];
    for (row, g) in jacobian(direction).iter().zip(d_out) {
        for axis in 0..3 {
            d_direction[axis] += row[axis] * g;
        }
    }
    d_direction
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, close, finite_difference};
    use std::f64::consts::TAU;

    /// Gauss-Legendre in z (4 points, exact to degree 7) and 8 equal steps in longitude (exact below 8):
    /// exact for the products of two bands up to 3.
    #[test]
    fn the_coefficients_are_orthonormal_over_the_sphere() {
        let rule = [
            (0.339_981_043_584_856_3, 0.652_145_154_862_546_1),
            (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
        ];
        let mut gram = [[0.0; COEFFICIENTS]; COEFFICIENTS];
        for (z, weight) in rule.into_iter().flat_map(|(z, w)| [(z, w), (-z, w)]) {
            for step in 0..8 {
                let (sin, cos) = (TAU * (f64::from(step) + 0.3) / 8.0).sin_cos();
                let r = (1.0f64 - z * z).sqrt();
                let y = forward([r * cos, r * sin, z]);
                for (i, row) in gram.iter_mut().enumerate() {
                    for (j, cell) in row.iter_mut().enumerate() {
                        *cell += weight * TAU / 8.0 * y[i] * y[j];
                    }
                }
            }
        }
        for (i, row) in gram.iter().enumerate() {
            for (j, &cell) in row.iter().enumerate() {
                let expected = f64::from(u8::from(i == j));
                assert!((cell - expected).abs() < 1e-12, "<Y{i}, Y{j}> = {cell}");
            }
        }
    }

    #[test]
    fn order_and_signs_are_the_published_ones() {
        // From torch-ngp's polynomials with 7-digit constants, at (0.48, 0.6, 0.64).
        let expected = [
            0.2820948, -0.2931615, 0.3127056, -0.2345292, 0.3146539, -0.4195386, 0.0721616, -0.3356309,
            -0.0707971, -0.1172535, 0.5327975, -0.2873904, -0.2273689, -0.2299123, -0.1198794, 0.2406245,
        ];
        close(&forward([0.48, 0.6, 0.64]), &expected, 1e-6, 1e-6).unwrap();
    }

    #[test]
    fn the_derivative_matches_finite_differences() {
        let mut rng = TestRng::new(4);
        for _ in 0..20 {
            let direction = rng.direction();
            let g = rng.normals(COEFFICIENTS, 1.0);
            let f = |d: &[f64]| forward([d[0], d[1], d[2]]).iter().zip(&g).map(|(y, g)| y * g).sum();
            finite_difference(f, &direction, &backward(direction, &g), FdOptions::default()).unwrap();
        }
    }

    #[test]
    fn a_lower_degree_is_a_prefix() {
        let direction = [0.6, 0.0, 0.8];
        let g = [0.5, -1.0, 2.0, 3.0];
        let mut padded = [0.0; COEFFICIENTS];
        padded[..4].copy_from_slice(&g);
        assert_eq!(backward(direction, &g), backward(direction, &padded));
        assert_eq!(backward(direction, &g), [-3.0 * C1, C1, 2.0 * C1]);
    }
}
