//! The ranges of a run's settings.
use super::{HeadKind, SegConfig};
use crate::ranges;
use nerve_core::settings::{SettingError, check};

impl SegConfig {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self { data, augment, train, model, .. } = self;
        ranges::counts(data.max_images, train.warmup_steps)?;
        ranges::crops(augment.crop, [augment.scale_min, augment.scale_max])?;
        let share = |setting, value: f64| check((0.0..=1.0).contains(&value), setting, value, "0 to 1");
        let below_one = |setting, value: f64| {
            check((0.0..1.0).contains(&value), setting, value, "at least 0 and below 1")
        };
        let class = augment.max_class_share;
        check(class > 0.0 && class <= 1.0, "--max-class-share", class, "above 0 and at most 1")?;
        ranges::photometric(augment.photometric)?;
        below_one("--dropout", f64::from(model.dropout))?;
        below_one("--drop-path", f64::from(model.drop_path))?;
        share("--aux-weight", f64::from(model.aux_weight))?;
        below_one("--ema", f64::from(train.ema))?;
        check((1..=4096).contains(&model.width()), "--head-width", model.width(), "1 to 4096")?;
        for (setting, value) in [("--batch", train.batch), ("--accumulate", train.accumulate)] {
            check((1..=1024).contains(&value), setting, value, "1 to 1024")?;
        }
        // Their coarsest map may be a single cell, and a norm over the batch needs two values.
        let small = augment.crop.iter().all(|side| *side < 64);
        let several =
            "at least 2 with the head upernet or with crops below 64x64, whose norms need several values";
        check(train.batch > 1 || !(small || model.head == HeadKind::UperNet), "--batch", 1, several)?;
        ranges::rates([train.lr, train.head_lr, train.weight_decay])?;
        check(train.clip >= 0.0, "--clip", train.clip, "0 or more")?;
        model.language.validate()?;
        train.run.validate()?;
        self.schedule.by_progress().validate()
    }
}
