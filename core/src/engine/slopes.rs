//! Slopes of densities by central differences, for engines that cannot follow densities back to their positions.

use super::calls::check_positions;
use super::{EngineError, TrainEngine};

/// Half of what a difference spans, in units of the encoding's unit cube.
const HALF: f32 = 1.0 / 1024.0;

/// Densities, and their slopes by differences of six others around each. At the cube's faces a difference spans less.
pub(super) fn differences(
    engine: &mut (impl TrainEngine + ?Sized),
    positions: [&[f32]; 3],
    sigma: &mut [f32],
    slopes: &mut [[f32; 3]],
) -> Result<(), EngineError> {
    check_positions(positions, slopes.len())?;
    engine.density(positions, sigma)?;
    let mut ends = [vec![0.0; sigma.len()], vec![0.0; sigma.len()]];
    for axis in 0..3 {
        let moved = [-HALF, HALF]
            .map(|by| -> Vec<f32> { positions[axis].iter().map(|at| (at + by).clamp(0.0, 1.0)).collect() });
        for (to, moved) in ends.iter_mut().zip(&moved) {
            let mut at = positions;
            at[axis] = moved;
            engine.density(at, to)?;
        }
        for (i, slope) in slopes.iter_mut().enumerate() {
            slope[axis] = (ends[1][i] - ends[0][i]) / (moved[1][i] - moved[0][i]);
        }
    }
    Ok(())
}
