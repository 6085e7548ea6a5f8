//! Segmenters that are guided by language: what shapes their language branch, and what fills it.
use nerve_core::device::Device;
use nerve_core::graph::Variables;

use super::network::{LANGUAGE, backbone};
use super::{Method, ModelConfig, SegConfig, SegmentationError, Segmenter};
use crate::backbones::clip_resnet::ClipResNetConfig;
use crate::backbones::vit::VitConfig;
use crate::clip::{AttentionPoolConfig, Clip, ProjectionConfig, ProjectionKeys, is_clip};
use crate::denseclip::{DecoderSize, LanguageShape, Prompting, TextShape, TextSource};
use crate::load::load;

/// The segmenter of a new run on classes of these names, with its texts, and the backbone's weights yet to be loaded.
pub(super) fn segmenter(
    config: &SegConfig,
    names: &[String],
    device: Device,
) -> Result<Segmenter, SegmentationError> {
    let (model, seed) = (&config.model, config.train.run.seed);
    if model.method == Method::Plain {
        return Segmenter::new(model, names.len(), seed, device);
    }
    let mut texts = TextSource::open(&model.language, model.weights.as_deref(), names)?;
    let (projection, own) = projection(model, texts.shape(), config.augment.crop)?;
    let shape = LanguageShape {
        classes: names.len(),
        own_projection: own,
        projection,
        decoder: DecoderSize::default(),
        text: texts.shape().clone(),
        prompting: model.language.prompting,
        contexts: if matches!(texts.shape(), TextShape::Clip(_)) { model.language.contexts } else { 0 },
        class_contexts: model.language.class_contexts,
    };
    let segmenter = Segmenter::guided(model, Some(&shape), names.len(), seed, device)?;
    texts.fill(segmenter.variables(), &format!("{LANGUAGE}."), &shape)?;
    if let Some(weights) = &model.weights {
        let mut source = Clip::source(weights)?;
        if shape.own_projection && is_clip(&source) {
            let (keys, prefix) = (ProjectionKeys::new(&shape.projection), format!("{LANGUAGE}.projection."));
            load(segmenter.variables(), &prefix, &mut source, &keys)?.strict()?;
        }
    }
    Ok(segmenter)
}

/// What makes vectors in the space of the texts: a CLIP's own projection where backbone and texts are a CLIP's, else an
/// attention pool over the last map, its grid of positions that of a crop. And which of the two it is.
fn projection(
    model: &ModelConfig,
    text: &TextShape,
    crop: [usize; 2],
) -> Result<(ProjectionConfig, bool), SegmentationError> {
    let embed = text.embed();
    let config: Box<dyn std::any::Any> = backbone(model);
    let levels = backbone(model).build(&Variables::unset().detached())?.levels();
    let Some(last) = levels.last() else {
        return Err(nerve_core::graph::Error::Msg("language: the backbone has no maps".into()).into());
    };
    let grid = crop.map(|side| side.div_ceil(last.stride));
    let pool = AttentionPoolConfig::new(last.channels, embed, grid);
    let clip = matches!(text, TextShape::Clip(_));
    Ok(match (config.downcast_ref::<VitConfig>(), config.downcast_ref::<ClipResNetConfig>()) {
        (Some(vit), _) if clip && vit.pre_norm => {
            (ProjectionConfig::Linear { channels: vit.dim, embed }, true)
        }
        (_, Some(net)) => (ProjectionConfig::Pool(AttentionPoolConfig { heads: net.heads(), ..pool }), clip),
        _ => (ProjectionConfig::Pool(pool), false),
    })
}

/// The shape that a configuration asks for, given a saved one: what files said stays, what flags say is as they say.
pub(super) fn asked(saved: &LanguageShape, model: &ModelConfig) -> Option<LanguageShape> {
    let language = &model.language;
    let contexts = if matches!(saved.text, TextShape::Clip(_)) { language.contexts } else { 0 };
    let asked = LanguageShape {
        prompting: language.prompting,
        contexts,
        class_contexts: language.class_contexts,
        ..saved.clone()
    };
    (model.method == Method::DenseClip).then_some(asked)
}

/// A language branch in words.
pub(super) fn told(shape: &LanguageShape) -> String {
    let text = match &shape.text {
        TextShape::Vectors(channels) => format!("class vectors of {channels} channels"),
        TextShape::Clip(_) => format!("CLIP's text encoder with {} contexts", shape.contexts),
    };
    let prompting = match shape.prompting {
        Prompting::Post => "post-model prompting",
        Prompting::Pre => "pre-model prompting",
        Prompting::Off => "no prompting",
    };
    let own = if shape.class_contexts { ", contexts of each class" } else { "" };
    format!("denseclip with {text}, {prompting}{own}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use nerve_core::graph::VariableKind;

    use crate::segmentation::HeadKind;
    use crate::segmentation::network::Network;
    use crate::text::ClipTextConfig;

    /// Parameters without the text encoder, as the authors' programs have them on ADE20K (computed from their layers). Their
    /// ViT keeps its positions for images of 640 pixels, ours those of 224: 1404 fewer.
    #[test]
    fn sizes_are_those_published() {
        for (backbone, embed, side, wanted) in [
            ("clip-rn50", 1024, 512, 50.3e6),
            ("clip-rn101", 512, 512, 67.8e6),
            ("clip-vit-b16", 512, 640, 105.3e6 - 1404.0 * 768.0),
        ] {
            let backbone = backbone.parse().expect("a backbone");
            let model = ModelConfig {
                method: Method::DenseClip,
                head: HeadKind::SemanticFpn,
                backbone,
                ..ModelConfig::default()
            };
            let text = TextShape::Clip(ClipTextConfig { depth: 1, ..ClipTextConfig::new(512, embed) });
            let (projection, own_projection) = projection(&model, &text, [side; 2]).expect("a projection");
            assert!(own_projection);
            let shape = LanguageShape {
                classes: 150,
                text,
                projection,
                own_projection,
                prompting: Prompting::Post,
                decoder: DecoderSize::default(),
                contexts: 8,
                class_contexts: false,
            };
            let variables = Variables::unset();
            Network::new(&variables.detached(), &model, Some(&shape), 150, false).expect("a network");
            let of_text = |key: &str| key.starts_with("language.text.");
            let weights = variables
                .all()
                .into_iter()
                .filter(|(key, v)| v.kind != VariableKind::Buffer && !of_text(key));
            let found: usize = weights.map(|(_, v)| v.var.elem_count()).sum();
            assert!((found as f64 - wanted).abs() < 0.1e6, "{backbone}: {found}, not {wanted}");
        }
    }
}
