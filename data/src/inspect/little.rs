//! Too little to train on, or to measure: known before anything is trained.

use crate::problem::{DataProblem, Severity, first_few};
use crate::scene::Outline;

/// The side of SSIM's window: of smaller pictures it is not defined, and they show nothing.
pub const SMALLEST_SIDE: u32 = 11;
/// Fewer photographs show too little from too few sides to find depth everywhere.
const FEW: usize = 4;

/// What a scene has too little of, as it would be loaded: photographs to train on, and pixels in them. Of severity
/// [`Error`](Severity::Error) where training cannot give anything.
pub fn too_little(outline: &Outline) -> Vec<DataProblem> {
    let mut problems = Vec::new();
    let mut add = |severity, what: String, remedy: &str| {
        problems.push(DataProblem { severity, what, remedy: remedy.to_owned() });
    };
    let (train, held_out) = (&outline.splits.train, outline.splits.eval());
    let beside = match held_out.len() {
        0 => String::new(),
        n => format!(" ({n} more held out)"),
    };
    if train.len() == 1 {
        let what =
            format!("there is one photograph to train on{beside}, which shows nothing in three dimensions");
        add(
            Severity::Error,
            what,
            "take 20 or more, from different places, each overlapping with the next by two thirds",
        );
    } else if (2..FEW).contains(&train.len()) {
        let what = format!("there are only {} photographs to train on{beside}", train.len());
        add(
            Severity::Warning,
            what,
            "20 or more are usual: what fewer do not show from two sides is guessed",
        );
    }
    let is_small = |view: &&usize| {
        let lens = &outline.views[**view].camera.intrinsics;
        lens.width.min(lens.height) < SMALLEST_SIDE
    };
    for (of, views) in [("trained on", &train[..]), ("held out", held_out)] {
        let small: Vec<String> =
            views.iter().filter(is_small).map(|view| outline.views[*view].name.clone()).collect();
        let (count, names) = (small.len(), first_few(&small));
        if count == 0 {
            continue;
        }
        let (severity, what) = if count == views.len() {
            let what = format!(
                "all photographs that are {of} have fewer than {SMALLEST_SIDE} pixels on a side: {names}"
            );
            (Severity::Error, what)
        } else {
            let what = format!(
                "{count} of {} photographs that are {of} have fewer than {SMALLEST_SIDE} pixels on a side: {names}",
                views.len()
            );
            (Severity::Warning, what)
        };
        let remedy = match of {
            "held out" => {
                "are they thumbnails? replace or remove them, or use a smaller --downscale; they have no SSIM"
            }
            _ => "are they thumbnails? replace or remove them, or use a smaller --downscale",
        };
        add(severity, what, remedy);
    }
    problems.sort_by_key(|problem| problem.severity);
    problems
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use nalgebra::Point3;
    use serde_json::json;

    use super::*;
    use crate::scene::{LoadOptions, outline};
    use crate::testing::{ngp_scene, orbit, picture};

    /// Of so many photographs of 32 x 24 pixels, some of them thumbnails: severities and texts.
    fn found(count: usize, thumbnails: &[usize], downscale: u32) -> Vec<(Severity, String)> {
        let folder = tempfile::tempdir().unwrap();
        ngp_scene(folder.path(), &orbit(count, 3.0, Point3::origin()), |json| {
            json["camera_angle_x"] = json!(0.9);
            for field in ["w", "h", "fl_x", "fl_y"] {
                json.as_object_mut().unwrap().remove(field);
            }
        });
        for i in 0..count {
            let (width, height) = if thumbnails.contains(&i) { (8, 6) } else { (32, 24) };
            picture(&folder.path().join(format!("images/{i:02}.png")), width, height, i as u8);
        }
        let options = LoadOptions { downscale, ..LoadOptions::default() };
        let problems = too_little(&outline(folder.path(), &options).unwrap());
        problems.into_iter().map(|p| (p.severity, format!("{}; {}", p.what, p.remedy))).collect()
    }

    #[test]
    fn too_few_photographs_are_named_before_training() {
        assert_eq!(found(6, &[], 1), []);
        for (count, severity, part) in [
            (1, Severity::Error, "one photograph to train on, which"),
            (2, Severity::Error, "one photograph to train on (1 more held out)"),
            (4, Severity::Warning, "only 3 photographs to train on (1 more held out)"),
        ] {
            let [(found, text)] = &found(count, &[], 1)[..] else { panic!("{count}") };
            assert!(*found == severity && text.contains(part), "{count}: {text}");
        }
    }

    #[test]
    fn pictures_too_small_for_ssim_are_named() {
        let all: Vec<usize> = (0..6).collect();
        let [(a, train), (b, test)] = &found(6, &all, 1)[..] else { panic!("two problems") };
        assert_eq!([*a, *b], [Severity::Error; 2]);
        assert!(train.contains("all photographs that are trained on") && test.contains("are held out"));
        assert!(found(6, &[], 3).iter().all(|(s, _)| *s == Severity::Error), "downscaled to 10 x 8");
        assert_eq!(found(6, &[], 2), []);
        let [(severity, text)] = &found(6, &[2, 3], 1)[..] else { panic!("one problem") };
        assert_eq!(*severity, Severity::Warning);
        assert!(
            text.contains("2 of 5 photographs") && text.contains("images/02.png, images/03.png"),
            "{text}"
        );
        let [(severity, text)] = &found(9, &[8], 1)[..] else { panic!("one problem") };
        assert!(
            *severity == Severity::Warning && text.contains("1 of 2") && text.contains("no SSIM"),
            "{text}"
        );
    }
}
