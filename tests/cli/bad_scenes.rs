//! Scenes with one thing wrong: a table of what is put into a file, and what must be said about it.

use crate::program::{Place, SMALL, stderr, stdout};
use serde_json::{Value, json};

/// What is wrong with how training and inspecting fail, each of which must name these parts.
fn refused(place: &Place, scene: &str, parts: &[&str]) -> Vec<String> {
    let train = place.flaw(&[&["train", scene, "--steps", "1"], &SMALL[..]].concat(), parts);
    let inspect = place.flaw(&["inspect", scene], parts);
    train.into_iter().chain(inspect).collect()
}

/// Every line of the table was refused as it must be, and no run was begun.
fn none(place: &Place, flaws: &[String]) {
    assert!(flaws.is_empty(), "{flaws:#?}");
    assert!(!place.path("runs").exists(), "no run was begun");
}

/// An 8-bit RGB PNG's beginning: a header that is whole, of this size, and pixels that are none.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = chunk.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    [b"\x89PNG\r\n\x1a\n\0\0\0\x0d".as_slice(), &chunk, &(!crc).to_be_bytes(), b"\0\0\0\x04IDATnone----"]
        .concat()
}

#[test]
fn transforms() {
    let (place, mut flaws) = (Place::with_scene(1), Vec::new());
    let good: Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("scene/transforms_train.json")).unwrap())
            .unwrap();
    let matrix = "frames[0].transform_matrix";
    let set = |path: &str, value: Value| {
        let mut scene = good.clone();
        *scene.pointer_mut(path).unwrap() = value;
        scene
    };
    let add = |key: &str, value: Value| {
        let mut scene = good.clone();
        scene[key] = value;
        scene
    };
    let row = json!([0.0, 0.0, 0.0, 1.0]);
    let first = "/frames/0/transform_matrix";
    for (wrong, parts) in [
        (json!({}), &["frames"][..]),
        (json!([1, 2]), &["the file as a whole", "is a list", "it must be an object", "frames"]),
        (json!("frames"), &["the file as a whole", "is a text"]),
        (set("/frames/0", json!(["a.png", []])), &["frames[0]", "is a list", "file_path"]),
        (set("/frames", json!([])), &["frames", "is empty"]),
        (set("/frames", json!(7)), &["frames", "sequence"]),
        (set("/frames/0/file_path", Value::Null), &["frames[0].file_path"]),
        (set(first, json!([[1, 0], [0, 1]])), &[matrix, "4 rows of 4"]),
        (set(&format!("{first}/1/2"), json!("x")), &["frames[0].transform_matrix[1][2]"]),
        (set(&format!("{first}/1/2"), Value::Null), &["frames[0].transform_matrix[1][2]"]),
        (set(&format!("{first}/0/0"), json!(5.0)), &[matrix, "not a rotation"]),
        (set(&format!("{first}/0"), row.clone()), &[matrix, "not a rotation"]),
        (set(&format!("{first}/3"), json!([1.0, 2.0, 3.0, 1.0])), &[matrix, "last row", "transposed?"]),
        (add("camera_angle_x", json!(0.0)), &["camera_angle_x", "between 0 and pi"]),
        (add("camera_angle_x", json!(-1.0)), &["camera_angle_x", "between 0 and pi"]),
        (add("fl_x", json!(0.0)), &["fl_x", "must be positive"]),
        (add("fl_x", json!(-40.0)), &["fl_x", "must be positive"]),
        (add("fl_x", json!("forty")), &["fl_x", "forty"]),
        (add("fl_x", json!(0.05)), &["fl_x is 5e-2", "not in millimeters"]),
        (add("cx", json!(1e300)), &["cx is 1e300", "40x40"]),
        (add("w", json!(77)), &["77x40", "40x40"]),
        (add("w", json!(1e12)), &["whole number of pixels"]),
        (add("aabb_scale", json!(3)), &["aabb_scale"]),
        (add("scale", json!(0.0)), &["scale"]),
        (add("camera_model", json!("EQUIRECTANGULAR")), &["camera_model", "EQUIRECTANGULAR", "undistort"]),
        (add("train_filenames", json!(["elsewhere.png"])), &["the split lists", "none of the 8 frames"]),
        (add("camera_model", json!("KANNALA_9")), &["camera_model", "KANNALA_9", "not supported"]),
    ] {
        place.write("scene/wrong.json", &wrong.to_string());
        flaws.extend(refused(&place, "scene/wrong.json", &[&["scene/wrong.json"], parts].concat()));
    }
    // Text that is no JSON: cut anywhere, not UTF-8, with something after its end.
    let text = good.to_string();
    for length in [0, 1, text.len() / 3, text.len() - 1] {
        place.write("scene/wrong.json", &text[..length]);
        flaws.extend(refused(&place, "scene/wrong.json", &["scene/wrong.json"]));
    }
    std::fs::write(place.path("scene/wrong.json"), b"{\"frames\": [\"\xff\xfe\"]}").unwrap();
    flaws.extend(refused(&place, "scene/wrong.json", &["scene/wrong.json"]));
    place.write("scene/wrong.json", &(text + "}"));
    flaws.extend(refused(&place, "scene/wrong.json", &["scene/wrong.json", "after the end"]));
    none(&place, &flaws);
}

#[test]
fn pictures() {
    let (place, mut flaws) = (Place::with_scene(1), Vec::new());
    let file = place.path("scene/train/r_0.png");
    let good = std::fs::read(&file).unwrap();
    let name = "scene/train/r_0.png";
    let lying = png_header(40, 40);
    for (bytes, parts) in [
        (&b""[..], &[][..]),
        (b"GIF89a\x28\0\x28\0\0\0\0;", &["PNG"]),
        (&good[..20], &[]),
        (&png_header(100_000, 100_000), &["100000x100000", "resize"]),
        (&png_header(0, 40), &[]),
    ] {
        std::fs::write(&file, bytes).unwrap();
        flaws.extend(refused(&place, "scene", &[&[name], parts].concat()));
    }
    // What only decoding finds out: inspecting looks at headers.
    for bytes in [&good[..good.len() / 2], &lying] {
        std::fs::write(&file, bytes).unwrap();
        flaws.extend(place.flaw(&["train", "scene", "--steps", "1"], &[name]));
    }
    none(&place, &flaws);
}

#[test]
fn bad_photos_are_all_named_or_left_out() {
    let place = Place::with_scene(1);
    for i in 0..6 {
        place.write(&format!("scene/train/r_{i}.png"), "");
    }
    let train = [&["train", "scene", "--steps", "1", "--no-eval"], &SMALL[..6]].concat();
    let told = ["6 photos cannot be used", "an empty file", "and 2 more", "--skip-bad"];
    place.fails(&train, &[&told[..], &["runs/bad-photos.txt names all"]].concat());
    let all = std::fs::read_to_string(place.path("runs/bad-photos.txt")).unwrap();
    assert!((0..6).all(|i| all.contains(&format!("r_{i}.png"))) && all.lines().count() == 6, "{all}");
    let inspect = place.run(&["inspect", "scene"]).code(1);
    assert_eq!(stdout(&inspect).matches("bad photo ").count(), 6);
    let rest = place.run(&[&train[..], &["--skip-bad", "--out", "rest"]].concat()).success();
    assert!(stderr(&rest).contains("left out 6 photos"), "{}", stderr(&rest));
    let config = std::fs::read_to_string(place.path("rest/config.toml")).unwrap();
    assert!(config.contains("skip_bad = true") && config.contains("masks = \"ignore\""), "{config}");
}

#[test]
fn too_little_is_refused_before_training() {
    let place = Place::with_scene(1);
    let one = ["--max-images", "1"];
    place.fails(&[&["train", "scene"], &one[..]].concat(), &["one photograph to train on (1 more held out)"]);
    let inspect = place.run(&[&["inspect", "scene"], &one[..]].concat()).code(1);
    assert!(stdout(&inspect).contains("nothing in three dimensions"), "{}", stdout(&inspect));
    place.fails(&["train", "scene", "--downscale", "4"], &["fewer than 11 pixels", "smaller --downscale"]);
    assert!(!place.path("runs").exists(), "no run was begun");
    place.run(&["demo", "more/a", "--resolution", "16", "--train", "2", "--test", "1"]).success();
    place.run(&["demo", "more/b", "--resolution", "16", "--train", "2", "--test", "1"]).success();
    for command in ["train", "inspect"] {
        place.fails(&[command, "more"], &["more/a", "more/b", "one of them"]);
    }
}

#[test]
fn masks_and_depth() {
    let (place, mut flaws) = (Place::with_scene(1), Vec::new());
    let mut scene: Value =
        serde_json::from_str(&std::fs::read_to_string(place.path("scene/transforms_train.json")).unwrap())
            .unwrap();
    for frame in scene["frames"].as_array_mut().unwrap() {
        frame["mask_path"] = json!("mask.png");
        frame["depth_file_path"] = json!("depth.npy");
    }
    place.write("scene/wrong.json", &scene.to_string());
    let header = |descr: &str, order: &str, shape: &str| {
        let text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
        [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    };
    let depth = |head: Vec<u8>, values: usize| [head, vec![0; 4 * values]].concat();
    std::fs::copy(place.path("scene/train/r_0.png"), place.path("scene/mask.png")).unwrap();
    for (bytes, parts) in [
        (b"\x93NUMPY\x01".to_vec(), &["header is damaged"][..]),
        (b"no array".to_vec(), &["not a .npy file", "numpy.save"]),
        (depth(header("<f4", "False", "40, 40"), 1599), &["[40, 40]", "6396 bytes follow"]),
        (depth(header("<f4", "False", "4000000000, 4000000000"), 9), &["is the file complete"]),
        (depth(header("<f4", "True", "40, 40"), 1600), &["Fortran order"]),
        (depth(header("<c8", "False", "40, 40"), 3200), &["<c8"]),
        (depth(header("<f4", "False", "1600, "), 1600), &["not a depth map"]),
        (depth(header("<f4", "False", "3, 40, 40"), 4800), &["not a depth map"]),
        (depth(header("<f4", "False", "20, 40"), 800), &["the depth map has 40x20 pixels", "40x40"]),
    ] {
        std::fs::write(place.path("scene/depth.npy"), bytes).unwrap();
        let train = [&["train", "scene/wrong.json", "--steps", "1"], &SMALL[..]].concat();
        flaws.extend(place.flaw(&train, &[&["scene/depth.npy"], parts].concat()));
    }
    std::fs::write(place.path("scene/depth.npy"), depth(header("<f4", "False", "40, 40"), 1600)).unwrap();
    std::fs::write(place.path("scene/mask.png"), png_header(20, 20)).unwrap();
    let train = [&["train", "scene/wrong.json", "--steps", "1"], &SMALL[..]].concat();
    flaws.extend(place.flaw(&train, &["scene/mask.png"]));
    none(&place, &flaws);
}
