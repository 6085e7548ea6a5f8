//! Distillation of single layers without backpropagation: a layer's inputs and outputs are recorded as they come, and what is
//! to stand in its place is solved for (EUGens, Likhosherstov et al. 2025, section on distillation).
//!
//! `Theta = Y F^T (F F^T + lambda I)^-1`, where the columns of F are features of inputs and those of Y are outputs. `F F^T` and
//! `Y F^T` are summed up in a stream ([`Normal`]), so that no sample is kept. What stands for a layer differs by its
//! regressors ([`Form`]):
//!
//! | form | regressors | first half |
//! |---|---|---|
//! | EUGen | features of the input | random projections, perhaps trained ([`train_projections`]) |
//! | low rank | the input | the best map of that rank ([`low_rank`]) |
//! | thin | the layer's own hidden values | those that matter most ([`most_important`]) |
mod local;
mod normal;
mod rank;

pub use local::train_projections;
pub use normal::{Normal, Solution, Unsolvable};
pub use rank::{LowRank, low_rank, most_important};

use crate::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// What takes the place of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// An EUGen layer
    #[default]
    Eugen,
    /// Two linear maps through few values
    LowRank,
    /// The same layers with fewer values between them
    Thin,
    /// The same layers, products in 8 bits
    Int8,
}

impl Form {
    /// Its name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eugen => "eugen",
            Self::LowRank => "low-rank",
            Self::Thin => "thin",
            Self::Int8 => "int8",
        }
    }
}

/// How layers are distilled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
pub struct DistillOptions {
    /// What takes the layers' place
    #[arg(long, value_enum, default_value_t)]
    pub form: Form,
    /// Features of each order (EUGen), rank (low-rank), or hidden values (thin); multiples of 16
    #[arg(long, value_name = "M", default_value_t = 64)]
    pub m: usize,
    /// The highest order of products of EUGen layers, 1 to 4
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub k: usize,
    /// Weight of the ridge, as a share of the mean diagonal of F F^T
    #[arg(long, value_name = "LAMBDA", default_value_t = 1e-4)]
    pub ridge: f64,
    /// Samples to record of a field's layers
    #[arg(long, value_name = "N", default_value_t = 65_536)]
    pub samples: usize,
    /// Steps in which each EUGen layer's projections are trained on what was recorded of it, before its Theta is solved for
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    pub train_g: usize,
    /// Train the whole for so many steps afterwards
    #[arg(long, value_name = "STEPS", default_value_t = 0)]
    pub fine_tune: u64,
    /// Seed of projections and samples
    #[arg(long = "distill-seed", value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

impl DistillOptions {
    /// Checks what the types do not.
    ///
    /// # Errors
    /// The first setting that is out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let m = self.m.is_multiple_of(16) && (16..=4096).contains(&self.m);
        check(m, "--m", self.m, "16 to 4096 in steps of 16")?;
        check((1..=4).contains(&self.k), "--k", self.k, "1 to 4")?;
        let other = self.form == Form::Eugen || self.k == 1;
        check(other, "--k", self.k, "1: EUGen layers alone have orders")?;
        let other = self.form == Form::Eugen || self.train_g == 0;
        check(other, "--train-g", self.train_g, "0: EUGen layers alone have projections")?;
        let ridge = self.ridge > 0.0 && self.ridge <= 1.0;
        check(ridge, "--ridge", self.ridge, "above 0, up to 1, such as 1e-4")?;
        check((1024..=1 << 24).contains(&self.samples), "--samples", self.samples, "1024 to 16777216")
    }
}

/// What became of one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReport {
    /// Its name.
    pub name: String,
    /// The share of its outputs' variance that is left unexplained on what was recorded; none where nothing was fitted.
    pub error: Option<f64>,
    /// Parameters before and after, of it and of what it was merged with.
    pub parameters: [usize; 2],
    /// Multiplications a sample or token, likewise.
    pub products: [usize; 2],
    /// Seconds that its distillation took.
    pub seconds: f64,
}

#[cfg(test)]
mod tests;
