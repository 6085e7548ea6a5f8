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
    let mut text =
        String::from("name              image  weights that are read (names on the Hugging Face hub)\n");
    for entry in ENTRIES {
        if entry.family != family {
            family = entry.family;
            let kind = if entry.kind() == ModelKind::Segmenter { "segmenters" } else { "backbones" };
            text += &format!("\n{family} ({kind}; keys: {})\n", entry.keys);
        }
        let weights = if entry.weights.is_empty() { "-".to_owned() } else { entry.weights.join(", ") };
        text += &format!("{:<17} {:>5}  {weights}\n", entry.name, entry.image);
    }
    text += "\nnerve seg info NAME tells what one costs; nerve seg train --backbone NAME learns with one;\n\
             nerve seg predict FOLDER PICTURES labels with a published segmenter.";
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
