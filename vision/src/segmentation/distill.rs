//! A trained segmenter's MLPs as EUGen layers, or as what rivals them, without backpropagation (see
//! [`nerve_core::distill`]).
//!
//! The training images are shown once, and what each MLP was given and what it gave is summed up on the way: no activation is
//! kept, but for the training of projections. Each MLP's second linear layer is part of what is solved for.
mod record;
mod rewrite;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use nerve_core::device::Device;
use nerve_core::distill::{DistillOptions, Form, LayerReport};
use nerve_core::graph::{Variables, to_vec, update_in_place};
use nerve_core::ops::eugen::FeatureConfig;
use nerve_core::run::Cancel;
use nerve_core::settings::{SettingError, check};
use nerve_data::labels::LabelSet;

use super::{Inference, SegConfig, SegmentationError, Segmenter, Trainer, predict, trained};
use crate::backbones::mlps::Blocks;
use crate::backbones::{MlpForms, Part};
use record::{Recorder, Tapped};

/// An MLP of a backbone, by its number and its variables' prefix.
#[derive(Clone, Debug)]
struct Place {
    block: u32,
    channels: usize,
    prefix: String,
}

/// The configuration of a segmenter whose MLPs in `blocks` are of another form.
///
/// # Errors
/// If a setting is out of range.
pub fn configured(
    config: &SegConfig,
    blocks: &Blocks,
    options: &DistillOptions,
) -> Result<SegConfig, SettingError> {
    options.validate()?;
    check(
        *blocks != Blocks::default(),
        "--layers",
        "empty",
        "blocks by their numbers, such as 0,2,4-6, or all",
    )?;
    let full = config.model.mlps.are_full();
    check(full, "--layers", "already built otherwise", "those of the run that this one was made of")?;
    let mut config = config.clone();
    let (blocks, m) = (blocks.clone(), options.m);
    config.model.mlps = match options.form {
        Form::Eugen => {
            let features = FeatureConfig { order: options.k, features: m, ..FeatureConfig::default() };
            MlpForms { eugen: blocks, features, ..MlpForms::default() }
        }
        Form::LowRank => {
            MlpForms { eugen: blocks, features: FeatureConfig::low_rank(m), ..MlpForms::default() }
        }
        Form::Thin => MlpForms { thin: blocks, thin_hidden: m, ..MlpForms::default() },
        Form::Int8 => MlpForms { int8: blocks, ..MlpForms::default() },
    };
    config.validate()?;
    Ok(config)
}

/// Rebuilds the MLPs of the segmenter in the checkpoint at `path`, whose run has this configuration; gives a trainer of the new
/// segmenter, where the run was, and what became of each MLP. None if it was cancelled. `seen` is told how many of how many
/// images were shown.
///
/// # Errors
/// If a setting is out of range, there is no such block, the checkpoint is damaged or of other data, or nothing can be solved for.
pub fn distill(
    path: &Path,
    config: &SegConfig,
    set: &Arc<LabelSet>,
    blocks: &Blocks,
    options: &DistillOptions,
    cancel: &Cancel,
    seen: &mut dyn FnMut(usize, usize),
) -> Result<Option<(Trainer, Vec<LayerReport>)>, SegmentationError> {
    let rebuilt = configured(config, blocks, options)?;
    let start = Instant::now();
    let teacher = trained(config, set, path, Device::Cpu)?;
    let places: Vec<Place> = places(&teacher).into_iter().filter(|p| blocks.contains(p.block)).collect();
    let (language, seed) = (teacher.language(), config.train.run.seed);
    let student = Segmenter::guided(&rebuilt.model, language, set.classes.len(), seed, Device::Cpu)?;
    copy(teacher.variables(), student.variables())?;
    let recorder = Recorder::new(&places, &teacher, &student, &rebuilt.model.mlps, options)?;
    if options.form != Form::Int8 {
        let pairs = config.data.limited(set.split(&config.data.train_split)?).pairs;
        let tapped = Tapped { segmenter: &teacher, recorder: &recorder };
        for (done, pair) in pairs.iter().enumerate() {
            if cancel.is_cancelled() {
                return Ok(None);
            }
            predict(&tapped, set.load(pair)?.image.view(), &Inference::default())?;
            seen(done + 1, pairs.len());
        }
    }
    let shown = start.elapsed().as_secs_f64() / places.len().max(1) as f64;
    let mut reports = Vec::new();
    for (place, recorded) in places.iter().zip(recorder.into_recorded()) {
        let begun = Instant::now();
        let mut report = rewrite::rewrite(place, recorded, &teacher, &student, options)
            .map_err(|reason| SegmentationError::Other { path: path.to_owned(), reason })?;
        report.seconds = shown + begun.elapsed().as_secs_f64();
        reports.push(report);
    }
    Ok(Some((Trainer::distilled(rebuilt, set.clone(), student, path)?, reports)))
}

/// The MLPs of a segmenter's backbone, in the order of their blocks.
fn places(segmenter: &Segmenter) -> Vec<Place> {
    let mut prefixes: Vec<String> = Vec::new();
    for (key, _) in segmenter.variables().all() {
        if let Some(at) = key.find(".mlp.").filter(|_| key.starts_with("backbone.")) {
            let prefix = key[..at + 4].to_owned();
            if !prefixes.contains(&prefix) {
                prefixes.push(prefix);
            }
        }
    }
    // As numbers: 10 is behind 9.
    let numbers = |key: &String| key.split('.').filter_map(|part| part.parse().ok()).collect::<Vec<u32>>();
    prefixes.sort_by_key(numbers);
    let branches = segmenter.branches().into_iter().filter(|branch| branch.part == Part::Mlp);
    let place = |(branch, prefix): (crate::backbones::Branch, String)| Place {
        block: branch.block,
        channels: branch.channels,
        prefix,
    };
    branches.zip(prefixes).map(place).collect()
}

/// Copies what has the same name and shape.
fn copy(from: &Variables, to: &Variables) -> Result<(), SegmentationError> {
    for (key, variable) in to.all() {
        if let Some(source) = from.get(&key).filter(|source| source.var.dims() == variable.var.dims()) {
            let values = to_vec(&source.var);
            update_in_place(&variable.var, |v| v.copy_from_slice(&values))?;
        }
    }
    Ok(())
}
