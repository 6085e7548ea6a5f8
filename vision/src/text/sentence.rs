//! Sentence encoders of BERT's form (Devlin et al. 2019; Reimers and Gurevych 2019), such as all-MiniLM-L6-v2: a text's vector is the
//! mean of its tokens', brought to length one.
//!
//! Keys: `words.weight`, `positions.weight`, `kinds.weight`, `norm`, `blocks.I.{attn.qkv,attn.proj,norm1,mlp.fc1,mlp.fc2,norm2}`.
use std::path::Path;

use nerve_core::graph::{Device, Init, Result, Scope, Tensor, Variables, bail, read};
use nerve_core::layers::LayerNorm;
use serde::Deserialize;

use super::block::{Block, BlockConfig};
use super::{TextError, Tokenizer};
use crate::activation::Activation;
use crate::load::{Destination, LoadError, WeightSource, load, renamed, room};

/// Hugging Face's `config.json` of a BERT.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SentenceConfig {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    #[serde(default)]
    hidden_act: Activation,
    max_position_embeddings: usize,
    #[serde(default = "kinds")]
    type_vocab_size: usize,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
}

fn kinds() -> usize {
    2
}

fn eps() -> f64 {
    1e-12
}

/// A sentence encoder.
#[derive(Debug)]
pub struct SentenceEncoder {
    config: SentenceConfig,
    words: Tensor,
    positions: Tensor,
    kinds: Tensor,
    norm: LayerNorm,
    blocks: Vec<Block>,
    tokenizer: Tokenizer,
}

const NAMES: [(&str, &str); 9] = [
    ("attention.output.dense", "attn.proj"),
    ("attention.output.LayerNorm", "norm1"),
    ("intermediate.dense", "mlp.fc1"),
    ("output.dense", "mlp.fc2"),
    ("output.LayerNorm", "norm2"),
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.token_type_embeddings", "kinds"),
    ("embeddings.LayerNorm", "norm"),
];

/// Where an array of a published file belongs.
fn destination(name: &str) -> Destination {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if name.starts_with("pooler.") || name.starts_with("cls.") || name.ends_with("position_ids") {
        return Destination::Ignored;
    }
    let blocks = |key: &str| renamed(key, &[("encoder.layer", "blocks")]);
    for (number, part) in ["query", "key", "value"].into_iter().enumerate() {
        let key = renamed(name, &[(&format!("attention.self.{part}"), "attn.qkv")]);
        if key != name {
            return Destination::Part { key: blocks(&key), part: number, parts: 3 };
        }
    }
    Destination::Variable(blocks(&renamed(name, &NAMES)))
}

impl SentenceEncoder {
    /// Whether a folder holds one, by its `config.json`.
    #[must_use]
    pub fn are(path: &Path) -> bool {
        #[derive(Deserialize)]
        struct Header {
            model_type: String,
        }
        let text = std::fs::read_to_string(path.join("config.json")).unwrap_or_default();
        serde_json::from_str::<Header>(&text).is_ok_and(|header| header.model_type == "bert")
    }

    /// From a folder with `config.json`, `tokenizer.json` and weights.
    ///
    /// # Errors
    /// If one of them is missing or broken, or they do not fit each other.
    pub fn open(path: &Path) -> std::result::Result<Self, TextError> {
        let mut source = WeightSource::open(path)?;
        let failed = |problem: String| LoadError::Json { path: path.to_owned(), problem };
        let config: Option<SentenceConfig> = source.config()?;
        let config =
            config.ok_or_else(|| failed("a sentence encoder needs its config.json; put it there".into()))?;
        let variables = Variables::unset().at_most(room(&source));
        let encoder = Self::new(&variables.detached(), config, Tokenizer::open(path)?);
        let encoder = encoder.map_err(|error| failed(error.to_string()))?;
        load(&variables, "", &mut source, &destination)?.strict()?;
        Ok(encoder)
    }

    fn new(scope: &Scope, config: SentenceConfig, tokenizer: Tokenizer) -> Result<Self> {
        let (width, heads, eps) = (config.hidden_size, config.num_attention_heads, config.layer_norm_eps);
        if config.model_type != "bert"
            || heads == 0
            || !width.is_multiple_of(heads)
            || config.max_position_embeddings < 2
        {
            bail!(
                "`model_type` {}, {heads} heads and {width} channels: no BERT that is possible",
                config.model_type
            );
        }
        let (hidden, activation) = (config.intermediate_size, config.hidden_act);
        let block = BlockConfig { width, hidden, heads, activation, eps, pre_norm: false };
        let table =
            |name: &str, rows: usize| scope.at(name).weight("weight", &[rows, width], Init::Normal(0.02));
        let at = scope.at("blocks");
        Ok(Self {
            words: table("words", config.vocab_size)?,
            positions: table("positions", config.max_position_embeddings)?,
            kinds: table("kinds", config.type_vocab_size)?,
            norm: LayerNorm::new(&scope.at("norm"), width, eps)?,
            blocks: (0..config.num_hidden_layers)
                .map(|i| Block::new(&at.at(i), block))
                .collect::<Result<_>>()?,
            config,
            tokenizer,
        })
    }

    /// Channels of a vector.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.config.hidden_size
    }

    /// The vector of a text, of length one; of a long one that of its first tokens.
    ///
    /// # Errors
    /// If the text cannot be split.
    pub fn encode(&self, text: &str) -> std::result::Result<Vec<f32>, TextError> {
        let tokens = self.tokenizer.encode(text, self.config.max_position_embeddings)?;
        Ok(self.vector(&tokens).map_err(LoadError::from)?)
    }

    fn vector(&self, tokens: &[u32]) -> Result<Vec<f32>> {
        if let Some(token) = tokens.iter().find(|token| **token as usize >= self.config.vocab_size) {
            bail!("token {token} is not among the {} that the encoder knows", self.config.vocab_size);
        }
        let count = tokens.len();
        let ids = Tensor::from_vec(tokens.to_vec(), count, &Device::Cpu)?;
        let x = (self.words.index_select(&ids, 0)? + self.positions.narrow(0, 0, count)?)?;
        let mut x = self.norm.forward(&x.broadcast_add(&self.kinds.narrow(0, 0, 1)?)?)?.unsqueeze(0)?;
        for block in &self.blocks {
            x = block.forward(&x, None)?;
        }
        let values = read(&x)?;
        let width = self.config.hidden_size;
        let mean: Vec<f32> =
            (0..width).map(|c| values.iter().skip(c).step_by(width).sum::<f32>() / count as f32).collect();
        let length = mean.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        Ok(mean.iter().map(|v| v / length).collect())
    }
}
