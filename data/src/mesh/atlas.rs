//! Where the faces of a mesh lie in a square texture: every face by itself, as a right triangle of a size like its own, two to
//! a square.
//!
//! No face shares a texel with another one, whatever the surface's shape, and bilinear lookups stay among a face's own
//! texels. Vertices that faces share are at several places of the texture.

use super::Mesh;
use nalgebra::Vector3;

/// The sides of the smallest squares, in texels.
const LEAST: usize = 4;
/// Texels that a square has beside its triangles' legs: half a texel at each corner, and one that keeps two faces apart.
const AROUND: usize = 3;

/// A layout of faces.
#[derive(Clone, Debug, PartialEq)]
pub struct Atlas {
    /// Texels along a side of the texture.
    pub size: usize,
    places: Vec<Place>,
}

/// Where a face lies.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    /// The square's corner of the least coordinates, and its side.
    x: u32,
    y: u32,
    side: u32,
    /// Whether it is the square's second triangle, turned by half a turn.
    second: bool,
    /// Which of the face's vertices is at the right angle.
    right: u8,
}

/// A texel of a face: its index in the texture, row by row from the top, and the shares of the face's corners there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texel {
    /// `y * size + x`.
    pub index: usize,
    /// Not below 0, of sum 1.
    pub shares: [f32; 3],
}

impl Atlas {
    /// The most faces that a texture of so many texels a side has room for.
    pub fn most_faces(size: usize) -> usize {
        2 * (size / LEAST).pow(2)
    }

    /// Lays the faces out, as large as the texture allows; `None` if there are more of them than [`Self::most_faces`].
    pub fn new(mesh: &Mesh, size: usize) -> Option<Self> {
        if mesh.faces.len() > Self::most_faces(size) {
            return None;
        }
        // A face's longer leg where its largest angle is the right one, and the vertex there.
        let legs: Vec<(f64, u8)> = mesh.faces.iter().map(|face| leg(mesh.corners(*face))).collect();
        let mut order: Vec<usize> = (0..legs.len()).collect();
        order.sort_by(|a, b| legs[*b].0.total_cmp(&legs[*a].0));
        let longest = order.first().map_or(1.0, |face| legs[*face].0).max(f64::MIN_POSITIVE);
        let (mut low, mut high) = (0.0, size as f64 / longest);
        for _ in 0..30 {
            let middle = 0.5 * (low + high);
            if lay(&legs, &order, size, middle).is_some() { low = middle } else { high = middle }
        }
        Some(Self { size, places: lay(&legs, &order, size, low)? })
    }

    /// The corners of a face in the texture, from 0 to 1, from the left and from the top.
    pub fn corners(&self, face: usize) -> [[f32; 2]; 3] {
        let place = self.places[face];
        let leg = (place.side as usize - AROUND) as f32;
        let size = self.size as f32;
        let mut at = [[0.0; 2]; 3];
        for (k, [u, v]) in [[0.5, 0.5], [0.5 + leg, 0.5], [0.5, 0.5 + leg]].into_iter().enumerate() {
            let turned = |c: f32| if place.second { place.side as f32 - c } else { c };
            at[(place.right as usize + k) % 3] =
                [(place.x as f32 + turned(u)) / size, (place.y as f32 + turned(v)) / size];
        }
        at
    }

    /// The texels of a face, those outside of it that lookups reach included: they have the shares of the face's nearest
    /// edge.
    pub fn texels(&self, face: usize) -> impl Iterator<Item = Texel> + '_ {
        let place = self.places[face];
        let side = place.side as usize;
        // The first triangle's texels are those before the other diagonal.
        (0..side).flat_map(move |y| (0..side - 1 - y.min(side - 1)).map(move |x| (x, y))).map(
            move |(x, y)| {
                let leg = (side - AROUND) as f32;
                let [u, v] = [x, y].map(|c| c as f32 / leg);
                let over = (u + v).max(1.0);
                let (u, v) = (u / over, v / over);
                let right = place.right as usize;
                let mut shares = [0.0; 3];
                (shares[right], shares[(right + 1) % 3], shares[(right + 2) % 3]) = (1.0 - u - v, u, v);
                let [x, y] = [x, y].map(|c| if place.second { side - 1 - c } else { c });
                Texel { index: (place.y as usize + y) * self.size + place.x as usize + x, shares }
            },
        )
    }
}

/// The longer one of the edges at a triangle's largest angle, and the vertex there.
fn leg(corners: [Vector3<f64>; 3]) -> (f64, u8) {
    let edge = |a: usize, b: usize| (corners[a] - corners[b]).norm();
    // The edge that is opposite of each vertex.
    let edges = [edge(1, 2), edge(2, 0), edge(0, 1)];
    let right = (0..3).max_by(|a, b| edges[*a].total_cmp(&edges[*b])).unwrap_or(0);
    (edges[(right + 1) % 3].max(edges[(right + 2) % 3]), right as u8)
}

/// Squares of two faces each, largest first, in rows; `None` if they do not fit at so many texels per length.
fn lay(legs: &[(f64, u8)], order: &[usize], size: usize, scale: f64) -> Option<Vec<Place>> {
    let mut places = vec![Place { x: 0, y: 0, side: 0, second: false, right: 0 }; legs.len()];
    let (mut x, mut y, mut row) = (0, 0, 0);
    for pair in order.chunks(2) {
        let side = ((legs[pair[0]].0 * scale).ceil() as usize).saturating_add(AROUND).max(LEAST);
        if side > size {
            return None;
        }
        if x + side > size {
            (x, y, row) = (0, y + row, 0);
        }
        row = row.max(side);
        if y + side > size {
            return None;
        }
        for (face, second) in pair.iter().zip([false, true]) {
            let right = legs[*face].1;
            places[*face] = Place { x: x as u32, y: y as u32, side: side as u32, second, right };
        }
        x += side;
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Faces of sizes that differ a thousandfold, needles among them.
    fn mesh(faces: usize) -> Mesh {
        let mut mesh = Mesh::default();
        for i in 0..faces {
            let part = |ratio: f64| ((i + 1) as f64 * ratio).fract() as f32;
            let long = 10f32.powf(-3.0 * part(0.618));
            let first = mesh.positions.len() as u32;
            mesh.positions.extend([
                [0.0; 3],
                [long, 0.0, 0.0],
                [long * part(0.755), long * part(0.57), part(0.31) * 1e-3],
            ]);
            mesh.faces.push([first, first + 1, first + 2]);
        }
        mesh
    }

    #[test]
    fn no_texel_is_of_two_faces() {
        for (faces, size) in [(1, 4), (1, 64), (2, 4), (333, 128), (2048, 128)] {
            let mesh = mesh(faces);
            let atlas = Atlas::new(&mesh, size).unwrap();
            let mut taken = vec![false; size * size];
            for texel in (0..faces).flat_map(|face| atlas.texels(face)) {
                assert!(!std::mem::replace(&mut taken[texel.index], true), "{faces} {size}");
                assert!((texel.shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                assert!(texel.shares.iter().all(|share| (-1e-6..=1.0).contains(share)));
            }
        }
        assert_eq!(Atlas::new(&mesh(2049), 128), None);
        assert_eq!(Atlas::new(&mesh(1), 3), None);
    }

    #[test]
    fn bilinear_lookups_give_what_the_texels_hold() {
        let mesh = mesh(101);
        let atlas = Atlas::new(&mesh, 96).unwrap();
        // Texels hold a number that is linear on the face and differs from the other faces'.
        let value = |face: usize, shares: [f32; 3]| {
            100.0 * face as f32 + shares[0] + 3.0 * shares[1] + 7.0 * shares[2]
        };
        let mut texture = vec![f32::NAN; 96 * 96];
        for face in 0..101 {
            atlas.texels(face).for_each(|texel| texture[texel.index] = value(face, texel.shares));
        }
        for face in 0..101 {
            let corners = atlas.corners(face);
            for i in 0..=8 {
                for j in 0..=8 - i {
                    let shares = [i as f32 / 8.0, j as f32 / 8.0, (8 - i - j) as f32 / 8.0];
                    let at: [f32; 2] = std::array::from_fn(|axis| {
                        (0..3).map(|c| shares[c] * corners[c][axis]).sum::<f32>() * 96.0 - 0.5
                    });
                    let [x, y] = at.map(|c| (c + 1e-4).floor());
                    let [s, t] = [at[0] - x, at[1] - y].map(|c| c.max(0.0));
                    let texel = |dx: f32, dy: f32, weight: f32| {
                        let index = (y + dy) as usize * 96 + (x + dx) as usize;
                        if weight < 1e-3 { 0.0 } else { weight * texture[index] }
                    };
                    let found = texel(0.0, 0.0, (1.0 - s) * (1.0 - t))
                        + texel(1.0, 0.0, s * (1.0 - t))
                        + texel(0.0, 1.0, (1.0 - s) * t)
                        + texel(1.0, 1.0, s * t);
                    let want = value(face, shares);
                    // At the long edge a lookup reaches texels that hold the edge's value.
                    assert!((found - want).abs() < 1.6, "{face} {shares:?}: {found} {want}");
                    if shares[0].min(shares[1]).min(shares[2]) > 0.3 && atlas.places[face].side > 12 {
                        assert!((found - want).abs() < 0.05, "{face} {shares:?}: {found} {want}");
                    }
                }
            }
        }
    }

    #[test]
    fn faces_have_texels_by_their_size() {
        let mesh = mesh(400);
        let atlas = Atlas::new(&mesh, 512).unwrap();
        let used: usize = (0..400).map(|face| atlas.texels(face).count()).sum();
        assert!(used > 512 * 512 / 2, "{used}");
        let side = |face: usize| f64::from(atlas.places[face].side);
        for pair in 1..400 {
            let (a, b) = (leg(mesh.corners(mesh.faces[pair - 1])).0, leg(mesh.corners(mesh.faces[pair])).0);
            assert!(a < b || side(pair - 1) + 1.0 >= side(pair), "{pair}");
        }
    }
}
