//! Random changes of colors, after MMSegmentation's `PhotoMetricDistortion` (that of SSD, Liu et al. 2016): brightness,
//! contrast, saturation, hue; or contrast last. Values stay within 0 and 255 after each.

use ndarray::Array3;

use super::draw::ColorChange;

/// Changes the colors of an image `[H, W, 3]` of values from 0 to 255.
pub(super) fn disturb(image: &mut Array3<f32>, color: &ColorChange) {
    let contrast = |image: &mut Array3<f32>| {
        if let Some(factor) = color.contrast {
            image.mapv_inplace(|value| (value * factor).min(255.0));
        }
    };
    if let Some(shift) = color.brightness {
        image.mapv_inplace(|value| (value + shift).clamp(0.0, 255.0));
    }
    if !color.contrast_last {
        contrast(image);
    }
    if let Some(factor) = color.saturation {
        each_pixel(image, |pixel| saturated(pixel, factor));
    }
    if let Some(degrees) = color.hue {
        each_pixel(image, |pixel| turned(pixel, degrees));
    }
    if color.contrast_last {
        contrast(image);
    }
}

fn each_pixel(image: &mut Array3<f32>, change: impl Fn([f32; 3]) -> [f32; 3]) {
    let Some(values) = image.as_slice_mut() else { return };
    for pixel in values.chunks_exact_mut(3) {
        pixel.copy_from_slice(&change([pixel[0], pixel[1], pixel[2]]));
    }
}

/// HSV's saturation times a factor, at most 1: value and hue stay, so each channel keeps its relative distance to the
/// largest.
fn saturated(pixel: [f32; 3], factor: f32) -> [f32; 3] {
    let [r, g, b] = pixel;
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    if high == low {
        return pixel;
    }
    let factor = factor.min(high / (high - low));
    pixel.map(|value| (high - (high - value) * factor).max(0.0))
}

/// The hue (HSV) rotated by an angle.
fn turned(pixel: [f32; 3], degrees: f32) -> [f32; 3] {
    let [r, g, b] = pixel;
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = high - low;
    if chroma == 0.0 {
        return pixel;
    }
    // In sixths of the circle, from red.
    let sector = if high == r {
        (g - b) / chroma
    } else if high == g {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    let sector = (sector + degrees / 60.0).rem_euclid(6.0);
    // Each channel is a trapezoid over the circle: red is full at 0, green at 2, blue at 4.
    let channel = |centre: f32| {
        let off = (sector - centre).abs();
        let distance = off.min(6.0 - off);
        low + chroma * (2.0 - distance).clamp(0.0, 1.0)
    };
    [channel(0.0), channel(2.0), channel(4.0)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(a: [f32; 3], b: [f32; 3]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3)
    }

    #[test]
    fn known_turns() {
        assert!(close(turned([200.0, 20.0, 20.0], 120.0), [20.0, 200.0, 20.0]));
        assert!(close(turned([200.0, 20.0, 20.0], -120.0), [20.0, 20.0, 200.0]));
        assert!(close(turned([200.0, 20.0, 20.0], 60.0), [200.0, 200.0, 20.0]));
        // By Python's colorsys.
        assert!(close(turned([200.0, 100.0, 50.0], 36.0), [200.0, 190.0, 50.0]));
        assert!(close(turned([30.0, 60.0, 90.0], -36.0), [30.0, 90.0, 84.0]));
        assert_eq!(turned([7.0; 3], 50.0), [7.0; 3]);
    }

    #[test]
    fn known_saturations() {
        assert!(close(saturated([200.0, 100.0, 50.0], 0.5), [200.0, 150.0, 125.0]));
        assert!(close(saturated([200.0, 100.0, 50.0], 1.2), [200.0, 80.0, 20.0]));
        assert!(close(saturated([200.0, 100.0, 50.0], 9.0), [200.0, 200.0 / 3.0, 0.0]), "at most full");
        assert_eq!(saturated([0.0; 3], 2.0), [0.0; 3]);
    }

    proptest! {
        /// A turn keeps value and saturation, and turning back gives the color again.
        #[test]
        fn turns_are_turns(pixel in prop::array::uniform3(0.0..255.0f32), degrees in -180.0..180.0f32) {
            let there = turned(pixel, degrees);
            let ends = |p: [f32; 3]| (p.iter().copied().fold(0.0, f32::max), p.iter().copied().fold(255.0, f32::min));
            prop_assert!((ends(pixel).0 - ends(there).0).abs() < 1e-3);
            prop_assert!((ends(pixel).1 - ends(there).1).abs() < 1e-3);
            let back = turned(there, -degrees);
            prop_assert!(pixel.iter().zip(back).all(|(a, b)| (a - b).abs() < 0.05), "{:?} {:?}", pixel, back);
        }
    }
}
