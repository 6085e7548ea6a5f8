//! The words that pixels are told apart by: classes, each by one word or several.
use ndarray::{Array2, Array3, s};
use nerve_core::graph::{Tensor, read};

use crate::segmentation::Prediction;
use crate::text::{ClipText, TextError, Tokenizer};

/// What a word is put into before it is encoded; `{}` stands for the word.
pub const DEFAULT_TEMPLATE: &str = "a photo of a {}.";
/// Words that labels of 8 bits can tell apart, one being kept for what is ignored.
const MOST: usize = 255;

/// Classes by their words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    classes: Vec<String>,
    /// Each word, and the class that it means.
    words: Vec<(String, usize)>,
}

impl Words {
    /// From a list of classes separated by commas, synonyms by `|`: `road, tree|plant, a red car`. A class is called by the
    /// first of its words.
    ///
    /// # Errors
    /// A sentence that says what is wrong: no words, an empty one, or too many.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut found = Self { classes: Vec::new(), words: Vec::new() };
        for class in text.split(',') {
            for (i, word) in class.split('|').map(str::trim).enumerate() {
                if word.is_empty() {
                    return Err(format!(
                        "an empty word in '{text}'; write them as in \"road, tree|plant, a red car\""
                    ));
                }
                if i == 0 {
                    found.classes.push(word.to_owned());
                }
                found.words.push((word.to_owned(), found.classes.len() - 1));
            }
        }
        if found.words.len() > MOST {
            return Err(format!("{} words; at most {MOST} can be told apart", found.words.len()));
        }
        Ok(found)
    }

    /// The classes' names.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Each word, and the number of the class that it means.
    #[must_use]
    pub fn words(&self) -> &[(String, usize)] {
        &self.words
    }

    /// The classes of pixels from probabilities of the words, `[H, W, words]`: that of the likeliest word, which is as likely as
    /// the second result says. Where even that is less likely than `threshold`, class 0, the background.
    #[must_use]
    pub fn join(&self, likely: &Array3<f32>, threshold: f32) -> Prediction {
        let (height, width, _) = likely.dim();
        let mut found =
            Prediction { labels: Array2::zeros((height, width)), confidence: Array2::zeros((height, width)) };
        for ((at, label), confidence) in found.labels.indexed_iter_mut().zip(&mut found.confidence) {
            for ((_, class), p) in self.words.iter().zip(likely.slice(s![at.0, at.1, ..])) {
                if *p > *confidence {
                    (*confidence, *label) = (*p, *class as u8);
                }
            }
            if *confidence < threshold {
                *label = 0;
            }
        }
        found
    }

    /// Vectors of length one of all words, `(words, embed)`: the mean over the templates of such vectors.
    ///
    /// # Errors
    /// If a text cannot be encoded, or a template has no `{}`.
    pub fn encode(
        &self,
        text: &ClipText,
        tokenizer: &Tokenizer,
        templates: &[String],
    ) -> Result<Tensor, TextError> {
        let most = text.config().length;
        let mut rows = Vec::new();
        for (word, _) in &self.words {
            let tokens = templates.iter().map(|template| {
                if !template.contains("{}") {
                    let problem =
                        "a template has {} where the word is to stand, as in \"a photo of a {}.\"".into();
                    return Err(TextError::Text { text: template.clone(), problem });
                }
                tokenizer.encode(&template.replace("{}", word), most)
            });
            let found = text
                .forward(&tokens.collect::<Result<Vec<_>, _>>()?)
                .map_err(crate::load::LoadError::from)?;
            let channels = text.config().embed;
            let values = read(&found).map_err(crate::load::LoadError::from)?;
            let mut sum = vec![0.0; channels];
            for row in values.chunks_exact(channels) {
                let length = norm(row);
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v / length);
            }
            let length = norm(&sum);
            rows.extend(sum.iter().map(|v| v / length));
        }
        let shape = (self.words.len(), text.config().embed);
        Ok(Tensor::from_vec(rows, shape, &nerve_core::graph::Device::Cpu)
            .map_err(crate::load::LoadError::from)?)
    }
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_word_decides_and_the_unlikely_is_background() {
        let words = Words::parse("wall, tree|plant").expect("words");
        // Together the two words of the tree are likelier in the second pixel, but none of them is.
        let likely = Array3::from_shape_vec((1, 3, 3), vec![0.2, 0.1, 0.7, 0.4, 0.3, 0.3, 0.3, 0.35, 0.35]);
        let found = words.join(&likely.expect("an array"), 0.36);
        assert_eq!(found.labels.as_slice(), Some(&[1u8, 0, 0][..]));
        assert_eq!(found.confidence.as_slice(), Some(&[0.7f32, 0.4, 0.35][..]));
    }

    #[test]
    fn synonyms_belong_to_one_class() {
        let words = Words::parse("road, tree| plant ,a red car").expect("words");
        assert_eq!(words.classes(), ["road", "tree", "a red car"]);
        let all: Vec<(&str, usize)> = words.words().iter().map(|(w, c)| (w.as_str(), *c)).collect();
        assert_eq!(all, [("road", 0), ("tree", 1), ("plant", 1), ("a red car", 2)]);
        for (text, part) in [("", "empty word"), ("a,,b", "empty word"), ("a|", "empty word")] {
            assert!(Words::parse(text).expect_err("refused").contains(part), "{text}");
        }
        let many = vec!["x"; 256].join(",");
        assert!(Words::parse(&many).expect_err("too many").contains("256 words"));
    }
}
