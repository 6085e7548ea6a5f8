//! Inspecting a label set before training: every mask is decoded, classes and unknown values are counted.

mod display;
mod problems;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::Serialize;

use super::coding::MaskValue;
use super::load::fitting_turn;
use super::{IGNORE, LabelError, LabelFormat, LabelSet, LabelSplit, Pair, mask};
use crate::problem::{DataProblem, Severity};

/// What [`inspect`] found. `Display` writes it for people, serde for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelReport {
    /// The set's name.
    pub name: String,
    /// The folder that was read.
    pub source: PathBuf,
    /// Its format.
    pub format: LabelFormat,
    /// Class names, in the order of their numbers.
    pub classes: Vec<String>,
    /// Each split.
    pub splits: Vec<SplitReport>,
    /// What the user should know but need not act on.
    pub warnings: Vec<String>,
    /// What is wrong, the worst first.
    pub problems: Vec<DataProblem>,
}

/// The labels of one split.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SplitReport {
    /// The split.
    pub name: String,
    /// Images with masks.
    pub pairs: usize,
    /// Names in the list that have no file.
    pub missing: Vec<PathBuf>,
    /// Images without a mask.
    pub unlabelled: Vec<PathBuf>,
    /// Masks without an image.
    pub unpictured: Vec<PathBuf>,
    /// Sizes of masks, the most frequent first.
    pub sizes: Vec<LabelResolution>,
    /// Pixels of all masks that could be read.
    pub pixels: u64,
    /// How many of them are ignored.
    pub ignored: u64,
    /// Images in which every pixel is ignored.
    pub all_ignored: usize,
    /// Each class, in the order of their numbers.
    pub classes: Vec<ClassShare>,
    /// Values in masks that belong to no class, the most frequent first.
    pub unknown: Vec<UnknownValue>,
    /// Pairs that cannot be read or do not fit: the mask, and why.
    pub damaged: Vec<[String; 2]>,
    /// Fraction of the pixels of id 0 that have a neighbor of another id: near 1 for outlines. `None` without pixels of
    /// id 0.
    pub zero_on_edges: Option<f64>,
}

/// How often a class occurs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassShare {
    /// The class.
    pub name: String,
    /// Its pixels.
    pub pixels: u64,
    /// Its fraction of all labeled pixels.
    pub share: f64,
    /// Images that show it.
    pub images: usize,
}

/// A value in masks that belongs to no class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownValue {
    /// `id 12` or `color (1, 2, 3)`.
    pub value: String,
    /// The number, if the value is an id.
    pub id: Option<u16>,
    /// Pixels that have it.
    pub pixels: u64,
    /// Masks that contain it.
    pub images: usize,
    /// The first of them.
    pub first: PathBuf,
}

/// A size and how many masks have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LabelResolution {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How many masks.
    pub count: usize,
}

/// Decodes every mask, in parallel on the current rayon pool, and reports what they contain; `progress(done, total)` is
/// called from the worker threads.
pub fn inspect(set: &LabelSet, progress: &(dyn Fn(usize, usize) + Sync)) -> LabelReport {
    let total: usize = set.splits.iter().map(|split| split.pairs.len()).sum();
    let mut before = 0;
    let mut splits = Vec::new();
    for split in &set.splits {
        splits.push(inspect_split(set, split, &|done, _| progress(before + done, total)));
        before += split.pairs.len();
    }
    let problems = problems::find(set, &splits);
    LabelReport {
        name: set.name.clone(),
        source: set.source.clone(),
        format: set.format,
        classes: set.class_names(),
        splits,
        warnings: set.warnings.clone(),
        problems,
    }
}

impl LabelReport {
    /// The error for which a split cannot be used, if there is one.
    #[must_use]
    pub fn refusal(&self, split: &str) -> Option<&DataProblem> {
        // Problems of one split begin with its name.
        let about = format!("{split}: ");
        self.problems.iter().find(|p| p.severity == Severity::Error && p.what.starts_with(&about))
    }
}

/// The counts of one mask.
struct MaskCounts {
    size: (u32, u32),
    counts: BTreeMap<MaskValue, u64>,
    /// Pixels of id 0, and those of them beside another id.
    zero: (u64, u64),
}

/// Decodes the masks of one split, in parallel on the current rayon pool: the histogram over classes and more.
pub fn inspect_split(
    set: &LabelSet,
    split: &LabelSplit,
    progress: &(dyn Fn(usize, usize) + Sync),
) -> SplitReport {
    let done = AtomicUsize::new(0);
    let counted: Vec<Result<MaskCounts, LabelError>> = split
        .pairs
        .par_iter()
        .map(|pair| {
            let tally = tally(set, pair);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1, split.pairs.len());
            tally
        })
        .collect();
    let mut report = SplitReport {
        name: split.name.clone(),
        pairs: split.pairs.len(),
        missing: split.missing.clone(),
        unlabelled: split.unlabelled.clone(),
        unpictured: split.unpictured.clone(),
        ..SplitReport::default()
    };
    let mut classes = vec![(0u64, 0usize); set.classes.len()];
    let mut sizes: BTreeMap<(u32, u32), usize> = BTreeMap::new();
    let mut unknown: BTreeMap<MaskValue, (u64, usize, PathBuf)> = BTreeMap::new();
    let mut zero = (0, 0);
    for (pair, tally) in split.pairs.iter().zip(counted) {
        let tally = match tally {
            Ok(tally) => tally,
            Err(error) => {
                report.damaged.push([pair.mask.display().to_string(), error.to_string()]);
                continue;
            }
        };
        *sizes.entry(tally.size).or_default() += 1;
        zero = (zero.0 + tally.zero.0, zero.1 + tally.zero.1);
        let pixels = u64::from(tally.size.0) * u64::from(tally.size.1);
        report.pixels += pixels;
        let (mut ignored, mut seen) = (0, BTreeSet::new());
        for (value, count) in tally.counts {
            match set.coding.class(value) {
                Some(IGNORE) => ignored += count,
                Some(class) => {
                    // Several values may be one class.
                    let sum = &mut classes[usize::from(class)];
                    *sum = (sum.0 + count, sum.1 + usize::from(seen.insert(class)));
                }
                None => {
                    let sum = unknown.entry(value).or_insert_with(|| (0, 0, pair.mask.clone()));
                    (sum.0, sum.1) = (sum.0 + count, sum.1 + 1);
                }
            }
        }
        report.ignored += ignored;
        report.all_ignored += usize::from(ignored == pixels);
    }
    let counted: u64 = classes.iter().map(|(pixels, _)| pixels).sum();
    let share = |pixels: u64| if counted == 0 { 0.0 } else { pixels as f64 / counted as f64 };
    report.classes = std::iter::zip(&set.classes, classes)
        .map(|(class, (pixels, images))| ClassShare {
            name: class.name.clone(),
            pixels,
            share: share(pixels),
            images,
        })
        .collect();
    report.unknown = unknown
        .into_iter()
        .map(|(value, (pixels, images, first))| UnknownValue {
            value: value.to_string(),
            id: if let MaskValue::Id(id) = value { Some(id) } else { None },
            pixels,
            images,
            first,
        })
        .collect();
    report.unknown.sort_by_key(|unknown| std::cmp::Reverse(unknown.pixels));
    report.sizes =
        sizes.into_iter().map(|((width, height), count)| LabelResolution { width, height, count }).collect();
    report.sizes.sort_by_key(|size| std::cmp::Reverse(size.count));
    report.zero_on_edges = (zero.0 > 0).then(|| zero.1 as f64 / zero.0 as f64);
    report
}

fn tally(set: &LabelSet, pair: &Pair) -> Result<MaskCounts, LabelError> {
    let raw = mask::read(&pair.mask)?;
    fitting_turn(pair, &raw)?;
    Ok(MaskCounts {
        size: (raw.width, raw.height),
        counts: set.coding.tally(&raw),
        zero: raw.zeros_on_edges(),
    })
}
