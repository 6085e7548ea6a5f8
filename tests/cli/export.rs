//! Meshes, points and cameras of a run: files that other programs read.

use crate::program::{Place, event, events, stderr, stdout};
use std::path::Path;

/// A run that has learned where something is.
fn trained() -> Place {
    let place = Place::with_scene(1);
    place.train(&["--steps", "150", "--out", "run", "--no-eval"]).success();
    place
}

/// What a PLY file announces of an element.
fn announced(file: &Path, element: &str) -> usize {
    let bytes = std::fs::read(file).unwrap();
    let end = bytes.windows(10).position(|w| w == b"end_header").unwrap();
    let header = std::str::from_utf8(&bytes[..end]).unwrap();
    let line = header.lines().find_map(|line| line.strip_prefix(&format!("element {element} ")));
    line.unwrap().parse().unwrap()
}

fn size(file: &Path) -> usize {
    std::fs::metadata(file).unwrap().len() as usize
}

#[test]
fn a_mesh_in_every_form_without_the_scene() {
    let place = trained();
    std::fs::remove_dir_all(place.path("scene")).unwrap();
    let small = ["--resolution", "48"];
    let said = stdout(&place.run(&[&["export", "run", "mesh"][..], &small].concat()).success());
    for part in ["training views, fused", "box", "without", "wrote run/mesh.ply"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let file = place.path("run/mesh.ply");
    let (vertices, faces) = (announced(&file, "vertex"), announced(&file, "face"));
    assert!(vertices > 100 && faces > 200, "{vertices} {faces}");
    let header = size(&file) - 27 * vertices - 13 * faces;
    assert!((200..600).contains(&header), "{header}");

    // What is there stays, unless it is to go.
    let again = [&["export", "run", "mesh"][..], &small].concat();
    place.fails(&again, &["run/mesh.ply", "--overwrite"]);
    let fewer = |faces| place.run(&[&again[..], &["--overwrite", "--faces", faces]].concat()).success();
    fewer("400");
    let faces = announced(&file, "face");
    assert!(faces <= 400, "{faces}");
    // Every part keeps four faces at least, and that is said.
    let told = stderr(&fewer("4"));
    assert!(told.contains("--faces 4: fewer than") && announced(&file, "face") > 4, "{told}");

    for args in [&["mesh.obj"][..], &["mesh.glb", "--method", "density"]] {
        let told = events(&place.run(&[&again[..], args, &["--json"]].concat()).success());
        let told = event(&told, "mesh").clone();
        assert!(told["faces"].as_u64().unwrap() > 100, "{told}");
        assert_eq!(told["mesh"]["method"], if args.len() > 1 { "density" } else { "tsdf" });
    }
    let text = std::fs::read_to_string(place.path("mesh.obj")).unwrap();
    assert!(text.contains("mtllib mesh.mtl") && place.path("mesh.mtl").exists());
    let bytes = std::fs::read(place.path("mesh.glb")).unwrap();
    assert_eq!((&bytes[..4], bytes.len() % 4), (&b"glTF"[..], 0));

    // A texture: in the .glb, beside the .obj; not of a .ply.
    place.run(&[&again[..], &["--texture", "256"]].concat()).code(2);
    let told = events(&place.run(&[&again[..], &["t.obj", "--texture", "256", "--json"]].concat()).success());
    let faces = event(&told, "mesh")["faces"].as_u64().unwrap() as usize;
    assert!((50..=256 * 256 / 98).contains(&faces), "{faces}");
    let text = std::fs::read_to_string(place.path("t.obj")).unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("vt ")).count(), 3 * faces);
    assert!(std::fs::read_to_string(place.path("t.mtl")).unwrap().contains("map_Kd t.png"));
    let picture = image::open(place.path("t.png")).unwrap().to_rgb8();
    let colors: std::collections::HashSet<_> = picture.pixels().map(|p| p.0).collect();
    assert!(picture.dimensions() == (256, 256) && colors.len() > 100, "{}", colors.len());
    place.run(&[&again[..], &["t.glb", "--texture", "256"]].concat()).success();
    assert!(size(&place.path("t.glb")) > size(&place.path("t.png")));
    // What an .obj would write beside it stays as well; too many faces have no room.
    std::fs::remove_file(place.path("t.obj")).unwrap();
    place.fails(&[&again[..], &["t.obj", "--texture", "256"]].concat(), &["t.mtl", "--overwrite"]);
    let many = ["s.obj", "--texture", "16", "--faces", "1000"];
    place.fails(&[&again[..], &many].concat(), &["--texture", "--faces at most 32"]);

    let bounds = ["--bounds", "-0.4", "-0.4", "-0.4", "0.4", "0.4", "0.4", "--json"];
    let told = events(&place.run(&[&again[..], &["part.ply"], &bounds].concat()).success());
    let told = event(&told, "mesh");
    assert_eq!(told["mesh"]["cells"], serde_json::json!([48, 48, 48]));
    assert_eq!(told["mesh"]["bounds"][1], serde_json::json!([0.4, 0.4, 0.4]));
    let empty = ["--bounds", "5", "5", "5", "6", "6", "6"];
    place.fails(&[&again[..], &["none.ply"], &empty].concat(), &["no surface", "--bounds"]);
    assert!(!place.path("none.ply").exists());
    place.run(&["export", "run", "mesh", "mesh.stl"]).code(2);
    place.run(&["export", "run", "mesh", "--resolution", "1"]).code(2);
    place.run(&["export", "run", "mesh", "--level", "3"]).code(2);
    place.fails(&[&again[..], &["absent/mesh.ply"]].concat(), &["absent/mesh.ply", "make its folder"]);
}

#[test]
fn points_of_a_compact_file_lie_beside_it() {
    let place = trained();
    place.run(&["export", "run", "compact", "small.compact"]).success();
    let args = ["export", "small.compact", "points", "--resolution", "32", "--points", "500"];
    let said = stdout(&place.run(&args).success());
    assert!(said.contains("wrote points.ply: 500 points"), "{said}");
    let file = place.path("points.ply");
    assert_eq!(announced(&file, "vertex"), 500);
    place.fails(&args, &["points.ply", "--overwrite"]);
}

#[test]
fn cameras_are_read_again() {
    let place = Place::with_scene(1);
    place.train(&["--steps", "20", "--out", "run", "--no-eval", "--refine-poses"]).success();
    let said = stdout(&place.run(&["export", "run", "cameras"]).success());
    assert!(said.contains("wrote run/cameras: 7 cameras, refined"), "{said}");
    place.fails(&["export", "run", "cameras"], &["--overwrite"]);
    place.run(&["export", "run", "cameras", "--overwrite"]).success();
    // The photographs are found where they are.
    let report = events(&place.run(&["inspect", "run/cameras/transforms.json", "--json"]).success());
    let report = event(&report, "inspect");
    assert!(report.to_string().contains("train"), "{report}");
    let images = std::fs::read_to_string(place.path("run/cameras/colmap/images.txt")).unwrap();
    assert_eq!(
        images.lines().filter(|line| line.split(' ').count() == 10 && !line.starts_with('#')).count(),
        7
    );
    let cameras = std::fs::read_to_string(place.path("run/cameras/colmap/cameras.txt")).unwrap();
    assert_eq!(cameras.lines().filter(|line| line.contains(" PINHOLE 40 40 ")).count(), 1);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_no_half_mesh() {
    let place = trained();
    let run = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""])
        .arg(assert_cmd::cargo::cargo_bin("nerve"))
        .args(["export", "run", "mesh", "--resolution", "48", "big.ply"])
        .current_dir(place.path("."))
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{error}");
    assert!(error.contains("big.ply") && error.contains("nothing is left of it"), "{error}");
    let left = std::fs::read_dir(place.path(".")).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("big.ply")));
}
