use super::reference::Sizes;
use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{DType, Device, Tensor};
use crate::ops::check::{
    FdOptions, PARITY_L2, PARITY_MAX, TestRng, bit_equal, close, finite_difference, narrow, widen,
};
use crate::simd::Isa;

const BATCH: usize = 2;

fn cases() -> Vec<Sizes> {
    [
        ([1, 1], [3, 2], 1),
        ([5, 7], [10, 14], 3),
        ([4, 6], [9, 5], 37),
        ([9, 12], [1, 3], 16),
        ([7, 5], [7, 5], 4),
        ([3, 8], [17, 31], 70),
    ]
    .map(|(from, to, channels)| Sizes { from, to, channels })
    .to_vec()
}

fn data(s: &Sizes) -> [Vec<f64>; 2] {
    let mut rng = TestRng::new((s.from[0] * 100 + s.to[1]) as u64);
    let n = |size: [usize; 2]| BATCH * size[0] * size[1] * s.channels;
    [rng.normals(n(s.from), 1.0), rng.normals(n(s.to), 1.0)]
}

#[test]
fn gradients_match_finite_differences() {
    let s = Sizes { from: [3, 4], to: [5, 3], channels: 2 };
    let [x, dy] = data(&s);
    let dot = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum();
    for corners in [false, true] {
        let dx = reference::bilinear(&s, corners, &x, Some(&dy));
        let loss = |x: &[f64]| dot(reference::bilinear(&s, corners, x, None));
        finite_difference(loss, &x, &dx, FdOptions::default()).expect("bilinear");
    }
    let dx = reference::nearest(&s, &x, Some(&dy));
    finite_difference(|x| dot(reference::nearest(&s, x, None)), &x, &dx, FdOptions::default())
        .expect("nearest");
}

#[test]
fn the_ops_match_the_reference() {
    for s in cases() {
        let [x, _] = data(&s);
        let shape = [BATCH, s.from[0], s.from[1], s.channels];
        for corners in [false, true] {
            agrees(Case {
                inputs: &[(&x, &shape)],
                op: &|t| bilinear(&t[0], s.to, corners),
                forward: &|v| reference::bilinear(&s, corners, &v[0], None),
                backward: &|v, dy| vec![reference::bilinear(&s, corners, &v[0], Some(dy))],
            });
        }
        agrees(Case {
            inputs: &[(&x, &shape)],
            op: &|t| nearest(&t[0], s.to),
            forward: &|v| reference::nearest(&s, &v[0], None),
            backward: &|v, dy| vec![reference::nearest(&s, &v[0], Some(dy))],
        });
    }
}

#[test]
fn every_instruction_set_matches_the_reference() {
    for s in cases() {
        let x = narrow(&data(&s)[0]);
        let want = reference::bilinear(&s, false, &widen(&x), None);
        let [rows, columns] = [0, 1].map(|axis| Axis::linear(s.from[axis], s.to[axis], false));
        for isa in Isa::available() {
            let y = resample(isa, [&rows, &columns], BATCH, s.channels, &x);
            close(&y, &want, PARITY_L2, PARITY_MAX).unwrap_or_else(|e| panic!("{isa:?}: {e}"));
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let s = Sizes { from: [40, 30], to: [25, 61], channels: 24 };
    let [x, dy] = data(&s).map(|v| narrow(&v));
    let axes = [0, 1].map(|axis| Axis::linear(s.from[axis], s.to[axis], false));
    let back = [axes[0].transposed(), axes[1].transposed()];
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            let y = resample(Isa::best(), [&axes[0], &axes[1]], BATCH, s.channels, &x);
            [y, resample(Isa::best(), [&back[0], &back[1]], BATCH, s.channels, &dy)]
        })
    };
    let one = run(1);
    for (a, b) in one.iter().zip(run(3)) {
        bit_equal(a, &b).expect("the same");
    }
}

#[test]
fn nothing_has_no_other_size() {
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    assert!(bilinear(&tensor(&[1, 0, 3, 2]), [2, 2], false).is_err());
    assert!(bilinear(&tensor(&[1, 3, 3, 2]), [2, 0], false).is_err());
    assert!(nearest(&tensor(&[3, 3, 2]), [2, 2]).is_err());
}
