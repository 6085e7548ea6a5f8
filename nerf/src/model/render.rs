//! What cameras see of a model, and its densities.

use super::Model;
use super::normals::normals_of_depth;
use crate::backdrop::Backdrop;
use crate::error::NerfError;
use crate::occupancy::{Census, census};
use crate::rendering::{Rendering, ViewCamera};
use nalgebra::{Point3, Similarity3, Vector3};
use nerve_core::engine::Space;
use nerve_core::ops::march::Ray;
use nerve_core::ops::rigid::Correction;
use nerve_data::{Camera, RayCaster};

/// The part of space that is shown, in the world.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clip {
    /// Nothing nearer to the camera is shown, along the ray.
    pub near: Option<f64>,
    /// Nor anything farther.
    pub far: Option<f64>,
    /// Only what is in the box with these corners: the lower and the upper ones.
    pub bounds: Option<[Point3<f64>; 2]>,
}

impl Clip {
    /// Leaves of a ray of the unit frame what is shown.
    fn shorten(&self, ray: &mut Ray, to_unit: &Similarity3<f64>) {
        let scale = to_unit.scaling();
        let (mut near, mut far) = (self.near.unwrap_or(0.0), self.far.unwrap_or(f64::INFINITY));
        if let Some([low, high]) = self.bounds {
            let back = to_unit.inverse();
            let origin = back * Point3::from(ray.origin.map(f64::from));
            let direction = back.isometry.rotation * Vector3::from(ray.direction.map(f64::from));
            for a in 0..3 {
                let [from, to] = [low, high].map(|corner| (corner[a] - origin[a]) / direction[a]);
                // A ray along a face divides 0 by 0: it is outside.
                near = near.max(from.min(to));
                far = far.min(from.max(to));
            }
        }
        ray.near = ray.near.max((near * scale) as f32);
        ray.far = ray.far.min((far * scale) as f32);
    }
}

impl Model {
    /// Renders what a camera of the world sees, at the size that its intrinsics have
    /// ([`Intrinsics::resized`](nerve_data::Intrinsics::resized) gives any other).
    ///
    /// # Errors
    /// If the device fails.
    pub fn render(&mut self, camera: &Camera) -> Result<Rendering, NerfError> {
        self.render_corrected(camera, None)
    }

    /// Renders what a camera sees from where a correction has moved it in the unit frame.
    pub(crate) fn render_corrected(
        &mut self,
        camera: &Camera,
        correction: Option<Correction>,
    ) -> Result<Rendering, NerfError> {
        let backdrop = self.capture.backdrop;
        self.render_rays(camera, correction, backdrop, &|_| ())
    }

    /// Renders what a camera sees of a part of the space. What is cut away does not show the capture's backdrop.
    ///
    /// # Errors
    /// If the device fails.
    pub fn render_clipped(&mut self, camera: &Camera, clip: &Clip) -> Result<Rendering, NerfError> {
        let to_unit = self.capture.to_unit();
        let backdrop = self.capture.backdrop.filter(|_| *clip == Clip::default());
        self.render_rays(camera, None, backdrop, &|ray| clip.shorten(ray, &to_unit))
    }

    fn render_rays(
        &mut self,
        camera: &Camera,
        correction: Option<Correction>,
        backdrop: Option<Backdrop>,
        limit: &(dyn Fn(&mut Ray) + Sync),
    ) -> Result<Rendering, NerfError> {
        let caster = RayCaster::with_frame(camera, &self.capture.to_unit());
        let size = (camera.intrinsics.width, camera.intrinsics.height);
        let (engine, bits) = (&mut *self.engine, self.occupancy.bits());
        let (camera, cut) = (ViewCamera { caster, correction }, self.config.march.cut);
        let space = Space { bits, volume: self.volume };
        let backdrop = backdrop.as_ref();
        Ok(self.pool.run(|| Rendering::render(engine, space, cut, &camera, size, limit, backdrop))?)
    }

    /// Expected depths along a camera's axis in world units, by pixel; NaN where more light gets through than not.
    pub fn depths(&self, camera: &Camera, picture: &Rendering) -> Vec<f32> {
        let (ahead, rays) = self.rays(camera);
        let scale = self.capture.frame.scale as f32;
        let depth = |(t, (_, direction)): (f32, ([f32; 3], [f32; 3]))| {
            t * direction.iter().zip(&ahead).map(|(a, b)| a * b).sum::<f32>() / scale
        };
        picture.surfaces().zip(rays).map(depth).collect()
    }

    /// Normals of the surface in the world, toward the camera, by pixel, from the distances at which it is seen
    /// ([`normals_of_depth`]). Zero where there is no surface.
    pub fn normals(&self, camera: &Camera, picture: &Rendering) -> Vec<[f32; 3]> {
        let scale = self.capture.frame.scale as f32;
        let distances: Vec<f32> = picture.surfaces().map(|t| t / scale).collect();
        normals_of_depth(camera, &distances)
    }

    /// Densities at points of the world, per world length, as rays see them: 0 outside of the box that the field fills,
    /// and in cells that are not occupied, where rays take no sample whatever the field says (see
    /// [`crate::occupancy`]; a point is looked up in the finest cascade around it). A gate acts as it does at this point
    /// of the run ([`Self::progress`]).
    ///
    /// # Errors
    /// If the device fails.
    pub fn densities(&mut self, points: &[Point3<f64>]) -> Result<Vec<f32>, NerfError> {
        let (to_unit, side) = (self.capture.to_unit(), f64::from(self.volume.side));
        // Of the cube that the encoding covers.
        let place =
            |point: &Point3<f64>| (to_unit * point - Point3::from([0.5; 3])) / side + Vector3::repeat(0.5);
        let (occupancy, middle) = (&self.occupancy, Vector3::repeat(0.5));
        let inside = |place: &Vector3<f64>| {
            let seen = || occupancy.holds(((place - middle) * side).into());
            place.iter().all(|p| (0.0..=1.0).contains(p)) && seen()
        };
        let places: Vec<Option<Vector3<f64>>> =
            points.iter().map(place).map(|p| Some(p).filter(inside)).collect();
        let axis = |a: usize| places.iter().map(|p| p.map_or(0.5, |p| p[a] as f32)).collect::<Vec<f32>>();
        let (x, y, z) = (axis(0), axis(1), axis(2));
        let mut sigma = vec![0.0; points.len()];
        self.engine.density([&x, &y, &z], &mut sigma)?;
        let scale = to_unit.scaling() as f32;
        let scaled = |(sigma, place): (&f32, &Option<_>)| if place.is_some() { sigma * scale } else { 0.0 };
        Ok(sigma.iter().zip(&places).map(scaled).collect())
    }

    /// Counts what the occupied cells are good for, by some rays of the training cameras as they were given, about so many,
    /// spread over all of their pixels.
    ///
    /// # Errors
    /// If the device fails.
    pub fn census(&mut self, rays: usize) -> Result<Census, NerfError> {
        let cameras: Vec<Camera> = self.capture.trained().map(|view| view.camera.clone()).collect();
        let size = |camera: &Camera| camera.intrinsics.width as usize * camera.intrinsics.height as usize;
        // Odd, so that it visits all rows and columns alike.
        let stride = (cameras.iter().map(size).sum::<usize>() / rays.max(1)) | 1;
        let volume = self.volume;
        let all = cameras.iter().flat_map(|camera| self.rays(camera).1.collect::<Vec<_>>());
        let rays: Vec<Ray> = all.step_by(stride).map(|ray| volume.ray(ray, 0.5)).collect();
        let (engine, space) = (&mut *self.engine, Space { bits: self.occupancy.bits(), volume });
        let cut = self.config.march.cut;
        Ok(self.pool.run(|| census(engine, space, &rays, cut))?)
    }

    /// The camera's axis and the rays through its pixels, in the unit frame.
    pub(crate) fn rays(&self, camera: &Camera) -> ([f32; 3], impl Iterator<Item = ([f32; 3], [f32; 3])>) {
        let frame = self.capture.to_unit();
        let ahead: Vector3<f32> = (frame.isometry.rotation * camera.forward()).cast();
        let (caster, size) = (RayCaster::with_frame(camera, &frame), &camera.intrinsics);
        let (width, pixels) = (size.width, size.width * size.height);
        let ray = move |i| caster.cast(f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
        (ahead.into(), (0..pixels).map(ray))
    }
}
