#![allow(clippy::unwrap_used)]
use super::*;
use crate::hollow::{HollowConfig, Method};
use crate::{NerfConfig, Trainer};
use nerve_core::engine::TrainEngine;
use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::LoadOptions;
use proptest::prelude::*;
use std::sync::Arc;

fn trained(method: Method) -> Trainer {
    trained_in(method, 1, None)
}

fn trained_in(method: Method, box_side: u32, ema: Option<f32>) -> Trainer {
    let demo = DemoConfig { resolution: 48, train: 12, test: 1, ..DemoConfig::default() };
    let mut scene = demo::load(&demo, &LoadOptions::default(), &|_, _| {}).unwrap();
    scene.aabb_scale = box_side;
    let mut config = NerfConfig {
        grid: HashGridConfig { levels: 8, log2_entries: 12, finest_resolution: 512, ..Default::default() },
        hollow: HollowConfig { method, saliency_side: 32, ..HollowConfig::default() },
        ..NerfConfig::default()
    };
    config.data.scene = "demo".into();
    config.train.ema = ema;
    (config.train.steps, config.train.batch_samples) = (Some(300), 8192);
    let mut trainer = Trainer::new(config, Arc::new(scene), 2).unwrap();
    (0..300).for_each(|_| {
        trainer.step();
    });
    trainer
}

fn again(path: &std::path::Path, trainer: &Trainer) -> Result<Trainer, crate::NerfError> {
    let mut read = Trainer::new(configuration(path)?, trainer.scene().clone(), 2)?;
    read.read_compact(path)?;
    Ok(read)
}

/// Over the training views.
fn psnr(trainer: &mut Trainer) -> f64 {
    let views = trainer.scene().splits.train.clone();
    let one = |trainer: &mut Trainer, view: usize| {
        let truth = crate::view::flatten(&trainer.scene().views[view].image, 1.0);
        nerve_core::metrics::psnr_u8(&truth, &trainer.picture(view).on(1.0)).unwrap()
    };
    views.iter().map(|view| one(trainer, *view)).sum::<f64>() / views.len() as f64
}

#[test]
fn a_field_comes_back_smaller_and_nearly_the_same() {
    for method in [Method::Plain, Method::Hollow] {
        let mut trainer = trained(method);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.compact");
        let mut sizes = Vec::new();
        let before = psnr(&mut trainer);
        for (values, loss) in [(Values::F16, 0.01), (Values::U8, 0.1), (Values::U8, 2.0)] {
            let report =
                trainer.write_compact(&path, &CompactOptions { values, loss }, &mut |_, _| {}).unwrap();
            assert_eq!(report.full, 4 * trainer.parameters() as u64);
            // The occupied cells are 256 KiB before they are coded.
            assert!(report.removed < report.full && report.file < report.quantised, "{report:?}");
            assert!(report.file < report.full * 3 / 5, "{report:?}");
            sizes.push(report.file);
            let mut read = again(&path, &trainer).unwrap();
            assert_eq!(read.step_count(), 300);
            assert_eq!(read.occupied(), trainer.occupied());
            let (a, b) = (trainer.live_cells().share(), read.live_cells().share());
            assert!(a > 0.0 && (loss > 1.0 || (a - b).abs() < 0.2 * a), "{a} {b}");
            // What was asked for, about.
            let lost = before - psnr(&mut read);
            assert!(lost < 2.0 * loss && (loss < 1.0 || lost > 0.05 * loss), "{method:?} {loss}: {lost}");
        }
        assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
    }
}

/// What is left of a table with f16 values is what samples can touch: a picture does not see the rest.
#[test]
fn nothing_that_is_removed_is_ever_read() {
    for (method, box_side) in
        [(Method::Plain, 1), (Method::Hollow, 1), (Method::Plain, 2), (Method::Hollow, 8)]
    {
        let mut trainer = trained_in(method, box_side, None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.compact");
        let options = CompactOptions { values: Values::F16, ..CompactOptions::default() };
        trainer.write_compact(&path, &options, &mut |_, _| {}).unwrap();
        let mut read = again(&path, &trainer).unwrap();
        let before = read.picture(0).on(1.0);
        let mut removed = 0;
        let (blocks, _) = read.engine.params_mut().split();
        for block in blocks.iter_mut().filter(|b| b.spec.name.starts_with("grid")) {
            for entry in block.weight.chunks_exact_mut(2).filter(|e| **e == [0.0; 2]) {
                entry.fill(f32::NAN);
                removed += 1;
            }
        }
        assert!(removed > 500, "{method:?} {box_side}: {removed}");
        assert_eq!(read.picture(0).on(1.0), before, "{method:?} {box_side}");
    }
}

/// The average is what is exported, and what is seen afterwards.
#[test]
fn a_slow_average_is_exported_as_it_is() {
    let mut trainer = trained_in(Method::Hollow, 1, Some(0.99));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.compact");
    let options = CompactOptions { values: Values::F16, ..CompactOptions::default() };
    trainer.write_compact(&path, &options, &mut |_, _| {}).unwrap();
    let mut read = again(&path, &trainer).unwrap();
    // Twice, as an evaluation does.
    read.swap_average();
    trainer.swap_average();
    assert!((psnr(&mut read) - psnr(&mut trainer)).abs() < 0.05);
    trainer.swap_average();
    read.swap_average();
    let (a, b) = (trainer.structure().0.saliency.unwrap(), read.structure().0.saliency.unwrap());
    assert!((a.mean - b.mean).abs() < 1e-3 && a.gamma == b.gamma, "{a:?} {b:?}");
}

#[test]
fn damaged_files_are_errors_that_name_them() {
    let mut trainer = trained(Method::Hollow);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.compact");
    trainer.write_compact(&path, &CompactOptions::default(), &mut |_, _| {}).unwrap();
    let good = std::fs::read(&path).unwrap();
    let fails = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = again(&path, &trainer).err().map(|e| e.to_string());
        assert!(error.as_ref().is_none_or(|e| e.contains("a.compact")), "{error:?}");
        error
    };
    assert_eq!(fails(&good), None);
    for cut in [0, 7, 100, good.len() / 2, good.len() - 1] {
        assert!(fails(&good[..cut]).is_some(), "{cut}");
    }
    // Every frame has a checksum: what is damaged is found wherever it is.
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    for at in (8 + header..good.len()).step_by(good.len() / 60) {
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        assert!(fails(&bad).is_some(), "{at}");
    }
    for at in (0..8 + header).step_by(header / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0x5a;
        fails(&bad);
    }
    // A run's checkpoint is no compact file.
    trainer.save(&path).unwrap();
    let error = configuration(&path).unwrap_err().to_string();
    assert!(error.contains("'nerf'") && error.contains("nerve export"), "{error}");
    let bad = CompactOptions { loss: 0.0, ..CompactOptions::default() };
    assert!(
        trainer.write_compact(&path, &bad, &mut |_, _| {}).unwrap_err().to_string().contains("--loss-db")
    );
}

proptest! {
    #[test]
    fn codes_are_within_half_a_step(values in prop::collection::vec(-3.0f32..3.0, 1..200), step in 0.005f32..1.0) {
        let bytes = codec::codes(&values, step);
        let back = codec::from_codes(&bytes, values.len(), step).unwrap();
        prop_assert_eq!(back.len(), values.len());
        for (a, b) in values.iter().zip(&back) {
            prop_assert!((a - b).abs() <= 0.501 * step);
        }
        prop_assert_eq!(codec::from_codes(&bytes[..bytes.len() - 1], values.len(), step), None);
        prop_assert_eq!(codec::from_codes(&bytes, bytes.len() + 1, step), None);
        let halves = codec::halves(&values);
        let half = codec::from_halves(&halves, values.len()).unwrap();
        for (a, b) in values.iter().zip(&half) {
            prop_assert!((a - b).abs() <= 1e-3 * a.abs() + 1e-7);
        }
        prop_assert_eq!(codec::from_halves(&halves, values.len() + 1), None);
    }

    #[test]
    fn frames_come_back(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let frame = codec::squeeze(&bytes).unwrap();
        prop_assert_eq!(codec::expand(&frame, bytes.len()), Some(bytes.clone()));
        prop_assert_eq!(codec::expand(&frame[..frame.len() - 1], bytes.len()), None);
        // A frame that claims more than there can be is not unpacked.
        prop_assert!(bytes.is_empty() || codec::expand(&frame, bytes.len() - 1).is_none());
    }
}
