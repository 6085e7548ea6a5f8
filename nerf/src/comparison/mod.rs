//! Runs side by side: a table with paired differences, CSV, and a plot of PSNR against parameters.

mod plot;

pub use plot::{Crowds, collisions as plot_collisions, psnr as plot};

use crate::config::Method;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

/// One run's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The scene's name.
    pub scene: String,
    /// Base-2 logarithm of a level's most entries.
    pub log2_entries: u32,
    /// The field.
    pub method: Method,
    /// The run's seed.
    pub seed: u64,
    /// Trainable values.
    pub parameters: usize,
    /// Training steps.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Mean PSNR of the held-out views in dB.
    pub psnr: f64,
    /// Mean SSIM.
    pub ssim: f64,
    /// Seconds to render a view.
    pub render_seconds: f64,
    /// Share of live cells.
    pub live_share: f64,
    /// Share of closed cells of a saliency grid.
    pub closed_share: Option<f64>,
}

/// A mean and, from two values on, half of its 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval, by Student's t.
    pub within: Option<f64>,
    /// How many values there are.
    pub count: usize,
}

impl Mean {
    /// Of these values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let within = (values.len() > 1).then(|| {
            let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
            let t = StudentsT::new(0.0, 1.0, n - 1.0).map_or(f64::NAN, |t| t.inverse_cdf(0.975));
            t * (square / (n - 1.0) / n).sqrt()
        });
        (!values.is_empty()).then_some(Self { mean, within, count: values.len() })
    }
}

impl Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.within {
            Some(within) => write!(f, "{:+.3} ± {within:.3} ({} pairs)", self.mean, self.count),
            None => write!(f, "{:+.3} (one pair)", self.mean),
        }
    }
}

/// What is known of one scene and table size.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// The scene.
    pub scene: String,
    /// Base-2 logarithm of a level's most entries.
    pub log2_entries: u32,
    /// Parameters of the plain field and the mean of its PSNR.
    pub plain: Option<(usize, f64)>,
    /// The same of the hollow one.
    pub hollow: Option<(usize, f64)>,
    /// Hollow minus plain, over the seeds that both have.
    pub difference: Option<Mean>,
}

/// The table's lines, by scene and size.
pub fn lines(rows: &[Row]) -> Vec<Line> {
    let mut cells: BTreeMap<(&str, u32), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        cells.entry((&row.scene, row.log2_entries)).or_default().push(row);
    }
    let line = |((scene, log2_entries), rows): ((&str, u32), Vec<&Row>)| {
        let of = |method| rows.iter().filter(move |r| r.method == method);
        let mean = |method| {
            let psnr: Vec<f64> = of(method).map(|r| r.psnr).collect();
            Some((of(method).next()?.parameters, Mean::of(&psnr)?.mean))
        };
        let pairs: Vec<f64> = of(Method::Hollow)
            .filter_map(|h| Some(h.psnr - of(Method::Plain).find(|p| p.seed == h.seed)?.psnr))
            .collect();
        Line {
            scene: scene.to_owned(),
            log2_entries,
            plain: mean(Method::Plain),
            hollow: mean(Method::Hollow),
            difference: Mean::of(&pairs),
        }
    };
    cells.into_iter().map(line).collect()
}

/// The table as text.
pub fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "{:<12} {:>5}  {:>11} {:>8}  {:>11} {:>8}  hollow - plain, dB (95 %)\n",
        "scene", "table", "plain", "dB", "hollow", "dB"
    );
    for line in lines {
        let field = |field: Option<(usize, f64)>| match field {
            Some((parameters, psnr)) => format!("{parameters:>11} {psnr:>8.3}"),
            None => format!("{:>11} {:>8}", "-", "-"),
        };
        let difference = line.difference.map_or_else(|| "-".to_owned(), |d| d.to_string());
        let size = format!("2^{}", line.log2_entries);
        let (plain, hollow) = (field(line.plain), field(line.hollow));
        let _ = writeln!(text, "{:<12} {size:>5}  {plain}  {hollow}  {difference}", line.scene);
    }
    text
}

/// The rows as CSV.
///
/// # Errors
/// If a row cannot be written as one.
pub fn csv(rows: &[Row]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| writer.serialize(row))?;
    writer.into_inner().map_err(|e| e.into_error().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row(method: Method, log2_entries: u32, seed: u64, psnr: f64) -> Row {
        let parameters = (1 << log2_entries) * 32 + if method == Method::Hollow { 262_144 } else { 0 };
        Row {
            scene: "lego".into(),
            log2_entries,
            method,
            seed,
            parameters,
            steps: 10,
            seconds: 1.5,
            psnr,
            ssim: 0.9,
            render_seconds: 0.1,
            live_share: 0.05,
            closed_share: (method == Method::Hollow).then_some(0.96),
        }
    }

    /// By hand: differences 0.1, 0.2, 0.3 have a standard error of 0.1 / sqrt 3, and t(2) is 4.303.
    #[test]
    fn differences_are_paired_by_seed() {
        let mut rows = vec![row(Method::Plain, 12, 9, 99.0)];
        for (seed, base) in [(0, 30.0), (1, 31.0), (2, 29.0)] {
            rows.push(row(Method::Hollow, 12, seed, base + 0.1 * (seed + 1) as f64));
            rows.push(row(Method::Plain, 12, seed, base));
        }
        rows.push(row(Method::Plain, 13, 0, 32.0));
        let lines = lines(&rows);
        assert_eq!(lines.len(), 2);
        let difference = lines[0].difference.unwrap();
        assert_eq!(difference.count, 3);
        assert!((difference.mean - 0.2).abs() < 1e-9);
        assert!((difference.within.unwrap() - 4.302_65 * 0.1 / 3f64.sqrt()).abs() < 1e-4);
        assert_eq!((lines[1].difference, lines[1].hollow), (None, None));
        let text = table(&lines);
        assert!(text.contains("2^12") && text.contains("+0.200 ± 0.248 (3 pairs)"), "{text}");
    }

    #[test]
    fn one_pair_has_no_interval() {
        let rows = [row(Method::Plain, 12, 0, 30.0), row(Method::Hollow, 12, 0, 30.5)];
        assert_eq!(lines(&rows)[0].difference.unwrap().within, None);
    }

    #[test]
    fn csv_reads_back() {
        let rows = [row(Method::Plain, 12, 0, 30.0), row(Method::Hollow, 12, 0, 30.5)];
        let text = csv(&rows).unwrap();
        let again: Vec<Row> =
            csv::Reader::from_reader(&text[..]).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(again, rows);
    }

    #[test]
    fn the_plot_has_a_point_for_every_run() {
        let rows = [
            row(Method::Plain, 12, 0, 30.0),
            row(Method::Plain, 13, 0, 31.0),
            row(Method::Hollow, 12, 0, 30.5),
        ];
        let svg = plot(&rows).unwrap();
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("lego") && svg.contains("hollow") && svg.ends_with("</svg>\n"));
        assert!(plot(&[]).unwrap().contains("<svg"));
    }

    #[test]
    fn collisions_are_lines() {
        let fields =
            [("a".to_owned(), vec![(16, 1.0), (32, 2.0)]), ("b".to_owned(), vec![(16, 1.0), (32, 900.0)])];
        assert_eq!(plot_collisions(&fields).unwrap().matches("<circle").count(), 4);
        assert!(plot_collisions(&[]).unwrap().contains("<svg"));
    }
}
