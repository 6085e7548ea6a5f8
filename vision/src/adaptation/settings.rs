//! What of a method can be chosen; where nothing is said it is as published.
use clap::{Args, ValueEnum};
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

/// Settings of methods. One that a method does not have is of no effect on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct MethodSettings {
    /// Adapters: how many times fewer hidden channels than channels [default: as published, 2, 8 or 16]
    #[arg(long, value_name = "N")]
    pub reduction: Option<usize>,
    /// Rank of low-rank weights [default: as published]
    #[arg(long, value_name = "N")]
    pub rank: Option<usize>,
    /// Factor of low-rank updates [default: as published]
    #[arg(long, value_name = "FACTOR")]
    pub scale: Option<f64>,
    /// Prompt tokens a window or image [default: 50]
    #[arg(long, value_name = "N")]
    pub prompts: Option<usize>,
    /// Where adapters sit [default: as published]
    #[arg(long, value_enum)]
    pub placement: Option<Placement>,
    /// Adapters compute of a branch's input, not of its output
    #[arg(long)]
    pub parallel: bool,
    /// Activation of adapters
    #[arg(long, value_enum, default_value_t)]
    pub activation: Gate,
    /// Hypernetworks with inputs of constant norm, whose outputs are added to independent weights (Magnitude Invariant
    /// Parametrization)
    #[arg(long)]
    pub mip: bool,
}

/// Where adapters sit in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// After the attention and after the MLP
    Both,
    /// After the MLP
    Mlp,
}

/// The activation of an adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// `x sigmoid(x)`, as published
    #[default]
    Swish,
    /// GELU, whose op is faster
    Gelu,
}

impl MethodSettings {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        for (flag, value) in
            [("--reduction", self.reduction), ("--rank", self.rank), ("--prompts", self.prompts)]
        {
            let value = value.unwrap_or(1);
            check((1..=4096).contains(&value), flag, value, "1 to 4096")?;
        }
        let scale = self.scale.unwrap_or(1.0);
        check((0.0..=1e4).contains(&scale), "--scale", scale, "0 to 10000")
    }
}
