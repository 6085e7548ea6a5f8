//! Colors of a mesh: what the field shows to the cameras that see a place best.

use super::depth_map::DepthMap;
use crate::error::NerfError;
use crate::model::Model;
use nalgebra::{Point3, Vector3};
use nerve_core::engine::{EngineError, SampleSource, Space};
use nerve_core::metrics::quantize;
use nerve_core::ops::march::Ray;
use nerve_data::mesh::{Atlas, Mesh, Texture};
use rayon::prelude::*;
use std::ops::Range;

/// How far before a place its ray begins and behind it ends, in cells of the grid.
const BEFORE: f64 = 2.5;
const BEHIND: f64 = 2.5;
/// Places that are colored at a time.
const BATCH: usize = 1 << 15;
/// Cameras that a place's color is the mean of: those that look at it most directly, by the square of the cosine.
const CAMERAS: usize = 4;
/// The least cosine between a place's normal and the direction to a camera that sees it.
const LEAST_COSINE: f64 = 0.1;

/// A place of the surface and its normal, in the world.
type Place = (Point3<f64>, Vector3<f64>);

/// Gives places of a surface their colors.
pub struct Painter<'a> {
    pub model: &'a mut Model,
    pub maps: &'a [DepthMap],
    /// The side of a cell of the grid.
    pub cell: f64,
}

impl Painter<'_> {
    /// Sets the colors of the vertices.
    pub fn vertices(&mut self, mesh: &mut Mesh) -> Result<(), NerfError> {
        let place = |position: [f32; 3], normal: [f32; 3]| {
            (Point3::from(position.map(f64::from)), Vector3::from(normal.map(f64::from)))
        };
        let places: Vec<Place> =
            mesh.positions.iter().zip(&mesh.normals).map(|(p, n)| place(*p, *n)).collect();
        mesh.colors.clear();
        for places in places.chunks(BATCH) {
            mesh.colors.extend(self.colors(places)?);
        }
        Ok(())
    }

    /// The colors of the faces' texels. `seen` hears how many of how many faces have theirs; if it gives `false`, there is
    /// no texture.
    pub fn texture(
        &mut self,
        mesh: &Mesh,
        atlas: Atlas,
        seen: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<Option<Texture>, NerfError> {
        let mut pixels = vec![[128; 3]; atlas.size * atlas.size];
        let mut first = 0;
        while first < mesh.faces.len() {
            let faces = some_faces(&atlas, first..mesh.faces.len());
            first = faces.end;
            let texels: Vec<(usize, Place)> = faces
                .into_par_iter()
                .flat_map_iter(|face| {
                    let corners = mesh.corners(mesh.faces[face]);
                    let normals =
                        mesh.faces[face].map(|v| Vector3::from(mesh.normals[v as usize]).cast::<f64>());
                    atlas.texels(face).map(move |texel| {
                        let mean = |values: &[Vector3<f64>; 3]| -> Vector3<f64> {
                            (0..3).map(|c| values[c] * f64::from(texel.shares[c])).sum()
                        };
                        let normal = mean(&normals).try_normalize(0.0).unwrap_or(Vector3::z());
                        (texel.index, (Point3::from(mean(&corners)), normal))
                    })
                })
                .collect();
            let places: Vec<Place> = texels.iter().map(|(_, place)| *place).collect();
            for (color, (index, _)) in self.colors(&places)?.into_iter().zip(&texels) {
                pixels[*index] = color;
            }
            if !seen(first, mesh.faces.len()) {
                return Ok(None);
            }
        }
        Ok(Some(Texture { atlas, pixels }))
    }

    /// The colors of places: along the rays of the cameras that look at them most directly, or along the normal where none
    /// sees them.
    fn colors(&mut self, places: &[Place]) -> Result<Vec<[u8; 3]>, NerfError> {
        let model = &mut *self.model;
        let to_unit = model.capture().to_unit();
        let [before, behind] = [BEFORE, BEHIND].map(|cells| cells * self.cell);
        let near = 0.5 * model.volume.steps.min;
        let far = ((before + behind) * to_unit.scaling()) as f32 + near;
        let maps = self.maps;
        let seen: Vec<Vec<(f64, Ray)>> = model.pool.run(|| {
            let rays = |(point, normal): &Place| {
                let ray = |(weight, toward): (f64, Vector3<f64>)| {
                    let origin = to_unit * (point + before * toward);
                    let direction = to_unit.isometry.rotation * -toward;
                    let (origin, direction) = (origin.coords.cast::<f32>(), direction.cast::<f32>());
                    (weight, Ray { origin: origin.into(), direction: direction.into(), near, far, camera: 0 })
                };
                cameras(maps, point, normal, before).into_iter().map(ray).collect()
            };
            places.par_iter().map(rays).collect()
        });
        let rays: Vec<Ray> = seen.iter().flatten().map(|(_, ray)| *ray).collect();
        let (shown, outputs) =
            (model.engine.spec().photometric_head(), model.engine.layout().outputs.clone());
        let Some(color) = shown.map(|head| outputs.heads[head].start) else {
            return Err(EngineError::Input("the field has no head that shows colors".into()).into());
        };
        let (width, cut) = (outputs.width(), model.config().march.cut);
        let mut shown = vec![0.0; rays.len() * width];
        let space = Space { bits: model.occupancy.bits(), volume: model.volume };
        model.engine.render(&rays, SampleSource::Space(space), cut, &mut shown)?;
        let mut shown = shown.chunks_exact(width);
        let mean = |of: &Vec<(f64, Ray)>| {
            let (mut sum, mut all) = ([0.0; 3], 0.0);
            for ((weight, _), out) in of.iter().zip(&mut shown) {
                // What a ray shows is premultiplied: one that hardly anything stops counts little.
                (0..3).for_each(|c| sum[c] += *weight as f32 * out[color + c]);
                all += *weight as f32 * out[outputs.opacity].max(1e-3);
            }
            let quantized = quantize(&sum.map(|c| c / all));
            [quantized[0], quantized[1], quantized[2]]
        };
        Ok(seen.iter().map(mean).collect())
    }
}

/// The directions to the cameras that look at a place most directly, with their weights; its normal where none sees it.
fn cameras(
    maps: &[DepthMap],
    point: &Point3<f64>,
    normal: &Vector3<f64>,
    near: f64,
) -> Vec<(f64, Vector3<f64>)> {
    let mut best: Vec<(f64, Vector3<f64>)> = Vec::with_capacity(CAMERAS + 1);
    for map in maps {
        let toward = (map.center() - point).normalize();
        let cosine = toward.dot(normal);
        let late = best.len() == CAMERAS && best[CAMERAS - 1].0 >= cosine;
        if cosine > LEAST_COSINE && !late && map.sees(point, near) {
            let at = best.partition_point(|(better, _)| *better >= cosine);
            best.insert(at, (cosine, toward));
            best.truncate(CAMERAS);
        }
    }
    if best.is_empty() {
        return vec![(1.0, *normal)];
    }
    best.iter_mut().for_each(|(weight, _)| *weight *= *weight);
    best
}

/// The faces from the first on that have about [`BATCH`] texels.
fn some_faces(atlas: &Atlas, faces: Range<usize>) -> Range<usize> {
    let (first, mut end, mut texels) = (faces.start, faces.start, 0);
    while end < faces.end && texels < BATCH {
        texels += atlas.texels(end).count();
        end += 1;
    }
    first..end
}
