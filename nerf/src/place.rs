//! Where a run's scene lies in the unit frame, kept with the weights: exports undo it, and weights are refused where
//! the scene has come to lie otherwise since.

use crate::trainer::{NerfError, Trainer};
use nerve_core::checkpoint::Checkpoint;
use nerve_data::scene::UnitFrame;
use std::collections::BTreeMap;
use std::path::Path;

/// The name among a checkpoint's values.
const FRAME: &str = "frame";

impl Trainer {
    /// Adds the scene's place to a checkpoint's values.
    pub(crate) fn keep_place(&self, meta: &mut BTreeMap<String, String>) {
        // Plain numbers always have a text.
        meta.extend(serde_json::to_string(&self.scene().unit_frame()).map(|text| (FRAME.to_owned(), text)));
    }

    /// Checks that the scene lies where it did when the checkpoint was written.
    ///
    /// # Errors
    /// If it does not. A checkpoint without a place is taken at its word.
    pub(crate) fn check_place(&self, checkpoint: &Checkpoint, path: &Path) -> Result<(), NerfError> {
        let Ok(text) = checkpoint.meta(FRAME) else { return Ok(()) };
        let kept: UnitFrame = serde_json::from_str(text).map_err(|_| NerfError::Meta {
            path: path.to_owned(),
            key: FRAME,
            value: text.to_owned(),
        })?;
        if kept.is_same(&self.scene().unit_frame()) {
            return Ok(());
        }
        Err(NerfError::Moved { path: path.to_owned(), scene: self.scene().source.clone() })
    }
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
        assert!(matches!(error, NerfError::Moved { .. }) && error.to_string().contains("demo"), "{error}");
    }
}
