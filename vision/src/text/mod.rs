//! Text: from words to vectors.
//!
//! [`Tokenizer`] makes tokens of text, as CLIP and BERT were trained with; [`ClipText`] is CLIP's text
//! encoder, [`SentenceEncoder`] one of BERT's form, [`ClassVectors`] are what a file holds. Sequences
//! are `(texts, tokens, channels)`.
mod block;
mod clip;
mod clip_keys;
mod error;
mod merges;
mod sentence;
mod tokenizer;
mod vectors;

pub use clip::{ClipText, ClipTextConfig};
pub use clip_keys::ClipTextKeys;
pub use error::TextError;
pub use sentence::{SentenceConfig, SentenceEncoder};
pub use tokenizer::Tokenizer;
pub use vectors::ClassVectors;
