//! The label set on disk, as a plain folder.
//!
//! ```text
//! demo.json                   what wrote this, with which configuration
//! classes.json                names and colors; the place is the number in masks
//! images/train/0000.png       RGB
//! masks/train/0000.png        8 bit, class numbers, 255 is ignored
//! images/val/ masks/val/
//! ```

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde_json::{Value, json};

use super::{CLASSES, LabelDemo, LabelDemoSplit};
use crate::demo::DemoError;
use crate::demo::write::{MANIFEST, claim, file_name, make_folders, remove, write_json};
use crate::write::{PixelFormat, write_png};

const FOLDERS: [&str; 2] = ["images", "masks"];

impl LabelDemo {
    /// Paints the set into the folder `out` (made if missing), in parallel over images.
    ///
    /// `progress(done, total)` is called after each image, from the worker threads. A label set of ours that is
    /// already there is replaced; files of other names are left alone.
    ///
    /// # Errors
    /// [`DemoError::Config`] for a setting out of range, [`DemoError::Occupied`] when `out` holds files but no label
    /// set of ours, and the file's name with the cause when something cannot be written.
    pub fn write(&self, out: &Path, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), DemoError> {
        self.check()?;
        claim(out, "labels", "nerve demo")?;
        write_json(&out.join(MANIFEST), &json!({"labels": "nerve demo", "version": 1, "config": self}))?;
        // First away and last back, so that an interrupted set cannot be loaded by mistake.
        let class_file = out.join("classes.json");
        remove(&class_file)?;
        let parts = [(LabelDemoSplit::Train, self.train), (LabelDemoSplit::Val, self.val)];
        make_folders(out, &FOLDERS, &parts.map(|(part, count)| (part.as_str(), count)))?;
        let all: Vec<(LabelDemoSplit, usize)> =
            parts.iter().flat_map(|&(part, count)| (0..count).map(move |i| (part, i))).collect();
        let done = AtomicUsize::new(0);
        all.par_iter().try_for_each(|&(part, index)| -> Result<(), DemoError> {
            let labelled = self.image(part, index as u64)?;
            let (width, height) = (self.width as u32, self.height as u32);
            let path = |folder: &str| out.join(folder).join(part.as_str()).join(file_name(index));
            let bytes: Vec<u8> = labelled.image.iter().copied().collect();
            write_png(&path(FOLDERS[0]), width, height, PixelFormat::Rgb, &bytes)?;
            let bytes: Vec<u8> = labelled.mask.iter().copied().collect();
            write_png(&path(FOLDERS[1]), width, height, PixelFormat::Gray, &bytes)?;
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, all.len());
            Ok(())
        })?;
        let classes: Vec<Value> =
            CLASSES.iter().map(|(name, color)| json!({"name": name, "color": color})).collect();
        write_json(&class_file, &Value::from(classes))
    }
}
