//! Masks beside the photos.
use super::*;

#[test]
fn masks_beside_the_photos_come_along() {
    let mut place = Place::new(&FIVE, GOOD);
    place.run().unwrap();
    assert!(!place.work().join("masks").exists());
    // What lies beside a folder of a name of its own is something else.
    fs::create_dir(place.root.path().join("masks")).unwrap();
    assert_eq!(place.photos.masks(), None);
    let images = place.root.path().join("kitchen/images");
    fs::create_dir(place.root.path().join("kitchen")).unwrap();
    fs::rename(place.root.path().join("trip"), &images).unwrap();
    place.photos = Photos::find(&images).unwrap();
    place.run().unwrap();
    assert!(!place.work().join("masks").exists());
    picture(&place.root.path().join("kitchen/masks/b.png.png"), 8, 6, 1);
    assert!(place.run().unwrap().reused);
    assert!(place.work().join("masks/b.png.png").is_file(), "also when they have come later");
    place.run().unwrap();
}

/// The folder of masks is what COLMAP is given for features: written anew, whatever its kind and name.
#[test]
fn masks_keep_what_they_hide_from_colmap() {
    let mut place = Place::new(&FIVE, GOOD);
    let images = place.root.path().join("kitchen/images");
    fs::create_dir(place.root.path().join("kitchen")).unwrap();
    fs::rename(place.root.path().join("trip"), &images).unwrap();
    place.photos = Photos::find(&images).unwrap();
    let masks = place.root.path().join("kitchen/masks");
    fs::create_dir(&masks).unwrap();
    let half = ::image::GrayImage::from_fn(8, 6, |x, _| [if x < 4 { 0 } else { 7 }].into());
    half.save(masks.join("b.png")).unwrap();
    half.save(masks.join("other.png")).unwrap();
    assert_eq!(place.photos.masked(), 1);
    let manual = |place: &Place| {
        manual::manual_commands(
            &place.photos,
            &place.work(),
            &ColmapSettings { matching: Matching::Auto, threads: 1 },
        )
    };
    let commands = manual(&place);
    assert!(!commands.contains("mask_path") && commands.contains("/work/masks"), "{commands}");

    // A mask of another shape is refused before hours of matching.
    picture(&masks.join("c.png"), 3, 4, 0);
    let error = place.run().unwrap_err().to_string();
    for part in ["masks/c.png", "3x4", "images/c.png", "8x6", "the same size"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(place.calls().is_empty());
    fs::remove_file(masks.join("c.png")).unwrap();

    let made = place.run().unwrap();
    assert_eq!(made.masked, 1);
    let given = place.work().join("feature_masks");
    let calls = place.calls();
    let wanted = format!("--ImageReader.mask_path {}", given.display());
    assert!(calls[0].contains(&wanted) && !calls[2].contains("mask_path"), "{calls:?}");
    let files: Vec<_> = fs::read_dir(&given).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(files, ["b.png.png"]);
    let written = ::image::open(given.join("b.png.png")).unwrap();
    assert_eq!(written.color(), ::image::ColorType::L8);
    assert!(written.into_luma8().enumerate_pixels().all(|(x, _, v)| v.0[0] == if x < 4 { 0 } else { 255 }));

    // Those that come later are counted, not taken for what COLMAP knew.
    half.save(masks.join("a1.png")).unwrap();
    let again = place.run().unwrap();
    assert!(again.reused && again.masked == 1 && place.photos.masked() == 2);
    // Masks that are named as COLMAP has it are given by hand as they are.
    for name in ["a1.png", "b.png"] {
        fs::rename(masks.join(name), masks.join(format!("{name}.png"))).unwrap();
    }
    assert!(manual(&place).contains(&format!("--ImageReader.mask_path {}", masks.display())));
}
