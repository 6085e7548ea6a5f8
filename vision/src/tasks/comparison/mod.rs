//! Runs of several methods and seeds side by side: every task's metric, Delta against single-task fine-tuning, parameters.
//!
//! The reference of Delta is the mean over seeds of `single-full`, a task at a time; a method's Delta is the mean over its
//! seeds, and its spread their standard deviation. Encoder parameters are those that the method trains; the total adds the
//! decoders', which published tables partly leave out.
mod plot;

use std::fmt::Write as _;

use nerve_core::metrics::dense::{Compared, delta};
use serde::{Deserialize, Serialize};

use super::TaskScore;
use crate::adaptation::MethodName;

pub use plot::plot;

/// The method that Delta refers to.
const REFERENCE: &str = "single-full";

/// What a run's `eval.json` says of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The method.
    pub method: MethodName,
    /// Steps of training.
    pub step: u64,
    /// Weights of the method and of the decoders.
    pub parameters: Parameters,
    /// Seconds of training.
    pub training_seconds: f64,
    /// One a task.
    pub scores: Vec<TaskScore>,
}

/// Weights that are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// In the backbone, or beside it.
    pub method: usize,
    /// In the decoders.
    pub decoders: usize,
}

/// A run of the comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its seed.
    pub seed: u64,
    /// What was found.
    pub report: Report,
}

/// A method's runs together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The method.
    pub method: MethodName,
    /// How many runs.
    pub runs: usize,
    /// Weights that are trained.
    pub parameters: Parameters,
    /// Mean seconds of training.
    pub seconds: f64,
    /// Each task's score, a mean over the runs that have one.
    pub scores: Vec<TaskScore>,
    /// Delta, its standard deviation over seeds (of two runs and more), in percent; none without the reference.
    pub delta: Option<(f64, Option<f64>)>,
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    Some((values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt())
}

/// The mean score of each task over runs.
fn scores(rows: &[&Row]) -> Vec<TaskScore> {
    let Some(first) = rows.first() else { return Vec::new() };
    let of = |place: usize, score: &TaskScore| {
        let values: Vec<f64> =
            rows.iter().filter_map(|row| row.report.scores.get(place).and_then(|s| s.value)).collect();
        TaskScore { value: mean(&values), ..score.clone() }
    };
    first.report.scores.iter().enumerate().map(|(i, score)| of(i, score)).collect()
}

/// A line a method, in the order in which they first occur.
#[must_use]
pub fn lines(rows: &[Row]) -> Vec<Line> {
    let of =
        |method: MethodName| -> Vec<&Row> { rows.iter().filter(|r| r.report.method == method).collect() };
    let reference = REFERENCE.parse().map(|method| scores(&of(method))).unwrap_or_default();
    let mut methods: Vec<MethodName> = Vec::new();
    for row in rows {
        if !methods.contains(&row.report.method) {
            methods.push(row.report.method);
        }
    }
    let line = |method: MethodName| {
        let own = of(method);
        let gain = |row: &&Row| {
            let pairs = row.report.scores.iter().zip(&reference);
            let tasks: Vec<Compared> = pairs
                .filter_map(|(score, reference)| {
                    let lower_is_better = score.lower_is_better;
                    Some(Compared { value: score.value?, reference: reference.value?, lower_is_better })
                })
                .collect();
            delta(&tasks)
        };
        let gains: Vec<f64> = own.iter().filter_map(gain).collect();
        let seconds: Vec<f64> = own.iter().map(|row| row.report.training_seconds).collect();
        Line {
            method,
            runs: own.len(),
            parameters: own
                .first()
                .map_or(Parameters { method: 0, decoders: 0 }, |row| row.report.parameters),
            seconds: mean(&seconds).unwrap_or_default(),
            scores: scores(&own),
            delta: mean(&gains).map(|mean| (mean, deviation(&gains))),
        }
    };
    methods.into_iter().map(line).collect()
}

/// The lines for people. Parameters are in millions.
#[must_use]
pub fn table(lines: &[Line]) -> String {
    let Some(first) = lines.first() else { return "no run is done yet\n".to_owned() };
    let millions = |n: usize| format!("{:.4}", n as f64 / 1e6);
    let mut text = format!("{:<24} {:>4} {:>10} {:>10}", "method", "runs", "encoder M", "total M");
    for score in &first.scores {
        let arrow = if score.lower_is_better { "-" } else { "+" };
        let _ = write!(text, " {:>12}", format!("{} {arrow}", score.task));
    }
    text += &format!(" {:>16} {:>9}\n", "Delta %", "seconds");
    for line in lines {
        let Parameters { method, decoders } = line.parameters;
        let _ = write!(
            text,
            "{:<24} {:>4} {:>10} {:>10}",
            line.method,
            line.runs,
            millions(method),
            millions(method + decoders)
        );
        for score in &line.scores {
            let value = score.value.map_or_else(|| "-".to_owned(), |v| format!("{v:.2}"));
            let _ = write!(text, " {value:>12}");
        }
        let delta = match line.delta {
            Some((mean, Some(spread))) => format!("{mean:+.2} +- {spread:.2}"),
            Some((mean, None)) => format!("{mean:+.2}"),
            None => "-".to_owned(),
        };
        let _ = writeln!(text, " {delta:>16} {:>9.1}", line.seconds);
    }
    let metrics =
        first.scores.iter().map(|s| format!("{} {}", s.task, s.metric)).collect::<Vec<_>>().join(", ");
    let _ = writeln!(
        text,
        "{metrics}; + more is better, - less is. Delta: mean gain over {REFERENCE} in percent, +- the deviation over \
         seeds. The total has the decoders'."
    );
    text
}

/// Every run as a row of CSV.
#[must_use]
pub fn csv(rows: &[Row]) -> String {
    let mut text = "method,seed,steps,encoder_parameters,decoder_parameters,training_seconds".to_owned();
    if let Some(first) = rows.first() {
        first.report.scores.iter().for_each(|score| text += &format!(",{}", score.task));
    }
    text.push('\n');
    for Row { seed, report } in rows {
        let Parameters { method, decoders } = report.parameters;
        let _ = write!(
            text,
            "{},{seed},{},{method},{decoders},{:.3}",
            report.method, report.step, report.training_seconds
        );
        for score in &report.scores {
            let value = score.value.map(|v| v.to_string()).unwrap_or_default();
            let _ = write!(text, ",{value}");
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_data::tasks::DenseTask;

    fn row(method: &str, seed: u64, semseg: f64, normals: Option<f64>) -> Row {
        let score =
            |task, value, lower_is_better| TaskScore { task, metric: "m".to_owned(), value, lower_is_better };
        Row {
            seed,
            report: Report {
                method: method.parse().expect("a method"),
                step: 5,
                parameters: Parameters { method: 1000, decoders: 500 },
                training_seconds: 2.0,
                scores: vec![
                    score(DenseTask::Semseg, Some(semseg), false),
                    score(DenseTask::Normals, normals, true),
                ],
            },
        }
    }

    #[test]
    fn delta_is_against_the_mean_of_single_tasks() {
        let rows = [
            row("single-full", 0, 40.0, Some(20.0)),
            row("single-full", 1, 60.0, Some(20.0)),
            row("lora", 0, 55.0, Some(19.0)),
            row("lora", 1, 45.0, Some(21.0)),
        ];
        let lines = lines(&rows);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].scores[0].value, Some(50.0));
        let (mean, spread) = lines[1].delta.expect("a delta");
        // +10 and +5 of the first seed, -10 and -5 of the second.
        assert!(mean.abs() < 1e-9 && (spread.expect("a spread") - 112.5f64.sqrt()).abs() < 1e-9);
        let table = table(&lines);
        assert!(
            table.contains("+0.00 +- 10.61") && table.contains("0.0010") && table.contains("0.0015"),
            "{table}"
        );
        let csv = csv(&rows);
        assert!(csv.contains("lora,1,5,1000,500,2.000,45,21\n"), "{csv}");
        assert!(plot(&lines).contains("lora"));
    }

    #[test]
    fn without_the_reference_or_a_value_there_is_no_delta() {
        let alone = lines(&[row("lora", 0, 55.0, None)]);
        assert_eq!(alone[0].delta, None);
        assert!(table(&alone).contains(" -"));
        assert!(table(&[]).contains("no run"));
        let partly = lines(&[row("single-full", 0, 50.0, None), row("lora", 0, 55.0, None)]);
        assert!((partly[1].delta.expect("of one task").0 - 10.0).abs() < 1e-9);
    }
}
