//! Metrics of dense tasks that are not classes: saliency, surface normals, depth, edges; and Delta, which sums up several.
//!
//! Each is accumulated over a set, image by image; pixels that do not count are left out by the caller's labels.
use super::segmentation::IGNORE;

/// Thresholds of saliency and edges: 15 from 0.2 to 0.9.
pub const THRESHOLDS: usize = 15;

fn threshold(i: usize) -> f32 {
    0.2 + 0.7 * i as f32 / (THRESHOLDS - 1) as f32
}

/// The largest, over thresholds, of the mean over images of the Jaccard index of what is salient.
#[derive(Clone, Debug, Default)]
pub struct SaliencyIou {
    sums: [f64; THRESHOLDS],
    images: u64,
}

impl SaliencyIou {
    /// Adds an image: a probability a pixel, and 0, 1 or [`IGNORE`]. Where nothing is salient and nothing is found, the
    /// index is 1.
    pub fn add(&mut self, found: &[f32], truth: &[u8]) {
        if truth.iter().all(|t| *t == IGNORE) {
            return;
        }
        self.images += 1;
        for (i, sum) in self.sums.iter_mut().enumerate() {
            let (mut both, mut either) = (0u64, 0u64);
            for (p, t) in found.iter().zip(truth).filter(|(_, t)| **t != IGNORE) {
                let (p, t) = (*p > threshold(i), *t == 1);
                both += u64::from(p && t);
                either += u64::from(p || t);
            }
            *sum += if either == 0 { 1.0 } else { both as f64 / either as f64 };
        }
    }

    /// The metric, 0 to 1; none of no images.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.images > 0)
            .then(|| self.sums.iter().fold(0.0, |best: f64, s| best.max(*s)) / self.images as f64)
    }
}

/// The mean angle between directions, in degrees, over pixels.
#[derive(Clone, Copy, Debug, Default)]
pub struct MeanAngle {
    sum: f64,
    pixels: u64,
}

impl MeanAngle {
    /// Adds an image: directions of any length, and true ones of length 1; zero does not count.
    pub fn add(&mut self, found: &[[f32; 3]], truth: &[[f32; 3]]) {
        for (f, t) in found.iter().zip(truth).filter(|(_, t)| **t != [0.0; 3]) {
            let dot = |a: &[f32; 3], b: &[f32; 3]| {
                a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
            };
            let lengths = (dot(f, f) * dot(t, t)).sqrt().max(1e-12);
            self.sum += (dot(f, t) / lengths).clamp(-1.0, 1.0).acos().to_degrees();
            self.pixels += 1;
        }
    }

    /// The metric; none of no pixels.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.pixels > 0).then(|| self.sum / self.pixels as f64)
    }
}

/// The root of the mean squared error of depths, over pixels.
#[derive(Clone, Copy, Debug, Default)]
pub struct DepthError {
    squares: f64,
    pixels: u64,
}

impl DepthError {
    /// Adds an image; a true depth of zero does not count.
    pub fn add(&mut self, found: &[f32], truth: &[f32]) {
        for (f, t) in found.iter().zip(truth).filter(|(_, t)| **t > 0.0) {
            self.squares += (f64::from(*f) - f64::from(*t)).powi(2);
            self.pixels += 1;
        }
    }

    /// The metric, in the unit of depths; none of no pixels.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.pixels > 0).then(|| (self.squares / self.pixels as f64).sqrt())
    }
}

/// The largest, over thresholds, of the F score of edges over the set, within a tolerance: a found pixel is right where a
/// true one is at most one pixel away on both axes, and a true one is found likewise. Not thinned: lower than the
/// benchmark's score of matched, thinned edges (Martin et al. 2004), and comparable among models only.
#[derive(Clone, Debug, Default)]
pub struct EdgeF {
    /// Found and right, found, true and found, true: by threshold.
    counts: [[u64; 4]; THRESHOLDS],
}

impl EdgeF {
    /// Adds an image of this width: a probability a pixel, and 0, 1 or [`IGNORE`].
    pub fn add(&mut self, found: &[f32], truth: &[u8], width: usize) {
        let near = wider(truth.iter().map(|t| *t == 1), width);
        for (i, [right, all, hit, edges]) in self.counts.iter_mut().enumerate() {
            let found: Vec<bool> = found.iter().map(|p| *p > threshold(i)).collect();
            let reached = wider(found.iter().copied(), width);
            for (pixel, t) in truth.iter().enumerate().filter(|(_, t)| **t != IGNORE) {
                *all += u64::from(found[pixel]);
                *right += u64::from(found[pixel] && near[pixel]);
                *edges += u64::from(*t == 1);
                *hit += u64::from(*t == 1 && reached[pixel]);
            }
        }
    }

    /// The metric, 0 to 1; none where there are no edges.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let f = |[right, all, hit, edges]: [u64; 4]| {
            let (precision, recall) = (right as f64 / all.max(1) as f64, hit as f64 / edges.max(1) as f64);
            if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
        };
        let some = self.counts[0][3] > 0;
        some.then(|| self.counts.iter().map(|c| f(*c)).fold(0.0, f64::max))
    }
}

/// What is set, and its neighbors.
fn wider(set: impl Iterator<Item = bool>, width: usize) -> Vec<bool> {
    let set: Vec<bool> = set.collect();
    let height = set.len() / width.max(1);
    let across: Vec<bool> = (0..set.len())
        .map(|i| set[i] || (i % width > 0 && set[i - 1]) || (i % width + 1 < width && set[i + 1]))
        .collect();
    (0..set.len())
        .map(|i| {
            across[i] || (i >= width && across[i - width]) || (i / width + 1 < height && across[i + width])
        })
        .collect()
}

/// A task's metric beside that of a model for this task alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// What was measured.
    pub value: f64,
    /// The same of the reference.
    pub reference: f64,
    /// Whether less is better.
    pub lower_is_better: bool,
}

/// The mean, over tasks, of how much better each is than its reference, in percent (Maninis et al. 2019); none of no
/// tasks.
#[must_use]
pub fn delta(tasks: &[Compared]) -> Option<f64> {
    let gain = |t: &Compared| {
        let gain = (t.value - t.reference) / t.reference;
        if t.lower_is_better { -gain } else { gain }
    };
    (!tasks.is_empty()).then(|| 100.0 * tasks.iter().map(gain).sum::<f64>() / tasks.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, want: f64) {
        let found = found.expect("a value");
        assert!((found - want).abs() < 1e-6, "{found}, not {want}");
    }

    /// The published rows of PASCAL-Context (Polyhistor's table 1), to the digit that their metrics leave.
    #[test]
    fn published_deltas() {
        let single = [67.21, 61.93, 62.35, 17.97];
        for (row, want) in [
            ([63.14, 52.37, 58.39, 20.89], -11.02),
            ([70.12, 57.73, 61.90, 18.96], -2.17),
            ([71.43, 60.73, 65.54, 17.77], 2.64),
            ([70.87, 59.54, 65.47, 17.47], 2.34),
            ([70.24, 59.12, 64.75, 17.40], 1.74),
        ] {
            let tasks: Vec<Compared> = row
                .iter()
                .zip(single)
                .enumerate()
                .map(|(i, (value, reference))| Compared { value: *value, reference, lower_is_better: i == 3 })
                .collect();
            let found = delta(&tasks).expect("tasks");
            assert!((found - want).abs() < 0.015, "{found}, not {want}");
        }
        assert_eq!(delta(&[]), None);
    }

    #[test]
    fn saliency_takes_the_best_threshold_of_the_mean() {
        let mut metric = SaliencyIou::default();
        assert_eq!(metric.value(), None);
        // Above 0.55 of the first image exactly what is salient; of the second, half of it at every threshold.
        metric.add(&[0.9, 0.6, 0.5, 0.1], &[1, 1, 0, 0]);
        metric.add(&[0.95, 0.0, 0.95, 0.0], &[1, 1, IGNORE, 0]);
        metric.add(&[0.5; 4], &[IGNORE; 4]);
        near(metric.value(), (1.0 + 0.5) / 2.0);
        let mut nothing = SaliencyIou::default();
        nothing.add(&[0.0; 4], &[0; 4]);
        near(nothing.value(), 1.0);
    }

    #[test]
    fn angles_are_in_degrees_of_any_length() {
        let mut metric = MeanAngle::default();
        assert_eq!(metric.value(), None);
        metric.add(
            &[[0.0, 0.0, 5.0], [0.0, 2.0, 2.0], [1.0, 0.0, 0.0]],
            &[[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [0.0; 3]],
        );
        near(metric.value(), 22.5);
    }

    #[test]
    fn depths_are_compared_where_there_are_any() {
        let mut metric = DepthError::default();
        assert_eq!(metric.value(), None);
        metric.add(&[1.0, 9.0, 5.0], &[4.0, 0.0, 1.0]);
        near(metric.value(), 12.5f64.sqrt());
    }

    #[test]
    fn edges_may_be_one_pixel_off() {
        let (width, mut truth) = (5, vec![0u8; 25]);
        (0..5).for_each(|y| truth[y * width + 2] = 1);
        let shifted = |by: usize| -> Vec<f32> {
            (0..25).map(|i| if i % width == 2 + by { 0.9 } else { 0.1 }).collect()
        };
        for (by, want) in [(0, 1.0), (1, 1.0), (2, 0.0)] {
            let mut metric = EdgeF::default();
            assert_eq!(metric.value(), None);
            metric.add(&shifted(by), &truth, width);
            near(metric.value(), want);
        }
        // Everywhere an edge: all are found, and three of five columns are right.
        let mut metric = EdgeF::default();
        metric.add(&[0.95; 25], &truth, width);
        near(metric.value(), 2.0 * 0.6 / 1.6);
        let mut ignored = EdgeF::default();
        ignored.add(&[0.9; 25], &[IGNORE; 25], width);
        assert_eq!(ignored.value(), None);
    }
}
