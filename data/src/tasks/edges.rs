//! Edges of classes.
use ndarray::Array2;

use crate::labels::IGNORE;

/// Where classes meet: 1 in a pixel whose right or lower neighbor has another class, ignored where either is ignored, 0
/// elsewhere. Edges are one pixel wide.
#[must_use]
pub fn edges_of(classes: &Array2<u8>) -> Array2<u8> {
    let (height, width) = classes.dim();
    Array2::from_shape_fn((height, width), |(y, x)| {
        let own = classes[[y, x]];
        let right = classes[[y, (x + 1).min(width - 1)]];
        let below = classes[[(y + 1).min(height - 1), x]];
        if [own, right, below].contains(&IGNORE) { IGNORE } else { u8::from(own != right || own != below) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_where_classes_meet() {
        let classes = ndarray::array![[1, 1, 2], [1, 1, 2], [3, 3, 255]];
        assert_eq!(edges_of(&classes), ndarray::array![[0, 1, 0], [1, 1, 255], [0, 255, 255]]);
    }
}
