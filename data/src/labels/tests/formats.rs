//! Each format, small.

use super::Folder;
use crate::labels::{IGNORE, LabelFormat, LabelSet, color_map};

/// Format, then for each split its name and the pairs' file names.
fn outline(set: &LabelSet) -> Vec<(String, Vec<(String, String)>)> {
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    set.splits
        .iter()
        .map(|split| {
            let pairs = split.pairs.iter().map(|pair| (name(&pair.image), name(&pair.mask)));
            (split.name.clone(), pairs.collect())
        })
        .collect()
}

fn expect(set: &LabelSet, format: LabelFormat, splits: &[(&str, &[(&str, &str)])]) {
    assert_eq!(set.format, format);
    let own = |(name, pairs): &(&str, &[(&str, &str)])| {
        ((*name).to_owned(), pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
    };
    assert_eq!(outline(set), splits.iter().map(own).collect::<Vec<_>>());
}

/// The first pair's labels.
fn labels(set: &LabelSet) -> Vec<u8> {
    set.load(&set.splits[0].pairs[0]).unwrap().mask.into_raw_vec_and_offset().0
}

#[test]
fn camvid_by_segnet() {
    let folder = Folder::new();
    for (name, mark) in [("f_2", 2), ("f_10", 10), ("f_1", 1)] {
        folder.image(&format!("CamVid/train/{name}.JPG.png"), mark);
        folder.mask(&format!("CamVid/trainannot/{name}.JPG.png"), [0, 3, 10, 11, 255, mark.min(10)]);
    }
    folder.image("CamVid/val/._x.png", 0).image("CamVid/val/x.png", 0).mask("CamVid/valannot/x.png", [0; 6]);
    let set = LabelSet::open(folder.root()).unwrap();
    let train: &[_] =
        &[("f_1.JPG.png", "f_1.JPG.png"), ("f_2.JPG.png", "f_2.JPG.png"), ("f_10.JPG.png", "f_10.JPG.png")];
    expect(&set, LabelFormat::CamVid, &[("train", train), ("val", &[("x.png", "x.png")])]);
    assert_eq!((set.name.as_str(), set.classes.len(), set.classes[3].name.as_str()), ("CamVid", 11, "road"));
    assert_eq!(labels(&set), [0, 3, 10, IGNORE, IGNORE, 1]);
    assert_eq!(set.load(&set.splits[0].pairs[1]).unwrap().image[[0, 0, 0]], 2);
    assert_eq!(set.held_out().unwrap().name, "val");

    // A list decides, by names alone; what it names in vain is missing, what it leaves out is remarked.
    folder.text(
        "CamVid/train.txt",
        "\r\n/SegNet/CamVid/train/f_10.JPG.png SegNet\\trainannot\\f_10.JPG.png\r\nf_9.png f_9.png\r\n",
    );
    let set = LabelSet::open(folder.root()).unwrap();
    expect(&set, LabelFormat::CamVid, &[("train", &train[2..]), ("val", &[("x.png", "x.png")])]);
    assert_eq!(set.splits[0].missing, [std::path::Path::new("f_9.png")]);
    assert!(set.warnings[0].contains("2 images in train are not in train.txt"), "{:?}", set.warnings);
    assert!(set.split("vla").unwrap_err().to_string().contains("the splits are train, val"));

    // Another set of the layout brings its classes.
    folder.text("CamVid/classes.txt", "a\nb\nc\nd\n");
    assert_eq!(LabelSet::open(folder.root()).unwrap().class_names(), ["a", "b", "c", "d"]);
}

#[test]
fn camvid_in_colors() {
    let (road, lane, void, truck) = ([128, 64, 128], [128, 0, 192], [0, 0, 0], [192, 128, 192]);
    let mask = [road, lane, void, truck, road, [192, 0, 192]];
    let expected = [3, 3, IGNORE, 8, 3, 10];
    let folder = Folder::new();
    folder.image("train/a.png", 1).colors("train_labels/a_L.png", mask);
    let set = LabelSet::open(folder.root()).unwrap();
    expect(&set, LabelFormat::CamVidColors, &[("train", &[("a.png", "a_L.png")])]);
    assert_eq!((set.classes.len(), labels(&set)), (11, expected.to_vec()));

    // The file's colors count, here with another bicyclist.
    folder.text("class_dict.csv", "name,r,g,b\nRoad,128,64,128\nLaneMkgsDriv,128,0,192\nVoid,0,0,0\nTruck_Bus,192,128,192\nBicyclist,192,0,192\n");
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!((set.classes.len(), labels(&set)), (11, expected.to_vec()));

    // Nine frames without splits: the first and the ninth are held out.
    let folder = Folder::new();
    for i in 0..9 {
        folder.image(&format!("701_StillsRaw_full/{i}.png"), 1);
        folder.colors(&format!("LabeledApproved_full/{i}_L.png"), mask);
    }
    folder.text("label_colors.txt", "128 64 128\tRoad\n128 0 192\tLaneMkgsDriv\n0 0 0\tVoid\n192 128 192\tTruck_Bus\n192 0 192 \tMotorcycleScooter\n");
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!(set.splits.iter().map(|s| s.pairs.len()).collect::<Vec<_>>(), [7, 2]);
    assert!(set.warnings[0].contains("every 8th image is held out"));
    assert_eq!(labels(&set), expected);
}

#[test]
fn ade20k_counts_from_one_and_ignores_zero() {
    let folder = Folder::new();
    folder
        .image("ADE/images/training/t.png", 1)
        .mask("ADE/annotations/training/t.png", [0, 1, 2, 150, 13, 0]);
    folder.image("ADE/images/validation/v.png", 1).mask("ADE/annotations/validation/v.png", [0; 6]);
    let set = LabelSet::open(folder.root()).unwrap();
    expect(&set, LabelFormat::Ade20k, &[("train", &[("t.png", "t.png")]), ("val", &[("v.png", "v.png")])]);
    assert_eq!(labels(&set), [IGNORE, 0, 1, 149, 12, IGNORE]);
    let name = |class: usize| set.classes[class].name.as_str();
    assert_eq!((set.classes.len(), name(0), name(12), name(149)), (150, "wall", "person", "flag"));
}

#[test]
fn voc_takes_indices_and_ignores_borders() {
    let folder = Folder::new();
    let root = "VOCdevkit/VOC2012";
    for name in ["2007_1", "2007_2", "2007_3"] {
        folder.image(&format!("{root}/JPEGImages/{name}.png"), 1);
    }
    for name in ["2007_1", "2007_2"] {
        let path = folder.path(&format!("{root}/SegmentationClass/{name}.png"));
        let palette: Vec<u8> = (0..=255).flat_map(color_map).collect();
        let ids = [0, 15, 20, 255, 1, 0];
        super::png_of(&path, (3, 2), png::ColorType::Indexed, png::BitDepth::Eight, &palette, &ids);
    }
    folder.text(&format!("{root}/ImageSets/Segmentation/train.txt"), "2007_2\n");
    folder.text(&format!("{root}/ImageSets/Segmentation/val.txt"), "2007_1\n");
    folder.text(&format!("{root}/ImageSets/Segmentation/test.txt"), "2007_3\n");
    let set = LabelSet::open(folder.root()).unwrap();
    let splits: &[(&str, &[_])] =
        &[("train", &[("2007_2.png", "2007_2.png")]), ("val", &[("2007_1.png", "2007_1.png")])];
    expect(&set, LabelFormat::Voc, splits);
    assert_eq!(set.warnings.len(), 1);
    assert!(set.warnings[0].starts_with("split test: no image has a mask: 1 images"), "{:?}", set.warnings);
    assert_eq!(labels(&set), [0, 15, 20, IGNORE, 1, 0]);
    assert_eq!((set.classes[15].name.as_str(), set.classes[15].color), ("person", [192, 128, 128]));
    // The development kit's map.
    let known = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]];
    assert_eq!((0..5).map(color_map).collect::<Vec<_>>(), known);
    assert_eq!((color_map(20), color_map(255)), ([0, 64, 128], [224, 224, 192]));

    // With the augmented masks' list.
    folder.text(&format!("{root}/ImageSets/Segmentation/trainaug.txt"), "2007_3\n");
    folder.mask(&format!("{root}/SegmentationClassAug/2007_3.png"), [5; 6]);
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!(set.load(&set.split("trainaug").unwrap().pairs[0]).unwrap().mask[[1, 2]], 5);
}

#[test]
fn cityscapes_by_either_ids() {
    let folder = Folder::new();
    for (split, city) in [("train", "aachen"), ("train", "bonn"), ("val", "jena")] {
        folder.image(&format!("leftImg8bit/{split}/{city}/{city}_0_1_leftImg8bit.png"), 1);
        let mask = |kind: &str| format!("gtFine/{split}/{city}/{city}_0_1_gtFine_{kind}.png");
        folder.mask(&mask("labelTrainIds"), [0, 18, 255, 11, 13, 0]);
        folder.mask(&mask("instanceIds"), [9; 6]);
    }
    let set = LabelSet::open(folder.root()).unwrap();
    let pair = |city: &str, kind: &str| {
        (format!("{city}_0_1_leftImg8bit.png"), format!("{city}_0_1_gtFine_{kind}.png"))
    };
    assert_eq!(set.format, LabelFormat::Cityscapes);
    assert_eq!(
        outline(&set),
        [
            ("train".to_owned(), vec![pair("aachen", "labelTrainIds"), pair("bonn", "labelTrainIds")]),
            ("val".to_owned(), vec![pair("jena", "labelTrainIds")]),
        ]
    );
    assert_eq!(labels(&set), [0, 18, IGNORE, 11, 13, 0]);
    assert_eq!((set.classes.len(), set.classes[11].name.as_str()), (19, "person"));

    for (split, city) in [("train", "aachen"), ("train", "bonn"), ("val", "jena")] {
        folder.mask(&format!("gtFine/{split}/{city}/{city}_0_1_gtFine_labelIds.png"), [7, 33, 0, 24, 26, 29]);
    }
    let set = LabelSet::open(folder.root()).unwrap();
    assert_eq!(outline(&set)[1].1, [pair("jena", "labelIds")]);
    assert_eq!(labels(&set), [0, 18, IGNORE, 11, 13, IGNORE]);
}

#[test]
fn plain_folders_in_their_variants() {
    // Splits inside; ids that are not in order, one of them ignored, 255 a class.
    let folder = Folder::new();
    folder.text(
        "classes.json",
        r#"{"classes": [{"name": "ground", "id": 7}, {"name": "thing", "id": 255, "color": [1, 2, 3]},
            {"name": "edge", "id": 0, "ignore": true}]}"#,
    );
    folder.image("images/train/a.png", 1).mask("masks/train/a_mask.png", [7, 255, 0, 0, 7, 7]);
    folder.image("images/validation/b.png", 1).mask("masks/validation/b.png", [7; 6]);
    let set = LabelSet::open(folder.root()).unwrap();
    let splits: &[(&str, &[_])] = &[("train", &[("a.png", "a_mask.png")]), ("val", &[("b.png", "b.png")])];
    expect(&set, LabelFormat::Folder, splits);
    assert_eq!(labels(&set), [0, 1, IGNORE, IGNORE, 0, 0]);
    assert_eq!((set.class_names().join(" "), set.classes[1].color), ("ground thing".to_owned(), [1, 2, 3]));

    // Splits outside, masks in labels/, names only.
    let folder = Folder::new();
    folder.text("classes.json", r#"["a", "b b"]"#);
    folder.image("train/images/a.png", 1).mask("train/labels/a.png", [0, 1, 0, 1, 255, 0]);
    let set = LabelSet::open(folder.root()).unwrap();
    expect(&set, LabelFormat::Folder, &[("train", &[("a.png", "a.png")])]);
    assert_eq!((set.class_names().join(","), labels(&set)[4]), ("a,b b".to_owned(), IGNORE));

    // Lists; a name with a space; codes.txt and _P of fast.ai's CamVid.
    let folder = Folder::new();
    folder.text("codes.txt", "Animal\nArchway\n").text("valid.txt", "b c.png\n");
    for name in ["a", "b c", "d"] {
        folder
            .image(&format!("images/{name}.png"), 1)
            .mask(&format!("labels/{name}_P.png"), [0, 1, 0, 1, 1, 0]);
    }
    let set = LabelSet::open(folder.root()).unwrap();
    let rest: &[_] = &[("a.png", "a_P.png"), ("d.png", "d_P.png")];
    expect(&set, LabelFormat::Folder, &[("train", rest), ("val", &[("b c.png", "b c_P.png")])]);
    folder.text("train.txt", "d\n");
    let set = LabelSet::open(folder.root()).unwrap();
    expect(&set, LabelFormat::Folder, &[("train", &rest[1..]), ("val", &[("b c.png", "b c_P.png")])]);
    assert_eq!(set.warnings, ["1 images are in no list and were left out"]);
}

#[test]
fn views_of_the_procedural_scene() {
    let folder = tempfile::tempdir().unwrap();
    let config = crate::demo::DemoConfig { resolution: 24, train: 2, test: 1, ..Default::default() };
    crate::demo::write(folder.path(), &config, &|_, _| ()).unwrap();
    let set = LabelSet::open(folder.path()).unwrap();
    let splits: &[(&str, &[_])] = &[
        ("train", &[("r_0.png", "r_0_label.png"), ("r_1.png", "r_1_label.png")]),
        ("test", &[("r_0.png", "r_0_label.png")]),
    ];
    expect(&set, LabelFormat::Scene, splits);
    assert_eq!((set.classes.len(), set.classes[1].name.as_str()), (10, "ground"));
    assert_eq!(set.held_out().unwrap().name, "test");
    let scene = crate::demo::render(&config).unwrap();
    let labelled = set.load(&set.splits[0].pairs[1]).unwrap();
    assert_eq!(labelled.mask, scene.views[1].label);
    assert_eq!(labelled.image.dim(), (24, 24, 3));
}

/// A phone's picture, stored lying on its side, was labeled upright.
#[test]
fn images_are_turned_if_only_then_the_mask_fits() {
    let folder = Folder::new();
    folder.text("classes.txt", "a\nb\n");
    let path = folder.path("images/x.jpg");
    let picture = image::RgbImage::from_fn(16, 8, |x, _| image::Rgb([if x < 8 { 0 } else { 255 }; 3]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::DynamicImage::from(picture).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    // Turned by a quarter clockwise to be upright: orientation 6, as the first tag of an EXIF block.
    let exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    let segment = [&[0xff, 0xe1], &(exif.len() as u16 + 2).to_be_bytes()[..], exif].concat();
    let jpeg = jpeg.into_inner();
    std::fs::write(&path, [&jpeg[..2], &segment, &jpeg[2..]].concat()).unwrap();
    crate::write::write_png(&folder.path("masks/x.png"), 8, 16, crate::write::PixelFormat::Gray, &[1; 128])
        .unwrap();
    let set = LabelSet::open(folder.root()).unwrap();
    let labelled = set.load(&set.splits[0].pairs[0]).unwrap();
    assert_eq!(labelled.image.dim(), (16, 8, 3));
    assert!(labelled.image[[1, 4, 0]] < 20 && labelled.image[[14, 4, 0]] > 235);
    crate::write::write_png(&folder.path("masks/x.png"), 16, 8, crate::write::PixelFormat::Gray, &[1; 128])
        .unwrap();
    assert_eq!(set.load(&set.splits[0].pairs[0]).unwrap().image.dim(), (8, 16, 3), "as stored");
}
