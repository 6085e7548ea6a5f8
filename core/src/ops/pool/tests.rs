use super::max::{backward, forward};
use super::*;
use crate::graph::check::{Case, agrees};
use crate::graph::{DType, Device, Tensor};
use crate::ops::check::{FdOptions, TestRng, bit_equal, finite_difference, narrow, widen};
use crate::ops::conv2d::Window;
use crate::ops::depthwise::ChannelGeometry;
use crate::simd::Isa;

const BATCH: usize = 2;

fn geometry(
    size: [usize; 2],
    channels: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> ChannelGeometry {
    let window = Window { kernel, stride, padding };
    ChannelGeometry { size, places: window.places(size, "pool").expect("a place"), channels, window }
}

fn cases() -> [ChannelGeometry; 6] {
    [
        geometry([6, 8], 3, [2, 2], [2, 2], [0, 0]),
        geometry([7, 9], 17, [3, 3], [2, 2], [1, 1]),
        geometry([40, 11], 5, [3, 3], [1, 1], [1, 1]),
        geometry([9, 7], 16, [2, 3], [3, 2], [1, 0]),
        geometry([50, 6], 2, [5, 1], [4, 1], [2, 0]),
        geometry([4, 4], 1, [4, 4], [1, 1], [2, 2]),
    ]
}

fn data(g: &ChannelGeometry) -> [Vec<f64>; 2] {
    let mut rng = TestRng::new((g.size[0] * 100 + g.channels) as u64);
    let n = |size: [usize; 2]| BATCH * size[0] * size[1] * g.channels;
    [rng.normals(n(g.size), 1.0), rng.normals(n(g.places), 1.0)]
}

#[test]
fn gradients_match_finite_differences() {
    let g = geometry([5, 4], 2, [3, 2], [2, 1], [1, 1]);
    let [x, dy] = data(&g);
    let dot = |y: Vec<f64>, dy: &[f64]| y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
    let options = FdOptions { eps: 1e-6, ..FdOptions::default() };
    let dx = reference::max(&g, &x, Some(&dy));
    finite_difference(|x| dot(reference::max(&g, x, None), &dy), &x, &dx, options).expect("max");
    for pad in [false, true] {
        let dx = reference::avg(&g, pad, &x, Some(&dy));
        finite_difference(|x| dot(reference::avg(&g, pad, x, None), &dy), &x, &dx, options).expect("average");
    }
    let dy = TestRng::new(5).normals(BATCH * 3 * 3 * 2, 1.0);
    let adaptive = |x: &[f64], dy| reference::adaptive([5, 4], [3, 3], 2, x, dy);
    finite_difference(|x| dot(adaptive(x, None), &dy), &x, &adaptive(&x, Some(&dy)), options)
        .expect("adaptive");
}

#[test]
fn the_ops_match_the_reference() {
    for g in cases() {
        let [x, _] = data(&g);
        let shape = [BATCH, g.size[0], g.size[1], g.channels];
        let Window { kernel, stride, padding } = g.window;
        agrees(Case {
            inputs: &[(&x, &shape)],
            op: &|t| max_pool2d(&t[0], kernel, stride, padding),
            forward: &|v| reference::max(&g, &v[0], None),
            backward: &|v, dy| vec![reference::max(&g, &v[0], Some(dy))],
        });
        for pad in [false, true] {
            agrees(Case {
                inputs: &[(&x, &shape)],
                op: &|t| avg_pool2d(&t[0], kernel, stride, padding, pad),
                forward: &|v| reference::avg(&g, pad, &v[0], None),
                backward: &|v, dy| vec![reference::avg(&g, pad, &v[0], Some(dy))],
            });
        }
        for to in [[1, 1], [2, 3], [6, 6], [7, 13]] {
            let sizes = (g.size, to, g.channels);
            agrees(Case {
                inputs: &[(&x, &shape)],
                op: &|t| adaptive_avg_pool2d(&t[0], to),
                forward: &|v| reference::adaptive(sizes.0, sizes.1, sizes.2, &v[0], None),
                backward: &|v, dy| vec![reference::adaptive(sizes.0, sizes.1, sizes.2, &v[0], Some(dy))],
            });
        }
    }
}

/// Values of few kinds: ties in every window, NaNs, infinities.
#[test]
fn ties_go_to_the_first_and_nan_wins() {
    let kinds = [0.0, 1.0, 1.0, f32::NAN, f32::NEG_INFINITY, 2.0, f32::NEG_INFINITY, f32::NEG_INFINITY];
    for g in cases() {
        let [x, dy] = data(&g).map(|v| narrow(&v));
        let mut rng = TestRng::new(7);
        let x: Vec<f32> = x.iter().map(|_| kinds[rng.below(kinds.len())]).collect();
        let want = narrow(&reference::max(&g, &widen(&x), None));
        let want_dx = reference::max(&g, &widen(&x), Some(&widen(&dy)));
        for isa in Isa::available() {
            let (mut y, mut dx) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            forward(isa, &g, &x, &mut y);
            backward(isa, &g, &x, &dy, &mut dx);
            assert!(y.iter().zip(&want).all(|(y, want)| y == want || y.is_nan() && want.is_nan()));
            assert!(dx.iter().zip(&want_dx).all(|(dx, want)| (f64::from(*dx) - want).abs() < 1e-5));
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for g in cases() {
        let [x, dy] = data(&g).map(|v| narrow(&v));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let mut dx = vec![0.0; x.len()];
            pool.install(|| backward(Isa::best(), &g, &x, &dy, &mut dx));
            dx
        };
        bit_equal(&run(1), &run(3)).expect("the same");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let x = Tensor::zeros((1, 4, 5, 2), DType::F32, &Device::Cpu).expect("zeros");
    let message = |y: crate::graph::Result<Tensor>| y.map(|_| ()).expect_err("refused").to_string();
    assert!(message(max_pool2d(&x, [3, 3], [1, 1], [2, 1])).contains("more than half"));
    assert!(message(avg_pool2d(&x, [2, 2], [1, 1], [1, 2], true)).contains("more than half"));
    assert!(message(max_pool2d(&x, [5, 3], [1, 1], [0, 0])).contains("kernel of 5"));
    assert!(message(avg_pool2d(&x, [2, 2], [0, 1], [0, 0], true)).contains("stride 0"));
    assert!(adaptive_avg_pool2d(&x, [0, 1]).is_err());
}
