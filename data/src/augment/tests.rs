#![allow(clippy::unwrap_used)]
use ndarray::{Array2, Array3};
use proptest::prelude::*;

use super::draw::Decisions;
use super::resample::{self, CropWindow};
use super::*;
use crate::labels::IGNORE;

/// Values without a pattern.
fn noise(i: usize) -> u8 {
    let hash = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 56) as u8
}

fn picture(height: usize, width: usize) -> (Array3<u8>, Array2<u8>) {
    let image = Array3::from_shape_fn((height, width, 3), |(y, x, c)| noise((y * width + x) * 3 + c));
    let mask = Array2::from_shape_fn((height, width), |(y, x)| noise(y * width + x) % 5);
    (image, mask)
}

/// Nothing but a crop.
fn plain(crop: [usize; 2]) -> Augment {
    let normalise = Normalise { mean: [0.0; 3], std: [1.0; 3] };
    Augment {
        scale: [1.0; 2],
        crop,
        max_class_share: 1.0,
        flip: 0.0,
        color: None,
        normalise,
        ..Augment::default()
    }
}

/// A pixel of the scaled image from its definition, in f64.
fn reference(image: &Array3<u8>, scaled: [usize; 2], y: usize, x: usize, c: usize) -> f64 {
    let (height, width, _) = image.dim();
    let place = |i: usize, from: usize, to: usize| {
        ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64)
    };
    let (py, px) = (place(y, height, scaled[0]), place(x, width, scaled[1]));
    let mut sum = 0.0;
    for sy in 0..height {
        for sx in 0..width {
            let weight = (1.0 - (py - sy as f64).abs()).max(0.0) * (1.0 - (px - sx as f64).abs()).max(0.0);
            sum += weight * f64::from(image[[sy, sx, c]]);
        }
    }
    sum
}

proptest! {
    /// Every pixel of any window, flipped or not, padded or not, by its definition.
    #[test]
    fn windows_are_parts_of_the_scaled_image(
        source in prop::array::uniform2(1..9usize), scaled in prop::array::uniform2(1..14usize),
        size in prop::array::uniform2(1..12usize), at in prop::array::uniform2(0.0..1.0f64), flipped: bool,
    ) {
        let origin = [0, 1].map(|a| (at[a] * (scaled[a].saturating_sub(size[a]) + 1) as f64) as usize);
        let window = CropWindow { source, scaled, origin, size, flipped };
        let (image, mask) = picture(source[0], source[1]);
        let (got, labels) = (resample::image(image.view(), &window, [9.0, 8.0, 7.0]), resample::mask(mask.view(), &window));
        for y in 0..size[0] {
            for x in 0..size[1] {
                let column = if flipped { size[1] - 1 - x } else { x };
                let (sy, sx) = (y + origin[0], x + origin[1]);
                let inside = sy < scaled[0] && sx < scaled[1];
                for c in 0..3 {
                    let expected = if inside { reference(&image, scaled, sy, sx, c) } else { [9.0, 8.0, 7.0][c] };
                    let value = f64::from(got[[y, column, c]]);
                    prop_assert!((value - expected).abs() < 1e-3, "{} {} {}", value, expected, c);
                }
                let nearest = |i: usize, a: usize| ((i as f64 + 0.5) / scaled[a] as f64 * source[a] as f64 + 1e-9) as usize;
                let expected = if inside { mask[[nearest(sy, 0), nearest(sx, 1)]] } else { IGNORE };
                prop_assert_eq!(labels[[y, column]], expected);
            }
        }
    }
}

/// Made by PyTorch: `interpolate(arange(12).reshape(1, 1, 3, 4), (2, 5), mode="bilinear")`.
#[test]
fn equal_to_pytorch() {
    let image = Array3::from_shape_fn((3, 4, 3), |(y, x, _)| (4 * y + x) as u8);
    let window = CropWindow { source: [3, 4], scaled: [2, 5], origin: [0; 2], size: [2, 5], flipped: false };
    let got = resample::image(image.view(), &window, [0.0; 3]);
    let expected = [1.0, 1.7, 2.5, 3.3, 4.0, 7.0, 7.7, 8.5, 9.3, 10.0];
    for (pixel, expected) in got.rows().into_iter().zip(expected) {
        assert!(pixel.iter().all(|value: &f32| (value - expected).abs() < 1e-5), "{pixel} {expected}");
    }
}

#[test]
fn a_sample_depends_on_seed_and_index_alone() {
    let (image, mask) = picture(30, 40);
    let config = Augment { crop: [24, 20], ..Augment::default() };
    let sample = |seed, index| config.sample(image.view(), mask.view(), seed, index).unwrap();
    let a = sample(1, 2);
    assert_eq!(a, sample(1, 2));
    assert_eq!((a.image.dim(), a.mask.dim()), ((24, 20, 3), (24, 20)));
    assert!(a != sample(1, 3) && a != sample(2, 2));
    // Whatever way the arrays lie in memory.
    let turned = image.t().to_owned();
    assert_eq!(config.sample(turned.t(), mask.t().to_owned().t(), 1, 2).unwrap(), a);

    // Turning colors off changes nothing else.
    let grey = Augment { color: None, ..config.clone() };
    for index in 0..20 {
        let decisions = Decisions::draw(&config, mask.view(), 5, index);
        let other = Decisions::draw(&grey, mask.view(), 5, index);
        assert_eq!(
            (decisions.window, other.color),
            (
                other.window,
                super::draw::ColorChange { contrast_last: other.color.contrast_last, ..Default::default() }
            )
        );
    }
}

/// Pinned: a change of what is drawn breaks runs that are resumed.
#[test]
fn known_draws() {
    let (_, mask) = picture(30, 40);
    let config = Augment { crop: [16, 16], ..Augment::default() };
    let window = Decisions::draw(&config, mask.view(), 7, 11).window;
    assert_eq!((window.scaled, window.origin, window.flipped), KNOWN);
}
const KNOWN: ([usize; 2], [usize; 2], bool) = ([38, 51], [3, 31], true);

#[test]
fn draws_fill_their_ranges() {
    let (_, mask) = picture(100, 100);
    let config = Augment { scale: [0.5, 1.5], crop: [40, 40], ..Augment::default() };
    let drawn: Vec<Decisions> =
        (0..2000).map(|index| Decisions::draw(&config, mask.view(), 3, index)).collect();
    let share =
        |keep: &dyn Fn(&Decisions) -> bool| drawn.iter().filter(|one| keep(one)).count() as f64 / 2000.0;
    // Four standard errors of a half are 0.045.
    assert!((share(&|p| p.window.flipped) - 0.5).abs() < 0.045);
    assert!((share(&|p| p.window.scaled[0] < 100) - 0.5).abs() < 0.045);
    assert!((share(&|p| p.color.hue.is_some()) - 0.5).abs() < 0.045);
    assert!((share(&|p| p.color.contrast_last) - 0.5).abs() < 0.045);
    assert!((share(&|p| p.color.brightness.is_some_and(|b| b < 0.0)) - 0.25).abs() < 0.045);
    for decisions in &drawn {
        let window = &decisions.window;
        assert!((50..=150).contains(&window.scaled[0]) && window.scaled[0] == window.scaled[1]);
        assert!((0..2).all(|a| window.origin[a] + 40 <= window.scaled[a]));
        assert!(decisions.color.hue.is_none_or(|hue| hue.abs() <= 36.0));
        assert!(decisions.color.saturation.is_none_or(|s| (0.5..=1.5).contains(&s)));
    }
    // Both ends of where a crop may lie are reached.
    let at = |end: &dyn Fn(&CropWindow) -> usize| {
        drawn.iter().any(|decisions| decisions.window.origin[0] == end(&decisions.window))
    };
    assert!(at(&|_| 0) && at(&|window| window.scaled[0] - 40));
}

#[test]
fn crops_show_more_than_one_class_where_they_can() {
    // Class 1 fills a ninth, in a corner; beside it some that is ignored.
    let mask = Array2::from_shape_fn((90, 90), |(y, x)| match (y, x) {
        (..30, ..30) => 1,
        (60.., 60..) => IGNORE,
        _ => 0,
    });
    let image = Array3::zeros((90, 90, 3));
    let dominated = |tries: usize, share: f64| {
        let config = Augment { crop_tries: tries, max_class_share: share, ..plain([40, 40]) };
        let count = (0..300).filter(|&index| {
            let sample = config.sample(image.view(), mask.view(), 1, index).unwrap();
            let count = |class: u8| sample.mask.iter().filter(|&&label| label == class).count();
            count(0).max(count(1)) as f64 > 0.75 * (count(0) + count(1)) as f64
        });
        count.count()
    };
    let (any, one, ten) = (dominated(10, 1.0), dominated(1, 0.75), dominated(10, 0.75));
    assert_eq!(any, one, "one try takes what comes");
    // A try succeeds with probability p: of n tries, (1 - p)^n of the samples fail.
    let fails = any as f64 / 300.0;
    assert!((0.6..0.99).contains(&fails), "{fails}");
    assert!((ten as f64 / 300.0 - fails.powi(10)).abs() < 0.12, "{ten} of 300, {any} without");
    // A mask of one class, or of none, ends the tries all the same.
    let config = Augment { max_class_share: 0.75, ..plain([40, 40]) };
    for class in [0, IGNORE] {
        let mask = Array2::from_elem((90, 90), class);
        assert!(
            config.sample(image.view(), mask.view(), 1, 0).unwrap().mask.iter().all(|&label| label == class)
        );
    }
}

#[test]
fn padding_is_the_mean_and_ignored() {
    let (image, mask) = picture(4, 5);
    for index in 0..30 {
        let config = Augment { scale: [1.0; 2], crop: [6, 9], flip: 0.5, ..Augment::default() };
        let sample = config.sample(image.view(), mask.view(), 3, index).unwrap();
        let flipped = Decisions::draw(&config, mask.view(), 3, index).window.flipped;
        for ((y, x), &label) in sample.mask.indexed_iter() {
            let column = if flipped { 8 - x } else { x };
            if y < 4 && column < 5 {
                assert_eq!(label, mask[[y, column]]);
            } else {
                assert_eq!(label, IGNORE);
                assert!((0..3).all(|c| sample.image[[y, x, c]] == 0.0));
            }
        }
    }
}

#[test]
fn without_changes_a_sample_is_the_image() {
    let (image, mask) = picture(7, 9);
    let sample = plain([7, 9]).sample(image.view(), mask.view(), 1, 1).unwrap();
    assert_eq!((sample.image, sample.mask), (image.mapv(f32::from), mask));
    let normalised = Normalise::default().image(image.view());
    let by_hand = (f32::from(image[[3, 2, 1]]) - 116.28) / 57.12;
    assert!((normalised[[3, 2, 1]] - by_hand).abs() < 1e-6);
}

#[test]
fn settings_out_of_range_are_named() {
    let good = Augment::default();
    good.check().unwrap();
    let jitter = ColorJitter::default();
    assert_eq!((ColorJitter::of_strength(1.0), ColorJitter::of_strength(0.0)), (Some(jitter), None));
    let bad: [(&str, Augment); 10] = [
        ("scale", Augment { scale: [1.2, 0.7], ..good.clone() }),
        ("scale", Augment { scale: [f64::NAN, 1.0], ..good.clone() }),
        ("crop", Augment { crop: [0, 10], ..good.clone() }),
        ("max_class_share", Augment { max_class_share: 0.0, ..good.clone() }),
        ("crop_tries", Augment { crop_tries: 0, ..good.clone() }),
        ("flip", Augment { flip: 1.5, ..good.clone() }),
        ("brightness", Augment { color: Some(ColorJitter { brightness: -1.0, ..jitter }), ..good.clone() }),
        ("contrast", Augment { color: Some(ColorJitter { contrast: [1.0, 0.5], ..jitter }), ..good.clone() }),
        ("hue", Augment { color: Some(ColorJitter { hue: 181.0, ..jitter }), ..good.clone() }),
        ("std", Augment { normalise: Normalise { std: [0.0; 3], ..good.normalise }, ..good.clone() }),
    ];
    let (image, mask) = picture(4, 4);
    for (field, config) in bad {
        let error = config.sample(image.view(), mask.view(), 0, 0).unwrap_err();
        assert!(matches!(&error, AugmentError::Config { field: named, .. } if *named == field), "{error}");
    }
    let error = good.sample(image.view(), Array2::zeros((4, 5)).view(), 0, 0).unwrap_err();
    assert!(error.to_string().contains("(4, 4, 3)") && error.to_string().contains("(4, 5)"), "{error}");
    assert!(good.sample(Array3::zeros((0, 4, 3)).view(), Array2::zeros((0, 4)).view(), 0, 0).is_err());
}

#[test]
fn labels_of_all_tasks_follow_the_image() {
    use crate::tasks::{TaskLabel, TaskSample};
    let size = (20, 30);
    // Every label says where its pixel was.
    let sample = TaskSample {
        image: Array3::from_shape_fn((20, 30, 3), |(y, x, c)| [(8 * x) as u8, (8 * y) as u8, 77][c]),
        labels: vec![
            TaskLabel::Classes(Array2::from_shape_fn(size, |(y, x)| ((x / 3 + y / 3) % 7) as u8)),
            TaskLabel::Normals(Array2::from_elem(size, [0.6, 0.0, 0.8])),
            TaskLabel::Depth(Array2::from_elem(size, 6.0)),
        ],
    };
    let augment = Augment {
        crop: [24, 24],
        scale: [0.5, 1.5],
        max_class_share: 1.0,
        color: None,
        ..Augment::default()
    };
    let (mut flipped, mut padded) = (0, 0);
    for index in 0..40 {
        let TaskLabel::Classes(mask) = &sample.labels[0] else { panic!("classes") };
        let plain = augment.sample(sample.image.view(), mask.view(), 3, index).unwrap();
        let dense = augment.dense(&sample, 3, index).unwrap();
        assert!(dense.image == plain.image);
        let [TaskLabel::Classes(classes), TaskLabel::Normals(normals), TaskLabel::Depth(depth)] =
            &dense.labels[..]
        else {
            panic!("three tasks")
        };
        assert!(*classes == plain.mask);
        let first = normals.iter().find(|n| **n != [0.0; 3]).unwrap();
        flipped += usize::from(first[0] < 0.0);
        let near = depth.iter().find(|d| **d > 0.0).unwrap();
        assert!((4.0..=12.1).contains(near), "{near}");
        for ((class, n), d) in classes.iter().zip(normals).zip(depth) {
            let inside = *class != IGNORE;
            padded += usize::from(!inside);
            assert!(inside == (*n != [0.0; 3]) && inside == (*d > 0.0));
            assert!(!inside || (n == first && d == near));
        }
    }
    assert!((8..32).contains(&flipped) && padded > 0);
    let short = TaskSample { labels: vec![TaskLabel::Depth(Array2::zeros((20, 29)))], ..sample };
    assert!(matches!(augment.dense(&short, 3, 0), Err(AugmentError::Size { .. })));
}
