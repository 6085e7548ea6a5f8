//! Signed distances, written independently of the intersections they check.

use crate::demo::solid::{Solid, V3};

/// Exact signed distance to a solid in its own frame, negative inside (outside only, for rods).
pub(super) fn distance(solid: &Solid, p: &V3) -> f64 {
    let rho = p.x.hypot(p.y);
    match solid {
        Solid::Sphere { radius } => p.norm() - radius,
        Solid::Torus { major, minor } => (rho - major).hypot(p.z) - minor,
        Solid::Cuboid { half } => {
            let q = p.abs() - half;
            q.sup(&V3::zeros()).norm() + q.max().min(0.0)
        }
        Solid::Cylinder { radius, half_height } => corner(rho - radius, p.z.abs() - half_height),
        Solid::Cone { radius, height } => {
            let (base, apex) = ((*radius, -0.5 * height), (0.0, 0.5 * height));
            let slope = (*height, *radius);
            let side = ((rho - base.0) * slope.0 + (p.z - base.1) * slope.1) / slope.0.hypot(slope.1);
            let inside = side < 0.0 && p.z > base.1;
            let edge = segment((rho, p.z), base, apex).min(segment((rho, p.z), (0.0, base.1), base));
            if inside { -edge } else { edge }
        }
        Solid::Rods(rods) => rods
            .iter()
            .map(|rod| {
                let (ap, ab) = (p - rod.a, rod.b - rod.a);
                (ap - ab * (ap.dot(&ab) / ab.norm_squared()).clamp(0.0, 1.0)).norm() - rod.radius
            })
            .fold(f64::INFINITY, f64::min),
    }
}

/// Distance to a quarter plane given the distances to its two sides.
fn corner(a: f64, b: f64) -> f64 {
    a.max(0.0).hypot(b.max(0.0)) + a.max(b).min(0.0)
}

fn segment(p: (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (ab, ap) = ((b.0 - a.0, b.1 - a.1), (p.0 - a.0, p.1 - a.1));
    let t = ((ap.0 * ab.0 + ap.1 * ab.1) / (ab.0 * ab.0 + ab.1 * ab.1)).clamp(0.0, 1.0);
    (ap.0 - t * ab.0).hypot(ap.1 - t * ab.1)
}
