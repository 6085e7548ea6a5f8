//! When viewers are shown what, in training: a held-out view, the surface so far, the occupied cells.
//!
//! None of it changes the training: pictures are rendered between two steps, with the clock stopped, and only as
//! often as they take a small share of the time.

use crate::model::Model;
use crate::publish::{
    Compared, around, differences, factor, publish_cameras, publish_cells, publish_pictures, publish_points,
    smaller,
};
use crate::rendering::flatten;
use nerve_core::run::Events;
use nerve_data::{Camera, Scene};
use std::time::{Duration, Instant};

/// A set of pictures is followed by so many times what it took: pictures take 2 % of the time.
const REST: u32 = 49;
/// The first sets, of a field that is all fog, take the longest and must not put off the next ones: after this long
/// one may come that takes up to 5 % of the time.
const LONGEST: Duration = Duration::from_secs(60);
const LEAST: u32 = 19;
/// Sets of pictures between two looks at the occupied cells.
const CELLS_EVERY: u64 = 6;

/// What is shown next, and when.
pub(crate) struct Show {
    every: Duration,
    next: Instant,
    sets: u64,
    preview: Option<Preview>,
    /// Small cameras that surface points are taken from in turn.
    around: Vec<Camera>,
}

/// The held-out view that is watched.
struct Preview {
    name: String,
    camera: Camera,
    photo: Vec<u8>,
    /// What the rendering is shown on.
    behind: [f32; 3],
}

impl Show {
    /// Tells of the scene; `None` if nobody asks for pictures.
    pub(crate) fn new(model: &Model, scene: &Scene, events: &Events) -> Option<Self> {
        let request = events.previews()?;
        publish_cameras(model.capture(), Some(scene), events);
        let watched = scene.splits.eval().first().and_then(|view| scene.views.get(*view));
        let preview = watched.and_then(|view| {
            let n = factor(&view.camera, request.side as u32);
            let photo = flatten(&view.image.downscale(n).ok()?, 1.0);
            let behind = model.behind(&view.image);
            Some(Preview { name: view.name.clone(), camera: smaller(&view.camera, n)?, photo, behind })
        });
        let (every, next) = (request.every, Instant::now() + request.every);
        Some(Self { every, next, sets: 0, preview, around: around(model.capture()) })
    }

    /// Whether it is time for the next set.
    pub(crate) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// One set of pictures, and when the next is due.
    pub(crate) fn show(&mut self, model: &mut Model, events: &Events) {
        let start = Instant::now();
        if let Some(preview) = &self.preview {
            // What fails here fails in the next step, too.
            let Ok(picture) = model.render(&preview.camera) else { return };
            let (rendered, truth) = (picture.rgb_on(preview.behind), preview.photo.clone());
            let error = differences(&truth, &rendered);
            let compared = Compared { rendered, truth, error };
            publish_pictures(model, events, &preview.name, &preview.camera, &picture, compared);
        }
        if let Some(camera) = self.around.get(self.sets as usize % self.around.len().max(1)) {
            publish_points(model, events, camera, self.sets as usize % self.around.len());
        }
        if self.sets.is_multiple_of(CELLS_EVERY) {
            publish_cells(model, events);
        }
        self.sets += 1;
        self.next = Instant::now() + rest(self.every, start.elapsed());
    }
}

/// How long after a set that took so long the next is due.
fn rest(every: Duration, took: Duration) -> Duration {
    every.max((took * REST).min(LONGEST.max(took * LEAST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_take_a_fiftieth_of_the_time_and_slow_ones_a_twentieth_at_most() {
        let share = |took: f64| {
            let rest = rest(Duration::from_secs(5), Duration::from_secs_f64(took)).as_secs_f64();
            took / (took + rest)
        };
        assert!((share(0.01) - 0.01 / 5.01).abs() < 1e-6, "as often as asked for");
        for took in [0.2, 1.0, 60.0 / 49.0] {
            assert!((share(took) - 0.02).abs() < 1e-6, "{took}: {}", share(took));
        }
        assert!((share(2.0) - 2.0 / 62.0).abs() < 1e-6, "a minute is long enough");
        for took in [4.0, 600.0] {
            assert!((share(took) - 0.05).abs() < 1e-6, "{took}: {}", share(took));
        }
    }
}
