//! The commands that do by hand what [`reconstruct`](super::reconstruct()) does.

use std::path::Path;

use super::advice::quote;
use super::arguments::ColmapSettings;
use super::step::ColmapStep;
use super::{Photos, masks};

/// The commands that do by hand what [`reconstruct`](super::reconstruct()) does, one a line, and that train on the
/// result; `work` is the folder to make.
pub(super) fn manual_commands(photos: &Photos, work: &Path, settings: &ColmapSettings) -> String {
    let quoted = |path: &Path| quote(&path.display().to_string());
    let masks = masks::named_for_colmap(photos);
    let mut lines = vec![format!("mkdir -p {}", quoted(&work.join("sparse")))];
    for step in ColmapStep::ALL {
        let arguments = step.portable_arguments(photos, work, masks.as_deref(), settings);
        let arguments: Vec<String> = arguments.iter().map(|a| quote(&a.to_string_lossy())).collect();
        lines.push(format!("colmap {} {}", step.command(photos, settings), arguments.join(" ")));
    }
    lines.push(
        "# without a display and CUDA, add --SiftExtraction.use_gpu 0 to the first and --SiftMatching.use_gpu 0 to the \
         second (from COLMAP 3.12 on: FeatureExtraction and FeatureMatching)"
            .to_owned(),
    );
    lines.push(format!("ln -s {} {}", quoted(&photos.folder), quoted(&work.join("images"))));
    if let Some(masks) = photos.masks() {
        lines.push(format!("ln -s {} {}", quoted(&masks), quoted(&work.join("masks"))));
    }
    lines.push(format!("nerve train {}", quoted(work)));
    lines.join("\n")
}
