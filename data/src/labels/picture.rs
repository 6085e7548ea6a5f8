//! Labels as pictures: colors over the image, class numbers as gray PNGs, and legends.

use std::fmt::Write as _;
use std::path::Path;

use ndarray::{Array3, ArrayView2, ArrayView3, s};

use super::Class;
use super::text::{INK, LINE, TextDirection, fill, length, write};
use crate::write::{PixelFormat, WriteError, write_png};

/// Weight of the class's color in an overlay.
const SHARE: f32 = 0.55;

/// The image, blended with the color of each pixel's class; pixels without a class keep their color.
#[must_use]
pub fn overlay(image: ArrayView3<'_, u8>, labels: ArrayView2<'_, u8>, classes: &[Class]) -> Array3<u8> {
    Array3::from_shape_fn(image.dim(), |(y, x, c)| {
        let value = image[[y, x, c]];
        match labels.get([y, x]).and_then(|label| classes.get(usize::from(*label))) {
            Some(class) => {
                (f32::from(value) * (1.0 - SHARE) + f32::from(class.color[c % 3]) * SHARE).round() as u8
            }
            None => value,
        }
    })
}

/// Spaces in a legend and the side of a color swatch, in pixels.
const GAP: usize = 8;
const SWATCH: usize = 14;

/// The picture with a legend to its right: the classes in `labels`, the largest first, each with its color and its share
/// of the pixels. The picture is extended downwards if the legend is longer.
#[must_use]
pub fn with_legend(picture: ArrayView3<'_, u8>, labels: ArrayView2<'_, u8>, classes: &[Class]) -> Array3<u8> {
    let mut counts = vec![0usize; classes.len()];
    for label in labels {
        if let Some(count) = counts.get_mut(usize::from(*label)) {
            *count += 1;
        }
    }
    let mut shown: Vec<(usize, &Class)> =
        counts.into_iter().zip(classes).filter(|(count, _)| *count > 0).collect();
    shown.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let total = labels.len().max(1) as f64;
    let text =
        |(count, class): &(usize, &Class)| format!("{:5.1} %  {}", 100.0 * *count as f64 / total, class.name);
    let widest = shown.iter().map(|entry| length(&text(entry))).max().unwrap_or(0);
    let (height, width, _) = picture.dim();
    let row = LINE + GAP / 2;
    let rows = shown.len() * row + 2 * GAP;
    let mut whole = Array3::from_elem((height.max(rows), width + 3 * GAP + SWATCH + widest, 3), 255u8);
    whole.slice_mut(s![..height, ..width, ..]).assign(&picture);
    for (i, entry) in shown.iter().enumerate() {
        let (y, x) = (GAP + i * row, width + GAP);
        fill(&mut whole, [y + 1, x], [SWATCH; 2], entry.1.color);
        write(&mut whole, [y, x + SWATCH + GAP], TextDirection::Right, INK, &text(entry));
    }
    whole
}

/// Writes an RGB picture as PNG.
///
/// # Errors
/// If the file cannot be written.
pub fn write_rgb(path: &Path, image: ArrayView3<'_, u8>) -> Result<(), WriteError> {
    let (height, width, _) = image.dim();
    let data: Vec<u8> = image.iter().copied().collect();
    write_png(path, width as u32, height as u32, PixelFormat::Rgb, &data)
}

/// Writes class numbers as a gray PNG of one byte per pixel.
///
/// # Errors
/// If the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView2<'_, u8>) -> Result<(), WriteError> {
    let (height, width) = labels.dim();
    let data: Vec<u8> = labels.iter().copied().collect();
    write_png(path, width as u32, height as u32, PixelFormat::Gray, &data)
}

/// The classes with their colors and numbers, as SVG.
#[must_use]
pub fn legend(classes: &[Class]) -> String {
    let (row, width) = (22, 320);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        row * classes.len() + 8
    );
    for (i, class) in classes.iter().enumerate() {
        let [r, g, b] = class.color;
        let (y, name) = (4 + i * row, escaped(&class.name));
        // Writing to a string does not fail.
        let _ = writeln!(
            svg,
            "<rect x=\"6\" y=\"{}\" width=\"26\" height=\"16\" fill=\"rgb({r},{g},{b})\" stroke=\"#888\"/>\
             <text x=\"40\" y=\"{}\">{i}  {name}</text>",
            y + 2,
            y + 15
        );
    }
    svg += "</svg>\n";
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn classes() -> Vec<Class> {
        let class = |name: &str, color| Class { name: name.into(), color };
        vec![class("a<b", [200, 0, 0]), class("sky", [0, 100, 255])]
    }

    #[test]
    fn colors_come_through_and_what_is_no_class_does_not() {
        let image = Array3::from_elem((1, 3, 3), 100u8);
        let labels = array![[0u8, 1, 255]];
        let over = overlay(image.view(), labels.view(), &classes());
        assert_eq!(over.iter().copied().collect::<Vec<_>>(), [155, 45, 45, 45, 100, 185, 100, 100, 100]);
    }

    #[test]
    fn the_legend_beside_a_picture_shows_what_is_there() {
        let image = Array3::from_elem((4, 6, 3), 7u8);
        let labels = ndarray::Array2::from_shape_fn((4, 6), |(y, _)| if y < 3 { 1 } else { 255 });
        let whole = with_legend(image.view(), labels.view(), &classes());
        let (height, width, _) = whole.dim();
        assert!(height > 4 && width > 6);
        assert_eq!(whole.slice(s![..4, ..6, ..]), image);
        let has = |color: [u8; 3]| whole.exact_chunks((1, 1, 3)).into_iter().any(|p| p.iter().eq(&color));
        assert!(has([0, 100, 255]), "the sky is there");
        assert!(!has([200, 0, 0]), "the other class is not");
    }

    #[test]
    fn the_legend_names_all() {
        let svg = legend(&classes());
        assert!(svg.contains("rgb(200,0,0)") && svg.contains("0  a&lt;b") && svg.contains("1  sky"), "{svg}");
    }
}
