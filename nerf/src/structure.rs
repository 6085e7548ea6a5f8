//! What a trained field is made of: parameters, live space, saliency, collisions.

use crate::comparison::plot_collisions;
use crate::error::NerfError;
use crate::model::Model;
pub use crate::reach::Collisions;
use crate::reach::{Space, collisions};
use crate::steering::closed_share;
use crate::{cells_picture, live::LiveCells};
use nerve_core::ops::saliency::{mean, sigmoid};
use nerve_core::run::write_atomic;
use nerve_core::simd::Isa;
use nerve_data::write::{PixelFormat, write_png};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Bins of the saliency's histogram over 0 to 1.
pub const BINS: usize = 20;

/// What `eval.json` says about a field beside its pictures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Structure {
    /// Trainable values.
    pub parameters: usize,
    /// Share of the occupancy cells that rays are sampled in.
    pub occupied_share: f64,
    /// Share of live cells (see [`LiveCells`]), of as many as a saliency grid has.
    pub live_share: f64,
    /// Of a field with a saliency grid.
    pub saliency: Option<Saliency>,
    /// Per level: collisions if all of space were alive, and among the vertices that samples touch.
    pub collisions: Vec<LevelCollisions>,
}

/// What a saliency grid has come to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saliency {
    /// S(G).
    pub mean: f64,
    /// The multiplier.
    pub gamma: f64,
    /// Share of cells with a saliency below 0.01.
    pub closed_share: f64,
    /// Share of cells per bin of saliency, 0 to 1.
    pub histogram: Vec<f64>,
}

/// A level's collisions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LevelCollisions {
    /// In all of space: every vertex alive, spread over the entries as evenly as a hash does.
    pub everywhere: f64,
    /// In occupied space.
    #[serde(flatten)]
    pub occupied: Collisions,
}

/// How many of the logits have a saliency in each bin.
pub fn histogram(grid: &[f32]) -> [u64; BINS] {
    let mut counts = [0; BINS];
    for g in grid {
        let bin = (sigmoid(f64::from(*g)) * BINS as f64) as usize;
        counts[bin.min(BINS - 1)] += 1;
    }
    counts
}

impl Structure {
    /// Looks at a field; with where it is live. A field in training is looked at through
    /// [`Trainer::averaged`](crate::Trainer::averaged).
    ///
    /// # Errors
    /// If the device fails.
    pub fn of(model: &mut Model) -> Result<(Self, LiveCells), NerfError> {
        let live = LiveCells::of(model)?;
        let space = Space::occupied(model.occupancy.bits(), model.volume.side);
        let levels = &model.engine.layout().levels;
        let saliency = model.saliency()?.map(|grid| Saliency {
            mean: mean(Isa::best(), &grid),
            gamma: model.gamma,
            closed_share: closed_share(&grid),
            histogram: histogram(&grid).map(|c| c as f64 / grid.len() as f64).to_vec(),
        });
        let structure = Self {
            parameters: model.parameters(),
            occupied_share: model.occupied(),
            live_share: live.share(),
            saliency,
            collisions: collisions(levels, &space)
                .into_iter()
                .map(|occupied| LevelCollisions { everywhere: evenly(&occupied), occupied })
                .collect(),
        };
        Ok((structure, live))
    }

    /// Pictures of the saliency, of the live cells and of the collisions, in `folder`.
    ///
    /// # Errors
    /// If a picture cannot be written.
    pub fn draw(&self, model: &Model, live: &LiveCells, folder: &Path) -> Result<(), NerfError> {
        let solid = [("live_cells.png", cells_picture::solid(live))];
        let side = model.config().hollow.saliency_side;
        let slices = model.saliency()?.map(|grid| ("saliency.png", cells_picture::slices(&grid, side)));
        for (name, picture) in solid.into_iter().chain(slices) {
            let (width, height) = (picture.width as u32, picture.height as u32);
            write_png(&folder.join(name), width, height, PixelFormat::Rgb, &picture.data)?;
        }
        let lines =
            [("all of space".to_owned(), self.crowds(true)), ("this field".to_owned(), self.crowds(false))];
        let path = folder.join("collisions.svg");
        let svg =
            plot_collisions(&lines).map_err(|e| NerfError::Drawing { path: path.clone(), reason: e })?;
        write_atomic(&path, svg.as_bytes()).map_err(|source| NerfError::File { path, source })
    }

    /// Per level, its resolution and how crowded an entry is, in all of space or in this field.
    pub fn crowds(&self, everywhere: bool) -> Vec<(u32, f64)> {
        let crowd = |c: &LevelCollisions| if everywhere { c.everywhere } else { c.occupied.crowd };
        self.collisions.iter().map(|c| (c.occupied.resolution, crowd(c))).collect()
    }
}

/// The crowd in an entry of a level all of whose vertices are alive.
fn evenly(level: &Collisions) -> f64 {
    let load = level.vertices as f64 / level.entries as f64;
    if level.vertices <= level.entries as u64 { 1.0 } else { 1.0 + load }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Method;
    use crate::hollow::HollowConfig;
    use crate::{NerfConfig, Trainer};
    use nerve_core::ops::hash_grid::HashGridConfig;
    use nerve_data::demo::{self, DemoConfig};
    use nerve_data::image::Image8;
    use nerve_data::scene::LoadOptions;
    use std::sync::Arc;

    #[test]
    fn the_saliency_is_drawn_as_the_average_that_is_measured() {
        let demo = DemoConfig { resolution: 16, train: 2, test: 1, ..DemoConfig::default() };
        let scene = demo::load(&demo, &LoadOptions::default(), &|_, _| {}).unwrap();
        let mut config = NerfConfig {
            grid: HashGridConfig { levels: 2, log2_entries: 8, finest_resolution: 32, ..Default::default() },
            hollow: HollowConfig { saliency_side: 16, ..HollowConfig::default() },
            ..NerfConfig::default()
        };
        config.field.method = Method::Hollow;
        config.train.ema = Some(0.9);
        (config.train.run.steps, config.train.batch_samples) = (Some(6), 1024);
        let mut trainer = Trainer::new(config, Arc::new(scene), 1).unwrap();
        for _ in 0..6 {
            trainer.step().unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let draw = |model: &mut Model, _: &_| {
            let (field, live) = Structure::of(model)?;
            field.draw(model, &live, folder.path())
        };
        trainer.averaged(draw).unwrap();
        let drawn = Image8::open(&folder.path().join("saliency.png")).unwrap();
        let sliced =
            |model: &Model| Ok::<_, NerfError>(cells_picture::slices(&model.saliency()?.unwrap(), 16).data);
        let raw = sliced(trainer.model()).unwrap();
        let average = trainer.averaged(|model, _| sliced(model)).unwrap();
        assert_ne!(raw, average);
        assert!(drawn.data() == average);
    }
}
