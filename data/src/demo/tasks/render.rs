//! Rays to pixels and labels.
use ndarray::{Array2, Array3};

use super::world::World;
use super::{CLASSES, DEPTH_UNIT};
use crate::demo::solid::{TracerRay, V3};
use crate::tasks::{TaskLabel, TaskSample};

/// Color samples a pixel along each axis.
const SAMPLES: usize = 2;
/// Beyond it nothing is seen.
const FAR: f64 = 20.0;
/// Shadow rays begin so far off a surface.
const LIFT: f64 = 1e-6;
const SKY: u8 = 1;

/// What a ray meets.
#[derive(Clone, Copy)]
struct Seen {
    t: f64,
    normal: V3,
    /// A thing, or the ground.
    thing: Option<usize>,
}

impl World {
    /// The image and its labels in the order of all tasks: colors are means over a pixel, labels those of its center.
    pub(super) fn render(&self, height: usize, width: usize) -> TaskSample {
        let mut image = Array3::zeros((height, width, 3));
        let mut classes = Array2::from_elem((height, width), SKY);
        let mut parts = Array2::zeros((height, width));
        let mut normals = Array2::from_elem((height, width), [0.0f32; 3]);
        let mut depth = Array2::zeros((height, width));
        // The object, and its part: where they change there is an edge.
        let mut objects = Array2::from_elem((height, width), (u16::MAX, 0u8));
        let scale = self.tangent / (0.5 * height.min(width) as f64);
        let ray = |x: f64, y: f64| {
            let across = V3::new((x - 0.5 * width as f64) * scale, (0.5 * height as f64 - y) * scale, -1.0);
            TracerRay { origin: self.eye, dir: (self.axes * across).normalize() }
        };
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let centre = ray(x as f64 + 0.5, y as f64 + 0.5);
            if let Some(seen) = self.first(&centre) {
                let at = [y, x];
                let (class, part, object) = seen.thing.map_or((0, 0, 0), |i| {
                    (self.things[i].class, self.things[i].part, self.things[i].object)
                });
                (classes[at], parts[at], objects[at]) = (class, part, (object, part));
                // As they are stored, so that what is read is what was rendered.
                let own = self.axes.transpose() * seen.normal;
                normals[at] = [own.x, own.y, own.z].map(stored_normal);
                let along = seen.t * -centre.dir.dot(&self.axes.column(2));
                depth[at] = ((along / DEPTH_UNIT + 0.5).floor() * DEPTH_UNIT) as f32;
            }
            let mut sum = V3::zeros();
            for (i, j) in (0..SAMPLES).flat_map(|j| (0..SAMPLES).map(move |i| (i, j))) {
                let offset = |k: usize| (k as f64 + 0.5) / SAMPLES as f64;
                sum += self.color(&ray(x as f64 + offset(i), y as f64 + offset(j)));
            }
            let mean = sum / (SAMPLES * SAMPLES) as f64;
            for c in 0..3 {
                image[[y, x, c]] = (mean[c].clamp(0.0, 1.0).sqrt() * 255.0 + 0.5) as u8;
            }
        }
        let labels = vec![
            TaskLabel::Classes(classes),
            TaskLabel::Classes(parts),
            TaskLabel::Classes(self.salient(&objects)),
            TaskLabel::Normals(normals.map(|n| unit(*n))),
            TaskLabel::Depth(depth),
            TaskLabel::Classes(outlines(&objects)),
        ];
        TaskSample { image, labels }
    }

    /// The nearest thing or the ground.
    fn first(&self, ray: &TracerRay) -> Option<Seen> {
        let mut best: Option<Seen> = None;
        let ground = -ray.origin.z / ray.dir.z;
        if ground > 0.0 && ground < FAR {
            best = Some(Seen { t: ground, normal: V3::z(), thing: None });
        }
        for (i, thing) in self.things.iter().enumerate() {
            if let Some((t, normal)) = thing.hit(ray, best.map_or(FAR, |seen| seen.t)) {
                best = Some(Seen { t, normal, thing: Some(i) });
            }
        }
        best
    }

    /// The color along a ray, linear.
    fn color(&self, ray: &TracerRay) -> V3 {
        let Some(Seen { t, normal, thing }) = self.first(ray) else {
            let up = ray.dir.z.clamp(0.0, 1.0);
            return self.sky[0].lerp(&self.sky[1], up).component_mul(&self.sky[0]);
        };
        let p = ray.at(t);
        let albedo = match thing {
            Some(i) => self.things[i].albedo(&p),
            None => self.ground_color(&p),
        };
        let (to_light, light) = self.light;
        let facing = normal.dot(&to_light).max(0.0);
        let shadow = TracerRay { origin: p + normal * LIFT, dir: to_light };
        let lit = facing > 0.0 && !self.things.iter().any(|thing| thing.hit(&shadow, FAR).is_some());
        let ambient = self.ambient * (0.6 + 0.4 * normal.z);
        // Textures are given as they look; their light is a square.
        let albedo = albedo.component_mul(&albedo);
        albedo.component_mul(&(light * if lit { facing } else { 0.0 } + V3::repeat(ambient)))
    }

    fn ground_color(&self, p: &V3) -> V3 {
        // Without bands along the vertical axis, where it has no extent.
        let flat = V3::new(p.x, p.y, 0.25);
        self.ground.at(&flat)
    }

    /// The object that covers most of the middle.
    fn salient(&self, objects: &Array2<(u16, u8)>) -> Array2<u8> {
        let (height, width) = objects.dim();
        let mut weights =
            vec![0.0; self.things.iter().map(|thing| thing.object as usize + 1).max().unwrap_or(1)];
        for ((y, x), (object, _)) in objects.indexed_iter() {
            if *object == 0 || *object == u16::MAX {
                continue;
            }
            let far = |at: usize, side: usize| (at as f64 + 0.5) / side as f64 - 0.5;
            let (dx, dy) = (far(x, width), far(y, height));
            weights[*object as usize] += libm::exp(-(dx * dx + dy * dy) / 0.12);
        }
        for thing in self.things.iter().filter(|thing| thing.part == 1) {
            weights[thing.object as usize] *= 2.0;
        }
        let best = weights.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let best = best.filter(|(_, weight)| **weight > 0.0).map(|(object, _)| object as u16);
        objects.map(|(object, _)| u8::from(Some(*object) == best))
    }
}

/// A component as its byte keeps it.
fn stored_normal(v: f64) -> f32 {
    let byte = (v * 0.5 + 0.5) * 255.0 + 0.5;
    byte.clamp(0.0, 255.0).floor() as f32 / 255.0 * 2.0 - 1.0
}

fn unit(n: [f32; 3]) -> [f32; 3] {
    let length = n.iter().map(|v| v * v).sum::<f32>().sqrt();
    if length > 1e-3 { n.map(|v| v / length) } else { [0.0; 3] }
}

/// Where objects or their parts meet, in the pixel left of or above the border.
fn outlines(objects: &Array2<(u16, u8)>) -> Array2<u8> {
    let (height, width) = objects.dim();
    Array2::from_shape_fn((height, width), |(y, x)| {
        let own = objects[[y, x]];
        let right = objects[[y, (x + 1).min(width - 1)]];
        let below = objects[[(y + 1).min(height - 1), x]];
        u8::from(own != right || own != below)
    })
}

const _: () = assert!(CLASSES.len() < 255);
