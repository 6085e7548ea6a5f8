//! Colors of a mesh's vertices: what the field shows to the camera that sees them best.

use super::depth_map::DepthMap;
use crate::error::NerfError;
use crate::model::Model;
use nalgebra::{Point3, Vector3};
use nerve_core::engine::{EngineError, SampleSource, Space};
use nerve_core::metrics::quantize;
use nerve_core::ops::march::Ray;
use nerve_data::mesh::Mesh;
use rayon::prelude::*;

/// How far before a vertex its ray begins and behind it ends, in cells of the grid.
const BEFORE: f64 = 2.5;
const BEHIND: f64 = 2.5;
/// Rays that are rendered at a time.
const BATCH: usize = 1 << 16;

/// Sets the colors. A vertex is seen along the ray of the camera that looks at it most directly, or along its normal where
/// none sees it.
pub fn paint(model: &mut Model, mesh: &mut Mesh, maps: &[DepthMap], cell: f64) -> Result<(), NerfError> {
    let (to_unit, scale) = (model.capture().to_unit(), model.capture().to_unit().scaling());
    let steps = model.volume.steps;
    let ray = |(position, normal): (&[f32; 3], &[f32; 3])| {
        let (point, normal) = (Point3::from(position.map(f64::from)), Vector3::from(normal.map(f64::from)));
        let toward = |map: &DepthMap| {
            let toward = (map.center() - point).normalize();
            let cosine = toward.dot(&normal);
            (cosine > 0.1 && map.sees(&point, BEFORE * cell)).then_some((cosine, toward))
        };
        let best = maps.iter().filter_map(toward).max_by(|a, b| a.0.total_cmp(&b.0));
        let direction = -best.map_or(normal, |(_, toward)| toward);
        let (before, behind) = (BEFORE * cell, BEHIND * cell);
        let origin: [f32; 3] = (to_unit * (point - before * direction)).coords.cast::<f32>().into();
        let direction: [f32; 3] = (to_unit.isometry.rotation * direction).cast::<f32>().into();
        let near = 0.5 * steps.min;
        Ray { origin, direction, near, far: ((before + behind) * scale) as f32 + near, camera: 0 }
    };
    let rays: Vec<Ray> = mesh.positions.par_iter().zip(&mesh.normals).map(ray).collect();
    let (shown, outputs) = (model.engine.spec().photometric_head(), model.engine.layout().outputs.clone());
    let Some(color) = shown.map(|head| outputs.heads[head].start) else {
        return Err(EngineError::Input("the field has no head that shows colors".into()).into());
    };
    let (width, cut) = (outputs.width(), model.config().march.cut);
    mesh.colors.clear();
    for rays in rays.chunks(BATCH) {
        let mut shown = vec![0.0; rays.len() * width];
        let space = Space { bits: model.occupancy.bits(), volume: model.volume };
        model.engine.render(rays, SampleSource::Space(space), cut, &mut shown)?;
        for out in shown.chunks_exact(width) {
            let opacity = out[outputs.opacity].max(1e-3);
            let straight = [0, 1, 2].map(|c| out[color + c] / opacity);
            let quantized = quantize(&straight);
            mesh.colors.push([quantized[0], quantized[1], quantized[2]]);
        }
    }
    Ok(())
}
