//! What is learnt about the training cameras: small corrections of their poses, and their own colors.
//!
//! **Poses** (`--refine-poses`). Every training camera has a correction in so(3) x R^3 (see
//! [`nerve_core::ops::rigid`]) in the unit frame, learnt by gradients through the samples' positions. All cameras and the
//! field can move together without changing a picture: the corrections never contain a part that is such a common
//! shift, turn or scaling, or nearly one (see `gauge.rs`), so that the field stays where the given poses, taken together,
//! put it. While poses are wrong, fine detail pulls them anywhere: over the first part of the run they hear of the
//! encoding's coarse levels alone, then of more and more, the curriculum of BARF (Lin et al. 2021) and of Heo et al.
//! (CVPR 2023). Here it is the poses' alone. All tables learn from the start: what fine levels have learnt from wrong poses is soon gone,
//! and a field that was kept from detail for a quarter of the run ends 0.6 dB lower, its poses right or wrong.
//!
//! **Colors** (`--appearance`). Every training photograph has an affine map of colors of its own (see
//! [`nerve_core::ops::affine_color`]), whose mean over the photographs is the identity: what the field shows is the
//! mean photograph. An affine map follows exposure and white balance; a code that the color network sees could, but
//! it could also learn to show another surface to every camera, and has no neutral value for a held-out view.

use crate::config::CameraConfig;
use nerve_core::params::GroupSettings;

/// Learning rate of the colors, of the run's.
const COLOR_RATE: f32 = 0.3;
/// How the colors learn.
pub(crate) const COLOR_GROUP: GroupSettings = GroupSettings { rate: COLOR_RATE, decay: 0.0, frozen: false };
/// The share of the run over which the poses' rate rises: a field that has seen nothing yet says nothing about poses.
const WARM_UP: f64 = 0.01;
/// What is left of the poses' rate at the end of the run, exponentially: poses come to rest long before the field does,
/// or their noise would blur it.
const POSE_DECAY: f64 = 0.01;
/// Decay of the poses' corrections per unit of their learning rate (AdamW's), at first: where pictures do not say, a
/// camera stays where it was given. Turning a camera and shifting it sideways look nearly alike, as do whole scenes
/// bent a little, and without a pull the gradients' noise takes poses along such ways. It falls with the rate: the noise
/// does so too, and what the pull has kept back is caught up on.
const POSE_PULL: f64 = 30.0;
/// The largest part of a correction that a step may take back.
const MOST_PULLED: f64 = 0.5;
/// Levels that poses hear of from the start.
const COARSE: usize = 4;

impl CameraConfig {
    /// The poses' learning rate at a point of the run.
    fn pose_rate_at(&self, progress: f64) -> f64 {
        f64::from(self.pose_rate) * (progress / WARM_UP).min(1.0) * POSE_DECAY.powf(progress)
    }

    /// How the poses learn at a point of the run, whose own rate is `rate` there: a group's rate is relative to the run's.
    pub(crate) fn pose_group_at(&self, progress: f64, rate: f64) -> GroupSettings {
        let own = self.pose_rate_at(progress);
        // Not past where a camera was given, however large the rate.
        let pull = (POSE_PULL * POSE_DECAY.powf(progress)).min(MOST_PULLED / own.max(1e-12));
        GroupSettings { rate: (own / rate.max(1e-12)) as f32, decay: pull as f32, frozen: false }
    }

    /// Of `all` levels, those that poses hear of at a point of the run.
    pub fn levels_at(&self, progress: f64, all: usize) -> usize {
        if !self.refine_poses || progress >= self.coarse_until {
            return all;
        }
        let finer = all.saturating_sub(COARSE) as f64 * progress / self.coarse_until;
        (COARSE + finer as usize).min(all)
    }
}

/// Takes each column's mean out of rows of `columns` values.
pub(crate) fn centre(values: &mut [f32], columns: usize) {
    let n = (values.len() / columns).max(1) as f64;
    for c in 0..columns {
        let mean = values.iter().skip(c).step_by(columns).map(|v| f64::from(*v)).sum::<f64>() / n;
        values.iter_mut().skip(c).step_by(columns).for_each(|v| *v -= mean as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::NerfConfig;

    #[test]
    fn levels_come_one_after_the_other() {
        let c = CameraConfig { refine_poses: true, coarse_until: 0.5, ..CameraConfig::default() };
        assert_eq!([0.0, 0.25, 0.49, 0.5, 1.0].map(|p| c.levels_at(p, 16)), [4, 10, 15, 16, 16]);
        assert_eq!(c.levels_at(0.0, 2), 2);
        assert_eq!(CameraConfig::default().levels_at(0.0, 16), 16);
    }

    #[test]
    fn poses_behind_a_saliency_grid_are_refused() {
        let mut config = NerfConfig::default();
        config.cameras.refine_poses = true;
        assert!(config.validate().is_ok());
        config.field.method = crate::config::Method::Hollow;
        assert!(config.validate().is_err_and(|e| e.to_string().contains("--refine-poses")));
    }

    /// The rate rises from nothing, and has fallen to a hundredth in the end.
    #[test]
    fn poses_come_to_rest() {
        let c = CameraConfig { pose_rate: 1e-3, ..CameraConfig::default() };
        assert_eq!(c.pose_rate_at(0.0), 0.0);
        assert!(c.pose_rate_at(WARM_UP) > 9e-4 && (c.pose_rate_at(1.0) / 1e-5 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn colors_have_the_identity_as_their_mean() {
        let mut values = [1.0, 2.0, 3.0, 6.0];
        centre(&mut values, 2);
        assert_eq!(values, [-1.0, -2.0, 1.0, 2.0]);
    }
}
