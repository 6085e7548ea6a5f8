#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::TestRng;
use proptest::prelude::*;

const G: u32 = 16;

/// A field whose cells are occupied with probability `share`.
fn random_field(rng: &mut TestRng, cascades: u32, share: f64) -> Bitfield {
    let mut field = Bitfield::new(G, cascades);
    for cascade in 0..cascades {
        for code in 0..G.pow(3) {
            field.set(cascade, morton::decode(code), rng.uniform(0.0, 1.0) < share);
        }
    }
    field
}

/// A ray toward a point of the box, from outside or inside.
fn random_ray(rng: &mut TestRng, aabb_scale: u32) -> ([f64; 3], [f64; 3]) {
    let half = f64::from(aabb_scale);
    let origin = [0, 1, 2].map(|_| 0.5 + rng.uniform(-half, half));
    let target = [0, 1, 2].map(|_| 0.5 + rng.uniform(-0.4, 0.4));
    let offset = [0, 1, 2].map(|axis| target[axis] - origin[axis]);
    let length = offset.iter().map(|c| c * c).sum::<f64>().sqrt();
    (origin, offset.map(|c| c / length))
}

#[test]
fn a_ray_through_a_full_cube_is_sampled_evenly_from_entry_to_exit() {
    let field = random_field(&mut TestRng::new(1), 1, 1.1);
    let steps = Steps::new(1, 512.0, 0.0);
    let samples = march(&field, &steps, [-1.0, 0.4, 0.6], [1.0, 0.0, 0.0], 0.25);
    assert_eq!(samples.len(), (1.0 / steps.dt_min - 0.25).ceil() as usize);
    assert!((samples[0].t - 1.0 - 0.25 * steps.dt_min).abs() < 1e-12);
    assert!(samples.windows(2).all(|w| (w[1].t - w[0].t - steps.dt_min).abs() < 1e-12));
    assert!(samples.last().unwrap().t < 2.0);
}

#[test]
fn near_moves_the_start() {
    let field = random_field(&mut TestRng::new(1), 1, 1.1);
    let samples = march(&field, &Steps::new(1, 512.0, 1.5), [-1.0, 0.4, 0.6], [1.0, 0.0, 0.0], 0.0);
    assert_eq!(samples[0].t, 1.5);
}

#[test]
fn one_occupied_cell_gets_the_samples_that_lie_in_it() {
    let mut field = Bitfield::new(G, 1);
    field.set(0, [8, 3, 9], true);
    let samples =
        march(&field, &Steps::new(1, 512.0, 0.0), [-1.0, 3.5 / 16.0, 9.5 / 16.0], [1.0, 0.0, 0.0], 0.5);
    assert!(samples.iter().all(|s| (1.5..1.5 + 1.0 / 16.0).contains(&s.t)));
    let expected = 512.0 / 3f64.sqrt() / 16.0;
    assert!((samples.len() as f64 - expected).abs() <= 1.0, "{}", samples.len());
    field.set(0, [8, 3, 9], false);
    assert!(field.words().iter().all(|&word| word == 0));
}

#[test]
fn cells_are_read_in_the_cascade_of_the_position_and_of_the_step() {
    let field = Bitfield::new(128, 4);
    assert_eq!(field.cascade([0.5, 0.5, 0.99], 1e-3), 0);
    assert_eq!(field.cascade([0.5, 0.5, 1.01], 1e-3), 1);
    assert_eq!(field.cascade([0.5, -0.6, 0.5], 1e-3), 2);
    assert_eq!(field.cascade([0.5, -20.0, 0.5], 1e-3), 3);
    assert_eq!(field.cascade([0.5; 3], 1.0 / 128.0), 0);
    assert_eq!(field.cascade([0.5; 3], 1.1 / 128.0), 1);
    assert_eq!(field.cascade([0.5; 3], 3.0 / 128.0), 2);
    assert_eq!(field.cell(1, [-0.5, 0.5, 1.5]), [0, 64, 127]);
    assert_eq!(field.bit(2, [1, 0, 1]), 2 * 128 * 128 * 128 + 5);
}

#[test]
fn steps_grow_with_distance_between_their_bounds() {
    let steps = Steps::new(4, 512.0, 0.0);
    assert_eq!(steps.cascades(), 3);
    assert_eq!(steps.dt(0.1), steps.dt_min);
    assert_eq!(steps.dt(2.0), 2.0 / 256.0);
    assert_eq!(steps.dt(1e3), 4.0 * steps.dt_min);
    assert_eq!(Steps::new(1, 512.0, 0.0).dt(1e3), steps.dt_min);
}

#[test]
fn a_box_is_hit_missed_touched_and_left() {
    let unit = |o, d| ray_box(o, d, [0.0; 3], [1.0; 3]);
    assert_eq!(unit([-1.0, 0.5, 0.5], [1.0, 0.0, 0.0]), Some((1.0, 2.0)));
    assert_eq!(unit([0.25, 0.5, 0.5], [-1.0, 0.0, 0.0]), Some((0.0, 0.25)));
    assert_eq!(unit([-1.0, 0.5, 0.5], [-1.0, 0.0, 0.0]), None);
    assert_eq!(unit([-1.0, 1.5, 0.5], [1.0, 0.0, 0.0]), None);
    assert_eq!(unit([-1.0, 1.0, 0.5], [1.0, 0.0, 0.0]), Some((1.0, 2.0)));
    // Slanted rays: out through x = 1, and out through y = 1.
    assert_eq!(unit([-0.5, 0.0, 0.5], [0.5, 0.25, 0.0]), Some((1.0, 3.0)));
    let (enter, leave) = unit([-0.75, -0.5, 0.5], [0.6, 0.8, 0.0]).unwrap();
    assert!((enter - 1.25).abs() < 1e-12 && (leave - 1.875).abs() < 1e-12);
}

proptest! {
    /// With a constant step, samples are exactly the points of the lattice whose own cell is occupied:
    /// skipping loses none and adds none.
    #[test]
    fn skipping_changes_nothing(seed in 0u64..1000, log2_scale in 0u32..3, jitter in 0.0f64..1.0) {
        let mut rng = TestRng::new(seed);
        let steps = Steps { cone_angle: 0.0, ..Steps::new(1 << log2_scale, 512.0, 0.0) };
        let field = random_field(&mut rng, steps.cascades(), 0.2);
        let (origin, direction) = random_ray(&mut rng, steps.aabb_scale);
        let samples = march(&field, &steps, origin, direction, jitter);
        let half = 0.5 * f64::from(steps.aabb_scale);
        let (enter, leave) = ray_box(origin, direction, [0.5 - half; 3], [0.5 + half; 3]).unwrap();
        let mut expected = Vec::new();
        let mut t = enter + jitter * steps.dt_min;
        while t < leave {
            let position = [0, 1, 2].map(|axis| origin[axis] + t * direction[axis]);
            let cascade = field.cascade(position, steps.dt_min);
            if field.get(cascade, field.cell(cascade, position)) {
                expected.push(Sample { t, dt: steps.dt_min });
            }
            t += steps.dt_min;
        }
        prop_assert_eq!(samples, expected);
    }

    /// With growing steps every sample still lies in the box and in an occupied cell, on steps of its own length.
    #[test]
    fn growing_steps_stay_in_occupied_cells(seed in 0u64..1000, log2_scale in 1u32..4) {
        let mut rng = TestRng::new(seed);
        let steps = Steps::new(1 << log2_scale, 512.0, 0.1);
        let field = random_field(&mut rng, steps.cascades(), 0.5);
        let (origin, direction) = random_ray(&mut rng, steps.aabb_scale);
        let samples = march(&field, &steps, origin, direction, 0.0);
        prop_assert!(!samples.is_empty());
        for sample in &samples {
            let position = [0, 1, 2].map(|axis| origin[axis] + sample.t * direction[axis]);
            prop_assert!(position.iter().all(|p| (p - 0.5).abs() <= 0.5 * f64::from(steps.aabb_scale) + 1e-9));
            let cascade = field.cascade(position, sample.dt);
            prop_assert!(field.get(cascade, field.cell(cascade, position)));
            prop_assert_eq!(sample.dt, steps.dt(sample.t));
        }
        prop_assert!(samples.windows(2).all(|w| w[1].t >= w[0].t + w[0].dt));
    }
}
