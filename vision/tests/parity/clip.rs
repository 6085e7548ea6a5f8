use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;
use nerve_core::graph::{Device, Mode, Tensor, Variables, read};
use nerve_vision::backbones::BackboneConfig;
use nerve_vision::backbones::clip_resnet::ClipResNetConfig;
use nerve_vision::backbones::vit::{LastBlock, Vit};
use nerve_vision::clip::{Clip, ClipConfig, ClipKeys, ImageConfig, Opened, is_clip};
use nerve_vision::load::{Destination, Keys, LoadReport, load};
use nerve_vision::open_vocabulary::LastAttention;
use nerve_vision::text::Tokenizer;
use nerve_vision::zoo;

use crate::common::{Cases, agree, gradients_agree_with, path, weights};

/// The texts of a fixture, without what they are padded with.
fn texts(cases: &mut Cases) -> Vec<Vec<u32>> {
    let tokens = cases.tensor("tokens");
    let length = tokens.dims()[1];
    let values = read(&tokens).expect("tokens").to_vec();
    let row = |row: &[f32]| row.iter().map(|id| *id as u32).take_while(|id| *id > 0).collect();
    values.chunks_exact(length).map(row).collect()
}

fn compare(clip: &Clip, cases: &mut Cases) {
    assert!(cases.count() >= 1);
    for i in 0..cases.count() {
        let found = clip.image(&cases.tensor(&format!("{i}.image")), Mode::Eval).expect("vectors");
        agree(&format!("case {i}, whole"), &found.global, &cases.tensor(&format!("{i}.global")));
        agree(&format!("case {i}, places"), &found.map, &cases.tensor(&format!("{i}.map")));
    }
    let texts = texts(cases);
    agree("text", &clip.text().forward(&texts).expect("vectors"), &cases.tensor("text"));
    agree("scale", clip.logit_scale(), &cases.tensor("logit_scale"));
}

#[test]
fn whole_models() {
    // Hugging Face's folder in single, open_clip's files in half precision.
    for (file, name) in
        [("clip_hf", "clip_hf"), ("clip_open.safetensors", "clip_open"), ("clip_rn.safetensors", "clip_rn")]
    {
        let file = path(file);
        assert!(is_clip(&Clip::source(&file).expect("a source")));
        let Opened { clip, report, .. } = Clip::open(&file, Device::Cpu).expect(name);
        assert!(report.resized.is_empty());
        compare(&clip, &mut Cases::open(&format!("{name}_cases.safetensors")));
    }
    assert!(!is_clip(&weights("vit_timm.safetensors")));
}

#[test]
fn gradients() {
    let file = path("clip_hf");
    let mut source = Clip::source(&file).expect("a source");
    let config = Clip::published(&source, &file).expect("a configuration");
    let variables = Variables::unset();
    let clip = Clip::new(&variables.tracked(), &config).expect("a model");
    let backbone = clip.backbone().keys(&source, "");
    let keys = ClipKeys::new(&*backbone, &config.projection());
    load(&variables, "", &mut source, &keys).and_then(LoadReport::strict).expect("a strict load");
    let mut cases = Cases::open("clip_hf_cases.safetensors");
    let (image, texts, weights) = (cases.tensor("1.image"), texts(&mut cases), cases.numbered("weight"));
    let wanted = renamed_gradients(&mut cases, &keys);
    gradients_agree_with(wanted, &variables, &weights, || {
        let found = clip.image(&image, Mode::Eval)?;
        Ok(vec![found.global, found.map, clip.text().forward(&texts)?])
    });
}

/// The maps of the stages, through the list of models too.
#[test]
fn stages_of_a_resnet() {
    let config = ClipResNetConfig { layers: [1, 2, 1, 1], width: 4, image: 64, embed: 12 };
    let variables = Variables::unset();
    let net = config.build(&variables.detached()).expect("a model");
    let mut source = weights("clip_rn.safetensors");
    let keys = net.keys(&source, "");
    load(&variables, "", &mut source, &*keys).and_then(LoadReport::strict).expect("a strict load");
    let mut cases = Cases::open("clip_rn_cases.safetensors");
    let maps = net.maps(&cases.tensor("0.image"), Mode::Eval).expect("maps");
    for (found, wanted) in maps.iter().zip(cases.numbered("stage")) {
        agree("stage", found, &wanted);
    }
}

#[test]
fn a_published_folder_gives_the_image_encoder() {
    let opened = zoo::open(&mut weights("clip_hf"), Device::Cpu).expect("a backbone");
    let image = Cases::open("clip_hf_cases.safetensors").tensor("0.image");
    let maps = opened.model.outputs(&image, Mode::Eval).expect("maps");
    assert_eq!(maps[0].dims(), [1, 4, 4, 24]);
}

/// Every array of timm's RN50 has its place: trunk and attention pool.
#[test]
fn timm_names_of_rn50() {
    let config = ClipConfig::rn50();
    let variables = Variables::unset();
    let clip = Clip::new(&variables.detached(), &config).expect("a model");
    let keys = clip.backbone().keys(&weights("clip_rn.safetensors"), "");
    let keys = ClipKeys::new(&*keys, &config.projection());
    let text = std::fs::read_to_string(path("clip_rn50_timm.txt")).expect("the list");
    let mut placed = 0;
    for line in text.lines() {
        let (name, shape) = line.split_once(' ').unwrap_or((line, ""));
        let mut shape: Vec<usize> = shape.split(' ').filter_map(|n| n.parse().ok()).collect();
        let key = match keys.destination(name) {
            Destination::Ignored => continue,
            Destination::Variable(key) => key,
            Destination::Part { key, parts, .. } => {
                shape[0] *= parts;
                key
            }
            other => panic!("{name}: {other:?}"),
        };
        let variable = variables.get(&key).unwrap_or_else(|| panic!("{name}: no {key}"));
        assert_eq!(variable.var.dims(), shape, "{name}");
        placed += variable.var.elem_count();
    }
    let image: usize = variables
        .all()
        .into_iter()
        .filter(|(k, _)| !k.starts_with("text") && k != "logit_scale")
        .map(|(_, v)| v.var.elem_count())
        .sum();
    // Parts of the same variable were counted three times.
    let joined: usize = 2 * (3 * 2048 * 2048 + 3 * 2048);
    assert!(placed == image || placed == image + joined, "{placed} of {image}");
}

#[test]
fn shapes_say_what_a_file_holds() {
    let source = weights("clip_rn.safetensors");
    let config = ClipConfig::of_shapes(&source, None).expect("a configuration");
    let ImageConfig::ResNet(net) = &config.image else { panic!("a ResNet") };
    assert_eq!((net.layers, net.width, net.image, net.embed), ([1, 2, 1, 1], 4, 64, 12));
    assert_eq!((config.text.vocabulary, config.text.length, config.text.depth), (20, 9, 2));
    let error =
        ClipConfig::of_shapes(&weights("vit_timm.safetensors"), None).expect_err("no CLIP").to_string();
    assert!(error.contains("visual.conv1.weight"), "{error}");
}

/// 10,000 texts in many scripts, and what transformers makes of them.
#[test]
fn tokens_are_those_of_transformers() {
    let Some(data) = std::env::var_os("NERVE_TEST_DATA") else {
        println!("skipped tokens_are_those_of_transformers: NERVE_TEST_DATA is not set");
        return;
    };
    let tokenizer = Tokenizer::open(&Path::new(&data).join("clip")).expect("a tokenizer");
    let mut text = String::new();
    let bytes = std::fs::read(path("clip_tokens.json.zlib")).expect("a fixture");
    ZlibDecoder::new(&bytes[..]).read_to_string(&mut text).expect("text");
    let mut compared = 0;
    for line in text.lines() {
        let (text, wanted): (String, Vec<u32>) = serde_json::from_str(line).expect("a line");
        let found = tokenizer.encode(&text, usize::MAX).expect("tokens");
        assert_eq!((found[0], found[found.len() - 1]), (49_406, 49_407));
        assert_eq!(found[1..found.len() - 1], wanted, "{text:?}");
        compared += 1;
    }
    assert_eq!(compared, 10_000);
}

/// The gradients of a fixture under the keys that are ours: parts joined, matrices the other way round.
fn renamed_gradients(cases: &mut Cases, keys: &dyn Keys) -> BTreeMap<String, Tensor> {
    let mut parts: BTreeMap<String, Vec<Option<Tensor>>> = BTreeMap::new();
    let mut all = BTreeMap::new();
    for name in cases.names() {
        let Some(bare) = name.strip_prefix("gradient.") else { continue };
        let value = cases.tensor(&name);
        match keys.destination(bare) {
            Destination::Variable(key) => drop(all.insert(key, value)),
            Destination::Part { key, part, parts: count } => {
                parts.entry(key).or_insert_with(|| vec![None; count])[part] = Some(value);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    for (key, slots) in parts {
        let slots: Vec<Tensor> = slots.into_iter().map(|slot| slot.expect("every part")).collect();
        all.insert(key, Tensor::cat(&slots, 0).expect("joined"));
    }
    all
}

/// The variants of the last block, against their equations.
#[test]
fn last_blocks() {
    let Opened { clip, variables, config, .. } = Clip::open(&path("clip_hf"), Device::Cpu).expect("a model");
    let ImageConfig::Vit(vit) = &config.image else { panic!("a ViT") };
    let vit = Vit::new(&variables.detached().at("visual"), vit).expect("a model");
    let mut cases = Cases::open("clip_hf_cases.safetensors");
    let image = cases.tensor("0.image");
    for (name, last) in
        ["plain", "maskclip", "sclip", "clearclip", "naclip"].into_iter().zip(LastAttention::ALL)
    {
        let forward = |block: LastBlock<'_>, x: &Tensor, grid: [usize; 2]| last.forward(block, x, grid);
        let (tokens, _) = vit.with_last(&image, &forward).expect("tokens");
        let found = clip.project(&tokens).expect("vectors");
        agree(name, &found, &cases.tensor(&format!("last.{name}")));
    }
}
