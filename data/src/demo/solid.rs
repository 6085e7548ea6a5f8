//! The solids of the scene, each in its own frame, with exact first hits.

use nalgebra::Vector3;

/// A vector of the ray tracer.
pub(super) type V3 = Vector3<f64>;

/// A half line with a unit direction.
#[derive(Clone, Copy, Debug)]
pub(super) struct TracerRay {
    pub origin: V3,
    pub dir: V3,
}

impl TracerRay {
    /// The point at distance `t`.
    pub fn at(&self, t: f64) -> V3 {
        self.origin + self.dir * t
    }
}

/// Where a ray meets a solid: distance and unit outward normal.
pub(super) type Hit = (f64, V3);

/// A round rod between two points (a capsule).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rod {
    pub a: V3,
    pub b: V3,
    pub radius: f64,
}

/// A closed solid, centered on the origin of its own frame; axes of revolution are along z.
#[derive(Clone, Debug)]
pub(super) enum Solid {
    Sphere { radius: f64 },
    Torus { major: f64, minor: f64 },
    Cuboid { half: V3 },
    Cylinder { radius: f64, half_height: f64 },
    Cone { radius: f64, height: f64 },
    Rods(Vec<Rod>),
}

impl Solid {
    /// The first entry of a ray that starts outside, nearer than `t_max`.
    pub fn hit(&self, ray: &TracerRay, t_max: f64) -> Option<Hit> {
        let hit = match self {
            Self::Sphere { radius } => sphere(ray, *radius),
            Self::Torus { major, minor } => torus(ray, *major, *minor, t_max),
            Self::Cuboid { half } => cuboid(ray, half),
            Self::Cylinder { radius, half_height } => cylinder(ray, *radius, *half_height),
            Self::Cone { radius, height } => cone(ray, *radius, *height),
            // Rods behind the origin are sorted out before the nearest is taken.
            Self::Rods(rods) => rods
                .iter()
                .filter_map(|rod| capsule(ray, rod).filter(|hit| hit.0 > 0.0))
                .min_by(|a, b| a.0.total_cmp(&b.0)),
        };
        hit.filter(|&(t, _)| t > 0.0 && t < t_max)
    }

    /// The radius of a ball around the origin that holds the solid.
    pub fn bound(&self) -> f64 {
        match self {
            Self::Sphere { radius } => *radius,
            Self::Torus { major, minor } => major + minor,
            Self::Cuboid { half } => half.norm(),
            Self::Cylinder { radius, half_height } => (radius * radius + half_height * half_height).sqrt(),
            Self::Cone { radius, height } => (radius * radius + 0.25 * height * height).sqrt(),
            Self::Rods(rods) => {
                rods.iter().map(|rod| rod.a.norm().max(rod.b.norm()) + rod.radius).fold(0.0, f64::max)
            }
        }
    }

    /// Whether no part of the surface can hide a light in front of another part.
    pub fn is_convex(&self) -> bool {
        !matches!(self, Self::Torus { .. } | Self::Rods(_))
    }
}

fn sphere(ray: &TracerRay, radius: f64) -> Option<Hit> {
    let b = ray.origin.dot(&ray.dir);
    // The closest point's offset keeps precision that b^2 - |o|^2 + r^2 would lose far away.
    let off = ray.origin - ray.dir * b;
    let h = radius * radius - off.norm_squared();
    if h <= 0.0 {
        return None;
    }
    let t = -b - h.sqrt();
    Some((t, ray.at(t) / radius))
}

fn cuboid(ray: &TracerRay, half: &V3) -> Option<Hit> {
    let (mut near, mut far, mut axis) = (f64::NEG_INFINITY, f64::INFINITY, 0);
    for k in 0..3 {
        // A zero component gives infinities of the right sign (or NaN on the very face: a miss).
        let inv = 1.0 / ray.dir[k];
        let centre = -ray.origin[k] * inv;
        let reach = half[k] * inv.abs();
        if centre - reach > near {
            near = centre - reach;
            axis = k;
        }
        far = far.min(centre + reach);
    }
    if near > far {
        return None;
    }
    let mut normal = V3::zeros();
    normal[axis] = if ray.dir[axis] > 0.0 { -1.0 } else { 1.0 };
    Some((near, normal))
}

fn cylinder(ray: &TracerRay, radius: f64, half_height: f64) -> Option<Hit> {
    let (o, d) = (&ray.origin, &ray.dir);
    if d.z != 0.0 {
        // The cap that faces the ray.
        let side = if d.z > 0.0 { -1.0 } else { 1.0 };
        let t = (side * half_height - o.z) / d.z;
        let p = ray.at(t);
        if p.x * p.x + p.y * p.y <= radius * radius {
            return (t > 0.0).then(|| (t, V3::new(0.0, 0.0, side)));
        }
    }
    let a = d.x * d.x + d.y * d.y;
    if a < 1e-14 {
        return None;
    }
    let t0 = -(o.x * d.x + o.y * d.y) / a;
    let (x, y) = (o.x + t0 * d.x, o.y + t0 * d.y);
    let h = (radius * radius - x * x - y * y) / a;
    if h <= 0.0 {
        return None;
    }
    let t = t0 - h.sqrt();
    let p = ray.at(t);
    (p.z.abs() <= half_height).then(|| (t, V3::new(p.x / radius, p.y / radius, 0.0)))
}

/// Base of the given radius at -height/2, apex at height/2.
fn cone(ray: &TracerRay, radius: f64, height: f64) -> Option<Hit> {
    let (o, d) = (&ray.origin, &ray.dir);
    let base = -0.5 * height;
    if d.z > 0.0 {
        let t = (base - o.z) / d.z;
        let p = ray.at(t);
        if t > 0.0 && p.x * p.x + p.y * p.y <= radius * radius {
            return Some((t, V3::new(0.0, 0.0, -1.0)));
        }
    }
    // x^2 + y^2 = (k w)^2 with w = height/2 - z, measured down from the apex.
    let k = radius / height;
    let (w, dw) = (0.5 * height - o.z, -d.z);
    let a = d.x * d.x + d.y * d.y - k * k * dw * dw;
    let b = o.x * d.x + o.y * d.y - k * k * w * dw;
    let c = o.x * o.x + o.y * o.y - k * k * w * w;
    let h = b * b - a * c;
    if h <= 0.0 || a.abs() < 1e-14 {
        return None;
    }
    let root = h.sqrt();
    let (t1, t2) = ((-b - root) / a, (-b + root) / a);
    for t in [t1.min(t2), t1.max(t2)] {
        let p = ray.at(t);
        let down = 0.5 * height - p.z;
        let normal = V3::new(p.x, p.y, k * k * down);
        // A root on the mirror nappe, or one that leaves the solid, is no entry.
        if t > 0.0 && down > 0.0 && down <= height && normal.dot(d) < 0.0 {
            return Some((t, normal.normalize()));
        }
    }
    None
}

fn capsule(ray: &TracerRay, rod: &Rod) -> Option<Hit> {
    let (axis, oa) = (rod.b - rod.a, ray.origin - rod.a);
    let (aa, ad, ao) = (axis.norm_squared(), axis.dot(&ray.dir), axis.dot(&oa));
    let (rd, r2) = (oa.dot(&ray.dir), rod.radius * rod.radius);
    let a = aa - ad * ad;
    let b = aa * rd - ao * ad;
    let c = aa * oa.norm_squared() - ao * ao - r2 * aa;
    let h = b * b - a * c;
    if h < 0.0 {
        return None;
    }
    let t = (-b - h.sqrt()) / a;
    let along = ao + t * ad;
    if along > 0.0 && along < aa {
        return Some((t, (ray.at(t) - rod.a - axis * (along / aa)) / rod.radius));
    }
    let end = if along <= 0.0 { rod.a } else { rod.b };
    sphere(&TracerRay { origin: ray.origin - end, dir: ray.dir }, rod.radius)
}

/// Signed distance to a torus around z, and its gradient.
fn torus_field(p: &V3, major: f64, minor: f64) -> (f64, V3) {
    let rho = (p.x * p.x + p.y * p.y).sqrt();
    let q = rho - major;
    let len = (q * q + p.z * p.z).sqrt();
    let s = q / (len * rho).max(1e-300);
    (len - minor, V3::new(p.x * s, p.y * s, p.z / len.max(1e-300)))
}

/// Sphere tracing, finished by Newton steps once they cannot overshoot.
///
/// The quartic has a closed form, but one that loses half the digits at grazing angles. Here a ray that enters by
/// less than about 1e-4 may run out of steps and miss: the frozen scene has such pixels, so it stays.
fn torus(ray: &TracerRay, major: f64, minor: f64, t_max: f64) -> Option<Hit> {
    const STEPS: usize = 200;
    let bound = major + minor;
    let b = ray.origin.dot(&ray.dir);
    let h = bound * bound - (ray.origin - ray.dir * b).norm_squared();
    if h <= 0.0 {
        return None;
    }
    let (mut t, mut end) = ((-b - h.sqrt()).max(0.0), (-b + h.sqrt()).min(t_max));
    // Clip to the slab |z| <= minor, which most rays leave quickly.
    if ray.dir.z != 0.0 {
        let (z0, z1) = ((-minor - ray.origin.z) / ray.dir.z, (minor - ray.origin.z) / ray.dir.z);
        t = t.max(z0.min(z1));
        end = end.min(z0.max(z1));
    }
    for _ in 0..STEPS {
        if t > end {
            return None;
        }
        let (dist, normal) = torus_field(&ray.at(t), major, minor);
        let slope = normal.dot(&ray.dir);
        if dist.abs() < 1e-11 && slope < 0.0 {
            return Some((t, normal));
        }
        // With curvature 1/minor a Newton step of length dist/slope errs by less than dist/4.
        let newton = slope < 0.0 && 2.0 * dist.abs() < minor * slope * slope;
        t += if newton { -dist / slope } else { dist.abs().max(1e-9) };
    }
    None
}
