//! Meshes as Wavefront OBJ files with a material.

use super::{Atlas, Mesh};
use std::fmt::Write as _;

/// A mesh as the texts of an OBJ file and of its material's, which is named `material_file` there. Colors follow the
/// vertices' coordinates, as MeshLab, Blender and others read them; a texture, its layout and the name of its file, takes
/// their place.
pub fn obj(
    mesh: &Mesh,
    texture: Option<(&Atlas, &str)>,
    material_file: &str,
    comment: &str,
) -> (String, String) {
    let comment = comment.replace(['\n', '\r'], " ");
    let mut text = format!("# {comment}\nmtllib {material_file}\nusemtl field\n");
    // Writing to a string cannot fail.
    let colors: &[[u8; 3]] = if texture.is_some() { &[] } else { &mesh.colors };
    for (i, [x, y, z]) in mesh.positions.iter().enumerate() {
        let _ = match colors.get(i).map(|color| color.map(|c| f32::from(c) / 255.0)) {
            Some([r, g, b]) => writeln!(text, "v {x} {y} {z} {r:.4} {g:.4} {b:.4}"),
            None => writeln!(text, "v {x} {y} {z}"),
        };
    }
    for [x, y, z] in &mesh.normals {
        let _ = writeln!(text, "vn {x:.5} {y:.5} {z:.5}");
    }
    if let Some((atlas, _)) = texture {
        for [u, v] in (0..mesh.faces.len()).flat_map(|face| atlas.corners(face)) {
            // From the bottom, as OBJ counts.
            let _ = writeln!(text, "vt {u} {}", 1.0 - v);
        }
    }
    for (i, face) in mesh.faces.iter().enumerate() {
        text.push('f');
        for (corner, v) in face.iter().map(|v| v + 1).enumerate() {
            let at = 3 * i + corner + 1;
            let _ = match (texture.is_some(), mesh.normals.is_empty()) {
                (true, true) => write!(text, " {v}/{at}"),
                (true, false) => write!(text, " {v}/{at}/{v}"),
                (false, true) => write!(text, " {v}"),
                (false, false) => write!(text, " {v}//{v}"),
            };
        }
        text.push('\n');
    }
    let mut material = format!("# {comment}\nnewmtl field\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 0\n");
    if let Some((_, file)) = texture {
        let _ = writeln!(material, "map_Kd {file}");
    }
    (text, material)
}
