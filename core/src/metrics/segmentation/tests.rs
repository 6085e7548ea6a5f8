#![allow(clippy::unwrap_used)]
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    tolerance: f64,
    images: Vec<Image>,
    confusion: Vec<u64>,
    iou: Vec<Option<f64>>,
    precision: Vec<Option<f64>>,
    recall: Vec<Option<f64>>,
    dice: Vec<Option<f64>>,
    boundary_f: Vec<Option<f64>>,
    #[serde(rename = "aAcc")]
    all_accuracy: f64,
    #[serde(rename = "mIoU")]
    mean_iou: f64,
    #[serde(rename = "mAcc")]
    mean_accuracy: f64,
    #[serde(rename = "mDice")]
    mean_dice: f64,
    #[serde(rename = "mBF")]
    mean_boundary_f: f64,
}

#[derive(Deserialize)]
struct Image {
    width: usize,
    prediction: String,
    truth: String,
}

/// A letter a pixel, `.` is ignored.
fn labels(text: &str) -> Vec<u8> {
    text.bytes().map(|letter| if letter == b'.' { IGNORE } else { letter - b'A' }).collect()
}

fn close(name: &str, mine: Option<f64>, other: Option<f64>) {
    match (mine, other) {
        (Some(mine), Some(other)) => assert!((mine - other).abs() < 1e-9, "{name}: {mine} and {other}"),
        (mine, other) => assert_eq!(mine, other, "{name}"),
    }
}

/// The values come from torchmetrics, scikit-learn and SciPy, by `tests/fixtures/segmentation.py`.
#[test]
fn equal_to_other_implementations() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../../tests/fixtures/segmentation.json")).unwrap();
    assert!(cases.iter().any(|case| case.iou.contains(&None)));
    for case in &cases {
        let mut confusion = Confusion::new(case.classes).unwrap();
        let mut boundaries = Boundaries::new(case.classes, case.tolerance).unwrap();
        // One by one and backwards, merged: no order matters.
        for image in case.images.iter().rev() {
            let (prediction, truth) = (labels(&image.prediction), labels(&image.truth));
            let mut one = Confusion::new(case.classes).unwrap();
            one.add(&prediction, &truth).unwrap();
            confusion.merge(&one).unwrap();
            let mut one = Boundaries::new(case.classes, case.tolerance).unwrap();
            one.add(&prediction, &truth, image.width).unwrap();
            boundaries.merge(&one).unwrap();
        }
        assert_eq!(confusion.counts(), case.confusion, "{}", case.name);
        let scores = Scores::new(&[], &confusion, Some(&boundaries)).unwrap();
        for (i, class) in scores.classes.iter().enumerate() {
            let name = format!("{}, class {i}", case.name);
            close(&name, class.iou, case.iou[i]);
            close(&name, class.precision, case.precision[i]);
            close(&name, class.recall, case.recall[i]);
            close(&name, class.dice, case.dice[i]);
            close(&name, class.boundary_f, case.boundary_f[i]);
        }
        close(&case.name, scores.all_accuracy, Some(case.all_accuracy));
        close(&case.name, scores.mean_iou, Some(case.mean_iou));
        close(&case.name, scores.mean_accuracy, Some(case.mean_accuracy));
        close(&case.name, scores.mean_dice, Some(case.mean_dice));
        close(&case.name, scores.mean_boundary_f, Some(case.mean_boundary_f));

        let mut forwards = Boundaries::new(case.classes, case.tolerance).unwrap();
        for image in &case.images {
            forwards.add(&labels(&image.prediction), &labels(&image.truth), image.width).unwrap();
        }
        assert_eq!(forwards, boundaries, "{}: to the bit, in any order", case.name);
    }
}

#[test]
fn by_hand() {
    let mut confusion = Confusion::new(3).unwrap();
    confusion.add(&labels("AABBC"), &labels("ABBB.")).unwrap();
    assert_eq!(confusion.counts(), [1, 0, 0, 1, 2, 0, 0, 0, 0]);
    let names = ["sky, blue".to_owned(), "tree".to_owned()];
    let scores = Scores::new(&names, &confusion, None).unwrap();
    assert_eq!((scores.pixels, scores.all_accuracy), (4, Some(0.75)));
    assert_eq!(scores.mean_iou, Some((0.5 + 2.0 / 3.0) / 2.0), "class 2 is in neither map that counts");
    assert_eq!((scores.classes[2].iou, scores.classes[2].boundary_f), (None, None));
    assert_eq!(
        confusion.to_csv(&names),
        "truth \\ prediction,\"sky, blue\",tree,2\n\"sky, blue\",1,0,0\ntree,1,2,0\n2,0,0,0\n"
    );
    let json = serde_json::to_value(&scores).unwrap();
    assert_eq!(
        (&json["mIoU"], &json["classes"][2]["iou"]),
        (&scores.mean_iou.into(), &serde_json::Value::Null)
    );
    assert_eq!(serde_json::from_value::<Scores>(json).unwrap(), scores);

    let empty = Scores::new(&[], &Confusion::new(2).unwrap(), None).unwrap();
    assert_eq!((empty.pixels, empty.all_accuracy, empty.mean_iou), (0, None, None));
}

#[test]
fn boundaries_by_hand() {
    // Class 0 ends in column 1, its prediction in column 2; class 1 begins a column on: all are a pixel apart.
    let (prediction, truth) = (labels("AAABAAAB"), labels("AABBAABB"));
    let diagonal = 20f64.sqrt();
    let f = |tolerance: f64| boundary_f(&prediction, &truth, 4, 3, tolerance / diagonal).unwrap();
    assert_eq!(f(0.5), [Some(0.0), Some(0.0), None]);
    assert_eq!(f(1.5), [Some(1.0), Some(1.0), None]);
    assert_eq!(boundary_f(&truth, &truth, 4, 2, TOLERANCE).unwrap(), [Some(1.0); 2]);
    let whole = labels("AAAAAAAA");
    assert_eq!(boundary_f(&whole, &truth, 4, 2, 1.0).unwrap(), [Some(0.0); 2], "no boundary to meet");
    assert_eq!(boundary_f(&whole, &whole, 4, 2, 1.0).unwrap(), [None; 2], "the image's edge is none");
    let unknown = labels("AA.BAA.B");
    assert_eq!(boundary_f(&prediction, &unknown, 4, 2, 1.0).unwrap(), [None; 2], "nor is the unknown's");
}

#[test]
fn maps_that_cannot_be_compared() {
    let mut confusion = Confusion::new(2).unwrap();
    let mut boundaries = Boundaries::new(2, TOLERANCE).unwrap();
    let before = (confusion.clone(), boundaries.clone());
    for (prediction, truth, part) in [
        ("AB", "AAA", "got 2 predicted and 3 true labels, expected 3"),
        ("AAB", "ACB", "the truth has label 2 at pixel 1, but there are 2 classes, 0 to 1"),
        ("AAC", "A.B", "the prediction has label 2 at pixel 2"),
        ("A.B", "AAB", "the prediction has label 255 at pixel 1"),
    ] {
        let (prediction, truth) = (labels(prediction), labels(truth));
        let error = confusion.add(&prediction, &truth).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!(boundaries.add(&prediction, &truth, 3).unwrap_err(), error);
    }
    assert!(matches!(boundaries.add(&[0; 5], &[0; 5], 3), Err(LabelMetricError::Length { expected: 3, .. })));
    assert_eq!((&confusion, &boundaries), (&before.0, &before.1), "nothing was added");
    for classes in [0, 256] {
        assert_eq!(Confusion::new(classes), Err(LabelMetricError::Classes(classes)));
        assert_eq!(Boundaries::new(classes, 0.1), Err(LabelMetricError::Classes(classes)));
    }
    for tolerance in [0.0, -0.1, 1.01, f64::NAN] {
        assert!(matches!(Boundaries::new(2, tolerance), Err(LabelMetricError::Tolerance(_))));
        assert!(boundary_f(&[0], &[0], 1, 2, tolerance).is_err());
    }
    let differs = |result: Result<(), LabelMetricError>| {
        assert!(matches!(result, Err(LabelMetricError::Differ { .. })), "{result:?}");
    };
    differs(confusion.merge(&Confusion::new(3).unwrap()));
    differs(boundaries.merge(&Boundaries::new(3, TOLERANCE).unwrap()));
    differs(boundaries.merge(&Boundaries::new(2, 0.1).unwrap()));
    differs(Scores::new(&[], &confusion, Some(&Boundaries::new(3, 0.1).unwrap())).map(|_| ()));
    differs(Scores::new(&["a".into(), "b".into(), "c".into()], &confusion, None).map(|_| ()));
}
