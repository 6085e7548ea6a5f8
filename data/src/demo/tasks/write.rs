//! The task set on disk, as [`crate::tasks::folder`] describes it.
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde_json::json;

use super::{DEPTH_UNIT, LabelDemoSplit, TaskDemo};
use crate::demo::DemoError;
use crate::demo::write::{MANIFEST, claim, file_name, make_folders, remove, write_json};
use crate::tasks::folder::{FolderTask, IMAGES, TASKS};
use crate::tasks::{DenseTask, PARTS, TaskLabel, named};
use crate::write::{PixelFormat, write_png};

/// The tasks, as `tasks.json` lists them.
fn tasks() -> Vec<FolderTask> {
    let task = |task| FolderTask {
        task,
        classes: match task {
            DenseTask::Semseg => TaskDemo::classes(),
            DenseTask::Parts => named(&PARTS),
            _ => Vec::new(),
        },
        unit: (task == DenseTask::Depth).then_some(DEPTH_UNIT),
    };
    DenseTask::ALL.map(task).to_vec()
}

impl TaskDemo {
    /// Renders the set into the folder `out` (made if missing), in parallel over images.
    ///
    /// `progress(done, total)` is called after each image, from the worker threads. A task set of ours that is already
    /// there is replaced; files of other names are left alone.
    ///
    /// # Errors
    /// [`DemoError::Config`] for a setting out of range, [`DemoError::Occupied`] when `out` holds files but no task set of
    /// ours, and the file's name with the cause when something cannot be written.
    pub fn write(&self, out: &Path, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), DemoError> {
        self.check()?;
        claim(out, "tasks", "nerve demo")?;
        write_json(&out.join(MANIFEST), &json!({"tasks": "nerve demo", "version": 1, "config": self}))?;
        // First away and last back, so that an interrupted set cannot be loaded by mistake.
        let list = out.join(TASKS);
        remove(&list)?;
        let folders: Vec<&str> =
            std::iter::once(IMAGES).chain(DenseTask::ALL.iter().map(|task| task.name())).collect();
        let parts = [(LabelDemoSplit::Train, self.train), (LabelDemoSplit::Val, self.val)];
        make_folders(out, &folders, &parts.map(|(part, count)| (part.as_str(), count)))?;
        let all: Vec<(LabelDemoSplit, usize)> =
            parts.iter().flat_map(|&(part, count)| (0..count).map(move |i| (part, i))).collect();
        let done = AtomicUsize::new(0);
        all.par_iter().try_for_each(|&(part, index)| -> Result<(), DemoError> {
            let sample = self.image(part, index as u64)?;
            let path = |folder: &str| out.join(folder).join(part.as_str()).join(file_name(index));
            let (width, height) = (self.width as u32, self.height as u32);
            let bytes: Vec<u8> = sample.image.iter().copied().collect();
            write_png(&path(IMAGES), width, height, PixelFormat::Rgb, &bytes)?;
            for (task, label) in DenseTask::ALL.iter().zip(&sample.labels) {
                let (format, bytes) = stored(label);
                write_png(&path(task.name()), width, height, format, &bytes)?;
            }
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all.len());
            Ok(())
        })?;
        let tasks =
            serde_json::to_value(tasks()).map_err(|source| DemoError::Json { path: list.clone(), source })?;
        write_json(&list, &tasks)
    }
}

/// Labels as the bytes of a PNG.
fn stored(label: &TaskLabel) -> (PixelFormat, Vec<u8>) {
    match label {
        TaskLabel::Classes(labels) => (PixelFormat::Gray, labels.iter().copied().collect()),
        TaskLabel::Normals(labels) => {
            let bytes = |n: &[f32; 3]| {
                if *n == [0.0; 3] {
                    [0; 3]
                } else {
                    n.map(|v| ((f64::from(v) * 0.5 + 0.5) * 255.0 + 0.5) as u8)
                }
            };
            (PixelFormat::Rgb, labels.iter().flat_map(bytes).collect())
        }
        TaskLabel::Depth(labels) => {
            // The encoder takes 16-bit samples in the machine's own byte order.
            let steps = |d: &f32| ((f64::from(*d) / DEPTH_UNIT + 0.5) as u16).to_ne_bytes();
            (PixelFormat::Gray16, labels.iter().flat_map(steps).collect())
        }
    }
}
