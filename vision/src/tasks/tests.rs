//! A whole run on a small procedural set: what it learns, that it resumes bit for bit, what its adapter holds.
use std::path::Path;
use std::sync::Arc;

use nerve_core::device::Device;
use nerve_core::graph::to_vec;
use nerve_core::run::{Cancel, Events};
use nerve_data::demo::tasks::TaskDemo;
use nerve_data::tasks::{DenseTask, TaskSet};

use super::*;
use crate::adaptation::BACKBONE;

fn data(folder: &Path) -> Arc<TaskSet> {
    TaskDemo { height: 48, width: 48, train: 6, val: 2, ..TaskDemo::default() }
        .write(folder, &|_, _| ())
        .expect("a set");
    Arc::new(TaskSet::open(folder).expect("a set"))
}

fn config(method: &str, steps: u64) -> TasksConfig {
    let mut config = TasksConfig::default();
    config.model.method = method.parse().expect("a method");
    config.model.head_width = 16;
    config.augment.crop = [48, 48];
    (config.train.batch, config.train.run.steps) = (2, Some(steps));
    config
}

fn trained(trainer: &mut Trainer, steps: u64) -> Vec<f64> {
    (0..steps).map(|_| trainer.step().expect("a step").loss).collect()
}

fn values(model: &MultiTask) -> Vec<(String, Vec<f32>)> {
    model.variables().all().into_iter().map(|(key, v)| (key, to_vec(&v.var))).collect()
}

#[test]
fn runs_resume_bit_for_bit_and_leave_the_backbone_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = data(&folder.path().join("set"));
    for method in ["polyhistor-lite", "shared-lora"] {
        let config = config(method, 4);
        let mut whole = Trainer::new(config.clone(), set.clone(), Device::Cpu).expect("a trainer");
        let before: Vec<_> = values(whole.model());
        let losses = trained(&mut whole, 4);
        assert!(losses.iter().all(|loss| loss.is_finite()));
        let mut first = Trainer::new(config.clone(), set.clone(), Device::Cpu).expect("a trainer");
        trained(&mut first, 2);
        let path = folder.path().join("checkpoint.safetensors");
        first.save(&path).expect("saved");
        assert_eq!(reached(&path).expect("a step").0, 2);
        let mut second = Trainer::restored(config.clone(), set.clone(), &path, Device::Cpu).expect("resumed");
        assert_eq!(trained(&mut second, 2), losses[2..]);
        assert!(values(second.model()) == values(whole.model()), "{method}");
        for ((key, old), (_, new)) in before.iter().zip(values(whole.model())) {
            let frozen = key.starts_with(BACKBONE);
            assert!(!frozen || *old == new, "{key} of the frozen backbone moved");
        }
        // The adapter alone predicts the same, and holds nothing of the backbone.
        whole.save(&path).expect("saved");
        let alone = load_adapter(folder.path(), None, Device::Cpu).expect("an adapter");
        assert!(values(&alone) == values(whole.model()));
        let restored = restored(&config, &path, Device::Cpu).expect("a model");
        let image = set.load(&set.splits[0].images[0]).expect("an image").image;
        let of =
            |model: &MultiTask| predict(&model.served().expect("served"), image.view()).expect("predicted");
        assert!(of(&alone) == of(whole.model()) && of(&restored) == of(whole.model()));
        let size = std::fs::metadata(folder.path().join("adapter.safetensors")).expect("a file").len();
        let [own, decoders] = whole.model().trained();
        assert!(size < 4 * (own + decoders) as u64 + 200_000, "{size} bytes of {own} and {decoders} weights");
    }
}

#[test]
fn every_task_is_measured_and_learned() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = data(&folder.path().join("set"));
    let mut config = config("polyhistor", 12);
    config.train.warmup_steps = 1;
    config.train.lr = 3e-3;
    config.train.head_lr = 3e-3;
    let mut trainer = Trainer::new(config, set.clone(), Device::Cpu).expect("a trainer");
    let first = trainer.step().expect("a step");
    let names: Vec<&str> = first.parts.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, DenseTask::ALL.map(DenseTask::name));
    // The total is the weighted sum of the parts, whatever the shares that they were taken in.
    let sum: f64 = first
        .parts
        .iter()
        .map(|(name, v)| trainer.config().train.weight(name.parse().expect("a task")) * v)
        .sum();
    assert!((sum - first.loss).abs() < 1e-4 * sum, "{sum} {}", first.loss);
    let losses = trained(&mut trainer, 11);
    assert!(losses[10] < 0.8 * first.loss, "{} {losses:?}", first.loss);
    let evaluation =
        trainer.measure(&Events::quiet(), &Cancel::default()).expect("measured").expect("scores");
    assert_eq!(evaluation.images, 2);
    for score in &evaluation.scores {
        let value = score.value.expect("a value");
        assert!(value.is_finite() && value >= 0.0, "{score:?}");
        assert_eq!(score.lower_is_better, matches!(score.task, DenseTask::Normals | DenseTask::Depth));
    }
}

/// A pass of its own a task, and one for all, are the same where both see the same weights.
#[test]
fn served_outputs_are_those_of_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = data(&folder.path().join("set"));
    for method in ["lora", "shared-adapter", "decoders", "hyperformer", "vpt-shallow", "mtlora"] {
        let trainer = Trainer::new(config(method, 1), set.clone(), Device::Cpu).expect("a trainer");
        let model = trainer.model();
        let images = crate::adaptation::pattern(5, &[1, 48, 48, 3]);
        let served = model.served().and_then(|served| served.infer(&images)).expect("outputs");
        let shares = model.shares();
        let eval = nerve_core::graph::Mode::Eval;
        let trained: Vec<_> = shares
            .into_iter()
            .flat_map(|share| model.forward_train(&images, share, eval).expect("outputs"))
            .collect();
        assert_eq!(served.len(), 6);
        for (a, b) in served.iter().zip(&trained) {
            let flat = |x: &nerve_core::graph::Tensor| {
                x.flatten_all().and_then(|x| x.to_vec1::<f32>()).expect("values")
            };
            assert!(flat(a) == flat(b), "{method}");
        }
    }
}

#[test]
fn what_does_not_fit_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = data(&folder.path().join("set"));
    let config = config("bitfit", 1);
    let trainer = Trainer::new(config.clone(), set.clone(), Device::Cpu).expect("a trainer");
    let path = folder.path().join("checkpoint.safetensors");
    trainer.save(&path).expect("saved");
    // Another backbone: of another seed.
    let json = folder.path().join("adapter.json");
    let text = std::fs::read_to_string(&json).expect("a file");
    std::fs::write(&json, text.replace("\"seed\": 0", "\"seed\": 1")).expect("written");
    let error = load_adapter(folder.path(), None, Device::Cpu).map(drop).expect_err("another").to_string();
    assert!(error.contains("adapts another backbone") && error.contains("--weights"), "{error}");
    // Another method, and other tasks.
    let mut other = config.clone();
    other.model.method = "lora".parse().expect("a method");
    let error = restored(&other, &path, Device::Cpu).map(drop).expect_err("another").to_string();
    assert!(error.contains("bitfit") && error.contains("lora"), "{error}");
    let fewer = Arc::new((*set).clone().with_tasks(&[DenseTask::Depth]).expect("a task"));
    let error = Trainer::restored(config.clone(), fewer, &path, Device::Cpu).map(drop).expect_err("others");
    assert!(error.to_string().contains("other tasks"), "{error}");
    std::fs::remove_file(&json).expect("removed");
    let error = load_adapter(folder.path(), None, Device::Cpu).map(drop).expect_err("missing").to_string();
    assert!(error.contains("adapter.json") && error.contains("give the folder"), "{error}");
    assert!("semseg=-1".parse::<TaskWeight>().is_err() && "height=1".parse::<TaskWeight>().is_err());
    let mut small = config;
    small.train.batch = 1;
    assert!(small.validate().is_err());
}
