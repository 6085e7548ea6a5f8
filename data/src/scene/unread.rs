//! Fields that Instant-NGP or Nerfstudio reads and this crate does not: each is named, with what follows from that.

use serde_json::Value;

/// A field's name, and what follows from ignoring it.
type Unread = (&'static str, &'static str);

/// Of the file or of a frame.
const ANYWHERE: [Unread; 2] = [
    (
        "rolling_shutter",
        "all pixels of an image are taken from one pose, so what moved while it was read out is blurred or sheared",
    ),
    ("driver_parameters", "a light that moves with the images is learned as if it stood still"),
];

/// Of the file.
const OF_FILE: [Unread; 13] = [
    ("render_aabb", "all of the render box is drawn and exported"),
    ("from_na", "poses are taken in the axes of NeRF's files; if the scene lies on its side, convert them"),
    ("normal_mts_args", "Mitsuba's axes are not converted, and the scale is not 0.66"),
    ("up", "the rig's up direction is that of the cameras"),
    ("envmap", "the background is not that picture but what the images show, or one color"),
    ("sharpen", "images are used as they are"),
    ("sharpness_discard_threshold", "blurred images are used too; remove them from the frames"),
    ("importance_sampling", "pixels are drawn as in every scene"),
    (
        "n_extra_learnable_dims",
        "no such dimensions are learned; for images that differ in exposure there is `--appearance`",
    ),
    ("fix_premult", "colors are taken to be straight, not multiplied by alpha"),
    ("enable_ray_loading", "rays are those of the poses and lens, rays_*.dat is not read"),
    ("enable_depth_loading", "depth maps that are listed are read"),
    ("orientation_override", "the scene is oriented by its cameras, not as this field asks"),
];

/// Warnings about the fields that are there and would change something.
pub(super) fn warnings(file: &Value) -> Vec<String> {
    let frames = file.get("frames").and_then(Value::as_array);
    let somewhere = |name: &str| {
        means_something(file.get(name))
            || frames.is_some_and(|frames| frames.iter().any(|frame| means_something(frame.get(name))))
    };
    let anywhere = ANYWHERE.iter().filter(|(name, _)| somewhere(name));
    let of_file = OF_FILE.iter().filter(|(name, _)| match *name {
        // On is what is done anyway, off is not heeded; off is what rays do anyway.
        "enable_depth_loading" => file.get(name) == Some(&Value::Bool(false)),
        _ => means_something(file.get(name)),
    });
    anywhere.chain(of_file).map(|(name, result)| format!("{name} is ignored: {result}")).collect()
}

/// Whether a value is neither absent nor one that switches a thing off.
fn means_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(text)) => !text.is_empty() && text != "none",
        Some(Value::Array(list)) => list.iter().any(|value| means_something(Some(value))),
        Some(Value::Bool(true) | Value::Object(_)) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_is_named_once_if_it_means_something() {
        for (name, result) in ANYWHERE.iter().chain(&OF_FILE) {
            let on = if *name == "enable_depth_loading" { json!(false) } else { json!([0, 0.5]) };
            let mut file = json!({"frames": [{}, {}]});
            file[name] = on.clone();
            let said = warnings(&file);
            assert!(said.len() == 1 && said[0].contains(name) && said[0].contains(result), "{said:?}");
            file[name] = json!(null);
            assert!(warnings(&file).is_empty(), "{name}");
            file["frames"][1][name] = on;
            assert_eq!(warnings(&file).len(), usize::from(ANYWHERE.iter().any(|(a, _)| a == name)), "{name}");
        }
        let off = json!({"rolling_shutter": [0, 0.0, 0], "sharpen": 0.0, "orientation_override": "none", "fix_premult": false});
        assert!(warnings(&off).is_empty());
    }
}
