//! Labels as pictures: coloured over the image, as a palette of numbers, and the legend.

use std::fmt::Write as _;
use std::path::Path;

use ndarray::{Array3, ArrayView2, ArrayView3};

use super::Class;
use crate::write::{Pixels, WriteError, write_png};

/// How much of a pixel is the class's colour.
const SHARE: f32 = 0.55;

/// The image with every pixel in the colour of its class, half through. A label that is no class leaves the image as it
/// is.
#[must_use]
pub fn overlay(image: ArrayView3<'_, u8>, labels: ArrayView2<'_, u8>, classes: &[Class]) -> Array3<u8> {
    Array3::from_shape_fn(image.dim(), |(y, x, c)| {
        let value = image[[y, x, c]];
        match labels.get([y, x]).and_then(|label| classes.get(usize::from(*label))) {
            Some(class) => {
                (f32::from(value) * (1.0 - SHARE) + f32::from(class.colour[c % 3]) * SHARE).round() as u8
            }
            None => value,
        }
    })
}

/// Every pixel in the colour of its class; black where it has none.
#[must_use]
pub fn coloured(labels: ArrayView2<'_, u8>, classes: &[Class]) -> Array3<u8> {
    let (height, width) = labels.dim();
    Array3::from_shape_fn((height, width, 3), |(y, x, c)| {
        classes.get(usize::from(labels[[y, x]])).map_or(0, |class| class.colour[c])
    })
}

/// Writes an RGB picture as PNG.
///
/// # Errors
/// If the file cannot be written.
pub fn write_rgb(path: &Path, image: ArrayView3<'_, u8>) -> Result<(), WriteError> {
    let (height, width, _) = image.dim();
    let data: Vec<u8> = image.iter().copied().collect();
    write_png(path, width as u32, height as u32, Pixels::Rgb, &data)
}

/// Writes class numbers as a grey PNG of one byte a pixel.
///
/// # Errors
/// If the file cannot be written.
pub fn write_labels(path: &Path, labels: ArrayView2<'_, u8>) -> Result<(), WriteError> {
    let (height, width) = labels.dim();
    let data: Vec<u8> = labels.iter().copied().collect();
    write_png(path, width as u32, height as u32, Pixels::Gray, &data)
}

/// The classes with their colours and numbers, as SVG.
#[must_use]
pub fn legend(classes: &[Class]) -> String {
    let (row, width) = (22, 320);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{}\" font-family=\"sans-serif\" \
         font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        row * classes.len() + 8
    );
    for (i, class) in classes.iter().enumerate() {
        let [r, g, b] = class.colour;
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
        let class = |name: &str, colour| Class { name: name.into(), colour };
        vec![class("a<b", [200, 0, 0]), class("sky", [0, 100, 255])]
    }

    #[test]
    fn colours_come_through_and_what_is_no_class_does_not() {
        let image = Array3::from_elem((1, 3, 3), 100u8);
        let labels = array![[0u8, 1, 255]];
        let over = overlay(image.view(), labels.view(), &classes());
        assert_eq!(over.iter().copied().collect::<Vec<_>>(), [155, 45, 45, 45, 100, 185, 100, 100, 100]);
        let plain = coloured(labels.view(), &classes());
        assert_eq!(plain.iter().copied().collect::<Vec<_>>(), [200, 0, 0, 0, 100, 255, 0, 0, 0]);
    }

    #[test]
    fn the_legend_names_all() {
        let svg = legend(&classes());
        assert!(svg.contains("rgb(200,0,0)") && svg.contains("0  a&lt;b") && svg.contains("1  sky"), "{svg}");
    }
}
