//! What goes into a training step and what is known afterwards.

use super::views::ViewsId;
use crate::ops::march::{Bitfield, Ray, Samples, Volume};
use std::ops::Range;
use std::time::Duration;

/// One step's inputs.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Its rays.
    pub batch: Batch<'a>,
    /// Learning rate.
    pub rate: f32,
    /// The share of the training that is done, 0 to 1.
    pub progress: f64,
    /// How hard the saliency grid's cells are pushed to close: the slope of [`penalize`](crate::ops::saliency).
    /// `None` leaves the grid as it is.
    pub pruning: Option<f32>,
    /// Poses hear of so many levels of the encoding, the coarsest ones; all of it learns.
    pub pose_levels: usize,
}

/// The rays of a step.
#[derive(Clone, Copy, Debug)]
pub enum Batch<'a> {
    /// Drawn from views.
    Drawn(Draw<'a>),
    /// As they are.
    Given {
        /// The rays.
        rays: &'a [Ray],
        /// Their targets, `[ray][columns]` (see [`Targets`](crate::field::Targets)).
        targets: &'a [f32],
        /// Where their samples are.
        samples: SampleSource<'a>,
    },
}

/// How rays are drawn: a view, then a pixel of it that counts, both uniform. Which, and where along the ray its samples
/// start, are functions of the key and the ray's number alone.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// The views.
    pub views: ViewsId,
    /// Number of rays.
    pub rays: usize,
    /// What randomness depends on.
    pub key: Key,
    /// What transparent pixels are composited on.
    pub background: Background,
    /// The share of rays that go through pixels whose distance a point tells, in views that have such points.
    pub point_share: f32,
    /// Where the cameras are.
    pub poses: Poses<'a>,
    /// Where samples may be.
    pub space: Space<'a>,
}

/// The key of a step's random values (see [`crate::rng`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The run's seed.
    pub seed: u64,
    /// The step.
    pub step: u64,
}

/// What transparent pixels are composited on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Background {
    /// A new random color for every ray.
    Random,
    /// One color.
    Color([f32; 3]),
}

/// Where cameras are.
#[derive(Clone, Copy, Debug)]
pub enum Poses<'a> {
    /// As they were given.
    Given,
    /// Moved by the corrections that the field has learned.
    Learnt,
    /// Moved by these, `[view][6]` (see [`crate::ops::rigid`]).
    Corrected(&'a [[f32; 6]]),
}

/// Where samples may be: in the occupied cells of a volume.
#[derive(Clone, Copy, Debug)]
pub struct Space<'a> {
    /// The cells.
    pub bits: &'a Bitfield,
    /// The render box, and how long steps are in it.
    pub volume: Volume,
}

/// Where rays' samples come from.
#[derive(Clone, Copy, Debug)]
pub enum SampleSource<'a> {
    /// They are marched.
    Space(Space<'a>),
    /// They are known.
    Given(&'a GivenSamples),
}

/// Samples that are known beforehand, ray by ray.
#[derive(Clone, Debug, Default)]
pub struct GivenSamples {
    samples: Samples,
    /// Per ray: where its samples end.
    ends: Vec<usize>,
    /// No more than this many are given at a time.
    #[cfg(test)]
    pub(crate) stretch: Option<usize>,
}

impl GivenSamples {
    /// Adds a ray with these distances (ascending) and lengths.
    ///
    /// # Panics
    /// If there are not as many of the ones as of the others.
    pub fn push_ray(&mut self, t: &[f32], dt: &[f32]) {
        assert_eq!(t.len(), dt.len(), "a sample has a distance and a length");
        self.samples.t.extend_from_slice(t);
        self.samples.dt.extend_from_slice(dt);
        self.ends.push(self.samples.t.len());
    }

    /// How many rays there are.
    pub fn rays(&self) -> usize {
        self.ends.len()
    }

    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.samples.t.len()
    }

    /// True if there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distances and lengths of one ray's samples.
    pub fn ray(&self, ray: usize) -> (&[f32], &[f32]) {
        let range = self.range(ray);
        (&self.samples.t[range.clone()], &self.samples.dt[range])
    }

    /// Of some rays: where each one's samples end among theirs, the distances and the lengths.
    pub(super) fn of_rays(&self, rays: Range<usize>) -> (Vec<u32>, &[f32], &[f32]) {
        let start = if rays.start == 0 { 0 } else { self.ends[rays.start - 1] };
        let ends = &self.ends[rays];
        let range = start..ends.last().copied().unwrap_or(start);
        let ends = ends.iter().map(|end| (end - start) as u32).collect();
        (ends, &self.samples.t[range.clone()], &self.samples.dt[range])
    }

    fn range(&self, ray: usize) -> Range<usize> {
        let start = if ray == 0 { 0 } else { self.ends[ray - 1] };
        start..self.ends[ray]
    }
}

impl Batch<'_> {
    /// Number of rays.
    pub fn rays(&self) -> usize {
        match self {
            Self::Drawn(draw) => draw.rays,
            Self::Given { rays, .. } => rays.len(),
        }
    }
}

/// One step's outcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepStats {
    /// Rays asked for.
    pub rays: usize,
    /// Rays that met at least one occupied cell.
    pub hits: usize,
    /// Samples marched and encoded.
    pub samples: usize,
    /// Samples in front of the surface, which took part in the backward pass.
    pub kept: usize,
    /// Mean loss over all rays: the heads' sum, by their weights.
    pub loss: f64,
    /// How the rays' weights are spread, means over all rays: distortion, and deviation from known distances; 0 where
    /// it has no weight in the loss, of which it is no part here.
    pub spread: [f64; 2],
    /// S(G) after the step: the mean of the saliency grid's sigmoids; 0 without a grid.
    pub saliency: f64,
    /// Time per phase.
    pub phases: Phases,
}

/// Wall time of a step's phases.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phases {
    /// Rays, marching, encoding, probing.
    pub draw: Duration,
    /// Stages forward and back.
    pub stages: Duration,
    /// Sums of gradients, dense update.
    pub dense: Duration,
    /// Scatter and update of the tables.
    pub tables: Duration,
}

impl std::ops::AddAssign for Phases {
    fn add_assign(&mut self, other: Self) {
        self.draw += other.draw;
        self.stages += other.stages;
        self.dense += other.dense;
        self.tables += other.tables;
    }
}
