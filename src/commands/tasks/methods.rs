//! `nerve tasks methods`.

use crate::context::Context;
use crate::outcome::Outcome;
use nerve_vision::adaptation::{MethodName, Passes};
use serde_json::json;

/// Lists the methods, and which have a variant that all tasks share.
pub fn run(context: &Context) -> anyhow::Result<Outcome> {
    context.common.without_out("tasks methods")?;
    context.common.without_viewer("tasks methods")?;
    for method in MethodName::all().filter(|method| !method.is_shared()) {
        let entry = method.entry();
        let shared = if entry.shareable { format!("; shared-{method} for all tasks") } else { String::new() };
        context.output.say(format_args!("{method:<17} {}{shared}", entry.about));
    }
    for method in MethodName::all() {
        let one = method.passes() == Passes::One;
        let fields = json!({"name": method, "about": method.entry().about, "one_pass": one});
        context.output.line("method", &fields);
    }
    Ok(Outcome::Done)
}
