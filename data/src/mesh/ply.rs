//! Meshes and points as binary PLY files, little-endian.

use super::Mesh;

/// A mesh, or points where it has no faces, as the bytes of a PLY file; `comment` is a line that says what it is.
pub fn ply(mesh: &Mesh, comment: &str) -> Vec<u8> {
    let comment = comment.replace(['\n', '\r'], " ");
    let mut header = format!("ply\nformat binary_little_endian 1.0\ncomment {comment}\n");
    header += &format!("element vertex {}\n", mesh.positions.len());
    let mut properties = |names: [&str; 3], kind: &str, there: bool| {
        if there {
            names.iter().for_each(|name| header += &format!("property {kind} {name}\n"));
        }
    };
    properties(["x", "y", "z"], "float", true);
    properties(["nx", "ny", "nz"], "float", !mesh.normals.is_empty());
    properties(["red", "green", "blue"], "uchar", !mesh.colors.is_empty());
    if !mesh.faces.is_empty() {
        header += &format!("element face {}\nproperty list uchar int vertex_indices\n", mesh.faces.len());
    }
    header += "end_header\n";
    let mut bytes = header.into_bytes();
    bytes.reserve(27 * mesh.positions.len() + 13 * mesh.faces.len());
    for (i, position) in mesh.positions.iter().enumerate() {
        let numbers = position.iter().chain(mesh.normals.get(i).into_iter().flatten());
        bytes.extend(numbers.flat_map(|v| v.to_le_bytes()));
        bytes.extend(mesh.colors.get(i).into_iter().flatten());
    }
    for face in &mesh.faces {
        bytes.push(3);
        bytes.extend(face.iter().flat_map(|v| v.to_le_bytes()));
    }
    bytes
}
