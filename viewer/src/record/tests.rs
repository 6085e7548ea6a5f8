#![allow(clippy::unwrap_used)]
use super::*;

fn view(name: &str, held_out: bool) -> View {
    View {
        name: name.into(),
        held_out,
        pose: [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]],
        resolution: [4.0, 4.0],
        focal: [4.0; 2],
        principal: [2.0; 2],
        photo: None,
    }
}

#[test]
fn names_lose_their_folders_where_that_is_unambiguous() {
    let views = [view("train/r_0", false), view("test/r_0", true), view("a/1", false), view("b/1", false)];
    assert_eq!(short_names(&views), ["r_0", "r_0", "a 1", "b 1"]);
}

#[test]
fn errors_are_known_once_truth_and_prediction_are_and_unclassed_pixels_are_none() {
    let labelled = |labels: &[u16]| Labelled { width: 3, height: 1, labels: labels.into() };
    let mut known = Known::default();
    known.classes = 3;
    assert!(known.compare("a", LabelRole::Prediction, labelled(&[0, 1, 2])).is_none());
    assert!(known.compare("b", LabelRole::GroundTruth, labelled(&[0, 1, 2])).is_none());
    let errors = known.compare("a", LabelRole::GroundTruth, labelled(&[0, 2, 255])).unwrap();
    assert_eq!(errors.verdicts, [Some(true), Some(false), None]);
    assert_eq!(known.names(), ["a", "b"]);
    let other = Labelled { width: 1, height: 3, labels: [0, 1, 2].into() };
    assert!(known.compare("a", LabelRole::Prediction, other).is_none(), "another size cannot be compared");
}
