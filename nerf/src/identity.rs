//! Which field, and of which scene: what a checkpoint says of itself, so that it is not taken for another's.
//!
//! Shapes tell most fields apart, but not all: a finer grid in tables of the same size, or the same photographs in
//! another frame, would be read without complaint and give noise.

use crate::config::NerfConfig;
use crate::trainer::{NerfError, Trainer};
use nerve_core::checkpoint::Checkpoint;
use nerve_data::Scene;
use nerve_data::scene::UnitFrame;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Settings that shape the field, as JSON.
const FIELD: &str = "field";
/// Where the scene lies in the unit cube, as JSON of [`UnitFrame`].
const FRAME: &str = "frame";
/// How many training views there are.
const VIEWS: &str = "training_views";
/// Of their names and sizes, in order.
const DIGEST: &str = "training_views_fnv64";

/// What a checkpoint is of, to be saved with it.
pub(crate) fn of(trainer: &Trainer) -> BTreeMap<String, String> {
    let scene = trainer.scene();
    [
        (FIELD, settings(trainer.config()).to_string()),
        (FRAME, json!(scene.unit_frame()).to_string()),
        (VIEWS, scene.splits.train.len().to_string()),
        (DIGEST, digest(scene)),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Checks that a file is of this field, in the frame of this scene.
pub(crate) fn check_field(trainer: &Trainer, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
    let other = |reason: String| NerfError::Other { path: path.to_owned(), reason };
    let saved: Value = serde_json::from_str(file.meta(FIELD)?)
        .map_err(|e| other(format!("`{FIELD}` cannot be read ({e}); take an older checkpoint")))?;
    if let Some((name, saved, now)) = difference("", &saved, &settings(trainer.config())) {
        return Err(other(format!(
            "it is of another field: {name} was {saved} and is {now} in config.toml; set it back, or train again"
        )));
    }
    let saved: UnitFrame = serde_json::from_str(file.meta(FRAME)?)
        .map_err(|e| other(format!("`{FRAME}` cannot be read ({e}); take an older checkpoint")))?;
    if !saved.is_same(&trainer.scene().unit_frame()) {
        return Err(other(format!(
            "it is of another scene: {} lies elsewhere in the unit cube than what it was trained on; \
             put the scene back as it was, or train again",
            trainer.scene().source.display()
        )));
    }
    Ok(())
}

/// Checks that a file was trained on the views that training would go on with.
pub(crate) fn check_views(trainer: &Trainer, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
    let scene = trainer.scene();
    let (count, views) = (scene.splits.train.len().to_string(), file.meta(VIEWS)?);
    if views == count && file.meta(DIGEST)? == digest(scene) {
        return Ok(());
    }
    let what = if views == count { "others".to_owned() } else { format!("{count} of them") };
    let (path, source) = (path.to_owned(), scene.source.display());
    let reason = format!(
        "it was trained on {views} views, and there are {what} in {source} now, by name and size; \
         put them back as they were, or train again"
    );
    Err(NerfError::Other { path, reason })
}

fn settings(config: &NerfConfig) -> Value {
    let h = &config.hollow;
    let side = h.has_grid().then_some(h.saliency_side);
    json!({
        "grid": config.grid,
        "field": config.field,
        "hollow": {"method": h.method, "saliency_grid": h.has_grid(), "gate": h.has_gate(), "saliency_side": side},
    })
}

/// The first setting that differs: its name, as saved, as now.
fn difference(name: &str, saved: &Value, now: &Value) -> Option<(String, String, String)> {
    match (saved, now) {
        (Value::Object(saved), Value::Object(now)) => {
            let names = saved.keys().chain(now.keys());
            names.into_iter().find_map(|key| {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                difference(
                    &name,
                    saved.get(key).unwrap_or(&Value::Null),
                    now.get(key).unwrap_or(&Value::Null),
                )
            })
        }
        _ if saved == now => None,
        _ => Some((name.to_owned(), saved.to_string(), now.to_string())),
    }
}

/// FNV-1a over names and sizes.
fn digest(scene: &Scene) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for &view in &scene.splits.train {
        let (name, image) = (&scene.views[view].name, &scene.views[view].image);
        let size = [image.width(), image.height()].map(u32::to_le_bytes);
        // Names do not hold zeros.
        for byte in name.bytes().chain([0]).chain(size.into_iter().flatten()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::config::NerfConfig;
    use crate::trainer::{NerfError, Trainer};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_data::demo::{self, DemoConfig};
    use std::sync::Arc;

    #[test]
    fn weights_of_a_scene_that_moved_are_refused() {
        let scene =
            demo::scene(&DemoConfig { train: 2, test: 1, resolution: 16, ..Default::default() }).unwrap();
        let grid = HashGridConfig { levels: 2, log2_entries: 8, ..HashGridConfig::default() };
        let config = NerfConfig { grid, ..NerfConfig::default() };
        let trainer = |scene| Trainer::new(config.clone(), Arc::new(scene), 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        trainer(scene.clone()).save(&path).unwrap();
        assert!(trainer(scene.clone()).restore(&path).is_ok());
        let mut moved = scene;
        moved.frame.append_scaling_mut(1.01);
        let error = trainer(moved).restore(&path).unwrap_err();
        assert!(
            matches!(error, NerfError::Other { .. }) && error.to_string().contains("another scene: demo"),
            "{error}"
        );
    }
}
