//! What the views promise: geometry, agreement between channels and views, the frozen bytes.

use crc32fast::Hasher;

use super::distance::distance;
use super::{default_scene, small};
use crate::demo::camera::Pinhole;
use crate::demo::scene::DemoWorld;
use crate::demo::solid::V3;
use crate::demo::write::quantised_depth;
use crate::demo::{CAMERA_ANGLE_X, DemoConfig, DemoError, DemoView, render};
use crate::scene::Split;

/// The default scene's bytes. Published figures are measured on it: a change of the picture makes them
/// incomparable, so it has to come with every such figure measured anew.
const FROZEN: u32 = 0x55bc_473d;

fn held_out() -> impl Iterator<Item = &'static DemoView> {
    default_scene().views.iter().filter(|view| view.split == Split::Test)
}

#[test]
fn the_default_scene_is_frozen() {
    let mut hash = Hasher::new();
    for view in &default_scene().views {
        view.rgba.iter().for_each(|&byte| hash.update(&[byte]));
        view.label.iter().for_each(|&byte| hash.update(&[byte]));
        quantised_depth(&view.depth).iter().for_each(|steps| hash.update(&steps.to_le_bytes()));
    }
    assert_eq!(hash.finalize(), FROZEN);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| render(&small()).unwrap())
    };
    let one = on(1);
    assert_eq!(one, on(3));
    assert_eq!(one, on(1));
}

#[test]
fn depth_normal_and_label_lie_on_the_surface() {
    let scene = DemoWorld::new();
    let mut seen = [0usize; 10];
    for view in held_out() {
        let lens = Pinhole::new(&view.pose, view.label.nrows());
        for ((y, x), &label) in view.label.indexed_iter() {
            let normal = V3::from_fn(|k, _| f64::from(view.normal[[y, x, k]]));
            let depth = f64::from(view.depth[[y, x]]);
            seen[usize::from(label)] += 1;
            if label == 0 {
                assert_eq!((depth, normal), (0.0, V3::zeros()));
                continue;
            }
            let ray = lens.ray(x as f64 + 0.5, y as f64 + 0.5);
            let p = ray.at(depth);
            let object = scene.objects.iter().find(|object| object.class == label).unwrap();
            let off = distance(&object.solid, &object.axes.tr_mul(&(p - object.centre)));
            assert!(off.abs() < 1e-6, "{} ({x}, {y}): class {label} off by {off}", view.name);
            assert!((normal.norm() - 1.0).abs() < 1e-6 && normal.dot(&ray.dir) < 0.0);
            assert!(p.amax() < 1.2, "outside the documented box: {p:?}");
        }
    }
    assert!(seen.iter().all(|&count| count > 100), "pixels of each class: {seen:?}");
}

#[test]
fn alpha_agrees_with_labels() {
    for view in held_out() {
        for ((y, x), &label) in view.label.indexed_iter() {
            let pixel: Vec<u8> = (0..4).map(|k| view.rgba[[y, x, k]]).collect();
            // Three samples an axis include the pixel's center, so full and zero cover decide its label.
            match pixel[3] {
                0 => assert_eq!((label, &pixel[..3]), (0, &[0, 0, 0][..])),
                255 => assert_ne!(label, 0),
                _ => {}
            }
        }
    }
}

/// Every surface point of one view, seen from another, is on that view's surface or behind it.
#[test]
fn depth_agrees_between_views() {
    let views: Vec<&DemoView> = held_out().collect();
    let side = views[0].label.nrows();
    let focal = 0.5 * side as f64 / (0.5 * CAMERA_ANGLE_X).tan();
    let (mut same, mut all) = (0, 0);
    for (a, b) in views.iter().zip(&views[1..]) {
        let lens = Pinhole::new(&a.pose, side);
        for ((y, x), &depth) in a.depth.indexed_iter().filter(|(_, d)| **d > 0.0) {
            let p = lens.ray(x as f64 + 0.5, y as f64 + 0.5).at(f64::from(depth));
            let q = b.pose.inverse_transform_vector(&(p - b.pose.translation.vector));
            let column = (0.5 * side as f64 + focal * q.x / -q.z) as usize;
            let row = (0.5 * side as f64 - focal * q.y / -q.z) as usize;
            if !(1..side - 1).contains(&row) || !(1..side - 1).contains(&column) {
                continue;
            }
            let around = (row - 1..=row + 1).flat_map(|r| (column - 1..=column + 1).map(move |c| [r, c]));
            let depths: Vec<f64> = around.map(|at| f64::from(b.depth[at])).collect();
            if depths.contains(&0.0) {
                continue;
            }
            let (low, high) = depths.iter().fold((9.0, 0.0), |(l, h): (f64, f64), &d| (l.min(d), h.max(d)));
            assert!(q.norm() > low - 0.05, "{} sees {p:?} in front of its surface", b.name);
            all += 1;
            same += usize::from(q.norm() < high + 0.05);
        }
    }
    assert!(all > 20_000 && same * 2 > all, "{same} of {all} points are visible in both views");
}

#[test]
fn a_mean_color_image_scores_below_15_db() {
    let white = |view: &DemoView| -> Vec<f64> {
        let side = view.label.nrows();
        let at = |y: usize, x: usize, k: usize| f64::from(view.rgba[[y, x, k]]) / 255.0;
        let over = |y, x, k| ((at(y, x, k) * at(y, x, 3) + 1.0 - at(y, x, 3)) * 255.0).round() / 255.0;
        (0..side * side * 3).map(|i| over(i / 3 / side, i / 3 % side, i % 3)).collect()
    };
    let images: Vec<Vec<f64>> = held_out().map(white).collect();
    let pixels = (images.len() * images[0].len() / 3) as f64;
    let mean = |k: usize| images.iter().flat_map(|i| i.iter().skip(k).step_by(3)).sum::<f64>() / pixels;
    let mean = [0, 1, 2].map(|k| (mean(k) * 255.0).round() / 255.0);
    let psnr = |image: &Vec<f64>| {
        let square: f64 = image.iter().enumerate().map(|(i, v)| (v - mean[i % 3]) * (v - mean[i % 3])).sum();
        -10.0 * (square / image.len() as f64).log10()
    };
    let score = images.iter().map(psnr).sum::<f64>() / images.len() as f64;
    assert!(score < 15.0, "{score:.2} dB");
}

#[test]
fn cameras_are_spread_over_the_upper_hemisphere() {
    let direction = |view: &DemoView| view.pose.translation.vector.normalize();
    let train: Vec<V3> =
        default_scene().views.iter().filter(|view| view.split == Split::Train).map(direction).collect();
    for view in &default_scene().views {
        let eye = view.pose.translation.vector;
        assert!((eye.norm() - 4.0).abs() < 1e-12);
        let elevation = direction(view).z.asin().to_degrees();
        assert!((10.0..=70.0).contains(&elevation), "{elevation}");
        let ahead = view.pose.rotation * -V3::z();
        assert!((ahead + direction(view)).norm() < 1e-12, "looks at the origin");
        assert!(
            (view.pose.rotation * V3::y()).z > 0.0 && (view.pose.rotation * V3::x()).z.abs() < 1e-12,
            "upright"
        );
    }
    for view in held_out() {
        let nearest = train.iter().map(|dir| dir.angle(&direction(view)).to_degrees()).fold(180.0, f64::min);
        assert!(nearest > 5.0, "{} is {nearest:.1} degrees from a training view", view.name);
    }
    assert_eq!((train.len(), held_out().count()), (60, 12));
}

#[test]
fn settings_out_of_range_are_named() {
    for (config, name) in [
        (DemoConfig { resolution: 0, ..small() }, "resolution"),
        (DemoConfig { train: 0, ..small() }, "train"),
        (DemoConfig { test: 10_001, ..small() }, "test"),
        (DemoConfig { supersample: 17, ..small() }, "supersample"),
        (DemoConfig { shadow: 0, ..small() }, "shadow"),
    ] {
        let error = render(&config).unwrap_err();
        assert!(matches!(&error, DemoError::Config { field, .. } if *field == name), "{error}");
    }
}
