//! Where a field's surface is, seen from a camera: expected and median depth, and normals from density's slopes.

use super::Model;
use crate::error::NerfError;
use nalgebra::{Point3, Vector3};
use nerve_core::ops::march::{Live, Ray, Staged, march};
use nerve_core::simd::Isa;
use nerve_data::{Camera, RayCaster};
use rayon::prelude::*;

/// Rays that are on their way together.
const BATCH: usize = 1 << 16;
/// Rays that a worker marches at a time.
const SHARE: usize = 1024;
/// Samples per ray in the first round, and in any.
const ROUNDS: [usize; 2] = [8, 64];
/// Samples that say less of a pixel than this are not asked for their normals, but for the one where half of the light is
/// stopped: in fog there may be no other.
const LEAST_WEIGHT: f32 = 0.02;

/// What a camera sees of a field's surface, by pixel, row by row; [`super::normals_of_depth`] makes better normals of its
/// distances. Distances are along the pixel's ray, in world units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SurfaceView {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// The share of light that is stopped, 0 to 1.
    pub opacity: Vec<f32>,
    /// The mean of the samples' distances by their weights; NaN where more light gets through than not.
    pub expected: Vec<f32>,
    /// Where half of the light is stopped; NaN where more gets through.
    pub median: Vec<f32>,
    /// The density there, per world length; 0 where there is none.
    pub density: Vec<f32>,
    /// Where asked for: mean normals of the samples by their weights, of length 1 and in the world, against density's
    /// slope; zero where more light gets through than not.
    pub normals: Vec<[f32; 3]>,
}

/// A ray on its way.
#[derive(Clone, Copy)]
struct Seen {
    transmittance: f32,
    depth: f32,
    median: f32,
    density: f32,
}

/// Samples whose normals are asked for.
#[derive(Default)]
struct Asked {
    ray: Vec<u32>,
    weight: Vec<f32>,
    at: [Vec<f32>; 3],
}

impl Model {
    /// What a camera of the world sees of the surface, with `normals` where they are asked for.
    ///
    /// # Errors
    /// If the device fails.
    pub fn surface(&mut self, camera: &Camera, normals: bool) -> Result<SurfaceView, NerfError> {
        let caster = RayCaster::with_frame(camera, &self.capture.to_unit());
        let (width, height) = (camera.intrinsics.width, camera.intrinsics.height);
        let mut view = SurfaceView { width, height, ..SurfaceView::default() };
        let pixels: Vec<u32> = (0..width * height).collect();
        for pixels in pixels.chunks(BATCH) {
            let ray = |i: &u32| {
                let at = [i % width, i / width].map(|at| f64::from(at) + 0.5);
                self.volume.ray(caster.cast(at[0], at[1]), 0.5)
            };
            let rays: Vec<Ray> = pixels.iter().map(ray).collect();
            self.follow(&rays, normals, &mut view)?;
        }
        Ok(view)
    }

    /// Marches rays of the unit frame to where they end, and appends what they see.
    fn follow(&mut self, rays: &[Ray], normals: bool, view: &mut SurfaceView) -> Result<(), NerfError> {
        let scale = self.capture.to_unit().scaling() as f32;
        let mut seen =
            vec![Seen { transmittance: 1.0, depth: 0.0, median: f32::NAN, density: 0.0 }; rays.len()];
        let mut asked = Asked::default();
        let hits = (0..).zip(rays).filter(|(_, ray)| ray.near < ray.far);
        let mut live: Vec<Live> = hits.map(|(ray, r)| Live { ray, from: r.near }).collect();
        let [mut limit, most] = ROUNDS;
        while !live.is_empty() {
            let (bits, steps) = (self.occupancy.bits(), self.volume.steps);
            let staged: Vec<Staged> = self.pool.run(|| {
                live.par_chunks_mut(SHARE)
                    .map(|live| {
                        let mut staged = Staged::default();
                        march(Isa::best(), bits, &steps, rays, live, limit, &mut staged);
                        staged
                    })
                    .collect()
            });
            let counts = || staged.iter().flat_map(|staged| &staged.counts);
            let mut at = [const { Vec::new() }; 3];
            let distances = staged.iter().flat_map(|staged| &staged.samples.t);
            let owners = live.iter().zip(counts()).flat_map(|(l, n)| (0..*n).map(|_| l.ray));
            for (ray, t) in owners.zip(distances) {
                let ray = &rays[ray as usize];
                for (axis, at) in at.iter_mut().enumerate() {
                    at.push(self.to_cube(ray.origin[axis] + t * ray.direction[axis]));
                }
            }
            let [x, y, z] = &at;
            let mut sigma = vec![0.0; x.len()];
            self.engine.density([x, y, z], &mut sigma)?;
            let mut samples =
                staged.iter().flat_map(|s| s.samples.t.iter().zip(&s.samples.dt)).zip(&sigma).enumerate();
            for (l, n) in live.iter().zip(counts()) {
                let seen = &mut seen[l.ray as usize];
                for (i, ((t, dt), sigma)) in samples.by_ref().take(*n as usize) {
                    let before = seen.median.is_nan();
                    let weight = seen.add(*t, *dt, *sigma);
                    if normals && (weight > LEAST_WEIGHT || seen.median.is_nan() != before) {
                        asked.ray.push(l.ray);
                        asked.weight.push(weight);
                        (0..3).for_each(|a| asked.at[a].push(at[a][i]));
                    }
                }
            }
            let cut = self.config.march.cut;
            live.retain(|l| l.from.is_finite() && seen[l.ray as usize].transmittance >= cut);
            limit = (2 * limit).min(most);
        }
        if normals {
            let first = view.normals.len();
            view.normals.resize(first + rays.len(), [0.0; 3]);
            self.add_normals(&asked, &mut view.normals[first..])?;
        }
        for (i, seen) in seen.iter().enumerate() {
            let opacity = 1.0 - seen.transmittance;
            let there = opacity > 0.5;
            view.opacity.push(opacity);
            view.expected.push(if there { seen.depth / opacity / scale } else { f32::NAN });
            view.median.push(seen.median / scale);
            view.density.push(seen.density * scale);
            if normals && !there {
                let first = view.normals.len() - rays.len();
                view.normals[first + i] = [0.0; 3];
            }
        }
        Ok(())
    }

    /// Normals of the samples, by their weights, as unit vectors in the world.
    fn add_normals(&mut self, asked: &Asked, normals: &mut [[f32; 3]]) -> Result<(), NerfError> {
        let [x, y, z] = &asked.at;
        let against = self.against_slopes([x, y, z])?;
        for ((ray, weight), normal) in asked.ray.iter().zip(&asked.weight).zip(against) {
            let sum = &mut normals[*ray as usize];
            (0..3).for_each(|a| sum[a] += weight * normal[a]);
        }
        for normal in normals {
            *normal = Vector3::from(*normal).try_normalize(0.0).unwrap_or_default().into();
        }
        Ok(())
    }

    /// Directions in the world against density's slope, of length 1, at places of the encoding's cube; zero where there is
    /// no slope.
    fn against_slopes(&mut self, at: [&[f32]; 3]) -> Result<Vec<Vector3<f32>>, NerfError> {
        let n = at[0].len();
        let (mut sigma, mut slopes) = (vec![0.0; n], vec![[0.0; 3]; n]);
        self.engine.density_slopes(at, &mut sigma, &mut slopes)?;
        let turn = self.capture.to_unit().isometry.rotation.inverse().cast::<f32>();
        let against = |slope: [f32; 3]| turn * -Vector3::from(slope).try_normalize(0.0).unwrap_or_default();
        Ok(slopes.into_iter().map(against).collect())
    }

    /// Normals of the field at points of the world: directions of length 1 against density's slope; zero where density does
    /// not change, and outside of the box that the field fills.
    ///
    /// # Errors
    /// If the device fails.
    pub fn normals_at(&mut self, points: &[Point3<f64>]) -> Result<Vec<[f32; 3]>, NerfError> {
        let to_unit = self.capture.to_unit();
        let places: Vec<[f32; 3]> = points
            .iter()
            .map(|point| (to_unit * point).coords.cast::<f32>().map(|unit| self.to_cube(unit)).into())
            .collect();
        let axis = |a: usize| places.iter().map(|p| p[a].clamp(0.0, 1.0)).collect::<Vec<f32>>();
        let (x, y, z) = (axis(0), axis(1), axis(2));
        let against = self.against_slopes([&x, &y, &z])?;
        let inside = |place: &[f32; 3]| place.iter().all(|p| (0.0..=1.0).contains(p));
        let normal = |(n, place): (Vector3<f32>, _)| if inside(place) { n.into() } else { [0.0; 3] };
        Ok(against.into_iter().zip(&places).map(normal).collect())
    }

    /// A coordinate of the unit frame, in the cube that the encoding covers.
    fn to_cube(&self, unit: f32) -> f32 {
        (unit - 0.5) / self.volume.side + 0.5
    }
}

impl Seen {
    /// Takes a sample in, and gives its weight. Samples are in the middle of the length that they stand for.
    fn add(&mut self, t: f32, dt: f32, sigma: f32) -> f32 {
        let behind = self.transmittance * (-sigma * dt).exp();
        let weight = self.transmittance - behind;
        self.depth += weight * t;
        if self.median.is_nan() && behind < 0.5 {
            self.median = t - 0.5 * dt + (2.0 * self.transmittance).ln().max(0.0) / sigma;
            self.density = sigma;
        }
        self.transmittance = behind;
        weight
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{NerfConfig, Trainer};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_data::demo::{self, DemoConfig};
    use std::sync::Arc;

    /// A field that has begun to learn, all of whose cells are occupied.
    fn with_model(check: impl Fn(&mut Model)) {
        let demo = DemoConfig { resolution: 24, train: 3, test: 1, ..DemoConfig::default() };
        let grid =
            HashGridConfig { levels: 4, log2_entries: 10, finest_resolution: 64, ..Default::default() };
        let mut config = NerfConfig { grid, ..NerfConfig::default() };
        (config.train.run.steps, config.train.batch_samples) = (Some(10), 2048);
        let mut trainer = Trainer::new(config, Arc::new(demo::scene(&demo).unwrap()), 2).unwrap();
        for _ in 0..10 {
            trainer.step().unwrap();
        }
        trainer
            .averaged(|model, _| {
                check(model);
                Ok::<_, NerfError>(())
            })
            .unwrap();
    }

    #[test]
    fn expected_depth_and_opacity_are_the_pictures() {
        with_model(|model| {
            let camera = model.capture().views[0].camera.clone();
            let (view, picture) = (model.surface(&camera, true).unwrap(), model.render(&camera).unwrap());
            let scale = model.capture().to_unit().scaling() as f32;
            let mut there = 0;
            for (i, want) in picture.surfaces().enumerate() {
                let (expected, median) = (view.expected[i], view.median[i]);
                assert_eq!(median.is_nan(), view.opacity[i] <= 0.5, "{i}");
                assert_eq!(median.is_nan(), view.density[i] == 0.0, "{i}");
                assert_eq!(expected.is_nan(), want.is_nan(), "{i}");
                if want.is_nan() {
                    assert_eq!(view.normals[i], [0.0; 3]);
                    continue;
                }
                there += 1;
                assert!((expected * scale / want - 1.0).abs() < 1e-3, "{i}: {expected} {want}");
                assert!(median > 0.0 && (Vector3::from(view.normals[i]).norm() - 1.0).abs() < 1e-4);
            }
            assert!(there > 50, "{there} pixels show something");
        });
    }

    #[test]
    fn normals_are_against_the_slope_of_density() {
        with_model(|model| {
            let points: Vec<Point3<f64>> = (0..60)
                .map(|i| {
                    let part = |ratio: f64| (f64::from(i + 1) * ratio).fract() * 1.6 - 0.8;
                    Point3::new(part(0.819), part(0.671), part(0.549))
                })
                .collect();
            let normals = model.normals_at(&points).unwrap();
            let half = 1e-4;
            let ends = |axis: usize, by: f64| -> Vec<Point3<f64>> {
                points.iter().map(|p| p + Vector3::ith(axis, by)).collect()
            };
            let slopes: Vec<Vec<f32>> = (0..3)
                .map(|axis| {
                    let [low, high] = [-half, half].map(|by| model.densities(&ends(axis, by)).unwrap());
                    low.iter().zip(high).map(|(low, high)| high - low).collect()
                })
                .collect();
            let close = (0..points.len()).filter(|i| {
                let slope = Vector3::new(slopes[0][*i], slopes[1][*i], slopes[2][*i]).normalize();
                Vector3::from(normals[*i]).dot(&-slope) > 0.99
            });
            // A difference may span a face between cells.
            assert!(close.count() >= 54);
            assert_eq!(model.normals_at(&[Point3::new(1e3, 0.0, 0.0)]).unwrap(), [[0.0; 3]]);
        });
    }
}
