//! CLIP's text encoder (Radford et al. 2021, section 2.4): a transformer in which a token sees itself and those before it.
//!
//! A text's feature is that of its last token, the mark of the end, after the last norm, projected into the space that texts
//! and images share. What stands behind the mark has no influence, so batches are only as long as their longest text.
//! Learned contexts (Zhou et al. 2022, "Learning to Prompt"; DenseCLIP) may stand between the mark of the beginning and
//! the words.
//!
//! Keys: `token_embedding.weight`, `positional_embedding`, `blocks.I.{norm1,attn.qkv,attn.proj,norm2,mlp.fc1,mlp.fc2}`,
//! `norm`, `proj.weight`. [`super::ClipTextKeys`] reads OpenAI's, open_clip's and Hugging Face's files.
use nerve_core::graph::{Init, Result, Scope, Tensor, bail, cat, narrow, reshape};
use nerve_core::layers::{LayerNorm, Linear};
use serde::{Deserialize, Serialize};

use super::block::{Block, BlockConfig};
use crate::activation::Activation;

/// Added to the scores of what a token does not see.
const HIDDEN: f32 = -1e9;

/// CLIP's text encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
    /// Number of tokens that there are.
    pub vocabulary: usize,
    /// Most tokens of a text, marks included.
    pub length: usize,
    /// Channels of a token.
    pub width: usize,
    /// Number of heads.
    pub heads: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Hidden channels of the MLPs.
    pub hidden: usize,
    /// The activation of the MLPs.
    pub activation: Activation,
    /// Added to variances.
    pub eps: f64,
    /// Channels of the space that texts and images share.
    pub embed: usize,
}

impl Default for ClipTextConfig {
    fn default() -> Self {
        Self::new(512, 512)
    }
}

impl ClipTextConfig {
    /// As published: heads of 64 channels, 12 blocks, texts of 77 tokens.
    #[must_use]
    pub fn new(width: usize, embed: usize) -> Self {
        Self {
            vocabulary: 49_408,
            length: 77,
            width,
            heads: (width / 64).max(1),
            depth: 12,
            hidden: 4 * width,
            activation: Activation::QuickGelu,
            eps: 1e-5,
            embed,
        }
    }

    fn check(&self) -> Result<()> {
        let Self { width, heads, depth, length, vocabulary, embed, .. } = *self;
        if [width, heads, depth, length, vocabulary, embed].contains(&0) || !width.is_multiple_of(heads) {
            bail!(
                "CLIP's text encoder: {depth} blocks with {heads} heads and {width} channels are not possible"
            );
        }
        Ok(())
    }
}

/// CLIP's text encoder.
#[derive(Clone, Debug)]
pub struct ClipText {
    config: ClipTextConfig,
    tokens: Tensor,
    positions: Tensor,
    blocks: Vec<Block>,
    norm: LayerNorm,
    proj: Linear,
}

impl ClipText {
    /// Builds it over the variables of `scope`.
    ///
    /// # Errors
    /// If the configuration is not consistent, or variables exist with other shapes.
    pub fn new(scope: &Scope, config: &ClipTextConfig) -> Result<Self> {
        config.check()?;
        let ClipTextConfig { vocabulary, length, width, heads, depth, hidden, activation, eps, embed } =
            *config;
        let block = BlockConfig { width, hidden, heads, activation, eps, pre_norm: true };
        let at = scope.at("blocks");
        Ok(Self {
            tokens: scope.at("token_embedding").weight("weight", &[vocabulary, width], Init::Normal(0.02))?,
            positions: scope.weight("positional_embedding", &[length, width], Init::Normal(0.01))?,
            blocks: (0..depth).map(|i| Block::new(&at.at(i), block)).collect::<Result<_>>()?,
            norm: LayerNorm::new(&scope.at("norm"), width, eps)?,
            proj: Linear::without_bias(&scope.at("proj"), width, embed)?,
            config: config.clone(),
        })
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &ClipTextConfig {
        &self.config
    }

    /// The features `(texts, embed)` of texts given as tokens, marks included; see [`super::Tokenizer::encode`].
    ///
    /// # Errors
    /// If there is no text, or one is too long, or a token is not in the vocabulary.
    pub fn forward(&self, texts: &[Vec<u32>]) -> Result<Tensor> {
        self.encode(texts, None)
    }

    /// The same with contexts `(texts, n, width)` of each text behind the mark of its beginning. Gradients flow into them.
    ///
    /// # Errors
    /// As [`Self::forward`], the contexts counting as tokens.
    pub fn forward_with(&self, texts: &[Vec<u32>], contexts: &Tensor) -> Result<Tensor> {
        self.encode(texts, Some(contexts))
    }

    fn encode(&self, texts: &[Vec<u32>], contexts: Option<&Tensor>) -> Result<Tensor> {
        let ClipTextConfig { vocabulary, length, width, heads, .. } = self.config;
        let longest = texts.iter().map(Vec::len).max().unwrap_or(0);
        let more = contexts.map_or(Ok(0), |contexts| contexts.dim(1))?;
        let (count, tokens) = (texts.len(), longest + more);
        if longest == 0 || tokens > length {
            bail!(
                "CLIP's text encoder: {count} texts of up to {tokens} tokens; from 1 to {length} are possible"
            );
        }
        if let Some(token) = texts.iter().flatten().find(|token| **token as usize >= vocabulary) {
            bail!("CLIP's text encoder: token {token} is not among the {vocabulary} that it knows");
        }
        let padded = texts
            .iter()
            .flat_map(|text| text.iter().copied().chain(std::iter::repeat_n(0, longest - text.len())));
        let ids = Tensor::from_vec(padded.collect::<Vec<u32>>(), count * longest, self.tokens.device())?;
        let mut x = self.tokens.index_select(&ids, 0)?.reshape((count, longest, width))?;
        if let Some(contexts) = contexts {
            let rest = longest - 1;
            let start = narrow(&x, 1, 0, 1)?;
            x = cat(&[&start, contexts, &narrow(&x, 1, 1, rest)?], 1)?;
        }
        let mut x = x.broadcast_add(&self.positions.narrow(0, 0, tokens)?)?;
        let mask = causal(heads, tokens, x.device())?;
        for block in &self.blocks {
            x = block.forward(&x, Some(&mask))?;
        }
        // The mark of the end has the largest number.
        let end = |(i, text): (usize, &Vec<u32>)| {
            let at = text
                .iter()
                .enumerate()
                .fold((0, 0), |best, (at, id)| if *id > best.1 { (at, *id) } else { best });
            (i * tokens + more + at.0) as u32
        };
        let ends = texts.iter().enumerate().map(end).collect::<Vec<_>>();
        let ends = Tensor::from_vec(ends, count, x.device())?;
        let last = reshape(&x, (count * tokens, width))?.index_select(&ends, 0)?;
        self.proj.forward(&self.norm.forward(&last)?)
    }
}

/// What hides the tokens that come later, `(heads, tokens, tokens)`.
fn causal(heads: usize, tokens: usize, device: &nerve_core::graph::Device) -> Result<Tensor> {
    let one = (0..tokens * tokens).map(|at| if at % tokens > at / tokens { HIDDEN } else { 0.0 });
    let one = Tensor::from_vec(one.collect::<Vec<f32>>(), (1, tokens, tokens), device)?;
    one.broadcast_as((heads, tokens, tokens))?.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::gradient_reach;
    use nerve_core::graph::{Variables, read};

    fn small() -> ClipTextConfig {
        ClipTextConfig {
            vocabulary: 20,
            length: 9,
            heads: 2,
            depth: 2,
            hidden: 24,
            ..ClipTextConfig::new(12, 8)
        }
    }

    fn values(x: &Tensor) -> Vec<f32> {
        read(x).expect("values").to_vec()
    }

    #[test]
    fn what_stands_behind_the_end_has_no_influence() {
        let variables = Variables::random(1);
        let model = ClipText::new(&variables.detached(), &small()).expect("a model");
        let (short, long) = (vec![18, 3, 19], vec![18, 3, 4, 5, 6, 19]);
        let alone = values(&model.forward(std::slice::from_ref(&short)).expect("a feature"));
        let together = values(&model.forward(&[short, long]).expect("features"));
        let furthest =
            |other: &[f32]| alone.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest(&together[..8]) < 1e-6 && furthest(&together[8..]) > 1e-3);
    }

    #[test]
    fn gradients_reach_contexts_and_every_variable() {
        let variables = Variables::random(1);
        let scope = variables.tracked();
        let model = ClipText::new(&scope, &small()).expect("a model");
        let contexts = scope.weight("contexts", &[3, 3, 12], Init::Normal(1.0)).expect("contexts");
        let texts = [vec![18, 3, 19], vec![18, 4, 5, 6, 19], vec![18, 7, 8, 9, 10, 11]];
        let run = || Ok(vec![model.forward_with(&texts, &contexts)?]);
        gradient_reach(&variables, run).expect("all are reached");
    }

    #[test]
    fn what_cannot_be_is_said() {
        let scope = Variables::unset().detached();
        let model = ClipText::new(&scope, &small()).expect("a model");
        let contexts =
            Tensor::zeros((1, 6, 12), nerve_core::graph::DType::F32, scope.device()).expect("contexts");
        for (found, part) in [
            (model.forward(&[vec![1; 10]]), "10 tokens; from 1 to 9"),
            (model.forward(&[]), "0 texts"),
            (model.forward(&[vec![1, 20]]), "token 20"),
            (model.forward_with(&[vec![1; 4]], &contexts), "10 tokens"),
        ] {
            let error = found.expect_err("it cannot be").to_string();
            assert!(error.contains(part), "{error}");
        }
        assert!(ClipText::new(&scope, &ClipTextConfig { heads: 5, ..small() }).is_err());
    }
}
