//! What is behind a scene in training.

use nerve_core::engine;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// As shares of full light.
pub(crate) const WHITE: [f32; 3] = [1.0; 3];

/// What transparent pixels, and what the field lets through, are composited on while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Background {
    /// The color around the scene's pictures where they are opaque and it is the same in nearly all of them (see
    /// [`plain_background`](nerve_data::scene::plain_background)), else random. The [trainer](crate::Trainer::new) decides.
    #[default]
    Auto,
    /// A new random color for every ray: nothing can hide in front of it.
    Random,
    /// One color, of 8 bits a channel.
    Color([u8; 3]),
}

impl Background {
    /// What an opaque photograph is measured on: the color that was trained on, white where that was none.
    pub(crate) fn behind(self) -> [f32; 3] {
        match self {
            Self::Color(color) => color.map(|c| f32::from(c) / 255.0),
            Self::Auto | Self::Random => WHITE,
        }
    }
}

impl From<Background> for engine::Background {
    fn from(background: Background) -> Self {
        match background {
            Background::Auto | Background::Random => Self::Random,
            Background::Color(_) => Self::Color(background.behind()),
        }
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Random => f.write_str("random"),
            Self::Color([255, 255, 255]) => f.write_str("white"),
            Self::Color([0, 0, 0]) => f.write_str("black"),
            Self::Color([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
        }
    }
}

impl FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = |text: &str| {
            let hex = text
                .strip_prefix('#')
                .filter(|hex| hex.len() == 6 && hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
            let channel = |i: usize| u8::from_str_radix(&hex[i..i + 2], 16).ok();
            Some([channel(0)?, channel(2)?, channel(4)?])
        };
        match text {
            "auto" => Ok(Self::Auto),
            "random" => Ok(Self::Random),
            "white" => Ok(Self::Color([255; 3])),
            "black" => Ok(Self::Color([0; 3])),
            _ => digits(text).map(Self::Color).ok_or_else(|| {
                format!("`{text}` is no background: auto, random, white, black, or a color such as #8090a0")
            }),
        }
    }
}

impl TryFrom<String> for Background {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Background> for String {
    fn from(background: Background) -> Self {
        background.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let all = [Background::Auto, Background::Random];
        for background in all.into_iter().chain([[255; 3], [0; 3], [1, 0x80, 0xff]].map(Background::Color)) {
            assert_eq!(background.to_string().parse(), Ok(background));
        }
        assert_eq!(Background::Color([1, 128, 255]).to_string(), "#0180ff");
        for bad in ["grey", "#12345", "#1234567", "#12345g", "#\u{e9}\u{e9}\u{e9}", "123456", "#+1+2+3", ""] {
            assert!(bad.parse::<Background>().is_err_and(|e| e.contains("#8090a0")), "{bad}");
        }
        assert_eq!(Background::Color([0, 51, 255]).behind(), [0.0, 0.2, 1.0]);
        assert_eq!([Background::Auto, Background::Random].map(Background::behind), [WHITE; 2]);
        assert!(matches!(engine::Background::from(Background::Auto), engine::Background::Random));
        let color = engine::Background::from(Background::Color([255; 3]));
        assert!(matches!(color, engine::Background::Color([1.0, 1.0, 1.0])));
    }
}
