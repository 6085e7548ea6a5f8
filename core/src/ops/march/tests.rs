#![allow(clippy::unwrap_used)]
use super::*;
use crate::ops::check::TestRng;
use crate::simd::Isa;

/// A random field: half of the blocks of 16^3 cells are empty, in the others words are empty, full, or sparse.
fn random_field(rng: &mut TestRng, cascades: usize) -> Bitfield {
    let mut bits = Bitfield::new(cascades, false);
    let mut words = vec![0; bits.words().len()];
    for block in words.chunks_exact_mut(64).filter(|_| rng.below(2) == 0).collect::<Vec<_>>() {
        block.fill_with(|| match rng.below(8) {
            0 => u64::MAX,
            1 | 2 => rng.next_u64() & rng.next_u64(),
            _ => 0,
        });
    }
    bits.refill(|i| words[i]);
    bits
}

/// Makes a coarse cell occupied where, and only where, any of its eight finer ones is.
fn agree_upwards(bits: &mut Bitfield) {
    let (from, to) = (SIDE as u32 / 4, 3 * SIDE as u32 / 4);
    for cascade in 1..bits.cascades() {
        for code in 0..CELLS as u32 {
            let cell = morton::decode(code);
            if cell.iter().all(|c| (from..to).contains(c)) {
                let first = morton::encode(cell.map(|c| 2 * (c - from))) as usize;
                let any = (first..first + 8).any(|fine| bits.get((cascade - 1) * CELLS + fine));
                bits.set(cascade * CELLS + code as usize, any);
            }
        }
    }
}

fn reference_field(bits: &Bitfield) -> reference::Bitfield {
    let mut field = reference::Bitfield::new(SIDE as u32, bits.cascades() as u32);
    for (i, word) in bits.words().iter().enumerate().filter(|(_, word)| **word != 0) {
        for cell in (0..64).filter(|bit| word >> bit & 1 == 1).map(|bit| 64 * i + bit) {
            field.set((cell / CELLS) as u32, morton::decode((cell % CELLS) as u32), true);
        }
    }
    assert_eq!(field.words(), bits.words(), "both sides store cells in the same order");
    field
}

/// Origins in and around the box; every third ray is parallel to an axis.
fn random_ray(rng: &mut TestRng, index: usize, side: f32) -> ([f32; 3], [f32; 3]) {
    let origin = [0; 3].map(|_| (0.5 + rng.uniform(-0.9, 0.9) * f64::from(side)) as f32);
    if index.is_multiple_of(3) {
        let mut direction = [0.0, -0.0, 0.0];
        let axis = rng.below(3);
        direction[axis] = if origin[axis] > 0.5 { -1.0 } else { 1.0 };
        return (origin, direction);
    }
    let target = [0; 3].map(|_| 0.5 + rng.uniform(-0.5, 0.5) as f32);
    let offset = [0, 1, 2].map(|a| target[a] - origin[a]);
    let length = offset.iter().map(|c| c * c).sum::<f32>().sqrt();
    (origin, offset.map(|c| c / length))
}

/// The ray from its entry on, `jitter` of a step later.
fn clipped(steps: &Steps, (origin, direction): ([f32; 3], [f32; 3]), side: f32, jitter: f32) -> Ray {
    let (enter, far) = clip(origin, direction, side);
    Ray { origin, direction, near: enter + jitter * steps.at(enter), far, camera: 0 }
}

/// Marches one ray from `from` on.
fn some(bits: &Bitfield, steps: &Steps, ray: &Ray, from: f32, limit: usize, isa: Isa) -> (Samples, f32) {
    let (mut staged, mut live) = (Staged::default(), [Live { ray: 0, from }]);
    march(isa, bits, steps, &[*ray], &mut live, limit, &mut staged);
    assert_eq!(staged.counts, [staged.samples.t.len() as u32]);
    (staged.samples, live[0].from)
}

/// All samples, as many at a time as may be asked for.
fn all_on(isa: Isa, bits: &Bitfield, steps: &Steps, ray: &Ray) -> Samples {
    let (mut samples, mut from) = (Samples::default(), ray.near);
    while from < f32::INFINITY {
        let (some, on) = some(bits, steps, ray, from, MOST_SAMPLES, isa);
        samples.t.extend(&some.t);
        samples.dt.extend(&some.dt);
        from = on;
    }
    samples
}

fn all(bits: &Bitfield, steps: &Steps, ray: &Ray) -> Samples {
    all_on(Isa::best(), bits, steps, ray)
}

/// Whether rounding decides in which cell, or in which cascade, a sample is looked up.
fn undecided(ray: &Ray, t: f64, dt: f64) -> bool {
    let near_whole = |v: f64, tolerance: f64| (v - v.round()).abs() < tolerance;
    let on_face = |axis: usize| {
        let p = f64::from(ray.origin[axis]) + t * f64::from(ray.direction[axis]);
        // The finest cells' faces, extended to everywhere, contain those of all cascades.
        near_whole(p * SIDE as f64, 0.02)
    };
    (0..3).any(on_face) || near_whole((dt * SIDE as f64).log2(), 1e-4)
}

/// Counts matched samples and those that only one side has; each of these must be at a face.
fn compare(ray: &Ray, got: &Samples, want: &[reference::Sample]) -> (usize, usize) {
    let (mut i, mut j, mut matched, mut odd) = (0, 0, 0, 0);
    while i < got.t.len() || j < want.len() {
        let t = got.t.get(i).map_or(f64::INFINITY, |t| f64::from(*t));
        let other = want.get(j).map_or(f64::INFINITY, |s| s.t);
        let dt = want.get(j).map_or_else(|| f64::from(got.dt[i]), |s| s.dt);
        if (t - other).abs() < 0.1 * dt {
            assert!((f64::from(got.dt[i]) / dt - 1.0).abs() < 1e-4, "at {t}: {} {dt}", got.dt[i]);
            (i, j, matched) = (i + 1, j + 1, matched + 1);
        } else {
            let at = t.min(other);
            assert!(undecided(ray, at, dt), "only one has {at} of {ray:?} (got {t}, want {other})");
            odd += 1;
            if t < other { i += 1 } else { j += 1 }
        }
    }
    (matched, odd)
}

/// Both steppings, 1 to 4 cascades: the samples are the reference's, on the same lattice.
#[test]
fn blocks_are_skipped_without_a_trace() {
    for (seed, cone) in [(1, false), (2, true)] {
        let mut rng = TestRng::new(seed);
        for cascades in 1..=4 {
            let side = 1 << (cascades - 1);
            let mut steps = Steps::new(512, side);
            if !cone {
                steps.cone = 0.0;
            }
            let mut bits = random_field(&mut rng, cascades);
            if cone {
                // A step may outgrow the cascade on the way through an empty block; only where cascades agree
                // does it not matter who notices first.
                agree_upwards(&mut bits);
            }
            let field = reference_field(&bits);
            let in_f64 = reference::Steps {
                cone_angle: steps.cone.into(),
                dt_min: steps.min.into(),
                dt_max: steps.max.into(),
                ..reference::Steps::new(side, 512.0, 0.0)
            };
            let (mut matched, mut odd) = (0, 0);
            for index in 0..200 {
                let jitter = rng.uniform(0.0, 1.0) as f32;
                let ray = clipped(&steps, random_ray(&mut rng, index, side as f32), side as f32, jitter);
                let (origin, direction) = (ray.origin.map(f64::from), ray.direction.map(f64::from));
                let want = reference::march(&field, &in_f64, origin, direction, jitter.into());
                for isa in Isa::available() {
                    let (m, o) = compare(&ray, &all_on(isa, &bits, &steps, &ray), &want);
                    (matched, odd) = (matched + m, odd + o);
                }
            }
            assert!(matched > 2000 && 100 * odd < matched, "{cascades}, {cone}: {matched} alike, {odd} not");
        }
    }
}

#[test]
fn stretches_are_the_march_in_one_go() {
    let mut rng = TestRng::new(3);
    for cascades in [1, 3] {
        let side = 1 << (cascades - 1);
        let (steps, bits) = (Steps::new(256, side), random_field(&mut rng, cascades));
        for index in 0..60 {
            let ray = clipped(&steps, random_ray(&mut rng, index, side as f32), side as f32, 0.5);
            let whole = all(&bits, &steps, &ray);
            for limit in [1, 7, 64] {
                let (mut parts, mut from) = (Samples::default(), ray.near);
                while from.is_finite() {
                    let (part, on) = some(&bits, &steps, &ray, from, limit, Isa::best());
                    parts.t.extend(&part.t);
                    parts.dt.extend(&part.dt);
                    let taken = part.t.len();
                    from = on;
                    assert!(taken == limit || (taken < limit && from == f32::INFINITY));
                }
                assert_eq!((&parts.t, &parts.dt), (&whole.t, &whole.dt));
            }
        }
    }
}

/// Many rays at once, in registers that are not full: each as if it were alone.
#[test]
fn rays_in_one_register_do_not_see_each_other() {
    let mut rng = TestRng::new(6);
    for (cascades, isa) in [1, 3].into_iter().flat_map(|c| Isa::available().into_iter().map(move |i| (c, i)))
    {
        let side = 1 << (cascades - 1);
        let (steps, bits) = (Steps::new(256, side), random_field(&mut rng, cascades));
        let ray = |index| clipped(&steps, random_ray(&mut rng, index, side as f32), side as f32, 0.5);
        let rays: Vec<Ray> = (0..37).map(ray).collect();
        let mut live: Vec<Live> =
            (0..37).rev().step_by(2).map(|i| Live { ray: i, from: rays[i as usize].near }).collect();
        let mut staged = Staged::default();
        for limit in [3, 20] {
            let before = live.clone();
            staged.clear();
            march(isa, &bits, &steps, &rays, &mut live, limit, &mut staged);
            let mut start = 0;
            for ((l, was), count) in live.iter().zip(&before).zip(&staged.counts) {
                let (alone, from) = some(&bits, &steps, &rays[l.ray as usize], was.from, limit, isa);
                let end = start + *count as usize;
                assert_eq!((alone.t.as_slice(), from), (&staged.samples.t[start..end], l.from));
                assert_eq!(alone.dt, staged.samples.dt[start..end]);
                start = end;
            }
            assert_eq!(start, staged.samples.t.len());
        }
    }
}

#[test]
fn a_limit_of_zero_finds_the_first_sample() {
    let bits = random_field(&mut TestRng::new(4), 1);
    let steps = Steps::new(512, 1);
    let ray = clipped(&steps, ([-0.2, 0.31, 0.4], [0.96, 0.28, 0.0]), 1.0, 0.25);
    let (none, first) = some(&bits, &steps, &ray, ray.near, 0, Isa::best());
    assert!(none.t.is_empty() && none.dt.is_empty());
    assert_eq!(first, all(&bits, &steps, &ray).t[0]);
}

/// Far from the origin a step can be shorter than the distance between two f32s.
#[test]
fn steps_that_f32_cannot_take_end_the_ray() {
    for (occupied, cascades) in [(true, 1), (false, 1), (true, 3), (false, 3)] {
        let side = 1 << (cascades - 1);
        let (bits, steps) = (Bitfield::new(cascades, occupied), Steps::new(512, side));
        let ray = clipped(&steps, ([-3e6, 0.5, 0.5], [1.0, 0.0, 0.0]), side as f32, 0.0);
        assert!(ray.near < ray.far && ray.near + steps.at(ray.near) == ray.near);
        assert!(all(&bits, &steps, &ray).t.len() <= 1);
        // A ray without a direction, and steps without a length.
        let endless = Ray { near: 0.0, far: 100.0, direction: [f32::NAN; 3], ..ray };
        for isa in Isa::available() {
            let (samples, _) = some(&bits, &steps, &endless, 0.0, 100, isa);
            assert_eq!(samples.t.len(), if occupied { 100 } else { 0 }, "{isa:?}");
        }
        let still = Steps { cone: 0.0, min: 0.0, max: 0.0 };
        assert!(all(&bits, &still, &Ray { near: 0.5, far: 1.0, ..ray }).t.len() <= 1);
    }
}

#[test]
fn a_ray_that_misses_has_no_samples() {
    let (bits, steps) = (Bitfield::new(2, true), Steps::new(512, 2));
    for (origin, direction) in [([-3.0, 0.5, 0.5], [-1.0, 0.0, 0.0]), ([-3.0, 2.0, 0.5], [1.0, 0.0, 0.0])] {
        let ray = clipped(&steps, (origin, direction), 2.0, 0.0);
        assert!(ray.near >= ray.far);
        assert!(all(&bits, &steps, &ray).t.is_empty());
    }
    let nowhere = Ray { near: f32::NAN, ..clipped(&steps, ([0.5; 3], [1.0, 0.0, 0.0]), 2.0, 0.0) };
    assert!(all(&bits, &steps, &nowhere).t.is_empty());
}

#[test]
fn clip_is_the_reference_box() {
    let mut rng = TestRng::new(5);
    for index in 0..500 {
        let side = [1.0f32, 4.0][index % 2];
        let (origin, direction) = random_ray(&mut rng, index, side);
        // Half of the rays look the other way: boxes behind the origin are missed.
        let direction = if index % 4 < 2 { direction } else { direction.map(|d| -d) };
        let (low, high) = (f64::from(0.5 - side / 2.0), f64::from(0.5 + side / 2.0));
        let (o, d) = (origin.map(f64::from), direction.map(f64::from));
        let (enter, leave) = clip(origin, direction, side);
        match reference::ray_box(o, d, [low; 3], [high; 3]) {
            None => assert!(enter >= leave, "{origin:?} {direction:?}"),
            Some((a, b)) => {
                assert!((f64::from(enter) - a).abs() < 1e-5 && (f64::from(leave) - b).abs() < 1e-5);
            }
        }
    }
}

#[test]
fn cells_are_set_read_and_counted() {
    let mut bits = Bitfield::new(2, false);
    for cell in [0, 63, 64, CELLS, 2 * CELLS - 1] {
        bits.set(cell, true);
        assert!(bits.get(cell));
    }
    assert_eq!((bits.count(), bits.cascades()), (5, 2));
    bits.set(63, false);
    assert!(!bits.get(63) && bits.get(64) && bits.count() == 4);
    // Filled at once or cell by cell: the blocks of empty words are the same, too.
    let mut again = Bitfield::new(2, true);
    again.refill(|i| bits.words()[i]);
    assert_eq!(again, bits);
    [0, 64, CELLS, 2 * CELLS - 1].into_iter().for_each(|cell| again.set(cell, false));
    assert_eq!(again, Bitfield::new(2, false));
}
