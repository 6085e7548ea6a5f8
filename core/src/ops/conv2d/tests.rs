use super::cpu::{backward_weight, forward};
use super::input::backward_input;
use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{Device, Tensor};
use crate::ops::check::{FdOptions, TestRng, bit_equal, finite_difference, narrow};

fn geometry(size: [usize; 2], channels: [usize; 2], window: Window) -> ConvGeometry {
    let places = window.places(size, "conv2d").expect("a place");
    ConvGeometry { size, places, inputs: channels[0], outputs: channels[1], window }
}

fn data(g: &ConvGeometry, batch: usize) -> [Vec<f64>; 4] {
    let mut rng = TestRng::new((g.inputs * 100 + g.outputs) as u64);
    [
        rng.normals(batch * g.size[0] * g.size[1] * g.inputs, 1.0),
        rng.normals(g.outputs * g.inputs * g.window.area(), 1.0),
        rng.normals(g.outputs, 1.0),
        rng.normals(batch * g.places[0] * g.places[1] * g.outputs, 1.0),
    ]
}

#[test]
fn gradients_match_finite_differences() {
    let window = Window { kernel: [3, 2], stride: [2, 1], padding: [1, 0] };
    let g = geometry([4, 3], [2, 3], window);
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
    // (size, channels, kernel, stride, padding)
    let cases = [
        ([5, 4], [3, 7], [1, 1], [1, 1], [0, 0]),
        ([7, 9], [5, 3], [3, 3], [1, 1], [1, 1]),
        // Several bands.
        ([70, 31], [6, 4], [3, 3], [1, 1], [1, 1]),
        ([70, 31], [6, 4], [3, 3], [2, 2], [1, 1]),
        // Strides that leave pixels unseen, kernels that leave phases without taps.
        ([9, 8], [4, 5], [3, 3], [2, 2], [1, 1]),
        ([9, 8], [4, 5], [1, 1], [2, 2], [0, 0]),
        ([11, 10], [2, 3], [2, 1], [3, 4], [1, 0]),
        // Patches, with a rest and without.
        ([8, 6], [3, 5], [2, 2], [2, 2], [0, 0]),
        ([11, 14], [3, 4], [4, 4], [4, 4], [0, 0]),
        ([66, 67], [2, 3], [2, 3], [2, 3], [0, 0]),
        // More padding than the kernel reaches, a kernel as large as the map, uneven axes.
        ([3, 4], [2, 2], [2, 3], [1, 2], [3, 4]),
        ([7, 7], [2, 3], [7, 7], [4, 4], [3, 3]),
        ([6, 5], [3, 2], [1, 5], [2, 1], [0, 2]),
        // Weights that all threads sum together.
        ([3, 4], [120, 128], [3, 3], [1, 1], [1, 1]),
    ];
    for (size, channels, kernel, stride, padding) in cases {
        let g = geometry(size, channels, Window { kernel, stride, padding });
        let [x, w, b, _] = data(&g, 2);
        let shapes: [&[usize]; 3] = [
            &[2, size[0], size[1], channels[0]],
            &[channels[1], channels[0], kernel[0], kernel[1]],
            &[channels[1]],
        ];
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1]), (&b, shapes[2])],
            op: &|t| conv2d(&t[0], &t[1], Some(&t[2]), stride, padding),
            forward: &|v| reference::forward(&g, &v[0], &v[1], Some(&v[2])),
            backward: &|v, dy| reference::backward(&g, &v[0], &v[1], dy).to_vec(),
        });
        agrees(Case {
            inputs: &[(&x, shapes[0]), (&w, shapes[1])],
            op: &|t| conv2d(&t[0], &t[1], None, stride, padding),
            forward: &|v| reference::forward(&g, &v[0], &v[1], None),
            backward: &|v, dy| reference::backward(&g, &v[0], &v[1], dy)[..2].to_vec(),
        });
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let cases = [
        ([24, 40], Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] }),
        ([24, 40], Window { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }),
        ([24, 40], Window { kernel: [4, 4], stride: [4, 4], padding: [0, 0] }),
        ([128, 128], Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] }),
    ];
    for (channels, window) in cases {
        let g = geometry([40, 44], channels, window);
        let [x, w, b, dy] = data(&g, 2).map(|v| narrow(&v));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let mut dw = vec![0.0; w.len()];
                backward_weight(&g, &x, &dy, &mut dw, false);
                [forward(&g, &x, &w, Some(&b)), backward_input(&g, &dy, &w, x.len()), dw]
            })
        };
        let one = run(1);
        for threads in [2, 3, 7] {
            for (a, b) in one.iter().zip(run(threads)) {
                bit_equal(a, &b).expect("the same");
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let tensor =
        |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).expect("zeros");
    let (x, w) = (tensor(&[1, 4, 4, 3]), tensor(&[2, 3, 5, 5]));
    let refused = |x: &Tensor, w: &Tensor, b: Option<&Tensor>, stride, padding| {
        conv2d(x, w, b, stride, padding).map(|_| ()).expect_err("refused").to_string()
    };
    assert!(refused(&x, &w, None, [1, 1], [0, 1]).contains("kernel of 5"));
    assert!(refused(&x, &w, None, [0, 1], [1, 1]).contains("stride 0"));
    assert!(refused(&tensor(&[1, 9, 9, 4]), &w, None, [1, 1], [0, 0]).contains("4 channels"));
    assert!(refused(&x, &w, Some(&tensor(&[3])), [1, 1], [2, 2]).contains("not [2]"));
    assert_eq!(conv2d(&x, &w, None, [1, 1], [2, 2]).expect("fits").dims(), [1, 4, 4, 2]);
}
