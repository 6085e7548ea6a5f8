//! Which photos there are, which are compared, and what each version of COLMAP is told.
use super::*;

#[test]
fn newer_versions_get_their_own_options() {
    let place = Place::new(&FIVE, "");
    let newer = "#!/bin/sh\n[ \"$1\" = help ] && echo 'COLMAP 3.12.0 -- Structure' || echo '  --FeatureExtraction.use_gpu arg (=1)'";
    fs::write(place.root.path().join("colmap"), newer).unwrap();
    let mut colmap = Colmap::at(place.root.path().join("colmap").into_os_string()).unwrap().unwrap();
    assert_eq!(colmap.version, "3.12.0");
    let settings = ColmapSettings { matching: Matching::Auto, threads: 2 };
    let optional_arguments =
        ColmapStep::Features.optional_arguments(&place.photos, Path::new("list"), &settings);
    let options = colmap.options("feature_extractor", &optional_arguments).unwrap();
    assert_eq!(options, ["--FeatureExtraction.use_gpu", "0"]);
}

#[test]
fn which_photos_are_compared() {
    let place = Place::new(&FIVE, GOOD);
    let auto = ColmapSettings { matching: Matching::Auto, threads: 1 };
    let mut photos = place.photos.clone();
    let file = photos.files[0].clone();
    let rename = |photos: &mut Photos, names: &mut dyn Iterator<Item = String>| {
        photos.files = names.map(|name| Photo { name, ..file.clone() }).collect();
    };
    rename(&mut photos, &mut (0..151).map(|i| format!("frame_{i:04}.jpg")));
    assert!(photos.numbered());
    assert_eq!(auto.matching(&photos), Matching::Sequential);
    rename(&mut photos, &mut (0..150).map(|i| format!("frame_{i:04}.jpg")));
    assert_eq!(auto.matching(&photos), Matching::Exhaustive, "few enough");
    let mut unpadded: Vec<String> = (0..200).map(|i| format!("frame_{i}.jpg")).collect();
    unpadded.sort();
    rename(&mut photos, &mut unpadded.into_iter());
    assert!(!photos.numbered(), "COLMAP goes by the names' own order");
    assert_eq!(auto.matching(&photos), Matching::Exhaustive);
    let told = ColmapSettings { matching: Matching::Sequential, threads: 1 };
    assert_eq!(told.matching(&place.photos), Matching::Sequential);
}

#[test]
fn a_folder_of_photos_and_other_things() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("kitchen/images");
    for name in ["b.png", "a.png", "c.png"] {
        picture(&folder.join(name), 8, 6, 1);
    }
    fs::write(folder.join("notes.txt"), "hello").unwrap();
    fs::write(folder.join("._a.png"), fs::read(folder.join("a.png")).unwrap()).unwrap();
    fs::write(folder.join("d.HEIC"), b"\0\0\0\x18ftypheic\0\0\0\0").unwrap();
    for path in [folder.clone(), root.path().join("kitchen")] {
        let photos = Photos::find(&path).unwrap();
        assert_eq!(photos.files.iter().map(|p| &p.name).collect::<Vec<_>>(), ["a.png", "b.png", "c.png"]);
        assert_eq!(
            (photos.left_out.as_slice(), photos.name()),
            (&["d.HEIC".to_owned()][..], "kitchen".to_owned())
        );
        assert!(photos.one_size());
    }
    picture(&folder.join("b.png"), 6, 8, 1);
    assert!(!Photos::find(&folder).unwrap().one_size());
    fs::remove_file(folder.join("b.png")).unwrap();
    let error = Photos::find(&folder).unwrap_err().to_string();
    assert!(
        error.contains("2 photos") && error.contains("d.HEIC") && error.contains("heif-convert"),
        "{error}"
    );
    fs::write(folder.join("e.png"), "\u{89}PNG").unwrap();
    let broken = fs::read(folder.join("a.png")).unwrap();
    fs::write(folder.join("e.png"), &broken[..12]).unwrap();
    picture(&folder.join("f.png"), 6, 8, 1);
    assert!(Photos::find(&folder).unwrap_err().to_string().contains("e.png"));
}
