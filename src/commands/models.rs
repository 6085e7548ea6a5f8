//! `nerve models`.

use crate::context::Context;
use crate::outcome::Outcome;
use nerve_vision::zoo::{ENTRIES, ModelKind};
use serde_json::json;

/// Lists what can be built and loaded.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    context.common.without_out("models")?;
    context.common.without_viewer("models")?;
    let mut family = "";
    let width = ENTRIES.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let mut text = format!("{:<width$}  image  published weights (names on the Hugging Face hub)\n", "name");
    for entry in ENTRIES {
        if entry.family != family {
            family = entry.family;
            let kind = if entry.kind() == ModelKind::Segmenter { "segmenters" } else { "backbones" };
            text += &format!("\n{family} ({kind}; keys: {})\n", entry.keys);
        }
        let weights = if entry.weights.is_empty() { "-".to_owned() } else { entry.weights.join(", ") };
        text += &format!("{:<width$}  {:>5}  {weights}\n", entry.name, entry.image);
    }
    text += "\nnerve seg info NAME shows what a model costs; nerve seg train --backbone NAME trains with a backbone;\n\
             nerve seg predict FOLDER PICTURE labels a picture with a published segmenter.";
    context.output.say(text);
    for entry in ENTRIES {
        let kind = if entry.kind() == ModelKind::Segmenter { "segmenter" } else { "backbone" };
        let fields = json!({
            "name": entry.name, "family": entry.family, "kind": kind, "image": entry.image,
            "weights": entry.weights, "keys": entry.keys,
        });
        context.output.line("model", &fields);
    }
    Ok(Outcome::Done)
}
