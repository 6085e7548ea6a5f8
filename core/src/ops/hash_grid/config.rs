//! The shape of a hash grid: what a user chooses, and the levels that follow from it.

use crate::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// Size of a multiresolution hash encoding (Müller et al. 2022, table 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(default)]
pub struct HashGridConfig {
    /// Number of resolution levels (L), 1 to 32
    #[arg(long, default_value_t = Self::default().levels)]
    pub levels: usize,
    /// Features per table entry (F): 1, 2, 4 or 8
    #[arg(long, default_value_t = Self::default().features)]
    pub features: usize,
    /// Base-2 logarithm of the largest number of entries per level (T), 8 to 24
    #[arg(long, alias = "log2-hashmap-size", default_value_t = Self::default().log2_entries)]
    pub log2_entries: u32,
    /// Cells per axis of the coarsest level, at least 2
    #[arg(long, default_value_t = Self::default().base_resolution)]
    pub base_resolution: u32,
    /// Cells per axis of the finest level, at most 2^22; unused when there is one level
    #[arg(long, default_value_t = Self::default().finest_resolution)]
    pub finest_resolution: u32,
}

impl Default for HashGridConfig {
    fn default() -> Self {
        Self { levels: 16, features: 2, log2_entries: 19, base_resolution: 16, finest_resolution: 2048 }
    }
}

/// One resolution level of the grid over the unit cube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridLevel {
    /// A point x in `[0, 1]` lies at `x * scale + 0.5` in units of cells.
    pub scale: f32,
    /// Cells per axis; vertices run from 0 to `resolution` inclusive.
    pub resolution: u32,
    /// Table entries (not values: an entry holds F of them), a multiple of 8; a power of two when hashed.
    pub entries: usize,
    /// Features per entry.
    pub features: usize,
    /// Every vertex has its own entry; otherwise vertices are hashed into `entries`.
    pub dense: bool,
}

impl GridLevel {
    /// Vertices per axis: the stride of the dense index.
    pub fn stride(&self) -> u32 {
        self.resolution + 1
    }
}

/// Beyond this a cell is narrower than eight steps of an f32 coordinate near 1.
const MAX_RESOLUTION: u32 = 1 << 22;

impl HashGridConfig {
    /// The levels, coarsest first.
    ///
    /// With growth `b = (finest / base)^(1 / (L - 1))`, level l has `scale = base b^l - 1` and
    /// `resolution = ceil(base b^l)`; its (resolution + 1)^3 vertices are stored densely when they fit in 2^T.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn levels(&self) -> Result<Vec<GridLevel>, SettingError> {
        self.validate()?;
        let (base, finest) = (f64::from(self.base_resolution), f64::from(self.finest_resolution));
        let last = self.levels.saturating_sub(1).max(1) as f64;
        let most = 1u64 << self.log2_entries;
        let level = |l: usize| {
            // b^l as one power: exact at both ends.
            let cells = base * (finest / base).powf(l as f64 / last);
            // Rounding may leave a whole number a hair too large; ceil would add a cell.
            let resolution = (cells * (1.0 - 1e-10)).ceil() as u32;
            let vertices = (u64::from(resolution) + 1).saturating_pow(3);
            let entries = vertices.min(most).next_multiple_of(8) as usize;
            let features = self.features;
            GridLevel { scale: (cells - 1.0) as f32, resolution, entries, features, dense: vertices <= most }
        };
        Ok((0..self.levels).map(level).collect())
    }

    /// Values per encoded point: L F.
    pub fn outputs(&self) -> usize {
        self.levels * self.features
    }

    fn validate(&self) -> Result<(), SettingError> {
        let Self { levels, features, log2_entries, base_resolution: base, finest_resolution: finest } = *self;
        check((1..=32).contains(&levels), "--levels", levels, "1 to 32")?;
        check([1, 2, 4, 8].contains(&features), "--features", features, "1, 2, 4 or 8")?;
        check((8..=24).contains(&log2_entries), "--log2-entries", log2_entries, "8 to 24")?;
        let range = format!("2 to {MAX_RESOLUTION}");
        check((2..=MAX_RESOLUTION).contains(&base), "--base-resolution", base, range)?;
        let range = format!("--base-resolution ({base}) to {MAX_RESOLUTION}");
        check((base..=MAX_RESOLUTION).contains(&finest), "--finest-resolution", finest, range)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;
    use proptest::prelude::*;

    /// Table sizes published for T = 14..19 and finest 1024, with 9344 values in the two networks.
    #[test]
    fn parameter_counts_are_the_published_ones() {
        let published = [502272, 944272, 1774912, 3335632, 6219216, 11487072];
        for (log2_entries, count) in (14..).zip(published) {
            let config = HashGridConfig { log2_entries, finest_resolution: 1024, ..Default::default() };
            let entries: usize = config.levels().unwrap().iter().map(|level| level.entries).sum();
            assert_eq!(2 * entries + 9344, count, "log2_entries {log2_entries}");
        }
    }

    #[test]
    fn the_default_runs_from_16_to_exactly_2048() {
        let levels = HashGridConfig::default().levels().unwrap();
        assert_eq!(levels.len(), 16);
        assert_eq!(
            levels[0],
            GridLevel { scale: 15.0, resolution: 16, entries: 4920, features: 2, dense: true }
        );
        assert_eq!(
            levels[15],
            GridLevel { scale: 2047.0, resolution: 2048, entries: 1 << 19, features: 2, dense: false }
        );
        let dense = levels.iter().filter(|level| level.dense).count();
        assert_eq!(dense, 5);
    }

    #[test]
    fn whole_growth_gives_whole_resolutions() {
        let config = HashGridConfig { levels: 9, base_resolution: 8, ..Default::default() };
        let resolutions: Vec<u32> = config.levels().unwrap().iter().map(|level| level.resolution).collect();
        assert_eq!(resolutions, [8, 16, 32, 64, 128, 256, 512, 1024, 2048]);
    }

    #[test]
    fn one_level_is_the_base() {
        let levels = HashGridConfig { levels: 1, ..Default::default() }.levels().unwrap();
        assert_eq!(levels.len(), 1);
        assert_eq!(levels[0].resolution, 16);
    }

    #[test]
    fn each_field_is_checked_and_named() {
        let good = HashGridConfig::default();
        for (bad, field) in [
            (HashGridConfig { levels: 0, ..good.clone() }, "--levels"),
            (HashGridConfig { levels: 33, ..good.clone() }, "--levels"),
            (HashGridConfig { features: 3, ..good.clone() }, "--features"),
            (HashGridConfig { log2_entries: 7, ..good.clone() }, "--log2-entries"),
            (HashGridConfig { log2_entries: 25, ..good.clone() }, "--log2-entries"),
            (HashGridConfig { base_resolution: 1, ..good.clone() }, "--base-resolution"),
            (HashGridConfig { finest_resolution: 15, ..good.clone() }, "--finest-resolution"),
            (HashGridConfig { finest_resolution: u32::MAX, ..good.clone() }, "--finest-resolution"),
        ] {
            let error = bad.levels().unwrap_err();
            assert_eq!(error.setting, field);
            assert!(error.to_string().contains(field), "{error}");
        }
    }

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        grid: HashGridConfig,
    }

    #[test]
    fn flags_and_file_agree() {
        assert_eq!(Flags::parse_from(["x"]).grid, HashGridConfig::default());
        let flags = Flags::parse_from(["x", "--levels", "8", "--log2-hashmap-size", "15"]).grid;
        let file: HashGridConfig = toml::from_str("levels = 8\nlog2_entries = 15").unwrap();
        assert_eq!(flags, file);
        let again: HashGridConfig = toml::from_str(&toml::to_string(&flags).unwrap()).unwrap();
        assert_eq!(again, flags);
    }

    proptest! {
        #[test]
        fn every_valid_config_has_sound_levels(
            levels in 1usize..=32, log2_entries in 8u32..=24, base in 2u32..300, finest in 300u32..5000,
        ) {
            let config = HashGridConfig {
                levels, log2_entries, base_resolution: base, finest_resolution: finest, ..Default::default()
            };
            let built = config.levels().unwrap();
            prop_assert_eq!(built.len(), levels);
            prop_assert_eq!(built[0].resolution, base);
            if levels > 1 {
                prop_assert_eq!(built[levels - 1].resolution, finest);
            }
            for level in built {
                let vertices = (level.stride() as usize).pow(3);
                prop_assert_eq!(level.dense, vertices <= 1 << log2_entries);
                prop_assert!(level.entries % 8 == 0 && level.entries <= 1 << log2_entries);
                let least = if level.dense { vertices } else { 1 << log2_entries };
                prop_assert!(level.entries >= least);
                // The last cell, and with it its upper corner, lies in the grid.
                prop_assert!(((level.scale + 0.5).floor() as u32) < level.resolution);
            }
        }
    }
}
