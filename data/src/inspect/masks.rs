//! Decoding masks and depth maps: whether they fit their images, and how many pixels they leave.

use nalgebra::Point3;
use rayon::prelude::*;
use serde::Serialize;

use super::objects::{are_objects, encloses, target};
use crate::problem::{DataProblem, Severity, first_few, with_causes};
use crate::scene::{MaskUse, Outline, OutlinedView};

/// What decoding the masks and depth maps of a scene found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MaskReport {
    /// Fraction of the masked images' pixels that are used; 1 without masks.
    pub kept: f64,
    /// Fraction of the depth maps' pixels whose depth is known; 1 without depth maps.
    pub known: f64,
    /// Number of views whose mask encloses what all cameras look at and takes the rest out.
    pub enclosing: usize,
    /// Whether that is what the capture's masks do: cut out an object.
    pub objects: bool,
    /// Whether what they take out is taken for [empty](MaskUse::Empty).
    pub as_empty: bool,
    /// Number of training views in which the mask leaves some pixels.
    pub learnt: usize,
    /// Images in which the mask leaves no pixel.
    pub emptied: Vec<String>,
    /// Images whose depth map has no known depth.
    pub unknown: Vec<String>,
    /// Masks and depth maps that cannot be used: the image's name, and why.
    pub damaged: Vec<[String; 2]>,
}

/// The result for one view: how many of how many pixels are used, or have a known depth.
#[derive(Default)]
struct Counted {
    mask: Option<[usize; 2]>,
    depth: Option<[usize; 2]>,
    encloses: bool,
    damaged: Vec<String>,
}

impl MaskReport {
    /// Decodes all masks and depth maps, in parallel on the current rayon pool.
    pub fn measure(outline: &Outline) -> Self {
        let target = target(outline.views.iter().map(|view| &view.camera));
        let counted: Vec<Counted> =
            outline.views.par_iter().map(|view| count(view, target.as_ref())).collect();
        let enclosing = counted.iter().filter(|c| c.encloses).count();
        let share = |of: fn(&Counted) -> Option<[usize; 2]>| {
            let sum = counted.iter().filter_map(of).fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
            if sum[1] == 0 { 1.0 } else { sum[0] as f64 / sum[1] as f64 }
        };
        let none = |of: fn(&Counted) -> Option<[usize; 2]>| -> Vec<String> {
            let views = outline.views.iter().zip(&counted);
            let empty = views.filter(|(_, c)| of(c).is_some_and(|[some, _]| some == 0));
            empty.map(|(view, _)| view.name.clone()).collect()
        };
        let damaged = outline
            .views
            .iter()
            .zip(&counted)
            .flat_map(|(view, c)| c.damaged.iter().map(|reason| [view.name.clone(), reason.clone()]));
        let learnt =
            |view: &&usize| counted.get(**view).is_some_and(|c| c.mask.is_none_or(|[some, _]| some > 0));
        Self {
            enclosing,
            objects: are_objects(enclosing, outline.views.len()),
            as_empty: outline.views.iter().any(|v| v.mask.is_some() && v.masks == MaskUse::Empty),
            learnt: outline.splits.train.iter().filter(learnt).count(),
            kept: share(|c| c.mask),
            known: share(|c| c.depth),
            emptied: none(|c| c.mask),
            unknown: none(|c| c.depth),
            damaged: damaged.collect(),
        }
    }

    /// The problems that these results show.
    pub(super) fn problems(&self) -> Vec<DataProblem> {
        let mut problems = Vec::new();
        let mut add = |severity, what: String, remedy: &str| {
            problems.push(DataProblem { severity, what, remedy: remedy.to_owned() });
        };
        if let Some([name, reason]) = self.damaged.first() {
            let what = match self.damaged.len() {
                1 => format!("the mask or depth map of {name} cannot be used: {reason}"),
                n => format!("{n} masks or depth maps cannot be used, the first is that of {name}: {reason}"),
            };
            add(Severity::Error, what, "write them again, or remove them from the scene's files");
        }
        if !self.emptied.is_empty() {
            let severity = if self.learnt == 0 { Severity::Error } else { Severity::Warning };
            let what = format!(
                "masks leave no pixel of {} images: {}",
                self.emptied.len(),
                first_few(&self.emptied)
            );
            add(severity, what, "black pixels are not used: invert the masks if white is to be left out");
        }
        if self.objects && !self.as_empty {
            let what = format!(
                "the masks of {} views enclose what all cameras look at: they cut out an object, and what is outside of \
                 them is ignored",
                self.enclosing
            );
            let remedy = "--masks empty learns that there is nothing outside; without it nothing opposes fog around the \
                object";
            add(Severity::Warning, what, remedy);
        }
        if self.as_empty && !self.objects {
            let what = format!(
                "--masks empty, but the masks of only {} views enclose what all cameras look at",
                self.enclosing
            );
            add(Severity::Warning, what, "leave it out if the masks hide what moved, or the sky");
        }
        if !self.unknown.is_empty() {
            let what = format!(
                "{} depth maps have no known depth: {}",
                self.unknown.len(),
                first_few(&self.unknown)
            );
            add(Severity::Warning, what, "check their values: 0, negative numbers and NaN mean unknown");
        }
        problems
    }
}

fn count(view: &OutlinedView, target: Option<&Point3<f64>>) -> Counted {
    let mut counted = Counted::default();
    match view.load_mask() {
        Ok(mask) => {
            let sees = |mask, target| encloses(mask, &view.camera, target);
            counted.encloses = mask.as_ref().zip(target).is_some_and(|(mask, target)| sees(mask, target));
            counted.mask = mask.map(|mask| {
                let data = mask.data();
                [data.iter().filter(|counts| **counts).count(), data.len()]
            });
        }
        Err(error) => counted.damaged.push(with_causes(&error)),
    }
    match view.load_depth() {
        Ok(depth) => {
            counted.depth = depth.map(|depth| {
                let data = depth.data();
                [data.iter().filter(|depth| **depth > 0.0).count(), data.len()]
            });
        }
        Err(error) => counted.damaged.push(with_causes(&error)),
    }
    counted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use nalgebra::Point3;
    use serde_json::{Value, json};

    use super::*;
    use crate::inspect::{SceneReport, report};
    use crate::scene::{LoadOptions, outline};
    use crate::testing::{ngp_scene, orbit};

    fn with(frame: usize, field: &str, file: &str) -> impl FnOnce(&mut Value) {
        move |json: &mut Value| json["frames"][frame][field] = json!(file)
    }

    fn inspected(folder: &Path, edit: impl FnOnce(&mut Value)) -> SceneReport {
        ngp_scene(folder, &orbit(6, 3.0, Point3::origin()), edit);
        let options = LoadOptions::default();
        let outline = outline(folder, &options).unwrap();
        let mut report = report(&outline, &options);
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        report.add_masks(MaskReport::measure(&outline));
        report
    }

    fn grey(path: &Path, width: u32, height: u32, value: impl Fn(u32) -> u8) {
        let picture = ::image::GrayImage::from_fn(width, height, |x, _| ::image::Luma([value(x)]));
        picture.save(path).unwrap();
    }

    #[test]
    fn what_masks_leave_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        grey(&folder.path().join("half.png"), 8, 6, |x| if x < 4 { 0 } else { 255 });
        let report = inspected(folder.path(), with(1, "mask_path", "half.png"));
        assert!(report.problems.is_empty(), "{:#?}", report.problems);
        let masks = report.decoded_masks.as_ref().unwrap();
        assert_eq!((report.masks, masks.kept, masks.learnt), (1, 0.5, 5));
        assert!(report.to_string().contains("masks        leave 50% of the pixels"), "{report}");

        grey(&folder.path().join("black.png"), 8, 6, |_| 0);
        let report = inspected(folder.path(), with(1, "mask_path", "black.png"));
        assert_eq!(report.problems[0].severity, Severity::Warning);
        assert!(report.problems[0].what.contains("no pixel of 1 images: images/04.png"), "{report}");
        let all = |json: &mut Value| {
            let frames = json["frames"].as_array_mut().unwrap();
            frames.iter_mut().for_each(|frame| frame["mask_path"] = json!("black.png"));
        };
        assert_eq!(inspected(folder.path(), all).problems[0].severity, Severity::Error);
    }

    /// Masks around what the cameras look at are told from masks of what disturbs, with the flag.
    #[test]
    fn what_masks_are_for_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let all = |file: &'static str| {
            move |json: &mut Value| {
                let frames = json["frames"].as_array_mut().unwrap();
                frames.iter_mut().for_each(|frame| frame["mask_path"] = json!(file));
            }
        };
        let disc = ::image::GrayImage::from_fn(8, 6, |x, y| {
            ::image::Luma([if (2..6).contains(&x) && (1..5).contains(&y) { 255 } else { 0 }])
        });
        disc.save(folder.path().join("object.png")).unwrap();
        grey(&folder.path().join("walks.png"), 8, 6, |x| if x == 2 { 0 } else { 255 });
        let told = |file, masks| {
            ngp_scene(folder.path(), &orbit(6, 3.0, Point3::origin()), all(file));
            let options = LoadOptions { masks, ..LoadOptions::default() };
            let outline = outline(folder.path(), &options).unwrap();
            let mut report = report(&outline, &options);
            report.add_masks(MaskReport::measure(&outline));
            report
        };
        let report = told("object.png", MaskUse::Ignore);
        assert!(report.decoded_masks.as_ref().unwrap().objects, "{report}");
        let [problem] = &report.problems[..] else { panic!("{report}") };
        assert!(problem.what.contains("6 views enclose") && problem.remedy.contains("--masks empty"));
        assert!(told("object.png", MaskUse::Empty).problems.is_empty());
        assert!(told("walks.png", MaskUse::Ignore).problems.is_empty());
        let report = told("walks.png", MaskUse::Empty);
        assert!(report.problems[0].what.contains("only 0 views enclose"), "{report}");
    }

    #[test]
    fn masks_and_depth_maps_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        grey(&root.join("small.png"), 4, 3, |_| 255);
        std::fs::write(root.join("torn.png"), b"\x89PNG\r\n\x1a\n").unwrap();
        std::fs::write(root.join("torn.npy"), b"\x93NUMPY").unwrap();
        // Half the resolution is a sensor's, another shape is not of this image.
        grey(&root.join("turned.png"), 6, 8, |_| 9);
        grey(&root.join("nothing.png"), 8, 6, |_| 0);
        for (field, file, severity, part) in [
            ("mask_path", "turned.png", Severity::Error, "the mask has 6x8 pixels"),
            ("mask_path", "torn.png", Severity::Error, "torn.png"),
            ("depth_file_path", "torn.npy", Severity::Error, "torn.npy"),
            ("depth_file_path", "turned.png", Severity::Error, "the depth map has 6x8 pixels"),
            ("depth_file_path", "nothing.png", Severity::Warning, "have no known depth: images/03.png"),
        ] {
            let report = inspected(root, with(2, field, file));
            let problem = &report.problems[0];
            assert!(problem.severity == severity && problem.what.contains(part), "{file}: {report}");
            assert!(problem.what.contains("images/03.png"), "{report}");
        }
        let report = inspected(root, with(2, "mask_path", "small.png"));
        assert!(report.problems.is_empty(), "{report}");
        assert!(report.warnings[0].contains("masks of 1 images have another size"), "{report}");
        let report = inspected(root, with(2, "depth_file_path", "small.png"));
        assert!(
            report.problems.is_empty() && report.to_string().contains("depth maps   have a depth for 100%"),
            "{report}"
        );
    }
}
