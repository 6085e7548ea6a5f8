//! Scalars as plots, histograms and values of classes as bars, confusion as a matrix, messages as a log.
use std::borrow::Cow;

use nerve_core::run::{Class, Level};
use rerun::archetypes::{BarChart, Scalars, Tensor, TextLog};
use rerun::components::{Color, TextLogLevel};
use rerun::datatypes::{TensorBuffer, TensorData};
use rerun::{EntityPath, EntityPathPart, RecordingStream, RecordingStreamResult};

use crate::paths::below;

/// Classes that have a bar with a name each.
const NAMED: usize = 40;

pub(super) fn scalars(
    stream: &RecordingStream,
    values: &[(Cow<'static, str>, f64)],
) -> RecordingStreamResult<()> {
    // A plot with a hole says more than none at all.
    for (name, value) in values.iter().filter(|(_, value)| value.is_finite()) {
        stream.log(below("numbers", name), &Scalars::new([*value]))?;
    }
    Ok(())
}

pub(super) fn histogram(
    stream: &RecordingStream,
    name: &str,
    [low, high]: [f64; 2],
    counts: &[u64],
) -> RecordingStreamResult<()> {
    let bin = (high - low) / counts.len().max(1) as f64;
    let middles: Vec<f64> = (0..counts.len()).map(|i| low + bin * (i as f64 + 0.5)).collect();
    let bars = BarChart::new(TensorData::from(counts)).with_abscissa(TensorData::from(middles));
    stream.log(below("histograms", name), &bars)
}

/// A bar per class, in its color and with its name as long as a legend has room for them; an absent class has none.
pub(super) fn per_class(
    stream: &RecordingStream,
    name: &str,
    classes: &[Class],
    values: &[f64],
) -> RecordingStreamResult<()> {
    let bars: Vec<f64> = values.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect();
    let path = below("classes", name);
    if classes.len() != values.len() || classes.len() > NAMED {
        return stream.log(path, &BarChart::new(TensorData::from(bars)));
    }
    for (i, (class, bar)) in classes.iter().zip(bars).enumerate() {
        let chart = BarChart::new(TensorData::from(vec![bar]))
            .with_abscissa(TensorData::from(vec![i as f64]))
            .with_widths([0.9])
            .with_color(Color::from(class.color));
        stream.log(path.join(&EntityPath::from(vec![EntityPathPart::new(&*class.name)])), &chart)?;
    }
    Ok(())
}

/// Each row, the pixels of a true class, as shares of itself: rare classes are seen as well as frequent ones.
pub(super) fn confusion(
    stream: &RecordingStream,
    classes: usize,
    counts: &[u64],
) -> RecordingStreamResult<()> {
    if classes == 0 || classes.checked_mul(classes) != Some(counts.len()) {
        return Ok(());
    }
    let shares: Vec<f32> = counts
        .chunks_exact(classes)
        .flat_map(|row| {
            let total = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(move |count| (*count as f64 / total) as f32)
        })
        .collect();
    let shape = vec![classes as u64; 2];
    let matrix = TensorData::new(shape, TensorBuffer::F32(shares.into()));
    let matrix = matrix.with_dim_names(["true class", "predicted class"]);
    stream.log("classes/confusion", &Tensor::new(matrix).with_value_range([0.0, 1.0]))
}

pub(super) fn text(stream: &RecordingStream, level: Level, message: &str) -> RecordingStreamResult<()> {
    let level = match level {
        Level::Info => TextLogLevel::INFO,
        Level::Warning => TextLogLevel::WARN,
        Level::Error => TextLogLevel::ERROR,
    };
    stream.log(EntityPath::from("log"), &TextLog::new(message).with_level(level))
}
