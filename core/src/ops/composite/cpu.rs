//! Plain loops over a ray: some fifteen samples survive on one, and each needs its predecessor's transmittance.
//! What can be vectorized, the exponential, is [`absorb`], over a whole chunk.

use crate::simd::{Isa, Kernel, Simd, math};

/// `alpha[i] = 1 - exp(-sigma[i] * dt[i])`.
///
/// # Panics
/// If the lengths differ or are not a multiple of 16.
pub fn absorb(isa: Isa, sigma: &[f32], dt: &[f32], alpha: &mut [f32]) {
    assert!(
        sigma.len() == dt.len() && alpha.len() == dt.len() && dt.len().is_multiple_of(16),
        "absorb: lengths"
    );
    isa.run(Absorb { sigma, dt, alpha });
}

struct Absorb<'a> {
    sigma: &'a [f32],
    dt: &'a [f32],
    alpha: &'a mut [f32],
}

impl Kernel for Absorb<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let mut i = 0;
        while i < self.dt.len() {
            // SAFETY: lengths are equal multiples of LANES.
            unsafe {
                let tau = s.mul(s.load(self.sigma.as_ptr().add(i)), s.load(self.dt.as_ptr().add(i)));
                let transmittance = math::exp(s, s.sub(s.splat(0.0), tau));
                s.store(self.alpha.as_mut_ptr().add(i), s.sub(s.splat(1.0), transmittance));
            }
            i += S::LANES;
        }
    }
}

/// The samples of one ray, front to back; equally long slices.
#[derive(Clone, Copy)]
pub struct RaySamples<'a> {
    /// Opacity of each sample, from [`absorb`].
    pub alpha: &'a [f32],
    /// Distance along the ray of each sample.
    pub t: &'a [f32],
    /// Colors, `[sample][stride]`, the first `channels` of each used.
    pub color: &'a [f32],
    /// Row stride of `color`.
    pub stride: usize,
}

/// A ray's state between two stretches of samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carry {
    /// What still gets through.
    pub transmittance: f32,
}

impl Default for Carry {
    fn default() -> Self {
        Self { transmittance: 1.0 }
    }
}

/// How many leading samples count, and the transmittance behind them: a sample at which the transmittance has
/// fallen below `min_transmittance`, and all behind it, are dropped.
#[inline]
pub fn kept(alpha: &[f32], carry: Carry, min_transmittance: f32) -> (usize, Carry) {
    let mut transmittance = carry.transmittance;
    for (i, alpha) in alpha.iter().enumerate() {
        if transmittance < min_transmittance {
            return (i, Carry { transmittance });
        }
        transmittance *= 1.0 - alpha;
    }
    (alpha.len(), Carry { transmittance })
}

/// Tells `keep` of the samples of a ray whose values are worth computing: a sample stands for those in front of it,
/// too, once all of them together weigh `faint`, and has their opacity then; what is left in the end, less than that,
/// is the last one's. Opacity and transmittance stay what they were.
#[inline]
pub fn gather(alpha: &mut [f32], carry: Carry, faint: f32, mut keep: impl FnMut(usize)) {
    // In front of what is being gathered, and in front of the last sample that was kept.
    let (mut front, mut transmittance) = (carry.transmittance, carry.transmittance);
    let (mut first, mut last) = (0, None);
    for (i, alpha) in alpha.iter_mut().enumerate() {
        transmittance *= 1.0 - *alpha;
        if front - transmittance >= faint {
            if first < i {
                *alpha = 1.0 - transmittance / front;
            }
            keep(i);
            last = Some((i, front));
            (first, front) = (i + 1, transmittance);
        }
    }
    if first == alpha.len() || transmittance == front {
        return;
    }
    let (to, front) = last.unwrap_or_else(|| {
        keep(alpha.len() - 1);
        (alpha.len() - 1, front)
    });
    alpha[to] = 1.0 - transmittance / front;
}

/// Adds the ray's samples to `out` = channels, depth, opacity, and returns the transmittance behind them.
#[inline]
pub fn forward(ray: RaySamples<'_>, carry: Carry, out: &mut [f32]) -> Carry {
    let channels = out.len() - super::EXTRA;
    let mut transmittance = carry.transmittance;
    for (i, alpha) in ray.alpha.iter().enumerate() {
        let w = transmittance * alpha;
        for (out, c) in out[..channels].iter_mut().zip(&ray.color[i * ray.stride..]) {
            *out += w * c;
        }
        out[channels] += w * ray.t[i];
        out[channels + 1] += w;
        transmittance *= 1.0 - alpha;
    }
    Carry { transmittance }
}

/// Adds the ray's values alone to `out`, as many channels as that is long; for what is composited beside [`forward`].
#[inline]
pub fn forward_values(ray: RaySamples<'_>, carry: Carry, out: &mut [f32]) {
    let mut transmittance = carry.transmittance;
    for (i, alpha) in ray.alpha.iter().enumerate() {
        let w = transmittance * alpha;
        for (out, c) in out.iter_mut().zip(&ray.color[i * ray.stride..]) {
            *out += w * c;
        }
        transmittance *= 1.0 - alpha;
    }
}

/// Gradients of the values that [`forward_values`] composited, written to `d_color`, and, where it is wanted, added to
/// `worth`: what a unit of weight at each sample is worth. The transmittance in front of the ray is 1.
#[inline]
pub fn backward_values(
    ray: RaySamples<'_>,
    d_value: &[f32],
    d_color: &mut [f32],
    mut worth: Option<&mut [f32]>,
) {
    let mut transmittance = 1.0f32;
    for (i, alpha) in ray.alpha.iter().enumerate() {
        let (w, row) = (transmittance * alpha, i * ray.stride..i * ray.stride + d_value.len());
        if let Some(worth) = &mut worth {
            worth[i] += d_value.iter().zip(&ray.color[row.clone()]).map(|(g, c)| g * c).sum::<f32>();
        }
        d_color[row].iter_mut().zip(d_value).for_each(|(d, g)| *d = w * g);
        transmittance *= 1.0 - alpha;
    }
}

/// Where [`backward`] writes.
pub struct RaySamplesGrad<'a> {
    /// `d_sigma` of each sample.
    pub sigma: &'a mut [f32],
    /// `d_color`, laid out like the colors.
    pub color: &'a mut [f32],
}

/// Gradients of the ray's samples from `d_out` = gradients of channels, depth and opacity. The transmittance in
/// front of the ray is 1.
#[inline]
pub fn backward(ray: RaySamples<'_>, dt: &[f32], d_out: &[f32], grad: RaySamplesGrad<'_>) {
    backward_weights(ray, dt, d_out, grad, |_, g| g);
}

/// As [`backward`], for a loss that depends on the samples' weights in another way, too: `worth(i, g)` is what a unit of
/// weight at sample i is worth, given what it is worth by `d_out`.
#[inline]
pub fn backward_weights(
    ray: RaySamples<'_>,
    dt: &[f32],
    d_out: &[f32],
    grad: RaySamplesGrad<'_>,
    worth: impl Fn(usize, f32) -> f32,
) {
    let channels = d_out.len() - super::EXTRA;
    let (d_value, d_depth, d_opacity) = (&d_out[..channels], d_out[channels], d_out[channels + 1]);
    // Front to back: colors; `sigma` holds T_{i+1} until the way back.
    let mut transmittance = 1.0f32;
    let n = ray.alpha.len();
    for i in 0..n {
        let w = transmittance * ray.alpha[i];
        let row = i * ray.stride..i * ray.stride + channels;
        for (d, g) in grad.color[row].iter_mut().zip(d_value) {
            *d = w * g;
        }
        transmittance *= 1.0 - ray.alpha[i];
        grad.sigma[i] = transmittance;
    }
    // Back to front: the light that sample i hides is what lies behind it.
    let mut behind = 0.0f32;
    for i in (0..n).rev() {
        let row = i * ray.stride..i * ray.stride + channels;
        let g = d_value.iter().zip(&ray.color[row]).map(|(g, c)| g * c).sum::<f32>()
            + d_depth * ray.t[i]
            + d_opacity;
        let g = worth(i, g);
        let before = if i == 0 { 1.0 } else { grad.sigma[i - 1] };
        let after = grad.sigma[i];
        grad.sigma[i] = dt[i] * (after * g - behind);
        behind += before * ray.alpha[i] * g;
    }
}
