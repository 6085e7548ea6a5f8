//! The camera rig as a picture: from above and from the side.

use nalgebra::{Point3, Vector3};
use plotters::coord::Shift;
use plotters::prelude::*;

use super::report::SceneReport;
use crate::camera::Camera;
use crate::scene::{Outline, Split};

const SIZE: (u32, u32) = (1240, 680);
const TRAIN: RGBColor = RGBColor(70, 110, 180);
const HELD_OUT: RGBColor = RGBColor(230, 140, 40);
const OUTLIER: RGBColor = RGBColor(210, 40, 40);
const BOX: RGBColor = RGBColor(90, 150, 80);
const POINT: RGBColor = RGBColor(150, 150, 150);
/// The largest number of points that are drawn, evenly chosen.
const POINTS: usize = 6000;
/// Cosine of 10 degrees.
const NEARLY: f64 = 0.985;
/// The largest number of outliers that are named.
const NAMED: usize = 8;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failure = Box<dyn std::error::Error>;

/// The rig as SVG: cameras with their fields of view, held-out ones and outliers in other colors, the sparse points,
/// and the unit cube, seen along the rig's vertical and across it. Axes are in world units.
///
/// # Errors
/// The message of the drawing library.
pub fn picture(outline: &Outline, report: &SceneReport) -> Result<String, String> {
    let mut svg = String::new();
    draw(&mut svg, outline, report).map_err(|e| e.to_string())?;
    Ok(svg)
}

fn draw(svg: &mut String, outline: &Outline, report: &SceneReport) -> Result<(), Failure> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let root =
        root.titled(&format!("{}: {} cameras", outline.name, outline.views.len()), ("sans-serif", 22))?;
    let (panels, legend) = root.split_vertically(SIZE.1 - 80);
    let axes = Axes::of(report);
    let window = window(outline, report);
    let panels = panels.split_evenly((1, 2));
    let title = |from: &str, whither: &str| match &axes.up_name {
        Some(axis) => format!("from {from}, {axis} {whither}"),
        None => format!("from {from}"),
    };
    panel(&panels[0], outline, report, &window, &title("above", "toward you"), [axes.right, axes.ahead])?;
    panel(&panels[1], outline, report, &window, &title("the side", "upwards"), [axes.right, axes.up])?;
    write_legend(&legend, report, outline.points.is_empty())?;
    root.present()?;
    Ok(())
}

/// Directions of the picture in the world.
struct Axes {
    right: Vector3<f64>,
    ahead: Vector3<f64>,
    up: Vector3<f64>,
    /// The world's axis that is up, if one is.
    up_name: Option<String>,
}

impl Axes {
    fn of(report: &SceneReport) -> Self {
        let up = report.rig.up.map_or(Vector3::z(), Vector3::from);
        // A direction close to an axis of the world is replaced by it.
        let axis = Vector3::ith(up.iamax(), up[up.iamax()].signum());
        let up = if axis.dot(&up) > NEARLY { axis } else { up };
        // The world's axes, if they are not parallel to the vertical.
        let right = if up.x.abs() < 0.9 { Vector3::x() } else { Vector3::y() };
        let right = (right - up * up.dot(&right)).normalize();
        let up_name = match &report.rig.up_axis {
            Some((name, _)) => (axis == up).then(|| name.clone()),
            None => Some("+z".to_owned()),
        };
        Self { right, ahead: up.cross(&right), up, up_name }
    }
}

/// What is shown: a cube around the cameras, what they look at, and the bulk of the points, outliers aside.
struct PlotRange {
    centre: Point3<f64>,
    half: f64,
    /// Length of a frustum.
    frustum: f64,
}

fn window(outline: &Outline, report: &SceneReport) -> PlotRange {
    let outlier = |i: usize| report.rig.outliers.iter().any(|o| o.view == i && o.why.contains("far"));
    let views = outline.views.iter().enumerate().filter(|(i, _)| !outlier(*i));
    let mut shown: Vec<Point3<f64>> = views.map(|(_, view)| view.camera.centre()).collect();
    shown.extend(report.attention.map(|a| Point3::from(a.world)));
    let cameras = shown.clone();
    if let Some(points) = &report.points {
        // With far background the cameras would shrink to a dot.
        let reach = 3.0 * span(&cameras).1.max(f64::MIN_POSITIVE);
        let middle = span(&cameras).0;
        let corners = [points.world.min, points.world.max].map(Point3::from);
        shown.extend(corners.map(|c| middle + (c - middle).map(|v| v.clamp(-reach, reach))));
    }
    // The unit cube too, unless the cameras would shrink to a dot in it.
    let cube: Vec<Point3<f64>> = cube_edges(outline).flatten().collect();
    if span(&cube).1 < 3.0 * span(&cameras).1 {
        shown.extend(cube);
    }
    let (centre, half) = span(&shown);
    let half = if half > 0.0 { 1.1 * half } else { 1.0 };
    let frustum = (0.7 * report.rig.spacing).clamp(0.02 * half, 0.12 * half);
    PlotRange { centre, half: half + frustum, frustum }
}

/// The middle of some points' box and half its longest side.
fn span(points: &[Point3<f64>]) -> (Point3<f64>, f64) {
    let Some(first) = points.first() else { return (Point3::origin(), 0.0) };
    let (low, high) = points.iter().fold((*first, *first), |(low, high), p| (low.inf(p), high.sup(p)));
    (nalgebra::center(&low, &high), 0.5 * (high - low).max())
}

fn panel(
    area: &Area<'_>,
    outline: &Outline,
    report: &SceneReport,
    window: &PlotRange,
    title: &str,
    axes: [Vector3<f64>; 2],
) -> Result<(), Failure> {
    let (width, height) = area.dim_in_pixel();
    let [x, y] = axes.map(|axis| window.centre.coords.dot(&axis));
    // One scale for both axes: the labels take 40 and 50 pixels, the margins and the caption the rest.
    let (wide, high) = (f64::from(width) - 78.0, f64::from(height) - 92.0);
    let scale = window.half / (0.5 * wide.min(high));
    let (dx, dy) = (0.5 * wide * scale, 0.5 * high * scale);
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 17))
        .margin(14)
        .x_label_area_size(40)
        .y_label_area_size(50)
        .build_cartesian_2d(x - dx..x + dx, y - dy..y + dy)?;
    let (decimals_x, decimals_y) = (decimals(dx), decimals(dy));
    chart
        .configure_mesh()
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|v| format!("{v:.decimals_x$}"))
        .y_label_formatter(&|v| format!("{v:.decimals_y$}"))
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(232, 232, 232))
        .draw()?;
    let inside = |p: &(f64, f64)| (p.0 - x).abs() <= dx && (p.1 - y).abs() <= dy;
    let flat = |p: Point3<f64>| (p.coords.dot(&axes[0]), p.coords.dot(&axes[1]));
    let line = |points: Vec<(f64, f64)>, color: RGBColor, width: u32| {
        PathElement::new(points, color.stroke_width(width))
    };

    let step = outline.points.len().div_ceil(POINTS).max(1);
    let points = outline.points.iter().step_by(step).map(|p| flat(p.position)).filter(inside);
    chart.draw_series(points.map(|p| Pixel::new(p, POINT)))?;

    chart.draw_series(cube_edges(outline).map(|edge| line(edge.map(flat).to_vec(), BOX, 1)))?;

    for (i, view) in outline.views.iter().enumerate() {
        let outlier = report.rig.outliers.iter().position(|o| o.view == i);
        let held_out = !outline.splits.get(Split::Train).contains(&i);
        let color = match (outlier, held_out) {
            (Some(_), _) => OUTLIER,
            (None, true) => HELD_OUT,
            (None, false) => TRAIN,
        };
        let centre = flat(view.camera.centre());
        if !inside(&centre) {
            continue;
        }
        chart.draw_series(
            frustum(&view.camera, window.frustum).map(|p| line(p.into_iter().map(flat).collect(), color, 1)),
        )?;
        chart.draw_series([Circle::new(centre, 2, color.filled())])?;
        if outlier.is_some_and(|at| at < NAMED) {
            let name = view.name.rsplit('/').next().unwrap_or_default().to_owned();
            chart.draw_series([Text::new(name, centre, ("sans-serif", 13).into_font().color(&OUTLIER))])?;
        }
    }
    if let Some(attention) = &report.attention {
        let at = flat(Point3::from(attention.world));
        if inside(&at) {
            chart.draw_series([Cross::new(at, 6, BLACK.stroke_width(2))])?;
        }
    }
    Ok(())
}

fn decimals(half: f64) -> usize {
    (1.0 - half.log10().floor()).clamp(0.0, 6.0) as usize
}

/// The outline of what a camera sees up to a depth: four edges from its center, and the far side; the middle of the
/// top is raised, which shows how it is held.
fn frustum(camera: &Camera, depth: f64) -> impl Iterator<Item = Vec<Point3<f64>>> {
    let k = &camera.intrinsics;
    let (w, h) = (f64::from(k.width), f64::from(k.height));
    let centre = camera.centre();
    let at = |px: f64, py: f64| {
        let direction = camera.ray(px, py).direction;
        let along = direction.dot(&camera.forward()).max(0.2);
        centre + direction * (depth / along)
    };
    let corners = [at(0.0, 0.0), at(w, 0.0), at(w, h), at(0.0, h)];
    let roof = at(0.5 * w, 0.0) + (at(0.5 * w, 0.0) - at(0.5 * w, 0.5 * h)) * 0.4;
    let sides = corners.map(|corner| vec![centre, corner]);
    let far = vec![corners[0], roof, corners[1], corners[2], corners[3], corners[0], corners[1]];
    sides.into_iter().chain([far])
}

/// The unit cube's edges in the world.
fn cube_edges(outline: &Outline) -> impl Iterator<Item = [Point3<f64>; 2]> {
    let corner = |i: usize| {
        let side = |bit: usize| ((i >> bit) & 1) as f64;
        outline.to_world(&Point3::new(side(0), side(1), side(2)))
    };
    let edges = (0..8).flat_map(|i| (0..3).map(move |bit| (i, i | 1 << bit))).filter(|(a, b)| a != b);
    let edges: Vec<_> = edges.map(|(a, b)| [corner(a), corner(b)]).collect();
    edges.into_iter()
}

fn write_legend(area: &Area<'_>, report: &SceneReport, no_points: bool) -> Result<(), Failure> {
    let mut at = 24;
    let mut entry = |color: RGBColor, text: String| -> Result<(), Failure> {
        area.draw(&Rectangle::new([(at, 12), (at + 12, 24)], color.filled()))?;
        area.draw(&Text::new(text.clone(), (at + 18, 12), ("sans-serif", 15)))?;
        at += 44 + 7 * text.len() as i32;
        Ok(())
    };
    entry(TRAIN, format!("{} train", report.views.train))?;
    entry(HELD_OUT, format!("{} held out", report.views.val + report.views.test))?;
    if !report.rig.outliers.is_empty() {
        entry(OUTLIER, format!("{} outliers", report.rig.outliers.len()))?;
    }
    entry(BOX, "the unit cube, where detail is finest".to_owned())?;
    if !no_points {
        entry(POINT, "points".to_owned())?;
    }
    if report.attention.is_some() {
        entry(BLACK, "what they look at (x)".to_owned())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::inspect::report;
    use crate::scene::{LoadOptions, outline};
    use crate::testing::{look_at, ngp_scene, orbit};

    #[test]
    fn cameras_outliers_and_the_cube_are_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let mut poses = orbit(12, 3.0, Point3::origin());
        let eye = Point3::from(poses[7].translation.vector);
        poses[7] = look_at(eye, eye + eye.coords);
        ngp_scene(folder.path(), &poses, |_| {});
        let options = LoadOptions::default();
        let outline = outline(folder.path(), &options).unwrap();
        let svg = picture(&outline, &report(&outline, &options)).unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
        for (color, what) in
            [("#466EB4", "training"), ("#E68C28", "held out"), ("#D22828", "outlier"), ("#5A9650", "cube")]
        {
            // Twice: in both panels.
            assert!(svg.matches(color).count() >= 2, "{what} {color}");
        }
        assert!(
            svg.contains("07.png") && svg.contains("from above, +z toward you") && !svg.contains("03.png")
        );
    }

    #[test]
    fn one_camera_and_cameras_in_one_place_are_drawn() {
        for poses in [orbit(1, 3.0, Point3::origin()), vec![orbit(1, 3.0, Point3::origin())[0]; 4]] {
            let folder = tempfile::tempdir().unwrap();
            ngp_scene(folder.path(), &poses, |_| {});
            let options = LoadOptions::default();
            let outline = outline(folder.path(), &options).unwrap();
            let svg = picture(&outline, &report(&outline, &options)).unwrap();
            assert!(svg.contains("#466EB4") && !svg.contains("NaN"));
        }
    }
}
