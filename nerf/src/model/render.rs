//! What cameras see of a model, and its densities.

use super::Model;
use crate::error::NerfError;
use crate::rendering::{Rendering, ViewCamera};
use nalgebra::{Point3, Vector3};
use nerve_core::engine::Space;
use nerve_core::ops::rigid::Correction;
use nerve_data::{Camera, RayCaster};

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
        let caster = RayCaster::with_frame(camera, &self.capture.to_unit());
        let size = (camera.intrinsics.width, camera.intrinsics.height);
        let (engine, bits) = (&mut *self.engine, self.occupancy.bits());
        let (camera, cut) = (ViewCamera { caster, correction }, self.config.march.cut);
        let space = Space { bits, volume: self.volume };
        Ok(self.pool.run(|| Rendering::render(engine, space, cut, &camera, size))?)
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
