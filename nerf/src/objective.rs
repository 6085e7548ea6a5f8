//! The photometric loss of a ray against a pixel.
//!
//! Both the ray's color and the pixel's (straight alpha) are composited on the same background:
//! `p_c = value_c + (1 - opacity) b_c`, `q_c = a rgb_c + (1 - a) b_c`; the loss is the mean over the three
//! channels of `(p_c - q_c)^2`, or of Huber's function of `p_c - q_c`.

use crate::config::Loss;
use nerve_core::engine::Objective;

/// Target values of a ray: red, green, blue, alpha, and the background's red, green, blue.
pub const TARGETS: usize = 7;

/// The target value behind these where distances are learnt from: the known distance, 0 for none.
pub const DISTANCE: usize = TARGETS;

/// Where Huber's loss turns linear.
pub const HUBER_DELTA: f32 = 0.1;

/// The loss; see the [module](self).
#[derive(Debug)]
pub struct Photometric {
    /// Of each channel's error.
    pub loss: Loss,
    /// Whether known distances come along, for the compositing stage.
    pub distances: bool,
}

impl Objective for Photometric {
    fn targets(&self) -> usize {
        TARGETS + usize::from(self.distances)
    }

    fn distance(&self) -> Option<usize> {
        self.distances.then_some(DISTANCE)
    }

    fn loss(&self, out: &[f32], target: &[f32], d_out: &mut [f32]) -> f32 {
        let opacity = out[4];
        let (alpha, background) = (target[3], &target[4..7]);
        d_out.fill(0.0);
        let mut sum = 0.0;
        for c in 0..3 {
            let b = background[c];
            let error = out[c] + (1.0 - opacity) * b - (alpha * target[c] + (1.0 - alpha) * b);
            let (loss, slope) = match self.loss {
                Loss::Huber if error.abs() > HUBER_DELTA => {
                    // Scaled so that it continues e^2: 2 delta (|e| - delta / 2).
                    (
                        2.0 * HUBER_DELTA * (error.abs() - HUBER_DELTA / 2.0),
                        2.0 * HUBER_DELTA * error.signum(),
                    )
                }
                _ => (error * error, 2.0 * error),
            };
            sum += loss / 3.0;
            d_out[c] = slope / 3.0;
            d_out[4] -= slope / 3.0 * b;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_differences() {
        for loss in [Loss::Mse, Loss::Huber] {
            let objective = Photometric { loss, distances: false };
            let target = [0.2, 0.9, 0.4, 0.7, 0.1, 0.8, 0.3];
            let out = [0.25, 0.1, 0.3, 1.3, 0.6];
            let mut d_out = [0.0; 5];
            objective.loss(&out, &target, &mut d_out);
            for i in 0..5 {
                let at = |h: f32| {
                    let mut moved = out;
                    moved[i] += h;
                    objective.loss(&moved, &target, &mut [0.0; 5])
                };
                let want = (at(1e-3) - at(-1e-3)) / 2e-3;
                assert!((d_out[i] - want).abs() < 1e-3, "{loss:?} {i}: {} {want}", d_out[i]);
            }
        }
    }

    #[test]
    fn a_transparent_ray_on_a_transparent_pixel_costs_nothing() {
        let target = [0.5, 0.5, 0.5, 0.0, 0.2, 0.4, 0.6];
        assert_eq!(
            Photometric { loss: Loss::Mse, distances: false }.loss(&[0.0; 5], &target, &mut [0.0; 5]),
            0.0
        );
    }
}
