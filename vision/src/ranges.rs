//! Ranges of settings that trainers of images have in common.
use nerve_core::settings::{SettingError, check};

/// With more, the smallest factor of the contrast, 1 - 0.5 times this, would be negative.
const MOST_JITTER: f64 = 2.0;

/// Numbers that the configuration file must be able to hold, as signed ones of 64 bits.
pub(crate) fn counts(max_images: Option<usize>, warmup_steps: u64) -> Result<(), SettingError> {
    let images = max_images.unwrap_or(1);
    let counted = (1..=i64::MAX as usize).contains(&images);
    check(counted, "--max-images", images, "at least 1 and fewer than 2^63")?;
    let warmup = i64::try_from(warmup_steps).is_ok();
    check(warmup, "--warmup-steps", warmup_steps, "fewer than 2^63")
}

/// The size of crops, and the smallest and largest factor by which images are scaled before.
pub(crate) fn crops([height, width]: [usize; 2], [low, high]: [f64; 2]) -> Result<(), SettingError> {
    let crop = [height, width].iter().all(|side| (32..=4096).contains(side));
    check(crop, "--crop", format!("{height}x{width}"), "32 to 4096 on each side")?;
    let scales = (0.1..=10.0).contains(&low) && (low..=10.0).contains(&high);
    check(scales, "--scale-min, --scale-max", format!("{low}, {high}"), "0.1 to 10, the larger one last")
}

/// The strength of random changes to colors.
pub(crate) fn photometric(strength: f64) -> Result<(), SettingError> {
    check((0.0..=MOST_JITTER).contains(&strength), "--photometric", strength, "0 to 2")
}

/// Learning rates and weight decay.
pub(crate) fn rates([lr, head_lr, weight_decay]: [f32; 3]) -> Result<(), SettingError> {
    for (setting, value) in [("--lr", lr), ("--head-lr", head_lr), ("--weight-decay", weight_decay)] {
        check((0.0..=1.0).contains(&value), setting, value, "0 to 1")?;
    }
    Ok(())
}
