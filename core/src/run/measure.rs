//! Figures that sinks tell people without knowing what kind of run they are of.
use std::{borrow::Cow, fmt};

/// How much of something is done in a second of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// So many a second.
    pub value: f64,
    /// What is counted, in the plural: `rays`, `pictures`.
    pub unit: Cow<'static, str>,
}

/// A figure of how good a model is, by its usual name.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Such as `PSNR` or `mIoU`.
    pub name: Cow<'static, str>,
    /// Its value, in `unit`.
    pub value: f64,
    /// What it is measured in.
    pub unit: Unit,
}

/// What a [`Metric`] is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: a number.
    Number,
    /// Decibels.
    Decibels,
    /// A share of 1, which people read in percent.
    Share,
}

impl Rate {
    /// So many a second of what is named in the plural.
    #[must_use]
    pub fn new(value: f64, unit: impl Into<Cow<'static, str>>) -> Self {
        Self { value, unit: unit.into() }
    }
}

impl Metric {
    /// A number without a unit.
    #[must_use]
    pub fn number(name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        Self { name: name.into(), value, unit: Unit::Number }
    }

    /// In decibels.
    #[must_use]
    pub fn decibels(name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        Self { name: name.into(), value, unit: Unit::Decibels }
    }

    /// A share of 1.
    #[must_use]
    pub fn share(name: impl Into<Cow<'static, str>>, value: f64) -> Self {
        Self { name: name.into(), value, unit: Unit::Share }
    }

    /// Value and unit as people read them.
    #[must_use]
    pub fn amount(&self) -> String {
        match self.unit {
            Unit::Number => format!("{:.4}", self.value),
            Unit::Decibels => format!("{:.2} dB", self.value),
            Unit::Share => format!("{:.1} %", 100.0 * self.value),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.amount())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_as_people_write_them() {
        let figures =
            [Metric::decibels("PSNR", 30.017), Metric::number("SSIM", 0.9), Metric::share("mIoU", 0.5)];
        assert_eq!(figures.map(|m| m.to_string()), ["PSNR 30.02 dB", "SSIM 0.9000", "mIoU 50.0 %"]);
    }
}
