//! What the training cameras can see: the rest of space is not worth a sample.
//!
//! A real capture looks at its scene from some sides only. Whatever the field says where no training camera looks was
//! never learned; left in the occupancy grid, it is marched through, and shows up as fog in other views.

use nalgebra::Similarity3;
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, morton};
use nerve_data::{Camera, RayCaster};

/// Rays cast along each edge of an image to find its widest angles.
const EDGE: u32 = 32;
/// How much wider than it is a frustum is taken to be: cells just outside are blended with those inside, and poses may
/// be refined.
const MARGIN: f32 = 1.05;

/// A pyramid that contains all that a camera sees.
struct Frustum {
    origin: [f32; 3],
    /// Right, down, forward.
    axes: [[f32; 3]; 3],
    /// Tangents of the angles at the left, right, upper and lower edge; `None` for a lens that sees sideways.
    edges: Option<[f32; 4]>,
    /// Nearest sample.
    near: f32,
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn unit(v: [f32; 3]) -> [f32; 3] {
    let n = dot(v, v).sqrt().max(1e-12);
    v.map(|v| v / n)
}

impl Frustum {
    fn new(caster: &RayCaster, (cx, cy): (f64, f64), (width, height): (u32, u32), near: f32) -> Self {
        let (origin, forward) = caster.cast(cx, cy);
        let along = |(_, d): ([f32; 3], [f32; 3])| {
            let ahead = dot(d, forward);
            unit(std::array::from_fn(|a| d[a] - ahead * forward[a]))
        };
        let side = f64::from(width.max(height));
        let right = along(caster.cast(cx + 0.1 * side, cy));
        let down = along(caster.cast(cx, cy + 0.1 * side));
        let mut edges = Some([0.0f32; 4]);
        for i in 0..=EDGE {
            let (x, y) = (f64::from(width * i) / f64::from(EDGE), f64::from(height * i) / f64::from(EDGE));
            for (px, py) in [(x, 0.0), (x, f64::from(height)), (0.0, y), (f64::from(width), y)] {
                let (_, d) = caster.cast(px, py);
                let ahead = dot(d, forward);
                // Wider than 80 degrees from the axis, a pyramid is no use.
                edges = edges.filter(|_| ahead > 0.17).map(|[l, r, u, b]| {
                    let (x, y) = (dot(d, right) / ahead * MARGIN, dot(d, down) / ahead * MARGIN);
                    [l.min(x), r.max(x), u.min(y), b.max(y)]
                });
            }
        }
        Self { origin, axes: [right, down, forward], edges, near }
    }

    /// Whether any of a ball may be seen.
    fn sees(&self, centre: [f32; 3], radius: f32) -> bool {
        let to = std::array::from_fn(|a| centre[a] - self.origin[a]);
        let far = (self.near - radius).max(0.0);
        if dot(to, to) < far * far {
            return false;
        }
        let Some([left, right, up, down]) = self.edges else { return true };
        let [x, y, z] = self.axes.map(|axis| dot(to, axis));
        // How far outside of a plane through the camera with this tangent a point is.
        let inside =
            |across: f32, tangent: f32| (across - tangent * z) <= radius * (1.0 + tangent * tangent).sqrt();
        z > -radius && inside(x, right) && inside(-x, -left) && inside(y, down) && inside(-y, -up)
    }
}

/// The cells of `cascades` cascades that some of these cameras can see, which `to_unit` takes into the unit frame; `None`
/// if that is all of them.
pub(crate) fn seen(
    cameras: &[&Camera],
    to_unit: &Similarity3<f64>,
    cascades: usize,
    near: f32,
) -> Option<Bitfield> {
    let frustum = |camera: &&Camera| {
        let (k, caster) = (&camera.intrinsics, RayCaster::with_frame(camera, to_unit));
        Frustum::new(&caster, (k.cx, k.cy), (k.width, k.height), near)
    };
    let cameras: Vec<Frustum> = cameras.iter().map(frustum).collect();
    let mut bits = Bitfield::new(cascades, false);
    bits.refill(|word| {
        let (cascade, first) = (word * 64 / CELLS, (word * 64 % CELLS) as u32);
        let size = (1u32 << cascade) as f32 / SIDE as f32;
        let place =
            |cell: [u32; 3], half: f32| cell.map(|c| (c as f32 + half - SIDE as f32 / 2.0) * size + 0.5);
        let radius = |cells: f32| 0.5 * cells * size * 3f32.sqrt();
        // A word is a block of 4^3 cells: the cameras that see none of it see none of its cells.
        let block = place(morton::decode(first), 2.0);
        let near: Vec<&Frustum> = cameras.iter().filter(|c| c.sees(block, radius(4.0))).collect();
        if near.is_empty() {
            return 0;
        }
        (0..64).fold(0, |bits, i| {
            let centre = place(morton::decode(first + i), 0.5);
            bits | u64::from(near.iter().any(|c| c.sees(centre, radius(1.0)))) << i
        })
    });
    (bits.count() < cascades * CELLS).then_some(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use nerve_data::Scene;
    use nerve_data::demo::{self, DemoConfig};

    fn seen_by(scene: &Scene, near: f32) -> Option<Bitfield> {
        let train = scene.splits.train.iter();
        let cameras: Vec<&Camera> = train.map(|view| &scene.views[*view].camera).collect();
        seen(&cameras, &scene.frame, 1, near)
    }

    fn scene(train: usize) -> Scene {
        demo::scene(&DemoConfig { resolution: 32, train, test: 1, supersample: 1, shadow: 1 }).unwrap()
    }

    fn cell_of(point: [f32; 3]) -> usize {
        morton::encode(point.map(|p| (p * SIDE as f32) as u32)) as usize
    }

    /// Every point along every ray of the training views is in a cell that is seen, refined poses or not.
    #[test]
    fn what_rays_pass_through_is_seen() {
        let scene = scene(2);
        let bits = seen_by(&scene, 0.05).unwrap();
        assert!(bits.count() > CELLS / 4 && bits.count() < CELLS, "{}", bits.count());
        for view in &scene.splits.train {
            let caster = scene.caster(*view).unwrap();
            for pixel in 0..32 * 32 {
                let (o, d) = caster.cast(f64::from(pixel % 32) + 0.5, f64::from(pixel / 32) + 0.5);
                for i in 1..200 {
                    let p: [f32; 3] = std::array::from_fn(|a| o[a] + 0.015 * i as f32 * d[a]);
                    if p.iter().all(|p| (0.0..1.0).contains(p)) && i > 4 {
                        assert!(bits.get(cell_of(p)), "{p:?}");
                    }
                }
            }
        }
    }

    /// Cameras all around see everything; a camera sees nothing behind itself and nothing too near.
    #[test]
    fn what_no_camera_looks_at_is_not() {
        let mut scene = scene(60);
        assert!(seen_by(&scene, 0.05).is_none(), "the demo's cameras see all of the box");
        let first = scene.splits.train[0];
        scene.splits.train = vec![first];
        // In the middle of the box, looking as before.
        let camera = &mut scene.views[first].camera;
        camera.pose.translation.vector =
            scene.frame.inverse_transform_point(&nalgebra::Point3::new(0.5, 0.5, 0.5)).coords;
        let forward = camera.forward();
        let at = |t: f64| {
            let p = nalgebra::Point3::new(0.5, 0.5, 0.5) + forward * t;
            cell_of([p.x as f32, p.y as f32, p.z as f32])
        };
        let bits = seen_by(&scene, 0.1).unwrap();
        assert!(bits.get(at(0.3)) && !bits.get(at(-0.3)) && !bits.get(at(0.04)));
        assert!(bits.count() < CELLS / 10);
    }
}
