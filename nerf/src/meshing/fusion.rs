//! Depth maps fused into a truncated signed distance.

use super::depth_map::DepthMap;
use nalgebra::Point3;
use nerve_data::mesh::Grid;
use rayon::prelude::*;
use std::ops::Range;

/// Distances count up to so many cells.
const TRUNCATED: f64 = 4.0;
/// Cells of the grid along the side of a block that is near a surface or is not.
const BLOCK: usize = 8;

/// The signed distance from what the cameras see, in units of the truncation, larger inside.
pub struct Fusion<'a> {
    maps: &'a [DepthMap],
    grid: &'a Grid,
    blocks: [usize; 3],
    /// Whether a surface may be near, by block.
    near: Vec<bool>,
}

impl<'a> Fusion<'a> {
    /// Of these maps, at this grid's points.
    pub fn new(maps: &'a [DepthMap], grid: &'a Grid) -> Self {
        let blocks = grid.points.map(|n| n.div_ceil(BLOCK));
        let mut near = vec![false; blocks.iter().product()];
        for point in maps.iter().flat_map(|map| map.points(1)) {
            let at: [f64; 3] = std::array::from_fn(|a| (point[a] - grid.origin[a]) / grid.spacing);
            let range = |a: usize| {
                let end =
                    |by: f64| ((at[a] + by) / BLOCK as f64).floor().clamp(-1.0, blocks[a] as f64) as i64;
                let (low, high) = (end(-TRUNCATED).max(0), end(TRUNCATED).min(blocks[a] as i64 - 1));
                low as usize..(high + 1).max(low) as usize
            };
            for z in range(2) {
                for y in range(1) {
                    for x in range(0) {
                        near[(z * blocks[1] + y) * blocks[0] + x] = true;
                    }
                }
            }
        }
        Self { maps, grid, blocks, near }
    }

    /// The values of some slices; NaN where nothing is known.
    pub fn values(&self, slices: Range<usize>, out: &mut [f32]) {
        let [nx, ny, _] = self.grid.points;
        out.par_chunks_mut(nx).enumerate().for_each(|(row, out)| {
            let (y, z) = (row % ny, slices.start + row / ny);
            for (x, out) in out.iter_mut().enumerate() {
                let [bx, by, bz] = [x / BLOCK, y / BLOCK, z / BLOCK];
                let near = self.near[(bz * self.blocks[1] + by) * self.blocks[0] + bx];
                *out = if near { self.value(&Point3::from(self.grid.at([x, y, z]))) } else { f32::NAN };
            }
        });
    }

    /// The mean over the cameras that see up to the point, of how far behind the surface it is.
    fn value(&self, point: &Point3<f64>) -> f32 {
        let band = TRUNCATED * self.grid.spacing;
        let (mut sum, mut cameras) = (0.0, 0);
        for (far, seen) in self.maps.iter().filter_map(|map| map.look(point, band)) {
            let behind = if seen.is_nan() { -band } else { far - seen };
            if behind <= band {
                sum += (behind / band).max(-1.0);
                cameras += 1;
            }
        }
        if cameras > 0 { (sum / f64::from(cameras)) as f32 } else { f32::NAN }
    }
}
