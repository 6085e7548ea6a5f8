#![allow(clippy::unwrap_used)]
use super::*;
use serde_json::Value;
use std::collections::HashMap;
use std::convert::Infallible;

/// The surface of a ball of this radius around (0.1, -0.2, 0.3).
fn ball(radius: f64, cells: usize) -> Mesh {
    let grid = Grid::around([-1.2; 3], [1.2; 3], cells);
    surface(&grid, |p| radius - (Vector3::from(p) - Vector3::new(0.1, -0.2, 0.3)).norm())
}

fn surface(grid: &Grid, value: impl Fn([f64; 3]) -> f64) -> Mesh {
    let [nx, ny, _] = grid.points;
    contour(grid, 0.0, |slices, out| {
        for (i, out) in out.iter_mut().enumerate() {
            let at = [i % nx, i / nx % ny, slices.start + i / (nx * ny)];
            *out = value(grid.at(at)) as f32;
        }
        Ok::<_, Infallible>(())
    })
    .unwrap()
}

/// How often each edge is passed in each direction.
fn edges(mesh: &Mesh) -> HashMap<(u32, u32), usize> {
    let mut edges = HashMap::new();
    for [a, b, c] in &mesh.faces {
        for edge in [(*a, *b), (*b, *c), (*c, *a)] {
            *edges.entry(edge).or_insert(0) += 1;
        }
    }
    edges
}

fn is_closed(mesh: &Mesh) -> bool {
    let edges = edges(mesh);
    edges.iter().all(|((a, b), n)| edges.get(&(*b, *a)) == Some(n))
}

#[test]
fn a_ball_is_closed_and_faces_outward() {
    let ball = ball(0.7, 40);
    assert!(is_closed(&ball));
    assert_eq!(ball.positions.len() + ball.faces.len() - edges(&ball).len() / 2, 2, "Euler's formula");
    let center = Vector3::new(0.1, -0.2, 0.3);
    for p in &ball.positions {
        let radius = (Vector3::from(p.map(f64::from)) - center).norm();
        assert!((radius - 0.7).abs() < 2e-3, "{radius}");
    }
    let area = 4.0 * std::f64::consts::PI * 0.49;
    assert!((ball.area() / area - 1.0).abs() < 5e-3);
    let outward = |face: &[u32; 3]| (ball.corners(*face)[0] - center).dot(&ball.across(*face)) > 0.0;
    assert!(ball.faces.iter().all(outward));
}

#[test]
fn every_case_fits_its_neighbors() {
    // Values of noise meet all cases, and ambiguous faces among them.
    let grid = Grid { origin: [0.0; 3], spacing: 1.0, points: [24, 23, 22] };
    let noise = |p: [f64; 3]| {
        let edge = (0..3).any(|a| p[a] == 0.0 || p[a] as usize == grid.points[a] - 1);
        let seed = (p[0] * 73.0 + p[1] * 179.0 + p[2] * 283.0) as u64;
        let hash = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f64 / (1u64 << 24) as f64;
        if edge { -1.0 } else { hash - 0.5 }
    };
    let mesh = surface(&grid, noise);
    assert!(mesh.faces.len() > 10_000 && is_closed(&mesh));
}

#[test]
fn around_what_is_not_known_is_no_surface() {
    let grid = Grid::around([-1.0; 3], [1.0; 3], 20);
    let half = surface(&grid, |p| if p[2] > 0.05 { f64::NAN } else { 0.6 - Vector3::from(p).norm() });
    assert!(!half.faces.is_empty() && !is_closed(&half));
    assert!(half.positions.iter().all(|p| p[2] <= 0.1));
}

#[test]
fn a_failure_ends_it() {
    let grid = Grid::around([0.0; 3], [1.0; 3], 4);
    assert_eq!(contour(&grid, 0.0, |_, _| Err("full")), Err("full"));
}

#[test]
fn a_simpler_ball_is_still_one() {
    let ball = ball(0.7, 40);
    let simple = simplify(&ball, 500);
    assert!(simple.faces.len() <= 500 && simple.faces.len() > 400);
    assert!(is_closed(&simple));
    assert_eq!(simple.positions.len() + simple.faces.len() - edges(&simple).len() / 2, 2);
    for p in &simple.positions {
        let radius = (Vector3::from(p.map(f64::from)) - Vector3::new(0.1, -0.2, 0.3)).norm();
        assert!((radius - 0.7).abs() < 0.02, "{radius}");
    }
    assert_eq!(simplify(&ball, ball.faces.len()).faces.len(), ball.faces.len());
}

#[test]
fn components_are_told_apart_and_removed() {
    let grid = Grid::around([-1.0; 3], [1.0; 3], 40);
    let to = |p: [f64; 3], x: f64, r: f64| r - (Vector3::from(p) - Vector3::new(x, 0.0, 0.0)).norm();
    let mut mesh = surface(&grid, |p| to(p, -0.4, 0.4).max(to(p, 0.6, 0.2)));
    let (of, components) = mesh.components();
    assert_eq!(components.len(), 2);
    assert_eq!(components.iter().map(|c| c.faces).sum::<usize>(), mesh.faces.len());
    let large = u32::from(components[1].area > components[0].area);
    assert!(components[large as usize].area > 3.0 * components[1 - large as usize].area);
    mesh.retain(|face| of[face] == large);
    assert!(is_closed(&mesh) && mesh.components().1.len() == 1);
    assert!(mesh.positions.iter().all(|p| p[0] < 0.1));
}

#[test]
fn points_are_spread_by_area() {
    // Two squares, one of them cut into many more faces.
    let mut mesh = Mesh::default();
    let mut square = |x: f32, cells: u32| {
        let first = mesh.positions.len() as u32;
        let n = cells + 1;
        let at = |i: u32| [x + (i % n) as f32 / cells as f32, (i / n) as f32 / cells as f32, 0.0];
        mesh.positions.extend((0..n * n).map(at));
        for i in (0..cells * cells).map(|i| first + i / cells * n + i % cells) {
            mesh.faces.extend([[i, i + 1, i + n + 1], [i, i + n + 1, i + n]]);
        }
    };
    square(0.0, 1);
    square(5.0, 30);
    mesh.set_normals();
    mesh.colors = mesh.positions.iter().map(|p| [(p[1] * 255.0) as u8; 3]).collect();
    let points = mesh.sample(4000);
    assert_eq!((points.positions.len(), points.faces.len()), (4000, 0));
    let left = points.positions.iter().filter(|p| p[0] < 2.0).count();
    assert!(left.abs_diff(2000) <= 1, "{left}");
    assert!(points.normals.iter().all(|n| *n == [0.0, 0.0, 1.0]));
    for (p, color) in points.positions.iter().zip(&points.colors) {
        assert!((p[1] * 255.0 - f32::from(color[0])).abs() < 2.0);
    }
    let quarter = points.positions.iter().filter(|p| p[0] < 0.5 && p[1] < 0.5).count();
    assert!(quarter.abs_diff(500) < 25, "{quarter}");
}

#[test]
fn files_hold_what_they_announce() {
    let mut ball = ball(0.5, 8);
    ball.set_normals();
    ball.colors = vec![[255, 128, 0]; ball.positions.len()];
    let (n, faces) = (ball.positions.len(), ball.faces.len());
    let file = ply(&ball, "a ball\nof two lines");
    let end = b"end_header\n";
    let header = file.windows(end.len()).position(|w| w == end).unwrap() + end.len();
    assert_eq!(file.len() - header, 27 * n + 13 * faces);
    let text = std::str::from_utf8(&file[..header]).unwrap();
    assert!(
        text.contains(&format!("element vertex {n}\n")) && text.contains("comment a ball of two lines\n")
    );

    let file = glb(&ball, None, "a ball").unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&file[..4], word(4), word(8)), (&b"glTF"[..], 2, file.len()));
    let json: Value = serde_json::from_slice(&file[20..20 + word(12)]).unwrap();
    let buffer = json["buffers"][0]["byteLength"].as_u64().unwrap() as usize;
    assert_eq!(word(20 + word(12)), buffer);
    assert_eq!(json["accessors"][3]["count"], 3 * faces);
    let views = json["bufferViews"].as_array().unwrap();
    let lengths: u64 = views.iter().map(|view| view["byteLength"].as_u64().unwrap()).sum();
    assert_eq!(lengths as usize, buffer);

    let (text, material) = obj(&ball, None, "ball.mtl", "a ball");
    let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((count("v "), count("vn "), count("f ")), (n, n, faces));
    assert!(text.contains("mtllib ball.mtl\n") && text.contains(" 1.0000 0.5020 0.0000\n"));
    assert!(material.contains("newmtl field\n"));
}

#[test]
fn textured_files_look_up_the_faces_places() {
    let mut ball = ball(0.5, 8);
    ball.set_normals();
    ball.colors = vec![[255, 128, 0]; ball.positions.len()];
    let faces = ball.faces.len();
    let texture = Texture { atlas: Atlas::new(&ball, 128).unwrap(), pixels: vec![[1, 2, 3]; 128 * 128] };
    let png = texture.png().unwrap();
    assert!(image::load_from_memory(&png).unwrap().to_rgb8().pixels().all(|p| p.0 == [1, 2, 3]));

    let file = glb(&ball, Some((&texture.atlas, &png)), "a ball").unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap()) as usize;
    let json: Value = serde_json::from_slice(&file[20..20 + word(12)]).unwrap();
    let data = &file[28 + word(12)..];
    let part = |accessor: &Value| {
        let view = &json["bufferViews"]
            [json["accessors"][accessor.as_u64().unwrap() as usize]["bufferView"].as_u64().unwrap() as usize];
        let start = view["byteOffset"].as_u64().unwrap() as usize;
        let bytes = &data[start..start + view["byteLength"].as_u64().unwrap() as usize];
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect::<Vec<_>>()
    };
    let attributes = &json["meshes"][0]["primitives"][0]["attributes"];
    assert!(attributes.get("COLOR_0").is_none());
    let (at, positions) = (part(&attributes["TEXCOORD_0"]), part(&attributes["POSITION"]));
    assert_eq!((at.len(), positions.len()), (6 * faces, 9 * faces));
    for (i, face) in ball.faces.iter().enumerate() {
        assert_eq!(&at[6 * i..6 * i + 6], texture.atlas.corners(i).as_flattened());
        let corners = face.map(|v| ball.positions[v as usize]);
        assert_eq!(&positions[9 * i..9 * i + 9], corners.as_flattened());
    }
    let image = &json["bufferViews"][json["images"][0]["bufferView"].as_u64().unwrap() as usize];
    let start = image["byteOffset"].as_u64().unwrap() as usize;
    assert_eq!(&data[start..start + png.len()], png);

    let (text, material) = obj(&ball, Some((&texture.atlas, "ball.png")), "ball.mtl", "a ball");
    assert_eq!(text.lines().filter(|line| line.starts_with("vt ")).count(), 3 * faces);
    let last = text.lines().last().unwrap();
    let [a, b, c] = ball.faces[faces - 1].map(|v| v + 1);
    let t = 3 * faces;
    assert_eq!(last, format!("f {a}/{}/{a} {b}/{}/{b} {c}/{t}/{c}", t - 2, t - 1));
    assert!(material.contains("map_Kd ball.png\n"));
}
