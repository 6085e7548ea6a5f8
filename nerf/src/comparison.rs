//! Runs side by side: a table with paired differences, CSV, and a plot of PSNR against parameters.

use crate::hollow::Method;
use plotters::prelude::*;
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

const SIZE: (u32, u32) = (860, 520);
const COLORS: [(Method, RGBColor, &str); 2] =
    [(Method::Plain, RGBColor(70, 110, 180), "plain"), (Method::Hollow, RGBColor(210, 90, 50), "hollow")];

/// Collisions of one field: its name and, per level, the resolution and how crowded an entry is.
pub type Crowds = (String, Vec<(u32, f64)>);

/// How crowded entries are, level by level, as SVG: a line per field, both axes logarithmic.
///
/// # Errors
/// What the drawing says, in words.
pub fn plot_collisions(fields: &[Crowds]) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        crowds(&root, fields).map_err(|e| e.to_string())?;
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(svg)
}

fn crowds(area: &Area<'_>, fields: &[Crowds]) -> Result<(), Box<dyn std::error::Error>> {
    let all = || fields.iter().flat_map(|(_, levels)| levels);
    let low = all().map(|(r, _)| *r).min().unwrap_or(1);
    let high = all().map(|(r, _)| *r).max().unwrap_or(2).max(low + 1);
    let most = all().map(|(_, c)| *c).fold(10.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption("Live vertices in the table entry of a live vertex", ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (0.9 * f64::from(low)..1.1 * f64::from(high)).log_scale(),
            (0.8..1.5 * most).log_scale(),
        )?;
    chart
        .configure_mesh()
        .x_desc("cells per axis of the level")
        .y_desc("vertices")
        .x_label_formatter(&|v| format!("{v:.0}"))
        .y_label_formatter(&|v| format!("{v:.0}"))
        .light_line_style(WHITE)
        .draw()?;
    for (i, (name, levels)) in fields.iter().enumerate() {
        let color = PALETTE[i % PALETTE.len()];
        let points = || levels.iter().map(|(r, c)| (f64::from(*r), *c));
        chart
            .draw_series(LineSeries::new(points(), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
        chart.draw_series(points().map(|p| Circle::new(p, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    Ok(())
}

const PALETTE: [RGBColor; 6] = [
    RGBColor(150, 150, 150),
    RGBColor(70, 110, 180),
    RGBColor(210, 90, 50),
    RGBColor(90, 150, 80),
    RGBColor(140, 90, 160),
    RGBColor(190, 150, 40),
];

/// PSNR against parameters as SVG: a point per run, a line through the means, a chart per scene.
///
/// # Errors
/// What the drawing says, in words.
pub fn plot(rows: &[Row]) -> Result<String, String> {
    let mut scenes: Vec<&str> = rows.iter().map(|r| r.scene.as_str()).collect();
    scenes.sort_unstable();
    scenes.dedup();
    let mut svg = String::new();
    {
        let size = (SIZE.0, SIZE.1 * scenes.len().max(1) as u32);
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        let areas = root.split_evenly((scenes.len().max(1), 1));
        for (area, scene) in areas.iter().zip(scenes) {
            let rows: Vec<&Row> = rows.iter().filter(|r| r.scene == scene).collect();
            chart(area, scene, &rows).map_err(|e| e.to_string())?;
        }
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(svg)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn chart(area: &Area<'_>, scene: &str, rows: &[&Row]) -> Result<(), Box<dyn std::error::Error>> {
    let bounds = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
    };
    let (few, many) = bounds(&mut rows.iter().map(|r| r.parameters as f64));
    let (low, high) = bounds(&mut rows.iter().map(|r| r.psnr));
    let margin = (0.08 * (high - low)).max(0.1);
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{scene}: held-out PSNR against parameters"), ("sans-serif", 20))
        .margin(14)
        .x_label_area_size(42)
        .y_label_area_size(56)
        .build_cartesian_2d((0.8 * few..1.25 * many).log_scale(), low - margin..high + margin)?;
    chart
        .configure_mesh()
        .x_desc("parameters")
        .y_desc("PSNR, dB")
        .x_label_formatter(&|v| {
            if *v >= 1e6 { format!("{:.1}M", v / 1e6) } else { format!("{:.0}k", v / 1e3) }
        })
        .light_line_style(WHITE)
        .draw()?;
    for (method, color, name) in COLORS {
        let of = || rows.iter().filter(move |r| r.method == method);
        let mut means: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        of().for_each(|r| means.entry(r.parameters).or_default().push(r.psnr));
        if means.is_empty() {
            continue;
        }
        let line = means.iter().map(|(p, v)| (*p as f64, v.iter().sum::<f64>() / v.len() as f64));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
        chart.draw_series(of().map(|r| Circle::new((r.parameters as f64, r.psnr), 4, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()?;
    Ok(())
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
