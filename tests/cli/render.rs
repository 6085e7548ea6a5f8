//! `nerve render`: frames along camera paths, and videos of them.

use crate::program::{Place, event, events, stderr};
use std::path::Path;

const SHORT: [&str; 6] = ["--seconds", "0.2", "--fps", "20", "--size", "24x18"];

fn trained() -> Place {
    let place = Place::with_scene(1);
    place.train(&["--steps", "60", "--out", "run", "--no-eval"]).success();
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    place
}

fn picture(path: &Path) -> image::DynamicImage {
    image::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn an_orbit_is_rendered_once_and_goes_on_after_a_stop() {
    let place = trained();
    let args =
        [&["render", "run", "--show", "color,depth,normals,opacity", "--json", "--video", "gif"], &SHORT[..]]
            .concat();
    let told = events(&place.run(&args).success());
    assert_eq!(event(&told, "rendered")["new"], 4);
    let at = |layer: &str, name: &str| place.path("run/orbit").join(layer).join(name);
    for layer in ["color", "depth", "normals", "opacity"] {
        for frame in 0..4 {
            let seen = picture(&at(layer, &format!("{frame:05}.png")));
            assert_eq!((seen.width(), seen.height()), (24, 18));
        }
        let video = std::fs::read(place.path(&format!("run/orbit/{layer}.gif"))).unwrap();
        assert!(video.starts_with(b"GIF89a") && video.ends_with(b"\x3b"), "a whole GIF");
    }
    let depths = std::fs::read(at("depth", "00000.npy")).unwrap();
    assert!(depths.starts_with(b"\x93NUMPY") && depths.len() == 128 + 4 * 24 * 18);
    // One frame is lost: it alone is rendered again, to the same bytes; the others are not touched.
    let before = std::fs::read(at("color", "00002.png")).unwrap();
    std::fs::remove_file(at("color", "00002.png")).unwrap();
    let told = events(&place.run(&args).success());
    assert_eq!(event(&told, "rendered")["new"], 1);
    assert!(std::fs::read(at("color", "00002.png")).unwrap() == before);
    // Another rendering needs a word.
    let other = [&["render", "run", "--fov", "30", "--video", "off"], &SHORT[..]].concat();
    place.fails(&other, &["run/orbit", "--overwrite", "--out"]);
    place.run(&[&other[..], &["--overwrite"]].concat()).success();
    assert!(!at("depth", "00000.png").exists(), "the old frames are gone");
    place.write("mine/notes.txt", "mine");
    place.fails(&[&other[..], &["--out", "mine"]].concat(), &["mine", "notes.txt"]);
}

#[test]
fn what_was_rendered_is_a_path_and_a_file_renders_as_its_run() {
    let place = trained();
    place.run(&["export", "run", "compact", "small"]).success();
    let off = [&SHORT[..], &["--video", "off"]].concat();
    place.run(&[&["render", "run", "--path", "cameras", "--out", "a"], &off[..]].concat()).success();
    place.run(&[&["render", "run", "--path", "a/path.json", "--out", "b"], &off[..]].concat()).success();
    let bytes = |path: &str| std::fs::read(place.path(path)).unwrap();
    assert!(bytes("a/color/00003.png") == bytes("b/color/00003.png"), "the same cameras see the same");
    place.run(&[&["render", "small", "--path", "test"], &off[..]].concat()).success();
    assert!(place.path("small.test/color/00000.png").exists());
}

#[test]
fn what_is_cropped_is_not_seen_and_backgrounds_are() {
    let place = trained();
    let off = [&SHORT[..], &["--video", "off", "--path", "test"]].concat();
    let render = |out: &str, flags: &[&str]| {
        place.run(&[&["render", "run", "--out", out], &off[..], flags].concat()).success();
        picture(&place.path(out).join("color/00000.png"))
    };
    let nothing = ["--crop", "100,100,100,101,101,101"];
    let white = render("white", &nothing).into_rgb8();
    assert!(white.pixels().all(|p| p.0 == [255; 3]));
    let black = render("black", &[&nothing[..], &["--background", "black"]].concat()).into_rgb8();
    assert!(black.pixels().all(|p| p.0 == [0; 3]));
    let clear = render("clear", &[&nothing[..], &["--background", "none"]].concat()).into_rgba8();
    assert!(clear.pixels().all(|p| p.0[3] == 0));
    let whole = render("whole", &[]).into_rgb8();
    assert!(whole.pixels().any(|p| p.0 != [255; 3]));
    assert!(render("far", &["--near", "1000"]).into_rgb8() == white);
    let box_of_all =
        render("box", &["--crop", "-100,-100,-100,100,100,100", "--near", "0", "--far", "1e6"]).into_rgb8();
    assert!(box_of_all == whole, "a box around everything leaves everything");
    let fine = render("fine", &["--supersample", "2"]).into_rgb8();
    let off: f64 = fine.as_raw().iter().zip(whole.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    let mean = off / fine.as_raw().len() as f64;
    assert!(mean > 0.0 && mean < 12.0, "finer, but the same view: {mean}");
}

#[test]
fn wrong_flags_and_paths_are_said() {
    let place = trained();
    for (flags, part) in [
        (&["--path", "orbt"][..], "orbit, spiral"),
        (&["--size", "10"], "WIDTHxHEIGHT"),
        (&["--size", "16384x16384", "--supersample", "8"], "rays a frame"),
        (&["--crop", "1,2,3"], "corners"),
        (&["--near", "2", "--far", "1"], "--near"),
        (&["--fov", "180"], "--fov"),
        (&["--fps", "0"], "--fps"),
        (&["--seconds", "1e9"], "million frames"),
        (&["--background", "2"], "gray"),
        (&["--viewer", "save"], "--viewer"),
    ] {
        let error = stderr(&place.run(&[&["render", "run"], flags].concat()).code(2));
        assert!(error.contains(part), "{flags:?}: {error}");
    }
    place.write("path.json", "{\"frames\": []}");
    place.fails(&["render", "run", "--path", "path.json"], &["path.json", "camera_path"]);
    place.fails(&["render", "absent"], &["absent"]);
}
