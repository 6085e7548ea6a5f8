//! What the occupied cells are good for, counted: of which training rays see anything, and what samples show along them.

use super::follow::{Stretch, follow};
use nerve_core::engine::{EngineError, Space, TrainEngine};
use nerve_core::ops::march::{CELLS, Ray, SIDE, morton};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The bounds of classes of weights and shares of light.
pub const BOUNDS: [f32; 3] = [1e-3, 1e-2, 1e-1];

/// A count of occupied cells and of the samples that training rays take.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Census {
    /// Occupied cells, of all.
    pub occupied: f64,
    /// Of the occupied cells those that no ray gets to, and those whose heaviest sample weighs less than each of
    /// [`BOUNDS`], and the rest.
    pub cells: [f64; 5],
    /// Samples a ray.
    pub samples: f64,
    /// Of the samples, those that weigh less than each of [`BOUNDS`], and the rest.
    pub weights: [f64; 4],
    /// Of the light, where it ends along its ray: before half of the way to the distance where half of it has gone, up to
    /// nine tenths of it, around it, and beyond 1.1 of it.
    pub places: [f64; 4],
    /// Of the light, what leaves the box.
    pub through: f64,
}

/// Counts what these rays see.
///
/// # Errors
/// If the device fails.
pub(crate) fn census(
    engine: &mut dyn TrainEngine,
    space: Space<'_>,
    rays: &[Ray],
    cut: f32,
) -> Result<Census, EngineError> {
    let cells = space.bits.cascades() * CELLS;
    let heaviest: Vec<AtomicU32> = (0..cells).map(|_| AtomicU32::new(0)).collect();
    let weights: [AtomicU64; 4] = Default::default();
    let medians: Vec<AtomicU32> = rays.iter().map(|_| AtomicU32::new(0)).collect();
    let numbered: Vec<Ray> = rays.iter().zip(0..).map(|(ray, i)| Ray { camera: i, ..*ray }).collect();
    follow(engine, space, &numbered, cut, |ray, Stretch { to: t, light, alpha, .. }| {
        let Some(alpha) = alpha else { return };
        let weight = light * alpha;
        let cell = cell_of(ray, t, space.volume.steps.at(t), space.bits.cascades());
        heaviest[cell].fetch_max(weight.max(f32::MIN_POSITIVE).to_bits(), Ordering::Relaxed);
        weights[class(weight)].fetch_add(1, Ordering::Relaxed);
        if light > 0.5 && light - weight <= 0.5 {
            medians[ray.camera as usize].store(t.to_bits(), Ordering::Relaxed);
        }
    })?;
    let (places, through) = (<[AtomicU64; 4]>::default(), AtomicU64::new(0));
    let fixed = |share: f32| (f64::from(share) * 1e9) as u64;
    follow(engine, space, &numbered, cut, |ray, Stretch { to: t, light, alpha, .. }| {
        let Some(alpha) = alpha else {
            through.fetch_add(fixed(light), Ordering::Relaxed);
            return;
        };
        let median = f32::from_bits(medians[ray.camera as usize].load(Ordering::Relaxed));
        let place = [0.5, 0.9, 1.1].iter().position(|bound| t < bound * median).unwrap_or(3);
        places[place].fetch_add(fixed(light * alpha), Ordering::Relaxed);
    })?;
    let occupied = space.bits.count();
    let mut found = Census { occupied: occupied as f64 / cells as f64, ..Census::default() };
    for cell in (0..cells).filter(|cell| space.bits.get(*cell)) {
        let weight = f32::from_bits(heaviest[cell].load(Ordering::Relaxed));
        found.cells[if weight == 0.0 { 0 } else { 1 + class(weight) }] += 1.0 / occupied as f64;
    }
    let [counts, shares] =
        [&weights, &places].map(|all| [0, 1, 2, 3].map(|i| all[i].load(Ordering::Relaxed) as f64));
    let (samples, n) = (counts.iter().sum::<f64>(), rays.len() as f64);
    found.samples = samples / n;
    found.weights = counts.map(|count| count / samples);
    found.places = shares.map(|share| share / 1e9 / n);
    found.through = through.into_inner() as f64 / 1e9 / n;
    Ok(found)
}

fn class(weight: f32) -> usize {
    BOUNDS.iter().position(|bound| weight < *bound).unwrap_or(3)
}

/// The cell that a sample of length `dt` is looked up in.
fn cell_of(ray: &Ray, t: f32, dt: f32, cascades: usize) -> usize {
    let p: [f32; 3] = std::array::from_fn(|a| ray.origin[a] - 0.5 + t * ray.direction[a]);
    let size = p.iter().fold(dt * SIDE as f32, |size, p| size.max(2.0 * p.abs()));
    let cascade = (0..cascades - 1).find(|c| size <= (1u32 << c) as f32).unwrap_or(cascades - 1);
    let side = (1u32 << cascade) as f32;
    let cell = p.map(|p| ((p / side + 0.5) * SIDE as f32).clamp(0.0, (SIDE - 1) as f32) as u32);
    cascade * CELLS + morton::encode(cell) as usize
}
