//! Meshes as Wavefront OBJ files with a material.

use super::Mesh;
use std::fmt::Write as _;

/// A mesh as the texts of an OBJ file and of its material's, which is named `material_file` there. Colors follow the
/// vertices' coordinates, as MeshLab, Blender and others read them.
pub fn obj(mesh: &Mesh, material_file: &str, comment: &str) -> (String, String) {
    let comment = comment.replace(['\n', '\r'], " ");
    let mut text = format!("# {comment}\nmtllib {material_file}\nusemtl field\n");
    // Writing to a string cannot fail.
    for (i, [x, y, z]) in mesh.positions.iter().enumerate() {
        let _ = match mesh.colors.get(i).map(|color| color.map(|c| f32::from(c) / 255.0)) {
            Some([r, g, b]) => writeln!(text, "v {x} {y} {z} {r:.4} {g:.4} {b:.4}"),
            None => writeln!(text, "v {x} {y} {z}"),
        };
    }
    for [x, y, z] in &mesh.normals {
        let _ = writeln!(text, "vn {x:.5} {y:.5} {z:.5}");
    }
    for face in &mesh.faces {
        let [a, b, c] = face.map(|v| v + 1);
        let _ = match mesh.normals.is_empty() {
            true => writeln!(text, "f {a} {b} {c}"),
            false => writeln!(text, "f {a}//{a} {b}//{b} {c}//{c}"),
        };
    }
    let material = format!("# {comment}\nnewmtl field\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 0\n");
    (text, material)
}
