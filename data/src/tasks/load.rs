//! Decoding an image and its labels.
use ndarray::{Array2, Array3};

use super::{DenseTask, TaskFiles, TaskSet, edges_of};
use crate::labels::{IGNORE, LabelError, Pair, rgb};

/// A task's labels of an image, `[H, W]`, rows from the top.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskLabel {
    /// Class numbers, or [`IGNORE`]: of saliency and edges 0 and 1.
    Classes(Array2<u8>),
    /// Directions of unit length; zero is ignored.
    Normals(Array2<[f32; 3]>),
    /// Depths; zero is ignored.
    Depth(Array2<f32>),
}

impl TaskLabel {
    /// Height and width.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Classes(labels) => labels.dim(),
            Self::Normals(labels) => labels.dim(),
            Self::Depth(labels) => labels.dim(),
        }
    }

    /// Labels of a task that are all ignored.
    #[must_use]
    pub fn ignored(task: DenseTask, size: (usize, usize)) -> Self {
        match task {
            DenseTask::Normals => Self::Normals(Array2::from_elem(size, [0.0; 3])),
            DenseTask::Depth => Self::Depth(Array2::zeros(size)),
            _ => Self::Classes(Array2::from_elem(size, IGNORE)),
        }
    }
}

/// An image and its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSample {
    /// `[H, W, 3]`, RGB of 8 bits.
    pub image: Array3<u8>,
    /// One a task, in the order of the set's.
    pub labels: Vec<TaskLabel>,
}

impl TaskSet {
    /// Decodes an image and its labels.
    ///
    /// # Errors
    /// If a file cannot be read, or the labels have another size than the image.
    pub fn load(&self, files: &TaskFiles) -> Result<TaskSample, LabelError> {
        if let (Some(set), Some(Some(mask))) = (&self.labels, files.labels.first()) {
            let pair = Pair { image: files.image.clone(), mask: mask.clone() };
            let labelled = set.load(&pair)?;
            let label = |task| {
                TaskLabel::Classes(match task {
                    DenseTask::Edges => edges_of(&labelled.mask),
                    _ => labelled.mask.clone(),
                })
            };
            let labels = self.tasks.iter().map(|labels| label(labels.task)).collect();
            return Ok(TaskSample { labels, image: labelled.image });
        }
        let image = rgb(&files.image)?;
        let size = (image.dim().0, image.dim().1);
        let mut labels = Vec::new();
        for (task, path) in self.tasks.iter().zip(&files.labels) {
            let Some(path) = path else {
                labels.push(TaskLabel::ignored(task.task, size));
                continue;
            };
            let label = task.reader.read(path)?;
            if label.size() != size {
                let wide = |(height, width): (usize, usize)| (width as u32, height as u32);
                return Err(LabelError::Size {
                    image: files.image.clone(),
                    mask: path.clone(),
                    image_size: wide(size),
                    mask_size: wide(label.size()),
                });
            }
            labels.push(label);
        }
        Ok(TaskSample { image, labels })
    }
}
