//! Triangle meshes: contoured from values on a grid, cleaned, simplified, sampled, written.

mod atlas;
mod contour;
mod gltf;
mod obj;
mod ply;
mod simplify;
mod texture;

pub use atlas::{Atlas, Texel};
pub use contour::{Grid, contour};
pub use gltf::glb;
pub use obj::obj;
pub use ply::ply;
pub use simplify::simplify;
pub use texture::Texture;

use nalgebra::Vector3;

/// Triangles with shared vertices, counterclockwise seen from outside; without faces, points.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mesh {
    /// Vertices.
    pub positions: Vec<[f32; 3]>,
    /// Of length 1, one a vertex; empty where they are not known.
    pub normals: Vec<[f32; 3]>,
    /// sRGB, one a vertex; empty where they are not known.
    pub colors: Vec<[u8; 3]>,
    /// Indices of vertices.
    pub faces: Vec<[u32; 3]>,
}

/// Faces that hang together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Component {
    /// How many.
    pub faces: usize,
    /// Their area.
    pub area: f64,
}

impl Mesh {
    /// The corners of a face.
    pub fn corners(&self, face: [u32; 3]) -> [Vector3<f64>; 3] {
        face.map(|v| Vector3::from(self.positions[v as usize].map(f64::from)))
    }

    /// A normal of a face, twice as long as its area is large.
    pub fn across(&self, face: [u32; 3]) -> Vector3<f64> {
        let [a, b, c] = self.corners(face);
        (b - a).cross(&(c - a))
    }

    /// The area of all faces.
    pub fn area(&self) -> f64 {
        self.faces.iter().map(|face| self.across(*face).norm() / 2.0).sum()
    }

    /// Sets the normals of the vertices: means of their faces' by area.
    pub fn set_normals(&mut self) {
        let mut sums = vec![Vector3::zeros(); self.positions.len()];
        for face in &self.faces {
            let across = self.across(*face);
            face.iter().for_each(|v| sums[*v as usize] += across);
        }
        let unit = |sum: Vector3<f64>| sum.try_normalize(0.0).unwrap_or(Vector3::z());
        self.normals = sums.into_iter().map(|sum| unit(sum).cast::<f32>().into()).collect();
    }

    /// Per face the component that it is of, by shared vertices, and the components.
    pub fn components(&self) -> (Vec<u32>, Vec<Component>) {
        let mut parent: Vec<u32> = (0..self.positions.len() as u32).collect();
        for [a, b, c] in &self.faces {
            let root = root(&mut parent, *a);
            for v in [*b, *c] {
                let other = self::root(&mut parent, v);
                parent[other as usize] = root;
            }
        }
        let mut number = vec![u32::MAX; self.positions.len()];
        let mut components: Vec<Component> = Vec::new();
        let of = |face: &[u32; 3]| {
            let number = &mut number[root(&mut parent, face[0]) as usize];
            if *number == u32::MAX {
                *number = components.len() as u32;
                components.push(Component::default());
            }
            let component = &mut components[*number as usize];
            component.faces += 1;
            component.area += self.across(*face).norm() / 2.0;
            *number
        };
        let of = self.faces.iter().map(of).collect();
        (of, components)
    }

    /// The mesh with three vertices for every face, which no other face has.
    pub fn apart(&self) -> Self {
        fn each<T: Copy>(faces: &[[u32; 3]], values: &[T]) -> Vec<T> {
            let at = |v: &u32| values.get(*v as usize).copied();
            faces.as_flattened().iter().filter_map(at).collect()
        }
        Self {
            positions: each(&self.faces, &self.positions),
            normals: each(&self.faces, &self.normals),
            colors: each(&self.faces, &self.colors),
            faces: (0..self.faces.len() as u32).map(|face| [0, 1, 2].map(|c| 3 * face + c)).collect(),
        }
    }

    /// Keeps the faces of which `keep` is true, and their vertices.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let faces = self.faces.iter().enumerate().filter(|(i, _)| keep(*i)).map(|(_, face)| *face);
        let mut faces: Vec<[u32; 3]> = faces.collect();
        let mut place = vec![u32::MAX; self.positions.len()];
        faces.as_flattened().iter().for_each(|v| place[*v as usize] = 0);
        let kept: Vec<usize> = (0..place.len()).filter(|v| place[*v] == 0).collect();
        kept.iter().enumerate().for_each(|(new, old)| place[*old] = new as u32);
        faces.as_flattened_mut().iter_mut().for_each(|v| *v = place[*v as usize]);
        self.faces = faces;
        pick(&mut self.positions, &kept);
        pick(&mut self.normals, &kept);
        pick(&mut self.colors, &kept);
    }

    /// So many points of the surface, evenly by area: along the faces one after the other one every so much area, at a
    /// place in its face that a sequence of low discrepancy gives. Their normals and colors are the vertices' means.
    pub fn sample(&self, points: usize) -> Self {
        let mut sampled = Self::default();
        let step = self.area() / points.max(1) as f64;
        let (mut passed, mut next) = (0.0, 0.5 * step);
        for face in &self.faces {
            passed += self.across(*face).norm() / 2.0;
            while next < passed && sampled.positions.len() < points {
                let shares = place_in_face(sampled.positions.len());
                let mean = |values: &[[f32; 3]]| -> [f32; 3] {
                    let at = face.map(|v| values[v as usize]);
                    std::array::from_fn(|axis| (0..3).map(|c| shares[c] * at[c][axis]).sum())
                };
                sampled.positions.push(mean(&self.positions));
                if !self.normals.is_empty() {
                    let normal = Vector3::from(mean(&self.normals));
                    sampled.normals.push(normal.try_normalize(0.0).unwrap_or(Vector3::z()).into());
                }
                if !self.colors.is_empty() {
                    let at = face.map(|v| self.colors[v as usize].map(f32::from));
                    sampled.colors.push(std::array::from_fn(|axis| {
                        (0..3).map(|c| shares[c] * at[c][axis]).sum::<f32>().round() as u8
                    }));
                }
                next += step;
            }
        }
        sampled
    }
}

/// The shares of a face's corners in its `i`-th point: Roberts' R2 sequence, folded into the triangle.
fn place_in_face(i: usize) -> [f32; 3] {
    let part = |ratio: f64| ((i + 1) as f64 * ratio).fract();
    let (mut u, mut v) = (part(0.754_877_666_246_693), part(0.569_840_290_998_053));
    if u + v > 1.0 {
        (u, v) = (1.0 - u, 1.0 - v);
    }
    [(1.0 - u - v) as f32, u as f32, v as f32]
}

fn root(parent: &mut [u32], mut v: u32) -> u32 {
    while parent[v as usize] != v {
        parent[v as usize] = parent[parent[v as usize] as usize];
        v = parent[v as usize];
    }
    v
}

/// Leaves the values at these places, if there are any.
fn pick<T: Copy>(values: &mut Vec<T>, kept: &[usize]) {
    if !values.is_empty() {
        *values = kept.iter().map(|i| values[*i]).collect();
    }
}

#[cfg(test)]
mod tests;
