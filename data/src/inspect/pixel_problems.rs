//! Problems that the images' pixels show: damaged, duplicate, blurred, unevenly exposed and similar images.

use super::pixels::{ImagePixels, PixelReport};
use crate::problem::{DataProblem, Severity, first_few};

/// An image is blurred if its sharpness is below this fraction of the median.
const BLURRED: f64 = 0.35;
/// Difference of exposure in stops beyond which one color per surface cannot fit all images.
const UNEVEN: f64 = 1.0;

/// The problems that the images' pixels show; the brightness of rendered images may differ.
pub fn pixel_problems(pixels: &PixelReport, rendered: bool) -> Vec<DataProblem> {
    let mut problems = Vec::new();
    let mut add = |severity, what: String, remedy: &str| {
        problems.push(DataProblem { severity, what, remedy: remedy.to_owned() });
    };
    if let Some([name, reason]) = pixels.damaged.first() {
        let count = pixels.damaged.len();
        let reason = if reason.contains(name) { reason.clone() } else { format!("{name}: {reason}") };
        let what = match count {
            1 => format!("an image cannot be read: {reason}"),
            _ => {
                let others: Vec<&str> = pixels.damaged[1..].iter().map(|[name, _]| name.as_str()).collect();
                format!(
                    "{count} images cannot be read, the first being {reason}; the others: {}",
                    others.join(", ")
                )
            }
        };
        add(
            Severity::Error,
            what,
            "copy them again from the camera, remove them from the scene, or leave them out with --skip-bad",
        );
    }
    if let [[a, b], ..] = pixels.duplicates.as_slice() {
        add(
            Severity::Warning,
            format!("{} of images have the same pixels, such as {a} and {b}", pairs(pixels.duplicates.len())),
            "remove one of each pair: at most one of their poses is right, and a held-out copy of a training image measures nothing",
        );
    }
    let blurred: Vec<String> = pixels
        .images
        .iter()
        .filter(|image| image.relative_sharpness < BLURRED)
        .map(|image| format!("{} ({:.2})", image.name, image.relative_sharpness))
        .collect();
    if !blurred.is_empty() {
        let (count, names) = (blurred.len(), first_few(&blurred));
        add(
            Severity::Warning,
            format!("{count} images are much blurrier than the median (sharpness relative to it): {names}"),
            "remove or retake them, unless they show plainer surfaces than the others: blur ends up in the scene",
        );
    }
    if pixels.exposure_spread > UNEVEN && !rendered {
        let name = |image: Option<&ImagePixels>| image.map_or(String::new(), |image| image.name.clone());
        let by_exposure = |a: &&ImagePixels, b: &&ImagePixels| a.exposure.total_cmp(&b.exposure);
        let dark = name(pixels.images.iter().min_by(by_exposure));
        let bright = name(pixels.images.iter().max_by(by_exposure));
        add(
            Severity::Note,
            format!(
                "brightness differs by {:.1} stops between images, from {dark} to {bright}",
                pixels.exposure_spread
            ),
            "fine if they show different things; else lock exposure and white balance, or train with --appearance",
        );
    }
    if let [[a, b], ..] = pixels.alike.as_slice() {
        add(
            Severity::Note,
            format!("{} of images look the same, such as {a} and {b}", pairs(pixels.alike.len())),
            "fewer would do: a capture needs views from different places",
        );
    }
    problems
}

fn pairs(count: usize) -> String {
    if count == 1 { "a pair".to_owned() } else { format!("{count} pairs") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(name: &str, relative_sharpness: f64, exposure: f64) -> ImagePixels {
        ImagePixels { name: name.into(), sharpness: relative_sharpness, relative_sharpness, exposure }
    }

    #[test]
    fn each_problem_names_its_images() {
        let good = PixelReport {
            images: vec![image("a", 0.8, 0.0), image("b", 1.0, 0.1)],
            ..PixelReport::default()
        };
        assert_eq!(pixel_problems(&good, false), []);
        let pair = |a: &str, b: &str| [a.to_owned(), b.to_owned()];
        let bad = PixelReport {
            images: vec![image("soft", 0.2, 0.0), image("dark", 1.0, -2.0), image("bright", 1.1, 1.0)],
            duplicates: vec![pair("one", "two")],
            alike: vec![pair("three", "four"), pair("three", "five")],
            exposure_spread: 2.5,
            background: None,
            damaged: vec![pair("cut", "cut.png: truncated")],
        };
        let problems = pixel_problems(&bad, false);
        for (what, severity) in [
            ("cut.png: truncated", Severity::Error),
            ("soft (0.20)", Severity::Warning),
            ("a pair of images have the same pixels, such as one and two", Severity::Warning),
            ("2.5 stops between images, from dark to bright", Severity::Note),
            ("2 pairs of images look the same, such as three and four", Severity::Note),
        ] {
            let found = problems.iter().find(|p| p.what.contains(what));
            assert_eq!(found.map(|p| p.severity), Some(severity), "{what} in {problems:#?}");
        }
        assert_eq!(problems.len(), 5);
        assert_eq!(pixel_problems(&bad, true).len(), 4, "brightness of rendered images says nothing");
    }
}
