//! The ranges of a run's settings.
use super::{HeadKind, SegConfig};
use nerve_core::settings::{SettingError, check};

/// With more, the smallest factor of the contrast, 1 - 0.5 times this, would be negative.
const MOST_JITTER: f64 = 2.0;

impl SegConfig {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let Self { data, augment, train, model, .. } = self;
        // A signed 64-bit number is what the configuration file can hold.
        let images = data.max_images.unwrap_or(1);
        let counted = (1..=i64::MAX as usize).contains(&images);
        check(counted, "--max-images", images, "at least 1 and fewer than 2^63")?;
        let warmup = i64::try_from(train.warmup_steps).is_ok();
        check(warmup, "--warmup-steps", train.warmup_steps, "fewer than 2^63")?;
        let [height, width] = augment.crop;
        let crop = augment.crop.iter().all(|side| (32..=4096).contains(side));
        check(crop, "--crop", format!("{height}x{width}"), "32 to 4096 on each side")?;
        let (low, high) = (augment.scale_min, augment.scale_max);
        let scales = (0.1..=10.0).contains(&low) && (low..=10.0).contains(&high);
        check(
            scales,
            "--scale-min, --scale-max",
            format!("{low}, {high}"),
            "0.1 to 10, the larger one last",
        )?;
        model.mlps.validate()?;
        let share = |setting, value: f64| check((0.0..=1.0).contains(&value), setting, value, "0 to 1");
        let below_one = |setting, value: f64| {
            check((0.0..1.0).contains(&value), setting, value, "at least 0 and below 1")
        };
        let class = augment.max_class_share;
        check(class > 0.0 && class <= 1.0, "--max-class-share", class, "above 0 and at most 1")?;
        let photometric = augment.photometric;
        check((0.0..=MOST_JITTER).contains(&photometric), "--photometric", photometric, "0 to 2")?;
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
        let rates =
            [("--lr", train.lr), ("--head-lr", train.head_lr), ("--weight-decay", train.weight_decay)];
        for (setting, value) in rates {
            check((0.0..=1.0).contains(&value), setting, value, "0 to 1")?;
        }
        check(train.clip >= 0.0, "--clip", train.clip, "0 or more")?;
        model.language.validate()?;
        train.run.validate()?;
        self.schedule.by_progress().validate()
    }
}
