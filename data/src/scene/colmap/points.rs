//! `points3D.bin`, `points3D.txt`: points and the images they were seen in.

use nalgebra::Point3;

use super::binary::Reader;
use super::flaw::Flaw;
use super::text::Entries;

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelPoint {
    /// In the model's frame.
    pub position: Point3<f64>,
    /// Red, green, blue.
    pub color: [u8; 3],
    /// Mean reprojection error in pixels.
    pub error: f64,
    /// The ids of the images it was seen in, ascending, each once.
    pub images: Vec<u32>,
}

/// Bytes of a track's element: the image, the keypoint in it.
const ELEMENT: usize = 8;

/// Reads `points3D.bin`.
///
/// # Errors
/// If the bytes end too early or a position is not finite.
pub fn from_binary(bytes: &[u8]) -> Result<Vec<ModelPoint>, Flaw> {
    let mut file = Reader::new(bytes);
    let count = file.count(8 + 24 + 3 + 8 + 8, &|| "the number of points".into())?;
    let mut points = Vec::with_capacity(count);
    for i in 0..count {
        let place = || format!("point {} of {count}", i + 1);
        file.u64(&place)?;
        let position = file.f64s(&place)?;
        let color = file.take(3, &place)?;
        let error = file.f64(&place)?;
        let track = file.count(ELEMENT, &|| format!("{}: the length of its track", place()))?;
        let images = file.take(track * ELEMENT, &place)?.chunks_exact(ELEMENT);
        let images =
            images.map(|element| u32::from_le_bytes([element[0], element[1], element[2], element[3]]));
        points.push(point(position, [color[0], color[1], color[2]], error, images.collect(), place)?);
    }
    file.end()?;
    Ok(points)
}

/// Reads `points3D.txt`.
///
/// # Errors
/// If a line is malformed or a position is not finite.
pub fn from_text(bytes: &[u8]) -> Result<Vec<ModelPoint>, Flaw> {
    let mut lines = Entries::new(bytes)?;
    let mut points = Vec::new();
    while let Some(mut line) = lines.next() {
        line.number::<u64>("POINT3D_ID")?;
        let position = line.numbers(["X", "Y", "Z"])?;
        let color = [line.number("R")?, line.number("G")?, line.number("B")?];
        let error = line.number("ERROR")?;
        let mut images = Vec::new();
        while let Some(id) = line.word() {
            let id = id.parse().map_err(|e| Flaw::new(line.place(), format!("TRACK[]: IMAGE_ID: {e}")))?;
            line.number::<u32>("POINT2D_IDX")?;
            images.push(id);
        }
        points.push(point(position, color, error, images, || line.place())?);
    }
    Ok(points)
}

fn point(
    position: [f64; 3],
    color: [u8; 3],
    error: f64,
    mut images: Vec<u32>,
    place: impl Fn() -> String,
) -> Result<ModelPoint, Flaw> {
    if !position.iter().all(|v| v.is_finite()) {
        return Err(Flaw::new(place(), format!("its position {position:?} is not finite")));
    }
    images.sort_unstable();
    images.dedup();
    Ok(ModelPoint { position: position.into(), color, error, images })
}
