use super::cpu::{Call, Packed, backward, forward};
use super::pattern::Pattern;
use super::*;
use crate::graph::check::{Case, agrees};
use crate::ops::check::{FdOptions, PARITY_L2, PARITY_MAX, TestRng, close, finite_difference, narrow, widen};
use crate::simd::Isa;

/// All of it in f64: gathers sets as Swin does, by rolling, padding and cutting a copy.
struct Slow {
    batch: usize,
    map: [usize; 2],
    window: [usize; 2],
    shift: [usize; 2],
    heads: usize,
    dim: usize,
    scale: f64,
    by_heads: bool,
}

impl Slow {
    /// Output, then gradients of qkv, bias and pad for `d_out` (zeros where none is given).
    fn run(
        &self,
        qkv: &[f64],
        bias: Option<&[f64]>,
        pad: Option<&[f64]>,
        d_out: Option<&[f64]>,
    ) -> [Vec<f64>; 4] {
        let Self { batch, map: [h, w], window: [wh, ww], shift, heads, dim, .. } = *self;
        let c = heads * dim;
        let n = wh * ww;
        let (rows, cols) = (h.div_ceil(wh) * wh, w.div_ceil(ww) * ww);
        let at = |part: usize, head: usize| {
            if self.by_heads { (head * 3 + part) * dim } else { part * c + head * dim }
        };
        let mut out = vec![0.0; batch * h * w * c];
        let mut dqkv = vec![0.0; qkv.len()];
        let mut dbias = vec![0.0; heads * n * n];
        let mut dpad = vec![0.0; 3 * c];
        // Swin's regions of the rolled map: what ends before the last window, what is in it, what was rolled into it.
        let region = |y: usize, size: usize, window: usize, shift: usize| match () {
            () if shift == 0 || y < size - window => 0,
            () if y < size - shift => 1,
            () => 2,
        };
        for b in 0..batch {
            for (y0, x0) in (0..rows).step_by(wh).flat_map(|y| (0..cols).step_by(ww).map(move |x| (y, x))) {
                let tokens: Vec<(usize, usize)> =
                    (0..wh).flat_map(|i| (0..ww).map(move |j| (y0 + i, x0 + j))).collect();
                let row = |(y, x): (usize, usize)| {
                    let (y, x) = ((y + shift[0]) % rows, (x + shift[1]) % cols);
                    (y < h && x < w).then_some((b * h + y) * w + x)
                };
                let regions: Vec<_> = tokens
                    .iter()
                    .map(|t| (region(t.0, rows, wh, shift[0]), region(t.1, cols, ww, shift[1])))
                    .collect();
                for head in 0..heads {
                    let take = |part| -> Vec<f64> {
                        let value = |t: &(usize, usize)| match row(*t) {
                            Some(row) => &qkv[row * 3 * c + at(part, head)..][..dim],
                            None => &pad.expect("a map that needs padding")[at(part, head)..][..dim],
                        };
                        tokens.iter().flat_map(value).copied().collect()
                    };
                    let mut added = vec![0.0; n * n];
                    for (i, added) in added.iter_mut().enumerate() {
                        let apart = regions[i / n] != regions[i % n];
                        *added = bias.map_or(0.0, |b| b[head * n * n + i]) - if apart { 100.0 } else { 0.0 };
                    }
                    let (q, k, v) = (take(0), take(1), take(2));
                    let o = reference::forward(&q, &k, &v, &added, self.scale, dim);
                    let mut d_o = vec![0.0; o.len()];
                    for (i, t) in tokens.iter().enumerate() {
                        if let Some(row) = row(*t) {
                            let place = row * c + head * dim;
                            out[place..place + dim].copy_from_slice(&o[i * dim..(i + 1) * dim]);
                            if let Some(d) = d_out {
                                d_o[i * dim..(i + 1) * dim].copy_from_slice(&d[place..place + dim]);
                            }
                        }
                    }
                    let [dq, dk, dv, ds] = reference::backward(&q, &k, &v, &added, self.scale, dim, &d_o);
                    dbias[head * n * n..(head + 1) * n * n].iter_mut().zip(ds).for_each(|(s, d)| *s += d);
                    for (part, d) in [dq, dk, dv].iter().enumerate() {
                        for (i, t) in tokens.iter().enumerate() {
                            let to = match row(*t) {
                                Some(row) => &mut dqkv[row * 3 * c + at(part, head)..][..dim],
                                None => &mut dpad[at(part, head)..][..dim],
                            };
                            to.iter_mut().zip(&d[i * dim..]).for_each(|(s, d)| *s += d);
                        }
                    }
                }
            }
        }
        [out, dqkv, dbias, dpad]
    }
}

#[test]
fn gradients_match_finite_differences() {
    let mut rng = TestRng::new(1);
    let (n, m, dim) = (3, 4, 2);
    let (q, k, v) = (rng.normals(n * dim, 1.0), rng.normals(m * dim, 1.0), rng.normals(m * dim, 1.0));
    let (bias, d_o) = (rng.normals(n * m, 1.0), rng.normals(n * dim, 1.0));
    let loss = |q: &[f64], k: &[f64], v: &[f64], bias: &[f64]| -> f64 {
        reference::forward(q, k, v, bias, 0.7, dim).iter().zip(&d_o).map(|(o, d)| o * d).sum()
    };
    let [dq, dk, dv, ds] = reference::backward(&q, &k, &v, &bias, 0.7, dim, &d_o);
    let o = FdOptions::default();
    finite_difference(|x| loss(x, &k, &v, &bias), &q, &dq, o).expect("dq");
    finite_difference(|x| loss(&q, x, &v, &bias), &k, &dk, o).expect("dk");
    finite_difference(|x| loss(&q, &k, x, &bias), &v, &dv, o).expect("dv");
    finite_difference(|x| loss(&q, &k, &v, x), &bias, &ds, o).expect("dbias");
}

fn windows(slow: &Slow, with_bias: bool) {
    let Slow { batch, map, window, shift, heads, dim, scale, by_heads } = *slow;
    let (c, n) = (heads * dim, window[0] * window[1]);
    let mut rng = TestRng::new((map[0] * 31 + map[1]) as u64);
    let qkv = rng.normals(batch * map[0] * map[1] * 3 * c, 1.0);
    let (bias, pad) = (rng.normals(heads * n * n, 1.0), rng.normals(3 * c, 1.0));
    let pads = map[0] % window[0] != 0 || map[1] % window[1] != 0;
    let packing = if by_heads { Packing::Heads } else { Packing::Parts };
    let config = WindowConfig { heads, scale: scale as f32, window, shift, packing };
    let mut inputs: Vec<(&[f64], &[usize])> = Vec::new();
    let shapes: [&[usize]; 3] = [&[batch, map[0], map[1], 3 * c], &[heads, n, n], &[3 * c]];
    inputs.push((&qkv, shapes[0]));
    if with_bias {
        inputs.push((&bias, shapes[1]));
    }
    if pads {
        inputs.push((&pad, shapes[2]));
    }
    let pick = |v: &[Vec<f64>]| {
        let bias = with_bias.then(|| v[1].clone());
        (v[0].clone(), bias, pads.then(|| v[v.len() - 1].clone()))
    };
    agrees(Case {
        inputs: &inputs,
        op: &|t| {
            let pad = pads.then(|| &t[t.len() - 1]);
            window_attention(&t[0], &config, with_bias.then(|| &t[1]), pad)
        },
        forward: &|v| {
            let (qkv, bias, pad) = pick(v);
            slow.run(&qkv, bias.as_deref(), pad.as_deref(), None)[0].clone()
        },
        backward: &|v, dy| {
            let (qkv, bias, pad) = pick(v);
            let [_, dqkv, dbias, dpad] = slow.run(&qkv, bias.as_deref(), pad.as_deref(), Some(dy));
            let mut all = vec![dqkv];
            if with_bias {
                all.push(dbias);
            }
            if pads {
                all.push(dpad);
            }
            all
        },
    });
}

#[test]
fn windows_of_every_kind_match_the_reference() {
    let plain = Slow {
        batch: 2,
        map: [6, 4],
        window: [3, 2],
        shift: [0, 0],
        heads: 2,
        dim: 4,
        scale: 0.5,
        by_heads: false,
    };
    windows(&plain, true);
    windows(&Slow { shift: [1, 1], ..plain }, false);
    windows(&Slow { shift: [1, 0], by_heads: true, ..plain }, true);
    windows(&Slow { map: [5, 7], shift: [1, 1], ..plain }, true);
    windows(&Slow { map: [5, 7], by_heads: true, ..plain }, false);
    // Real extents: a window of 7 x 7, heads of 32.
    windows(
        &Slow { batch: 1, map: [9, 14], window: [7, 7], shift: [3, 3], dim: 32, scale: 0.17, ..plain },
        true,
    );
}

#[test]
fn sequences_match_the_reference() {
    // A sequence is a map of one row in one window; 150 tokens are several blocks of queries.
    for (tokens, heads, dim) in [(5, 1, 3), (50, 3, 16), (150, 2, 32)] {
        let slow = Slow {
            batch: 2,
            map: [1, tokens],
            window: [1, tokens],
            shift: [0, 0],
            heads,
            dim,
            scale: 0.3,
            by_heads: false,
        };
        let qkv = TestRng::new(tokens as u64).normals(2 * tokens * 3 * heads * dim, 1.0);
        agrees(Case {
            inputs: &[(&qkv, &[2, tokens, 3 * heads * dim])],
            op: &|t| self_attention(&t[0], heads, 0.3, None),
            forward: &|v| slow.run(&v[0], None, None, None)[0].clone(),
            backward: &|v, dy| vec![slow.run(&v[0], None, None, Some(dy))[1].clone()],
        });
    }
}

#[test]
fn cross_attention_matches_the_reference() {
    let (n, m, heads, dim) = (70, 9, 2, 8);
    let c = heads * dim;
    let mut rng = TestRng::new(5);
    let (q, kv) = (rng.normals(2 * n * c, 1.0), rng.normals(2 * m * 2 * c, 1.0));
    let slow = |q: &[f64], kv: &[f64], dy: &[f64]| {
        let (mut out, mut dq, mut dkv) = (vec![0.0; q.len()], vec![0.0; q.len()], vec![0.0; kv.len()]);
        for (b, head) in (0..2).flat_map(|b| (0..heads).map(move |h| (b, h))) {
            let take = |x: &[f64], rows: usize, row: usize, at: usize| -> Vec<f64> {
                (0..rows).flat_map(|i| x[(b * rows + i) * row + at + head * dim..][..dim].to_vec()).collect()
            };
            let (qs, k, v) = (take(q, n, c, 0), take(kv, m, 2 * c, 0), take(kv, m, 2 * c, c));
            let (none, d) = (vec![0.0; n * m], take(dy, n, c, 0));
            let o = reference::forward(&qs, &k, &v, &none, 0.4, dim);
            let [gq, gk, gv, _] = reference::backward(&qs, &k, &v, &none, 0.4, dim, &d);
            let put = |x: &mut [f64], from: &[f64], rows: usize, row: usize, at: usize| {
                for i in 0..rows {
                    x[(b * rows + i) * row + at + head * dim..][..dim]
                        .copy_from_slice(&from[i * dim..][..dim]);
                }
            };
            put(&mut out, &o, n, c, 0);
            put(&mut dq, &gq, n, c, 0);
            put(&mut dkv, &gk, m, 2 * c, 0);
            put(&mut dkv, &gv, m, 2 * c, c);
        }
        (out, dq, dkv)
    };
    agrees(Case {
        inputs: &[(&q, &[2, n, c]), (&kv, &[2, m, 2 * c])],
        op: &|t| cross_attention(&t[0], &t[1], heads, 0.4),
        forward: &|v| slow(&v[0], &v[1], &vec![0.0; 2 * n * c]).0,
        backward: &|v, dy| {
            let (_, dq, dkv) = slow(&v[0], &v[1], dy);
            vec![dq, dkv]
        },
    });
}

#[test]
fn instruction_sets_and_threads_agree() {
    let pattern = Pattern::Windows { batch: 3, map: [5, 9], window: [4, 4], shift: [2, 2] };
    let (heads, dim) = (2, 20);
    let mut rng = TestRng::new(8);
    let qkv = narrow(&rng.normals(135 * 3 * 40, 1.0));
    let (bias, pad) = (narrow(&rng.normals(2 * 256, 1.0)), narrow(&rng.normals(120, 1.0)));
    let d_out = narrow(&rng.normals(135 * 40, 1.0));
    let run = |isa, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let call = Call {
            pattern: &pattern,
            heads,
            dim,
            scale: 0.2,
            packed: Packed::Parts,
            q: &qkv,
            kv: &qkv,
            bias: Some(&bias),
            pad: Some(&pad),
        };
        pool.install(|| {
            let gradients = backward(isa, &call, &d_out);
            assert!(gradients.kv.is_empty());
            [forward(isa, &call), gradients.q, gradients.bias, gradients.pad]
        })
    };
    let slow = Slow {
        batch: 3,
        map: [5, 9],
        window: [4, 4],
        shift: [2, 2],
        heads,
        dim,
        scale: f64::from(0.2f32),
        by_heads: false,
    };
    let want = slow.run(&widen(&qkv), Some(&widen(&bias)), Some(&widen(&pad)), Some(&widen(&d_out)));
    for isa in Isa::available() {
        let one = run(isa, 1);
        for (got, want) in one.iter().zip(&want) {
            close(got, want, PARITY_L2, PARITY_MAX).unwrap_or_else(|e| panic!("{}: {e}", isa.name()));
        }
        assert!(run(isa, 2) == one && run(isa, 5) == one, "{}: threads change the result", isa.name());
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use crate::graph::{DType, Device, Tensor};
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).expect("zeros");
    let config =
        WindowConfig { heads: 2, scale: 1.0, window: [2, 2], shift: [0, 0], packing: Packing::Parts };
    let e = window_attention(&zeros(&[1, 3, 4, 12]), &config, None, None).expect_err("no padding");
    assert!(e.to_string().contains("padded tokens"), "{e}");
    let e = window_attention(&zeros(&[1, 4, 4, 12]), &WindowConfig { shift: [2, 0], ..config }, None, None);
    assert!(e.expect_err("too far").to_string().contains("shifted"));
    assert!(self_attention(&zeros(&[1, 4, 10]), 2, 1.0, None).is_err());
    let e = self_attention(&zeros(&[1, 4, 12]), 2, 1.0, Some(&zeros(&[2, 4, 5]))).expect_err("a wrong bias");
    assert!(e.to_string().contains("bias"), "{e}");
    assert!(cross_attention(&zeros(&[1, 4, 4]), &zeros(&[1, 4, 4]), 2, 1.0).is_err());
}
