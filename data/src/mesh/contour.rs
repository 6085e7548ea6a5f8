//! Marching cubes (Lorensen and Cline, 1987), slice by slice, with triangles that fit those of the neighbors in every case:
//! on a face of a cell whose corners alternate, corners inside are kept apart, whichever cell looks.

use super::Mesh;
use std::ops::Range;
use std::sync::LazyLock;

/// Points that are asked for at a time, at most, where a slice has no more.
const BLOCK: usize = 1 << 20;

/// A regular grid of points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Its first point.
    pub origin: [f64; 3],
    /// Between neighbors.
    pub spacing: f64,
    /// Points per axis, at least 2.
    pub points: [usize; 3],
}

impl Grid {
    /// Around a box, with so many cells along its longest side.
    pub fn around(low: [f64; 3], high: [f64; 3], cells: usize) -> Self {
        let size: [f64; 3] = std::array::from_fn(|a| (high[a] - low[a]).max(0.0));
        let longest = size.iter().fold(0.0f64, |longest, s| longest.max(*s));
        let spacing = if longest > 0.0 { longest / cells.max(1) as f64 } else { 1.0 };
        Self { origin: low, spacing, points: size.map(|s| (s / spacing - 1e-9).ceil().max(1.0) as usize + 1) }
    }

    /// Where a point is.
    pub fn at(&self, [x, y, z]: [usize; 3]) -> [f64; 3] {
        let cell = [x, y, z];
        std::array::from_fn(|a| self.origin[a] + cell[a] as f64 * self.spacing)
    }

    /// Points of a slice.
    pub fn slice(&self) -> usize {
        self.points[0] * self.points[1]
    }
}

/// The surface where values pass `level`, larger ones inside. `values` gives those of some slices, x fastest, and may fail;
/// it is asked for every slice once, in order. Around a value that is NaN there is no surface.
///
/// Memory beside the mesh: a million values or three slices, whichever is more.
///
/// # Errors
/// Those of `values`.
pub fn contour<E>(
    grid: &Grid,
    level: f32,
    mut values: impl FnMut(Range<usize>, &mut [f32]) -> Result<(), E>,
) -> Result<Mesh, E> {
    let (slice, [nx, ny, nz]) = (grid.slice(), grid.points);
    let mut mesh = Mesh::default();
    let mut march = Slices { grid, level, below: Vec::new(), edges: [const { Vec::new() }; 3] };
    march.edges.iter_mut().for_each(|edges| edges.resize(slice, 0));
    march.edges[0].resize(2 * slice, 0);
    march.edges[1].resize(2 * slice, 0);
    let slices = (BLOCK / slice).max(1);
    let mut block = Vec::new();
    for first in (0..nz).step_by(slices) {
        let range = first..(first + slices).min(nz);
        block.clear();
        block.resize(range.len() * slice, f32::NAN);
        values(range.clone(), &mut block)?;
        for (z, above) in range.zip(block.chunks_exact(slice)) {
            if z > 0 {
                (0..ny - 1)
                    .for_each(|y| (0..nx - 1).for_each(|x| march.cell([x, y, z - 1], above, &mut mesh)));
            }
            march.below.clear();
            march.below.extend_from_slice(above);
            let [low, high, ..] = &mut march.edges;
            std::mem::swap(low, high);
            march.edges[1..].iter_mut().for_each(|edges| edges.fill(0));
        }
    }
    Ok(mesh)
}

/// Two slices on the way.
struct Slices<'a> {
    grid: &'a Grid,
    level: f32,
    below: Vec<f32>,
    /// Vertices on edges, from 1, 0 for none yet: those along x and y in the slice below, in the slice above, and those
    /// along z in between.
    edges: [Vec<u32>; 3],
}

impl Slices<'_> {
    /// The triangles of a cell whose lower slice is `below`.
    fn cell(&mut self, at: [usize; 3], above: &[f32], mesh: &mut Mesh) {
        let nx = self.grid.points[0];
        let first = at[1] * nx + at[0];
        let corner = |c: usize| {
            let slice = if c & 4 == 0 { &*self.below } else { above };
            slice[first + (c & 1) + (c >> 1 & 1) * nx]
        };
        let case = (0..8).fold(0, |case, c| case | usize::from(corner(c) > self.level) << c);
        if case == 0 || case == 255 {
            return;
        }
        let corners: [f32; 8] = std::array::from_fn(corner);
        if corners.iter().any(|v| v.is_nan()) {
            return;
        }
        for triangle in &CASES[case] {
            let face = triangle.map(|edge| self.vertex(edge as usize, at, &corners, mesh));
            mesh.faces.push(face);
        }
    }

    /// The vertex on an edge of a cell.
    fn vertex(&mut self, edge: usize, at: [usize; 3], corners: &[f32; 8], mesh: &mut Mesh) -> u32 {
        let (axis, low) = ends(edge);
        let place = (at[1] + (low >> 1 & 1)) * self.grid.points[0] + at[0] + (low & 1);
        let slot = match axis {
            2 => &mut self.edges[2][place],
            _ => &mut self.edges[low >> 2][2 * place + axis],
        };
        if *slot == 0 {
            let (a, b) = (corners[low], corners[low | 1 << axis]);
            let share = f64::from((self.level - a) / (b - a)).clamp(0.0, 1.0);
            let mut point = self.grid.at([at[0] + (low & 1), at[1] + (low >> 1 & 1), at[2] + (low >> 2)]);
            point[axis] += share * self.grid.spacing;
            mesh.positions.push(point.map(|p| p as f32));
            *slot = mesh.positions.len() as u32;
        }
        *slot - 1
    }
}

/// An edge's axis and its lower corner; a corner's bits are its x, y and z.
fn ends(edge: usize) -> (usize, usize) {
    let (axis, k) = (edge / 4, edge % 4);
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    (axis, (k & 1) << u | (k >> 1) << v)
}

/// The edge between two corners.
fn between(a: usize, b: usize) -> usize {
    let axis = (a ^ b).trailing_zeros() as usize;
    let (low, u, v) = (a & b, (axis + 1) % 3, (axis + 2) % 3);
    axis * 4 + (low >> u & 1) + 2 * (low >> v & 1)
}

/// Triangles over edges, for every set of corners that are inside.
static CASES: LazyLock<Vec<Vec<[u8; 3]>>> = LazyLock::new(|| (0..256).map(triangles).collect());

/// On every face, walked around counterclockwise seen from outside, each run of corners inside gives a piece of the
/// surface's border, from the edge where the run is entered to the one where it is left. The pieces form loops, which are
/// filled by fans.
fn triangles(case: usize) -> Vec<[u8; 3]> {
    let inside = |corner: usize| case >> corner & 1 == 1;
    let mut next = [usize::MAX; 12];
    for axis in 0..3 {
        let (u, v) = (1 << ((axis + 1) % 3), 1 << ((axis + 2) % 3));
        for side in 0..2 {
            let mut around = [0, u, u | v, v].map(|corner| corner | side << axis);
            if side == 0 {
                around.reverse();
            }
            for start in 0..4 {
                if inside(around[start]) || !inside(around[(start + 1) % 4]) {
                    continue;
                }
                let mut end = (start + 1) % 4;
                while inside(around[(end + 1) % 4]) {
                    end = (end + 1) % 4;
                }
                let entered = between(around[start], around[(start + 1) % 4]);
                next[entered] = between(around[end], around[(end + 1) % 4]);
            }
        }
    }
    let mut triangles = Vec::new();
    for first in 0..12 {
        let mut fan = Vec::new();
        let mut edge = first;
        while next[edge] != usize::MAX {
            fan.push(edge as u8);
            edge = std::mem::replace(&mut next[edge], usize::MAX);
        }
        triangles.extend((2..fan.len()).map(|i| [fan[0], fan[i - 1], fan[i]]));
    }
    triangles
}
