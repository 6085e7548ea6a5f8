//! From an image to what every task says of it.
use ndarray::{Array2, ArrayView3};
use nerve_core::graph::{Tensor, read};
use nerve_core::ops::resize::bilinear;
use nerve_data::augment::Normalise;
use nerve_data::tasks::DenseTask;

use super::{Served, TasksError};

/// A task's prediction of an image, `[H, W]`.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskPrediction {
    /// The likeliest class.
    Classes(Array2<u8>),
    /// How likely a pixel is salient or an edge.
    Probability(Array2<f32>),
    /// Directions of unit length.
    Normals(Array2<[f32; 3]>),
    /// Depths.
    Depth(Array2<f32>),
}

/// Predicts for an image `[H, W, 3]`, RGB of 8 bits: one prediction a task, in their order, at the image's size.
///
/// # Errors
/// If the image is too small for the model.
pub fn predict(served: &Served<'_>, image: ArrayView3<'_, u8>) -> Result<Vec<TaskPrediction>, TasksError> {
    let (height, width, _) = image.dim();
    let values = Normalise::default().image(image).into_iter().collect::<Vec<_>>();
    let images = Tensor::from_vec(values, (1, height, width, 3), served.device())?;
    let outputs = served.infer(&images)?;
    let tasks = served.tasks().iter().zip(outputs);
    tasks
        .map(|(task, output)| {
            let output = bilinear(&output, [height, width], false)?;
            let channels = task.outputs();
            let values = read(&output)?.to_vec();
            Ok(prediction(task.task, &values, channels, (height, width)))
        })
        .collect()
}

fn prediction(task: DenseTask, values: &[f32], channels: usize, size: (usize, usize)) -> TaskPrediction {
    let pixel = |(y, x): (usize, usize)| {
        let at = (y * size.1 + x) * channels;
        &values[at..at + channels]
    };
    match task {
        DenseTask::Semseg | DenseTask::Parts => TaskPrediction::Classes(Array2::from_shape_fn(size, |at| {
            let first = (0u8, f32::NEG_INFINITY);
            let best = pixel(at).iter().zip(0u8..);
            best.fold(first, |best, (v, class)| if *v > best.1 { (class, *v) } else { best }).0
        })),
        DenseTask::Saliency | DenseTask::Edges => {
            TaskPrediction::Probability(Array2::from_shape_fn(size, |at| 1.0 / (1.0 + (-pixel(at)[0]).exp())))
        }
        DenseTask::Normals => TaskPrediction::Normals(Array2::from_shape_fn(size, |at| {
            let p = pixel(at);
            let length = p.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            [p[0] / length, p[1] / length, p[2] / length]
        })),
        DenseTask::Depth => TaskPrediction::Depth(Array2::from_shape_fn(size, |at| pixel(at)[0])),
    }
}
