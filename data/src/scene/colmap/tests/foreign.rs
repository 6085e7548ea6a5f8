//! Models that other programs wrote, on other machines.
use std::fs;
use std::path::Path;

use nalgebra::Point3;

use crate::scene::{LoadOptions, Outline, SceneError, outline};
use crate::testing::{ColmapScene, orbit, picture};

fn written(root: &Path, edit: impl FnOnce(&mut ColmapScene), change: impl FnOnce(&mut [String; 3])) {
    let poses = orbit(4, 2.0, Point3::origin());
    let mut scene = ColmapScene::new("SIMPLE_PINHOLE", 8, 6, &[9.0, 4.0, 3.0], &poses);
    (0..4).for_each(|i| picture(&root.join(format!("images/site/{i}.png")), 8, 6, i));
    scene.images.iter_mut().zip(0..).for_each(|(image, i)| image.2 = format!("site/{i}.png"));
    edit(&mut scene);
    let mut files = scene.text();
    change(&mut files);
    fs::create_dir_all(root.join("sparse/0")).unwrap();
    for (name, text) in ["cameras", "images", "points3D"].iter().zip(files) {
        fs::write(root.join("sparse/0").join(format!("{name}.txt")), text).unwrap();
    }
}

fn read(root: &Path) -> Result<Outline, SceneError> {
    outline(root, &LoadOptions::default())
}

#[test]
fn paths_of_another_machine_lead_to_the_same_images() {
    for start in ["D:/capture/images/", "D:\\capture\\images\\", "/home/someone/images/"] {
        let folder = tempfile::tempdir().unwrap();
        let name = |name: &str| {
            let name = format!("{start}{name}");
            if start.contains('\\') { name.replace('/', "\\") } else { name }
        };
        written(
            folder.path(),
            |scene| scene.images.iter_mut().for_each(|image| image.2 = name(&image.2)),
            |_| (),
        );
        let outline = read(folder.path()).unwrap();
        assert_eq!((outline.views.len(), outline.missing.len()), (4, 0), "{start}");
        for (i, view) in outline.views.iter().enumerate() {
            assert!(view.path.ends_with(format!("images/site/{i}.png")), "{start}: {:?}", view.path);
        }
        let said = outline.warnings.join("\n");
        assert!(said.contains("4 images have paths of another machine"), "{said}");
    }
}

#[test]
fn what_is_unusable_and_unused_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let sphere = |files: &mut [String; 3]| files[0] += "8 SPHERE 4000 2000 1\n";
    written(root, |_| (), sphere);
    assert_eq!(read(root).unwrap().views.len(), 4);
    written(root, |scene| scene.images[1].1 = 8, sphere);
    let error = read(root).unwrap_err().to_string();
    assert!(error.contains("line 3: its camera model is \"SPHERE\""), "{error}");

    for nan in ["-nan(ind)", "nan", "-nan"] {
        written(
            root,
            |_| (),
            |files| {
                let (second, name) = ("\n2 ", "site/1.png");
                let start = files[1].find(second).unwrap() + second.len();
                let end = start + files[1][start..].find(name).unwrap();
                files[1].replace_range(start..end, &format!("{nan} {nan} {nan} {nan} {nan} {nan} {nan} 7 "));
            },
        );
        let outline = read(root).unwrap();
        let names: Vec<_> = outline.views.iter().map(|view| view.name.as_str()).collect();
        assert_eq!(names, ["site/0.png", "site/2.png", "site/3.png"]);
        let said = outline.warnings.join("\n");
        assert!(said.contains("1 images have no pose and are left out: site/1.png"), "{said}");
    }
}

#[test]
fn the_other_format_beside_a_broken_model_is_offered() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    written(root, |_| (), |files| files[0] = "1 PINHOLE wide\n".into());
    let alone = read(root).unwrap_err().to_string();
    assert!(!alone.contains("poses_bounds.npy"), "{alone}");
    fs::write(root.join("poses_bounds.npy"), "").unwrap();
    let both = read(root).unwrap_err().to_string();
    assert!(both.starts_with(&alone) && both.contains("poses_bounds.npy itself"), "{both}");
}
