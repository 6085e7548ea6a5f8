//! What the settings' types do not rule out.

use super::{ColorSees, NerfConfig};
use nerve_core::settings::{SettingError, check};

impl NerfConfig {
    fn validate_hollow(&self) -> Result<(), SettingError> {
        let h = &self.hollow;
        let side = h.saliency_side.is_multiple_of(8) && (8..=256).contains(&h.saliency_side);
        check(side, "--saliency-side", h.saliency_side, "8 to 256 in steps of 8")?;
        let share = h.saliency_share > 0.0 && h.saliency_share < 1.0;
        check(share, "--saliency-share", h.saliency_share, "0 to 1, such as 0.04")?;
        for (field, value) in [("--rho", h.rho), ("--l1-weight", h.l1_weight)] {
            check(value >= 0.0 && value.is_finite(), field, value, "0 or more")?;
        }
        let shares = [
            ("--saliency-start", h.saliency_start),
            ("--gate-start", h.gate_start),
            ("--alpha-switch", h.alpha_switch),
            ("--steer-from", h.steer_from),
        ];
        for (field, value) in shares {
            check((0.0..=1.0).contains(&value), field, value, "0 to 1")?;
        }
        let positive = [("--alpha", h.alpha), ("--late-alpha", h.late_alpha)];
        for (field, value) in positive {
            let ok = value > 0.0 && value.is_finite();
            check(ok, field, value, "a positive number")?;
        }
        let travel = h.saliency_travel > 0.0 && h.saliency_travel.is_finite();
        check(travel, "--saliency-travel", h.saliency_travel, "a positive number, such as 300")
    }

    fn validate_cameras(&self) -> Result<(), SettingError> {
        let c = &self.cameras;
        let rate = c.pose_rate > 0.0 && c.pose_rate <= 0.1;
        check(rate, "--pose-rate", c.pose_rate, "a small positive number, such as 1e-3")?;
        let coarse = (0.0..1.0).contains(&c.coarse_until);
        check(coarse, "--coarse-until", c.coarse_until, "0 or more, below 1, such as 0.25")?;
        check(
            !(c.traces_rays() && self.has_saliency_grid()),
            if c.refine_poses { "--refine-poses" } else { "--fit-poses" },
            true,
            "off behind a saliency grid, through which poses are not found: use --method plain, or --saliency-grid off",
        )
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let d = &self.data;
        check(d.downscale > 0, "--downscale", 0, "at least 1")?;
        // A signed 64-bit number is what the configuration file can hold.
        let most = i64::MAX as usize;
        check(d.holdout <= most, "--holdout", d.holdout, "fewer than 2^63")?;
        let images = d.max_images.unwrap_or(1);
        check((1..=most).contains(&images), "--max-images", images, "at least 1 and fewer than 2^63")?;
        let f = &self.field;
        let width = f.width.is_multiple_of(16) && (32..=128).contains(&f.width);
        check(width, "--width", f.width, "32 to 128 in steps of 16")?;
        for (field, layers) in [("--density-layers", f.density_layers), ("--color-layers", f.color_layers)] {
            check((1..=4).contains(&layers), field, layers, "1 to 4")?;
        }
        let geometry = f.geometry_features;
        check((1..=64).contains(&geometry), "--geometry-features", geometry, "1 to 64")?;
        let sees = f.color_sees == ColorSees::All || geometry > 1;
        check(
            sees,
            "--color-sees",
            "geometry",
            "all: with one geometry feature, nothing else sees anything",
        )?;
        let features = self.grid.levels * self.grid.features;
        check(features <= 128, "--levels times --features", features, "at most 128")?;
        self.validate_hollow()?;
        self.classic.validate()?;
        self.layers.validate()?;
        crate::field::check_layers(self)?;
        let m = &self.march;
        let steps = (64..=4096).contains(&m.steps_per_unit);
        check(steps, "--steps-per-unit", m.steps_per_unit, "64 to 4096")?;
        let near = m.near.unwrap_or(0.0);
        check(near >= 0.0 && near.is_finite(), "--near", near, "0 or more")?;
        check((0.0..0.5).contains(&m.cut), "--cut", m.cut, "0 to 0.5, such as 5e-3")?;
        self.validate_cameras()?;
        let t = &self.train;
        for (field, weight) in [("--distortion", t.distortion), ("--depth", t.depth_weight())] {
            let ok = (0.0..=1e3).contains(&weight);
            check(ok, field, weight, "a small weight, such as 0.01; 0 turns it off")?;
        }
        let batch = (1024..=1 << 22).contains(&t.batch_samples);
        check(batch, "--batch-samples", t.batch_samples, "1024 to 4194304")?;
        check(t.lr > 0.0 && t.lr.is_finite(), "--lr", t.lr, "a small positive number")?;
        let ema = t.ema.is_none_or(|e| (0.0..1.0).contains(&e));
        check(ema, "--ema", format!("{:?}", t.ema), "0 to 1, such as 0.95")?;
        t.run.validate()
    }
}
