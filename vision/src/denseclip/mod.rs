//! DenseCLIP (Rao et al. 2022): dense prediction guided by language.
//!
//! The vectors of an image's places, in the space of the texts, are compared with the vectors of the classes; the cosines, the
//! *score map* (section 3.2), are more channels of one of the maps that the head is given, and have a loss of their own. The
//! classes' vectors are first refined by what is seen (*post-model prompting*, section 3.3): `t' = t + gamma f(t, image)`,
//! `f` a transformer that attends to the image. Before the text encoder, it makes contexts of the words instead (*pre-model*).
//!
//! [`Language`] is what a segmenter adds to its backbone and head. Texts are CLIP's, with learned contexts, through a frozen
//! encoder; or vectors that a file holds. Any backbone serves: CLIP's have a projection into the space of the texts, others
//! learn an attention pool.
//!
//! Keys: `projection.*`, `decoder.*`, `gamma`, `contexts`, `text.*`, and the buffers `tokens` or `vectors`.
mod config;
mod decoder;
mod language;
mod texts;

pub use config::{LanguageConfig, LanguageShape, Prompting, TextShape};
pub use decoder::{ContextDecoder, DecoderSize};
pub(crate) use language::unit;
pub use language::{Language, ScoreMap};
pub use texts::{TextSource, token_rows};

#[cfg(test)]
mod tests;
