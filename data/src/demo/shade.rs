//! Light at a surface point: soft shadow, Blinn-Phong, hemispheric ambient light with occlusion.

use super::scene::DemoWorld;
use super::solid::{TracerRay, V3};

/// Shadow rays start this far off the surface.
const LIFT: f64 = 1e-6;
/// Ambient light from above and, bounced, from below.
const SKY: V3 = V3::new(0.40, 0.44, 0.52);
const BOUNCE: V3 = V3::new(0.20, 0.17, 0.14);
/// A second, weaker light without shadow or highlight: its direction and color.
const FILL_FROM: V3 = V3::new(-0.6, 0.64, 0.48);
const FILL: V3 = V3::new(0.10, 0.12, 0.16);
/// Strength of the main light.
const KEY: f64 = 0.95;

/// Which cells of the area light one camera sample looks at.
///
/// The light is divided into `side * side` cells; a sample takes every `step`-th from `first` in both
/// directions, so that the samples of a pixel together see every cell once.
#[derive(Clone, Copy, Debug)]
pub(super) struct LightCells {
    pub side: usize,
    pub step: usize,
    pub first: (usize, usize),
}

impl LightCells {
    /// Points on the unit square [-1, 1]^2. The lattice is sheared so that no two share a coordinate:
    /// the shadow of a thin rod then blurs instead of repeating.
    fn points(self) -> impl Iterator<Item = (f64, f64)> {
        let Self { side, step, first } = self;
        let n = side as f64;
        let place = move |a: usize, b: usize| 2.0 * (a as f64 + (b as f64 + 0.5) / n) / n - 1.0;
        (first.0..side)
            .step_by(step)
            .flat_map(move |i| (first.1..side).step_by(step).map(move |j| (place(i, j), place(j, i))))
    }
}

impl DemoWorld {
    /// Linear color seen along `ray` at its hit `(t, normal, object)`.
    pub fn shade(&self, ray: &TracerRay, (t, normal, index): (f64, V3, usize), cells: LightCells) -> V3 {
        let object = &self.objects[index];
        let p = ray.at(t);
        let albedo = object.albedo(&p, &normal);
        let to_light = (self.light.centre - p).normalize();
        let facing = normal.dot(&to_light);
        let key = if facing > 0.0 { KEY * self.visibility(&p, &normal, index, cells) } else { 0.0 };

        let up = 0.5 + 0.5 * normal.z;
        let ambient = (SKY * up + BOUNCE * (1.0 - up)) * self.openness(&p, &normal, index);
        let diffuse = self.light.color * (key * facing) + FILL * normal.dot(&FILL_FROM).max(0.0) + ambient;
        let mut color = albedo.component_mul(&diffuse);
        if object.material.specular > 0.0 && key > 0.0 {
            let mut lobe = normal.dot(&(to_light - ray.dir).normalize()).max(0.0);
            for _ in 0..object.material.gloss {
                lobe *= lobe;
            }
            color += self.light.color * (object.material.specular * key * lobe);
        }
        color
    }

    /// The fraction of the looked-at light cells that the point sees.
    fn visibility(&self, p: &V3, normal: &V3, index: usize, cells: LightCells) -> f64 {
        let blockers = self.blockers(p, index);
        if blockers == 0 {
            return 1.0;
        }
        let origin = p + normal * LIFT;
        let (mut seen, mut all) = (0u32, 0u32);
        for (a, b) in cells.points() {
            let to = self.light.centre + self.light.u * a + self.light.v * b - origin;
            let len = to.norm();
            let shadow = TracerRay { origin, dir: to / len };
            let blocked = self
                .objects
                .iter()
                .enumerate()
                .any(|(k, o)| blockers >> k & 1 == 1 && o.hit(&shadow, len).is_some());
            seen += u32::from(!blocked);
            all += 1;
        }
        f64::from(seen) / f64::from(all.max(1))
    }

    /// A bit for each object whose bounding ball meets the cone from `p` to the light.
    pub(super) fn blockers(&self, p: &V3, index: usize) -> u32 {
        let to = self.light.centre - p;
        let len = to.norm();
        let axis = to / len;
        let spread = self.light.u.norm() + self.light.v.norm();
        let mut mask = 0;
        // The ground is left out: what is lit stands above it.
        for (k, object) in self.objects.iter().enumerate().skip(1) {
            if k == index && object.solid.is_convex() {
                continue;
            }
            let oc = object.centre - p;
            let along = oc.dot(&axis);
            let reach = object.bound * 1.1 + spread * (along + object.bound).max(0.0) / len;
            if along > -object.bound && oc.norm_squared() - along * along < reach * reach {
                mask |= 1 << k;
            }
        }
        mask
    }

    /// Ambient occlusion: one minus the part of the cosine-weighted sky that the neighbors' balls cover.
    fn openness(&self, p: &V3, normal: &V3, index: usize) -> f64 {
        let mut open = 1.0;
        for (k, object) in self.objects.iter().enumerate() {
            let to = object.centre - p;
            let (d2, r2) = (to.norm_squared(), object.bulk * object.bulk);
            // Farther than four radii the cover is below 1/16 and fades out of sight.
            if k == index || d2 > 16.0 * r2 {
                continue;
            }
            let fade = 1.0 - d2 / (16.0 * r2);
            let cover = normal.dot(&to).max(0.0) * r2 / (d2 * d2.sqrt()).max(r2 * object.bulk);
            open *= 1.0 - 0.9 * cover.min(1.0) * fade;
        }
        open
    }
}
