//! Opening regular files: a pipe would wait for a writer, a device may have no end.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file for reading, links followed.
///
/// # Errors
/// If it cannot be opened, or is a folder, a pipe, a socket or a device.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    regular(&std::fs::metadata(path)?)?;
    let file = File::open(path)?;
    // Another file may have taken its place meanwhile.
    regular(&file.metadata()?)?;
    Ok(file)
}

/// All bytes of a file.
///
/// # Errors
/// As [`open`].
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file's text.
///
/// # Errors
/// As [`open`], and if it is not UTF-8.
pub(crate) fn read_to_string(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open(path)?.read_to_string(&mut text)?;
    Ok(text)
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(io::Error::new(
            ErrorKind::InvalidInput,
            "not a regular file but a folder, pipe, socket or device; copy what it gives to a file",
        )),
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use nalgebra::Point3;

    use super::*;
    use crate::image::{DepthMap, Image8, ImageHeader, Mask};
    use crate::scene::{LoadOptions, load};
    use crate::testing::{ColmapScene, ngp_scene, orbit};

    fn pipe(path: &Path) {
        let _ = std::fs::remove_file(path);
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    }

    /// What does not end on its own fails by time.
    fn ends<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (done, result) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(work()));
        result.recv_timeout(std::time::Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn pipes_and_devices_are_refused_wherever_a_file_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("pipe.png");
        pipe(&at);
        let refused = |error: String| assert!(error.contains("not a regular file"), "{error}");
        for path in [at, "/dev/zero".into()] {
            let error = ends({
                let path = path.clone();
                move || read(&path).unwrap_err().to_string() + &read_to_string(&path).unwrap_err().to_string()
            });
            refused(error);
            type Opens = fn(&Path) -> Result<(), crate::image::ImageError>;
            let opens: [Opens; 5] = [
                |p| Image8::open(p).map(|_| ()),
                |p| ImageHeader::read(p).map(|_| ()),
                |p| Mask::open(p).map(|_| ()),
                |p| DepthMap::open(p, 1.0).map(|_| ()),
                |p| crate::image::check_whole(p),
            ];
            for open in opens {
                let path = path.clone();
                let error = ends(move || open(&path).unwrap_err());
                refused(std::error::Error::source(&error).unwrap().to_string());
            }
        }
    }

    #[test]
    fn no_file_of_a_scene_may_be_a_pipe() {
        let poses = orbit(3, 2.0, Point3::origin());
        let opened = |path: std::path::PathBuf| ends(move || load(&path, &LoadOptions::default()).is_ok());
        for name in ["transforms.json", "images/01.png", "mask.png", "points.ply", "depth.npy"] {
            let folder = tempfile::tempdir().unwrap();
            ngp_scene(folder.path(), &poses, |json| {
                json["camera_model"] = "OPENCV".into();
                json["ply_file_path"] = "points.ply".into();
                json["frames"][0]["mask_path"] = "mask.png".into();
                json["frames"][0]["depth_file_path"] = "depth.npy".into();
            });
            pipe(&folder.path().join(name));
            opened(folder.path().to_owned());
            assert!(name != "transforms.json" || !opened(folder.path().join(name)));
        }
        for name in ["cameras.bin", "images.bin", "points3D.bin"] {
            let folder = tempfile::tempdir().unwrap();
            ColmapScene::new("SIMPLE_PINHOLE", 16, 12, &[18.0, 8.0, 6.0], &poses).write(
                folder.path(),
                "sparse/0",
                true,
            );
            (0..3).for_each(|i| {
                crate::testing::picture(&folder.path().join(format!("images/{i}.png")), 16, 12, i)
            });
            assert!(opened(folder.path().to_owned()));
            pipe(&folder.path().join("sparse/0").join(name));
            opened(folder.path().to_owned());
        }
        let folder = tempfile::tempdir().unwrap();
        pipe(&folder.path().join("poses_bounds.npy"));
        assert!(!opened(folder.path().to_owned()) && !opened(folder.path().join("poses_bounds.npy")));
    }
}
