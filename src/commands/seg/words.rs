//! `nerve seg predict --classes`: any words, of a CLIP or a run with a language branch.

use crate::context::Context;
use crate::outcome::usage;
use crate::{devices, segmentation};
use ndarray::{Array3, ArrayView3, s};
use nerve_core::run::RunFolder;
use nerve_data::labels::{Class, color_map, picture};
use nerve_data::write::write_npy;
use nerve_vision::open_vocabulary::{DEFAULT_TEMPLATE, LastAttention, OpenVocabulary, Phrases, Words};
use nerve_vision::segmentation::{
    Inference, Prediction, SegConfig, SegmentationError, SemanticSegmenter, predict, probabilities,
};
use std::path::{Path, PathBuf};

/// Words in place of trained classes.
#[derive(Debug, clap::Args)]
pub struct WordArgs {
    /// Tell these apart instead of trained classes: "road, tree|plant, a red car"; synonyms are joined by |. The segmenter is
    /// a CLIP with a ViT (a file or folder), or a run with --method denseclip
    #[arg(long, value_name = "WORDS")]
    pub classes: Option<String>,
    /// What each word is put into, {} standing for it, with a CLIP; several are averaged [default: a photo of a {}.]
    #[arg(long, value_name = "TEXT")]
    template: Vec<String>,
    /// Pixels whose likeliest word is less likely than this are of the first class, the background
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    threshold: f32,
    /// How the last block of a CLIP is computed
    #[arg(long, value_enum, default_value_t)]
    last: LastAttention,
    /// CLIP's tokenizer [default: the one beside the CLIP]
    #[arg(long, value_name = "PATH")]
    tokenizer: Option<PathBuf>,
    /// What makes vectors of the words, with a run that was trained with vectors: the sentence encoder's folder, or a file that
    /// names these words
    #[arg(long, value_name = "PATH")]
    text: Option<PathBuf>,
}

impl WordArgs {
    /// What means nothing without words is refused.
    pub fn check(&self) -> anyhow::Result<()> {
        let given = !self.template.is_empty()
            || self.threshold > 0.0
            || self.tokenizer.is_some()
            || self.text.is_some();
        if given {
            return Err(usage("--template, --threshold, --tokenizer and --text go with --classes").into());
        }
        Ok(())
    }
}

/// What labels pictures.
pub enum Asked {
    /// A segmenter with classes of its own.
    Classes(Box<dyn SemanticSegmenter>),
    /// One whose classes are words, these, with the threshold of the background.
    Words(Box<dyn SemanticSegmenter>, Words, f32),
}

impl Asked {
    /// The labels of a picture, and of words how likely each is at each pixel.
    pub fn predict(
        &self,
        image: ArrayView3<'_, u8>,
        inference: &Inference,
    ) -> Result<(Prediction, Option<Array3<f32>>), SegmentationError> {
        match self {
            Self::Classes(segmenter) => Ok((predict(&**segmenter, image, inference)?, None)),
            Self::Words(segmenter, words, threshold) => {
                let likely = probabilities(&**segmenter, image, inference)?;
                Ok((words.join(&likely, *threshold), Some(likely)))
            }
        }
    }
}

/// The segmenter of words, their classes, and where its predictions go if nothing is said.
pub fn open(context: &Context, given: &str, args: &WordArgs) -> anyhow::Result<(Asked, Vec<Class>, PathBuf)> {
    let words = Words::parse(args.classes.as_deref().unwrap_or_default())
        .map_err(|error| usage(format!("--classes: {error}")))?;
    if !(0.0..=1.0).contains(&args.threshold) {
        return Err(usage("--threshold: 0 to 1").into());
    }
    let class = |(i, name): (usize, &String)| Class { name: name.clone(), color: color_map((i + 1) as u8) };
    let classes = words.classes().iter().enumerate().map(class).collect();
    let path = Path::new(given);
    if path.join("config.toml").exists() {
        let run = RunFolder::open(path)?;
        anyhow::ensure!(run.kind() == nerve_vision::segmentation::KIND, "{given}: no segmenter's run");
        let (segmenter, _) = segmentation::alone(context, &run)?;
        let config: SegConfig = run.config()?;
        let device = devices::for_segmenter(context)?;
        let phrases = Phrases::of(&segmenter, &config.model, &words, args.text.as_deref(), device)?;
        return Ok((
            Asked::Words(Box::new(phrases), words, args.threshold),
            classes,
            run.path().join("predictions"),
        ));
    }
    let device = devices::for_segmenter(context)?;
    let templates =
        if args.template.is_empty() { vec![DEFAULT_TEMPLATE.to_owned()] } else { args.template.clone() };
    let clip =
        OpenVocabulary::open(path, args.tokenizer.as_deref(), words.clone(), &templates, args.last, device)?;
    Ok((Asked::Words(Box::new(clip), words, args.threshold), classes, PathBuf::from("predictions")))
}

/// How likely each word is at each pixel: an array `[H, W, words]`, and a gray picture a word.
pub fn write(out: &Path, stem: &str, words: &Words, likely: &Array3<f32>) -> anyhow::Result<()> {
    let (height, width, count) = likely.dim();
    let values: Vec<f32> = likely.iter().copied().collect();
    write_npy(&out.join(format!("{stem}_words.npy")), &[height, width, count], &values)?;
    for (i, (word, _)) in words.words().iter().enumerate() {
        let gray = likely.slice(s![.., .., i]);
        let image =
            Array3::from_shape_fn((height, width, 3), |(y, x, _)| (255.0 * gray[[y, x]]).round() as u8);
        let name: String = word.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect();
        picture::write_rgb(&out.join(format!("{stem}_word{i}_{name}.png")), image.view())?;
    }
    Ok(())
}
