//! Which field, and of which scene: what a checkpoint says of itself, so that it is not taken for another's.
//!
//! Shapes tell most fields apart, but not all: a finer grid in tables of the same size, or the same photographs in
//! another frame, would be read without complaint and give noise.

use crate::KIND;
use crate::capture::{Capture, Compared, TrainingSet};
use crate::config::{DataConfig, Method, NerfConfig};
use crate::error::NerfError;
use crate::model::Model;
use nerve_core::checkpoint::Checkpoint;
use nerve_core::run::RunFolder;
use nerve_data::Scene;
use nerve_data::scene::{Outline, Split, UnitFrame};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Settings that shape the field, as JSON.
const FIELD: &str = "field";
/// Where the scene lies in the unit cube, as JSON of [`UnitFrame`].
const FRAME: &str = "frame";
/// The [`Capture`], as TOML, which keeps numbers to the last bit.
const CAPTURE: &str = "capture";
/// How many training views there are.
const VIEWS: &str = "training_views";
/// Of their names and sizes, in order.
const DIGEST: &str = "training_views_fnv64";
/// The mean loss of the last steps.
const LOSS: &str = "loss";
/// The run's whole configuration, as JSON.
const CONFIG: &str = "config";

/// What a model's file says of itself.
pub(crate) fn of(model: &Model, path: &Path) -> Result<BTreeMap<String, String>, NerfError> {
    let (capture, config) = (model.capture(), model.config());
    let other = |reason: String| NerfError::Other { path: path.to_owned(), reason };
    let whole = serde_json::to_string(config)
        .map_err(|e| other(format!("the run's configuration cannot be written into it: {e}")))?;
    let mut all: BTreeMap<String, String> = [
        (FIELD, settings(config).to_string()),
        (FRAME, json!(capture.frame).to_string()),
        (VIEWS, capture.training.count.to_string()),
        (DIGEST, capture.training.digest.clone()),
        (CONFIG, whole),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into();
    if !capture.views.is_empty() {
        let text = toml::to_string(capture)
            .map_err(|e| other(format!("the cameras cannot be written into it: {e}")))?;
        all.insert(CAPTURE.to_owned(), text);
    }
    if let Some(loss) = model.loss {
        // The shortest text that reads back to the same number.
        all.insert(LOSS.to_owned(), loss.to_string());
    }
    Ok(all)
}

/// The configuration of the run that a file is of; of an earlier version's checkpoint, from the file beside it.
pub(crate) fn configuration(file: &Checkpoint, path: &Path) -> Result<NerfConfig, NerfError> {
    let other = |reason: String| NerfError::Other { path: path.to_owned(), reason };
    if let Ok(text) = file.meta(CONFIG) {
        return serde_json::from_str(text)
            .map_err(|e| other(format!("its configuration cannot be read: {e}")));
    }
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match RunFolder::open(beside).ok().filter(|run| run.kind() == KIND) {
        Some(run) => Ok(run.config()?),
        None => Err(other(
            "it does not hold its run's configuration, an earlier nerve wrote it: put it back into its run's folder"
                .into(),
        )),
    }
}

impl Capture {
    /// What a run's checkpoint, or a compact file, keeps of its scene.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(path: &Path) -> Result<Self, NerfError> {
        capture(&Checkpoint::load(path)?, path)
    }

    /// Places a scene in the unit frame as it lay when the file at `path`, which this is of, was trained on it: what nerve
    /// finds of a scene's cameras, such as which way is up, another version may find otherwise. Whether it lies otherwise
    /// than before.
    ///
    /// # Errors
    /// If it is another scene: training views have other poses or lenses now, or its files state another frame.
    pub fn place(&self, scene: &mut Outline, path: &Path) -> Result<bool, NerfError> {
        place(self, scene, path)
    }
}

/// What a file keeps of the scene.
pub(crate) fn capture(file: &Checkpoint, path: &Path) -> Result<Capture, NerfError> {
    let unreadable = |key: &str, e: String| NerfError::Other {
        path: path.to_owned(),
        reason: format!("`{key}` cannot be read ({e}); take an older checkpoint"),
    };
    let count = file.meta(VIEWS)?.parse().map_err(|e| unreadable(VIEWS, format!("{e}")))?;
    let training = TrainingSet { count, digest: file.meta(DIGEST)?.to_owned() };
    let capture = match file.meta(CAPTURE) {
        Ok(text) => toml::from_str::<Capture>(text).map_err(|e| unreadable(CAPTURE, e.to_string()))?,
        Err(_) => Capture { frame: frame(file, path)?, ..Capture::default() },
    };
    if !capture.frame.is_valid() {
        return Err(unreadable(FRAME, "no scene lies so".into()));
    }
    Ok(Capture { training, ..capture })
}

/// Which view was for what in the run that `path` is of, by name, as far as the file says and this configuration of the data
/// holds out as the run did: photographs may have come or gone since, and earlier versions counted them in another way.
pub fn recorded_splits(path: &Path, data: &DataConfig) -> Option<HashMap<String, Split>> {
    let file = Checkpoint::load(path).ok()?;
    let saved = serde_json::from_str::<NerfConfig>(file.meta(CONFIG).ok()?).ok()?.data;
    let same = (saved.holdout, saved.max_images) == (data.holdout, data.max_images);
    let views = capture(&file, path).ok().filter(|_| same)?.views;
    let splits: HashMap<_, _> = views.into_iter().map(|view| (view.name, view.split)).collect();
    (!splits.is_empty()).then_some(splits)
}

/// The mean loss of the last steps, where a file keeps it.
pub(crate) fn loss(file: &Checkpoint) -> Option<f64> {
    file.meta(LOSS).ok()?.parse().ok().filter(|loss: &f64| loss.is_finite() && *loss >= 0.0)
}

fn frame(file: &Checkpoint, path: &Path) -> Result<UnitFrame, NerfError> {
    serde_json::from_str(file.meta(FRAME)?).map_err(|e| NerfError::Other {
        path: path.to_owned(),
        reason: format!("`{FRAME}` cannot be read ({e}); take an older checkpoint"),
    })
}

/// Checks that a file is of the field that this configuration gives.
pub(crate) fn check_field(config: &NerfConfig, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
    let other = |reason: String| NerfError::Other { path: path.to_owned(), reason };
    let saved = parsed_settings(file.meta(FIELD)?)
        .map_err(|e| other(format!("`{FIELD}` cannot be read ({e}); take an older checkpoint")))?;
    match difference("", &saved, &settings(config)) {
        None => Ok(()),
        Some((name, saved, now)) => Err(other(format!(
            "another field's checkpoint: {name} was {saved} in training and is {now} in config.toml; \
             set it back, or train again"
        ))),
    }
}

/// Checks that a scene lies in the unit frame as the one did that the file at `path` is of.
pub(crate) fn check_scene(frame: &UnitFrame, scene: &Scene, path: &Path) -> Result<(), NerfError> {
    if frame.is_same(&scene.unit_frame()) {
        return Ok(());
    }
    Err(elsewhere(&scene.source, path))
}

fn elsewhere(source: &Path, path: &Path) -> NerfError {
    let (path, source) = (path.to_owned(), source.display());
    let reason = format!(
        "it is of another scene: {source} lies elsewhere in the unit cube than what it was trained on; \
         put the scene back as it was, or train again"
    );
    NerfError::Other { path, reason }
}

/// Refuses training views that have another pose or lens than when they were trained on, in the world: the field would be
/// measured, or trained on, from where it was never seen.
fn check_cameras(compared: &Compared<'_>, source: &Path, path: &Path) -> Result<(), NerfError> {
    let Some(first) = compared.changed.first() else { return Ok(()) };
    let source = source.display();
    let reason = match compared.changed.len() {
        1 => format!(
            "{first} has another pose or lens in {source} now than when it was trained on; put it back as it was, or train again"
        ),
        count => format!(
            "{count} of {} training views have another pose or lens in {source} now than when they were trained on, {first} \
             among them; put them back as they were, or train again",
            compared.known
        ),
    };
    Err(NerfError::Other { path: path.to_owned(), reason })
}

/// Places a scene as it lay when the file at `path` was trained on it, where nothing but what nerve finds of its cameras
/// has changed, which another version finds otherwise. Whether it lies otherwise now.
///
/// # Errors
/// If it is another scene: training views have other poses or lenses, or its files state another frame.
pub(crate) fn place(capture: &Capture, scene: &mut Outline, path: &Path) -> Result<bool, NerfError> {
    let compared = capture.compared(scene.views.iter().map(|view| (&*view.name, &view.camera)));
    check_cameras(&compared, &scene.source, path)?;
    let now = scene.unit_frame();
    if capture.frame.is_same(&now) {
        return Ok(false);
    }
    // Where a file keeps no cameras, the frame itself has to tell.
    if scene.frame_is_stated || compared.known == 0 && !capture.frame.is_turned(&now) {
        return Err(elsewhere(&scene.source, path));
    }
    scene.place(&capture.frame);
    Ok(true)
}

/// Checks that views of a scene can be measured with the model that the file at `path` is of.
pub(crate) fn check_attached(capture: &Capture, scene: &Scene, path: &Path) -> Result<(), NerfError> {
    check_scene(&capture.frame, scene, path)?;
    let cameras = scene.views.iter().map(|view| (&*view.name, &view.camera));
    check_cameras(&capture.compared(cameras), &scene.source, path)
}

/// Checks that training would go on with the same meaning of masks, where a file tells it.
pub(crate) fn check_masks(config: &NerfConfig, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
    let saved = file.meta(CONFIG).ok().and_then(|text| serde_json::from_str::<NerfConfig>(text).ok());
    let (now, name) = (config.data.masks, |masks| json!(masks).as_str().unwrap_or_default().to_owned());
    match saved.map(|saved| saved.data.masks).filter(|saved| *saved != now) {
        None => Ok(()),
        Some(saved) => Err(NerfError::Other {
            path: path.to_owned(),
            reason: format!(
                "masks was \"{}\" in training and is \"{}\" in config.toml; set it back, or train again",
                name(saved),
                name(now)
            ),
        }),
    }
}

/// Checks that a file was trained on the views that training would go on with: the same names and sizes, and where the file
/// keeps cameras, the same poses and lenses. Pixels are not compared.
pub(crate) fn check_views(scene: &Scene, file: &Checkpoint, path: &Path) -> Result<(), NerfError> {
    let now = TrainingSet::of(scene);
    let (count, views) = (now.count.to_string(), file.meta(VIEWS)?);
    let source = scene.source.display();
    if views == count && file.meta(DIGEST)? == now.digest {
        let cameras = scene.views.iter().map(|view| (&*view.name, &view.camera));
        return check_cameras(&capture(file, path)?.compared(cameras), &scene.source, path);
    }
    let what = if views == count { "others".to_owned() } else { format!("{count} of them") };
    let path = path.to_owned();
    let reason = format!(
        "it was trained on {views} views, and there are {what} in {source} now, by name and size; \
         put them back as they were, or train again"
    );
    Err(NerfError::Other { path, reason })
}

fn settings(config: &NerfConfig) -> Value {
    let (has_grid, has_gate) = (config.has_saliency_grid(), config.has_gate());
    let side = has_grid.then_some(config.hollow.saliency_side);
    // Files of earlier versions have neither.
    let classic = (config.field.method == Method::Classic).then_some(&config.classic);
    let layers = config.layers.are_rebuilt().then_some(&config.layers);
    json!({
        "grid": config.grid,
        "field": config.field,
        "classic": classic,
        "layers": layers,
        "hollow": {"saliency_grid": has_grid, "gate": has_gate, "saliency_side": side},
    })
}

/// Settings as a file holds them; those of earlier versions have the method among HollowNeRF's.
fn parsed_settings(text: &str) -> Result<Value, serde_json::Error> {
    let mut saved: Value = serde_json::from_str(text)?;
    let method = saved.get_mut("hollow").and_then(Value::as_object_mut).and_then(|h| h.remove("method"));
    if let (Some(method), Some(field)) = (method, saved.get_mut("field").and_then(Value::as_object_mut)) {
        field.entry("method").or_insert(method);
    }
    Ok(saved)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Trainer;
    use crate::config::{Masks, Method, NerfConfig};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_data::demo::{self, DemoConfig};
    use std::sync::Arc;

    /// Earlier versions had the method among HollowNeRF's settings: the same field is the same still, and another is not.
    #[test]
    fn fields_of_earlier_versions_are_recognised() {
        let mut config = NerfConfig::default();
        config.field.method = Method::Hollow;
        let now = settings(&config);
        assert_eq!(parsed_settings(&now.to_string()).unwrap(), now);
        let mut old = now.clone();
        let method = old["field"].as_object_mut().unwrap().remove("method").unwrap();
        old["hollow"]["method"] = method;
        assert_ne!(old, now);
        let read = parsed_settings(&old.to_string()).unwrap();
        assert_eq!(difference("", &read, &now), None);
        old["hollow"]["method"] = "plain".into();
        let (name, was, is) = difference("", &parsed_settings(&old.to_string()).unwrap(), &now).unwrap();
        assert_eq!((&*name, &*was, &*is), ("field.method", "\"plain\"", "\"hollow\""));
    }

    /// What masks mean is part of a run: it does not go on with another meaning.
    #[test]
    fn masks_mean_what_they_meant() {
        let scene =
            demo::scene(&DemoConfig { train: 2, test: 1, resolution: 16, ..Default::default() }).unwrap();
        let grid = HashGridConfig { levels: 2, log2_entries: 8, ..HashGridConfig::default() };
        let mut config = NerfConfig { grid, ..NerfConfig::default() };
        let trainer = |config: &NerfConfig| Trainer::new(config.clone(), Arc::new(scene.clone()), 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint.safetensors");
        config.data.masks = Masks::Empty;
        trainer(&config).save(&path).unwrap();
        assert!(trainer(&config).resume(&path).is_ok());
        let splits = recorded_splits(&path, &config.data).unwrap();
        let held_out: Vec<&String> =
            splits.iter().filter(|(_, s)| **s == Split::Test).map(|(n, _)| n).collect();
        assert_eq!((splits.len(), held_out), (3, vec![&scene.views[scene.splits.test[0]].name]));
        let other = DataConfig { holdout: 3, ..config.data.clone() };
        assert_eq!(recorded_splits(&path, &other), None, "another one is asked for");
        assert_eq!(recorded_splits(folder.path(), &config.data), None);
        config.data.masks = Masks::Ignore;
        let error = trainer(&config).resume(&path).unwrap_err().to_string();
        assert!(error.contains("masks was \"empty\" in training and is \"ignore\""), "{error}");
    }

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
