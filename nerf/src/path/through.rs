//! The way of the training cameras.

use super::orbit::median;
use super::{Key, Lens, PathError, Surroundings, interpolate};
use nalgebra::Point3;
use nerve_data::Camera;

/// How much shorter than a way in random order the order of the cameras is if they were moved along it.
const A_WAY: f64 = 0.35;
/// A way whose ends are nearer to each other than this many of its median steps is closed.
const CLOSED: f64 = 3.0;
/// Keys nearer than this fraction of the median step are one.
const SAME: f64 = 0.05;

/// A smooth way through the places of the training cameras, in the order they were taken in if that is a way, else in the
/// order of a short tour. `closed`: whether it ends where it began; by default, if the ends are near each other.
///
/// # Errors
/// [`PathError::OnePlace`].
pub fn through(
    around: &Surroundings,
    lens: Lens,
    frames: usize,
    closed: Option<bool>,
) -> Result<Vec<Camera>, PathError> {
    let centers: Vec<Point3<f64>> = around.cameras.iter().map(Camera::centre).collect();
    let given: Vec<usize> = (0..centers.len()).collect();
    let order = if is_way(&centers) { given } else { tour(&centers) };
    let step = |pair: &[usize]| (centers[pair[1]] - centers[pair[0]]).norm();
    let mut steps: Vec<f64> = order.windows(2).map(step).collect();
    steps.sort_by(f64::total_cmp);
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
    if usual <= 0.0 {
        return Err(PathError::OnePlace);
    }
    let mut kept: Vec<usize> = Vec::with_capacity(order.len());
    for index in order {
        if kept.last().is_none_or(|last| (centers[index] - centers[*last]).norm() > SAME * usual) {
            kept.push(index);
        }
    }
    let ends = kept.first().zip(kept.last()).map_or(0.0, |(a, b)| (centers[*a] - centers[*b]).norm());
    let closed = closed.unwrap_or(kept.len() > 3 && ends < CLOSED * usual);
    let key = |index: &usize| Key { pose: around.cameras[*index].pose, fov: lens.fov };
    let keys: Vec<Key> = kept.iter().map(key).collect();
    let target = around.focus.unwrap_or(around.middle);
    let radius = median(centers.iter().map(|center| (target - center).norm()).collect());
    let poses = interpolate(&keys, closed, radius, frames);
    Ok(poses.into_iter().map(|key| Camera { intrinsics: lens.intrinsics(), pose: key.pose }).collect())
}

/// Whether places in this order are a way rather than jumps to and fro.
pub(crate) fn is_way(places: &[Point3<f64>]) -> bool {
    let length: f64 = places.windows(2).map(|w| (w[1] - w[0]).norm()).sum();
    let pairs = places.iter().enumerate().flat_map(|(i, a)| places[..i].iter().map(move |b| (a - b).norm()));
    let (sum, count) = pairs.fold((0.0, 0usize), |(sum, n), d| (sum + d, n + 1));
    let random = sum / count.max(1) as f64 * (places.len().max(1) - 1) as f64;
    places.len() > 2 && length < A_WAY * random
}

/// A short way through all places: always to the nearest, then without crossings (2-opt).
fn tour(places: &[Point3<f64>]) -> Vec<usize> {
    let distance = |a: usize, b: usize| (places[a] - places[b]).norm();
    let mut left: Vec<usize> = (1..places.len()).collect();
    let mut tour = vec![0];
    while let Some(&last) = tour.last() {
        let nearest = left
            .iter()
            .enumerate()
            .min_by(|(_, a), (_, b)| distance(last, **a).total_cmp(&distance(last, **b)));
        let Some((at, _)) = nearest else { break };
        tour.push(left.swap_remove(at));
    }
    for _ in 0..places.len() {
        let mut better = false;
        for i in 0..tour.len().saturating_sub(2) {
            for j in i + 2..tour.len() - 1 {
                let (a, b, c, d) = (tour[i], tour[i + 1], tour[j], tour[j + 1]);
                if distance(a, c) + distance(b, d) + 1e-12 < distance(a, b) + distance(c, d) {
                    tour[i + 1..=j].reverse();
                    better = true;
                }
            }
        }
        if !better {
            break;
        }
    }
    tour
}
