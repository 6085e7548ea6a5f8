//! `nerve seg`: semantic segmentation.

mod info;
mod predict;
mod train;
mod words;

pub use predict::found as pictures;

use crate::context::Context;
use crate::outcome::Outcome;

/// What to do.
#[derive(Debug, clap::Subcommand)]
pub enum SegCommand {
    /// Train a segmenter on images with labels
    Train(Box<train::SegTrainArgs>),
    /// Label pictures with a trained segmenter
    Predict(predict::PredictArgs),
    /// Show what a model costs: parameters, multiply-accumulates (MACs), activations
    Info(info::InfoArgs),
}

/// Does it.
pub fn run(context: &Context, command: SegCommand) -> anyhow::Result<Outcome> {
    match command {
        SegCommand::Train(args) => train::run(context, *args),
        SegCommand::Predict(args) => predict::run(context, &args),
        SegCommand::Info(args) => info::run(context, &args),
    }
}
