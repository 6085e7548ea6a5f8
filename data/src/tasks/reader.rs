//! How a task's labels are stored, a file an image.
use std::path::Path;

use ndarray::Array2;

use super::load::TaskLabel;
use crate::image::{DepthMap, Image8};
use crate::labels::{Coding, IGNORE, LabelError, MaskPixels, RawMask, read_mask};
use crate::npy;

/// A way of storage.
#[derive(Clone, Debug)]
pub(super) enum Reader {
    /// By the label set that the task set is of.
    Set,
    /// Class numbers in a PNG, less `first`; what is below it, and 255, is ignored.
    Classes { count: usize, first: u8 },
    /// Yes above `above` in a gray PNG or an array, no elsewhere; `ignored` is ignored.
    Binary { above: f64, ignored: Option<u8> },
    /// `(n + 1) / 2` as the colors of a PNG, or three numbers a pixel of an array; black and zero are ignored.
    Normals,
    /// In a PNG, 16 bits of steps of this size; in an array, depths as they are. 0 is ignored.
    Depth { unit: f64 },
}

impl Reader {
    /// The labels of a file.
    pub(super) fn read(&self, path: &Path) -> Result<TaskLabel, LabelError> {
        let array = path.extension().is_some_and(|end| end == "npy");
        match self {
            Self::Set => Err(wrong(path, "labels of a label set", "this is a bug, please report it")),
            Self::Classes { count, first } => {
                let raw = if array { numbers(path)? } else { read_mask(path)? };
                classes(*count, *first).decode(&raw, path).map(TaskLabel::Classes)
            }
            Self::Binary { above, ignored } => binary(path, array, *above, *ignored),
            Self::Normals => normals(path, array),
            Self::Depth { unit } => depth(path, if array { 1.0 } else { *unit }),
        }
    }
}

fn classes(count: usize, first: u8) -> Coding {
    let below = (0..u16::from(first)).map(|id| (id, IGNORE));
    let ids = (0..count).map(|class| (class as u16 + u16::from(first), class as u8));
    Coding::ids(below.chain(ids).chain([(255, IGNORE)]))
}

fn wrong(path: &Path, what: &str, remedy: &'static str) -> LabelError {
    LabelError::Mask { path: path.to_owned(), what: what.to_owned(), remedy }
}

/// An array of numbers, `(height, width)` or with one more extent.
fn array(path: &Path) -> Result<npy::Npy, LabelError> {
    let bytes =
        crate::regular::read(path).map_err(|source| LabelError::Io { path: path.to_owned(), source })?;
    npy::parse(&bytes).map_err(|error| wrong(path, &error.to_string(), "save it again with numpy.save"))
}

fn size(path: &Path, shape: &[usize], channels: usize) -> Result<(usize, usize), LabelError> {
    match *shape {
        [height, width] if channels == 1 => Ok((height, width)),
        [height, width, c] if c == channels => Ok((height, width)),
        _ => Err(wrong(
            path,
            &format!("an array of the shape {shape:?}"),
            "save one number a pixel, or three of a normal: (height, width) or (height, width, 3)",
        )),
    }
}

fn numbers(path: &Path) -> Result<RawMask, LabelError> {
    let array = array(path)?;
    let (height, width) = size(path, &array.shape, 1)?;
    let pixels = array.values.iter().map(|v| v.clamp(0.0, 65535.0) as u16).collect();
    Ok(RawMask { width: width as u32, height: height as u32, pixels: MaskPixels::Grey(pixels) })
}

fn binary(path: &Path, is_array: bool, above: f64, ignored: Option<u8>) -> Result<TaskLabel, LabelError> {
    let (size, values): ((usize, usize), Vec<f64>) = if is_array {
        let array = array(path)?;
        (size(path, &array.shape, 1)?, array.values)
    } else {
        let raw = read_mask(path)?;
        let values = match raw.pixels {
            MaskPixels::Grey(values) | MaskPixels::Indexed(values, _) => {
                values.iter().map(|v| f64::from(*v)).collect()
            }
            MaskPixels::Colors(colors) => {
                colors.iter().map(|[r, g, b]| f64::from(*r.max(g).max(b))).collect()
            }
        };
        ((raw.height as usize, raw.width as usize), values)
    };
    let label = |v: &f64| match ignored {
        Some(ignored) if *v == f64::from(ignored) => IGNORE,
        _ => u8::from(*v > above),
    };
    let labels = values.iter().map(label).collect();
    filled(path, size, labels).map(TaskLabel::Classes)
}

fn filled<T>(path: &Path, size: (usize, usize), values: Vec<T>) -> Result<Array2<T>, LabelError> {
    Array2::from_shape_vec(size, values)
        .map_err(|_| wrong(path, "another number of pixels than its size says", "copy it again"))
}

/// Directions of unit length.
fn normals(path: &Path, is_array: bool) -> Result<TaskLabel, LabelError> {
    let (size, values): ((usize, usize), Vec<[f32; 3]>) = if is_array {
        let array = array(path)?;
        let size = size(path, &array.shape, 3)?;
        (size, array.values.chunks_exact(3).map(|n| [n[0] as f32, n[1] as f32, n[2] as f32]).collect())
    } else {
        let image = Image8::open(path)?;
        let pixel = |p: &[u8]| match [p[0], p[1], p[2]] {
            [0, 0, 0] => [0.0; 3],
            color => color.map(|v| f32::from(v) / 255.0 * 2.0 - 1.0),
        };
        let pixels = image.data().chunks_exact(usize::from(image.channels())).map(pixel);
        ((image.height() as usize, image.width() as usize), pixels.collect())
    };
    let unit = |n: [f32; 3]| {
        let length = n.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length > 1e-3 && length.is_finite() { n.map(|v| v / length) } else { [0.0; 3] }
    };
    filled(path, size, values.into_iter().map(unit).collect()).map(TaskLabel::Normals)
}

fn depth(path: &Path, unit: f64) -> Result<TaskLabel, LabelError> {
    let map = DepthMap::open(path, unit)?;
    let size = (map.height() as usize, map.width() as usize);
    let valid = |v: &f32| if v.is_finite() && *v > 0.0 { *v } else { 0.0 };
    filled(path, size, map.data().iter().map(valid).collect()).map(TaskLabel::Depth)
}
