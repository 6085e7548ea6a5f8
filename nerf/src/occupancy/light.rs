//! Where light of training rays gets to.
//!
//! A cell behind a surface that hides it from every training camera is worth no sample, whatever the field says there,
//! and it says anything: nothing was ever learned of it. Half of the cells of a capture are such. So rays are drawn from
//! the training views now and then and followed through the field as it is (see [`super::follow`]); a cell's light is
//! the largest share of such a ray's light that got to it lately, and what a sample in it is worth is its opacity times
//! that. Where a surface in front has gone, rays get through and there is light at once; where one has come, the light
//! of before fades.
//!
//! Light is kept by blocks of 2^3 cells, each where the finest cascade around it is, and counts for the blocks next to
//! them, too: rays are few, other views look past edges a little, and a surface is thicker than a cell.

use super::follow::{Stretch, follow};
use nerve_core::engine::{EngineError, Key, Space, TrainEngine};
use nerve_core::ops::cast::RayCamera;
use nerve_core::ops::march::{CELLS, Ray, SIDE, morton};
use nerve_core::ops::rigid::Correction;
use nerve_core::rng::{Rng, Stream, below, uniform};
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Blocks a side of a cascade, and in all of it.
const BLOCKS: usize = SIDE / 2;
const ALL: usize = BLOCKS * BLOCKS * BLOCKS;
/// Rays of a look.
const RAYS: usize = 4096;
/// Light fades by this factor from look to look: what no ray has got to for some twenty looks is dark.
const FADE: f32 = 0.8;
/// Less light than this is none.
const DARK: f32 = 0.01;

/// The light in every cell.
#[derive(Debug)]
pub struct Light {
    /// By block, cascade after cascade, x fastest.
    blocks: Vec<f32>,
    /// With that of their neighbors, by block in the order of the cells.
    around: Vec<f32>,
}

/// Eyes that training looks through: where rays may be drawn.
#[derive(Clone, Debug)]
pub(crate) struct Eye {
    pub camera: RayCamera,
    pub size: [u32; 2],
    /// The pixels that count, all by default.
    pub kept: Option<Arc<[u32]>>,
}

impl Light {
    /// Light everywhere, for so many cascades.
    pub fn new(cascades: usize) -> Self {
        Self { blocks: vec![1.0; cascades * ALL], around: vec![1.0; cascades * ALL] }
    }

    /// As [`Self::blocks`] gave it.
    pub fn restored(blocks: Vec<f32>) -> Self {
        let around = vec![0.0; blocks.len()];
        let mut light = Self { blocks, around };
        light.spread();
        light
    }

    /// How many values [`Self::blocks`] has for so many cascades.
    pub fn len_of(cascades: usize) -> usize {
        cascades * ALL
    }

    /// All that has to be kept of it.
    pub fn blocks(&self) -> &[f32] {
        &self.blocks
    }

    /// Whether light gets to a cell (cascade times cells, Morton order), or next to it.
    #[inline]
    pub(super) fn is_lit(&self, cell: usize) -> bool {
        self.around[cell >> 3] >= DARK
    }

    /// Whether a sample of this optical thickness in a cell shows more than one of thickness `least`, much less than 1,
    /// does in full light.
    #[inline]
    pub(super) fn shows(&self, cell: usize, thickness: f32, least: f32) -> bool {
        // 1 - exp(-x) is about min(x, 1).
        self.is_lit(cell) && self.around[cell >> 3] * thickness.min(1.0) > least
    }

    /// Follows rays of these eyes, moved by what is learned of their poses, to where less than `cut` of their light is
    /// left.
    ///
    /// # Errors
    /// If the device fails.
    pub(crate) fn look(
        &mut self,
        engine: &mut dyn TrainEngine,
        space: Space<'_>,
        eyes: &[Eye],
        poses: Option<&[f32]>,
        key: Key,
        cut: f32,
    ) -> Result<(), EngineError> {
        let rng = Rng::new(key.seed);
        let moved: Vec<Correction> =
            poses.iter().flat_map(|rows| rows.as_chunks::<6>().0).map(|row| Correction::new(row)).collect();
        let draw = |index: usize| {
            let [eye, pixel, jitter, _] = rng.bits(Stream::Light, key.step, index as u32);
            let at = below(eye, eyes.len() as u32) as usize;
            let Eye { camera, size: [width, height], kept } = &eyes[at];
            let pixel = match kept {
                None => below(pixel, width * height),
                Some(kept) => kept[below(pixel, kept.len() as u32) as usize],
            };
            let ray = camera.cast(f64::from(pixel % width) + 0.5, f64::from(pixel / width) + 0.5);
            space.volume.ray(moved.get(at).map_or(ray, |c| c.apply(ray)), uniform(jitter))
        };
        let rays: Vec<Ray> = (0..RAYS).into_par_iter().with_min_len(256).map(draw).collect();
        self.lit_by(engine, space, &rays, cut)
    }

    /// Follows these rays.
    fn lit_by(
        &mut self,
        engine: &mut dyn TrainEngine,
        space: Space<'_>,
        rays: &[Ray],
        cut: f32,
    ) -> Result<(), EngineError> {
        let lit: Vec<AtomicU32> = self.blocks.iter().map(|_| AtomicU32::new(0)).collect();
        follow(engine, space, rays, cut, |ray, stretch| shine(&lit, ray, stretch))?;
        for (block, lit) in self.blocks.iter_mut().zip(lit) {
            *block = (*block * FADE).max(f32::from_bits(lit.into_inner()));
        }
        self.spread();
        Ok(())
    }

    /// What blocks have of their own and of their neighbors, and coarse cascades of the finer ones inside.
    fn spread(&mut self) {
        let mut whole = self.blocks.clone();
        for cascade in 1..whole.len() / ALL {
            let (finer, coarse) = whole.split_at_mut(cascade * ALL);
            let finer = &finer[(cascade - 1) * ALL..];
            for (i, light) in finer.iter().enumerate() {
                let [x, y, z] =
                    [i % BLOCKS, i / BLOCKS % BLOCKS, i / (BLOCKS * BLOCKS)].map(|c| BLOCKS / 4 + c / 2);
                let to = &mut coarse[(z * BLOCKS + y) * BLOCKS + x];
                *to = to.max(*light);
            }
        }
        whole.par_chunks_mut(ALL).zip(self.around.par_chunks_mut(ALL)).for_each(|(whole, around)| {
            for stride in [1, BLOCKS, BLOCKS * BLOCKS] {
                widen(whole, stride);
            }
            for (code, to) in around.iter_mut().enumerate() {
                let [x, y, z] = morton::decode(code as u32).map(|c| c as usize);
                *to = whole[(z * BLOCKS + y) * BLOCKS + x];
            }
        });
    }
}

/// The largest of three neighbors, along the axis of this stride.
fn widen(values: &mut [f32], stride: usize) {
    let span = stride * BLOCKS;
    for plane in values.chunks_exact_mut(span) {
        for line in 0..stride {
            let mut before = 0.0f32;
            for i in 0..BLOCKS {
                let at = line + i * stride;
                let (here, next) = (plane[at], if i + 1 < BLOCKS { plane[at + stride] } else { 0.0 });
                plane[at] = here.max(before).max(next);
                before = here;
            }
        }
    }
}

/// Notes the light along a stretch in the blocks that it passes.
fn shine(lit: &[AtomicU32], ray: &Ray, stretch: Stretch) {
    let (last, bits) = (lit.len() / ALL - 1, stretch.light.to_bits());
    let mut t = stretch.from;
    loop {
        let p: [f32; 3] = std::array::from_fn(|a| ray.origin[a] - 0.5 + t * ray.direction[a]);
        let reach = p.iter().fold(0.0f32, |reach, p| reach.max(2.0 * p.abs()));
        let cascade = (0..last).find(|c| reach <= (1u32 << c) as f32).unwrap_or(last);
        let size = (1u32 << cascade) as f32;
        let [x, y, z] = p.map(|p| (((p / size + 0.5) * BLOCKS as f32).max(0.0) as usize).min(BLOCKS - 1));
        let to = &lit[cascade * ALL + (z * BLOCKS + y) * BLOCKS + x];
        // Positive numbers are ordered as their bits are; the largest does not depend on who comes first.
        if to.load(Ordering::Relaxed) < bits {
            to.fetch_max(bits, Ordering::Relaxed);
        }
        if t >= stretch.to {
            return;
        }
        t = (t + size / BLOCKS as f32).min(stretch.to);
    }
}

const _: () = assert!(8 * ALL == CELLS);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Background;
    use crate::hollow::Switch;
    use crate::{NerfConfig, Trainer};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_data::Scene;
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::image::Image8;

    /// The demo as photographs show it: nothing of it is transparent.
    fn photographed() -> Scene {
        let demo = DemoConfig { train: 8, test: 1, resolution: 24, ..DemoConfig::default() };
        let mut scene = demo::scene(&demo).unwrap();
        for view in &mut scene.views {
            let (width, height) = (view.image.width(), view.image.height());
            let pixels = crate::rendering::flatten(&view.image, 0.5);
            view.image = Image8::new(width, height, 3, pixels).unwrap();
        }
        scene
    }

    fn config(steps: u64) -> NerfConfig {
        let grid = HashGridConfig { levels: 4, log2_entries: 12, ..HashGridConfig::default() };
        let mut config = NerfConfig { grid, ..NerfConfig::default() };
        (config.train.run.steps, config.train.batch_samples) = (Some(steps), 4096);
        // What is around the objects belongs to the scene, as in a photograph.
        config.train.background = Background::Random;
        config
    }

    #[test]
    fn neighbors_share_their_light() {
        let at = |x: usize, y: usize, z: usize| (z * BLOCKS + y) * BLOCKS + x;
        let code = |x: u32, y: u32, z: u32| 8 * morton::encode([x, y, z]) as usize;
        let mut blocks = vec![0.0; 2 * ALL];
        // The corner of the finer cascade, which is at 16 of the coarser one, and one beside it there.
        (blocks[at(0, 0, 0)], blocks[ALL + at(40, 63, 20)]) = (0.5, 0.25);
        let light = Light::restored(blocks.clone());
        let lit = |cascade: usize, x, y, z| light.around[(cascade * CELLS + code(x, y, z)) >> 3];
        assert_eq!(
            [lit(0, 0, 0, 0), lit(0, 1, 1, 1), lit(0, 2, 0, 0), lit(0, 63, 0, 0)],
            [0.5, 0.5, 0.0, 0.0]
        );
        assert_eq!([lit(1, 16, 16, 16), lit(1, 15, 15, 17), lit(1, 14, 16, 16)], [0.5, 0.5, 0.0]);
        assert_eq!([lit(1, 39, 62, 21), lit(1, 40, 0, 20), lit(1, 42, 63, 20)], [0.25, 0.0, 0.0]);
        assert_eq!(light.blocks(), blocks);
        let cell = CELLS + code(39, 62, 21) + 7;
        assert!(light.is_lit(cell) && light.shows(cell, 0.05, 0.01) && light.shows(cell, f32::MAX, 0.2));
        assert!(!light.shows(cell, 0.03, 0.01) && !light.shows(cell, f32::MAX, 0.3) && !light.is_lit(CELLS));
    }

    /// What rays pass is lit, as far as they get, and nothing else.
    #[test]
    fn light_goes_along_rays() {
        let lit: Vec<AtomicU32> = (0..2 * ALL).map(|_| AtomicU32::new(0)).collect();
        let ray = Ray { origin: [-0.5, 0.51, 0.51], direction: [1.0, 0.0, 0.0], far: 2.0, ..Ray::default() };
        shine(&lit, &ray, Stretch { from: 0.25, to: 0.8, light: 0.5, alpha: Some(0.1) });
        shine(&lit, &ray, Stretch { from: 0.7, to: 0.8, light: 0.25, alpha: Some(0.1) });
        let light = |cascade: usize, x: usize| {
            f32::from_bits(lit[cascade * ALL + (32 * BLOCKS + 32) * BLOCKS + x].load(Ordering::Relaxed))
        };
        // In the coarser cascade from x = -0.25 to 0, in the finer one from 0 to 0.3.
        assert_eq!([light(1, 7), light(1, 8), light(1, 15), light(1, 16)], [0.0, 0.5, 0.5, 0.0]);
        assert_eq!([light(0, 0), light(0, 19), light(0, 20)], [0.5, 0.5, 0.0]);
        let all = lit.iter().filter(|lit| lit.load(Ordering::Relaxed) > 0).count();
        assert_eq!(all, 8 + 20);
    }

    /// The rays that are followed let through what pictures show to be let through.
    #[test]
    fn followed_rays_see_what_pictures_show() {
        let demo = DemoConfig { train: 8, test: 1, resolution: 24, ..DemoConfig::default() };
        let mut trainer = Trainer::new(config(60), Arc::new(demo::scene(&demo).unwrap()), 1).unwrap();
        (0..60).for_each(|_| assert!(trainer.step().unwrap().loss.is_finite()));
        let model = trainer.model_mut();
        let camera = model.capture().views[0].camera.clone();
        let volume = model.volume;
        let rays: Vec<Ray> = model.rays(&camera).1.map(|ray| volume.ray(ray, 0.5)).collect();
        let numbered: Vec<Ray> = rays.iter().zip(0..).map(|(ray, i)| Ray { camera: i, ..*ray }).collect();
        let left: Vec<AtomicU32> = rays.iter().map(|_| AtomicU32::new(1f32.to_bits())).collect();
        let space = Space { bits: model.occupancy.bits(), volume };
        follow(&mut *model.engine, space, &numbered, 5e-3, |ray, stretch| {
            let behind = stretch.light * (1.0 - stretch.alpha.unwrap_or(0.0));
            left[ray.camera as usize].store(behind.to_bits(), Ordering::Relaxed);
        })
        .unwrap();
        let clear: Vec<f32> = left.iter().map(|left| f32::from_bits(left.load(Ordering::Relaxed))).collect();
        let picture = model.render(&camera).unwrap();
        let shown: Vec<f32> = picture.opacities().map(|opacity| 1.0 - opacity).collect();
        assert!(clear.iter().any(|c| *c < 0.8) && clear.iter().any(|c| *c > 0.9), "{clear:?}");
        for (clear, shown) in clear.iter().zip(shown) {
            // Where almost nothing gets through, they end at different samples.
            assert!((clear - shown).abs() < 1e-3 || clear.max(shown) < 5e-3, "{clear} {shown}");
        }
    }

    /// Space behind surfaces darkens, and a run that was interrupted ends with the same bits.
    #[test]
    fn hidden_cells_are_culled_and_resumed() {
        let scene = Arc::new(photographed());
        let steps = |trainer: &mut Trainer, until: u64| {
            while trainer.step_count() < until {
                trainer.step().unwrap();
            }
        };
        let whole = |trainer: &Trainer| {
            let occupancy = &trainer.model().occupancy;
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<u32>>();
            (
                bits(occupancy.density()),
                bits(occupancy.light().unwrap().blocks()),
                occupancy.bits().clone(),
                trainer.rays,
            )
        };
        let mut straight = Trainer::new(config(1100), scene.clone(), 2).unwrap();
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("checkpoint");
        steps(&mut straight, 1000);
        straight.save(&path).unwrap();
        steps(&mut straight, 1060);
        let mut resumed = Trainer::new(config(1100), scene.clone(), 1).unwrap();
        resumed.resume(&path).unwrap();
        steps(&mut resumed, 1060);
        assert!(whole(&straight) == whole(&resumed));
        let occupancy = &straight.model().occupancy;
        let cells =
            |bits: &nerve_core::ops::march::Bitfield| bits.count() as f64 / occupancy.density().len() as f64;
        let lit = cells(&occupancy.lit(None).unwrap());
        assert!((0.2..0.99).contains(&lit), "{lit}");
        // What is occupied is lit.
        let (lit, bits) = (occupancy.lit(None).unwrap(), occupancy.bits());
        assert!(
            bits.count() > 0 && bits.words().iter().zip(lit.words()).all(|(cells, lit)| cells & !lit == 0)
        );
        // Where it is not asked for, and where photographs are transparent, nothing is known of light.
        let mut off = config(4);
        off.march.cull = Some(Switch::Off);
        assert!(Trainer::new(off, scene, 1).unwrap().model().occupancy.light().is_none());
        let demo = DemoConfig { train: 2, test: 1, resolution: 24, ..DemoConfig::default() };
        let demo = Trainer::new(config(4), Arc::new(demo::scene(&demo).unwrap()), 1).unwrap();
        assert_eq!(demo.config().march.cull, Some(Switch::Off));
    }
}
