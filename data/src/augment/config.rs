//! How random samples are drawn: the settings, their defaults and the range that each must lie in.

use serde::{Deserialize, Serialize};

/// How samples are drawn. The defaults are MMSegmentation's, with crops of 512x512.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Smallest and largest factor by which the image's sides are scaled; drawn uniformly.
    pub scale: [f64; 2],
    /// Height and width of a sample in pixels.
    pub crop: [usize; 2],
    /// A crop is drawn again while one class covers more than this fraction of its labeled pixels; 1 accepts any crop.
    pub max_class_share: f64,
    /// The largest number of crops drawn for one sample; the last one is used even if it is not balanced.
    pub crop_tries: usize,
    /// Probability that a sample is flipped left to right.
    pub flip: f64,
    /// Random changes of the colors; `None` for no change.
    #[serde(alias = "colour")]
    pub color: Option<ColorJitter>,
    /// Normalization of the values, applied last.
    pub normalise: Normalise,
}

/// Ranges of the random color changes. Each change is applied with a probability of 1/2.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// Largest offset added to all values, which go from 0 to 255.
    pub brightness: f32,
    /// Smallest and largest factor of all values.
    pub contrast: [f32; 2],
    /// Smallest and largest factor of the saturation (HSV).
    pub saturation: [f32; 2],
    /// Largest rotation of the hue (HSV), in degrees.
    pub hue: f32,
}

/// `(value - mean) / std` of each channel, of values from 0 to 255.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalise {
    /// Mean of red, green and blue.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue.
    pub std: [f32; 3],
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            scale: [0.5, 2.0],
            crop: [512, 512],
            max_class_share: 0.75,
            crop_tries: 10,
            flip: 0.5,
            color: Some(ColorJitter::default()),
            normalise: Normalise::default(),
        }
    }
}

impl Default for ColorJitter {
    fn default() -> Self {
        Self { brightness: 32.0, contrast: [0.5, 1.5], saturation: [0.5, 1.5], hue: 36.0 }
    }
}

impl ColorJitter {
    /// The default changes so many times as strong, up to 2; none at 0.
    #[must_use]
    pub fn of_strength(strength: f32) -> Option<Self> {
        let factors = [1.0 - 0.5 * strength, 1.0 + 0.5 * strength];
        let (brightness, hue) = (32.0 * strength, 36.0 * strength);
        (strength > 0.0).then_some(Self { brightness, contrast: factors, saturation: factors, hue })
    }
}

impl Default for Normalise {
    /// ImageNet's mean and standard deviation.
    fn default() -> Self {
        Self { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] }
    }
}

impl Normalise {
    /// CLIP's mean and standard deviation.
    #[must_use]
    pub fn clip() -> Self {
        let scaled = |values: [f32; 3]| values.map(|v| 255.0 * v);
        Self {
            mean: scaled([0.481_454_66, 0.457_827_5, 0.408_210_73]),
            std: scaled([0.268_629_54, 0.261_302_6, 0.275_777_1]),
        }
    }
}

/// Why a sample cannot be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AugmentError {
    /// A setting is out of range.
    #[error("augmentation: `{field}` is {value}; {remedy}")]
    Config {
        /// The setting.
        field: &'static str,
        /// What was given.
        value: String,
        /// What to give.
        remedy: &'static str,
    },
    /// Image and mask differ in size.
    #[error(
        "augmentation: an image of {image:?} (height, width, channels) must have 3 channels and a mask of its size, not of \
         {mask:?}"
    )]
    Size {
        /// Height, width and channels of the image.
        image: (usize, usize, usize),
        /// Height and width of the mask.
        mask: (usize, usize),
    },
}

/// The longest side of a sample.
const MAX_CROP: usize = 1 << 14;

impl Augment {
    /// Checks every field's range.
    ///
    /// # Errors
    /// [`AugmentError::Config`] names the first field that is out of range.
    pub fn check(&self) -> Result<(), AugmentError> {
        let check = |field, fine: bool, value: String, remedy| {
            if fine { Ok(()) } else { Err(AugmentError::Config { field, value, remedy }) }
        };
        let range =
            |[low, high]: [f64; 2], least: f64, most: f64| least <= low && low <= high && high <= most;
        let [height, width] = self.crop;
        check(
            "scale",
            range(self.scale, 0.01, 100.0),
            format!("{:?}", self.scale),
            "give two factors from 0.01 to 100, the smaller first",
        )?;
        check(
            "crop",
            (1..=MAX_CROP).contains(&height) && (1..=MAX_CROP).contains(&width),
            format!("{:?}", self.crop),
            "give height and width from 1 to 16384",
        )?;
        let share = self.max_class_share;
        check(
            "max_class_share",
            share > 0.0 && share <= 1.0,
            share.to_string(),
            "give a fraction above 0 and at most 1",
        )?;
        check(
            "crop_tries",
            (1..=1000).contains(&self.crop_tries),
            self.crop_tries.to_string(),
            "give 1 to 1000",
        )?;
        check(
            "flip",
            (0.0..=1.0).contains(&self.flip),
            self.flip.to_string(),
            "give a probability from 0 to 1",
        )?;
        if let Some(color) = &self.color {
            let factors = |f: [f32; 2]| range(f.map(f64::from), 0.0, 10.0);
            let two = "give two factors from 0 to 10, the smaller first";
            check(
                "brightness",
                (0.0..=255.0).contains(&color.brightness),
                color.brightness.to_string(),
                "give 0 to 255",
            )?;
            check("contrast", factors(color.contrast), format!("{:?}", color.contrast), two)?;
            check("saturation", factors(color.saturation), format!("{:?}", color.saturation), two)?;
            check("hue", (0.0..=180.0).contains(&color.hue), color.hue.to_string(), "give 0 to 180 degrees")?;
        }
        let Normalise { mean, std } = self.normalise;
        check(
            "mean",
            mean.iter().all(|m| (0.0..=255.0).contains(m)),
            format!("{mean:?}"),
            "give three values from 0 to 255",
        )?;
        check(
            "std",
            std.iter().all(|s| (1e-3..=1e4).contains(s)),
            format!("{std:?}"),
            "give three values from 0.001 to 10000",
        )
    }
}
