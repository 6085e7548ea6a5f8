use super::cpu::{backward_input, backward_weight, forward};
use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{DType, Device, Tensor};
use crate::ops::check::{
    FdOptions, PARITY_L2, PARITY_MAX, TestRng, bit_equal, close, finite_difference, narrow, widen,
};
use crate::ops::conv2d::Window;
use crate::simd::Isa;

fn geometry(size: [usize; 2], channels: usize, window: Window) -> ChannelGeometry {
    ChannelGeometry { size, places: window.places(size, "depthwise").expect("a place"), channels, window }
}

fn data(g: &ChannelGeometry, batch: usize) -> [Vec<f64>; 4] {
    let mut rng = TestRng::new((g.channels * 100 + g.size[0]) as u64);
    [
        rng.normals(batch * g.size[0] * g.size[1] * g.channels, 1.0),
        rng.normals(g.channels * g.window.area(), 1.0),
        rng.normals(g.channels, 1.0),
        rng.normals(batch * g.places[0] * g.places[1] * g.channels, 1.0),
    ]
}

// (size, channels, kernel, stride, padding): whole registers and rests, kernels beyond the map, rows in several parts.
type Size = [usize; 2];
const CASES: [(Size, usize, Size, Size, Size); 10] = [
    ([7, 9], 1, [3, 3], [1, 1], [1, 1]),
    ([7, 13], 37, [3, 3], [1, 1], [1, 1]),
    ([8, 11], 16, [3, 3], [2, 2], [1, 1]),
    ([9, 14], 20, [5, 5], [1, 1], [2, 2]),
    ([6, 7], 5, [7, 7], [1, 1], [3, 3]),
    ([8, 23], 21, [7, 7], [1, 1], [3, 3]),
    ([5, 11], 4, [2, 3], [1, 3], [0, 2]),
    ([9, 12], 3, [1, 1], [2, 2], [0, 0]),
    ([4, 5], 33, [2, 2], [2, 2], [3, 3]),
    ([70, 40], 17, [3, 3], [1, 1], [0, 1]),
];

#[test]
fn gradients_match_finite_differences() {
    let g = geometry([4, 5], 3, Window { kernel: [3, 2], stride: [2, 1], padding: [1, 0] });
    let [x, w, b, dy] = data(&g, 2);
    let loss = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
        reference::forward(&g, x, w, Some(b)).iter().zip(&dy).map(|(y, dy)| y * dy).sum()
    };
    let [dx, dw, db] = reference::backward(&g, &x, &w, &dy);
    finite_difference(|x| loss(x, &w, &b), &x, &dx, FdOptions::default()).expect("dx");
    finite_difference(|w| loss(&x, w, &b), &w, &dw, FdOptions::default()).expect("dw");
    finite_difference(|b| loss(&x, &w, b), &b, &db, FdOptions::default()).expect("db");
}

#[test]
fn the_op_matches_the_reference() {
    for (size, channels, kernel, stride, padding) in CASES {
        let g = geometry(size, channels, Window { kernel, stride, padding });
        let [x, w, b, _] = data(&g, 2);
        let shapes: [&[usize]; 3] =
            [&[2, size[0], size[1], channels], &[channels, 1, kernel[0], kernel[1]], &[channels]];
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1]), (&b, shapes[2])],
            op: &|t| depthwise(&t[0], &t[1], Some(&t[2]), stride, padding),
            forward: &|v| reference::forward(&g, &v[0], &v[1], Some(&v[2])),
            backward: &|v, dy| reference::backward(&g, &v[0], &v[1], dy).to_vec(),
        });
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1])],
            op: &|t| depthwise(&t[0], &t[1], None, stride, padding),
            forward: &|v| reference::forward(&g, &v[0], &v[1], None),
            backward: &|v, dy| reference::backward(&g, &v[0], &v[1], dy)[..2].to_vec(),
        });
    }
}

#[test]
fn every_instruction_set_matches_the_reference() {
    for (size, channels, kernel, stride, padding) in CASES {
        let g = geometry(size, channels, Window { kernel, stride, padding });
        let [x, w, b, dy] = data(&g, 2).map(|v| narrow(&v));
        let [wx, ww, wb, wdy] = [&x, &w, &b, &dy].map(|v| widen(v));
        let want = reference::forward(&g, &wx, &ww, Some(&wb));
        let [want_dx, want_dw, _] = reference::backward(&g, &wx, &ww, &wdy);
        for isa in Isa::available() {
            let y = forward(isa, &g, 2, &x, &w, Some(&b));
            let dx = backward_input(isa, &g, 2, &dy, &w);
            let mut dw = vec![1.0; w.len()];
            backward_weight(isa, &g, &x, &dy, &mut dw, false);
            close(&y, &want, PARITY_L2, PARITY_MAX).expect("y");
            close(&dx, &want_dx, PARITY_L2, PARITY_MAX).expect("dx");
            close(&dw, &want_dw, PARITY_L2, PARITY_MAX).expect("dw");
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let g = geometry([61, 52], 40, Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] });
    let [x, w, _, dy] = data(&g, 2).map(|v| narrow(&v));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut dw = vec![0.0; w.len()];
        pool.install(|| backward_weight(Isa::best(), &g, &x, &dy, &mut dw, false));
        dw
    };
    let one = run(1);
    for threads in [2, 3, 7] {
        bit_equal(&one, &run(threads)).expect("the same");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let tensor = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let refused = |x: &[usize], w: &[usize]| {
        depthwise(&tensor(x), &tensor(w), None, [1, 1], [0, 0]).map(|_| ()).expect_err("refused").to_string()
    };
    assert!(refused(&[1, 4, 4, 3], &[4, 1, 3, 3]).contains("3 channels"));
    assert!(refused(&[1, 4, 4, 3], &[3, 3, 3, 3]).contains("[3, 3, 3, 3]"));
    assert!(refused(&[1, 4, 4, 3], &[3, 1, 5, 3]).contains("kernel of 5"));
}
