//! Cameras, lines, points and surfaces in the world frame.
use nerve_core::run::View;
use rerun::archetypes::{LineStrips3D, Mesh3D, Pinhole, Points3D, Transform3D, ViewCoordinates};
use rerun::components::{self, Color, PinholeProjection, Radius, TriangleIndices};
use rerun::datatypes::UVec3D;
use rerun::external::re_sdk_types::view_coordinates::{Axis3, Handedness, Sign, SignedAxis3};
use rerun::{EntityPath, RecordingStream, RecordingStreamResult};

use super::pictures;
use crate::paths::{below, entity};
use crate::start_camera::{spread, up};

/// Frustums are this long, as a share of the cameras' mean distance from their middle.
const FRUSTUM: f64 = 0.1;
/// Colors of cameras that are trained on, of those that are held out, and of paths.
const TRAINING: [u8; 3] = [120, 140, 160];
const HELD_OUT: [u8; 3] = [255, 170, 60];
const PATH: [u8; 3] = [90, 110, 130];
/// Radius of points that have none, in pixels of the screen.
const DOT: f32 = 1.5;

/// Pinholes with their photographs; `names` are short ones. Logged once.
pub(super) fn cameras(
    stream: &RecordingStream,
    views: &[View],
    names: &[String],
    side: usize,
) -> RecordingStreamResult<()> {
    if let Some((axis, sign)) = up(views) {
        let sign = if sign > 0.0 { Sign::Positive } else { Sign::Negative };
        let up = SignedAxis3 { sign, axis: [Axis3::X, Axis3::Y, Axis3::Z][axis] };
        let up = components::ViewCoordinates::from_up_and_handedness(up, Handedness::Right);
        stream.log_static("world", &ViewCoordinates::new(up))?;
    }
    let length = FRUSTUM * spread(views);
    for (view, name) in views.iter().zip(names) {
        let (group, color) = if view.held_out { ("held_out", HELD_OUT) } else { ("training", TRAINING) };
        let path = entity(&format!("world/cameras/{group}"), name);
        let columns = [0, 1, 2].map(|c| [0, 1, 2].map(|r| view.pose[r][c] as f32));
        let centre = [0, 1, 2].map(|r| view.pose[r][3] as f32);
        stream.log_static(path.clone(), &Transform3D::from_translation_mat3x3(centre, columns))?;
        let photo = view.photo.as_ref();
        // Pictures fill the pinhole's resolution pixel by pixel, so it is that of the photograph.
        let shrunk = photo.map_or([1.0, 1.0], |p| {
            let size = pictures::shrunk([p.width, p.height], side);
            [0, 1].map(|i| size[i] as f64 / view.resolution[i])
        });
        let scaled = |v: [f64; 2]| [0, 1].map(|i| (v[i] * shrunk[i]) as f32);
        let ([fx, fy], [cx, cy]) = (scaled(view.focal), scaled(view.principal));
        let projection = PinholeProjection::from([[fx, 0.0, 0.0], [0.0, fy, 0.0], [cx, cy, 1.0]]);
        let pinhole = Pinhole::new(projection)
            .with_resolution(scaled(view.resolution))
            .with_camera_xyz(components::ViewCoordinates::RUB)
            .with_image_plane_distance(length as f32)
            .with_color(Color::from(color));
        stream.log_static(path.clone(), &pinhole)?;
        let pixels =
            photo.map(|p| pictures::Pixels { width: p.width, height: p.height, channels: 3, data: &p.data });
        if let Some(picture) = pixels.and_then(|pixels| pictures::encode(&pixels, side)) {
            stream.log_static(path.join(&"photo".into()), &picture)?;
            if view.held_out {
                stream.log_static(entity("views", name).join(&"photo".into()), &picture)?;
            }
        }
    }
    Ok(())
}

pub(super) fn path(stream: &RecordingStream, name: &str, points: &[[f32; 3]]) -> RecordingStreamResult<()> {
    let line = LineStrips3D::new([points]).with_colors([PATH]).with_radii([Radius::new_ui_points(0.75)]);
    stream.log_static(below("world/path", name), &line)
}

pub(super) fn points(
    stream: &RecordingStream,
    name: &str,
    fixed: bool,
    positions: &[[f32; 3]],
    colors: &[[u8; 3]],
    radius: f32,
) -> RecordingStreamResult<()> {
    let radius = if radius > 0.0 { Radius::new_scene_units(radius) } else { Radius::new_ui_points(DOT) };
    let points = Points3D::new(positions).with_colors(colors.iter().copied()).with_radii([radius]);
    stream.log_with_static(below("world/points", name), fixed, &points)
}

pub(super) fn mesh(
    stream: &RecordingStream,
    name: &str,
    positions: &[[f32; 3]],
    triangles: &[[u32; 3]],
    colors: &[[u8; 3]],
) -> RecordingStreamResult<()> {
    let triangles = triangles.iter().map(|t| TriangleIndices(UVec3D(*t)));
    let mut mesh = Mesh3D::new(positions).with_triangle_indices(triangles);
    if !colors.is_empty() {
        mesh = mesh.with_vertex_colors(colors.iter().copied());
    }
    let path: EntityPath = below("world/mesh", name);
    stream.log(path, &mesh)
}
