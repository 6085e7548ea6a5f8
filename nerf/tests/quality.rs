//! Distortion, known distances and masks, on scenes made to need them; everything at once gives the same bits.
#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use nerve_data::demo::{self, DemoConfig};
use nerve_data::image::{DepthMap, Mask};
use nerve_data::scene::ScenePoint;
use nerve_data::{Image8, Scene};
use nerve_nerf::{Model, NerfConfig, NerfError, Trainer};
use std::sync::Arc;

/// The demo with its exact depth, along the optical axis as files have it.
fn with_depth(resolution: usize, train: usize) -> Scene {
    let config = DemoConfig { resolution, train, test: 4, supersample: 2, shadow: 1 };
    let mut scene = demo::scene(&config).unwrap();
    for (view, exact) in scene.views.iter_mut().zip(demo::render(&config).unwrap().views) {
        let forward = view.camera.forward();
        let depth: Vec<f32> = (0..resolution * resolution)
            .map(|i| {
                let (x, y) = (i % resolution, i / resolution);
                let ray = view.camera.ray(x as f64 + 0.5, y as f64 + 0.5);
                exact.depth[[y, x]] * ray.direction.dot(&forward) as f32
            })
            .collect();
        view.depth = Some(DepthMap::new(resolution as u32, resolution as u32, depth).unwrap());
    }
    scene
}

/// Eight views can be explained by much that hangs in front of the scene; the others see it.
#[test]
fn distortion_takes_floaters_away() {
    let scene = demo(64, 8);
    let run = |distortion| {
        let mut config = config(400);
        config.train.distortion = distortion;
        trained(config, &scene).0.psnr
    };
    let (without, with) = (run(0.0), run(0.03));
    println!("without {without:.2}, with {with:.2}");
    assert!(with > without + 0.3, "{with} {without}");
}

/// Six views leave depth open; knowing it, as maps or at single points, helps the others.
#[test]
fn known_distances_help_where_views_are_few() {
    let scene = with_depth(64, 6);
    let points = |scene: &Scene| {
        let mut scene = scene.clone();
        for (index, view) in scene.views.iter_mut().enumerate() {
            let map = view.depth.take().unwrap();
            for i in (0..64 * 64).step_by(37) {
                let (x, y) = (i % 64, i / 64);
                let Some(z) = map.at(x, y) else { continue };
                let ray = view.camera.ray(f64::from(x) + 0.5, f64::from(y) + 0.5);
                let distance = f64::from(z) / ray.direction.dot(&view.camera.forward());
                let position = ray.origin + ray.direction * distance;
                scene.points.push(ScenePoint {
                    position,
                    color: [0; 3],
                    error: 0.0,
                    views: vec![index as u32],
                });
            }
        }
        scene
    };
    // Where nothing is asked for, points decide: they tell where surfaces are, maps may be of any quality.
    let unasked = |scene: Scene| Trainer::new(config(10), Arc::new(scene), 1).unwrap().config().train.depth;
    assert_eq!([unasked(points(&scene)), unasked(scene.clone())], [Some(0.1), Some(0.0)]);
    let run = |scene: &Scene, depth| {
        let mut config = config(400);
        config.train.depth = Some(depth);
        trained(config, &Arc::new(scene.clone())).0.psnr
    };
    let (without, maps, sparse) = (run(&scene, 0.0), run(&scene, 0.1), run(&points(&scene), 0.1));
    println!("without {without:.2}, with maps {maps:.2}, with points {sparse:.2}");
    assert!(maps > without + 1.0, "{maps} {without}");
    assert!(sparse > without + 0.3, "{sparse} {without}");
}

#[test]
fn distances_that_nobody_knows_are_refused() {
    let mut config = config(10);
    config.train.depth = Some(0.1);
    let error = Trainer::new(config, demo(32, 4), 1).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("--depth"), "{error}");
}

/// A square of every photograph is painted over, elsewhere in each, and masked.
#[test]
fn masked_pixels_are_neither_learnt_nor_measured() {
    let clean = demo(64, 30);
    let (mut painted, mut masked) = ((*clean).clone(), (*clean).clone());
    let mut random = Random(9);
    for view in clean.splits.train.iter().chain(&clean.splits.test) {
        let corner = [0; 2].map(|_| (20.0 + 12.0 * random.signed()) as u32);
        let inside = |i: usize| {
            let (x, y) = (i as u32 % 64, i as u32 / 64);
            (corner[0]..corner[0] + 20).contains(&x) && (corner[1]..corner[1] + 20).contains(&y)
        };
        let image = &clean.views[*view].image;
        let data = image.data().chunks_exact(4).enumerate();
        let data: Vec<u8> = data
            .flat_map(|(i, p)| if inside(i) { [255, 0, 255, 255] } else { [p[0], p[1], p[2], p[3]] })
            .collect();
        let image = Image8::new(64, 64, 4, data).unwrap();
        masked.views[*view].image = image.clone();
        masked.views[*view].mask =
            Some(Mask::new(64, 64, (0..64 * 64).map(|i| !inside(i)).collect::<Vec<bool>>()).unwrap());
        if clean.splits.train.contains(view) {
            painted.views[*view].image = image;
        }
    }
    let run = |scene: Scene| trained(config(400), &Arc::new(scene)).0;
    let (whole, spoilt, saved) = (run((*clean).clone()), run(painted), run(masked));
    println!("clean {:.2}, painted {:.2}, masked {:.2}", whole.psnr, spoilt.psnr, saved.psnr);
    assert!(spoilt.psnr < whole.psnr - 3.0, "{} {}", spoilt.psnr, whole.psnr);
    // The held-out views' own squares are not measured either, or this would be below 20 dB.
    assert!(saved.psnr > whole.psnr - 1.0 && saved.ssim > whole.ssim - 0.02, "{saved:?} {whole:?}");
}

/// Poses, colors, distortion, depth, a mask and an average, and cells that no camera sees.
fn everything() -> (NerfConfig, Arc<Scene>) {
    let mut scene = with_depth(32, 5);
    let first = scene.splits.train[0];
    scene.views[first].mask =
        Some(Mask::new(32, 32, (0..32 * 32).map(|i| i % 32 > 3).collect::<Vec<bool>>()).unwrap());
    let mut config = config(60);
    (config.cameras.refine_poses, config.cameras.appearance) = (true, true);
    (config.train.distortion, config.train.depth, config.train.ema) = (0.01, Some(0.1), Some(0.9));
    config.train.batch_samples = 4096;
    (config, Arc::new(scene))
}

#[test]
fn with_everything_a_run_ends_the_same_on_any_threads_and_after_any_stop() {
    let ((config, scene), folder) = (everything(), tempfile::tempdir().unwrap());
    let new = |threads| Trainer::new(config.clone(), scene.clone(), threads).unwrap();
    let mut whole = new(2);
    assert!(whole.model().occupied() < 1.0, "five cameras see all of the box");
    train(&mut whole, 60);
    let want = saved(&whole, folder.path());
    for stop in [5, 20, 41] {
        let mut first = new(1);
        train(&mut first, stop);
        saved(&first, folder.path());
        let mut second = new(3);
        second.restore(&folder.path().join("checkpoint")).unwrap();
        if stop == 20 {
            // Looking changes nothing.
            let views = &scene.splits.test[..1];
            let look = |model: &mut Model, scene: &Scene| Ok::<_, NerfError>(evaluated(model, scene, views));
            let seen = second.averaged(look).unwrap();
            assert!(seen.fitted.is_some() && seen.aligned.is_some() && seen.poses.is_some());
        }
        train(&mut second, 60 - stop);
        assert!(saved(&second, folder.path()) == want, "stopped at {stop}");
    }
    let (poses, colors) = (whole.model().poses().unwrap(), whole.model().colors().unwrap());
    assert!(poses.iter().chain(colors).all(|v| v.is_finite() && *v != 0.0), "{poses:?} {colors:?}");
}
