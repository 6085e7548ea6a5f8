//! Once its buffers have grown, a training step allocates nothing.

use nerve_core::engine::{BatchEngine, Live, Marcher, Pool, Ray, Sampler, Staged, StepInput, TrainEngine};
use nerve_core::ops::march::{Bitfield, CELLS, SIDE, Steps, clip, march, morton};
use nerve_core::rng::{Rng, Stream};
use nerve_core::simd::Isa;
use nerve_nerf::NerfConfig;
use nerve_nerf::field;
use nerve_nerf::hollow::Method;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A ball of occupied cells.
struct Ball(Bitfield);

impl Ball {
    fn new() -> Self {
        let mut bits = Bitfield::new(1, false);
        for cell in 0..CELLS {
            let place = morton::decode(cell as u32).map(|c| (c as f32 + 0.5) / SIDE as f32 - 0.5);
            bits.set(cell, place.iter().map(|p| p * p).sum::<f32>() < 0.09);
        }
        Self(bits)
    }
}

impl Marcher for Ball {
    fn march(&self, rays: &[Ray], live: &mut [Live], limit: usize, out: &mut Staged) {
        march(Isa::best(), &self.0, &Steps::new(512, 1), rays, live, limit, out);
    }
}

/// The same random rays at every step.
struct Rays;

impl Sampler for Rays {
    fn ray(&self, index: usize, target: &mut [f32]) -> Ray {
        let random = |word| Rng::new(1).uniform4(Stream::Pixels, word, index as u32);
        let ([a, b, c, _], [d, e, f, _]) = (random(0), random(1));
        let (origin, end) = ([a, b, -0.5], [d, e, 1.0]);
        let delta: [f32; 3] = std::array::from_fn(|k| end[k] - origin[k]);
        let length = delta.iter().map(|d| d * d).sum::<f32>().sqrt();
        target.copy_from_slice(&[c, f, c, 1.0, 0.0, 0.0, 0.0]);
        let direction = delta.map(|d| d / length);
        let (near, far) = clip(origin, direction, 1.0);
        Ray { origin, direction, near, far, camera: 0 }
    }
}

#[test]
fn a_step_in_the_steady_state_allocates_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = NerfConfig::default();
    config.grid.log2_entries = 14;
    for (cut, method) in [(0.0, Method::Plain), (5e-3, Method::Plain), (5e-3, Method::Hollow)] {
        (config.march.cut, config.hollow.method) = (cut, method);
        let (params, field) = field::build(&config, 1, 1)?;
        let mut engine = BatchEngine::new(Isa::best(), Pool::new(2)?, params, field);
        let ball = Ball::new();
        // A rate of zero: every step does the same.
        let input = StepInput {
            sampler: &Rays,
            marcher: &ball,
            rays: 2000,
            rate: 0.0,
            progress: 1.0,
            pruning: Some(1e-9),
            pose_levels: usize::MAX,
        };
        (0..20).for_each(|_| assert!(engine.step(&input).samples > 50_000));
        let region = Region::new(ALLOCATOR);
        (0..10).for_each(|_| assert!(engine.step(&input).loss.is_finite()));
        let change = region.change();
        // The workers' queue takes a block now and then.
        assert!(change.allocations + change.reallocations <= 2, "cut {cut}: {change:?}");
    }
    Ok(())
}
