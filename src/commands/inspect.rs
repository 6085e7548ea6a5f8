//! `nerve inspect`.

use super::Outcome;
use crate::cli::usage;
use crate::context::Context;
use crate::{format, scene};
use nerve_data::inspect::Severity;
use nerve_nerf::config::DataConfig;
use nerve_nerf::{NerfConfig, memory};
use serde_json::json;

/// Flags of `nerve inspect`.
#[derive(Debug, clap::Args)]
pub struct InspectArgs {
    #[command(flatten)]
    data: DataConfig,
}

/// Tells what a scene holds; fails if training on it cannot give a useful result.
pub fn run(context: &Context, args: &InspectArgs) -> anyhow::Result<Outcome> {
    context.common.without_out("inspect")?;
    let config = NerfConfig { data: args.data.clone(), ..NerfConfig::default() };
    config.validate().map_err(usage)?;
    if scene::is_demo(&args.data.scene) {
        anyhow::bail!(
            "the demo scene is built in: `nerve demo OUT` writes it to a folder, which can be inspected"
        );
    }
    let report = nerve_data::inspect(&args.data.scene, &scene::options(&args.data))?;
    let training = memory::estimate(&config, report.aabb_scale, rayon::current_num_threads())?;
    let total = report.memory.images + report.memory.decoding.max(training.total());
    context.output.say(format_args!(
        "{report}training     about {} in all with the default settings: images, {} parameters with moments, \
         {} for a batch, {} occupancy",
        format::megabytes(total),
        format::megabytes(training.parameters),
        format::megabytes(training.batch),
        format::megabytes(training.occupancy),
    ));
    let fields = json!({"report": report, "training_memory": training, "total_memory": total});
    context.output.line("inspect", &fields);
    let unusable = report.problems.iter().any(|problem| problem.severity == Severity::Error);
    Ok(if unusable { Outcome::Failed } else { Outcome::Done })
}
