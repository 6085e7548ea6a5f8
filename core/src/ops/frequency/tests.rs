#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, close, narrow, widen};
use crate::ops::hash_grid::{BLOCK, Points};
use crate::simd::Isa;

/// Points inside and on the border, padded to whole blocks.
fn points(rng: &mut TestRng, n: usize) -> [Vec<f32>; 3] {
    let mut axes: [Vec<f32>; 3] =
        std::array::from_fn(|_| narrow(&rng.uniforms(n.next_multiple_of(BLOCK), 0.0, 1.0)));
    for (i, x) in [0.0, 1.0, 0.5, 0.25, 1e-7].into_iter().enumerate().take(n) {
        axes.iter_mut().for_each(|axis| axis[i] = x);
    }
    axes
}

/// The finest octave as precisely as the first, on every path.
#[test]
fn encodings_and_the_positions_gradients_are_the_references() {
    for (octaves, n) in [(0, 3), (1, 1), (4, 17), (10, 200), (MOST_OCTAVES, 64)] {
        let mut rng = TestRng::new(octaves as u64 + 1);
        let axes = points(&mut rng, n);
        let [x, y, z] = &axes;
        let view = Points { x, y, z };
        let at = |i: usize| [x[i], y[i], z[i]].map(f64::from);
        let width = outputs(octaves);
        let stride = width + 2;
        let d_out = narrow(&rng.normals(n * stride, 1.0));
        let want: Vec<f64> = (0..n).flat_map(|i| reference::forward(octaves, at(i))).collect();
        for isa in Isa::available() {
            let mut rows = vec![7.0; n * stride];
            forward(isa, octaves, view, n, &mut rows, stride);
            let got: Vec<f32> = rows.chunks_exact(stride).flat_map(|row| &row[..width]).copied().collect();
            for (got, want) in got.iter().zip(&want) {
                assert!((f64::from(*got) - want).abs() < 3e-7, "{isa:?}, {octaves} octaves: {got} {want}");
            }
            assert!(rows.chunks_exact(stride).all(|row| row[width..] == [7.0; 2]), "padding is left alone");
            // All octaves, and fewer of them: a pose may hear of coarse ones alone.
            for heard in [octaves, octaves / 2] {
                let mut d: [Vec<f32>; 3] = std::array::from_fn(|_| vec![0.5; x.len()]);
                let [dx, dy, dz] = &mut d;
                backward_positions(isa, heard, view, n, &d_out, stride, [dx, dy, dz]);
                for (axis, d) in d.iter().enumerate() {
                    let want: Vec<f64> = (0..n)
                        .map(|i| {
                            let row = widen(&d_out[i * stride..i * stride + outputs(heard)]);
                            0.5 + reference::backward(heard, at(i), &row)[axis]
                        })
                        .collect();
                    close(&d[..n], &want, 1e-6, 1e-6).unwrap();
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "frequency: 2 rows of 8")]
fn rows_that_are_too_short_are_refused() {
    let x = [0.0; 16];
    forward(Isa::best(), 1, Points { x: &x, y: &x, z: &x }, 2, &mut [0.0; 16], 8);
}
