//! The table of models: a row makes a model known to `nerve models`, `seg info`, `seg train --backbone` and to files that
//! name their architecture as timm does.
use super::{Entry, Make, SegmenterConfig};
use crate::backbones::BackboneConfig;
use crate::backbones::clip_resnet::ClipResNetConfig;
use crate::backbones::dinov3::DinoV3Config;
use crate::backbones::mit::MitConfig;
use crate::backbones::swin::{SwinConfig, SwinForm};
use crate::backbones::tiny_vit::TinyVitConfig;
use crate::backbones::vit::VitConfig;
use crate::segformer::SegformerConfig;
use crate::upernet::UperNetConfig;

/// Classes of ADE20K, which published segmenters tell apart.
const ADE20K: usize = 150;
const SWIN: &str = "timm's, Hugging Face's, the authors'";
const VIT: &str = "timm's, Hugging Face's, DINOv2's";
const CLIP: &str = "OpenAI's, open_clip's, Hugging Face's, timm's";
const CLIP_RESNET: &str = "OpenAI's, open_clip's, timm's";
const DINOV3: &str = "timm's, Hugging Face's, the authors'";
const HUGGING_FACE: &str = "Hugging Face's";

const fn backbone(
    name: &'static str,
    family: &'static str,
    image: usize,
    weights: &'static [&'static str],
    keys: &'static str,
    config: fn() -> Box<dyn BackboneConfig>,
) -> Entry {
    Entry { name, family, image, weights, keys, make: Make::Backbone(config) }
}

const fn segmenter(
    name: &'static str,
    family: &'static str,
    image: usize,
    weights: &'static [&'static str],
    config: fn() -> Box<dyn SegmenterConfig>,
) -> Entry {
    Entry { name, family, image, weights, keys: HUGGING_FACE, make: Make::Segmenter(config) }
}

/// Every model that has a name here.
pub const ENTRIES: &[Entry] = &[
    backbone(
        "swin-tiny",
        "Swin",
        224,
        &["microsoft/swin-tiny-patch4-window7-224", "timm/swin_tiny_patch4_window7_224.ms_in1k"],
        SWIN,
        || Box::new(SwinConfig::tiny().with_form(SwinForm::Classifier)),
    ),
    backbone(
        "swin-small",
        "Swin",
        224,
        &["microsoft/swin-small-patch4-window7-224", "timm/swin_small_patch4_window7_224.ms_in1k"],
        SWIN,
        || Box::new(SwinConfig::small().with_form(SwinForm::Classifier)),
    ),
    backbone(
        "swin-base",
        "Swin",
        224,
        &["microsoft/swin-base-patch4-window7-224", "timm/swin_base_patch4_window7_224.ms_in22k_ft_in1k"],
        SWIN,
        || Box::new(SwinConfig::base().with_form(SwinForm::Classifier)),
    ),
    backbone(
        "swin-large",
        "Swin",
        224,
        &["microsoft/swin-large-patch4-window7-224", "timm/swin_large_patch4_window7_224.ms_in22k_ft_in1k"],
        SWIN,
        || Box::new(SwinConfig::large().with_form(SwinForm::Classifier)),
    ),
    backbone(
        "swin-base-384",
        "Swin",
        384,
        &["microsoft/swin-base-patch4-window12-384", "timm/swin_base_patch4_window12_384.ms_in22k_ft_in1k"],
        SWIN,
        || Box::new(SwinConfig::base().with_window(12).with_form(SwinForm::Classifier)),
    ),
    backbone(
        "swin-large-384",
        "Swin",
        384,
        &["microsoft/swin-large-patch4-window12-384", "timm/swin_large_patch4_window12_384.ms_in22k_ft_in1k"],
        SWIN,
        || Box::new(SwinConfig::large().with_window(12).with_form(SwinForm::Classifier)),
    ),
    backbone(
        "vit-tiny",
        "ViT",
        224,
        &["timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "WinKawaks/vit-tiny-patch16-224"],
        VIT,
        || Box::new(VitConfig::tiny(16)),
    ),
    backbone(
        "vit-small",
        "ViT",
        224,
        &["timm/vit_small_patch16_224.augreg_in21k_ft_in1k", "WinKawaks/vit-small-patch16-224"],
        VIT,
        || Box::new(VitConfig::small(16)),
    ),
    backbone(
        "vit-base",
        "ViT",
        224,
        &["timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "google/vit-base-patch16-224"],
        VIT,
        || Box::new(VitConfig::base(16)),
    ),
    backbone(
        "vit-large",
        "ViT",
        224,
        &["timm/vit_large_patch16_224.augreg_in21k_ft_in1k", "google/vit-large-patch16-224"],
        VIT,
        || Box::new(VitConfig::large(16)),
    ),
    backbone("dinov2-small", "DINOv2", 518, &["facebook/dinov2-small"], VIT, || {
        Box::new(VitConfig::small(14).dinov2(0))
    }),
    backbone("dinov2-base", "DINOv2", 518, &["facebook/dinov2-base"], VIT, || {
        Box::new(VitConfig::base(14).dinov2(0))
    }),
    backbone("dinov2-large", "DINOv2", 518, &["facebook/dinov2-large"], VIT, || {
        Box::new(VitConfig::large(14).dinov2(0))
    }),
    backbone("dinov2-small-registers", "DINOv2", 518, &["facebook/dinov2-with-registers-small"], VIT, || {
        Box::new(VitConfig::small(14).dinov2(4))
    }),
    backbone("dinov2-base-registers", "DINOv2", 518, &["facebook/dinov2-with-registers-base"], VIT, || {
        Box::new(VitConfig::base(14).dinov2(4))
    }),
    backbone("dinov2-large-registers", "DINOv2", 518, &["facebook/dinov2-with-registers-large"], VIT, || {
        Box::new(VitConfig::large(14).dinov2(4))
    }),
    backbone(
        "dinov3-small",
        "DINOv3",
        224,
        &["facebook/dinov3-vits16-pretrain-lvd1689m", "timm/vit_small_patch16_dinov3_qkvb.lvd1689m"],
        DINOV3,
        || Box::new(DinoV3Config::small()),
    ),
    backbone(
        "dinov3-small-plus",
        "DINOv3",
        224,
        &["facebook/dinov3-vitsplus16-pretrain-lvd1689m", "timm/vit_small_plus_patch16_dinov3_qkvb.lvd1689m"],
        DINOV3,
        || Box::new(DinoV3Config::small_plus()),
    ),
    backbone(
        "dinov3-base",
        "DINOv3",
        224,
        &["facebook/dinov3-vitb16-pretrain-lvd1689m", "timm/vit_base_patch16_dinov3_qkvb.lvd1689m"],
        DINOV3,
        || Box::new(DinoV3Config::base()),
    ),
    backbone(
        "dinov3-large",
        "DINOv3",
        224,
        &["facebook/dinov3-vitl16-pretrain-lvd1689m", "timm/vit_large_patch16_dinov3_qkvb.lvd1689m"],
        DINOV3,
        || Box::new(DinoV3Config::large()),
    ),
    backbone(
        "dinov3-huge-plus",
        "DINOv3",
        224,
        &["facebook/dinov3-vithplus16-pretrain-lvd1689m", "timm/vit_huge_plus_patch16_dinov3_qkvb.lvd1689m"],
        DINOV3,
        || Box::new(DinoV3Config::huge_plus()),
    ),
    backbone(
        "clip-vit-b32",
        "CLIP",
        224,
        &["openai/clip-vit-base-patch32", "timm/vit_base_patch32_clip_quickgelu_224.openai"],
        CLIP,
        || Box::new(VitConfig::base(32).clip()),
    ),
    backbone(
        "clip-vit-b16",
        "CLIP",
        224,
        &["openai/clip-vit-base-patch16", "timm/vit_base_patch16_clip_quickgelu_224.openai"],
        CLIP,
        || Box::new(VitConfig::base(16).clip()),
    ),
    backbone(
        "clip-vit-l14",
        "CLIP",
        224,
        &["openai/clip-vit-large-patch14", "timm/vit_large_patch14_clip_quickgelu_224.openai"],
        CLIP,
        || Box::new(VitConfig::large(14).clip()),
    ),
    backbone("clip-rn50", "CLIP", 224, &["timm/resnet50_clip.openai"], CLIP_RESNET, || {
        Box::new(ClipResNetConfig::rn50())
    }),
    backbone("clip-rn101", "CLIP", 224, &["timm/resnet101_clip.openai"], CLIP_RESNET, || {
        Box::new(ClipResNetConfig::rn101())
    }),
    backbone("clip-rn50x4", "CLIP", 288, &["timm/resnet50x4_clip.openai"], CLIP_RESNET, || {
        Box::new(ClipResNetConfig::rn50x4())
    }),
    backbone("mit-b0", "MiT", 224, &["nvidia/mit-b0"], HUGGING_FACE, || {
        Box::new(MitConfig::b(0).unwrap_or_default())
    }),
    backbone("mit-b1", "MiT", 224, &["nvidia/mit-b1"], HUGGING_FACE, || {
        Box::new(MitConfig::b(1).unwrap_or_default())
    }),
    backbone("mit-b2", "MiT", 224, &["nvidia/mit-b2"], HUGGING_FACE, || {
        Box::new(MitConfig::b(2).unwrap_or_default())
    }),
    backbone("mit-b3", "MiT", 224, &["nvidia/mit-b3"], HUGGING_FACE, || {
        Box::new(MitConfig::b(3).unwrap_or_default())
    }),
    backbone("mit-b4", "MiT", 224, &["nvidia/mit-b4"], HUGGING_FACE, || {
        Box::new(MitConfig::b(4).unwrap_or_default())
    }),
    backbone("mit-b5", "MiT", 224, &["nvidia/mit-b5"], HUGGING_FACE, || {
        Box::new(MitConfig::b(5).unwrap_or_default())
    }),
    backbone(
        "tinyvit-5m",
        "TinyViT",
        1024,
        &[],
        "MobileSAM's, timm's",
        || Box::new(TinyVitConfig::default()),
    ),
    backbone(
        "tinyvit-5m-224",
        "TinyViT",
        224,
        &["timm/tiny_vit_5m_224.dist_in22k_ft_in1k"],
        "MobileSAM's, timm's",
        || Box::new(TinyVitConfig::timm()),
    ),
    segmenter("segformer-b0", "SegFormer", 512, &["nvidia/segformer-b0-finetuned-ade-512-512"], || {
        Box::new(SegformerConfig::b(0, ADE20K).unwrap_or_default())
    }),
    segmenter("segformer-b1", "SegFormer", 512, &["nvidia/segformer-b1-finetuned-ade-512-512"], || {
        Box::new(SegformerConfig::b(1, ADE20K).unwrap_or_default())
    }),
    segmenter("segformer-b2", "SegFormer", 512, &["nvidia/segformer-b2-finetuned-ade-512-512"], || {
        Box::new(SegformerConfig::b(2, ADE20K).unwrap_or_default())
    }),
    segmenter("segformer-b3", "SegFormer", 512, &["nvidia/segformer-b3-finetuned-ade-512-512"], || {
        Box::new(SegformerConfig::b(3, ADE20K).unwrap_or_default())
    }),
    segmenter("segformer-b4", "SegFormer", 512, &["nvidia/segformer-b4-finetuned-ade-512-512"], || {
        Box::new(SegformerConfig::b(4, ADE20K).unwrap_or_default())
    }),
    segmenter("segformer-b5", "SegFormer", 640, &["nvidia/segformer-b5-finetuned-ade-640-640"], || {
        Box::new(SegformerConfig::b(5, ADE20K).unwrap_or_default())
    }),
    segmenter("upernet-swin-tiny", "UPerNet", 512, &["openmmlab/upernet-swin-tiny"], || {
        Box::new(UperNetConfig::of(SwinConfig::tiny(), ADE20K))
    }),
    segmenter("upernet-swin-small", "UPerNet", 512, &["openmmlab/upernet-swin-small"], || {
        Box::new(UperNetConfig::of(SwinConfig::small(), ADE20K))
    }),
    segmenter("upernet-swin-base", "UPerNet", 512, &["openmmlab/upernet-swin-base"], || {
        Box::new(UperNetConfig::of(SwinConfig::base().with_window(12), ADE20K))
    }),
    segmenter("upernet-swin-large", "UPerNet", 512, &["openmmlab/upernet-swin-large"], || {
        Box::new(UperNetConfig::of(SwinConfig::large().with_window(12), ADE20K))
    }),
];
