#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::{TestRng, bit_equal, close, narrow, widen};
use crate::simd::Isa;

/// Columns of a row of colors, more than channels.
const STRIDE: usize = 8;

/// One ray's samples for both sides.
struct Data {
    channels: usize,
    sigma: Vec<f32>,
    dt: Vec<f32>,
    t: Vec<f32>,
    /// `[n][STRIDE]`; what lies behind the channels must not be read.
    color: Vec<f32>,
}

impl Data {
    fn new(seed: u64, n: usize, channels: usize) -> Self {
        let mut rng = TestRng::new(seed);
        let dt = rng.uniforms(n, 0.05, 0.2);
        let t: Vec<f64> = dt.iter().scan(0.5, |t, dt| Some(std::mem::replace(t, *t + dt))).collect();
        let mut color = narrow(&rng.uniforms(n * STRIDE, 0.0, 1.0));
        color.chunks_exact_mut(STRIDE).for_each(|row| row[channels..].fill(f32::NAN));
        Self { channels, sigma: narrow(&rng.uniforms(n, 0.0, 6.0)), dt: narrow(&dt), t: narrow(&t), color }
    }

    fn alpha(&self, isa: Isa) -> Vec<f32> {
        let end = self.dt.len().next_multiple_of(16);
        let padded = |v: &[f32]| [v, &vec![0.0; end - v.len()]].concat();
        let mut alpha = vec![f32::NAN; end];
        absorb(isa, &padded(&self.sigma), &padded(&self.dt), &mut alpha);
        alpha.truncate(self.dt.len());
        alpha
    }

    fn ray<'a>(&'a self, alpha: &'a [f32]) -> RaySamples<'a> {
        RaySamples { alpha, t: &self.t, color: &self.color, stride: STRIDE }
    }

    /// What the reference makes of it.
    fn reference<R>(&self, min_transmittance: f32, run: impl Fn(&reference::RaySamples) -> R) -> R {
        let color: Vec<f64> =
            self.color.chunks_exact(STRIDE).flat_map(|row| widen(&row[..self.channels])).collect();
        let (sigma, t, dt) = (widen(&self.sigma), widen(&self.t), widen(&self.dt));
        let (channels, min_transmittance) = (self.channels, min_transmittance.into());
        run(&reference::RaySamples {
            sigma: &sigma,
            color: &color,
            channels,
            t: &t,
            dt: &dt,
            min_transmittance,
        })
    }
}

/// A reference's output as one row: channels, depth, opacity.
fn row(out: &reference::Rendered) -> Vec<f64> {
    [&out.value[..], &[out.depth, out.opacity]].concat()
}

#[test]
fn absorb_is_one_minus_exp() {
    let mut rng = TestRng::new(1);
    let sigma: Vec<f32> = (0..4096).map(|_| rng.uniform(-12.0, 15.0).exp() as f32).collect();
    let dt = narrow(&rng.uniforms(4096, 1e-3, 0.5));
    let want: Vec<f64> =
        sigma.iter().zip(&dt).map(|(s, dt)| -(-f64::from(*s) * f64::from(*dt)).exp_m1()).collect();
    for isa in Isa::available() {
        let mut alpha = vec![f32::NAN; 4096];
        absorb(isa, &sigma, &dt, &mut alpha);
        for (got, want) in alpha.iter().zip(&want) {
            // Absolute: the transmittance is what is exact to a rounding.
            assert!((f64::from(*got) - want).abs() < 2e-7, "{isa:?}: {got} {want}");
        }
    }
}

#[test]
fn extreme_densities_stay_between_nothing_and_all() {
    let sigma = [0.0, 1e-30, 3.3e6, f32::MAX, f32::INFINITY, 1.0, 1e9, 88.0].repeat(2);
    for isa in Isa::available() {
        let mut alpha = [f32::NAN; 16];
        absorb(isa, &sigma, &[1.0; 16], &mut alpha);
        assert!(alpha.iter().all(|a| (0.0..=1.0).contains(a)), "{isa:?}: {alpha:?}");
        assert_eq!((alpha[0], alpha[2], alpha[4]), (0.0, 1.0, 1.0));
    }
}

#[test]
fn forward_with_the_cut_is_the_reference() {
    for isa in Isa::available() {
        for (seed, (n, channels, min_transmittance)) in
            (2..).zip([(0, 3, 1e-3), (1, 3, 0.5), (20, 3, 0.0), (40, 3, 1e-2), (33, 1, 0.3), (40, 7, 0.1)])
        {
            let data = Data::new(seed, n, channels);
            let alpha = data.alpha(isa);
            let want = data.reference(min_transmittance, reference::forward);
            let (live, carry) = kept(&alpha, Carry::default(), min_transmittance);
            assert_eq!(live, want.weights.len(), "{isa:?} n = {n}, min_transmittance {min_transmittance}");
            assert!((f64::from(carry.transmittance) - (1.0 - want.opacity)).abs() < 1e-6);
            let mut out = vec![0.0; channels + EXTRA];
            let after = forward(data.ray(&alpha[..live]), Carry::default(), &mut out);
            assert_eq!(after, carry, "kept and forward see the same transmittance");
            close(&out, &row(&want), 2e-6, 2e-6).unwrap();
        }
    }
}

#[test]
fn backward_with_the_cut_is_the_reference() {
    for isa in Isa::available() {
        for (seed, (n, channels, min_transmittance)) in
            (12..).zip([(1, 3, 0.0), (20, 3, 0.0), (40, 3, 1e-2), (33, 1, 0.3), (40, 7, 0.1)])
        {
            let data = Data::new(seed, n, channels);
            let alpha = data.alpha(isa);
            let (live, _) = kept(&alpha, Carry::default(), min_transmittance);
            let d_out = narrow(&TestRng::new(seed).normals(channels + EXTRA, 1.0));
            let (mut d_sigma, mut d_color) = (vec![f32::NAN; live], vec![7.0; n * STRIDE]);
            let grad = RaySamplesGrad { sigma: &mut d_sigma, color: &mut d_color };
            backward(data.ray(&alpha[..live]), &data.dt, &d_out, grad);
            let d = widen(&d_out);
            let (want_sigma, want_color) = data.reference(min_transmittance, |ray| {
                reference::backward(ray, &d[..channels], d[channels], d[channels + 1])
            });
            close(&d_sigma, &want_sigma[..live], 1e-5, 1e-5).unwrap();
            let rows: Vec<f32> =
                d_color[..live * STRIDE].chunks_exact(STRIDE).flat_map(|r| &r[..channels]).copied().collect();
            close(&rows, &want_color[..live * channels], 1e-5, 1e-5).unwrap();
            // Other columns, and samples behind the end, are not its to write.
            assert!(d_color.chunks_exact(STRIDE).all(|r| r[channels..].iter().all(|d| *d == 7.0)));
            assert!(d_color[live * STRIDE..].iter().all(|d| *d == 7.0));
        }
    }
}

/// A ray rendered in stretches is the ray rendered at once, bit for bit, wherever it is split in two.
#[test]
fn the_carry_joins_stretches() {
    let data = Data::new(30, 24, 3);
    let alpha = data.alpha(Isa::best());
    for min_transmittance in [0.0, 1e-2, 0.2] {
        let (live, _) = kept(&alpha, Carry::default(), min_transmittance);
        let mut whole = [0.0; 5];
        let end = forward(data.ray(&alpha[..live]), Carry::default(), &mut whole);
        for first in 0..=24 {
            let (head, tail) = alpha.split_at(first);
            let (n, carry) = kept(head, Carry::default(), min_transmittance);
            let (m, _) = kept(tail, carry, min_transmittance);
            assert_eq!(n + m, live, "min_transmittance {min_transmittance}, {first} first");
            let mut out = [0.0; 5];
            let carry = forward(data.ray(&head[..n]), Carry::default(), &mut out);
            let rest = RaySamples {
                alpha: &tail[..m],
                t: &data.t[first..],
                color: &data.color[first * STRIDE..],
                ..data.ray(&alpha)
            };
            assert_eq!(forward(rest, carry, &mut out), end);
            bit_equal(&out, &whole).unwrap();
        }
    }
}

/// Values composited apart, and weights from what they are worth: the same outputs and gradients as in one go.
#[test]
fn values_apart_are_values_together() {
    let (channels, n) = (5, 13);
    let data = Data::new(40, n, channels);
    let alpha = data.alpha(Isa::best());
    let mut rng = TestRng::new(41);
    let d = narrow(&rng.normals(channels + EXTRA, 1.0));
    let (mut whole, mut apart) = (vec![0.0; channels + EXTRA], vec![0.0; channels + EXTRA]);
    forward(data.ray(&alpha), Carry::default(), &mut whole);
    let bare = RaySamples { color: &[], stride: 0, ..data.ray(&alpha) };
    forward_values(data.ray(&alpha), Carry::default(), &mut apart[..channels]);
    forward(bare, Carry::default(), &mut apart[channels..]);
    bit_equal(&apart, &whole).unwrap();
    let (mut sigma, mut color) = (vec![0.0; n], vec![0.0; n * STRIDE]);
    backward(data.ray(&alpha), &data.dt, &d, RaySamplesGrad { sigma: &mut sigma, color: &mut color });
    let (mut d_sigma, mut d_color, mut worth) = (vec![0.0; n], vec![0.0; n * STRIDE], vec![0.0; n]);
    backward_values(data.ray(&alpha), &d[..channels], &mut d_color, Some(&mut worth));
    bit_equal(&d_color, &color).unwrap();
    let grad = RaySamplesGrad { sigma: &mut d_sigma, color: &mut [] };
    backward_weights(bare, &data.dt, &d[channels..], grad, |i, g| g + worth[i]);
    close(&d_sigma, &widen(&sigma), 1e-5, 1e-5).unwrap();
    // What weights do not hear of leaves their worth alone.
    let mut quiet = vec![0.0; n * STRIDE];
    backward_values(data.ray(&alpha), &d[..channels], &mut quiet, None);
    bit_equal(&quiet, &color).unwrap();
}

/// Gathered samples show what all of them show: opacity exactly, values to less than `faint` a sample that is kept.
#[test]
fn what_is_gathered_shows_the_same() {
    let mut rng = TestRng::new(31);
    for (n, thick, faint) in
        [(40, 0.3, 1e-3), (40, 2e-4, 1e-3), (200, 0.02, 2e-4), (1, 0.5, 1e-3), (7, 1e-6, 1e-3)]
    {
        let alpha = narrow(&rng.uniforms(n, 0.0, thick));
        let color = narrow(&rng.uniforms(n, 0.0, 1.0));
        let carry = Carry { transmittance: 0.7 };
        let (mut gathered, mut keep) = (alpha.clone(), Vec::new());
        gather(&mut gathered, carry, faint, |i| keep.push(i));
        let pick = |v: &[f32]| keep.iter().map(|i| v[*i]).collect::<Vec<f32>>();
        let shown = |alpha: &[f32], color: &[f32]| {
            // Color, depth, opacity.
            let mut out = [0.0; 3];
            let t = vec![0.0; alpha.len()];
            let behind = forward(RaySamples { alpha, t: &t, color, stride: 1 }, carry, &mut out);
            (out[0], out[2], behind.transmittance)
        };
        let (whole, few) = (shown(&alpha, &color), shown(&pick(&gathered), &pick(&color)));
        assert!((whole.1 - few.1).abs() < 1e-5 && (whole.2 - few.2).abs() < 1e-5, "{whole:?} {few:?}");
        assert!((whole.0 - few.0).abs() < faint * (keep.len() + 1) as f32, "{whole:?} {few:?}");
        assert!(keep.len() as f32 <= 1.0 + 0.7 / faint && keep.is_sorted());
        // Where every sample weighs enough, nothing changes.
        let (mut same, mut all) = (alpha.clone(), 0);
        gather(&mut same, carry, 0.0, |_| all += 1);
        assert!(same == alpha && all == n);
    }
}
