//! A field's surface as a triangle mesh, in the world of its capture.
//!
//! What the training cameras see of the surface is rendered first, as depth maps: they say where the surface is, how dense
//! the field is there, what of a mesh any camera has seen, and, fused into a truncated signed distance (Curless and Levoy,
//! 1996), they are a surface themselves.

mod colors;
mod depth_map;
mod fusion;
mod options;

pub use options::{MeshOptions, Method};

use crate::error::NerfError;
use crate::model::Model;
use colors::Painter;
use depth_map::DepthMap;
use fusion::Fusion;
use nalgebra::Point3;
use nerve_core::settings::SettingError;
use nerve_data::mesh::{self, Atlas, Grid, Mesh, Texture, contour};
use serde::Serialize;

/// A component is removed if its area is a smaller part of the largest one's.
const LEAST_AREA: f64 = 0.001;
/// And if less of its area is seen by a training camera.
const LEAST_SEEN: f64 = 0.1;
/// A face is seen if what a camera sees there is no farther from it, in cells.
const SEEN_CELLS: f64 = 3.0;
/// How much room the box has around what is seen, as a part of its longest side.
const MARGIN: f64 = 0.02;
/// The densities that a surface is looked for at are at least those at which a cell of the grid stops so much light.
const LEAST_THICKNESS: f64 = 0.1;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Depth maps of the training views are rendered.
    Looking,
    /// The grid's slices are filled.
    Filling,
    /// The mesh is cleaned, simplified and colored.
    Finishing,
    /// The texture is painted.
    Painting,
}

/// A mesh that was made.
#[derive(Clone, Debug)]
pub struct Extracted {
    /// The mesh, in the world, with normals and colors.
    pub mesh: Mesh,
    /// Its texture, if one was asked for.
    pub texture: Option<Texture>,
    /// What is to be said of it.
    pub report: MeshReport,
}

/// Of a mesh that was made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeshReport {
    /// How it was made.
    pub method: Method,
    /// Where the surface is: a density per world length; 0 for a distance.
    pub level: f32,
    /// The box that it was looked for in, lower and upper corner, in the world.
    pub bounds: [[f64; 3]; 2],
    /// Cells per axis.
    pub cells: [usize; 3],
    /// Training views that were looked through.
    pub views: usize,
    /// Faces before anything was removed, after floaters were, and at the end.
    pub faces: [usize; 3],
    /// Components that were removed, and those that are left.
    pub components: [usize; 2],
    /// Bytes that the depth maps and the grid took at a time.
    pub memory: u64,
    /// Time that it took in seconds.
    pub seconds: f64,
}

/// Texels of a texture per face that it is simplified to, if nothing is said: squares of 14 texels for two faces.
const TEXELS_A_FACE: usize = 98;

/// Makes a mesh of the field's surface, with a texture of so many texels a side if that is asked for. `seen` hears what is done, and how much of it; if it gives `false`, there is no mesh.
///
/// # Errors
/// If no camera or no surface is known, an option is out of range, or the device fails.
pub fn extract(
    model: &mut Model,
    options: &MeshOptions,
    texture: Option<u32>,
    seen: &mut dyn FnMut(Stage, usize, usize) -> bool,
) -> Result<Option<Extracted>, NerfError> {
    options.validate()?;
    let begun = std::time::Instant::now();
    let Some(maps) = depth_map::of(model, &mut |done, all| seen(Stage::Looking, done, all))? else {
        return Ok(None);
    };
    let points: Vec<Point3<f64>> = maps.iter().flat_map(|map| map.points(1)).collect();
    let none = || NerfError::Other {
        path: model.config().data.scene.clone(),
        reason:
            "its training cameras see no surface: train it for longer, or give --bounds and --method density"
                .into(),
    };
    let [low, high] = match options.bounds() {
        Some(bounds) => bounds,
        None => bounds_of(model, &points).ok_or_else(none)?,
    };
    let grid = Grid::around(low, high, options.resolution as usize);
    let slice = grid.slice();
    let (mut done, all) = (0, grid.points[2]);
    let mut stopped = false;
    let place = |i: usize, first: usize| {
        let [nx, ny, _] = grid.points;
        Point3::from(grid.at([i % nx, i / nx % ny, first + i / slice]))
    };
    let (mut mesh, level) = match options.method {
        Method::Density => {
            let least = LEAST_THICKNESS / grid.spacing;
            let level = options.level.unwrap_or_else(|| depth_map::typical_density(&maps).max(least as f32));
            let mesh = contour(&grid, level.ln(), |slices, out| {
                let points: Vec<Point3<f64>> = (0..out.len()).map(|i| place(i, slices.start)).collect();
                let sigma = model.densities(&points)?;
                // Densities grow by factors: their logarithms are what is close to linear between points.
                out.iter_mut().zip(sigma).for_each(|(out, sigma)| *out = sigma.max(1e-6).ln());
                done += slices.len();
                stopped |= !seen(Stage::Filling, done, all);
                Ok::<_, NerfError>(())
            })?;
            (mesh, level)
        }
        Method::Tsdf => {
            let fusion = Fusion::new(&maps, &grid);
            let mesh = contour(&grid, 0.0, |slices, out| {
                model.pool.run(|| fusion.values(slices.clone(), out));
                done += slices.len();
                stopped |= !seen(Stage::Filling, done, all);
                Ok::<_, NerfError>(())
            })?;
            (mesh, 0.0)
        }
    };
    if stopped {
        return Ok(None);
    }
    let first = mesh.faces.len();
    let removed = remove_floaters(&mut mesh, &maps, SEEN_CELLS * grid.spacing);
    let cleaned = mesh.faces.len();
    if !seen(Stage::Finishing, 1, 3) {
        return Ok(None);
    }
    let room = texture.map(|size| (size as usize).pow(2) / TEXELS_A_FACE);
    if let Some(faces) = options.faces.map(|faces| faces as usize).or(room).filter(|faces| cleaned > *faces) {
        mesh = mesh::simplify(&mesh, faces);
    }
    mesh.set_normals();
    if !seen(Stage::Finishing, 2, 3) {
        return Ok(None);
    }
    let mut painter = Painter { model, maps: &maps, cell: grid.spacing };
    painter.vertices(&mut mesh)?;
    let _ = seen(Stage::Finishing, 3, 3);
    let texture = match texture.map(|size| layout(&mesh, size as usize)).transpose()? {
        None => None,
        Some(atlas) => {
            let painted = painter.texture(&mesh, atlas, &mut |done, all| seen(Stage::Painting, done, all))?;
            let Some(texture) = painted else {
                return Ok(None);
            };
            Some(texture)
        }
    };
    let memory = maps.iter().map(|map| 4 * map.distances.len() as u64).sum::<u64>()
        + 4 * (5 * slice.max(1 << 18) as u64 + 6 * slice as u64);
    let report = MeshReport {
        method: options.method,
        level,
        bounds: [low, high],
        cells: grid.points.map(|n| n - 1),
        views: maps.len(),
        faces: [first, cleaned, mesh.faces.len()],
        components: removed,
        memory,
        seconds: begun.elapsed().as_secs_f64(),
    };
    Ok(Some(Extracted { mesh, texture, report }))
}

/// Where the faces lie in a texture.
fn layout(mesh: &Mesh, size: usize) -> Result<Atlas, NerfError> {
    Atlas::new(mesh, size).ok_or_else(|| {
        let (faces, most) = (mesh.faces.len(), Atlas::most_faces(size));
        let allowed = format!("larger for {faces} faces, or --faces at most {most}");
        SettingError::new("--texture", size, allowed).into()
    })
}

/// The box around what the cameras see, with some room: all of it but a thousandth at either end of an axis; of a capture
/// that is larger than the unit cube, what lies in that.
fn bounds_of(model: &Model, points: &[Point3<f64>]) -> Option<[[f64; 3]; 2]> {
    let (to_unit, whole) = (model.capture().to_unit(), model.capture().frame.aabb_scale == 1);
    let inside = |p: &&Point3<f64>| whole || (to_unit * *p).iter().all(|c| (0.0..=1.0).contains(c));
    let points: Vec<&Point3<f64>> = points.iter().filter(inside).collect();
    if points.len() < 100 {
        return None;
    }
    let ends = |axis: usize| {
        let mut along: Vec<f64> = points.iter().map(|p| p[axis]).collect();
        let off = along.len() / 1000;
        let last = along.len() - 1 - off;
        let low = *along.select_nth_unstable_by(off, f64::total_cmp).1;
        (low, *along.select_nth_unstable_by(last, f64::total_cmp).1)
    };
    let ends = [0, 1, 2].map(ends);
    let margin = MARGIN * ends.iter().map(|(low, high)| high - low).fold(0.0, f64::max);
    let bounds = [ends.map(|(low, _)| low - margin), ends.map(|(_, high)| high + margin)];
    Some(bounds)
}

/// Removes components that are small, and those that no training camera sees; how many, and how many are left.
fn remove_floaters(mesh: &mut Mesh, maps: &[DepthMap], near: f64) -> [usize; 2] {
    let (of, components) = mesh.components();
    let largest = components.iter().map(|c| c.area).fold(0.0, f64::max);
    let large: Vec<bool> = components.iter().map(|c| c.area >= LEAST_AREA * largest).collect();
    let mut area_seen = vec![0.0; components.len()];
    for (face, component) in mesh.faces.iter().zip(&of) {
        let i = *component as usize;
        // Enough is known of it.
        if !large[i] || area_seen[i] >= LEAST_SEEN * components[i].area {
            continue;
        }
        let center = Point3::from(mesh.corners(*face).iter().sum::<nalgebra::Vector3<f64>>() / 3.0);
        if maps.iter().any(|map| map.sees(&center, near)) {
            area_seen[i] += mesh.across(*face).norm() / 2.0;
        }
    }
    let keep: Vec<bool> =
        (0..components.len()).map(|i| large[i] && area_seen[i] >= LEAST_SEEN * components[i].area).collect();
    mesh.retain(|face| keep[of[face] as usize]);
    let left = keep.iter().filter(|keep| **keep).count();
    [components.len() - left, left]
}

#[cfg(test)]
mod tests;
