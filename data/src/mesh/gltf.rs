//! Meshes as binary glTF 2.0 files.

use super::{Atlas, Mesh};
use crate::image::linear;
use serde_json::{Value, json};

/// Types of components and how textures are looked up, as glTF numbers them.
const U16: u32 = 5123;
const U32: u32 = 5125;
const F32: u32 = 5126;
const LINEAR: u32 = 9729;
const CLAMPED: u32 = 33071;

/// A mesh as the bytes of a `.glb` file, in its own axes. Its colors are light as it was seen: the material is unlit, and
/// they are made linear, as glTF has them. A texture, its layout and the bytes of its PNG file, takes the place of the
/// vertices' colors; every face then has vertices of its own.
/// `None` if it is larger than such a file can be, 4 GB.
pub fn glb(mesh: &Mesh, texture: Option<(&Atlas, &[u8])>, comment: &str) -> Option<Vec<u8>> {
    let apart = texture.map(|_| mesh.apart());
    let mesh = apart.as_ref().unwrap_or(mesh);
    let mut parts = Parts::default();
    let floats = |values: &[[f32; 3]]| values.as_flattened().iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut bounds = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
    for p in &mesh.positions {
        (0..3).for_each(|a| (bounds[0][a], bounds[1][a]) = (bounds[0][a].min(p[a]), bounds[1][a].max(p[a])));
    }
    let n = mesh.positions.len();
    let mut attributes = json!({});
    let [min, max] = bounds;
    let about = json!({"count": n, "type": "VEC3", "componentType": F32, "min": min, "max": max});
    attributes["POSITION"] = parts.add(floats(&mesh.positions), 34962, about);
    if !mesh.normals.is_empty() {
        let about = json!({"count": n, "type": "VEC3", "componentType": F32});
        attributes["NORMAL"] = parts.add(floats(&mesh.normals), 34962, about);
    }
    if texture.is_none() && !mesh.colors.is_empty() {
        let colors = mesh.colors.iter().flat_map(|color| {
            let [r, g, b] = color.map(|value| (linear(value) * 65535.0).round() as u16);
            [r, g, b, u16::MAX].into_iter().flat_map(u16::to_le_bytes)
        });
        let about = json!({"count": n, "type": "VEC4", "componentType": U16, "normalized": true});
        attributes["COLOR_0"] = parts.add(colors.collect(), 34962, about);
    }
    if let Some((atlas, _)) = texture {
        let at = (0..mesh.faces.len()).flat_map(|face| atlas.corners(face)).flatten();
        let about = json!({"count": n, "type": "VEC2", "componentType": F32});
        attributes["TEXCOORD_0"] = parts.add(at.flat_map(f32::to_le_bytes).collect(), 34962, about);
    }
    let mut primitive = json!({"attributes": attributes, "material": 0, "mode": 4});
    let indices = mesh.faces.as_flattened().iter().flat_map(|v| v.to_le_bytes()).collect();
    let about = json!({"count": 3 * mesh.faces.len(), "type": "SCALAR", "componentType": U32});
    primitive["indices"] = parts.add(indices, 34963, about);
    let mut json = json!({
        "asset": {"version": "2.0", "generator": format!("nerve {}", env!("CARGO_PKG_VERSION")), "extras": {"comment": comment}},
        "extensionsUsed": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{
            "pbrMetallicRoughness": {"baseColorFactor": [1.0, 1.0, 1.0, 1.0], "metallicFactor": 0.0},
            "extensions": {"KHR_materials_unlit": {}},
        }],
    });
    if let Some((_, png)) = texture {
        json["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = json!({"index": 0});
        json["textures"] = json!([{"source": 0, "sampler": 0}]);
        // Coarser levels of a texture would mix the colors of faces that lie side by side in it alone.
        json["samplers"] =
            json!([{"magFilter": LINEAR, "minFilter": LINEAR, "wrapS": CLAMPED, "wrapT": CLAMPED}]);
        json["images"] = json!([{"mimeType": "image/png", "bufferView": parts.add_bytes(png.to_vec())}]);
    }
    json["accessors"] = json!(parts.accessors);
    json["bufferViews"] = json!(parts.views);
    json["buffers"] = json!([{"byteLength": parts.bytes.len()}]);
    let mut json = json.to_string().into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut file = b"glTF".to_vec();
    let length = u32::try_from(12 + 8 + json.len() + 8 + parts.bytes.len()).ok()?;
    file.extend([2, length, json.len() as u32].into_iter().flat_map(u32::to_le_bytes));
    file.extend(b"JSON");
    file.extend(json);
    file.extend((parts.bytes.len() as u32).to_le_bytes());
    file.extend(b"BIN\0");
    file.extend(parts.bytes);
    Some(file)
}

/// The buffer and what is in it.
#[derive(Default)]
struct Parts {
    bytes: Vec<u8>,
    views: Vec<Value>,
    accessors: Vec<Value>,
}

impl Parts {
    /// Adds bytes, and gives the number of their view. The next ones begin at a multiple of 4 bytes.
    fn add_bytes(&mut self, bytes: Vec<u8>) -> Value {
        self.views.push(json!({"buffer": 0, "byteOffset": self.bytes.len(), "byteLength": bytes.len()}));
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        json!(self.views.len() - 1)
    }

    /// Adds values, and gives the number of their accessor.
    fn add(&mut self, bytes: Vec<u8>, target: u32, mut about: Value) -> Value {
        about["bufferView"] = self.add_bytes(bytes);
        self.views[self.accessors.len()]["target"] = json!(target);
        self.accessors.push(about);
        json!(self.accessors.len() - 1)
    }
}
