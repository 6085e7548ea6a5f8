//! Listing the files in the folders below a folder, up to a limit.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

/// The largest number of entries that are looked at: a folder with everything that a person has is not searched whole.
const MOST: usize = 4096;
/// Folders whose pictures are not photos: masks, depth maps, runs of nerve.
const OTHERS: [&str; 5] = ["mask", "masks", "depth", "depths", "runs"];

/// The files 1 to `levels` folders below a folder, nearest levels first, otherwise unordered; among the first few
/// thousand entries only. Hidden files and folders, and folders of masks, depth maps or runs, are skipped.
pub(crate) fn files_below(folder: &Path, levels: usize) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = VecDeque::from([(folder.to_owned(), 0)]);
    let mut left = MOST;
    while let Some((current, level)) = folders.pop_front() {
        for entry in std::fs::read_dir(&current).into_iter().flatten().flatten() {
            let Some(rest) = left.checked_sub(1) else { return files };
            left = rest;
            let (path, name) = (entry.path(), entry.file_name());
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                let other = OTHERS.iter().any(|other| name.eq_ignore_ascii_case(other));
                if level < levels && !other && !leads_up(&path) {
                    folders.push_back((path, level + 1));
                }
            } else if level > 0 {
                files.push(path);
            }
        }
    }
    files
}

/// Whether a folder is a link to one of the folders that contain it.
fn leads_up(folder: &Path) -> bool {
    let above = |target: PathBuf| {
        folder.parent().and_then(|parent| parent.canonicalize().ok()).is_some_and(|p| p.starts_with(target))
    };
    folder.is_symlink() && folder.canonicalize().is_ok_and(above)
}
