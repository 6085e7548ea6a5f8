//! From text to tokens.
use std::path::{Path, PathBuf};

use super::{TextError, merges};

/// Files that a folder's tokenizer may be in.
const FILES: [&str; 3] = ["tokenizer.json", "bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt"];
/// Characters of a text that a message shows.
const SHOWN: usize = 40;

/// A tokenizer: text becomes numbers of tokens, between marks of its beginning and its end.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    marks: [u32; 2],
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("marks", &self.marks).finish_non_exhaustive()
    }
}

/// Pairs of marks that are known: CLIP's, BERT's.
const MARKS: [[&str; 2]; 2] = [merges::MARKS, ["[CLS]", "[SEP]"]];

impl Tokenizer {
    /// From a `tokenizer.json` as Hugging Face has it, or CLIP's merges as OpenAI published them (`.txt`, `.txt.gz`), or
    /// a folder with one of them.
    ///
    /// # Errors
    /// If there is none, or it is of another kind than CLIP's and BERT's.
    pub fn open(path: &Path) -> Result<Self, TextError> {
        let path = file(path)?;
        let failed = |problem: String| TextError::Tokenizer { path: path.clone(), problem };
        let inner = if path.extension().is_some_and(|e| e == "json") {
            let bytes =
                std::fs::read(&path).map_err(|problem| TextError::Io { path: path.clone(), problem })?;
            tokenizers::Tokenizer::from_bytes(bytes)
        } else {
            tokenizers::Tokenizer::from_bytes(merges::tokenizer(&path)?.to_string())
        };
        let mut inner = inner.map_err(|error| failed(format!("no tokenizer that can be used: {error}")))?;
        // Sequences are cut here, and are not padded.
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| failed(error.to_string()))?;
        let mark = |mark: &str| inner.token_to_id(mark);
        let marks = MARKS.iter().find_map(|[start, end]| Some([mark(start)?, mark(end)?]));
        let marks = marks.ok_or_else(|| {
            failed(
                "it has neither CLIP's marks of beginning and end nor BERT's; give the model's own tokenizer"
                    .into(),
            )
        })?;
        Ok(Self { inner, marks })
    }

    /// The tokens of a text, the marks of beginning and end included; of a longer one the first `most`, the last of them
    /// being the mark of the end.
    ///
    /// # Errors
    /// If the text cannot be split.
    pub fn encode(&self, text: &str, most: usize) -> Result<Vec<u32>, TextError> {
        let encoding = self.inner.encode_fast(text, false).map_err(|error| TextError::Text {
            text: text.chars().take(SHOWN).collect(),
            problem: error.to_string(),
        })?;
        let [start, end] = self.marks;
        let room = most.saturating_sub(2);
        let words = encoding.get_ids().iter().copied().take(room);
        Ok(std::iter::once(start).chain(words).chain([end]).collect())
    }
}

/// The file that holds a tokenizer.
fn file(path: &Path) -> Result<PathBuf, TextError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    FILES.iter().map(|name| path.join(name)).find(|file| file.is_file()).ok_or_else(|| TextError::Tokenizer {
        path: path.to_owned(),
        problem: format!("there is no tokenizer in this folder ({})", FILES.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CLIP's merges, cut to a few: `a b`, `ab c</w>`.
    fn small() -> (tempfile::TempDir, Tokenizer) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bpe_simple_vocab_16e6.txt");
        std::fs::write(&path, "#version\na b\nab c</w>\n").expect("a file");
        let tokenizer = Tokenizer::open(folder.path()).expect("a tokenizer");
        (folder, tokenizer)
    }

    #[test]
    fn bytes_are_merged_between_marks() {
        let (_folder, tokenizer) = small();
        let [start, end] = [514, 515];
        // `!` is 0, `a` is 64, at the end of a word 256 more; merges from 512 on.
        assert_eq!(tokenizer.encode("  ABC  a! ", 77).expect("tokens"), [start, 513, 64 + 256, 256, end]);
        assert_eq!(tokenizer.encode("", 77).expect("tokens"), [start, end]);
        assert_eq!(tokenizer.encode("abc abc abc", 4).expect("tokens"), [start, 513, 513, end]);
        // Not a printable byte of Latin-1: U+0130 in UTF-8, small: i and a dot above.
        assert_eq!(tokenizer.encode("\u{e9}", 77).expect("tokens").len(), 4);
    }

    #[test]
    fn what_is_no_tokenizer_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Tokenizer::open(folder.path()).expect_err("there is none").to_string();
        assert!(error.contains("no tokenizer in this folder"), "{error}");
        for (name, text, part) in [
            ("tokenizer.json", "{", "no tokenizer that can be used"),
            ("merges.txt", "#version\na b c\n", "two words a line"),
            ("empty.txt", "", "two words a line"),
            ("broken.txt.gz", "no gzip", "broken.txt.gz"),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            let error = Tokenizer::open(&path).expect_err(name).to_string();
            assert!(error.contains(part), "{name}: {error}");
        }
        assert!(Tokenizer::open(&folder.path().join("missing.json")).is_err());
    }
}
