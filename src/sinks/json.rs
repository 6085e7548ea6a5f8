//! The run's events as JSON lines, for programs.

use crate::output::write_line;
use nerve_core::run::{DoneReason, Event, ImageRole, Level, Sink, SinkError};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::json;
use std::borrow::Cow;
use std::io::Write;

/// Writes each event as one line.
pub struct JsonLines<W>(pub W);

impl<W: Write + Send> Sink for JsonLines<W> {
    fn handle(&mut self, event: &Event) -> Result<(), SinkError> {
        let out = &mut self.0;
        let written = match event {
            Event::Scalars { step, elapsed, values } => {
                write_line(out, "scalars", &Scalars { step: *step, elapsed: elapsed.as_secs_f64(), values })
            }
            Event::Image { step, name, role, width, height, .. } => {
                let role = role_name(*role);
                let fields =
                    json!({"step": step, "name": name, "role": role, "width": width, "height": height});
                write_line(out, "image", &fields)
            }
            Event::Histogram { step, name, range, counts, .. } => {
                let fields = json!({"step": step, "name": name, "range": range, "counts": &**counts});
                write_line(out, "histogram", &fields)
            }
            Event::Voxels { step, name, cells, .. } => {
                write_line(out, "voxels", &json!({"step": step, "name": name, "cells": cells}))
            }
            Event::Text { level, message } => {
                let level = match level {
                    Level::Info => "info",
                    Level::Warning => "warning",
                    Level::Error => "error",
                };
                write_line(out, "text", &json!({"level": level, "message": message}))
            }
            Event::Done { reason } => {
                let fields = match reason {
                    DoneReason::Finished => json!({"reason": "finished"}),
                    DoneReason::Cancelled => json!({"reason": "cancelled"}),
                    DoneReason::Failed(error) => json!({"reason": "failed", "error": error}),
                };
                write_line(out, "done", &fields)
            }
            _ => Ok(()),
        };
        written.map_err(|e| SinkError::Other(format!("stdout: {e}")))
    }
}

fn role_name(role: ImageRole) -> &'static str {
    match role {
        ImageRole::Input => "input",
        ImageRole::Prediction => "prediction",
        ImageRole::GroundTruth => "ground_truth",
        ImageRole::Error => "error",
        ImageRole::Depth => "depth",
        ImageRole::Normals => "normals",
        _ => "other",
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
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn every_event_is_one_object_on_one_line() {
        let mut out = Vec::new();
        let mut sink = JsonLines(&mut out);
        let values = vec![("loss".into(), 0.5), ("psnr".into(), f64::INFINITY)];
        let elapsed = Duration::from_millis(1500);
        sink.handle(&Event::Scalars { step: 20, elapsed, values }).unwrap();
        sink.handle(&Event::Image {
            step: 20,
            name: "test/r_0".into(),
            role: ImageRole::Prediction,
            width: 1,
            height: 1,
            channels: 3,
            data: vec![0; 3].into(),
        })
        .unwrap();
        let (name, counts) = ("saliency/p".into(), vec![3, 4].into());
        sink.handle(&Event::Histogram { step: 20, elapsed, name, range: [0.0, 1.0], counts }).unwrap();
        let (name, values) = ("saliency".into(), vec![0.0; 8].into());
        let frame = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]];
        sink.handle(&Event::Voxels { step: 20, name, cells: [2; 3], frame, values }).unwrap();
        sink.handle(&Event::Text { level: Level::Warning, message: "two\nlines".into() }).unwrap();
        sink.handle(&Event::Done { reason: DoneReason::Failed("no \"disk\"".into()) }).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(
            lines,
            [
                json!({"event": "scalars", "step": 20, "elapsed": 1.5, "loss": 0.5, "psnr": null}),
                json!({"event": "image", "step": 20, "name": "test/r_0", "role": "prediction", "width": 1, "height": 1}),
                json!({"event": "histogram", "step": 20, "name": "saliency/p", "range": [0.0, 1.0], "counts": [3, 4]}),
                json!({"event": "voxels", "step": 20, "name": "saliency", "cells": [2, 2, 2]}),
                json!({"event": "text", "level": "warning", "message": "two\nlines"}),
                json!({"event": "done", "reason": "failed", "error": "no \"disk\""}),
            ]
        );
    }
}
