//! Pictures of cubes of cells: slices of the saliency, and the live cells as a solid.

use crate::live::LiveCells;
use nerve_core::ops::saliency::sigmoid;

/// An RGB picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rgb {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Three bytes a pixel, row by row.
    pub data: Vec<u8>,
}

/// Slices in a picture, per row and in all.
const SLICES: (usize, usize) = (4, 16);
/// Width of a slice in pixels, about.
const SLICE: usize = 192;
/// Pixels between two slices.
const GAP: usize = 4;
/// Side of a picture of a solid.
const SOLID: usize = 640;

/// Sixteen horizontal slices of the saliency, the lowest first: closed is black, open is white, y points up.
pub fn slices(grid: &[f32], side: usize) -> Rgb {
    let zoom = (SLICE / side).max(1);
    let (edge, (columns, count)) = (side * zoom, SLICES);
    let rows = count / columns;
    let (width, height) = (columns * (edge + GAP) - GAP, rows * (edge + GAP) - GAP);
    let mut data = vec![40; 3 * width * height];
    for slice in 0..count {
        let z = (2 * slice + 1) * side / (2 * count);
        let (left, top) = (slice % columns * (edge + GAP), slice / columns * (edge + GAP));
        for py in 0..edge {
            for px in 0..edge {
                let (x, y) = (px / zoom, side - 1 - py / zoom);
                let p = sigmoid(f64::from(grid[(z * side + y) * side + x]));
                let at = 3 * ((top + py) * width + left + px);
                data[at..at + 3].copy_from_slice(&heat(p as f32));
            }
        }
    }
    Rgb { width, height, data }
}

/// Black, purple, orange, yellow, white.
fn heat(value: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 5] = [
        [0.0, 0.0, 0.0],
        [87.0, 16.0, 110.0],
        [228.0, 90.0, 49.0],
        [252.0, 191.0, 73.0],
        [255.0, 255.0, 255.0],
    ];
    let at = value.clamp(0.0, 1.0) * 4.0;
    let low = (at as usize).min(3);
    [0, 1, 2].map(|c| {
        let (a, b) = (STOPS[low][c], STOPS[low + 1][c]);
        (a + (b - a) * (at - low as f32)).round() as u8
    })
}

/// The live cells as cubes, seen from above a corner, without perspective.
pub fn solid(cells: &LiveCells) -> Rgb {
    let n = cells.side as f64;
    // Toward the scene, and the picture's right and up.
    let forward = unit([-0.62, 0.58, -0.53]);
    let right = unit([-forward[1], forward[0], 0.0]).map(|v: f64| -v);
    let up = cross(right, forward);
    let mut data = Vec::with_capacity(3 * SOLID * SOLID);
    for py in 0..SOLID {
        for px in 0..SOLID {
            // A cube's diagonal fits.
            let u = (px as f64 + 0.5) / SOLID as f64 - 0.5;
            let v = 0.5 - (py as f64 + 0.5) / SOLID as f64;
            let start = [0, 1, 2].map(|a| n * (0.5 + 1.72 * (u * right[a] + v * up[a]) - 2.0 * forward[a]));
            data.extend(first(cells, start, forward).map_or([255; 3], |(cell, axis)| {
                let light = [0.72, 0.56, 1.0][axis];
                let height = (cell[2] as f64 + 0.5) / n;
                [90.0 + 120.0 * height, 130.0, 200.0 - 110.0 * height].map(|c: f64| (c * light) as u8)
            }));
        }
    }
    Rgb { width: SOLID, height: SOLID, data }
}

/// The first live cell along a ray, in units of cells, and the axis of the face that the ray enters it by.
fn first(cells: &LiveCells, start: [f64; 3], along: [f64; 3]) -> Option<([i64; 3], usize)> {
    let n = cells.side as f64;
    let (mut enter, mut leave, mut axis) = (0.0f64, f64::INFINITY, 0);
    for a in 0..3 {
        let (p, q) = (-start[a] / along[a], (n - start[a]) / along[a]);
        if p.min(q) > enter {
            (enter, axis) = (p.min(q), a);
        }
        leave = leave.min(p.max(q));
    }
    if enter >= leave {
        return None;
    }
    let mut cell = [0, 1, 2].map(|a| ((start[a] + enter * along[a]).floor() as i64).clamp(0, n as i64 - 1));
    loop {
        if cells.get(cell) {
            return Some((cell, axis));
        }
        let next = |a: usize| {
            let face = if along[a] > 0.0 { cell[a] + 1 } else { cell[a] };
            (face as f64 - start[a]) / along[a]
        };
        axis = (1..3).fold(0, |best, a| if next(a) < next(best) { a } else { best });
        cell[axis] += if along[axis] > 0.0 { 1 } else { -1 };
        if !(0..cells.side as i64).contains(&cell[axis]) {
            return None;
        }
    }
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
    v.map(|v| v / length)
}

fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [0, 1, 2].map(|i| a[(i + 1) % 3] * b[(i + 2) % 3] - a[(i + 2) % 3] * b[(i + 1) % 3])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ray_finds_the_first_cell_and_its_face() {
        let mut cells = LiveCells { side: 8, live: vec![false; 512] };
        let along = unit([1.0, 1e-3, 1e-3]);
        assert_eq!(first(&cells, [-3.0, 2.4, 5.4], along), None);
        cells.live[(5 * 8 + 2) * 8 + 6] = true;
        assert_eq!(first(&cells, [-3.0, 2.4, 5.4], along), Some(([6, 2, 5], 0)));
        assert_eq!(first(&cells, [6.5, 2.5, 20.0], unit([1e-3, 1e-3, -1.0])), Some(([6, 2, 5], 2)));
        assert_eq!(first(&cells, [-3.0, 9.0, 5.4], along), None);
    }

    #[test]
    fn a_solid_is_where_its_cells_are() {
        let empty = solid(&LiveCells { side: 4, live: vec![false; 64] });
        assert!(empty.data.iter().all(|v| *v == 255));
        let full = solid(&LiveCells { side: 4, live: vec![true; 64] });
        let ink = full.data.chunks_exact(3).filter(|p| **p != [255; 3]).count();
        let share = ink as f64 / (SOLID * SOLID) as f64;
        assert!((0.4..0.8).contains(&share), "{share}");
        // The middle of the picture is the corner's, whose top is the brightest.
        assert_eq!(full.data[..3], [255; 3]);
    }

    #[test]
    fn slices_show_open_cells() {
        let mut grid = vec![-10.0; 16 * 16 * 16];
        grid[(3 * 16 + 15) * 16] = 10.0;
        let picture = slices(&grid, 16);
        assert_eq!(picture.data.len(), 3 * picture.width * picture.height);
        // Slice 3 is the last of the first row; x = 0, y = 15 is its upper left.
        let at = 3 * (3 * (192 + GAP));
        assert_eq!((&picture.data[at..at + 3], &picture.data[..3]), (&[255; 3][..], &[0; 3][..]));
    }
}
