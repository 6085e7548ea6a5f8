//! Where a field's layers are looked at: where rendering would take samples of the training views.

use crate::error::NerfError;
use crate::model::Model;
use nerve_core::ops::march::{Live, Ray, Staged, march};
use nerve_core::rng::{Rng, Stream, below, uniform};
use nerve_core::simd::Isa;
use nerve_data::RayCaster;
use nerve_data::scene::Split;

/// Rays that are marched together, and their samples at most.
const RAYS: usize = 1024;
const SAMPLES: usize = 512;
/// How often that is tried where samples are few.
const ROUNDS: u64 = 256;

/// Positions in the encoding's unit cube, up to `count`: samples of random pixels' rays that light gets to.
///
/// # Errors
/// If the field has no training views or nothing that they see, or the device fails.
pub(super) fn draw(model: &mut Model, count: usize, seed: u64) -> Result<[Vec<f32>; 3], NerfError> {
    let frame = model.capture.to_unit();
    let trained = model.capture.views.iter().filter(|view| view.split == Split::Train);
    let cameras: Vec<_> = trained
        .map(|view| {
            let size = (view.camera.intrinsics.width, view.camera.intrinsics.height);
            (RayCaster::with_frame(&view.camera, &frame), size)
        })
        .collect();
    if cameras.is_empty() {
        return Err(NerfError::NoViews { what: "distillation", scene: model.config.data.scene.clone() });
    }
    let (volume, cut) = (model.volume, model.config.march.cut);
    let shrink = 1.0 / volume.side;
    let mut found: [Vec<f32>; 3] = Default::default();
    for round in 0..ROUNDS {
        let ray = |i: usize| {
            let [view, x, y, jitter] = Rng::new(seed).bits(Stream::Light, round, i as u32);
            let (caster, (width, height)) = &cameras[below(view, cameras.len() as u32) as usize];
            let (x, y) = (uniform(x) * *width as f32, uniform(y) * *height as f32);
            volume.ray(caster.cast(f64::from(x), f64::from(y)), uniform(jitter))
        };
        let rays: Vec<Ray> = (0..RAYS).map(ray).collect();
        let mut live: Vec<Live> =
            rays.iter().enumerate().map(|(i, ray)| Live { ray: i as u32, from: ray.near }).collect();
        let mut staged = Staged::default();
        march(Isa::best(), model.occupancy.bits(), &volume.steps, &rays, &mut live, SAMPLES, &mut staged);
        let mut positions: [Vec<f32>; 3] = Default::default();
        let mut at = 0;
        for (ray, n) in rays.iter().zip(&staged.counts) {
            for t in &staged.samples.t[at..at + *n as usize] {
                for (axis, to) in positions.iter_mut().enumerate() {
                    let p = ray.origin[axis] + t * ray.direction[axis];
                    to.push(((p - 0.5) * shrink + 0.5).clamp(0.0, 1.0));
                }
            }
            at += *n as usize;
        }
        let mut sigma = vec![0.0; at];
        model.engine.density(positions.each_ref().map(|axis| &axis[..]), &mut sigma)?;
        let mut at = 0;
        for n in &staged.counts {
            let mut light = 1.0f32;
            for i in at..at + *n as usize {
                if light < cut || found[0].len() == count {
                    break;
                }
                found.iter_mut().zip(&positions).for_each(|(to, from)| to.push(from[i]));
                light *= (-sigma[i] * staged.samples.dt[i]).exp();
            }
            at += *n as usize;
        }
        if found[0].len() == count {
            return Ok(found);
        }
    }
    if found[0].is_empty() {
        return Err(NerfError::NoViews {
            what: "distillation that sees anything",
            scene: model.config.data.scene.clone(),
        });
    }
    Ok(found)
}
