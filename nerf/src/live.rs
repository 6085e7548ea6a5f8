//! Live cells: where a field can show anything.
//!
//! Space is cut into `side^3` cells. A cell is live when at one of 8 probe points in it, the centers of its octants,
//! the field's density (gated, where it has a gate) exceeds what makes an occupancy cell worth a sample.

use crate::error::NerfError;
use crate::model::Model;

/// Cells probed for an estimate.
const SAMPLED: usize = 2048;

/// The cells of a cube, x fastest: where a field can show anything. A cell is live when at one of 8 probe points in it,
/// the centers of its octants, the field's density exceeds what makes an occupancy cell worth a sample, and light of a
/// training ray gets there, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveCells {
    /// Cells per axis.
    pub side: usize,
    /// Whether each is live.
    pub live: Vec<bool>,
}

impl LiveCells {
    /// Probes every cell of a field: as many as its saliency grid has, or would have.
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(model: &mut Model) -> Result<Self, NerfError> {
        let side = model.config().hollow.saliency_side;
        let all: Vec<usize> = (0..side * side * side).collect();
        let mut live = Vec::with_capacity(all.len());
        for cells in all.chunks(1 << 15) {
            live.extend(probe(model, cells)?);
        }
        Ok(Self { side, live })
    }

    /// The share of live cells.
    pub fn share(&self) -> f64 {
        self.live.iter().filter(|live| **live).count() as f64 / self.live.len().max(1) as f64
    }

    /// Whether the cell is live; outside of the cube nothing is.
    pub fn get(&self, cell: [i64; 3]) -> bool {
        let side = self.side as i64;
        let inside = cell.iter().all(|c| (0..side).contains(c));
        inside && self.live[((cell[2] * side + cell[1]) * side + cell[0]) as usize]
    }
}

/// Which of `cells` (indices, x fastest) are live.
fn probe(model: &mut Model, cells: &[usize]) -> Result<Vec<bool>, NerfError> {
    let (side, least) = (model.config().hollow.saliency_side, model.occupancy.least());
    let mut points: [Vec<f32>; 3] = std::array::from_fn(|_| Vec::with_capacity(8 * cells.len()));
    for cell in cells {
        let at = [cell % side, cell / side % side, cell / (side * side)];
        for octant in 0..8 {
            for (axis, points) in points.iter_mut().enumerate() {
                let part = if octant >> axis & 1 == 1 { 0.75 } else { 0.25 };
                points.push((at[axis] as f32 + part) / side as f32);
            }
        }
    }
    let mut sigma = vec![0.0; points[0].len()];
    let [x, y, z] = &points;
    model.engine.density([x, y, z], &mut sigma)?;
    let (occupancy, box_side) = (&model.occupancy, f64::from(model.volume.side));
    let lit = |i: usize| {
        let place = |axis: &[f32]| (f64::from(axis[i]) - 0.5) * box_side;
        occupancy.is_lit([place(x), place(y), place(z)])
    };
    let live = |(i, sigma): (usize, &f32)| *sigma > least && lit(i);
    let probes: Vec<bool> = sigma.iter().enumerate().map(live).collect();
    Ok(probes.chunks_exact(8).map(|probes| probes.contains(&true)).collect())
}

/// The share of live cells, from some two thousand of them, others at every step.
pub(crate) fn sampled_share(model: &mut Model) -> Result<f64, NerfError> {
    let all = model.config().hollow.saliency_side.pow(3);
    // Odd, so that it visits all rows and planes alike.
    let stride = all.div_ceil(SAMPLED) | 1;
    let first = (model.step_count() as usize).wrapping_mul(0x9e37_79b1) % stride;
    let cells: Vec<usize> = (first..all).step_by(stride).collect();
    let live = probe(model, &cells)?.into_iter().filter(|live| *live).count();
    Ok(live as f64 / cells.len().max(1) as f64)
}
