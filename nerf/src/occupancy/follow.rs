//! Rays followed through a field as it is: what gets through in front of each sample.

use nerve_core::engine::{EngineError, Space, TrainEngine};
use nerve_core::ops::march::{Live, Ray, Staged, march};
use nerve_core::simd::Isa;
use rayon::prelude::*;

/// Samples of a ray at a time: most rays meet a surface within the first or the second stretch.
const STRETCH: usize = 16;
/// Rays marched by one task.
const BLOCK: usize = 64;

/// A stretch of a ray, from the end of the one before: free up to the sample at its end, where there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    /// Where it begins.
    pub from: f32,
    /// Where it ends.
    pub to: f32,
    /// The share of the light that gets there.
    pub light: f32,
    /// The sample's opacity.
    pub alpha: Option<f32>,
}

/// A ray on its way.
struct Walk {
    live: Live,
    /// How far it has been followed.
    at: f32,
    light: f32,
}

/// Follows rays through the occupied cells, each until less than `cut` of its light is left or it leaves the box, and
/// tells `seen` of every stretch. What order rays are told in is open; that of a ray's stretches is not.
///
/// # Errors
/// If the device fails.
pub(super) fn follow(
    engine: &mut dyn TrainEngine,
    space: Space<'_>,
    rays: &[Ray],
    cut: f32,
    seen: impl Fn(&Ray, Stretch) + Sync,
) -> Result<(), EngineError> {
    let (isa, steps, side) = (Isa::best(), space.volume.steps, space.volume.side);
    let hits = (0..).zip(rays).filter(|(_, ray)| ray.near < ray.far);
    let mut walks: Vec<Walk> =
        hits.map(|(ray, r)| Walk { live: Live { ray, from: r.near }, at: r.near, light: 1.0 }).collect();
    let mut staged: Vec<Staged> = Vec::new();
    let mut sigma = Vec::new();
    while !walks.is_empty() {
        staged.resize_with(walks.len().div_ceil(BLOCK), Staged::default);
        let places: Vec<[Vec<f32>; 3]> = walks
            .par_chunks_mut(BLOCK)
            .zip(&mut staged)
            .map(|(walks, staged)| {
                staged.clear();
                let mut live: Vec<Live> = walks.iter().map(|walk| walk.live).collect();
                march(isa, space.bits, &steps, rays, &mut live, STRETCH, staged);
                walks.iter_mut().zip(live).for_each(|(walk, live)| walk.live = live);
                let of = walks.iter().zip(&staged.counts);
                let ray = |(walk, n): (&Walk, &u32)| std::iter::repeat_n(walk.live.ray as usize, *n as usize);
                let of: Vec<usize> = of.flat_map(ray).collect();
                std::array::from_fn(|axis| {
                    let place = |(t, ray): (&f32, &usize)| {
                        let Ray { origin, direction, .. } = &rays[*ray];
                        let unit = origin[axis] - 0.5 + t * direction[axis];
                        (unit / side + 0.5).clamp(0.0, 1.0)
                    };
                    staged.samples.t.iter().zip(&of).map(place).collect()
                })
            })
            .collect();
        let [x, y, z]: [Vec<f32>; 3] =
            [0, 1, 2].map(|axis| places.iter().flat_map(|p| &p[axis]).copied().collect());
        sigma.clear();
        sigma.resize(x.len(), 0.0);
        engine.density([&x, &y, &z], &mut sigma)?;
        let mut rest = &sigma[..];
        let mut parts = Vec::with_capacity(staged.len());
        for part in &staged {
            let (first, behind) = rest.split_at(part.samples.t.len());
            parts.push(first);
            rest = behind;
        }
        walks.par_chunks_mut(BLOCK).zip(&staged).zip(parts).for_each(|((walks, staged), sigma)| {
            let mut next = 0;
            for (walk, count) in walks.iter_mut().zip(&staged.counts) {
                let ray = &rays[walk.live.ray as usize];
                let range = next..next + *count as usize;
                let samples = staged.samples.t[range.clone()].iter().zip(&staged.samples.dt[range.clone()]);
                for ((t, dt), sigma) in samples.zip(&sigma[range]) {
                    if walk.light < cut {
                        break;
                    }
                    let alpha = 1.0 - (-sigma * dt).exp();
                    seen(ray, Stretch { from: walk.at, to: *t, light: walk.light, alpha: Some(alpha) });
                    (walk.at, walk.light) = (*t, walk.light * (1.0 - alpha));
                }
                next += *count as usize;
                if walk.live.from.is_infinite() && walk.light >= cut {
                    seen(ray, Stretch { from: walk.at, to: ray.far, light: walk.light, alpha: None });
                }
            }
        });
        walks.retain(|walk| walk.live.from.is_finite() && walk.light >= cut);
    }
    Ok(())
}
