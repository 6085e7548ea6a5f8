//! Plots as SVG.

use super::Row;
use crate::config::Method;
use plotters::prelude::*;
use std::collections::BTreeMap;

const SIZE: (u32, u32) = (860, 520);
const COLORS: [(Method, RGBColor); 3] = [
    (Method::Plain, RGBColor(70, 110, 180)),
    (Method::Hollow, RGBColor(210, 90, 50)),
    (Method::Classic, RGBColor(90, 150, 70)),
];

/// What `draw` puts on a white canvas.
fn svg(
    size: (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, String> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        root.fill(&WHITE).map_err(|e| e.to_string())?;
        draw(&root).map_err(|e| e.to_string())?;
        root.present().map_err(|e| e.to_string())?;
    }
    Ok(svg)
}

/// Collisions of one field: its name and, per level, the resolution and how crowded an entry is.
pub type Crowds = (String, Vec<(u32, f64)>);

/// How crowded entries are, level by level, as SVG: a line per field, both axes logarithmic.
///
/// # Errors
/// What the drawing says, in words.
pub fn collisions(fields: &[Crowds]) -> Result<String, String> {
    svg(SIZE, |area| crowds(area, fields))
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
        .x_labels(8)
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

const PALETTE: [RGBColor; 9] = [
    RGBColor(150, 150, 150),
    RGBColor(70, 110, 180),
    RGBColor(210, 90, 50),
    RGBColor(90, 150, 80),
    RGBColor(140, 90, 160),
    RGBColor(190, 150, 40),
    RGBColor(60, 60, 60),
    RGBColor(40, 170, 180),
    RGBColor(220, 120, 170),
];

/// PSNR against parameters as SVG: a point per run, a line through the means, a chart per scene.
///
/// # Errors
/// What the drawing says, in words.
pub fn psnr(rows: &[Row]) -> Result<String, String> {
    let mut scenes: Vec<&str> = rows.iter().map(|r| r.scene.as_str()).collect();
    scenes.sort_unstable();
    scenes.dedup();
    svg((SIZE.0, SIZE.1 * scenes.len().max(1) as u32), |root| {
        for (area, scene) in root.split_evenly((scenes.len().max(1), 1)).iter().zip(&scenes) {
            let rows: Vec<&Row> = rows.iter().filter(|r| r.scene == *scene).collect();
            chart(area, scene, &rows)?;
        }
        Ok(())
    })
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
        .x_labels(16)
        .x_label_formatter(&|v| {
            if *v >= 1e6 { format!("{:.1}M", v / 1e6) } else { format!("{:.0}k", v / 1e3) }
        })
        .light_line_style(WHITE)
        .draw()?;
    for (method, color) in COLORS {
        let of = || rows.iter().filter(move |r| r.method == method);
        let mut means: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        of().for_each(|r| means.entry(r.parameters).or_default().push(r.psnr));
        if means.is_empty() {
            continue;
        }
        let line = means.iter().map(|(p, v)| (*p as f64, v.iter().sum::<f64>() / v.len() as f64));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(method.name())
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
