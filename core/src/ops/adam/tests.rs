#![allow(clippy::unwrap_used)]
use super::reference::{self, State};
use super::*;
use crate::ops::check::{TestRng, bit_equal, close, narrow, widen};
use crate::simd::Isa;

const ADAM: Adam = Adam { rate: 1e-2, betas: [0.9, 0.99], eps: 1e-15, decay: 0.0, sparse: false };

pub(super) fn in_f64(adam: &Adam) -> reference::Adam {
    reference::Adam {
        lr: adam.rate.into(),
        beta1: adam.betas[0].into(),
        beta2: adam.betas[1].into(),
        eps: adam.eps.into(),
        weight_decay: adam.decay.into(),
        sparse: adam.sparse,
    }
}

/// A gradient whose values are zero with probability `share`, from 1e-4 to 1e2 in size.
fn gradient(rng: &mut TestRng, n: usize, share: f64) -> Vec<f32> {
    let mut value = || {
        let size = 10f64.powf(rng.uniform(-4.0, 2.0));
        if rng.uniform(0.0, 1.0) < share { 0.0 } else { size * rng.normal() }
    };
    (0..n).map(|_| value() as f32).collect()
}

struct Fast {
    w: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
}

impl Fast {
    fn new(w: Vec<f32>) -> Self {
        Self { m: vec![0.0; w.len()], v: vec![0.0; w.len()], w }
    }

    fn update(&mut self, isa: Isa, adam: &Adam, t: u64, g: &[f32]) {
        let mut g = g.to_vec();
        update(isa, adam, t, &mut self.w, &mut g, &mut self.m, &mut self.v);
        assert!(g.iter().all(|g| *g == 0.0), "the gradient is zeroed for the next step");
    }
}

/// Every length of tail, dense and sparse, with and without decay and a large epsilon, over many steps.
#[test]
fn many_steps_follow_the_reference_on_every_path() {
    let variants = [
        ADAM,
        Adam { decay: 0.1, eps: 1e-2, ..ADAM },
        Adam { sparse: true, ..ADAM },
        Adam { sparse: true, decay: 0.5, betas: [0.5, 0.75], ..ADAM },
    ];
    // Fewer where Miri interprets them.
    let (sizes, steps) = if cfg!(miri) { (16..=33, 5) } else { (1..=33, 60) };
    for isa in Isa::available() {
        for adam in &variants {
            for n in sizes.clone().step_by(if cfg!(miri) { 17 } else { 3 }).chain([48, 100]) {
                let mut rng = TestRng::new(n as u64);
                let w = narrow(&rng.normals(n, 1.0));
                let mut want = State::new(widen(&w));
                let mut got = Fast::new(w);
                for t in 1..=steps {
                    // The run's rate changes from step to step.
                    let adam = Adam { rate: adam.rate / (1.0 + 0.1 * t as f32), ..*adam };
                    let g = gradient(&mut rng, n, 0.8);
                    got.update(isa, &adam, t.into(), &g);
                    reference::update(&in_f64(&adam), t, &mut want, &widen(&g));
                }
                for (got, want) in [(&got.w, &want.w), (&got.m, &want.m), (&got.v, &want.v)] {
                    if let Err(e) = close(got, want, 1e-5, 1e-5) {
                        panic!("{isa:?} {adam:?} n = {n}: {e}");
                    }
                }
            }
        }
    }
}

#[test]
fn values_that_no_gradient_touches_keep_their_bits() {
    let adam = Adam { sparse: true, decay: 0.3, ..ADAM };
    for isa in Isa::available() {
        let (mut rng, n) = (TestRng::new(5), 100);
        let mut state = Fast::new(narrow(&rng.normals(n, 1.0)));
        state.update(isa, &adam, 1, &vec![1.0; n]);
        for t in 2..20 {
            let g = gradient(&mut rng, n, 0.9);
            let before = [&state.w, &state.m, &state.v].map(Clone::clone);
            state.update(isa, &adam, t, &g);
            for (i, g) in g.iter().enumerate() {
                for (before, after) in before.iter().zip([&state.w, &state.m, &state.v]) {
                    assert_eq!(before[i].to_bits() == after[i].to_bits(), *g == 0.0, "{isa:?} value {i}");
                }
            }
        }
    }
}

/// A resumed run may be at any step: the correction has no loop and no overflow.
#[test]
fn late_steps_have_no_bias_left_to_correct() {
    for t in [1u64 << 31, 1 << 40, u64::MAX] {
        let mut state = Fast::new(vec![1.0; 17]);
        state.update(Isa::best(), &Adam { betas: [0.0, 0.0], ..ADAM }, t, &[3.0; 17]);
        close(&state.w, &[0.99; 17], 1e-6, 1e-6).unwrap();
    }
}

#[test]
fn a_rate_of_zero_moves_the_moments_only() {
    for isa in Isa::available() {
        let mut rng = TestRng::new(6);
        let w = narrow(&rng.normals(37, 1.0));
        let mut state = Fast::new(w.clone());
        let g = narrow(&rng.normals(37, 1.0));
        state.update(isa, &Adam { rate: 0.0, decay: 0.1, betas: [0.0, 0.5], ..ADAM }, 1, &g);
        bit_equal(&state.w, &w).unwrap();
        bit_equal(&state.m, &g).unwrap();
    }
}

#[test]
#[should_panic(expected = "adam: lengths differ")]
fn slices_of_different_lengths_are_refused() {
    update(Isa::best(), &ADAM, 1, &mut [0.0; 9], &mut [0.0; 9], &mut [0.0; 9], &mut [0.0; 8]);
}
