//! Lists and the files that are there, apart from each other.
use std::fs;
use std::path::Path;

use nalgebra::Point3;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::scene::{LoadOptions, Outline, SceneError, outline};
use crate::testing::{ngp_scene, orbit, picture};

fn scene(folder: &Path, edit: impl FnOnce(&mut Value)) {
    ngp_scene(folder, &orbit(5, 2.0, Point3::origin()), edit);
}

fn read(folder: &Path) -> Result<Outline, SceneError> {
    outline(folder, &LoadOptions::default())
}

fn said(folder: &Path) -> String {
    read(folder).unwrap().warnings.join("\n")
}

#[test]
fn paths_that_were_written_elsewhere_lead_to_the_same_files() {
    let folder = tempdir().unwrap();
    for (from, written) in [
        ("./images/01.png", ".\\images\\01.png"),
        ("./images/01.png", "C:\\Users\\me\\capture\\images\\01.png"),
        ("./images/01.png", "/home/someone/capture/images/01.png"),
        ("./images/01.png", "images/01.PNG"),
        ("./images/01.png", "images/01.jpg"),
    ] {
        scene(folder.path(), |json| {
            let path = &mut json["frames"][3]["file_path"];
            *path = json!(path.as_str().unwrap().replace("./", ""));
            assert!(from.ends_with(path.as_str().unwrap()), "{path}");
            *path = json!(written);
        });
        let outline = read(folder.path()).unwrap();
        assert!(outline.missing.is_empty(), "{written}: {:?}", outline.missing);
        assert!(
            outline.views.iter().any(|v| v.name == written && v.path.ends_with("images/01.png")),
            "{written}"
        );
        let said = outline.warnings.join("\n");
        assert!(said.contains("1 images were found under other paths") && said.contains(written), "{said}");
    }
    // What is not there under any name stays missing, and two that would do are none.
    scene(folder.path(), |json| json["frames"][3]["file_path"] = json!("images/33.jpg"));
    assert_eq!(read(folder.path()).unwrap().missing.len(), 1);
    for name in ["x.webp", "X.jpg"] {
        picture(&folder.path().join("images/plain.png"), 8, 6, 1);
        fs::copy(folder.path().join("images/plain.png"), folder.path().join("images").join(name)).unwrap();
    }
    scene(folder.path(), |json| json["frames"][3]["file_path"] = json!("images/x.bmp"));
    assert_eq!(read(folder.path()).unwrap().missing.len(), 1);
}

#[test]
fn what_is_listed_twice_counts_once() {
    let folder = tempdir().unwrap();
    let again = |json: &mut Value| {
        let frame = json["frames"][2].clone();
        json["frames"].as_array_mut().unwrap().push(frame);
    };
    scene(folder.path(), again);
    let outline = read(folder.path()).unwrap();
    assert_eq!(outline.views.len(), 5);
    assert!(outline.warnings.join("\n").contains("1 images are listed more than once"));
    scene(folder.path(), |json| {
        again(json);
        json["frames"][5]["transform_matrix"][0][3] = json!(0.5);
    });
    let error = read(folder.path()).unwrap_err().to_string();
    for part in ["frames[5]", "frames[2]", "images/02.png", "with another pose", "remove"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn masks_that_no_frame_lists_give_a_warning() {
    let folder = tempdir().unwrap();
    scene(folder.path(), |_| ());
    assert_eq!(said(folder.path()), "");
    fs::create_dir(folder.path().join("masks")).unwrap();
    let text = said(folder.path());
    assert!(text.contains("5 of 5 images have no mask") && text.contains("mask_path"), "{text}");
}

#[test]
fn split_lists_that_overlap_are_said_and_empty_ones_are_none() {
    let folder = tempdir().unwrap();
    let all: Vec<String> = (0..5).map(|i| format!("images/{i:02}.png")).collect();
    scene(folder.path(), |json| {
        json["train_filenames"] = json!(all);
        json["test_filenames"] = json!(all[3..]);
    });
    assert!(said(folder.path()).contains("2 file names are in the split lists more than once"));
    scene(folder.path(), |json| {
        json["train_filenames"] = json!([]);
        json["test_filenames"] = json!([]);
    });
    let outline = read(folder.path()).unwrap();
    assert_eq!((outline.views.len(), outline.splits.test.len()), (5, 1));
}

#[test]
fn fields_of_both_formats_give_a_warning() {
    let folder = tempdir().unwrap();
    scene(folder.path(), |json| {
        json["aabb_scale"] = json!(4);
        json["applied_transform"] = json!([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]);
        json["ply_file_path"] = json!("points.ply");
    });
    let text = said(folder.path());
    assert!(
        text.contains(
            "Nerfstudio's applied_transform, ply_file_path are ignored because of Instant-NGP's aabb_scale"
        ),
        "{text}"
    );
}
