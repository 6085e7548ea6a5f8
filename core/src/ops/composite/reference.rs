//! Emission-absorption volume rendering of one ray with C color channels, in f64 (Max 1995; NeRF, eq. 3).
//!
//! `tau_i = sigma_i dt_i`, `alpha_i = 1 - exp(-tau_i)`, `T_i = prod_{j<i} (1 - alpha_j)`, `w_i = T_i alpha_i`;
//! `value_c = sum w_i color_ic`, `depth = sum w_i t_i`, `opacity = sum w_i`. Depth is not divided by opacity.
//! From the first sample with `T_i < min_transmittance` on, samples are dropped and receive no gradient.

/// The samples of one ray, front to back.
#[derive(Debug, Clone, Copy)]
pub struct RaySamples<'a> {
    /// Density, `[n]`, per unit of length.
    pub sigma: &'a [f64],
    /// Color, `[n][C]`.
    pub color: &'a [f64],
    /// Color channels C.
    pub channels: usize,
    /// Distance from the ray's origin, `[n]`.
    pub t: &'a [f64],
    /// Length of the interval that the sample stands for, `[n]`.
    pub dt: &'a [f64],
    /// Transmittance below which the ray ends; 0 keeps every sample.
    pub min_transmittance: f64,
}

/// A rendered ray.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// Weighted sum of the colors, `[C]`; no background.
    pub value: Vec<f64>,
    /// Weighted sum of the distances.
    pub depth: f64,
    /// Sum of the weights, 0 to 1.
    pub opacity: f64,
    /// Weights of the samples that were kept: their number is the number of live samples.
    pub weights: Vec<f64>,
}

/// Renders the ray.
pub fn forward(ray: &RaySamples) -> Rendered {
    let mut out = Rendered { value: vec![0.0; ray.channels], depth: 0.0, opacity: 0.0, weights: Vec::new() };
    let mut transmittance = 1.0;
    for i in 0..ray.sigma.len() {
        if transmittance < ray.min_transmittance {
            break;
        }
        let alpha = 1.0 - (-ray.sigma[i] * ray.dt[i]).exp();
        let weight = transmittance * alpha;
        for c in 0..ray.channels {
            out.value[c] += weight * ray.color[i * ray.channels + c];
        }
        out.depth += weight * ray.t[i];
        out.opacity += weight;
        out.weights.push(weight);
        transmittance *= 1.0 - alpha;
    }
    out
}

/// Gradients with respect to sigma `[n]` and color `[n][C]`, from those of value `[C]`, depth and opacity.
///
/// With `g_i = d_value . color_i + d_depth t_i + d_opacity`, the worth of a unit of weight at sample i:
/// `dL/dtau_k = T_{k+1} g_k - sum_{i>k} w_i g_i`, because `dw_k/dtau_k = T_k exp(-tau_k) = T_{k+1}` and every
/// later weight shrinks in proportion.
pub fn backward(ray: &RaySamples, d_value: &[f64], d_depth: f64, d_opacity: f64) -> (Vec<f64>, Vec<f64>) {
    backward_weights(ray, d_value, d_depth, d_opacity, &[])
}

/// As [`backward`], with a further gradient of each weight, or none.
pub fn backward_weights(
    ray: &RaySamples,
    d_value: &[f64],
    d_depth: f64,
    d_opacity: f64,
    d_weights: &[f64],
) -> (Vec<f64>, Vec<f64>) {
    let weights = forward(ray).weights;
    let mut d_sigma = vec![0.0; ray.sigma.len()];
    let mut d_color = vec![0.0; ray.color.len()];
    let worth = |i: usize| {
        let color = &ray.color[i * ray.channels..][..ray.channels];
        let value: f64 = color.iter().zip(d_value).map(|(c, d)| c * d).sum();
        value + d_depth * ray.t[i] + d_opacity + d_weights.get(i).copied().unwrap_or(0.0)
    };
    let mut transmittance = 1.0;
    for k in 0..weights.len() {
        transmittance *= (-ray.sigma[k] * ray.dt[k]).exp();
        let behind: f64 = (k + 1..weights.len()).map(|i| weights[i] * worth(i)).sum();
        d_sigma[k] = ray.dt[k] * (transmittance * worth(k) - behind);
        for c in 0..ray.channels {
            d_color[k * ray.channels + c] = weights[k] * d_value[c];
        }
    }
    (d_sigma, d_color)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, finite_difference};

    struct Data {
        sigma: Vec<f64>,
        color: Vec<f64>,
        t: Vec<f64>,
        dt: Vec<f64>,
    }

    fn data(seed: u64, n: usize, channels: usize) -> Data {
        let mut rng = TestRng::new(seed);
        let dt = rng.uniforms(n, 0.05, 0.2);
        let t = dt.iter().scan(0.5, |t, dt| Some(std::mem::replace(t, *t + dt))).collect();
        Data { sigma: rng.uniforms(n, 0.0, 8.0), color: rng.uniforms(n * channels, 0.0, 1.0), t, dt }
    }

    impl Data {
        fn ray(&self, channels: usize, min_transmittance: f64) -> RaySamples<'_> {
            RaySamples {
                sigma: &self.sigma,
                color: &self.color,
                channels,
                t: &self.t,
                dt: &self.dt,
                min_transmittance,
            }
        }
    }

    #[test]
    fn a_homogeneous_slab_follows_beer_and_lambert() {
        let n = 50;
        let (sigma, dt, t) = (vec![3.0; n], vec![0.02; n], vec![2.0; n]);
        let color = [0.2, 0.7].repeat(n);
        let out = forward(&RaySamples {
            sigma: &sigma,
            color: &color,
            channels: 2,
            t: &t,
            dt: &dt,
            min_transmittance: 0.0,
        });
        let opacity = 1.0 - (-3.0f64).exp();
        assert!((out.opacity - opacity).abs() < 1e-12);
        assert!((out.value[0] - 0.2 * opacity).abs() < 1e-12 && (out.value[1] - 0.7 * opacity).abs() < 1e-12);
        assert!((out.depth - 2.0 * opacity).abs() < 1e-12);
    }

    #[test]
    fn gradients_match_finite_differences() {
        for (channels, min_transmittance) in [(1, 0.0), (3, 0.0), (3, 0.05), (5, 0.3)] {
            let data = data(7, 12, channels);
            let mut rng = TestRng::new(8);
            let d_value = rng.normals(channels, 1.0);
            let (d_depth, d_opacity) = (rng.normal(), rng.normal());
            let d_weights = if channels == 1 { Vec::new() } else { rng.normals(12, 1.0) };
            let loss = |ray: &RaySamples| {
                let out = forward(ray);
                let value: f64 = out.value.iter().zip(&d_value).map(|(v, d)| v * d).sum();
                let extra: f64 = out.weights.iter().zip(&d_weights).map(|(w, d)| w * d).sum();
                value + d_depth * out.depth + d_opacity * out.opacity + extra
            };
            let ray = data.ray(channels, min_transmittance);
            let (d_sigma, d_color) = backward_weights(&ray, &d_value, d_depth, d_opacity, &d_weights);
            let of_sigma = |sigma: &[f64]| loss(&RaySamples { sigma, ..ray });
            finite_difference(of_sigma, ray.sigma, &d_sigma, FdOptions::default()).unwrap();
            let of_color = |color: &[f64]| loss(&RaySamples { color, ..ray });
            finite_difference(of_color, ray.color, &d_color, FdOptions::default()).unwrap();
        }
    }

    #[test]
    fn the_cut_drops_the_samples_behind_it() {
        let data = data(9, 12, 3);
        let whole = forward(&data.ray(3, 0.0));
        let kept = forward(&data.ray(3, 0.2));
        let n = kept.weights.len();
        assert!(0 < n && n < 12);
        assert_eq!(kept.weights, whole.weights[..n]);
        // It stops after the first sample that leaves less than the minimum.
        let left = |n: usize| 1.0 - whole.weights[..n].iter().sum::<f64>();
        assert!(left(n) < 0.2 && left(n - 1) >= 0.2);
        let (d_sigma, d_color) = backward(&data.ray(3, 0.2), &[1.0, 1.0, 1.0], 1.0, 1.0);
        assert!(d_sigma[n..].iter().chain(&d_color[3 * n..]).all(|&g| g == 0.0));
        assert!(d_sigma[..n].iter().chain(&d_color[..3 * n]).all(|&g| g != 0.0));
    }

    #[test]
    fn no_samples_render_nothing() {
        let out = forward(&RaySamples {
            sigma: &[],
            color: &[],
            channels: 3,
            t: &[],
            dt: &[],
            min_transmittance: 1e-3,
        });
        assert_eq!((out.value, out.depth, out.opacity), (vec![0.0; 3], 0.0, 0.0));
    }
}
