//! What settings of a run can be.
use super::{HeadKind, SegConfig, SegmentationError};

/// Seconds between checkpoints that a clock can count.
const LONGEST_SAVE: f64 = 1e9;

impl SegConfig {
    /// Refuses what cannot be.
    ///
    /// # Errors
    /// The first setting that is out of range, and what it must be.
    pub fn validate(&self) -> Result<(), SegmentationError> {
        let Self { augment, train, model, .. } = self;
        let wrong = |field: &'static str, value: String, expected: &'static str| {
            Err(SegmentationError::Setting { field, value, expected })
        };
        if augment.crop.iter().any(|side| !(32..=4096).contains(side)) {
            return wrong(
                "crop",
                format!("{}x{}", augment.crop[0], augment.crop[1]),
                "32 to 4096 on each side",
            );
        }
        let (low, high) = (augment.scale_min, augment.scale_max);
        if !(0.1..=10.0).contains(&low) || !(low..=10.0).contains(&high) {
            return wrong("scale_min, scale_max", format!("{low}, {high}"), "0.1 to 10, the larger one last");
        }
        let share = |field, value: f64, open: bool| match (0.0..=1.0).contains(&value)
            && !(open && value >= 1.0)
        {
            true => Ok(()),
            false => wrong(field, value.to_string(), if open { "at least 0 and below 1" } else { "0 to 1" }),
        };
        share("max_class_share", augment.max_class_share, false)?;
        share("photometric", augment.photometric.min(1.0), false)?;
        share("dropout", f64::from(model.dropout), true)?;
        share("drop_path", f64::from(model.drop_path), true)?;
        share("ema", f64::from(train.ema), true)?;
        if !(1..=4096).contains(&model.width()) {
            return wrong("head_width", model.width().to_string(), "1 to 4096");
        }
        if !(1..=1024).contains(&train.batch) || !(1..=1024).contains(&train.accumulate) {
            return wrong("batch, accumulate", format!("{}, {}", train.batch, train.accumulate), "1 to 1024");
        }
        // Their coarsest map may be a single cell, and a norm over the batch needs two values.
        let small = augment.crop.iter().all(|side| *side < 64);
        if train.batch == 1 && (small || model.head == HeadKind::UperNet) {
            return wrong(
                "batch",
                "1".into(),
                "at least 2 with the head upernet or with crops below 64x64, whose norms need several values",
            );
        }
        for (field, value) in
            [("lr", train.lr), ("head_lr", train.head_lr), ("weight_decay", train.weight_decay)]
        {
            if !(0.0..=1.0).contains(&value) {
                return wrong(field, value.to_string(), "0 to 1");
            }
        }
        let seconds = train.save_every > 0.0 && train.save_every <= LONGEST_SAVE;
        if !(train.clip >= 0.0 && seconds) {
            return wrong(
                "clip, save_every",
                format!("{}, {}", train.clip, train.save_every),
                "positive, the seconds at most 1e9",
            );
        }
        if train.eval_every == Some(0) || train.steps == Some(0) {
            return wrong("steps, eval_every", "0".to_owned(), "at least 1");
        }
        self.schedule.by_progress().validate().map_err(SegmentationError::Schedule)
    }
}
