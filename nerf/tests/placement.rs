//! A run goes on in the unit frame that it began in, wherever a later version would place its scene.
#![allow(clippy::unwrap_used)]

mod common;

use common::config;
use nalgebra::{Similarity3, UnitQuaternion, Vector3};
use nerve_core::device::DeviceKind;
use nerve_core::run::{Existing, RunFolder};
use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::{LoadOptions, Outline, outline};
use nerve_nerf::{Capture, KIND, Model, OpenOptions, Trainer};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// Nerfstudio's files do not say where the scene lies: it is found from the cameras.
fn nerfstudio(folder: &Path) {
    let config = DemoConfig { resolution: 16, train: 6, test: 1, supersample: 1, shadow: 1 };
    demo::write(folder, &config, &|_, _| ()).unwrap();
    let train = folder.join("transforms_train.json");
    let mut file: Value = serde_json::from_str(&std::fs::read_to_string(&train).unwrap()).unwrap();
    file["camera_model"] = json!("OPENCV");
    std::fs::write(folder.join("transforms.json"), file.to_string()).unwrap();
    for split in ["train", "test"] {
        std::fs::remove_file(folder.join(format!("transforms_{split}.json"))).unwrap();
    }
}

fn read(folder: &Path) -> Outline {
    outline(folder, &LoadOptions { holdout_every: 3, ..LoadOptions::default() }).unwrap()
}

/// As a version places it that holds another direction for up.
fn tilted(folder: &Path) -> Outline {
    let mut scene = read(folder);
    let middle = Vector3::repeat(0.5);
    let turn = UnitQuaternion::from_euler_angles(0.2, -0.1, 0.05);
    scene.frame = Similarity3::new(middle - turn * middle, turn.scaled_axis(), 1.0) * scene.frame;
    scene
}

#[test]
fn a_run_keeps_the_unit_frame_that_it_began_in() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("scene");
    nerfstudio(&folder);
    let then = tilted(&folder);
    let frame = then.unit_frame();
    let run = RunFolder::create(place.path().join("run"), KIND, DeviceKind::Cpu, &config(4), Existing::Keep);
    let run = run.unwrap();
    let path = run.checkpoint_path();
    let mut trainer = Trainer::new(config(4), Arc::new(then.load().unwrap()), 1).unwrap();
    common::train(&mut trainer, 2);
    trainer.save(&path).unwrap();
    common::train(&mut trainer, 2);

    let mut now = read(&folder);
    assert!(!now.unit_frame().is_same(&frame));
    let capture = Capture::read(&path).unwrap();
    assert!(capture.place(&mut now, &path).unwrap(), "it lies otherwise now");
    assert_eq!(now.unit_frame(), frame, "to the last bit");
    assert!(!capture.place(&mut now, &path).unwrap(), "nothing is left to do");
    let scene = Arc::new(now.load().unwrap());
    let mut resumed = Trainer::new(config(4), scene.clone(), 1).unwrap();
    resumed.resume(&path).unwrap();
    common::train(&mut resumed, 2);
    assert_eq!(common::saved(&resumed, place.path()), common::saved(&trainer, place.path()));
    let mut model = Model::open(run.path(), &OpenOptions { threads: 1, ..OpenOptions::default() }).unwrap();
    model.attach(&scene, &path).unwrap();
    let error = model.attach(&read(&folder).load().unwrap(), &path).unwrap_err().to_string();
    assert!(error.contains("another scene"), "{error}");

    // Without its cameras, as the first versions saved it: another direction for up is known by the frame alone.
    let mut bare = capture.clone();
    bare.views.clear();
    let mut now = read(&folder);
    assert!(bare.place(&mut now, &path).unwrap());
    let mut moved = read(&folder);
    moved.frame.append_scaling_mut(1.01);
    let error = bare.place(&mut moved, &path).unwrap_err().to_string();
    assert!(error.contains("another scene"), "{error}");
    // A frame that the files state is the user's to keep.
    let mut stated = read(&folder);
    stated.frame_is_stated = true;
    let error = capture.place(&mut stated, &path).unwrap_err().to_string();
    assert!(error.contains("another scene"), "{error}");
}

#[test]
fn poses_and_lenses_that_changed_are_counted_and_named() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("scene");
    nerfstudio(&folder);
    let path = place.path().join("checkpoint");
    Trainer::new(config(1), Arc::new(tilted(&folder).load().unwrap()), 1).unwrap().save(&path).unwrap();
    let capture = Capture::read(&path).unwrap();
    let with = |change: &dyn Fn(&mut Outline)| {
        let mut scene = read(&folder);
        change(&mut scene);
        let attached = {
            let mut scene = scene.clone();
            scene.place(&capture.frame);
            let mut model =
                Model::open(&path, &OpenOptions { threads: 1, ..OpenOptions::default() }).unwrap();
            model.attach(&scene.load().unwrap(), &path).map_err(|error| error.to_string())
        };
        let placed = capture.place(&mut scene, &path).map(drop).map_err(|error| error.to_string());
        assert_eq!(placed, attached);
        placed
    };
    assert_eq!(with(&|_| {}), Ok(()));
    let (first, test) = (read(&folder).splits.train[0], read(&folder).splits.test[0]);
    let name = read(&folder).views[first].name.clone();
    let error = with(&|scene| scene.views[first].camera.pose.translation.vector.x += 0.01).unwrap_err();
    assert!(error.contains(&name) && error.contains("another pose or lens"), "{error}");
    let error =
        with(&|scene| scene.views.iter_mut().for_each(|view| view.camera.intrinsics.fx *= 1.1)).unwrap_err();
    assert!(error.contains("4 of 4 training views") && error.contains(&name), "{error}");
    // Nothing was learned from what is held out.
    assert_eq!(with(&|scene| scene.views[test].camera.intrinsics.fx *= 1.1), Ok(()));
}
