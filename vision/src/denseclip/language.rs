//! The language branch of a segmenter: from a backbone's features to the score map.
use nerve_core::graph::{Init, Mode, Result, Scope, Tensor, Var, bail, cat, read, reshape};

use super::{ContextDecoder, LanguageShape, Prompting, TextShape};
use crate::backbones::Features;
use crate::clip::{Embedded, Projection};
use crate::text::ClipText;

/// What `gamma` begins as (section 3.3).
const GAMMA: f32 = 1e-4;

/// Cosines of places and classes.
#[derive(Clone, Debug)]
pub struct ScoreMap {
    /// `(batch, rows, columns, classes)`, from -1 to 1.
    pub scores: Tensor,
    /// The classes' vectors that they are of, as long as they came: `(batch, classes, embed)`.
    pub texts: Tensor,
    /// The vectors of the places, of length one: `(batch, rows, columns, embed)`.
    pub places: Tensor,
}

/// Where the classes' vectors come from.
#[derive(Clone, Debug)]
enum Texts {
    /// `(classes, embed)`.
    Vectors(Var),
    Clip {
        encoder: Box<ClipText>,
        /// Tokens of the names, each one more than its number, padded with zeros: `(classes, length)`.
        tokens: Var,
        /// `(1 or classes, n, width)`; with pre-model prompting the queries that contexts are made of.
        contexts: Tensor,
    },
}

/// The language branch.
#[derive(Clone, Debug)]
pub struct Language {
    shape: LanguageShape,
    projection: Projection,
    texts: Texts,
    decoder: Option<ContextDecoder>,
    gamma: Option<Tensor>,
}

impl Language {
    /// Builds it over the variables of `scope`; the text encoder is frozen, and gradients flow through it.
    ///
    /// # Errors
    /// If the shape is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, shape: &LanguageShape) -> Result<Self> {
        let (embed, classes) = (shape.text.embed(), shape.classes);
        if shape.projection.embed() != embed {
            bail!("language: images have vectors of {} channels, texts of {embed}", shape.projection.embed());
        }
        let mut queries = embed;
        let texts = match &shape.text {
            TextShape::Vectors(_) if shape.prompting == Prompting::Pre => {
                bail!(
                    "language: contexts before the text encoder need one; give a CLIP as --text, or --prompting post"
                )
            }
            TextShape::Vectors(_) => Texts::Vectors(scope.buffer("vectors", &[classes, embed], 0.0)?),
            TextShape::Clip(config) => {
                let sets = if shape.class_contexts { classes } else { 1 };
                let dims = [sets, shape.contexts, config.width];
                if shape.contexts + 2 >= config.length {
                    bail!(
                        "language: {} contexts leave no room in texts of {} tokens",
                        shape.contexts,
                        config.length
                    );
                }
                queries = config.width;
                Texts::Clip {
                    encoder: Box::new(ClipText::new(&scope.at("text").frozen(), config)?),
                    tokens: scope.buffer("tokens", &[classes, config.length - shape.contexts], 0.0)?,
                    contexts: scope.weight("contexts", &dims, Init::Normal(0.02))?,
                }
            }
        };
        let width = if shape.prompting == Prompting::Pre { queries } else { embed };
        let decoder = || ContextDecoder::new(&scope.at("decoder"), &shape.decoder, width, embed);
        let post = shape.prompting == Prompting::Post;
        Ok(Self {
            projection: Projection::new(&scope.at("projection"), &shape.projection)?,
            texts,
            decoder: (shape.prompting != Prompting::Off).then(decoder).transpose()?,
            gamma: post.then(|| scope.weight("gamma", &[embed], Init::Constant(GAMMA))).transpose()?,
            shape: shape.clone(),
        })
    }

    /// What shapes it.
    #[must_use]
    pub fn shape(&self) -> &LanguageShape {
        &self.shape
    }

    /// The score map of images, from what the backbone made of them.
    ///
    /// # Errors
    /// If the features are not those that it was built for, or no text was loaded.
    pub fn forward(&self, features: &Features, mode: Mode) -> Result<ScoreMap> {
        let Embedded { global, map } = self.projection.forward(features)?;
        let (batch, rows, columns, embed) = map.dims4()?;
        let image = cat(&[&global.unsqueeze(1)?, &reshape(&map, (batch, rows * columns, embed))?], 1)?;
        let texts = self.texts(&image, batch, mode)?;
        let places = unit(&map)?;
        let flat = places.reshape((batch, rows * columns, embed))?;
        let scores = flat.matmul(&unit(&texts)?.transpose(1, 2)?.contiguous()?)?;
        Ok(ScoreMap { scores: scores.reshape((batch, rows, columns, self.shape.classes))?, texts, places })
    }

    /// The classes' vectors for each image, `(batch, classes, embed)`.
    fn texts(&self, image: &Tensor, batch: usize, mode: Mode) -> Result<Tensor> {
        let LanguageShape { classes, prompting, .. } = self.shape;
        let texts = match &self.texts {
            Texts::Vectors(vectors) => vectors.as_detached_tensor(),
            Texts::Clip { encoder, tokens, contexts } => {
                let names = ids(tokens)?;
                let (sets, count, width) = contexts.dims3()?;
                if let (Prompting::Pre, Some(decoder)) = (prompting, &self.decoder) {
                    let queries = contexts.reshape((1, sets * count, width))?;
                    let queries = queries.broadcast_as((batch, sets * count, width))?.contiguous()?;
                    let made =
                        decoder.forward(&queries, image, mode)?.reshape(vec![batch, sets, count, width])?;
                    let made = made.broadcast_as(vec![batch, classes, count, width])?.contiguous()?;
                    let all: Vec<Vec<u32>> = (0..batch).flat_map(|_| names.iter().cloned()).collect();
                    let found =
                        encoder.forward_with(&all, &made.reshape((batch * classes, count, width))?)?;
                    return found.reshape((batch, classes, ()));
                }
                let contexts = contexts.broadcast_as((classes, count, width))?.contiguous()?;
                encoder.forward_with(&names, &contexts)?
            }
        };
        let texts =
            texts.unsqueeze(0)?.broadcast_as((batch, classes, self.shape.text.embed()))?.contiguous()?;
        match (&self.decoder, &self.gamma) {
            (Some(decoder), Some(gamma)) => {
                let seen = decoder.forward(&texts, image, mode)?;
                texts + seen.broadcast_mul(gamma)?
            }
            _ => Ok(texts),
        }
    }
}

/// The tokens of names, without what they are padded with.
fn ids(tokens: &Var) -> Result<Vec<Vec<u32>>> {
    let length = tokens.dims2()?.1;
    let values = read(tokens.as_tensor())?;
    let row =
        |row: &[f32]| row.iter().take_while(|id| **id > 0.0).map(|id| *id as u32 - 1).collect::<Vec<_>>();
    let names: Vec<Vec<u32>> = values.chunks_exact(length).map(row).collect();
    if names.iter().any(Vec::is_empty) {
        bail!("language: the names of the classes have not been loaded");
    }
    Ok(names)
}

/// Vectors in the last extent, brought to length one.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    let last = x.rank() - 1;
    x.broadcast_div(&(x.sqr()?.sum_keepdim(last)? + 1e-12)?.sqrt()?)
}
