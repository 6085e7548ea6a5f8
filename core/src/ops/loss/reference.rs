//! Photometric loss of rendered rays against RGBA pixels over a background, in f64.
//!
//! `pred = value + (1 - opacity) background`, `target = rgb a + (1 - a) background` (straight alpha), so that
//! with a random background the opacity learns the alpha channel. The loss is the mean over rays * 3 channels
//! of a penalty of `pred - target`.

/// The penalty of one difference d.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Penalty {
    /// `d^2`.
    Mse,
    /// `d^2 / 2` up to `|d| = delta`, then `delta (|d| - delta / 2)` (Huber 1964).
    Huber {
        /// Where the parabola becomes a line, greater than 0.
        delta: f64,
    },
}

impl Penalty {
    /// The penalty of d.
    pub fn value(self, d: f64) -> f64 {
        match self {
            Self::Mse => d * d,
            Self::Huber { delta } if d.abs() <= delta => 0.5 * d * d,
            Self::Huber { delta } => delta * (d.abs() - 0.5 * delta),
        }
    }

    /// Its derivative.
    pub fn slope(self, d: f64) -> f64 {
        match self {
            Self::Mse => 2.0 * d,
            Self::Huber { delta } => d.clamp(-delta, delta),
        }
    }
}

/// One rendered ray and its pixel; colors 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderedRay {
    /// Composited color without background.
    pub value: [f64; 3],
    /// Composited opacity.
    pub opacity: f64,
    /// The pixel: straight (not premultiplied) color, and alpha.
    pub target: [f64; 4],
    /// Background behind both.
    pub background: [f64; 3],
}

/// Gradient of the loss with respect to one ray.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RenderedRayGradient {
    /// With respect to [`RenderedRay::value`].
    pub value: [f64; 3],
    /// With respect to [`RenderedRay::opacity`].
    pub opacity: f64,
}

/// The mean loss over the rays and channels, and each ray's gradient of that mean. No rays: 0.
pub fn evaluate(penalty: Penalty, rays: &[RenderedRay]) -> (f64, Vec<RenderedRayGradient>) {
    let share = 1.0 / (3 * rays.len().max(1)) as f64;
    let mut loss = 0.0;
    let mut gradients = Vec::new();
    for ray in rays {
        let mut gradient = RenderedRayGradient { value: [0.0; 3], opacity: 0.0 };
        let alpha = ray.target[3];
        for c in 0..3 {
            let pred = ray.value[c] + (1.0 - ray.opacity) * ray.background[c];
            let target = ray.target[c] * alpha + (1.0 - alpha) * ray.background[c];
            loss += share * penalty.value(pred - target);
            gradient.value[c] = share * penalty.slope(pred - target);
            gradient.opacity -= gradient.value[c] * ray.background[c];
        }
        gradients.push(gradient);
    }
    (loss, gradients)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ops::check::{FdOptions, TestRng, finite_difference};

    fn rays(n: usize) -> Vec<RenderedRay> {
        let mut rng = TestRng::new(10);
        let mut unit = || rng.uniform(0.0, 1.0);
        let ray = |_| RenderedRay {
            value: [unit(), unit(), unit()],
            opacity: unit(),
            target: [unit(), unit(), unit(), unit()],
            background: [unit(), unit(), unit()],
        };
        (0..n).map(ray).collect()
    }

    #[test]
    fn gradients_match_finite_differences() {
        let rays = rays(9);
        let inputs: Vec<f64> =
            rays.iter().flat_map(|r| [r.value[0], r.value[1], r.value[2], r.opacity]).collect();
        for penalty in [Penalty::Mse, Penalty::Huber { delta: 0.1 }, Penalty::Huber { delta: 0.3 }] {
            let (_, gradients) = evaluate(penalty, &rays);
            let analytic: Vec<f64> =
                gradients.iter().flat_map(|g| [g.value[0], g.value[1], g.value[2], g.opacity]).collect();
            let loss = |inputs: &[f64]| {
                let (inputs, _) = inputs.as_chunks::<4>();
                let with = |(ray, &[r, g, b, opacity]): (&RenderedRay, &[f64; 4])| RenderedRay {
                    value: [r, g, b],
                    opacity,
                    ..*ray
                };
                let rays: Vec<RenderedRay> = rays.iter().zip(inputs).map(with).collect();
                evaluate(penalty, &rays).0
            };
            finite_difference(loss, &inputs, &analytic, FdOptions::default()).unwrap();
        }
    }

    #[test]
    fn values_worked_by_hand() {
        let ray = RenderedRay {
            value: [0.5, 0.0, 0.0],
            opacity: 0.5,
            target: [0.0, 1.0, 0.0, 0.5],
            background: [1.0, 0.0, 0.0],
        };
        // pred (1, 0, 0), target (0.5, 0.5, 0): differences (0.5, -0.5, 0).
        let (loss, gradients) = evaluate(Penalty::Mse, &[ray, ray]);
        assert_eq!(loss, 2.0 * 0.5 / 6.0);
        assert_eq!(gradients[1].value, [1.0 / 6.0, -1.0 / 6.0, 0.0]);
        assert_eq!(gradients[1].opacity, -1.0 / 6.0);
        let (loss, _) = evaluate(Penalty::Huber { delta: 0.1 }, &[ray]);
        assert!((loss - 2.0 * 0.1 * 0.45 / 3.0).abs() < 1e-15);
        assert_eq!(evaluate(Penalty::Mse, &[]), (0.0, vec![]));
    }

    #[test]
    fn a_perfect_render_costs_nothing_on_any_background() {
        for mut ray in rays(5) {
            ray.opacity = ray.target[3];
            ray.value = [0, 1, 2].map(|c| ray.target[c] * ray.target[3]);
            let (loss, _) = evaluate(Penalty::Mse, &[ray]);
            assert!(loss < 1e-30, "{loss}");
        }
    }
}
