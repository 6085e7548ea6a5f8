//! Sizes of a hash grid.

use serde::{Deserialize, Serialize};

/// Extents of a multiresolution hash encoding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct HashGridConfig {
    /// Resolution levels (L)
    #[arg(long, default_value_t = 16)]
    pub levels: usize,
    /// Features per entry (F): 1, 2, 4 or 8
    #[arg(long, default_value_t = 2)]
    pub features: usize,
    /// log2 of the most entries a level may have (T)
    #[arg(long, visible_alias = "log2-hashmap-size", default_value_t = 19)]
    pub log2_entries: u32,
    /// Resolution of the coarsest level
    #[arg(long, default_value_t = 16)]
    pub base_resolution: u32,
    /// Resolution of the finest level
    #[arg(long, default_value_t = 2048)]
    pub finest_resolution: u32,
}

impl Default for HashGridConfig {
    fn default() -> Self {
        Self { levels: 16, features: 2, log2_entries: 19, base_resolution: 16, finest_resolution: 2048 }
    }
}

/// A field of a configuration that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{field} = {value} is not possible: {remedy}")]
pub struct ConfigError {
    /// The flag's name.
    pub field: &'static str,
    /// What it was.
    pub value: String,
    /// What it may be.
    pub remedy: &'static str,
}

/// One level of the grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Grid cells per unit of position.
    pub scale: f32,
    /// Cells a side; grid points a side are one more.
    pub resolution: u32,
    /// Entries of the table, a multiple of 8.
    pub entries: usize,
    /// Features per entry.
    pub features: usize,
    /// Stored point by point (true) or hashed.
    pub dense: bool,
}

impl HashGridConfig {
    /// Checks every field and lays out the levels, coarsest first.
    ///
    /// # Errors
    /// Names the field that is out of range.
    pub fn layout(&self) -> Result<Vec<Level>, ConfigError> {
        let check = |ok: bool, field, value: u64, remedy| {
            if ok { Ok(()) } else { Err(ConfigError { field, value: value.to_string(), remedy }) }
        };
        check((1..=32).contains(&self.levels), "levels", self.levels as u64, "use 1 to 32")?;
        check([1, 2, 4, 8].contains(&self.features), "features", self.features as u64, "use 1, 2, 4 or 8")?;
        check(
            (8..=24).contains(&self.log2_entries),
            "log2-entries",
            self.log2_entries.into(),
            "use 8 to 24",
        )?;
        let (base, finest) = (self.base_resolution, self.finest_resolution);
        check((2..=4096).contains(&base), "base-resolution", base.into(), "use 2 to 4096")?;
        check(
            (base..=1 << 19).contains(&finest),
            "finest-resolution",
            finest.into(),
            "use at least base-resolution and at most 524288",
        )?;
        let steps = self.levels.saturating_sub(1).max(1) as f64;
        let growth = (f64::from(finest) / f64::from(base)).powf(1.0 / steps);
        Ok((0..self.levels).map(|l| self.level(f64::from(base) * growth.powi(l as i32))).collect())
    }

    fn level(&self, resolution: f64) -> Level {
        // A resolution that is whole but for rounding must not become the next one up.
        let whole = resolution.round();
        let cells = if (resolution - whole).abs() < 1e-6 * whole { whole } else { resolution.ceil() };
        let points = (cells as u64 + 1).pow(3);
        let most = 1u64 << self.log2_entries;
        Level {
            scale: (resolution - 1.0) as f32,
            resolution: cells as u32,
            entries: points.min(most).next_multiple_of(8) as usize,
            features: self.features,
            dense: points <= most,
        }
    }

    /// Values in all tables together.
    ///
    /// # Errors
    /// As [`Self::layout`].
    pub fn parameters(&self) -> Result<usize, ConfigError> {
        Ok(self.layout()?.iter().map(|l| l.entries * l.features).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_match_the_published_table() {
        // HollowNeRF's table: 16 levels to 1024, F = 2, plus 9,344 MLP weights.
        let want = [502_272, 944_272, 1_774_912, 3_335_632, 6_219_216, 11_487_072];
        for (log2, want) in (14..).zip(want) {
            let grid = HashGridConfig { log2_entries: log2, finest_resolution: 1024, ..Default::default() };
            assert_eq!(grid.parameters().map(|n| n + 9344), Ok(want), "2^{log2}");
        }
    }

    #[test]
    fn impossible_fields_are_named() {
        let bad = HashGridConfig { features: 3, ..Default::default() };
        assert_eq!(bad.layout().unwrap_err().field, "features");
        let bad = HashGridConfig { finest_resolution: 8, ..Default::default() };
        assert!(bad.layout().unwrap_err().to_string().contains("finest-resolution = 8"));
    }
}
