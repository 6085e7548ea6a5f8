//! CLIP's tokenizer from the merges that OpenAI published (`bpe_simple_vocab_16e6.txt.gz`), as a `tokenizer.json`.
//!
//! Text is composed (NFC), runs of white space become one space, letters small; words, single digits, contractions and
//! runs of other signs are split apart, and each is merged from its bytes, the last of which carries `</w>`. The
//! vocabulary: 256 bytes as signs, the same at the end of a word, the merges in their order, and two marks.
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use super::TextError;

/// The marks of the beginning and the end of a text.
pub(super) const MARKS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];
/// Merges that CLIP uses; the file has more.
const MERGES: usize = 49_152 - 256 - 2;
/// Larger than the file is.
const MOST: u64 = 64 << 20;

const SPLIT: &str =
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// The text of a file, which may be compressed.
fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = File::open(path)?;
    if path.extension().is_some_and(|e| e == "gz") {
        GzDecoder::new(file).take(MOST).read_to_string(&mut text)?;
    } else {
        file.take(MOST).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// The signs that stand for the bytes, in the order of the vocabulary: printable ones for themselves, the others from
/// 256 on.
fn signs() -> Vec<char> {
    let printable = (b'!'..=b'~').chain(0xA1..=0xAC).chain(0xAE..=0xFF);
    let others = (0..68).filter_map(|i| char::from_u32(256 + i));
    printable.map(char::from).chain(others).collect()
}

/// The tokenizer of a file of merges, as JSON.
pub(super) fn tokenizer(path: &Path) -> Result<Value, TextError> {
    let text = read(path).map_err(|problem| TextError::Io { path: path.to_owned(), problem })?;
    // The first line is a heading.
    let merges: Option<Vec<[&str; 2]>> = text
        .lines()
        .skip(1)
        .take(MERGES)
        .map(|line| line.split_once(' ').map(|(a, b)| [a, b]).filter(|pair| !pair[1].contains(' ')))
        .collect();
    let merges = merges.filter(|merges| !merges.is_empty()).ok_or_else(|| TextError::Tokenizer {
        path: path.to_owned(),
        problem:
            "not a list of merges, two words a line after a heading; give CLIP's bpe_simple_vocab_16e6.txt.gz"
                .into(),
    })?;
    let signs = signs();
    let bytes = signs.iter().map(char::to_string).chain(signs.iter().map(|sign| format!("{sign}</w>")));
    let words = bytes.chain(merges.iter().map(|pair| pair.concat())).chain(MARKS.map(str::to_owned));
    let mut vocabulary = Map::new();
    for (id, word) in words.enumerate() {
        vocabulary.insert(word, json!(id));
    }
    let mark = |content: &str| {
        json!({
            "id": vocabulary[content], "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    };
    Ok(json!({
        "version": "1.0",
        "added_tokens": MARKS.map(mark),
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"},
        ]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        ]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": MARKS[1], "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges,
        },
    }))
}
