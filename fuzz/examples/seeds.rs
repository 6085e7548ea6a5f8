//! Writes the seeds: a few small valid files a target, made from the procedural scene and by hand.
//!
//! With NERVE_TEST_DATA, real captures go into the local corpus too, cut to 64 KiB; they are not to be committed.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image::{DynamicImage, ImageFormat};
use nerve_core::checkpoint::{self, TensorData};
use nerve_core::device::DeviceKind;
use nerve_core::run::{Cancel, Events, Existing, RunFolder};
use nerve_data::demo::{self, DemoConfig};
use nerve_data::scene::LoadOptions;
use nerve_nerf::compact::{self, CompactOptions};
use nerve_nerf::{NerfConfig, Trainer};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = root().join("seeds").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), bytes).unwrap();
}

/// With the byte that tells a target what it is.
fn marked(kind: u8, bytes: &[u8]) -> Vec<u8> {
    [&[kind], bytes].concat()
}

fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn pictures() {
    let demo = DemoConfig { resolution: 4, train: 1, test: 1, ..DemoConfig::default() };
    let scene = demo::load(&demo, &LoadOptions::default(), &|_, _| {}).unwrap();
    let picture = &scene.views[0].image;
    let rgba: Vec<u8> = (0..4).flat_map(|y| (0..4).flat_map(move |x| picture.pixel(x, y))).collect();
    let rgba = DynamicImage::from(image::RgbaImage::from_raw(4, 4, rgba).unwrap());
    let file = |image: &DynamicImage, format| {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    };
    seed("image", "rgba.png", &file(&rgba, ImageFormat::Png));
    seed("image", "rgb.jpg", &file(&DynamicImage::from(rgba.to_rgb8()), ImageFormat::Jpeg));
    seed("image", "rgba.webp", &file(&rgba, ImageFormat::WebP));
    let deep = file(&DynamicImage::from(rgba.to_luma16()), ImageFormat::Png);
    seed("image", "grey16.png", &deep);
    seed("depth", "png", &marked(1, &deep));
    let depth: Vec<u8> = (0..16).flat_map(|i| (1.0 + i as f32 / 8.0).to_le_bytes()).collect();
    let depth = npy("<f4", &[4, 4], &depth);
    seed("depth", "npy", &marked(0, &depth));
    seed("npy", "depth.npy", &depth);
    seed("npy", "integers.npy", &npy("<i8", &[2, 1], &[7; 16]));
}

const POSES: [[f64; 12]; 2] =
    [[1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1., 4.], [0., 0., 1., 4., 0., 1., 0., 0., -1., 0., 0., 0.]];

fn json() {
    let matrix = |p: &[f64; 12]| {
        let row = |r: &[f64]| format!("[{},{},{},{}]", r[0], r[1], r[2], r[3]);
        format!("[{},{},{},[0,0,0,1]]", row(&p[..4]), row(&p[4..8]), row(&p[8..]))
    };
    let frame = |file: &str, pose: &[f64; 12], more: &str| {
        format!("{{\"file_path\":\"{file}\",\"transform_matrix\":{}{more}}}", matrix(pose))
    };
    let frames =
        |more: &str| format!("[{},{}]", frame("a.png", &POSES[0], more), frame("./b", &POSES[1], ""));
    let ngp = format!(
        "{{\"camera_angle_x\":0.7,\"fl_x\":5,\"fl_y\":5.1,\"cx\":2,\"cy\":2,\"w\":4,\"h\":4,\"k1\":0.1,\"p2\":-0.01,\
         \"aabb_scale\":2,\"scale\":0.3,\"offset\":[0.5,0.5,0.4],\"frames\":{}}}",
        frames("")
    );
    let studio = format!(
        "{{\"camera_model\":\"OPENCV_FISHEYE\",\"fl_x\":5,\"cx\":2,\"cy\":2,\"w\":4,\"h\":4,\"k1\":0.1,\"k4\":0.01,\
         \"applied_transform\":[[0,1,0,0],[1,0,0,0],[0,0,-1,0]],\"train_filenames\":[\"a.png\"],\
         \"val_filenames\":[\"b\"],\"frames\":{}}}",
        frames(",\"mask_path\":\"m.png\",\"depth_file_path\":\"d.npy\"")
    );
    let blender = format!("{{\"camera_angle_x\":0.7,\"frames\":{}}}", frames(""));
    for (name, text) in [("ngp.json", ngp), ("nerfstudio.json", studio), ("blender.json", blender)] {
        seed("transforms", name, text.as_bytes());
    }
    let bounds = |pose: &[f64; 12]| {
        let row =
            |r: usize, last: f64| [pose[4 * r], pose[4 * r + 1], pose[4 * r + 2], pose[4 * r + 3], last];
        [row(0, 4.0), row(1, 4.0), row(2, 5.0)].concat().into_iter().chain([1.0, 9.0]).collect::<Vec<f64>>()
    };
    let values: Vec<u8> = POSES.iter().flat_map(bounds).flat_map(f64::to_le_bytes).collect();
    seed("llff", "poses_bounds.npy", &npy("<f8", &[2, 17], &values));
}

fn colmap() {
    let (mut cameras, mut images, mut points) = (Vec::new(), Vec::new(), Vec::new());
    let put = |to: &mut Vec<u8>, numbers: &[f64]| numbers.iter().for_each(|n| to.extend(n.to_le_bytes()));
    let models: [(u32, &str, &[f64]); 3] = [
        (1, "PINHOLE", &[5.0, 5.0, 2.0, 2.0]),
        (4, "OPENCV", &[5.0, 5.0, 2.0, 2.0, 0.1, 0.01, 0.0, 0.0]),
        (10, "THIN_PRISM_FISHEYE", &[5.0, 5.0, 2.0, 2.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    let (mut text, mut text_images, mut text_points) =
        (String::from("# cameras\n"), String::new(), String::new());
    cameras.extend((models.len() as u64).to_le_bytes());
    for (id, (model, name, parameters)) in (1u32..).zip(models) {
        cameras.extend(id.to_le_bytes());
        cameras.extend(model.to_le_bytes());
        [4u64, 4].iter().for_each(|n| cameras.extend(n.to_le_bytes()));
        put(&mut cameras, parameters);
        let parameters: String = parameters.iter().map(|p| format!(" {p}")).collect();
        text += &format!("{id} {name} 4 4{parameters}\n");
    }
    images.extend(2u64.to_le_bytes());
    for (id, quaternion) in [(1u32, [1.0, 0.0, 0.0, 0.0]), (2, [0.5, 0.5, 0.5, 0.5])] {
        images.extend(id.to_le_bytes());
        put(&mut images, &quaternion);
        put(&mut images, &[0.0, 0.1, 4.0]);
        images.extend(id.to_le_bytes());
        images.extend(format!("{}.png\0", id - 1).into_bytes());
        images.extend(1u64.to_le_bytes());
        put(&mut images, &[1.5, 2.5]);
        images.extend(3u64.to_le_bytes());
        let [w, x, y, z] = quaternion;
        text_images += &format!("{id} {w} {x} {y} {z} 0 0.1 4 {id} {}.png\n1.5 2.5 3\n", id - 1);
    }
    points.extend(1u64.to_le_bytes());
    points.extend(3u64.to_le_bytes());
    put(&mut points, &[0.1, 0.2, 0.3]);
    points.extend([200, 100, 50]);
    put(&mut points, &[0.7]);
    points.extend(2u64.to_le_bytes());
    [1u32, 0, 2, 0].iter().for_each(|n| points.extend(n.to_le_bytes()));
    text_points += "3 0.1 0.2 0.3 200 100 50 0.7 1 0 2 0\n";
    let texts = [text, text_images, text_points];
    for (i, name) in ["cameras", "images", "points3D"].into_iter().enumerate() {
        let (binary, text) = ([&cameras, &images, &points][i], texts[i].as_bytes());
        seed("colmap_model", &format!("{name}.bin"), binary);
        seed("colmap_model", &format!("{name}.txt"), text);
        seed("colmap_binary", name, &marked(i as u8, binary));
        seed("colmap_text", name, &marked(i as u8, text));
    }
}

fn ply() {
    let header = |format: &str, kind: &str| {
        format!(
            "ply\nformat {format} 1.0\nelement vertex 2\nproperty {kind} x\nproperty {kind} y\nproperty {kind} z\n\
             property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n"
        )
    };
    seed("ply", "ascii", (header("ascii", "float") + "1 2 3 10 20 30\n-1.5 nan 0 1 2 3\n").as_bytes());
    let vertex = |bytes: [[u8; 4]; 3]| [&bytes.concat()[..], &[10, 20, 30]].concat();
    let (a, b) = ([1f32, 2.0, 3.0], [-1.5f32, f32::INFINITY, 0.0]);
    let little = [vertex(a.map(f32::to_le_bytes)), vertex(b.map(f32::to_le_bytes))].concat();
    let big = [vertex(a.map(f32::to_be_bytes)), vertex(b.map(f32::to_be_bytes))].concat();
    seed("ply", "little", &[header("binary_little_endian", "float").as_bytes(), &little].concat());
    seed("ply", "big", &[header("binary_big_endian", "float32").as_bytes(), &big].concat());
}

fn runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let meta = BTreeMap::from([("step".to_owned(), "12".to_owned())]);
    let tensors = [
        ("weight".to_owned(), vec![2, 2], TensorData::F32(&[1.0, -0.0, f32::NAN, 1e-45])),
        ("count".to_owned(), vec![], TensorData::U32(&[7])),
        ("bits".to_owned(), vec![3], TensorData::U8(&[1, 2, 255])),
    ];
    checkpoint::save(&path("a"), &meta, &tensors).unwrap();
    seed("checkpoint", "small.safetensors", &fs::read(path("a")).unwrap());

    let mut config = NerfConfig::default();
    (config.grid.levels, config.grid.log2_entries) = (2, 8);
    (config.grid.base_resolution, config.grid.finest_resolution) = (4, 8);
    (config.train.run.steps, config.train.batch_samples, config.field.width) = (Some(20), 1024, 32);
    config.data.scene = "demo".into();
    let run = RunFolder::create(path("run"), "nerf", DeviceKind::Cpu, &config, Existing::Keep).unwrap();
    seed("config", "config.toml", &fs::read(run.config_path()).unwrap());
    let demo = DemoConfig { resolution: 8, train: 2, test: 1, ..DemoConfig::default() };
    let scene = demo::load(&demo, &LoadOptions::default(), &|_, _| {}).unwrap();
    let mut trainer = Trainer::new(config, Arc::new(scene), 1).unwrap();
    trainer.run(&run.checkpoint_path(), &Events::new(), &Cancel::new()).unwrap();
    let options = CompactOptions::default();
    compact::write(trainer.model_mut(), None, &path("c"), &options, &mut |_, _| {}).unwrap();
    seed("compact", "field.compact", &fs::read(path("c")).unwrap());

    let log =
        "{\"step\":1,\"elapsed\":0.5,\"loss\":0.1}\n{\"step\":20,\"elapsed\":1.5,\"loss\":null}\n{\"step\":4";
    seed("metrics_log", "torn.jsonl", &marked(10, log.as_bytes()));
    for name in ["weights_zip.pth", "weights_legacy.pth", "weights.safetensors"] {
        seed("weights", name, &fs::read(root().join("../core/tests/fixtures").join(name)).unwrap());
    }
}

/// A mask of 4 x 2 pixels, by the byte that says what is known of the classes.
fn mask(name: &str, known: u8, color: png::ColorType, depth: png::BitDepth, pixels: &[u8]) {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 4, 2);
    encoder.set_color(color);
    encoder.set_depth(depth);
    if color == png::ColorType::Indexed {
        encoder.set_palette(&[0, 0, 0, 200, 0, 0, 0, 0, 200][..]);
    }
    encoder.write_header().unwrap().write_image_data(pixels).unwrap();
    seed("label_masks", name, &marked(known, &bytes));
}

fn labels() {
    use png::{BitDepth, ColorType};
    mask("grey8.png", 0, ColorType::Grayscale, BitDepth::Eight, &[0, 0, 1, 1, 0, 1, 1, 0]);
    mask("grey2.png", 0, ColorType::Grayscale, BitDepth::Two, &[0b0001_1000, 0b0100_0001]);
    let deep: Vec<u8> = [300u16, 7, 0, 300, 7, 7, 0, 0].into_iter().flat_map(u16::to_be_bytes).collect();
    mask("grey16.png", 1, ColorType::Grayscale, BitDepth::Sixteen, &deep);
    let colors = |colors: [[u8; 3]; 2]| [colors; 4].as_flattened().as_flattened().to_vec();
    let shown = colors([[200, 0, 0], [0, 0, 200]]);
    mask("colors.png", 2, ColorType::Rgb, BitDepth::Eight, &shown);
    mask("ids_in_rgb.png", 0, ColorType::Rgb, BitDepth::Eight, &colors([[1; 3], [2; 3]]));
    mask("palette.png", 3, ColorType::Indexed, BitDepth::Eight, &[1, 2, 1, 2, 2, 1, 1, 2]);
    mask("palette1.png", 0, ColorType::Indexed, BitDepth::One, &[0b0101_0000, 0b1010_0000]);

    let texts: [(&str, u8, &str); 10] = [
        (
            "classes.json",
            0,
            r#"{"classes": [{"name": "a", "id": 0, "color": [1, 2, 3]}, {"name": "b", "ignore": true}]}"#,
        ),
        ("classes.txt", 1, "road\n128 64 128 sky\n\ntree, 0, 1, 2\n"),
        ("labels.json", 2, r#"["a", "b"]"#),
        ("class_dict.csv", 3, "name,r,g,b\nroad,128,64,128\n\"sky\",0,0,255\n"),
        ("label_colors.txt", 4, "64 128 64\tAnimal\r\n192 0 128\tArchway\r\n"),
        ("folder_train.txt", 6, "\u{feff}a\nimages/b c.png\n"),
        ("folder_val.txt", 7, "b c"),
        ("camvid_train.txt", 8, "/SegNet/train/a.png /SegNet/trainannot/a.png\n"),
        ("camvid_colors_train.txt", 9, "a\nmissing\n"),
        ("voc_train.txt", 10, "a\n"),
    ];
    for (name, which, text) in texts {
        seed("label_texts", name, &marked(which, text.as_bytes()));
    }
    let folders = [
        ("camvid", "train/a.png\ntrainannot/a.png\nval/b.jpg\nvalannot/b.png\n"),
        ("camvid_colors", "701_StillsRaw_full/a.png\nLabeledApproved_full/a_L.png\nlabel_colors.txt\n"),
        ("ade20k", "images/training/a.jpg\nannotations/training/a.png\nimages/validation/b.jpg\n"),
        ("voc", "JPEGImages/a.jpg\nSegmentationClass/a.png\nImageSets/Segmentation/train.txt\n"),
        (
            "cityscapes",
            "leftImg8bit/train/x/x_1_leftImg8bit.png\ngtFine/train/x/x_1_gtFine_labelIds.png\n\
             gtFine/train/x/x_1_gtFine_labelTrainIds.png\n",
        ),
        ("folder", "classes.txt\nimages/a.png\nmasks/a_mask.png\nimages/b.png\nmasks/b.png\nval.txt\n"),
        (
            "splits",
            "classes.txt\ntrain/images/a.png\ntrain/labels/a.png\nvalid/images/b.png\nvalid/labels/b.png\n",
        ),
        ("scene", "deep/labels.json\ndeep/train/r_0.png\ndeep/train/r_0_label.png\n"),
    ];
    for (name, text) in folders {
        seed("label_folders", name, text.as_bytes());
    }
}

/// The beginning of a real file, into the local corpus.
fn real(data: &Path, target: &str, kind: Option<u8>, file: &str) {
    let Ok(opened) = fs::File::open(data.join("data").join(file)) else {
        eprintln!("{file}: not there, left out");
        return;
    };
    let mut bytes: Vec<u8> = kind.into_iter().collect();
    opened.take(64 << 10).read_to_end(&mut bytes).unwrap();
    let folder = root().join("corpus").join(target);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(file.replace('/', "_")), bytes).unwrap();
}

/// Folders of published models.
fn models() {
    // One array, so that it is a file of weights; a model needs more, which is said.
    let header = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let weights = [&(header.len() as u64).to_le_bytes()[..], header, &1f32.to_le_bytes()].concat();
    let configs = [
        (
            "swin",
            r#"{"model_type": "swin", "architectures": ["SwinBackbone"], "embed_dim": 8, "depths": [1, 1],
            "num_heads": [1, 2], "window_size": 2, "patch_size": 2, "out_indices": [1, 2]}"#,
        ),
        (
            "vit",
            r#"{"model_type": "dinov2_with_registers", "hidden_size": 8, "num_hidden_layers": 1,
            "num_attention_heads": 2, "image_size": 8, "patch_size": [2, 2], "num_register_tokens": 2}"#,
        ),
        (
            "mit",
            r#"{"model_type": "segformer", "depths": [1], "sr_ratios": [2], "hidden_sizes": [8],
            "patch_sizes": [3], "strides": [2], "num_attention_heads": [2], "mlp_ratios": [2], "num_channels": 3}"#,
        ),
        (
            "segformer",
            r#"{"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"],
            "depths": [1], "sr_ratios": [2], "hidden_sizes": [8], "patch_sizes": [3], "strides": [2],
            "num_attention_heads": [2], "mlp_ratios": [2], "decoder_hidden_size": 4, "id2label": {"0": "a"}}"#,
        ),
        (
            "upernet",
            r#"{"model_type": "upernet", "hidden_size": 8, "auxiliary_channels": 4, "backbone_config":
            {"model_type": "swin", "embed_dim": 4, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1],
            "window_size": 2, "out_features": ["stage1"]}, "id2label": {"0": "a", "1": "b"}}"#,
        ),
        ("timm", r#"{"architecture": "vit_tiny_patch16_224"}"#),
    ];
    for (name, config) in configs {
        seed("model", name, &[config.as_bytes(), &[0], &weights].concat());
    }
}

fn main() {
    pictures();
    json();
    colmap();
    ply();
    runs();
    labels();
    models();
    let Some(data) = std::env::var_os("NERVE_TEST_DATA").map(PathBuf::from) else { return };
    real(&data, "transforms", None, "fox/transforms.json");
    real(&data, "transforms", None, "nerf_synthetic/lego/transforms_test.json");
    for (kind, name) in [(0, "cameras"), (1, "images"), (2, "points3D")] {
        real(&data, "colmap_binary", Some(kind), &format!("beer/sparse/0/{name}.bin"));
    }
    real(&data, "llff", None, "fern/poses_bounds.npy");
    real(&data, "npy", None, "fern/poses_bounds.npy");
    real(&data, "image", None, "fox/images/0001.jpg");
    real(&data, "image", None, "nerf_synthetic/lego/test/r_0.png");
}
