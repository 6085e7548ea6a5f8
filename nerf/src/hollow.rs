//! HollowNeRF's settings (Xie et al. 2023); what they do to the saliency grid is in `pruner.rs`.

use serde::{Deserialize, Serialize};

/// How cells of the saliency grid are pruned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pruning {
    /// The augmented Lagrangian of the paper, which calls it ADMM.
    #[default]
    Admm,
    /// Its baseline: a constant times the sum of the saliencies.
    L1,
    /// Nothing but the data.
    Off,
}

/// A part that can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Switch {
    On,
    Off,
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}

/// The saliency grid, the gate and the pruner. Nothing here matters to a plain field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, clap::Args)]
#[serde(default, deny_unknown_fields)]
pub struct HollowConfig {
    /// Saliency grid in front of the density network
    #[arg(long, value_enum, default_value_t = Switch::On, value_name = "ON|OFF")]
    pub saliency_grid: Switch,
    /// Gate that suppresses the density of samples whose features are near zero
    #[arg(long, value_enum, default_value_t = Switch::On, value_name = "ON|OFF")]
    pub gate: Switch,
    /// How cells of the saliency grid are pruned
    #[arg(long, value_enum, default_value_t)]
    pub pruner: Pruning,
    /// Cells per axis of the saliency grid, a multiple of 8
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub saliency_side: usize,
    /// Target for the mean saliency (C)
    #[arg(long, value_name = "SHARE", default_value_t = 0.04)]
    pub saliency_share: f64,
    /// Growth of the pruning penalty while the mean saliency is above its target (rho, times the run's steps)
    #[arg(long, value_name = "RHO", default_value_t = 0.01)]
    pub rho: f64,
    /// Weight of the L1 penalty with --pruner l1
    #[arg(long, value_name = "WEIGHT", default_value = "1e-8")]
    pub l1_weight: f64,
    /// Learning rate of the saliency grid, summed over the run: higher values close and reopen cells sooner
    #[arg(long, value_name = "LOGITS", default_value_t = 300.0)]
    pub saliency_travel: f64,
    /// Share of the run after which the saliency grid is trained
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub saliency_start: f64,
    /// Share of the run after which the gate acts; 1 turns it off
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub gate_start: f64,
    /// Initial steepness of the gate (alpha)
    #[arg(long, value_name = "ALPHA", default_value_t = 1e4)]
    pub alpha: f32,
    /// Steepness of the gate after --alpha-switch
    #[arg(long, value_name = "ALPHA", default_value_t = 1e5)]
    pub late_alpha: f32,
    /// Share of the run after which the gate has its later steepness; 1 never changes it [default: 1/3]
    #[arg(long, value_name = "SHARE", default_value_t = 1.0 / 3.0, hide_default_value = true)]
    pub alpha_switch: f64,
    /// Skip samples in closed cells without evaluating their density (needs the saliency grid and a pruner)
    #[arg(long, value_enum, default_value_t = Switch::On, value_name = "ON|OFF")]
    pub steering: Switch,
    /// Share of the run after which closed cells are skipped
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub steer_from: f64,
}

impl Default for HollowConfig {
    fn default() -> Self {
        Self {
            saliency_grid: Switch::On,
            gate: Switch::On,
            pruner: Pruning::Admm,
            saliency_side: 64,
            saliency_share: 0.04,
            rho: 0.01,
            l1_weight: 1e-8,
            saliency_travel: 300.0,
            saliency_start: 0.05,
            gate_start: 0.05,
            alpha: 1e4,
            late_alpha: 1e5,
            alpha_switch: 1.0 / 3.0,
            steering: Switch::On,
            steer_from: 0.5,
        }
    }
}

impl HollowConfig {
    /// Logits of the saliency grid.
    pub fn cells(&self) -> usize {
        self.saliency_side.pow(3)
    }
}
