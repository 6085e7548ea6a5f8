//! What tasks say of an image, as pictures side by side.
use ndarray::{Array2, Array3, ArrayView3, s};
use nerve_data::labels::IGNORE;
use nerve_data::labels::picture::overlay;
use nerve_data::tasks::TaskLabel;

use super::{TaskPrediction, TaskSpec};

/// Colors of what has none.
const NOTHING: u8 = 40;

/// A prediction as a picture: classes over the image, probabilities in gray, directions as `(n + 1) / 2`, depths from near
/// (bright) to far.
#[must_use]
pub fn picture(task: &TaskSpec, image: ArrayView3<'_, u8>, prediction: &TaskPrediction) -> Array3<u8> {
    match prediction {
        TaskPrediction::Classes(labels) => overlay(image, labels.view(), &task.classes),
        TaskPrediction::Probability(values) => gray(&values.mapv(Some)),
        TaskPrediction::Normals(values) => normals(values),
        TaskPrediction::Depth(values) => depth(values),
    }
}

/// The data's labels in the same way.
#[must_use]
pub fn truth_picture(task: &TaskSpec, image: ArrayView3<'_, u8>, label: &TaskLabel) -> Array3<u8> {
    match label {
        TaskLabel::Classes(labels) if task.classes.is_empty() => {
            gray(&labels.mapv(|v| (v != IGNORE).then(|| f32::from(v))))
        }
        TaskLabel::Classes(labels) => overlay(image, labels.view(), &task.classes),
        TaskLabel::Normals(values) => normals(values),
        TaskLabel::Depth(values) => depth(values),
    }
}

fn gray(values: &Array2<Option<f32>>) -> Array3<u8> {
    let (height, width) = values.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, _)| {
        values[[y, x]].map_or(NOTHING, |v| (v.clamp(0.0, 1.0) * 255.0).round() as u8)
    })
}

fn normals(values: &Array2<[f32; 3]>) -> Array3<u8> {
    let (height, width) = values.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
        let n = values[[y, x]];
        if n == [0.0; 3] { NOTHING } else { ((n[c] * 0.5 + 0.5).clamp(0.0, 1.0) * 255.0).round() as u8 }
    })
}

fn depth(values: &Array2<f32>) -> Array3<u8> {
    let seen = values.iter().copied().filter(|d| *d > 0.0);
    let (low, high) = seen.fold((f32::INFINITY, 0.0f32), |(low, high), d| (low.min(d), high.max(d)));
    let span = (high - low).max(1e-6);
    gray(&values.mapv(|d| (d > 0.0).then(|| 1.0 - 0.9 * (d - low) / span)))
}

/// Pictures of one size beside each other.
#[must_use]
pub fn montage(pictures: &[Array3<u8>]) -> Array3<u8> {
    let Some((height, width, _)) = pictures.first().map(Array3::dim) else { return Array3::zeros((0, 0, 3)) };
    let mut whole = Array3::zeros((height, width * pictures.len(), 3));
    for (i, picture) in pictures.iter().enumerate() {
        if picture.dim() == (height, width, 3) {
            whole.slice_mut(s![.., i * width..(i + 1) * width, ..]).assign(picture);
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_data::tasks::DenseTask;

    #[test]
    fn pictures_stand_side_by_side() {
        let task = TaskSpec { task: DenseTask::Depth, classes: Vec::new() };
        let image = Array3::from_elem((2, 3, 3), 9u8);
        let depths = TaskPrediction::Depth(ndarray::array![[1.0, 3.0, 0.0], [2.0, 2.0, 2.0]]);
        let near = picture(&task, image.view(), &depths);
        assert_eq!((near[[0, 0, 0]], near[[0, 1, 0]], near[[0, 2, 0]]), (255, 26, NOTHING));
        let both = montage(&[image.clone(), near.clone()]);
        assert_eq!(both.dim(), (2, 6, 3));
        assert!(both.slice(s![.., 3.., ..]) == near && both[[1, 2, 2]] == 9);
        let edges = TaskSpec { task: DenseTask::Edges, classes: Vec::new() };
        let label = TaskLabel::Classes(ndarray::array![[1, 0, IGNORE], [0, 0, 1]]);
        let shown = truth_picture(&edges, image.view(), &label);
        assert_eq!((shown[[0, 0, 1]], shown[[0, 1, 1]], shown[[0, 2, 1]]), (255, 0, NOTHING));
        let up = TaskPrediction::Normals(Array2::from_elem((2, 3), [0.0, 1.0, 0.0]));
        let normals = TaskSpec { task: DenseTask::Normals, classes: Vec::new() };
        assert_eq!(picture(&normals, image.view(), &up)[[0, 0, 1]], 255);
    }
}
