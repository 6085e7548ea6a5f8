//! The run's events as JSON lines, for programs.
//!
//! Each event is one object on one line, `{"event":"scalars","step":20,...}`; of large payloads the sizes are told.
//! `docs/JSON_LINES.md` lists the lines and their fields.

use crate::output::write_line;
use nerve_core::run::{
    DoneReason, Event, ImageRole, LabelRole, Level, MapRole, Metric, Sink, SinkError, Unit,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes each event as one line.
pub struct JsonLines<W>(pub W);

impl<W: Write + Send> Sink for JsonLines<W> {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        self.write(event).map_err(|e| SinkError::Other(format!("stdout: {e}")))
    }
}

impl<W: Write> JsonLines<W> {
    fn write(&mut self, event: &Event) -> io::Result<()> {
        let (name, fields) = match event {
            Event::Scalars { step, elapsed, values } => {
                let fields = Scalars { step: *step, elapsed: elapsed.as_secs_f64(), values };
                return write_line(&mut self.0, "scalars", &fields);
            }
            Event::Histogram { step, name, range, counts, .. } => {
                ("histogram", json!({"step": step, "name": name, "range": range, "counts": &**counts}))
            }
            Event::Progress { step, elapsed, done, eta, loss, rates, metric } => {
                let rates: Map<String, Value> =
                    rates.iter().map(|r| (r.unit.to_string(), json!(r.value))).collect();
                let fields = json!({
                    "step": step, "elapsed": elapsed.as_secs_f64(), "done": done, "eta_s": eta.as_secs_f64(),
                    "loss": loss, "rates": rates, "metric": metric.as_ref().map(figure),
                });
                ("progress", fields)
            }
            Event::Scores { step, scores } => {
                let scores: Vec<Value> = scores.iter().map(figure).collect();
                ("scores", json!({"step": step, "scores": scores}))
            }
            Event::PerClass { step, name, values } => {
                ("per_class", json!({"step": step, "name": name, "values": &**values}))
            }
            Event::Confusion { step, classes, .. } => {
                ("confusion", json!({"step": step, "classes": classes}))
            }
            Event::Classes { classes } => {
                let classes: Vec<Value> =
                    classes.iter().map(|c| json!({"name": c.name, "color": c.color})).collect();
                ("classes", json!({"classes": classes}))
            }
            Event::Image { step, name, role, width, height, .. } => {
                ("image", picture(*step, name, image_role(*role), [*width, *height]))
            }
            Event::Map { step, name, role, width, height, .. } => {
                ("map", picture(*step, name, map_role(*role), [*width, *height]))
            }
            Event::Labels { step, name, role, width, height, .. } => {
                ("labels", picture(*step, name, label_role(*role), [*width, *height]))
            }
            Event::Cameras { views } => {
                let held_out = views.iter().filter(|view| view.held_out).count();
                ("cameras", json!({"views": views.len(), "held_out": held_out}))
            }
            Event::Path { name, points } => ("path", json!({"name": name, "points": points.len()})),
            Event::Points { step, name, positions, .. } => {
                ("points", json!({"step": step, "name": name, "points": positions.len()}))
            }
            Event::Mesh { step, name, positions, triangles, .. } => {
                let (vertices, triangles) = (positions.len(), triangles.len());
                ("mesh", json!({"step": step, "name": name, "vertices": vertices, "triangles": triangles}))
            }
            Event::Voxels { step, name, cells, .. } => {
                ("voxels", json!({"step": step, "name": name, "cells": cells}))
            }
            Event::Text { level, message } => {
                ("text", json!({"level": level_name(*level), "message": message}))
            }
            Event::Done { reason } => ("done", done(reason)),
        };
        write_line(&mut self.0, name, &fields)
    }
}

fn figure(metric: &Metric) -> Value {
    let unit = match metric.unit {
        Unit::Number => None,
        Unit::Decibels => Some("dB"),
        Unit::Share => Some("share"),
    };
    json!({"name": metric.name, "value": metric.value, "unit": unit})
}

/// What is told of anything with pixels.
fn picture(step: u64, name: &str, role: &str, [width, height]: [usize; 2]) -> Value {
    json!({"step": step, "name": name, "role": role, "width": width, "height": height})
}

fn done(reason: &DoneReason) -> Value {
    match reason {
        DoneReason::Finished => json!({"reason": "finished"}),
        DoneReason::Cancelled => json!({"reason": "cancelled"}),
        DoneReason::Failed(error) => json!({"reason": "failed", "error": error}),
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

fn image_role(role: ImageRole) -> &'static str {
    match role {
        ImageRole::Input => "input",
        ImageRole::Prediction => "prediction",
        ImageRole::GroundTruth => "ground_truth",
        ImageRole::Error => "error",
        ImageRole::Depth => "depth",
        ImageRole::Normals => "normals",
    }
}

fn map_role(role: MapRole) -> &'static str {
    match role {
        MapRole::Depth => "depth",
        MapRole::Score => "score",
        MapRole::Saliency => "saliency",
    }
}

fn label_role(role: LabelRole) -> &'static str {
    match role {
        LabelRole::GroundTruth => "ground_truth",
        LabelRole::Prediction => "prediction",
    }
}

struct Scalars<'a> {
    step: u64,
    elapsed: f64,
    values: &'a [(Cow<'static, str>, f64)],
}

impl Serialize for Scalars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("step", &self.step)?;
        map.serialize_entry("elapsed", &self.elapsed)?;
        for (name, value) in self.values {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
