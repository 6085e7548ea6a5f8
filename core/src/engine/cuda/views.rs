//! Views in the device's memory.

use crate::engine::{EngineError, TrainView};
use crate::gpu::params::{Camera, View};
use crate::gpu::{Address, Gpu, GpuError};
use crate::ops::cast::{Lens, Planar, RayCamera};

/// Views that rays are drawn from.
#[derive(Debug)]
pub(super) struct Views {
    /// The table of them.
    pub table: Address,
    pub count: usize,
    held: Vec<Address>,
}

/// A camera as kernels want it.
pub(super) fn camera(given: &RayCamera) -> Camera {
    let mut terms = [0.0; 11];
    let planar = |t: &Planar| -> Vec<f64> { [&t.above[..], &t.below, &t.p, &t.s].concat() };
    let (lens, values, limit) = match &given.lens {
        Lens::Pinhole => (0, Vec::new(), 0.0),
        Lens::Radial { k, p, limit } => {
            let all = Planar { above: [k[0], k[1], k[2], 0.0], below: [0.0; 3], p: *p, s: [0.0; 2] };
            (1, planar(&all), *limit)
        }
        Lens::Planar { terms, limit } => (2, planar(terms), *limit),
        Lens::Fisheye { k, limit } => (3, k.to_vec(), *limit),
        Lens::FisheyePlanar { terms, limit } => (4, planar(terms), *limit),
    };
    terms[..values.len()].copy_from_slice(&values);
    let mut axes = [0.0; 9];
    axes.copy_from_slice(given.axes.as_flattened());
    Camera {
        axes,
        focal: given.focal,
        principal: given.principal,
        terms,
        limit,
        origin: given.origin,
        lens,
        forward: given.forward(),
        reserved: 0,
    }
}

impl Views {
    /// Copies views to the device.
    pub fn new(gpu: &mut dyn Gpu, views: &[TrainView]) -> Result<Self, EngineError> {
        let mut all = Self { table: Address::default(), count: views.len(), held: Vec::new() };
        match all.fill(gpu, views) {
            Ok(()) => Ok(all),
            Err(error) => {
                all.free(gpu);
                Err(error.into())
            }
        }
    }

    fn hold(&mut self, gpu: &mut dyn Gpu, bytes: &[u8]) -> Result<Address, GpuError> {
        if bytes.is_empty() {
            return Ok(Address::default());
        }
        let at = gpu.alloc(bytes.len())?;
        self.held.push(at);
        gpu.upload(at, bytes)?;
        Ok(at)
    }

    fn fill(&mut self, gpu: &mut dyn Gpu, views: &[TrainView]) -> Result<(), GpuError> {
        let mut table = Vec::with_capacity(views.len());
        for view in views {
            let (pixels, distances): (Vec<u32>, Vec<f32>) = view.points.iter().copied().unzip();
            let kept = view.kept.as_deref().unwrap_or_default();
            let depth = view.depth.as_ref();
            table.push(View {
                camera: camera(&view.camera),
                pixels: self.hold(gpu, &view.pixels.data)?,
                kept: self.hold(gpu, bytemuck::cast_slice(kept))?,
                point_pixels: self.hold(gpu, bytemuck::cast_slice(&pixels))?,
                point_distances: self.hold(gpu, bytemuck::cast_slice(&distances))?,
                depth: self.hold(gpu, depth.map_or(&[], |d| bytemuck::cast_slice(&d.data)))?,
                width: view.pixels.width,
                height: view.pixels.height,
                channels: view.pixels.channels as u32,
                kept_count: kept.len() as u32,
                point_count: pixels.len() as u32,
                depth_scale: depth.map_or(0.0, |d| d.scale),
            });
        }
        self.table = self.hold(gpu, bytemuck::cast_slice(&table))?;
        Ok(())
    }

    /// Gives the memory back.
    pub fn free(self, gpu: &mut dyn Gpu) {
        self.held.into_iter().for_each(|at| gpu.free(at));
    }
}
