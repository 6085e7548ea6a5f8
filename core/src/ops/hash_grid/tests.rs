#![allow(clippy::unwrap_used)]
use super::reference::{self, GridPoint};
use super::*;
use crate::ops::check::{TestRng, bit_equal, close, narrow, widen};
use crate::simd::Isa;
use proptest::prelude::*;

/// Agreement of a fast path with the reference that shares its rounding of positions.
const TOLERANCE: f64 = 2e-6;

/// Points as one array per axis, padded to whole blocks.
struct Cloud([Vec<f32>; 3]);

impl Cloud {
    fn new(mut points: Vec<[f32; 3]>, padding: f32) -> Self {
        points.resize(points.len().next_multiple_of(BLOCK), [padding; 3]);
        Self([0, 1, 2].map(|axis| points.iter().map(|p| p[axis]).collect()))
    }

    fn random(rng: &mut TestRng, n: usize) -> Self {
        Self::new((0..n).map(|_| [0; 3].map(|_| rng.uniform(0.0, 1.0) as f32)).collect(), 0.5)
    }

    fn points(&self) -> Points<'_> {
        let [x, y, z] = &self.0;
        Points { x, y, z }
    }

    fn from(&self, start: usize) -> Points<'_> {
        let [x, y, z] = &self.0;
        Points { x: &x[start..], y: &y[start..], z: &z[start..] }
    }

    /// Where the first `n` points lie, rounded as `isa` rounds: the portable path has no fused multiply-add.
    fn places(&self, isa: Isa, level: &GridLevel, n: usize) -> Vec<GridPoint> {
        let clamp = |x: f32| if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) };
        let place = |i: usize| {
            let x = [0, 1, 2].map(|axis| clamp(self.0[axis][i]));
            if isa == Isa::Scalar {
                GridPoint::from_position(x.map(|x| f64::from(x * level.scale + 0.5)))
            } else {
                reference::locate_f32(level, x.map(f64::from))
            }
        };
        (0..n).map(place).collect()
    }
}

/// Dense levels, hashed ones, and one large enough to be prefetched.
fn levels(features: usize) -> Vec<GridLevel> {
    let config =
        HashGridConfig { levels: 5, features, log2_entries: 12, base_resolution: 4, finest_resolution: 2048 };
    let large = HashGridConfig { levels: 1, features, log2_entries: 17, ..Default::default() };
    let mut levels = config.levels().unwrap();
    levels.extend(HashGridConfig { base_resolution: 300, finest_resolution: 300, ..large }.levels().unwrap());
    assert!(levels[0].dense && !levels[4].dense && !levels[5].dense);
    levels
}

fn table(rng: &mut TestRng, level: &GridLevel) -> Vec<f32> {
    narrow(&rng.normals(level.entries * level.features, 1.0))
}

fn encode(isa: Isa, level: &GridLevel, table: &[f32], cloud: &Cloud) -> Vec<f32> {
    let mut out = vec![f32::NAN; cloud.points().len() * level.features];
    forward_level(isa, level, table, cloud.points(), &mut out);
    out
}

#[test]
fn forward_is_the_reference_on_every_path() {
    let mut rng = TestRng::new(1);
    for features in [1, 2, 4, 8] {
        for level in levels(features) {
            let (cloud, table) = (Cloud::random(&mut rng, 256), table(&mut rng, &level));
            for isa in Isa::available() {
                let want =
                    reference::forward(&level, features, &widen(&table), &cloud.places(isa, &level, 256));
                let got = encode(isa, &level, &table, &cloud);
                if let Err(e) = close(&got, &want, TOLERANCE, TOLERANCE) {
                    panic!("{isa:?} {level:?}: {e}");
                }
            }
        }
    }
}

/// Odd numbers of points: what lies behind the last one, here NaN, must not reach the gradient.
#[test]
fn backward_is_the_reference_on_every_path() {
    let mut rng = TestRng::new(2);
    for features in [1, 2, 4, 8] {
        for (level, n) in levels(features).into_iter().zip([1, 15, 63, 64, 65, 201]) {
            let cloud = Cloud::random(&mut rng, n);
            let mut d_out = narrow(&rng.normals(n * features, 1.0));
            d_out.resize(cloud.points().len() * features, f32::NAN);
            let start = table(&mut rng, &level);
            for isa in Isa::available() {
                let d_want = widen(&d_out[..n * features]);
                let zeros = vec![0.0; start.len()];
                let (mut want, _) =
                    reference::backward(&level, features, &zeros, &cloud.places(isa, &level, n), &d_want);
                let mut got = vec![0.0; start.len()];
                backward_level(isa, &level, cloud.points(), n, &d_out, &mut got);
                if let Err(e) = close(&got, &want, TOLERANCE, TOLERANCE) {
                    panic!("{isa:?} {level:?}: {e}");
                }
                // It adds to what is there.
                want.iter_mut().zip(&start).for_each(|(w, s)| *w += f64::from(*s));
                got.copy_from_slice(&start);
                backward_level(isa, &level, cloud.points(), n, &d_out, &mut got);
                close(&got, &want, TOLERANCE, TOLERANCE).unwrap();
            }
        }
    }
}

#[test]
fn all_paths_agree() {
    let mut rng = TestRng::new(3);
    for level in levels(2).into_iter().filter(|level| level.resolution < 500) {
        let (cloud, table) = (Cloud::random(&mut rng, 320), table(&mut rng, &level));
        let scalar = widen(&encode(Isa::Scalar, &level, &table, &cloud));
        for isa in Isa::available() {
            // Positions differ in their last bit: 300 cells, 2^-24.
            close(&encode(isa, &level, &table, &cloud), &scalar, 3e-5, 1e-4).unwrap();
        }
    }
}

/// Points are added in order, one by one: cut anywhere between blocks, the sums have the same bits.
#[test]
fn the_order_of_additions_is_that_of_the_points() {
    let mut rng = TestRng::new(4);
    for features in [1, 2, 4] {
        // Few entries, many points: every entry is a long sum.
        let level = levels(features)[0];
        let n = 8 * BLOCK - 27;
        let cloud = Cloud::random(&mut rng, n);
        let d_out = narrow(&rng.normals(cloud.points().len() * features, 1.0));
        for isa in Isa::available() {
            let mut whole = vec![0.0; level.entries * features];
            backward_level(isa, &level, cloud.points(), n, &d_out, &mut whole);
            for cut in [1, 3, 7].map(|blocks| blocks * BLOCK) {
                let mut parts = vec![0.0; whole.len()];
                backward_level(isa, &level, cloud.points(), cut, &d_out, &mut parts);
                let rest = &d_out[cut * features..];
                backward_level(isa, &level, cloud.from(cut), n - cut, rest, &mut parts);
                bit_equal(&parts, &whole).unwrap();
            }
        }
    }
}

#[test]
fn positions_off_the_cube_are_clamped_and_nan_is_zero() {
    let mut rng = TestRng::new(5);
    let odd = [-1.0, -0.0, 1.0 + f32::EPSILON, 7e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX];
    let points: Vec<[f32; 3]> = (0..200).map(|_| [0; 3].map(|_| odd[rng.below(odd.len())])).collect();
    let cloud = Cloud::new(points, f32::NAN);
    for features in [1, 2, 8] {
        for level in levels(features) {
            let table = table(&mut rng, &level);
            for isa in Isa::available() {
                let places = cloud.places(isa, &level, cloud.points().len());
                let want = reference::forward(&level, features, &widen(&table), &places);
                close(&encode(isa, &level, &table, &cloud), &want, TOLERANCE, TOLERANCE).unwrap();
                let mut grad = vec![0.0; table.len()];
                backward_level(isa, &level, cloud.points(), 200, &vec![1.0; want.len()], &mut grad);
                let sum: f64 = grad.iter().map(|g| f64::from(*g)).sum();
                // A point's weights sum to 1 per feature.
                assert!((sum - 200.0 * features as f64).abs() < 1e-2, "{isa:?} {level:?}: {sum}");
            }
        }
    }
}

#[test]
fn no_points_are_no_work() {
    let level = levels(2)[0];
    let (cloud, mut grad) = (Cloud::new(Vec::new(), 0.0), vec![0.0; level.entries * 2]);
    assert!(cloud.points().is_empty());
    backward_level(Isa::best(), &level, cloud.points(), 0, &[], &mut grad);
    forward_level(Isa::best(), &level, &grad, cloud.points(), &mut []);
    assert!(grad.iter().all(|g| *g == 0.0));
}

/// Levels are public structs: one that does not hold its own vertices must be refused, not read out of bounds.
#[test]
#[should_panic(expected = "hash grid: bad")]
fn a_dense_level_whose_vertices_overflow_is_refused() {
    let resolution = (1 << 22) - 1; // (2^22)^3 = 2^66 wraps to 0.
    let level = GridLevel { scale: 2.0, resolution, entries: 8, features: 1, dense: true };
    forward_level(Isa::best(), &level, &[0.0; 8], Cloud::new(vec![[1.0; 3]], 1.0).points(), &mut [0.0; 64]);
}

#[test]
#[should_panic(expected = "hash grid: the table has 0 values")]
fn a_table_whose_size_overflows_is_refused() {
    let level = GridLevel { scale: 2.0, resolution: 8, entries: 1 << 63, features: 2, dense: false };
    forward_level(Isa::best(), &level, &[], Cloud::new(vec![[1.0; 3]], 1.0).points(), &mut [0.0; 128]);
}

#[test]
#[should_panic(expected = "not whole blocks")]
fn points_that_are_not_padded_are_refused() {
    let (level, x) = (levels(1)[0], [0.5; 65]);
    let points = Points { x: &x, y: &x, z: &x };
    forward_level(Isa::best(), &level, &vec![0.0; level.entries], points, &mut [0.0; 128]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    /// The faces of the cube on every level of any grid: the reference indexes its table with bounds checks.
    #[test]
    fn corners_of_the_cube_lie_in_every_table(
        levels in 1usize..=12, log2_entries in 8u32..=13, base in 2u32..40, finest in 40u32..5000,
        features in prop::sample::select(vec![1usize, 2, 4, 8]), seed in 0u64..1000,
    ) {
        let config = HashGridConfig {
            levels, features, log2_entries, base_resolution: base, finest_resolution: finest,
        };
        let mut rng = TestRng::new(seed);
        let nearly_one = 1.0 - f32::EPSILON / 2.0;
        let faces = [0.0, 1.0, nearly_one, f32::MIN_POSITIVE];
        let points: Vec<[f32; 3]> = (0..BLOCK)
            .map(|i| [0, 1, 2].map(|axis| faces[i >> (2 * axis) & 3]))
            .collect();
        let cloud = Cloud::new(points, 0.0);
        for level in config.levels().unwrap() {
            let table = table(&mut rng, &level);
            for isa in Isa::available() {
                let places = cloud.places(isa, &level, BLOCK);
                let want = reference::forward(&level, features, &widen(&table), &places);
                let got = encode(isa, &level, &table, &cloud);
                // A wrong entry would differ by as much as the values themselves.
                let agree = close(&got, &want, 1e-5, 1e-5);
                prop_assert!(agree.is_ok(), "{isa:?} {level:?}: {agree:?}");
            }
        }
    }
}

#[test]
fn the_positions_gradient_is_the_references_on_every_path() {
    let mut rng = TestRng::new(21);
    for features in [1, 2, 4, 8] {
        for level in levels(features) {
            let (cloud, table) = (Cloud::random(&mut rng, 192), table(&mut rng, &level));
            let d_out = narrow(&rng.normals(192 * features, 1.0));
            for (isa, n) in Isa::available().into_iter().zip([150, 192, 1]) {
                let mut d = [0; 3].map(|_| vec![0.5f32; 192]);
                let [x, y, z] = &mut d;
                backward_positions(isa, &level, &table, cloud.points(), n, &d_out, [x, y, z]);
                let places = cloud.places(isa, &level, n);
                let (_, want) = reference::backward(
                    &level,
                    features,
                    &widen(&table),
                    &places,
                    &widen(&d_out[..n * features]),
                );
                for (axis, got) in d.iter().enumerate() {
                    let want: Vec<f64> = want.iter().map(|d| d[axis] + 0.5).collect();
                    if let Err(e) = close(&got[..n], &want, 1e-5, 1e-5) {
                        panic!("{isa:?} {level:?} axis {axis}: {e}");
                    }
                }
            }
        }
    }
}
