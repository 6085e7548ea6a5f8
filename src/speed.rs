//! How fast this machine trains a scene: a few seconds of it, measured.

use crate::format;
use nerve_core::device::Device;
use nerve_data::scene;
use nerve_nerf::{NerfConfig, Trainer};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long to measure.
const TIME: Duration = Duration::from_secs(2);
/// The first steps find out where the scene is and are slower than the rest.
const WARM_UP: usize = 4;
/// As many images as a calibration needs, small ones.
const IMAGES: usize = 4;
const SIDE: u32 = 300;
/// How long a training is by default.
const DEFAULT: Duration = Duration::from_secs(5 * 60);

/// What a few seconds of training took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Seconds a step.
    pub seconds_per_step: f64,
    /// Steps that were measured.
    pub steps: usize,
}

/// Trains on a few of the scene's images for a few seconds; `None` if that does not work, which training would say.
pub fn measure(device: Device, config: &NerfConfig, threads: usize) -> Option<Speed> {
    let options = crate::scene::options(&config.data);
    let options = scene::LoadOptions { max_images: Some(IMAGES), ..options };
    let outline = scene::outline(&config.data.scene, &options).ok()?;
    let side = outline.views.iter().map(|view| view.header.width.min(view.header.height)).min()?;
    let options = scene::LoadOptions { downscale: (side / SIDE).max(1), ..options };
    let scene = scene::load(&config.data.scene, &options).ok()?;
    let mut config = config.clone();
    config.train.run.time = Some(DEFAULT);
    let mut trainer = Trainer::on(device, config, Arc::new(scene), threads).ok()?;
    for _ in 0..WARM_UP {
        trainer.step().ok()?;
    }
    let (started, mut steps) = (Instant::now(), 0);
    while steps == 0 || started.elapsed() < TIME {
        trainer.step().ok()?;
        steps += 1;
    }
    Some(Speed { seconds_per_step: started.elapsed().as_secs_f64() / steps as f64, steps })
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_default = DEFAULT.as_secs_f64() / self.seconds_per_step;
        let thousand = Duration::try_from_secs_f64(1000.0 * self.seconds_per_step).unwrap_or_default();
        write!(
            f,
            "about {} per 1000 steps, so {} steps in the default {} (estimated from {} early steps; later ones differ)",
            format::time(thousand),
            format::count(in_default),
            format::time(DEFAULT),
            self.steps
        )
    }
}
