//! How a mesh is made of a field.

use nerve_core::settings::{SettingError, check};
use serde::Serialize;

/// What the surface is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Depth maps of the training views, fused: fog and what no camera sees are left out.
    #[default]
    Tsdf,
    /// The density, where it passes a level.
    Density,
}

/// How a mesh is made.
#[derive(Clone, Debug, PartialEq, clap::Args)]
pub struct MeshOptions {
    /// What the surface is taken from
    #[arg(long, value_enum, default_value_t)]
    pub method: Method,
    /// Cells along the longest side of the box
    #[arg(long, default_value_t = 256, value_name = "N")]
    pub resolution: u32,
    /// Lower and upper corner of the box, in the capture's coordinates [default: around what the training cameras see]
    #[arg(long, num_args = 6, value_names = ["X0", "Y0", "Z0", "X1", "Y1", "Z1"], allow_negative_numbers = true)]
    pub bounds: Option<Vec<f64>>,
    /// Density of the surface, per length of the capture [default: the typical one where cameras see it]; --method density
    #[arg(long)]
    pub level: Option<f32>,
    /// Simplify to at most this many faces
    #[arg(long, value_name = "N")]
    pub faces: Option<u32>,
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self { method: Method::Tsdf, resolution: 256, bounds: None, level: None, faces: None }
    }
}

impl MeshOptions {
    /// The corners of the box, if it is given.
    pub fn bounds(&self) -> Option<[[f64; 3]; 2]> {
        let [a, b, c, d, e, f] = self.bounds.as_deref()?.try_into().ok()?;
        Some([[a, b, c], [d, e, f]])
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    /// Names the flag that is out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        check((8..=2048).contains(&self.resolution), "--resolution", self.resolution, "8 to 2048")?;
        if let Some(given) = &self.bounds {
            let ordered = |[low, high]: [[f64; 3]; 2]| {
                (0..3).all(|a| low[a].is_finite() && high[a].is_finite() && low[a] < high[a])
            };
            let shown = given.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
            let wanted = "X0 Y0 Z0 X1 Y1 Z1, each lower corner below the upper one";
            check(self.bounds().is_some_and(ordered), "--bounds", shown, wanted)?;
        }
        if let Some(level) = self.level {
            check(level.is_finite() && level > 0.0, "--level", level, "a positive density")?;
            check(
                self.method == Method::Density,
                "--level",
                level,
                "left out, or given with --method density",
            )?;
        }
        if let Some(faces) = self.faces {
            check(faces >= 4, "--faces", faces, "at least 4")?;
        }
        Ok(())
    }
}
