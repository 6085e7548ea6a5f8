//! Hash-grid encoding of points, one level at a time, in f64 (Müller et al. 2022, section 3).
//!
//! A point x in the unit cube lies at `pos = x * scale + 0.5`, in `cell = floor(pos)` at
//! `fraction = pos - cell` (torch-ngp's convention). Its F features are the trilinear mean of the entries of
//! the cell's 8 corners, which a dense level stores at `X + Y s + Z s^2`, s = resolution + 1, and a hashed
//! level at `(X ^ 2654435761 Y ^ 805459861 Z) mod T` in u32 arithmetic (equation 4).

use super::GridLevel;

/// Multipliers of the spatial hash, x first.
pub const PRIMES: [u32; 3] = [1, 2_654_435_761, 805_459_861];

/// Where a point lies in a level's grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridPoint {
    /// Lower corner of its cell.
    pub cell: [u32; 3],
    /// Offset from that corner, in cells, `[0, 1)`.
    pub fraction: [f64; 3],
}

impl GridPoint {
    /// From a position in cells (not negative).
    pub fn from_position(position: [f64; 3]) -> Self {
        let cell = position.map(f64::floor);
        let fraction = [0, 1, 2].map(|axis| position[axis] - cell[axis]);
        Self { cell: cell.map(|c| c as u32), fraction }
    }

    /// Corner 0..8 (bit 0 is x, bit 1 is y, bit 2 is z): its vertex, its weight, and the weight's derivative
    /// with respect to the fraction.
    fn corner(&self, corner: u32) -> ([u32; 3], f64, [f64; 3]) {
        let upper = [corner & 1, corner >> 1 & 1, corner >> 2 & 1];
        let vertex = [0, 1, 2].map(|axis| self.cell[axis] + upper[axis]);
        let factor = [0, 1, 2].map(|a| if upper[a] == 1 { self.fraction[a] } else { 1.0 - self.fraction[a] });
        let sign = upper.map(|u| if u == 1 { 1.0 } else { -1.0 });
        let slope = [
            sign[0] * factor[1] * factor[2],
            factor[0] * sign[1] * factor[2],
            factor[0] * factor[1] * sign[2],
        ];
        (vertex, factor[0] * factor[1] * factor[2], slope)
    }
}

/// The place of x (`[0, 1]`^3) with all arithmetic in f64.
pub fn locate(level: &GridLevel, x: [f64; 3]) -> GridPoint {
    GridPoint::from_position(x.map(|c| c * f64::from(level.scale) + 0.5))
}

/// The place of x with x and its position rounded to f32, as `fma(x, scale, 0.5)`.
///
/// At resolution 2048 an f32 position is known to 1e-4 cells only, and the features with it. To compare a
/// fast path to [`PARITY_L2`](crate::ops::check::PARITY_L2), take its rounding into the reference.
pub fn locate_f32(level: &GridLevel, x: [f64; 3]) -> GridPoint {
    GridPoint::from_position(x.map(|c| f64::from((c as f32).mul_add(level.scale, 0.5))))
}

/// Entry of a vertex in the level's table.
pub fn index(level: &GridLevel, vertex: [u32; 3]) -> usize {
    if level.dense {
        let [x, y, z] = vertex.map(|c| c as usize);
        let stride = level.stride() as usize;
        x + y * stride + z * stride * stride
    } else {
        let [x, y, z] = [0, 1, 2].map(|axis| vertex[axis].wrapping_mul(PRIMES[axis]));
        (x ^ y ^ z) as usize & (level.entries - 1)
    }
}

/// Features of the points at `places`: `table` is `[entries][F]`, the result `[n][F]`.
pub fn forward(level: &GridLevel, features: usize, table: &[f64], places: &[GridPoint]) -> Vec<f64> {
    let mut out = vec![0.0; places.len() * features];
    for (place, out) in places.iter().zip(out.chunks_exact_mut(features)) {
        for corner in 0..8 {
            let (vertex, weight, _) = place.corner(corner);
            let entry = index(level, vertex) * features;
            for f in 0..features {
                out[f] += weight * table[entry + f];
            }
        }
    }
    out
}

/// Gradients of a loss whose derivative with respect to the features is `d_out` `[n][F]`:
/// with respect to the table (`[entries][F]`) and to the points (per unit of x, not of cells).
pub fn backward(
    level: &GridLevel,
    features: usize,
    table: &[f64],
    places: &[GridPoint],
    d_out: &[f64],
) -> (Vec<f64>, Vec<[f64; 3]>) {
    let mut d_table = vec![0.0; table.len()];
    let mut d_x = vec![[0.0; 3]; places.len()];
    for ((place, d_out), d_x) in places.iter().zip(d_out.chunks_exact(features)).zip(&mut d_x) {
        for corner in 0..8 {
            let (vertex, weight, slope) = place.corner(corner);
            let entry = index(level, vertex) * features;
            for f in 0..features {
                d_table[entry + f] += weight * d_out[f];
                for axis in 0..3 {
                    d_x[axis] += f64::from(level.scale) * slope[axis] * table[entry + f] * d_out[f];
                }
            }
        }
    }
    (d_table, d_x)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, close, finite_difference};
    use crate::ops::hash_grid::HashGridConfig;

    fn grid(features: usize) -> Vec<GridLevel> {
        let config = HashGridConfig {
            levels: 3,
            features,
            log2_entries: 8,
            base_resolution: 4,
            finest_resolution: 40,
        };
        config.levels().unwrap()
    }

    /// Points at least 0.05 cells from a cell boundary of the level.
    fn points(rng: &mut TestRng, level: &GridLevel, n: usize) -> Vec<[f64; 3]> {
        let inside = |p: &[f64; 3]| locate(level, *p).fraction.iter().all(|f| (0.05..0.95).contains(f));
        std::iter::repeat_with(|| [0, 1, 2].map(|_| rng.uniform(0.0, 1.0))).filter(inside).take(n).collect()
    }

    fn places(level: &GridLevel, x: &[[f64; 3]]) -> Vec<GridPoint> {
        x.iter().map(|&x| locate(level, x)).collect()
    }

    fn dot(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    #[test]
    fn both_gradients_match_finite_differences() {
        let mut rng = TestRng::new(1);
        for features in [1, 2, 4] {
            for level in grid(features) {
                let x = points(&mut rng, &level, 6);
                let table = rng.normals(level.entries * features, 1.0);
                let d_out = rng.normals(x.len() * features, 1.0);
                let (d_table, d_x) = backward(&level, features, &table, &places(&level, &x), &d_out);
                let of_table = |t: &[f64]| dot(&forward(&level, features, t, &places(&level, &x)), &d_out);
                finite_difference(of_table, &table, &d_table, FdOptions::default()).unwrap();
                let of_x = |x: &[f64]| {
                    let (x, _) = x.as_chunks::<3>();
                    dot(&forward(&level, features, &table, &places(&level, x)), &d_out)
                };
                finite_difference(of_x, x.as_flattened(), d_x.as_flattened(), FdOptions::default()).unwrap();
            }
        }
    }

    #[test]
    fn a_dense_level_reproduces_a_linear_function() {
        let level = grid(1)[0];
        assert!(level.dense);
        let plane = |p: [f64; 3]| 0.5 + p[0] - 2.0 * p[1] + 3.0 * p[2];
        let mut table = vec![0.0; level.entries];
        let n = level.stride();
        for (x, y, z) in (0..n).flat_map(|x| (0..n).flat_map(move |y| (0..n).map(move |z| (x, y, z)))) {
            let vertex = [x, y, z].map(|c| (f64::from(c) - 0.5) / f64::from(level.scale));
            table[index(&level, [x, y, z])] = plane(vertex);
        }
        let mut rng = TestRng::new(2);
        let mut x: Vec<[f64; 3]> = (0..50).map(|_| [0, 1, 2].map(|_| rng.uniform(0.0, 1.0))).collect();
        x.extend([[0.0; 3], [1.0; 3]]);
        let expected: Vec<f64> = x.iter().map(|&p| plane(p)).collect();
        close(&forward(&level, 1, &table, &places(&level, &x)), &expected, 1e-12, 1e-12).unwrap();
    }

    #[test]
    fn hashed_indices_are_the_published_hash() {
        let level =
            GridLevel { scale: 2047.0, resolution: 2048, entries: 1 << 19, features: 2, dense: false };
        assert_eq!(index(&level, [5, 0, 0]), 5);
        // 2654435761 = 0x9E3779B1 and 805459861 = 0x30025795, below 2^19: 0x779B1 and 0x25795.
        assert_eq!(index(&level, [0, 1, 0]), 0x779b1);
        assert_eq!(index(&level, [0, 0, 1]), 0x25795);
        // The product wraps at 32 bits: 3 * 0x9E3779B1 = 0x1_DAA66D13.
        assert_eq!(index(&level, [7, 3, 1]), (0xdaa6_6d13 ^ 0x3002_5795 ^ 7) & 0x7ffff);
    }

    #[test]
    fn places_in_f32_differ_from_f64_by_rounding_only() {
        let mut rng = TestRng::new(3);
        let level =
            GridLevel { scale: 2047.0, resolution: 2048, entries: 1 << 19, features: 2, dense: false };
        let mut differ = 0;
        for x in points(&mut rng, &level, 200) {
            // An x that f32 holds exactly leaves only the rounding of the position.
            let x = x.map(|c| f64::from(c as f32));
            let (a, b) = (locate(&level, x), locate_f32(&level, x));
            assert_eq!(a.cell, b.cell);
            let error = [0, 1, 2].map(|axis| (a.fraction[axis] - b.fraction[axis]).abs());
            assert!(error.iter().all(|&e| e <= 2048.0 * f64::from(f32::EPSILON) / 2.0), "{error:?}");
            differ += usize::from(a != b);
        }
        assert!(differ > 100, "f32 positions should round: {differ}");
    }
}
