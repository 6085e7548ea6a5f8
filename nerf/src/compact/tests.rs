#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::Method;
use crate::hollow::HollowConfig;
use crate::live::LiveCells;
use crate::structure::Structure;
use crate::{Model, NerfConfig, NerfError, OpenOptions, Trainer};
use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_data::Scene;
use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::LoadOptions;
use proptest::prelude::*;
use std::path::Path;
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
        hollow: HollowConfig { saliency_side: 32, ..HollowConfig::default() },
        ..NerfConfig::default()
    };
    config.data.scene = "demo".into();
    config.field.method = method;
    config.train.ema = ema;
    (config.train.run.steps, config.train.batch_samples) = (Some(300), 8192);
    let mut trainer = Trainer::new(config, Arc::new(scene), 2).unwrap();
    (0..300).for_each(|_| {
        trainer.step().unwrap();
    });
    trainer
}

fn again(path: &Path) -> Result<Model, NerfError> {
    Model::open(path, &OpenOptions { threads: 2, ..OpenOptions::default() })
}

fn export(trainer: &mut Trainer, path: &Path, options: &CompactOptions) -> Result<Report, NerfError> {
    trainer.averaged(|model, _| write(model, None, path, options, &mut |_, _| {}))
}

/// Over the training views.
fn psnr(model: &mut Model, scene: &Scene) -> Result<f64, NerfError> {
    let mut sum = 0.0;
    for view in &scene.splits.train {
        let truth = crate::rendering::flatten(&scene.views[*view].image, 1.0);
        let seen = model.render(&scene.views[*view].camera)?.rgb(1.0);
        sum += nerve_core::metrics::psnr_u8(&truth, &seen)?;
    }
    Ok(sum / scene.splits.train.len() as f64)
}

#[test]
fn a_field_comes_back_smaller_and_nearly_the_same() {
    for method in [Method::Plain, Method::Hollow] {
        let mut trainer = trained(method);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.compact");
        let mut sizes = Vec::new();
        let scene = trainer.scene().clone();
        let before = psnr(trainer.model_mut(), &scene).unwrap();
        for (values, loss) in [(Values::F16, 0.01), (Values::U8, 0.1), (Values::U8, 2.0)] {
            let report = export(&mut trainer, &path, &CompactOptions { values, loss }).unwrap();
            assert_eq!(report.full, 4 * trainer.model().parameters() as u64);
            // The occupied cells are 256 KiB before they are coded.
            assert!(report.removed < report.full && report.file < report.quantised, "{report:?}");
            assert!(report.file < report.full * 3 / 5, "{report:?}");
            sizes.push(report.file);
            let mut read = again(&path).unwrap();
            assert_eq!(read.step_count(), 300);
            assert_eq!(read.occupied(), trainer.model().occupied());
            let [a, b] = [trainer.model_mut(), &mut read].map(|model| LiveCells::of(model).unwrap().share());
            assert!(a > 0.0 && (loss > 1.0 || (a - b).abs() < 0.2 * a), "{a} {b}");
            // What was asked for, about.
            let lost = before - psnr(&mut read, &scene).unwrap();
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
        export(&mut trainer, &path, &options).unwrap();
        let mut read = again(&path).unwrap();
        let camera = trainer.scene().views[0].camera.clone();
        let before = read.render(&camera).unwrap().rgb(1.0);
        let mut removed = 0;
        for table in read.engine.layout().handles.tables.clone() {
            let mut values = read.engine.read(table).unwrap();
            for entry in values.chunks_exact_mut(2).filter(|e| **e == [0.0; 2]) {
                entry.fill(f32::NAN);
                removed += 1;
            }
            read.engine.write(table, &values).unwrap();
        }
        assert!(removed > 500, "{method:?} {box_side}: {removed}");
        assert_eq!(read.render(&camera).unwrap().rgb(1.0), before, "{method:?} {box_side}");
    }
}

/// The average is what is exported, and what is seen afterwards.
#[test]
fn a_slow_average_is_exported_as_it_is() {
    let mut trainer = trained_in(Method::Hollow, 1, Some(0.99));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.compact");
    let options = CompactOptions { values: Values::F16, ..CompactOptions::default() };
    export(&mut trainer, &path, &options).unwrap();
    let mut read = again(&path).unwrap();
    let scene = trainer.scene().clone();
    let want = trainer.averaged(psnr).unwrap();
    assert!((psnr(&mut read, &scene).unwrap() - want).abs() < 0.05);
    let a = trainer.averaged(|model, _| Structure::of(model)).unwrap().0.saliency.unwrap();
    let b = Structure::of(&mut read).unwrap().0.saliency.unwrap();
    assert!((a.mean - b.mean).abs() < 1e-3 && a.gamma == b.gamma, "{a:?} {b:?}");
}

#[test]
fn damaged_files_are_errors_that_name_them() {
    let mut trainer = trained(Method::Hollow);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.compact");
    export(&mut trainer, &path, &CompactOptions::default()).unwrap();
    let good = std::fs::read(&path).unwrap();
    let fails = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = again(&path).err().map(|e| e.to_string());
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
    assert!(export(&mut trainer, &path, &bad).unwrap_err().to_string().contains("--loss-db"));
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
