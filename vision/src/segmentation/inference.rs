//! How images are segmented: whole or in sliding windows, at several scales, flipped.
use clap::Args;
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// How an image is segmented; the defaults show it whole, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct Inference {
    /// Segment in sliding windows with sides of this many pixels, instead of the whole image at once
    #[arg(long, value_name = "PIXELS")]
    pub window: Option<usize>,
    /// Share of a window that overlaps the next one [default: 1/3]
    #[arg(long, value_name = "SHARE", default_value_t = 1.0 / 3.0, hide_default_value = true)]
    pub overlap: f64,
    /// Segment at these scales and average the results
    #[arg(long, value_name = "FACTOR", value_delimiter = ',', default_values_t = [1.0])]
    pub scales: Vec<f64>,
    /// Also segment the horizontally flipped image, and average
    #[arg(long)]
    pub flip: bool,
}

impl Default for Inference {
    fn default() -> Self {
        Self { window: None, overlap: 1.0 / 3.0, scales: vec![1.0], flip: false }
    }
}

impl Inference {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let window = self.window.unwrap_or(32);
        check((32..=8192).contains(&window), "--window", window, "32 to 8192")?;
        check((0.0..0.95).contains(&self.overlap), "--overlap", self.overlap, "at least 0 and below 0.95")?;
        let scales = !self.scales.is_empty() && self.scales.iter().all(|s| (0.1..=8.0).contains(s));
        check(scales, "--scales", format!("{:?}", self.scales), "one or more factors of 0.1 to 8")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let bad = [
            Inference { window: Some(3), ..Inference::default() },
            Inference { overlap: 1.0, ..Inference::default() },
            Inference { scales: vec![], ..Inference::default() },
            Inference { scales: vec![f64::NAN], ..Inference::default() },
        ];
        assert!(bad.iter().all(|i| i.validate().is_err()));
        assert!(Inference::default().validate().is_ok());
    }
}
