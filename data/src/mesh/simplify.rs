//! Fewer faces by collapsed edges, cheapest first, by quadric error metrics (Garland and Heckbert, 1997).

use super::Mesh;
use nalgebra::{Matrix3, Vector3};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// How much a plane through an edge at a border counts, which keeps the border where it is.
const BORDER: f64 = 10.0;
/// The least cosine between a face's normal before and after.
const LEAST_TURN: f64 = 0.2;
/// How much the middle of an edge attracts where planes leave the place open, as a part of the planes' weight.
const TO_MIDDLE: f64 = 1e-4;

/// The mesh with no more than `faces` faces, as far as edges can be collapsed without folding or pinching the surface.
/// Normals and colors are left out: they are others'.
pub fn simplify(mesh: &Mesh, faces: usize) -> Mesh {
    let mut work = Work::of(mesh);
    let mut left = mesh.faces.len();
    // What was refused may be possible when other edges are gone.
    let (mut refused, mut before) = (Vec::new(), usize::MAX);
    while left > faces && left < before {
        before = left;
        while left > faces
            && let Some(Reverse((_, a, b, versions))) = work.heap.pop()
        {
            if [a, b].map(|v| work.version[v as usize]) == versions {
                let gone = work.collapse(a, b);
                left -= gone;
                if gone == 0 {
                    refused.push((a, b));
                }
            }
        }
        let there = |v: u32| work.version[v as usize] != u32::MAX;
        let again = refused.drain(..).filter(|(a, b)| there(*a) && there(*b));
        work.heap = again.map(|(a, b)| work.entry(a, b)).collect();
    }
    let positions = work.at.iter().map(|p| p.cast::<f32>().into()).collect();
    let faces = work.faces.iter().map(|face| face.unwrap_or([0; 3])).collect();
    let mut simple = Mesh { positions, faces, ..Mesh::default() };
    simple.retain(|face| work.faces[face].is_some());
    simple
}

/// The squared distance from planes, as a polynomial.
#[derive(Clone, Copy)]
struct Quadric {
    a: Matrix3<f64>,
    b: Vector3<f64>,
    c: f64,
}

impl Quadric {
    const NONE: Self =
        Self { a: Matrix3::new(0., 0., 0., 0., 0., 0., 0., 0., 0.), b: Vector3::new(0., 0., 0.), c: 0.0 };

    /// Of the plane through a point with this normal.
    fn plane(normal: Vector3<f64>, point: Vector3<f64>, weight: f64) -> Self {
        let d = -normal.dot(&point);
        Self { a: weight * normal * normal.transpose(), b: weight * d * normal, c: weight * d * d }
    }

    fn add(&mut self, other: &Self) {
        self.a += other.a;
        self.b += other.b;
        self.c += other.c;
    }

    fn at(&self, p: &Vector3<f64>) -> f64 {
        (p.dot(&(self.a * p)) + 2.0 * self.b.dot(p) + self.c).max(0.0)
    }
}

type Entry = Reverse<(u64, u32, u32, [u32; 2])>;

struct Work {
    at: Vec<Vector3<f64>>,
    quadric: Vec<Quadric>,
    faces: Vec<Option<[u32; 3]>>,
    /// Per vertex, the faces around it; some may be gone.
    around: Vec<Vec<u32>>,
    /// Per vertex, how often it has changed.
    version: Vec<u32>,
    heap: BinaryHeap<Entry>,
}

impl Work {
    fn of(mesh: &Mesh) -> Self {
        let n = mesh.positions.len();
        let at: Vec<Vector3<f64>> = mesh.positions.iter().map(|p| Vector3::from(p.map(f64::from))).collect();
        let (mut quadric, mut around) = (vec![Quadric::NONE; n], vec![Vec::new(); n]);
        let mut edges = Vec::with_capacity(3 * mesh.faces.len());
        for (i, face) in mesh.faces.iter().enumerate() {
            let across = mesh.across(*face);
            let normal = across.try_normalize(0.0).unwrap_or_default();
            let plane = Quadric::plane(normal, at[face[0] as usize], across.norm() / 2.0);
            for k in 0..3 {
                let (a, b) = (face[k], face[(k + 1) % 3]);
                quadric[a as usize].add(&plane);
                around[a as usize].push(i as u32);
                edges.push((a.min(b), a.max(b), i as u32));
            }
        }
        edges.sort_unstable();
        for same in edges.chunk_by(|x, y| (x.0, x.1) == (y.0, y.1)) {
            if let [(a, b, face)] = same {
                let along = at[*b as usize] - at[*a as usize];
                let across = mesh.across(mesh.faces[*face as usize]);
                let normal = along.cross(&across).try_normalize(0.0).unwrap_or_default();
                let plane = Quadric::plane(normal, at[*a as usize], BORDER * along.norm_squared());
                [a, b].into_iter().for_each(|v| quadric[*v as usize].add(&plane));
            }
        }
        edges.dedup_by_key(|edge| (edge.0, edge.1));
        let faces = mesh.faces.iter().copied().map(Some).collect();
        let mut work = Self { at, quadric, faces, around, version: vec![0; n], heap: BinaryHeap::new() };
        work.heap = edges.iter().map(|(a, b, _)| work.entry(*a, *b)).collect();
        work
    }

    /// Where two vertices would become one, and the error there.
    fn meet(&self, a: u32, b: u32) -> (Vector3<f64>, f64) {
        let [a, b] = [a as usize, b as usize];
        let mut quadric = self.quadric[a];
        quadric.add(&self.quadric[b]);
        let middle = (self.at[a] + self.at[b]) / 2.0;
        let pull = TO_MIDDLE * quadric.a.trace().max(f64::MIN_POSITIVE);
        let open = quadric.a + Matrix3::from_diagonal_element(pull);
        let best = open.try_inverse().map(|inverse| inverse * (pull * middle - quadric.b));
        let near = |p: &Vector3<f64>| (p - middle).norm() <= 2.0 * (self.at[a] - self.at[b]).norm();
        let best = best.filter(near).unwrap_or(middle);
        (best, quadric.at(&best))
    }

    fn entry(&self, a: u32, b: u32) -> Entry {
        let (a, b) = (a.min(b), a.max(b));
        // Bits of what is not negative are in order.
        Reverse((self.meet(a, b).1.to_bits(), a, b, [a, b].map(|v| self.version[v as usize])))
    }

    fn faces_around(&self, v: u32) -> impl Iterator<Item = (u32, [u32; 3])> + '_ {
        self.around[v as usize].iter().filter_map(|i| Some((*i, self.faces[*i as usize]?)))
    }

    fn neighbors(&self, v: u32) -> Vec<u32> {
        let mut all: Vec<u32> = self.faces_around(v).flat_map(|(_, face)| face).filter(|n| *n != v).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Makes `b` one with `a`, if the surface neither folds nor is pinched; how many faces that takes away.
    fn collapse(&mut self, a: u32, b: u32) -> usize {
        let shared: Vec<u32> =
            self.faces_around(a).filter(|(_, face)| face.contains(&b)).map(|(i, _)| i).collect();
        let (near_a, near_b) = (self.neighbors(a), self.neighbors(b));
        let common = near_a.iter().filter(|n| near_b.binary_search(n).is_ok()).count();
        let (to, _) = self.meet(a, b);
        if shared.is_empty() || shared.len() > 2 || common != shared.len() || self.folds(a, b, &to) {
            return 0;
        }
        for face in &shared {
            self.faces[*face as usize] = None;
        }
        let moved: Vec<u32> = self.faces_around(b).map(|(i, _)| i).collect();
        for i in &moved {
            if let Some(face) = &mut self.faces[*i as usize] {
                face.iter_mut().filter(|v| **v == b).for_each(|v| *v = a);
            }
        }
        let mut around: Vec<u32> = self.faces_around(a).map(|(i, _)| i).collect();
        around.extend(moved);
        self.around[a as usize] = around;
        self.around[b as usize] = Vec::new();
        let other = self.quadric[b as usize];
        self.quadric[a as usize].add(&other);
        self.at[a as usize] = to;
        self.version[a as usize] += 1;
        self.version[b as usize] = u32::MAX;
        for n in self.neighbors(a) {
            let entry = self.entry(a, n);
            self.heap.push(entry);
        }
        shared.len()
    }

    /// Whether a face around `a` or `b` would turn over or vanish if both were at `to`.
    fn folds(&self, a: u32, b: u32, to: &Vector3<f64>) -> bool {
        let faces = self.faces_around(a).chain(self.faces_around(b)).map(|(_, face)| face);
        faces.filter(|face| !(face.contains(&a) && face.contains(&b))).any(|face| {
            let across = |at: [Vector3<f64>; 3]| (at[1] - at[0]).cross(&(at[2] - at[0]));
            let before = across(face.map(|v| self.at[v as usize]));
            let after = across(face.map(|v| if v == a || v == b { *to } else { self.at[v as usize] }));
            after.dot(&before) <= LEAST_TURN * after.norm() * before.norm()
        })
    }
}
