//! A grid of cells as points: the outermost cells that have a value, colored by it.
use rerun::archetypes::Points3D;
use rerun::components::Radius;
use rerun::{RecordingStream, RecordingStreamResult};

use super::pictures::viridis;
use crate::paths::below;

/// Cells that are drawn at most: evenly chosen ones of more.
const MOST: usize = 40_000;

/// The outermost cells that have a value, colored by it: what lies inside cannot be seen.
pub(super) fn cells(
    stream: &RecordingStream,
    name: &str,
    [nx, ny, nz]: [usize; 3],
    frame: [[f32; 4]; 3],
    values: &[f32],
) -> RecordingStreamResult<()> {
    let total = nx.checked_mul(ny).and_then(|n| n.checked_mul(nz));
    if total != Some(values.len()) || values.is_empty() {
        return Ok(());
    }
    let shell = shell(values, [nx, ny, nz]);
    let keep = shell.len().div_ceil(MOST).max(1);
    let shell: Vec<usize> = shell.into_iter().step_by(keep).collect();
    let counts = [nx, ny, nz].map(|n| n as f32);
    let centre = |i: &usize| {
        let cell = [i % nx, i / nx % ny, i / (nx * ny)];
        let at: [f32; 3] = std::array::from_fn(|a| (cell[a] as f32 + 0.5) / counts[a]);
        frame.map(|row| row[0] * at[0] + row[1] * at[1] + row[2] * at[2] + row[3])
    };
    let size = [0, 1, 2].map(|a| frame.iter().map(|row| row[a].powi(2)).sum::<f32>().sqrt() / counts[a]);
    // Densities span decades.
    let seen = |i: &usize| values[*i].max(0.0).ln_1p();
    let high = shell.iter().map(seen).fold(0.0, f32::max).max(1e-9);
    let colors: Vec<[u8; 3]> = shell.iter().map(|i| viridis(seen(i) / high)).collect();
    let radius = size.iter().copied().fold(f32::INFINITY, f32::min) / 2.0;
    let positions: Vec<[f32; 3]> = shell.iter().map(centre).collect();
    let points = Points3D::new(positions).with_colors(colors).with_radii([Radius::new_scene_units(radius)]);
    stream.log(below("world/cells", name), &points)
}

/// Cells with a value and a neighbor without one.
fn shell(values: &[f32], [nx, ny, nz]: [usize; 3]) -> Vec<usize> {
    let full = |x: usize, y: usize, z: usize| !values[(z * ny + y) * nx + x].is_nan();
    let mut shell = Vec::new();
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                let border = x == 0 || y == 0 || z == 0 || x + 1 == nx || y + 1 == ny || z + 1 == nz;
                let inside = || {
                    let sides = full(x - 1, y, z) && full(x + 1, y, z);
                    let others = full(x, y - 1, z) && full(x, y + 1, z);
                    sides && others && full(x, y, z - 1) && full(x, y, z + 1)
                };
                if full(x, y, z) && (border || !inside()) {
                    shell.push((z * ny + y) * nx + x);
                }
            }
        }
    }
    shell
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_outside_of_a_block_is_drawn() {
        let mut values = vec![f32::NAN; 7 * 6 * 5];
        for (z, y, x) in (1..4).flat_map(|z| (1..5).flat_map(move |y| (1..6).map(move |x| (z, y, x)))) {
            values[(z * 6 + y) * 7 + x] = 1.0;
        }
        let shell = shell(&values, [7, 6, 5]);
        assert_eq!(shell.len(), 5 * 4 * 3 - 3 * 2, "all but the core of 3 x 2 x 1");
        assert_eq!(super::shell(&[1.0; 27], [3, 3, 3]).len(), 26, "a full grid shows its border");
        assert!(super::shell(&[f32::NAN; 27], [3, 3, 3]).is_empty());
    }
}
