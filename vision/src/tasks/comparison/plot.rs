//! Delta against trained parameters, as an SVG.
use std::fmt::Write as _;

use super::Line;

const SIZE: [f64; 2] = [760.0, 480.0];
const MARGIN: [f64; 4] = [70.0, 30.0, 30.0, 60.0];

/// A method's line; the logarithm of its parameters; its Delta and the spread.
type Point<'a> = (&'a Line, f64, f64, f64);

/// A point a method that has a Delta, with its spread; parameters of the encoder, on a logarithmic scale.
#[must_use]
pub fn plot(lines: &[Line]) -> String {
    let points: Vec<Point<'_>> = lines
        .iter()
        .filter_map(|line| {
            let (mean, spread) = line.delta?;
            // None trained is drawn at the left border.
            let x = (line.parameters.method.max(1) as f64).log10();
            Some((line, x, mean, spread.unwrap_or(0.0)))
        })
        .collect();
    let of = |f: &dyn Fn(&Point<'_>) -> [f64; 2]| {
        points
            .iter()
            .map(f)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), [a, b]| (low.min(a), high.max(b)))
    };
    let trained = points.iter().filter(|point| point.0.parameters.method > 0).map(|point| point.1);
    let left = trained.fold(f64::INFINITY, f64::min);
    let (_, right) = of(&|p| [p.1, p.1]);
    let (low, high) = of(&|p| [p.2 - p.3, p.2 + p.3]);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        SIZE[0], SIZE[1]
    );
    if !(left.is_finite() && low.is_finite()) {
        svg += "<text x=\"40\" y=\"40\">no method has a Delta yet: single-full is missing</text>\n</svg>\n";
        return svg;
    }
    let (left, right) = ((left - 0.3).floor(), (right + 0.3).ceil());
    let pad = 0.08 * (high - low).max(1.0);
    let (low, high) = (low - pad, high + pad);
    let x =
        |v: f64| MARGIN[0] + (v.max(left) - left) / (right - left) * (SIZE[0] - MARGIN[0] - MARGIN[1] - 90.0);
    let y = |v: f64| SIZE[1] - MARGIN[3] - (v - low) / (high - low) * (SIZE[1] - MARGIN[2] - MARGIN[3]);
    let mut exponent = left;
    while exponent <= right {
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{0:.1}\" y=\"{3:.1}\" text-anchor=\"middle\">1e{exponent}</text>",
            x(exponent),
            y(low),
            y(high),
            y(low) + 18.0
        );
        exponent += 1.0;
    }
    let step =
        [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|s| (high - low) / s < 12.0).unwrap_or(100.0);
    let mut tick = (low / step).ceil() * step;
    while tick <= high {
        let color = if tick == 0.0 { "#888" } else { "#ddd" };
        let _ = writeln!(
            svg,
            "<line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{2:.1}\" y2=\"{2:.1}\" stroke=\"{color}\"/>\
             <text x=\"{3:.1}\" y=\"{4:.1}\" text-anchor=\"end\">{tick}</text>",
            x(left),
            x(right),
            y(tick),
            x(left) - 6.0,
            y(tick) + 4.0
        );
        tick += step;
    }
    for (line, at, mean, spread) in &points {
        let _ = writeln!(
            svg,
            "<line x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"{1:.1}\" y2=\"{2:.1}\" stroke=\"#456\"/>\
             <circle cx=\"{0:.1}\" cy=\"{3:.1}\" r=\"4\" fill=\"#27c\"/>\
             <text x=\"{4:.1}\" y=\"{5:.1}\">{6}</text>",
            x(*at),
            y(mean - spread),
            y(mean + spread),
            y(*mean),
            x(*at) + 7.0,
            y(*mean) + 4.0,
            line.method
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">parameters that the method trains (decoders left out)</text>\n\
         <text x=\"16\" y=\"{2:.1}\" transform=\"rotate(-90 16 {2:.1})\" text-anchor=\"middle\">Delta, %</text>\n</svg>\n",
        0.5 * (x(left) + x(right)),
        SIZE[1] - 14.0,
        0.5 * (y(low) + y(high))
    );
    svg
}
