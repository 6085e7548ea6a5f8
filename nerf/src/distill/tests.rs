#![allow(clippy::unwrap_used)]
use super::*;
use crate::config::{ClassicConfig, Method};
use nerve_data::demo::{self, DemoConfig};

fn scene() -> Arc<Scene> {
    let config = DemoConfig { train: 4, test: 1, resolution: 32, ..DemoConfig::default() };
    Arc::new(demo::scene(&config).unwrap())
}

fn classic() -> NerfConfig {
    let mut config = NerfConfig::default();
    config.field.method = Method::Classic;
    config.classic = ClassicConfig {
        octaves: 4,
        trunk_width: 32,
        trunk_layers: 5,
        skip: 3,
        view_width: 16,
        layer_rate: 0.2,
        ..ClassicConfig::default()
    };
    config.train.batch_samples = 4096;
    config.march.steps_per_unit = 128;
    config
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn options(form: Form, m: usize) -> DistillOptions {
    DistillOptions { form, m, k: 1, ridge: 1e-6, samples: 8192, train_g: 0, fine_tune: 0, seed: 3 }
}

/// A trained field's checkpoint, in a folder.
fn trained(config: &NerfConfig) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut trainer = Trainer::new(config.clone(), scene(), 2).unwrap();
    for _ in 0..40 {
        trainer.step().unwrap();
    }
    trainer.save(&folder.path().join("checkpoint.safetensors")).unwrap();
    folder
}

/// Raw densities on a lattice.
fn densities(trainer: &mut Trainer) -> Vec<f64> {
    let at = |i: usize| (i as f32 + 0.5) / 8.0;
    let axis = |by: usize| (0..512).map(|i| at(i / by % 8)).collect::<Vec<f32>>();
    let (x, y, z) = (axis(1), axis(8), axis(64));
    let mut sigma = vec![0.0; 512];
    trainer.model_mut().engine.density([&x, &y, &z], &mut sigma).unwrap();
    sigma.iter().map(|s| f64::from(s.max(1e-6)).ln()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    let mean = b.iter().sum::<f64>() / b.len() as f64;
    let off: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
    (off / b.iter().map(|b| (b - mean).powi(2)).sum::<f64>()).sqrt()
}

/// With as many hidden values as there are, thin layers are the same ones; with fewer of any form, about the same, and smaller;
/// what is distilled can be saved, opened and trained on.
#[test]
fn every_form_keeps_about_what_was_trained() {
    let config = classic();
    let folder = trained(&config);
    let path = folder.path().join("checkpoint.safetensors");
    let layers = names(&["trunk.1", "trunk.4"]);
    let mut teacher = Trainer::new(config.clone(), scene(), 2).unwrap();
    teacher.restore(&path).unwrap();
    let (want, full) = (densities(&mut teacher), teacher.model().parameters());
    let mut untrained = 0.0;
    for (options, near) in [
        (options(Form::Thin, 32), 0.02),
        (options(Form::Int8, 16), 0.2),
        (options(Form::Thin, 16), 0.6),
        (options(Form::LowRank, 16), 0.9),
        (options(Form::Eugen, 16), 2.0),
        (DistillOptions { train_g: 60, ..options(Form::Eugen, 16) }, 2.0),
        (DistillOptions { k: 2, ..options(Form::Eugen, 16) }, 2.0),
    ] {
        let mut told = 0;
        let (mut trainer, reports) =
            distill(&path, &config, scene(), &layers, &options, 2, &mut |_| told += 1).unwrap();
        assert_eq!((told, trainer.step_count()), (2, 40));
        let off = distance(&densities(&mut trainer), &want);
        assert!(off < near, "{options:?}: {off}");
        // Of what was recorded, more than a quarter is kept by whatever form; a first layer's projections that were trained keep more.
        assert!(reports.iter().all(|r| r.error.is_none_or(|error| error < 0.75)), "{options:?}: {reports:?}");
        if options.form == Form::Eugen && options.k == 1 {
            let error = reports[0].error.unwrap();
            assert!(options.train_g == 0 || error < untrained, "{error} {untrained}");
            untrained = error;
        }
        let saved: usize =
            reports.iter().map(|r| r.parameters[0] - r.parameters[1].min(r.parameters[0])).sum();
        let grown: usize =
            reports.iter().map(|r| r.parameters[1] - r.parameters[0].min(r.parameters[1])).sum();
        assert_eq!(trainer.model().parameters() + saved, full + grown, "{reports:?}");
        if options.form != Form::Int8 && options.m == 16 && options.k == 1 {
            assert!(trainer.model().parameters() < full);
        }
        let to = folder.path().join("distilled.safetensors");
        trainer.save(&to).unwrap();
        let open = OpenOptions { threads: 2, ..OpenOptions::default() };
        let mut opened = Model::open(&to, &open).unwrap();
        assert_eq!(opened.parameters(), trainer.model().parameters());
        let mut sigma = [0.0];
        opened.engine.density([&[0.5], &[0.5], &[0.5]], &mut sigma).unwrap();
        assert!(sigma[0].is_finite());
        assert!(trainer.step().unwrap().loss.is_finite());
    }
}

/// A plain field's density network, whose layers have no biases.
#[test]
fn a_hash_grid_field_is_distilled() {
    let mut config = NerfConfig::default();
    (config.grid.levels, config.grid.log2_entries) = (4, 10);
    (config.field.width, config.field.density_layers) = (32, 2);
    config.train.batch_samples = 4096;
    let folder = trained(&config);
    let path = folder.path().join("checkpoint.safetensors");
    assert_eq!(layers(&config), ["density.0", "density.1"]);
    let mut teacher = Trainer::new(config.clone(), scene(), 2).unwrap();
    teacher.restore(&path).unwrap();
    let want = densities(&mut teacher);
    let (mut trainer, _) =
        distill(&path, &config, scene(), &names(&["density.1"]), &options(Form::Thin, 32), 2, &mut |_| {})
            .unwrap();
    assert!(distance(&densities(&mut trainer), &want) < 0.02);
}

#[test]
fn what_cannot_be_distilled_is_named() {
    let config = classic();
    assert_eq!(layers(&config), ["trunk.0", "trunk.1", "trunk.2", "trunk.4"]);
    let error = |layers: &[&str], options: DistillOptions| {
        configured(&config, &names(layers), &options).unwrap_err().to_string()
    };
    let unknown = error(&["trunk.7"], options(Form::Eugen, 16));
    assert!(unknown.contains("--layers is trunk.7") && unknown.contains("trunk.1, trunk.2"), "{unknown}");
    assert!(error(&[], options(Form::Eugen, 16)).contains("--layers is empty"));
    assert!(error(&["trunk.1", "trunk.2"], options(Form::Thin, 16)).contains("follow one another"));
    assert!(error(&["trunk.1"], options(Form::Eugen, 17)).contains("--m is 17"));
    let done = configured(&config, &names(&["trunk.1"]), &options(Form::Eugen, 16)).unwrap();
    let again = configured(&done, &names(&["trunk.4"]), &options(Form::Eugen, 16)).unwrap_err();
    assert!(again.to_string().contains("already built otherwise"));
}
