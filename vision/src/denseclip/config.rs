//! The settings of the language branch, and what of it a checkpoint keeps.
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use nerve_core::settings::{SettingError, check};
use serde::{Deserialize, Serialize};

use super::decoder::DecoderSize;
use crate::clip::ProjectionConfig;
use crate::text::ClipTextConfig;

/// How what is seen changes the vectors of the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Prompting {
    /// The vectors are refined by the image: the better one in the paper, and the cheaper
    #[default]
    Post,
    /// Contexts of the words are made of the image, before the text encoder
    Pre,
    /// Not at all
    Off,
}

/// The language branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Args)]
#[serde(default, deny_unknown_fields)]
pub struct LanguageConfig {
    /// What classes mean, for --method denseclip: a CLIP (a file or folder with the key names of OpenAI, open_clip or Hugging
    /// Face), a sentence encoder (a BERT's folder), or a safetensors file with a vector a class
    #[arg(long, value_name = "PATH")]
    pub text: Option<PathBuf>,
    /// CLIP's tokenizer: a tokenizer.json or bpe_simple_vocab_16e6.txt.gz [default: the one beside --text]
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<PathBuf>,
    /// How the image changes the vectors of the classes
    #[arg(long, value_enum, default_value_t)]
    pub prompting: Prompting,
    /// Learned context tokens before the name of a class, with a CLIP
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub contexts: usize,
    /// Each class has contexts of its own
    #[arg(long)]
    pub class_contexts: bool,
    /// Weight of the loss of the score map
    #[arg(long, value_name = "FACTOR", default_value_t = 0.4)]
    pub text_weight: f32,
    /// What cosines are divided by in that loss
    #[arg(long, value_name = "T", default_value_t = 0.07)]
    pub temperature: f32,
    /// Add the class token to its own position once more, as the program did that DenseCLIP's published ViTs were trained
    /// with
    #[arg(long)]
    pub class_twice: bool,
}

impl Default for LanguageConfig {
    fn default() -> Self {
        Self {
            text: None,
            tokenizer: None,
            prompting: Prompting::default(),
            contexts: 8,
            class_contexts: false,
            text_weight: 0.4,
            temperature: 0.07,
            class_twice: false,
        }
    }
}

impl LanguageConfig {
    /// Checks that all settings are in range.
    ///
    /// # Errors
    /// The first setting that is out of range, and its range.
    pub fn validate(&self) -> Result<(), SettingError> {
        check((1..=64).contains(&self.contexts), "--contexts", self.contexts, "1 to 64")?;
        let weight = self.text_weight;
        check((0.0..=10.0).contains(&weight), "--text-weight", weight, "0 to 10")?;
        let temperature = self.temperature;
        check((0.001..=10.0).contains(&temperature), "--temperature", temperature, "0.001 to 10")
    }
}

/// Where the vectors of the classes come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextShape {
    /// They are given, so many channels each.
    Vectors(usize),
    /// CLIP's text encoder makes them.
    Clip(ClipTextConfig),
}

impl TextShape {
    /// Channels of the space that texts and images share.
    #[must_use]
    pub fn embed(&self) -> usize {
        match self {
            Self::Vectors(channels) => *channels,
            Self::Clip(config) => config.embed,
        }
    }
}

/// What shapes a language branch: what a checkpoint keeps of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LanguageShape {
    /// The number of classes.
    pub classes: usize,
    /// Where their vectors come from.
    pub text: TextShape,
    /// What makes vectors of the backbone's last map.
    pub projection: ProjectionConfig,
    /// The projection is the backbone's own, a CLIP's, and learns as it does.
    pub own_projection: bool,
    /// How the image changes the vectors.
    pub prompting: Prompting,
    /// The context decoder; its channels are those of the texts.
    pub decoder: DecoderSize,
    /// Context tokens; none with given vectors.
    pub contexts: usize,
    /// Each class has contexts of its own.
    pub class_contexts: bool,
}
