//! The random decisions about one sample (scale, crop, flip, color changes), all drawn before any pixel is computed.

use ndarray::ArrayView2;

use super::Augment;
use super::resample::CropWindow;
use crate::draws::Draws;
use crate::labels::IGNORE;

/// All decisions about a sample.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decisions {
    pub window: CropWindow,
    pub color: ColorChange,
}

/// Changes of the colors, on values from 0 to 255; `None` is no change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ColorChange {
    /// Added to all values.
    pub brightness: Option<f32>,
    /// Multiplied with all values.
    pub contrast: Option<f32>,
    /// Whether contrast comes after saturation and hue.
    pub contrast_last: bool,
    /// Multiplied with the saturation.
    pub saturation: Option<f32>,
    /// Added to the hue, in degrees.
    pub hue: Option<f32>,
}

impl Decisions {
    /// Draws the decisions for the sample `index`. Every value is drawn even if its setting is turned off, so that
    /// turning one setting off does not change the others.
    pub fn draw(config: &Augment, mask: ArrayView2<'_, u8>, seed: u64, index: u64) -> Self {
        let mut draws = Draws::new(seed, index);
        let scale = draws.between(config.scale[0], config.scale[1]);
        let flipped = draws.unit() < config.flip;
        let jitter = config.color.unwrap_or_default();
        let mut change = |low: f32, high: f32| {
            let (made, value) = (draws.unit() < 0.5, draws.between(low.into(), high.into()) as f32);
            (made && config.color.is_some()).then_some(value)
        };
        let color = ColorChange {
            brightness: change(-jitter.brightness, jitter.brightness),
            contrast: change(jitter.contrast[0], jitter.contrast[1]),
            saturation: change(jitter.saturation[0], jitter.saturation[1]),
            hue: change(-jitter.hue, jitter.hue),
            contrast_last: draws.unit() < 0.5,
        };

        let source = [mask.nrows(), mask.ncols()];
        let scaled = source.map(|side| ((side as f64 * scale).round() as usize).max(1));
        let mut window = CropWindow { source, scaled, origin: [0, 0], size: config.crop, flipped };
        for _ in 0..config.crop_tries {
            window.origin = [0, 1].map(|axis| draws.upto(scaled[axis].saturating_sub(config.crop[axis])));
            // Nothing to choose between.
            if config.max_class_share >= 1.0 || (0..2).all(|axis| scaled[axis] <= config.crop[axis]) {
                break;
            }
            if is_balanced(mask, &window, config.max_class_share) {
                break;
            }
        }
        Self { window, color }
    }
}

/// Whether a crop shows at least two classes, none of them on more than the fraction `most` of the labelled pixels.
fn is_balanced(mask: ArrayView2<'_, u8>, window: &CropWindow, most: f64) -> bool {
    let [rows, columns] = [0, 1].map(|axis| window.nearest(axis));
    let mut counts = [0u32; 256];
    for &y in &rows {
        let row = mask.row(y);
        match row.as_slice() {
            Some(row) => columns.iter().for_each(|&x| counts[usize::from(row[x])] += 1),
            None => columns.iter().for_each(|&x| counts[usize::from(row[x])] += 1),
        }
    }
    counts[usize::from(IGNORE)] = 0;
    let all: u32 = counts.iter().sum();
    let largest = counts.into_iter().max().unwrap_or(0);
    largest < all && f64::from(largest) <= most * f64::from(all)
}
