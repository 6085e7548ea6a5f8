//! Published weights that a segmenter begins with.
use std::collections::BTreeMap;
use std::path::Path;

use nerve_core::checkpoint::{self, TensorData};
use nerve_core::graph::to_vec;
use nerve_vision::segmentation::{HeadKind, Segmenter};

use crate::support::{CPU, chosen};

/// A file with these arrays, each filled with its place.
fn weights(path: &Path, arrays: &[(String, Vec<usize>)]) {
    let tensors: Vec<_> = arrays
        .iter()
        .enumerate()
        .map(|(i, (key, shape))| (key.clone(), shape.clone(), vec![i as f32; shape.iter().product()]))
        .collect();
    let data: Vec<_> = tensors.iter().map(|(k, s, v)| (k.clone(), s.clone(), TensorData::F32(v))).collect();
    checkpoint::save(path, &BTreeMap::new(), &data).expect("a file");
}

#[test]
fn a_classifiers_weights_begin_a_segmenter_and_what_is_left_over_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weights.safetensors");
    for (backbone, extra) in [("swin-tiny", "head.fc.weight"), ("vit-tiny", "head.weight")] {
        let model = chosen(backbone, HeadKind::AllMlp, 1).model;
        let mut segmenter = Segmenter::new(&model, 3, 1, CPU).expect("a segmenter");
        // timm's keys are ours; a classifier of Swin's has one norm, not one of every stage.
        let of_backbone = |(key, v): (String, nerve_core::graph::Variable)| {
            Some((key.strip_prefix("backbone.")?.to_owned(), v.var.dims().to_vec()))
        };
        let all = segmenter.variables().all();
        let mut arrays: Vec<_> = all.into_iter().filter_map(of_backbone).collect();
        let before = arrays.len();
        if backbone == "swin-tiny" {
            arrays.retain(|(key, _)| !key.starts_with("norm"));
            arrays.push(("norm.weight".into(), vec![768]));
        }
        arrays.push((extra.into(), vec![5, 7]));
        weights(&file, &arrays);
        let report = segmenter.load_backbone(&file, &model).expect("loaded");
        let fresh = if backbone == "swin-tiny" { 8 } else { 0 };
        assert_eq!((report.loaded, report.fresh.len()), (before - fresh, fresh), "{report}");
        assert!(report.ignored.contains(&extra.to_owned()), "{:?}", report.ignored);
        let key = &arrays[3].0;
        let loaded = segmenter.variables().get(&format!("backbone.{key}")).expect("a variable").var;
        assert!(to_vec(&loaded).iter().all(|v| *v == 3.0), "{key}");

        // Of another backbone, cut, and with one too many.
        let other = chosen("mit-b0", HeadKind::AllMlp, 1).model;
        let mut wrong = Segmenter::new(&other, 3, 1, CPU).expect("a segmenter");
        let error = wrong.load_backbone(&file, &other).expect_err("another model").to_string();
        assert!(error.contains("the weights of mit-b0?") && error.contains("--backbone"), "{error}");
        arrays.remove(3);
        arrays.push(("surprise".into(), vec![2]));
        weights(&file, &arrays);
        let error = segmenter.load_backbone(&file, &model).expect_err("not whole").to_string();
        assert!(error.contains("1 missing") && error.contains("surprise"), "{error}");
    }
}

/// The authors count a merging to the stage before it, and their segmenters have their backbone under its name.
#[test]
fn the_authors_segmenter_begins_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weights.safetensors");
    let model = chosen("swin-tiny", HeadKind::AllMlp, 1).model;
    let mut segmenter = Segmenter::new(&model, 3, 1, CPU).expect("a segmenter");
    let published = |key: &str| {
        (1..4).fold(key.to_owned(), |key, stage| {
            key.replace(
                &format!("backbone.layers.{stage}.downsample"),
                &format!("backbone.layers.{}.downsample", stage - 1),
            )
        })
    };
    let all = segmenter.variables().all();
    let of_backbone = all.iter().filter(|(key, _)| key.starts_with("backbone."));
    let mut arrays: Vec<_> = of_backbone.map(|(key, v)| (published(key), v.var.dims().to_vec())).collect();
    let count = arrays.len();
    arrays.push(("decode_head.conv_seg.weight".into(), vec![150, 512, 1, 1]));
    weights(&file, &arrays);
    let report = segmenter.load_backbone(&file, &model).expect("loaded");
    assert_eq!((report.loaded, report.fresh.len()), (count, 0), "{report}");
}
