//! Forms that Instant-NGP and Nerfstudio read beside the usual ones, rewritten to those: one number for `offset`, `aabb`
//! for `scale` and `offset`, `distortion_params` for its coefficients, `n_frames` for the frames that it leaves.

use std::path::Path;

use serde_json::{Value, json};

use super::error::{SceneError, field_error};
use super::order::natural;

/// Smallest side of `aabb`, as Instant-NGP has it.
const LEAST_SIDE: f64 = 1e-6;
/// The coefficients of `distortion_params`, in its order.
const COEFFICIENTS: [&str; 6] = ["k1", "k2", "k3", "k4", "p1", "p2"];

/// Rewrites a file, and says what was changed that its author may not expect. What has another form than these is left
/// for the reader of the usual one to refuse.
pub(super) fn rewrite(path: &Path, file: &mut Value) -> Result<Vec<String>, SceneError> {
    if !file.is_object() {
        return Ok(Vec::new());
    }
    if let Some(number) = file.get("offset").and_then(Value::as_f64) {
        file["offset"] = json!([number, number, number]);
    }
    if let Some(aabb) = file.get("aabb").filter(|aabb| !aabb.is_null()) {
        let (scale, offset) = placed(aabb).ok_or_else(|| {
            let problem = "must be two corners of a box, [[x, y, z], [x, y, z]], that does not lie too far from the origin";
            field_error(path, "aabb", problem)
        })?;
        // As in Instant-NGP, it overrides both.
        (file["scale"], file["offset"]) = (json!(scale), json!(offset));
    }
    spread_coefficients(file);
    let mut said = Vec::new();
    let limit = file.get("n_frames").and_then(Value::as_u64);
    if let Some(frames) = file.get_mut("frames").and_then(Value::as_array_mut) {
        frames.iter_mut().for_each(spread_coefficients);
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).filter(|&limit| limit > 0);
        if let Some(limit) = limit.filter(|&limit| limit < frames.len()) {
            said.push(format!(
                "n_frames is {limit}: the first {limit} of {} frames by name are used",
                frames.len()
            ));
            // Their order stays that of the file.
            let name = |i: usize| frames[i].get("file_path").and_then(Value::as_str).unwrap_or_default();
            let mut order: Vec<usize> = (0..frames.len()).collect();
            order.sort_by(|&a, &b| natural(name(a), name(b)));
            let kept: std::collections::HashSet<usize> = order[..limit].iter().copied().collect();
            let mut index = 0;
            frames.retain(|_| {
                index += 1;
                kept.contains(&(index - 1))
            });
        }
    }
    Ok(said)
}

/// The scale and offset that take a box into the unit cube, its middle to the cube's.
fn placed(aabb: &Value) -> Option<(f64, [f64; 3])> {
    let corner = |i: usize| -> Option<[f64; 3]> {
        let list = aabb.get(i)?.as_array().filter(|list| list.len() == 3)?;
        let numbers: Vec<f64> = list.iter().filter_map(Value::as_f64).collect();
        numbers.try_into().ok()
    };
    let (a, b) = (corner(0)?, corner(1)?);
    let side = (0..3).map(|i| (b[i] - a[i]).abs()).fold(LEAST_SIDE, f64::max);
    let scale = 1.0 / side;
    let offset: [f64; 3] = std::array::from_fn(|i| 0.5 - 0.5 * (a[i] + b[i]) * scale);
    let usable = scale > 0.0 && scale.is_finite() && offset.iter().all(|v| v.is_finite());
    (usable && aabb.as_array().is_some_and(|list| list.len() == 2)).then_some((scale, offset))
}

fn spread_coefficients(part: &mut Value) {
    let Some(list) = part.get("distortion_params").and_then(Value::as_array).cloned() else { return };
    for (name, value) in COEFFICIENTS.into_iter().zip(list) {
        part[name] = value;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rewritten(mut file: Value) -> Value {
        rewrite(Path::new("t.json"), &mut file).unwrap();
        file
    }

    #[test]
    fn other_forms_become_the_usual_ones() {
        assert_eq!(rewritten(json!({"offset": 0.25}))["offset"], json!([0.25, 0.25, 0.25]));
        let file = rewritten(json!({"aabb": [[150, 50, -100], [450, 350, 200]], "offset": 7, "scale": 9}));
        let scale = file["scale"].as_f64().unwrap();
        assert!((scale * 300.0 - 1.0).abs() < 1e-12);
        for (i, middle) in [300.0, 200.0, 50.0].into_iter().enumerate() {
            assert!((file["offset"][i].as_f64().unwrap() + middle * scale - 0.5).abs() < 1e-12);
        }
        let frame = &rewritten(json!({"frames": [{"distortion_params": [1, 2, 3, 4, 5, 6]}]}))["frames"][0];
        assert_eq!((&frame["k1"], &frame["k4"], &frame["p2"]), (&json!(1), &json!(4), &json!(6)));
        let frames = json!([{"file_path": "10"}, {"file_path": "9"}, {"file_path": "1"}]);
        let cut = rewritten(json!({"n_frames": 2, "frames": frames}));
        assert_eq!(cut["frames"], json!([{"file_path": "9"}, {"file_path": "1"}]));
        assert_eq!(rewritten(json!({"n_frames": 3, "frames": frames}))["frames"], frames);
    }

    #[test]
    fn a_box_that_is_none_is_refused() {
        for bad in [
            json!(3),
            json!([[0, 0, 0]]),
            json!([[0, 0], [1, 1]]),
            json!([[0, 0, 0], [1, 1, "x"]]),
            json!([[0, 0, 0], [0, 1e308, 1e308], 1]),
        ] {
            let error = rewrite(Path::new("t.json"), &mut json!({"aabb": bad})).unwrap_err().to_string();
            assert!(error.contains("t.json: aabb: must be two corners"), "{error}");
        }
    }
}
