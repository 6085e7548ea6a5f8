//! Normals of a surface from the distances at which a camera sees it.

use nalgebra::{Matrix3, Vector3};
use nerve_data::{Camera, RayCaster};
use rayon::prelude::*;

/// How far a place may be from a first plane to take part in the second, in distances between neighboring pixels' places.
const CLOSE: f64 = 1.5;

/// Normals of the planes that lie closest to the places that neighboring pixels see, of length 1, in the world and toward
/// the camera, by pixel. Distances are along the pixels' rays, in the world, NaN where nothing is seen. Zero there, and where a
/// pixel has no neighbors.
///
/// A first plane goes through a pixel and, of each pair of its neighbors, the one whose distance differs less; of the 5 x 5
/// pixels around, those that see a place close to that plane take part in the second (by least squares), so that
/// edges stay sharp and the noise of single distances is averaged out.
///
/// # Panics
/// If there are not as many distances as the camera has pixels.
pub fn normals_of_depth(camera: &Camera, distances: &[f32]) -> Vec<[f32; 3]> {
    let [width, height] = [camera.intrinsics.width, camera.intrinsics.height].map(|side| side as usize);
    assert_eq!(distances.len(), width * height, "a distance a pixel");
    let caster = RayCaster::new(camera);
    let place = |i: usize| {
        let (origin, direction) = caster.cast((i % width) as f64 + 0.5, (i / width) as f64 + 0.5);
        let [o, d] = [origin, direction].map(|v| Vector3::from(v.map(f64::from)));
        o + d * f64::from(distances[i])
    };
    let normal = |i: usize| {
        let (x, y, here) = (i % width, i / width, distances[i]);
        let along = |before: Option<usize>, after: Option<usize>| {
            let far = |j: usize| (distances[j] - here).abs();
            let there = |j: &usize| !distances[*j].is_nan();
            match (before.filter(there), after.filter(there)) {
                (Some(b), Some(a)) if far(b) < far(a) => Some((b, i)),
                (_, Some(a)) => Some((i, a)),
                (Some(b), None) => Some((b, i)),
                (None, None) => None,
            }
        };
        let across = along(x.checked_sub(1).map(|_| i - 1), (x + 1 < width).then_some(i + 1))?;
        let down = along(y.checked_sub(1).map(|_| i - width), (y + 1 < height).then_some(i + width))?;
        let [across, down] = [across, down].map(|(from, to)| place(to) - place(from));
        let first = down.cross(&across).try_normalize(0.0)?;
        let (center, reach) = (place(i), CLOSE * across.norm().min(down.norm()));
        let around = |c: usize, all: usize| c.saturating_sub(2)..(c + 3).min(all);
        let places = around(y, height).flat_map(|y| around(x, width).map(move |x| y * width + x));
        let close: Vec<Vector3<f64>> = places
            .filter(|j| !distances[*j].is_nan())
            .map(|j| place(j) - center)
            .filter(|off| off.dot(&first).abs() <= reach)
            .collect();
        let mean = close.iter().sum::<Vector3<f64>>() / close.len() as f64;
        let spread: Matrix3<f64> = close.iter().map(|off| (off - mean) * (off - mean).transpose()).sum();
        let eigen = spread.symmetric_eigen();
        let least = eigen.eigenvalues.imin();
        // Places on a line leave the plane open.
        let others = eigen.eigenvalues.sum() - eigen.eigenvalues[least] - eigen.eigenvalues.max();
        let fitted = eigen.eigenvectors.column(least).into_owned();
        let normal = if others > 0.01 * eigen.eigenvalues.max() { fitted } else { first };
        let toward = camera.centre().coords - center;
        Some((normal * normal.dot(&toward).signum()).cast::<f32>().into())
    };
    (0..width * height)
        .into_par_iter()
        .map(|i| if distances[i].is_nan() { None } else { normal(i) })
        .map(Option::unwrap_or_default)
        .collect()
}
#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::Point3;

    #[test]
    fn a_plane_has_its_normal_from_depth() {
        let lens = nerve_data::Intrinsics::pinhole(12, 10, 20.0, 20.0);
        let camera = Camera::looking_at(lens, Point3::new(1.0, -2.0, 3.0), Point3::origin(), Vector3::z());
        let caster = RayCaster::new(&camera);
        let distance = |i: u32| {
            let (o, d) = caster.cast(f64::from(i % 12) + 0.5, f64::from(i / 12) + 0.5);
            -o[2] / d[2]
        };
        let mut distances: Vec<f32> = (0..120).map(distance).collect();
        distances[30] = f32::NAN;
        for (i, normal) in normals_of_depth(&camera, &distances).into_iter().enumerate() {
            let want = if i == 30 { Vector3::zeros() } else { Vector3::z() };
            assert!((Vector3::from(normal) - want).norm() < 1e-3, "{i}: {normal:?}");
        }
    }

    #[test]
    fn noise_is_averaged_and_edges_stay_sharp() {
        // Two planes that meet at x = 0, like a roof, seen from above.
        let lens = nerve_data::Intrinsics::pinhole(41, 41, 60.0, 60.0);
        let camera = Camera::looking_at(lens, Point3::new(0.0, 0.0, 4.0), Point3::origin(), Vector3::y());
        let caster = RayCaster::new(&camera);
        let distances: Vec<f32> = (0..41 * 41u32)
            .map(|i| {
                let (o, d) = caster.cast(f64::from(i % 41) + 0.5, f64::from(i / 41) + 0.5);
                // z = -|x|
                let noise = 0.004 * ((f64::from(i) * 0.618).fract() - 0.5) as f32;
                -o[2] / (d[2] + d[0].abs()) + noise
            })
            .collect();
        let normals = normals_of_depth(&camera, &distances);
        for (i, normal) in normals.iter().enumerate() {
            let (x, y) = (i % 41, i / 41);
            if x.abs_diff(20) < 2 || !(2..39).contains(&y) || !(2..39).contains(&x) {
                continue;
            }
            let side = if x > 20 { 1.0 } else { -1.0 };
            let want = Vector3::new(side, 0.0, 1.0).normalize();
            let angle = Vector3::from(*normal).dot(&want).clamp(-1.0, 1.0).acos().to_degrees();
            assert!(angle < 4.0, "{x} {y}: {normal:?}");
        }
    }
}
