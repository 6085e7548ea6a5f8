//! Keys of files of a whole CLIP.
use super::ProjectionConfig;
use crate::backbones::grid::{Resampling, square};
use crate::load::{Destination, Keys, renamed};
use crate::text::ClipTextKeys;

/// Keys of the projection alone: OpenAI's `visual.proj` and `visual.attnpool`, Hugging Face's `visual_projection`, timm's
/// `head`.
#[derive(Clone, Debug)]
pub struct ProjectionKeys {
    config: ProjectionConfig,
}

impl ProjectionKeys {
    /// Of a projection of this configuration.
    #[must_use]
    pub fn new(config: &ProjectionConfig) -> Self {
        Self { config: config.clone() }
    }
}

impl Keys for ProjectionKeys {
    fn destination(&self, name: &str) -> Destination {
        if let ProjectionConfig::Linear { .. } = self.config {
            return match name {
                "visual.proj" => Destination::Transposed("weight".into()),
                "visual_projection.weight" => Destination::Variable("weight".into()),
                _ => Destination::Ignored,
            };
        }
        let pool = name.strip_prefix("visual.attnpool.").or_else(|| name.strip_prefix("attnpool."));
        let Some(name) = pool.or_else(|| name.strip_prefix("head.")) else { return Destination::Ignored };
        for (number, parts) in [["q_proj", "q"], ["k_proj", "k"], ["v_proj", "v"]].iter().enumerate() {
            for part in parts {
                let key = renamed(name, &[(part, "qkv")]);
                if key != name {
                    return Destination::Part { key, part: number, parts: 3 };
                }
            }
        }
        Destination::Variable(renamed(name, &[("c_proj", "proj"), ("positional_embedding", "pos_embed")]))
    }

    /// The grid of positions of an attention pool.
    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        let ([old, channels], [_, same]) = (from, to) else { return None };
        let ProjectionConfig::Pool(pool) = &self.config else { return None };
        if key != "pos_embed" || channels != same {
            return None;
        }
        let side = square(old.checked_sub(1)?)?;
        let (mean, grid) = values.split_at_checked(*channels)?;
        Some([mean, &Resampling::Bilinear.resize_values(grid, [side; 2], pool.grid)].concat())
    }
}

/// Keys of all of a CLIP, of which the backbone's are given.
pub struct ClipKeys<'a> {
    backbone: &'a dyn Keys,
    projection: ProjectionKeys,
}

impl<'a> ClipKeys<'a> {
    /// With these of the backbone, and a projection of this configuration.
    #[must_use]
    pub fn new(backbone: &'a dyn Keys, projection: &ProjectionConfig) -> Self {
        Self { backbone, projection: ProjectionKeys::new(projection) }
    }
}

impl Keys for ClipKeys<'_> {
    fn destination(&self, name: &str) -> Destination {
        if name == "logit_scale" {
            return Destination::Variable("logit_scale".into());
        }
        let parts: [(&dyn Keys, &str); 3] =
            [(&self.projection, "projection."), (&ClipTextKeys, "text."), (self.backbone, "visual.")];
        let found = parts.into_iter().map(|(keys, prefix)| keys.destination(name).under(prefix));
        found.into_iter().find(|found| *found != Destination::Ignored).unwrap_or(Destination::Ignored)
    }

    fn resize(&self, key: &str, values: &[f32], from: &[usize], to: &[usize]) -> Option<Vec<f32>> {
        match key.split_once('.') {
            Some(("projection", key)) => self.projection.resize(key, values, from, to),
            Some(("visual", key)) => self.backbone.resize(key, values, from, to),
            _ => None,
        }
    }
}
