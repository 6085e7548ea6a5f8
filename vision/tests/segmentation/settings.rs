//! Settings that cannot be.
use nerve_vision::segmentation::HeadKind;

use crate::support::chosen;

#[test]
fn settings_that_contradict_each_other_are_refused_with_a_remedy() {
    let mut one = chosen("swin-tiny", HeadKind::UperNet, 1);
    assert!(one.validate().is_ok());
    one.train.batch = 1;
    let error = one.validate().expect_err("refused").to_string();
    assert!(error.contains("--batch is 1") && error.contains("upernet"), "{error}");
    one.model.head = HeadKind::SemanticFpn;
    assert!(one.validate().is_ok());
    // Its coarsest map is one cell then.
    one.augment.crop = [48, 32];
    assert!(one.validate().expect_err("refused").to_string().contains("crops below 64x64"));
    one.train.batch = 2;
    assert!(one.validate().is_ok());
    for seconds in [f64::INFINITY, 1e20, 0.0, f64::NAN] {
        one.train.run.save_every = seconds;
        assert!(one.validate().expect_err("refused").to_string().contains("--save-every"), "{seconds}");
    }
    one.train.run.save_every = 60.0;
    one.model.head_width = Some(0);
    assert!(one.validate().expect_err("refused").to_string().contains("--head-width"));
}
