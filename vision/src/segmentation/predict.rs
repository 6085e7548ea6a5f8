//! From an image to a class for every pixel.
use std::ops::AddAssign;

use ndarray::{Array2, Array3, ArrayView3};
use nerve_core::graph::{Device, Tensor, read};
use nerve_core::ops::resize::bilinear;
use nerve_core::ops::softmax::softmax;
use nerve_data::augment::Normalise;
use rayon::prelude::*;

use super::{Inference, SegmentationError, SemanticSegmenter};

/// The classes of an image's pixels.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// The likeliest class of each pixel, `[H, W]`.
    pub labels: Array2<u8>,
    /// How likely it is, `[H, W]`.
    pub confidence: Array2<f32>,
}

/// Segments an image `[H, W, 3]`, RGB of 8 bits: scores of every scale and flip become probabilities, which are averaged.
///
/// # Errors
/// If the image is too small for the model.
pub fn predict(
    segmenter: &dyn SemanticSegmenter,
    image: ArrayView3<'_, u8>,
    inference: &Inference,
) -> Result<Prediction, SegmentationError> {
    let (height, width, _) = image.dim();
    let found = probabilities(segmenter, image, inference)?;
    let found = found.as_slice().unwrap_or_default();
    Ok(likeliest(found, segmenter.classes(), [height, width]))
}

/// How likely each class is at each pixel of an image `[H, W, 3]`, RGB of 8 bits: `[H, W, classes]`.
///
/// # Errors
/// If the image is too small for the model.
pub fn probabilities(
    segmenter: &dyn SemanticSegmenter,
    image: ArrayView3<'_, u8>,
    inference: &Inference,
) -> Result<Array3<f32>, SegmentationError> {
    let (height, width, _) = image.dim();
    let image = normalised(image, &segmenter.normalise(), segmenter.device())?;
    let mut sum: Option<Vec<f32>> = None;
    for scale in &inference.scales {
        let size = [scaled(height, *scale), scaled(width, *scale)];
        let seen = if size == [height, width] { image.clone() } else { bilinear(&image, size, false)? };
        let mut views = vec![(seen.clone(), false)];
        if inference.flip {
            views.push((flip(&seen)?, true));
        }
        for (seen, flipped) in views {
            let scores = match inference.window {
                Some(window) if size.iter().any(|side| *side > window) => {
                    sliding(segmenter, &seen, window, inference.overlap)?
                }
                _ => bilinear(&segmenter.infer(&seen)?, size, false)?,
            };
            let scores =
                if size == [height, width] { scores } else { bilinear(&scores, [height, width], false)? };
            let scores = if flipped { flip(&scores)? } else { scores };
            let likely = softmax(&scores)?;
            let likely = read(&likely)?;
            match &mut sum {
                None => sum = Some(likely.to_vec()),
                Some(sum) => sum.iter_mut().zip(&*likely).for_each(|(s, p)| s.add_assign(p)),
            }
        }
    }
    let views = inference.scales.len() * if inference.flip { 2 } else { 1 };
    let mut sum = sum.unwrap_or_default();
    sum.iter_mut().for_each(|p| *p /= views as f32);
    let shape = (height, width, segmenter.classes());
    // There is one value per pixel and class.
    Ok(Array3::from_shape_vec(shape, sum).unwrap_or_else(|_| Array3::zeros(shape)))
}

/// The first of the likeliest classes, and how likely it is.
fn likeliest(likely: &[f32], classes: usize, [height, width]: [usize; 2]) -> Prediction {
    let best: Vec<(u8, f32)> = likely
        .par_chunks_exact(classes.max(1))
        .map(|p| {
            let first = (0u8, f32::NEG_INFINITY);
            p.iter().zip(0u8..).fold(first, |best, (p, k)| if *p > best.1 { (k, *p) } else { best })
        })
        .collect();
    let (labels, confidence): (Vec<u8>, Vec<f32>) = best.into_iter().unzip();
    let shape = (height, width);
    // There is one pair per pixel.
    Prediction {
        labels: Array2::from_shape_vec(shape, labels).unwrap_or_else(|_| Array2::zeros(shape)),
        confidence: Array2::from_shape_vec(shape, confidence).unwrap_or_else(|_| Array2::zeros(shape)),
    }
}

fn scaled(side: usize, scale: f64) -> usize {
    ((side as f64 * scale).round() as usize).max(1)
}

/// `(1, H, W, 3)`, as the backbone was trained with.
fn normalised(
    image: ArrayView3<'_, u8>,
    normalise: &Normalise,
    device: &Device,
) -> Result<Tensor, SegmentationError> {
    let (height, width, _) = image.dim();
    let values = normalise.image(image).into_iter().collect::<Vec<_>>();
    Ok(Tensor::from_vec(values, (1, height, width, 3), device)?)
}

/// Left and right exchanged.
fn flip(x: &Tensor) -> Result<Tensor, SegmentationError> {
    let (n, h, w, c) = x.dims4()?;
    let values = read(x)?;
    let mut out = Vec::with_capacity(values.len());
    for row in values.chunks_exact(w * c) {
        row.rchunks_exact(c).for_each(|pixel| out.extend_from_slice(pixel));
    }
    Ok(Tensor::from_vec(out, (n, h, w, c), x.device())?)
}

/// Scores of an image `(1, H, W, 3)`, averaged over overlapping windows.
fn sliding(
    segmenter: &dyn SemanticSegmenter,
    x: &Tensor,
    window: usize,
    overlap: f64,
) -> Result<Tensor, SegmentationError> {
    let (_, height, width, _) = x.dims4()?;
    let (h, w) = (window.min(height), window.min(width));
    let step = ((window as f64 * (1.0 - overlap)).round() as usize).max(1);
    let classes = segmenter.classes();
    let mut sum = vec![0.0; height * width * classes];
    let mut count = vec![0.0f32; height * width];
    for y in starts(height, h, step) {
        for x0 in starts(width, w, step) {
            let part = x.narrow(1, y, h)?.narrow(2, x0, w)?.contiguous()?;
            let scores = bilinear(&segmenter.infer(&part)?, [h, w], false)?;
            let scores = read(&scores)?;
            for (i, row) in scores.chunks_exact(w * classes).enumerate() {
                let at = (y + i) * width + x0;
                let to = &mut sum[at * classes..(at + w) * classes];
                to.iter_mut().zip(row).for_each(|(s, v)| *s += v);
                count[at..at + w].iter_mut().for_each(|n| *n += 1.0);
            }
        }
    }
    sum.chunks_exact_mut(classes).zip(count).for_each(|(s, n)| s.iter_mut().for_each(|s| *s /= n));
    Ok(Tensor::from_vec(sum, (1, height, width, classes), x.device())?)
}

/// Where windows begin: `step` apart, the last one at the end.
fn starts(side: usize, window: usize, step: usize) -> Vec<usize> {
    let last = side - window;
    let mut all: Vec<usize> = (0..last).step_by(step).collect();
    all.push(last);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_reach_both_ends() {
        assert_eq!(starts(100, 100, 50), [0]);
        assert_eq!(starts(100, 60, 30), [0, 30, 40]);
        assert_eq!(starts(120, 60, 30), [0, 30, 60]);
    }

    #[test]
    fn flipping_twice_changes_nothing() {
        let x = Tensor::from_vec((0..12).map(|i| i as f32).collect(), (1, 2, 3, 2), &Device::Cpu).expect("x");
        let once = flip(&x).expect("flipped");
        assert_eq!(&read(&once).expect("values")[..6], [4.0, 5.0, 2.0, 3.0, 0.0, 1.0]);
        let twice = flip(&once).expect("flipped");
        assert_eq!(&*read(&twice).expect("values"), &*read(&x).expect("values"));
    }

    #[test]
    fn the_first_of_equals_wins() {
        let found = likeliest(&[0.25, 0.5, 0.25, 0.5, 0.1, 0.5], 3, [1, 2]);
        assert_eq!(found.labels.as_slice(), Some(&[1u8, 0][..]));
        assert_eq!(found.confidence.as_slice(), Some(&[0.5f32, 0.5][..]));
    }
}
