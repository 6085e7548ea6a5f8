//! MLPs of a trained segmenter in other forms.
use nerve_core::device::Device;
use nerve_core::distill::{DistillOptions, Form};
use nerve_core::run::Cancel;
use nerve_vision::backbones::mlps::Blocks;
use nerve_vision::segmentation::{
    HeadKind, Inference, Trainer, distill, distilled_config, evaluate, trained,
};

use crate::support::{self, chosen};

fn options(form: Form, m: usize) -> DistillOptions {
    DistillOptions { form, m, k: 1, ridge: 1e-5, samples: 1024, train_g: 0, fine_tune: 0, seed: 2 }
}

/// Thin MLPs as wide as the full ones are those; every other form is smaller or in 8 bits, and can be saved, opened and trained
/// on.
#[test]
fn segmenters_are_distilled() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = support::set(&folder.path().join("labels"));
    let path = folder.path().join("checkpoint.safetensors");
    let forms = [
        ("mit-b0", options(Form::Thin, 128), "0"),
        ("mit-b0", options(Form::Eugen, 16), "all"),
        ("mit-b0", options(Form::LowRank, 16), "1"),
        ("tinyvit-5m", options(Form::Int8, 16), "all"),
        ("tinyvit-5m", DistillOptions { train_g: 4, ..options(Form::Eugen, 32) }, "2"),
        ("tinyvit-5m", options(Form::Thin, 16), "2-4"),
    ];
    let mut made = "";
    for (backbone, options, blocks) in forms {
        let config = chosen(backbone, HeadKind::AllMlp, 2);
        if made != backbone {
            let pixels = vec![1; set.classes.len()];
            let trainer = Trainer::new(config.clone(), set.clone(), &pixels, Device::Cpu).expect("a trainer");
            trainer.save(&path).expect("saved");
            made = backbone;
        }
        let teacher = trained(&config, &set, &path, Device::Cpu).expect("a segmenter");
        let blocks: Blocks = blocks.parse().expect("blocks");
        let cancel = Cancel::default();
        let (trainer, reports) = distill(&path, &config, &set, &blocks, &options, &cancel, &mut |_, _| {})
            .expect("distilled")
            .expect("whole");
        let (before, after) =
            (teacher.variables().parameters(), trainer.segmenter().variables().parameters());
        let change: i64 = reports.iter().map(|r| r.parameters[1] as i64 - r.parameters[0] as i64).sum();
        assert_eq!(after as i64 - before as i64, change, "{reports:?}");
        let split = config.data.limited(set.held_out().expect("held out"));
        let scores = |segmenter: &_| {
            let found =
                evaluate(segmenter, &set, &split, &Inference::default(), false, &cancel, &mut |_, _, _| {});
            found.expect("an evaluation").expect("whole").confusion
        };
        let same = format!("{:?}", scores(&teacher)) == format!("{:?}", scores(trainer.segmenter()));
        match (options.form, options.m) {
            (Form::Thin, 128) => assert!(reports[0].error.expect("a fit") < 1e-3, "{reports:?} {same}"),
            (Form::Int8, _) => assert_eq!(change, 0),
            _ => {
                assert!(change < 0 && reports.iter().all(|r| r.error.is_some_and(|e| e < 1.0)), "{reports:?}")
            }
        }
        let to = folder.path().join("distilled.safetensors");
        trainer.save(&to).expect("saved");
        let again = distilled_config(&config, &blocks, &options).expect("a configuration");
        let mut opened = Trainer::restored(again, set.clone(), &to, Device::Cpu).expect("opened");
        assert!(opened.step().expect("a step").loss.is_finite());
    }
}

#[test]
fn what_cannot_be_distilled_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = support::set(&folder.path().join("labels"));
    let config = chosen("mit-b0", HeadKind::AllMlp, 2);
    let path = folder.path().join("checkpoint.safetensors");
    let pixels = vec![1; set.classes.len()];
    let trainer = Trainer::new(config.clone(), set.clone(), &pixels, Device::Cpu).expect("a trainer");
    trainer.save(&path).expect("saved");
    let error = |blocks: &str, options: DistillOptions| {
        let (blocks, cancel) = (blocks.parse().expect("blocks"), Cancel::default());
        let found = distill(&path, &config, &set, &blocks, &options, &cancel, &mut |_, _| {});
        found.err().expect("refused").to_string()
    };
    assert!(error("8", options(Form::Eugen, 16)).contains("block 8 has no MLP"));
    assert!(error("", options(Form::Eugen, 16)).contains("--layers is empty"));
    assert!(error("0", options(Form::Eugen, 20)).contains("--m is 20"));
    let wide = error("0", options(Form::Thin, 256));
    assert!(wide.contains("at most the 128 hidden values of block 0"), "{wide}");
}
