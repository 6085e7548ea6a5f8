//! Small runs on the built-in scene.
#![allow(dead_code, clippy::unwrap_used)]

use nerve_core::ops::hash_grid::HashGridConfig;
use nerve_core::run::{Cancel, Events};
use nerve_data::demo::{self, DemoConfig};
use nerve_data::{Image8, Scene};
use nerve_nerf::eval::{EvalOptions, Report, evaluate};
use nerve_nerf::{Model, NerfConfig, NerfError, Trainer};
use std::path::Path;
use std::sync::Arc;

/// The demo with square views of so many pixels, and four held-out ones.
pub fn demo(resolution: usize, train: usize) -> Arc<Scene> {
    let config = DemoConfig { resolution, train, test: 4, supersample: 2, shadow: 1 };
    Arc::new(demo::scene(&config).unwrap())
}

/// A run that is small in every respect.
pub fn config(steps: u64) -> NerfConfig {
    let grid = HashGridConfig { levels: 10, log2_entries: 14, finest_resolution: 512, ..Default::default() };
    let mut config = NerfConfig { grid, ..NerfConfig::default() };
    (config.train.run.steps, config.train.batch_samples) = (Some(steps), 16_384);
    config.march.steps_per_unit = 256;
    config
}

pub fn train(trainer: &mut Trainer, steps: u64) {
    for _ in 0..steps {
        assert!(trainer.step().unwrap().loss.is_finite());
    }
}

pub fn measured(trainer: &mut Trainer) -> Report {
    let measure =
        |model: &mut Model, scene: &Scene| Ok::<_, NerfError>(evaluated(model, scene, &scene.splits.test));
    trainer.averaged(measure).unwrap()
}

/// Measures views.
pub fn evaluated(model: &mut Model, scene: &Scene, views: &[usize]) -> Report {
    let options = EvalOptions { renders: None, lpips: None, events: &Events::new(), cancel: &Cancel::new() };
    evaluate(model, scene, views, &options, &mut |_| {}).unwrap().unwrap()
}

/// Trains to the end and measures the held-out views.
pub fn trained(config: NerfConfig, scene: &Arc<Scene>) -> (Report, Trainer) {
    let steps = config.train.run.steps.unwrap();
    // Tests run beside each other: one thread each.
    let mut trainer = Trainer::new(config, scene.clone(), 1).unwrap();
    train(&mut trainer, steps);
    (measured(&mut trainer), trainer)
}

/// What lies behind the header of the checkpoint that a trainer saves: everything but the clock.
pub fn saved(trainer: &Trainer, folder: &Path) -> Vec<u8> {
    let path = folder.join("checkpoint");
    trainer.save(&path).unwrap();
    let file = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    file[8 + header..].to_vec()
}

/// The scene with every training photograph's channels scaled, each in its own way; the mean of all is the scene's, at
/// three quarters of its brightness, and so are the held-out views.
pub fn exposed(scene: &Scene) -> Scene {
    let mut scene = scene.clone();
    let mut random = Random(7);
    let (train, test) = (scene.splits.train.clone(), scene.splits.test.clone());
    for pair in train.chunks(2) {
        let off = [0; 3].map(|_| 0.3 * random.signed());
        for (view, sign) in pair.iter().zip([1.0, -1.0]) {
            scale(&mut scene.views[*view].image, off.map(|off| 0.75 * (1.0 + sign * off)));
        }
    }
    test.into_iter().for_each(|view| scale(&mut scene.views[view].image, [0.75; 3]));
    scene
}

fn scale(image: &mut Image8, by: [f32; 3]) {
    let scaled = image.data().chunks_exact(4).flat_map(|p| {
        let channel = |c: usize| (f32::from(p[c]) * by[c]).round() as u8;
        [channel(0), channel(1), channel(2), p[3]]
    });
    let data: Vec<u8> = scaled.collect();
    *image = Image8::new(image.width(), image.height(), 4, data).unwrap();
}

/// A small generator for test scenes.
pub struct Random(pub u64);

impl Random {
    /// Uniform in -1 to 1.
    pub fn signed(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    /// Uniform on the sphere.
    pub fn direction(&mut self) -> [f64; 3] {
        loop {
            let v = [0; 3].map(|_| f64::from(self.signed()));
            let n = v.iter().map(|v| v * v).sum::<f64>().sqrt();
            if (0.1..1.0).contains(&n) {
                return v.map(|v| v / n);
            }
        }
    }
}
