//! CamVid itself, where it is.

use crate::labels::{IGNORE, LabelFormat, LabelSet, inspect};
use crate::testing::real_data;

#[test]
fn camvid() {
    let Some(folder) = real_data("camvid", "camvid") else { return };
    let set = LabelSet::open(&folder).unwrap();
    assert_eq!((set.format, set.classes.len()), (LabelFormat::CamVid, 11));
    let train = set.split("train").unwrap();
    assert_eq!((train.pairs.len(), set.split("val").unwrap().pairs.len()), (367, 101));
    assert!(train.missing.is_empty() && train.unlabelled.is_empty());
    let labelled = set.load(&train.pairs[0]).unwrap();
    assert_eq!((labelled.image.dim(), labelled.mask.dim()), ((360, 480, 3), (360, 480)));
    assert!(labelled.mask.iter().all(|&class| class < 11 || class == IGNORE));

    let report = inspect(&set, &|_, _| ());
    // Counted by NumPy.
    let pixels: Vec<u64> = report.splits[1].classes.iter().map(|class| class.pixels).collect();
    assert_eq!(
        pixels,
        [
            1_601_620, 4_531_180, 98_499, 5_053_176, 1_521_751, 2_851_125, 155_724, 537_197, 304_716,
            113_531, 387_010
        ]
    );
    assert_eq!(report.splits[1].ignored, 297_271);
    assert_eq!(report.problems, [], "{report}");
}
