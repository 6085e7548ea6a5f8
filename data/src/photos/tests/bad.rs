//! Photos that cannot be used are named, with what to do, before COLMAP is run.
use std::os::unix::fs::symlink;

use super::*;
use crate::image::ImageError;

/// A folder of three photos, and the error where one of these contents lies beside them.
fn beside(name: &str, content: &[u8]) -> Result<Photos, PhotosError> {
    let root = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        picture(&root.path().join(name), 8, 6, 1);
    }
    fs::write(root.path().join(name), content).unwrap();
    Photos::find(root.path())
}

#[test]
fn what_has_a_photos_name_and_is_none_is_refused() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n";
    for (name, content, parts) in [
        ("d.jpg", &b""[..], ["empty", "copy it again, or remove it"]),
        ("d.JPEG", lfs, ["Git LFS", "git lfs pull"]),
        ("d.png", b"<!DOCTYPE html>", ["not a picture", "copy it again, or remove it"]),
        ("d.WebP", b"\x93NUMPY\x01\0", ["not a picture", "copy it again, or remove it"]),
    ] {
        let error = beside(name, content).unwrap_err();
        assert!(matches!(error, PhotosError::Image(ImageError::Format { .. })), "{error:?}");
        let error = error.to_string();
        for part in [name, parts[0], parts[1]] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }
    for name in ["d.txt", "d", "jpg", ".d.jpg"] {
        assert_eq!(beside(name, lfs).unwrap().files.len(), 3, "{name}");
    }
    assert_eq!(beside("d.jpg", b"GIF89a").unwrap().left_out, ["d.jpg"]);
}

#[test]
fn all_bad_photos_are_named_or_left_out() {
    let root = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        picture(&root.path().join(name), 8, 6, 1);
    }
    fs::write(root.path().join("d.png"), "").unwrap();
    fs::write(root.path().join("e.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let error = Photos::find(root.path()).unwrap_err().to_string();
    for part in ["2 photos cannot be used", "d.png", "e.png", "--skip-bad"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let photos = Photos::find_with(root.path(), true).unwrap();
    assert_eq!((photos.files.len(), photos.bad.len(), photos.left_out.len()), (3, 2, 0));
}

#[test]
fn a_photo_that_cannot_be_opened_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let images = root.path().join("images");
    for name in ["a.png", "b.png", "c.png"] {
        picture(&images.join(name), 8, 6, 1);
    }
    fs::create_dir(images.join("folder.jpg")).unwrap();
    symlink("nowhere", images.join("other")).unwrap();
    assert_eq!(Photos::find(&images).unwrap().files.len(), 3);
    symlink("nowhere", images.join("d.jpg")).unwrap();
    let refused = |folder: &Path| match Photos::find(folder) {
        Err(PhotosError::Io { path, .. }) => assert_eq!(path, images.join("d.jpg")),
        other => panic!("{other:?}"),
    };
    refused(&images);
    // Also where nothing else is there, and in the folder that stands for its `images`.
    ["a.png", "b.png", "c.png"].iter().for_each(|name| fs::remove_file(images.join(name)).unwrap());
    refused(root.path());
}

#[test]
fn photos_that_were_cut_short_are_found_before_colmap() {
    let place = Place::new(&FIVE, GOOD);
    let path = place.root.path().join("trip/b.png");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let error = place.run().unwrap_err();
    assert!(matches!(error, PhotosError::Image(ImageError::Truncated { .. })), "{error:?}");
    for part in ["trip/b.png", "truncated", "copy it again, or remove it"] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
    assert!(place.calls().is_empty() && !place.work().exists());
    let stopped = place.run_until(&mut |_, _| {}, &|| true).unwrap_err();
    assert!(matches!(stopped, PhotosError::Cancelled { .. }), "{stopped}");
    fs::write(&path, &whole).unwrap();
    assert_eq!(place.run().unwrap().registered, 4);
}

#[test]
fn names_that_colmap_cannot_be_given_are_refused() {
    let root = tempfile::tempdir().unwrap();
    picture(&root.path().join("d.png"), 8, 6, 1);
    let content = fs::read(root.path().join("d.png")).unwrap();
    for (name, part) in [
        (" d.png", "white space"),
        ("d.png ", "white space"),
        ("d.png\t", "white space"),
        ("\nd.png", "white space"),
        ("d\n.png", "a line break"),
    ] {
        let error = beside(name, &content).unwrap_err();
        assert!(matches!(error, PhotosError::Name { .. }), "{error:?}");
        let error = error.to_string();
        assert!(error.contains(part) && error.contains("rename the photo"), "{error}");
    }
    assert_eq!(beside("my photo .png", &content).unwrap().files.len(), 4);
}

#[test]
fn pictures_in_folders_below_are_counted() {
    let place = Place::new(&FIVE, GOOD);
    let trip = place.root.path().join("trip");
    assert_eq!(place.photos.below, 0);
    for name in ["day/1.JPG", "day/noon/2.webp", "day/noon/3.txt", "day/noon/late/4.jpg", "masks/a1.png"] {
        fs::create_dir_all(trip.join(name).parent().unwrap()).unwrap();
        fs::write(trip.join(name), "").unwrap();
    }
    fs::create_dir(trip.join(".thumbnails")).unwrap();
    fs::write(trip.join(".thumbnails/1.jpg"), "").unwrap();
    symlink(&trip, trip.join("day/again")).unwrap();
    let photos = Photos::find(&trip).unwrap();
    assert_eq!((photos.below, photos.files), (2, place.photos.files));
    for i in 0..5000 {
        fs::write(trip.join(format!("day/{i}.jpg")), "").unwrap();
    }
    let below = Photos::find(&trip).unwrap().below;
    assert!((1000..5000).contains(&below), "{below}");
}
