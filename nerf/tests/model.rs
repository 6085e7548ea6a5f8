//! A model without its trainer: what a run leaves shows what it showed, with no photograph near.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use nalgebra::{Isometry3, Point3, UnitQuaternion, Vector3};
use nerve_core::device::DeviceKind;
use nerve_core::run::{Existing, RunFolder};
use nerve_data::{Camera, Intrinsics, Scene};
use nerve_nerf::compact::{self, CompactOptions, Values};
use nerve_nerf::config::Method;
use nerve_nerf::hollow::HollowConfig;
use nerve_nerf::{KIND, Model, NerfConfig, NerfError, OpenOptions, Trainer};
use std::path::Path;
use std::sync::Arc;

/// On one worker: tests run beside each other.
fn open(path: &Path) -> Result<Model, String> {
    Model::open(path, &OpenOptions { threads: 1, ..OpenOptions::default() }).map_err(|e| e.to_string())
}

/// A run in `folder` as `nerve train` leaves it.
fn run(folder: &Path, config: NerfConfig, scene: &Arc<Scene>) -> Trainer {
    let run = RunFolder::create(folder, KIND, DeviceKind::Cpu, &config, Existing::Keep).unwrap();
    let steps = config.train.run.steps.unwrap();
    let mut trainer = Trainer::new(config, scene.clone(), 2).unwrap();
    train(&mut trainer, steps);
    trainer.save(&run.checkpoint_path()).unwrap();
    trainer
}

/// Another place to look from than any view's, at another size.
fn elsewhere(scene: &Scene) -> Camera {
    let intrinsics = scene.views[0].camera.intrinsics.resized(37, 23);
    let pose = scene.views[0].camera.pose * Isometry3::translation(0.1, -0.05, -0.3);
    Camera { intrinsics, pose }
}

/// All that a model shows, to the last bit.
fn shown(model: &mut Model, scene: &Scene) -> Result<Vec<u32>, NerfError> {
    let camera = scene.views[scene.splits.test[0]].camera.clone();
    let mut all = Vec::new();
    for camera in [camera, elsewhere(scene)] {
        let picture = model.render(&camera)?;
        assert_eq!((picture.width, picture.height), (camera.intrinsics.width, camera.intrinsics.height));
        all.extend(picture.colors(0.5));
        all.extend(picture.surfaces());
    }
    let points: Vec<Point3<f64>> =
        (0..50).map(|i| Point3::new(0.05 * f64::from(i) - 1.2, 0.1, 0.02 * f64::from(i))).collect();
    all.extend(model.densities(&points)?);
    Ok(all.into_iter().map(f32::to_bits).collect())
}

#[test]
fn a_run_shows_the_same_pixels_without_its_scene() {
    let scene = demo(48, 8);
    let plain = config(60);
    let mut average = config(60);
    average.train.ema = Some(0.9);
    let mut cameras = config(60);
    (cameras.cameras.refine_poses, cameras.cameras.appearance) = (true, true);
    let hollow = HollowConfig { saliency_side: 16, ..HollowConfig::default() };
    let mut hollow = NerfConfig { hollow, ..config(60) };
    hollow.field.method = Method::Hollow;
    // Before the first refresh of its occupancy grid.
    let young = config(9);
    for (name, config) in
        [("plain", plain), ("average", average), ("cameras", cameras), ("hollow", hollow), ("young", young)]
    {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(name);
        let mut trainer = run(&folder, config, &scene);
        let want = trainer.averaged(shown).unwrap();
        for path in [folder.clone(), folder.join("checkpoint.safetensors")] {
            let mut model = open(&path).unwrap();
            assert!(shown(&mut model, &scene).unwrap() == want, "{name}: {}", path.display());
            assert_eq!(model.parameters(), trainer.model().parameters());
            assert_eq!(model.parameter_groups(), trainer.model().parameter_groups());
            assert_eq!(model.step_count(), trainer.step_count());
            let [seen, trained] = [model.config(), trainer.config()];
            assert_eq!((&seen.grid, &seen.hollow), (&trained.grid, &trained.hollow));
            assert_eq!((model.elapsed(), model.occupied()), (trainer.elapsed(), trainer.model().occupied()));
            assert_eq!(model.capture(), trainer.model().capture());
            assert_eq!(model.pose_change(), trainer.model().pose_change());
            let view = &model.capture().views[0].name;
            assert_eq!(model.refined_camera(view), trainer.model().refined_camera(view));
        }
        // The checkpoint alone.
        let alone = place.path().join("alone.safetensors");
        std::fs::rename(folder.join("checkpoint.safetensors"), &alone).unwrap();
        assert!(shown(&mut open(&alone).unwrap(), &scene).unwrap() == want, "{name}");
    }
}

/// What lies behind the header.
fn tensors(path: &Path) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header..].to_vec()
}

/// From the model of a run, and from the trainer itself: the same values, which shows the same whatever opens it.
#[test]
fn a_compact_file_needs_no_scene_either() {
    let (scene, place) = (demo(48, 8), tempfile::tempdir().unwrap());
    let mut config = config(100);
    (config.cameras.refine_poses, config.cameras.appearance) = (true, true);
    let mut trainer = run(&place.path().join("run"), config, &scene);
    let mut model = open(&place.path().join("run")).unwrap();
    for values in [Values::F16, Values::U8] {
        let options = CompactOptions { values, ..CompactOptions::default() };
        let [first, second] = ["first", "second"].map(|name| place.path().join(name));
        trainer.averaged(|model, _| compact::write(model, None, &first, &options, &mut |_, _| {})).unwrap();
        compact::write(&mut model, None, &second, &options, &mut |_, _| {}).unwrap();
        // But for what the configuration left open, and the trainer has decided.
        assert!(tensors(&first) == tensors(&second), "{values:?}");
        let [mut first, mut second] = [first, second].map(|path| open(&path).unwrap());
        assert!(shown(&mut first, &scene).unwrap() == shown(&mut second, &scene).unwrap());
        assert_eq!(first.capture(), model.capture());
        assert!(first.is_whole() && first.pose_change().is_some());
        let off = |model: &mut Model| model.render(&elsewhere(&scene)).unwrap().colors(1.0);
        let worst =
            off(&mut first).iter().zip(off(&mut model)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 0.2, "{values:?}: {worst}");
    }
}

/// Densities are those of the world: of a world that is twice as large they are half as high.
#[test]
fn densities_are_per_length_of_the_world() {
    let scene = demo(32, 6);
    let mut large = (*scene).clone();
    for view in &mut large.views {
        view.camera.pose.translation.vector *= 2.0;
    }
    let turn = UnitQuaternion::identity();
    large.frame = nalgebra::Similarity3::from_parts(
        scene.frame.isometry.translation,
        turn * scene.frame.isometry.rotation,
        scene.frame.scaling() / 2.0,
    );
    let densities = |scene: Scene, scale: f64| {
        let mut trainer = Trainer::new(config(60), Arc::new(scene), 2).unwrap();
        train(&mut trainer, 60);
        let points: Vec<Point3<f64>> =
            (0..40).map(|i| Point3::from(Vector3::repeat(0.04 * f64::from(i) - 0.8) * scale)).collect();
        (trainer.model_mut().densities(&points).unwrap(), trainer.model().corners())
    };
    let ((small, corners), (half, wide)) = (densities((*scene).clone(), 1.0), densities(large, 2.0));
    assert!(small.iter().any(|d| *d > 1.0), "{small:?}");
    for (a, b) in small.iter().zip(&half) {
        assert!((a - 2.0 * b).abs() <= 1e-3 * a.abs(), "{a} {b}");
    }
    for (a, b) in corners.iter().zip(&wide) {
        assert!((b.coords - a.coords * 2.0).norm() < 1e-9);
    }
    // Outside of the box there is nothing, nor where no place is.
    let mut trainer = Trainer::new(config(10), scene, 1).unwrap();
    let far = corners[7] + (corners[7] - corners[0]) * 0.01;
    let nowhere = Point3::new(f64::NAN, f64::INFINITY, 0.0);
    assert_eq!(trainer.model_mut().densities(&[far, nowhere]).unwrap(), [0.0, 0.0]);
    let inside = corners[0] + (corners[7] - corners[0]) * 0.5;
    assert!(trainer.model_mut().densities(&[inside]).unwrap()[0] > 0.0);
}

/// A closed cell of a hollow field has a density of about 1 by itself, but no ray takes a sample there.
#[test]
fn densities_are_what_rays_see() {
    let scene = demo(32, 6);
    let hollow = HollowConfig { saliency_side: 16, ..HollowConfig::default() };
    let mut hollow = NerfConfig { hollow, ..config(60) };
    hollow.field.method = Method::Hollow;
    let mut trainer = Trainer::new(hollow, scene, 2).unwrap();
    train(&mut trainer, 60);
    let model = trainer.model_mut();
    let corners = model.corners();
    let at = |i: u32| {
        let part = [i % 12, i / 12 % 12, i / 144].map(|p| (f64::from(p) + 0.5) / 12.0);
        corners[0] + (corners[7] - corners[0]).component_mul(&Vector3::from(part))
    };
    let densities = model.densities(&(0..1728).map(at).collect::<Vec<_>>()).unwrap();
    let empty = densities.iter().filter(|d| **d == 0.0).count() as f64 / 1728.0;
    let (most, share) = (densities.iter().copied().fold(0.0, f32::max), model.occupied());
    assert!(most > 0.0 && empty > 0.1, "{most} {empty} {share}");
    assert!((empty - (1.0 - model.occupied())).abs() < 0.1, "{empty} {}", model.occupied());
}

#[test]
fn what_is_no_model_says_so() {
    let (scene, place) = (demo(32, 4), tempfile::tempdir().unwrap());
    let at = |name: &str| place.path().join(name);
    run(&at("run"), config(20), &scene);
    let file = at("run/checkpoint.safetensors");
    let good = std::fs::read(&file).unwrap();
    let fails = |path: &Path, parts: &[&str]| {
        let error = open(path).err().unwrap_or_else(|| panic!("{} opens", path.display()));
        for part in parts.iter().chain(&[path.file_name().unwrap().to_str().unwrap()]) {
            assert!(error.contains(part), "{part} in {error}");
        }
    };
    fails(&at("absent"), &["does not exist"]);
    std::fs::create_dir(at("empty")).unwrap();
    fails(&at("empty"), &["no config.toml"]);
    for damaged in [&good[..good.len() / 2], b"not a checkpoint at all"] {
        std::fs::write(at("damaged"), damaged).unwrap();
        fails(&at("damaged"), &["not a complete safetensors file", "train again"]);
    }
    let mut flipped = good.clone();
    let middle = good.len() / 2;
    flipped[middle] ^= 0x10;
    std::fs::write(at("flipped"), flipped).unwrap();
    fails(&at("flipped"), &["is damaged: its checksum", "tensor '"]);
    // Of another kind of run, and of another program.
    let meta = |kind: &str| [("kind".to_owned(), kind.to_owned())].into();
    nerve_core::checkpoint::save(&at("other"), &meta("segmentation"), &[]).unwrap();
    fails(&at("other"), &["'segmentation'", "compact file"]);
    std::fs::write(at("foreign"), [&2u64.to_le_bytes()[..], b"{}"].concat()).unwrap();
    fails(&at("foreign"), &["nerve did not write it"]);
    let segmenter =
        RunFolder::create(at("labels"), "segmentation", DeviceKind::Cpu, &config(1), Existing::Keep).unwrap();
    assert!(open(segmenter.path()).err().unwrap().contains("'segmentation'"));
    // Its config.toml changed: to learn what it has not learned, and to what cannot be.
    let text = std::fs::read_to_string(at("run/config.toml")).unwrap();
    for (from, to, parts) in [
        (
            "refine_poses = false",
            "refine_poses = true",
            ["checkpoint.safetensors", "no tensor", "config.toml"],
        ),
        ("appearance = false", "appearance = true", ["checkpoint.safetensors", "no tensor", "config.toml"]),
        ("\nlr = 0.01", "\nlr = nan", ["config.toml: `lr` is NaN", "positive", "number"]),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        std::fs::write(at("run/config.toml"), text.replace(from, to)).unwrap();
        fails(&at("run"), &parts);
    }
    std::fs::write(at("run/config.toml"), &text).unwrap();
    // Never saved.
    std::fs::remove_file(&file).unwrap();
    let error = open(&at("run")).err().unwrap();
    assert!(error.contains("never saved") && error.contains("nerve resume"), "{error}");
}

#[test]
fn a_scene_is_attached_only_where_it_lies_as_it_did() {
    let (scene, place) = (demo(32, 4), tempfile::tempdir().unwrap());
    let path = place.path().join("run");
    let mut trainer = run(&path, config(30), &scene);
    let want = measured(&mut trainer);
    let mut model = open(&path).unwrap();
    model.attach(&scene, &path).unwrap();
    let views = &scene.splits.test;
    let seen = evaluated(&mut model, &scene, views);
    assert_eq!((seen.psnr, seen.ssim, seen.step), (want.psnr, want.ssim, 30));
    let mut moved = (*scene).clone();
    moved.frame.append_scaling_mut(1.01);
    let error = model.attach(&moved, &path).unwrap_err().to_string();
    assert!(error.contains("another scene"), "{error}");
}

/// Intrinsics of any size look through the same lens.
#[test]
fn any_size_shows_the_same_view() {
    let scene = demo(32, 6);
    let (_, mut trainer) = trained(config(150), &scene);
    let camera = scene.views[0].camera.clone();
    let mut mean = |n: u32| {
        let side = camera.intrinsics.width * n;
        let intrinsics: Intrinsics = camera.intrinsics.resized(side, side);
        let picture = trainer.model_mut().render(&Camera { intrinsics, pose: camera.pose }).unwrap();
        let colors = picture.colors(1.0);
        // Blocks of n x n pixels.
        let mut small = vec![0.0f32; (32 * 32 * 3) as usize];
        for (i, color) in colors.chunks_exact(3).enumerate() {
            let (x, y) = (i as u32 % side / n, i as u32 / side / n);
            (0..3).for_each(|c| small[((y * 32 + x) * 3) as usize + c] += color[c] / (n * n) as f32);
        }
        small
    };
    let (one, three) = (mean(1), mean(3));
    let off = one.iter().zip(&three).map(|(a, b)| (a - b).abs()).sum::<f32>() / one.len() as f32;
    assert!(off < 0.03, "{off}");
}
