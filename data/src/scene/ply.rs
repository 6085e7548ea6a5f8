//! Points of a PLY file, ASCII or binary: positions and colors, if it has any. Other elements and properties are
//! skipped.

use nalgebra::Point3;

/// The largest length of the header in bytes.
const MAX_HEADER: usize = 1 << 16;

/// A point, in the file's own frame.
#[derive(Clone, Debug, PartialEq)]
pub struct PlyPoint {
    /// Finite.
    pub position: Point3<f64>,
    /// Red, green, blue, if the file has them.
    pub color: Option<[u8; 3]>,
}

/// A file's vertices.
#[derive(Clone, Debug, PartialEq)]
pub struct Ply {
    /// Points with a finite position, in the file's order.
    pub points: Vec<PlyPoint>,
    /// The number of points without a finite position.
    pub left_out: usize,
}

/// Reads a file's vertices.
///
/// # Errors
/// A message if it is not a PLY file, is damaged, or its vertices have no `x`, `y` and `z`.
pub fn parse(bytes: &[u8]) -> Result<Ply, String> {
    let (header, body) = Header::read(bytes)?;
    let place = |name: &str| header.properties.iter().position(|property| property.name == name);
    let [Some(x), Some(y), Some(z)] = ["x", "y", "z"].map(place) else {
        return Err("its vertices have no x, y and z".into());
    };
    let colors = ["red", "green", "blue"].map(place);
    let mut points = Vec::with_capacity(header.count);
    let mut add = |row: &[f64]| {
        let position = Point3::new(row[x], row[y], row[z]);
        let color = |at: usize| {
            let value = row[at];
            // Floating-point colors go from 0 to 1.
            (if header.properties[at].kind.is_float() { value * 255.0 } else { value }).round() as u8
        };
        let color = match colors {
            [Some(r), Some(g), Some(b)] => Some([color(r), color(g), color(b)]),
            _ => None,
        };
        if position.iter().all(|v| v.is_finite()) {
            points.push(PlyPoint { position, color });
        }
    };
    let mut row = vec![0.0; header.properties.len()];
    if header.encoding == Encoding::Ascii {
        let text =
            std::str::from_utf8(body).map_err(|_| "its header states ASCII, but it is binary".to_owned())?;
        let mut words = text.split_ascii_whitespace();
        for i in 0..header.count {
            for value in &mut row {
                let word =
                    words.next().ok_or_else(|| format!("it ends at vertex {i} of {}", header.count))?;
                *value =
                    word.parse().map_err(|_| format!("vertex {i} contains something else than numbers"))?;
            }
            add(&row);
        }
    } else {
        // At least the three coordinates, so the size is not 0.
        let size: usize = header.properties.iter().map(|property| property.kind.size()).sum();
        for vertex in body.chunks_exact(size).take(header.count) {
            let mut at = 0;
            for (value, property) in row.iter_mut().zip(&header.properties) {
                let end = at + property.kind.size();
                *value = property.kind.read(&vertex[at..end], header.encoding == Encoding::Big);
                at = end;
            }
            add(&row);
        }
    }
    let left_out = header.count - points.len();
    Ok(Ply { points, left_out })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Ascii,
    Little,
    Big,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ScalarType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl ScalarType {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "char" | "int8" => Self::I8,
            "uchar" | "uint8" => Self::U8,
            "short" | "int16" => Self::I16,
            "ushort" | "uint16" => Self::U16,
            "int" | "int32" => Self::I32,
            "uint" | "uint32" => Self::U32,
            "float" | "float32" => Self::F32,
            "double" | "float64" => Self::F64,
            _ => return None,
        })
    }

    fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// The value of as many bytes as it has.
    fn read(self, bytes: &[u8], big: bool) -> f64 {
        let mut little = [0; 8];
        for (to, from) in little.iter_mut().zip(bytes) {
            *to = *from;
        }
        if big {
            little[..self.size()].reverse();
        }
        let [a, b, c, d, ..] = little;
        match self {
            Self::I8 => i8::from_le_bytes([a]).into(),
            Self::U8 => a.into(),
            Self::I16 => i16::from_le_bytes([a, b]).into(),
            Self::U16 => u16::from_le_bytes([a, b]).into(),
            Self::I32 => i32::from_le_bytes([a, b, c, d]).into(),
            Self::U32 => u32::from_le_bytes([a, b, c, d]).into(),
            Self::F32 => f32::from_le_bytes([a, b, c, d]).into(),
            Self::F64 => f64::from_le_bytes(little),
        }
    }
}

struct Property {
    name: String,
    kind: ScalarType,
}

struct Header {
    encoding: Encoding,
    /// Vertices, checked against the body's length.
    count: usize,
    properties: Vec<Property>,
}

impl Header {
    /// The header and what follows it.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), String> {
        let mut rest = bytes;
        let mut line = || -> Option<&str> {
            let end = rest.iter().take(MAX_HEADER).position(|&byte| byte == b'\n')?;
            let line = std::str::from_utf8(&rest[..end]).ok()?;
            rest = &rest[end + 1..];
            Some(line.trim())
        };
        let damaged = || "its header is damaged".to_owned();
        if line() != Some("ply") {
            return Err("it is not a PLY file".into());
        }
        let (mut encoding, mut count, mut properties) = (None, None, Vec::new());
        loop {
            let words: Vec<&str> = line().ok_or_else(damaged)?.split_ascii_whitespace().collect();
            match words[..] {
                ["end_header"] => break,
                ["format", name, _] => {
                    encoding = Some(match name {
                        "ascii" => Encoding::Ascii,
                        "binary_little_endian" => Encoding::Little,
                        "binary_big_endian" => Encoding::Big,
                        _ => return Err(damaged()),
                    });
                }
                ["element", "vertex", number] if count.is_none() => {
                    count = Some(number.parse::<usize>().map_err(|_| damaged())?);
                }
                // What follows the vertices does not matter; what comes before them would have to be understood.
                ["element", ..] if count.is_none() => return Err("its first element is not `vertex`".into()),
                ["element", ..] => while line().ok_or_else(damaged)? != "end_header" {},
                ["property", "list", ..] => {
                    return Err("its vertices have list properties, which are not supported".into());
                }
                ["property", kind, name] if count.is_some() => {
                    let kind = ScalarType::parse(kind).ok_or_else(damaged)?;
                    properties.push(Property { name: name.to_owned(), kind });
                }
                ["comment" | "obj_info", ..] | [] => continue,
                _ => return Err(damaged()),
            }
            if matches!(words[..], ["element", name, ..] if name != "vertex") {
                break;
            }
        }
        let (Some(encoding), Some(count)) = (encoding, count) else { return Err(damaged()) };
        let size = match encoding {
            // A digit and what separates it from the next.
            Encoding::Ascii => 2 * properties.len(),
            _ => properties.iter().map(|property| property.kind.size()).sum(),
        };
        let needed = count.checked_mul(size);
        // The last separator may be missing.
        if size == 0 || needed.is_none_or(|needed| needed > rest.len() + 1) {
            return Err(format!(
                "its header announces {count} vertices, more than the file contains; is it complete?"
            ));
        }
        Ok((Self { encoding, count, properties }, rest))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const ASCII: &str = "ply\nformat ascii 1.0\ncomment made by hand\nelement vertex 2\nproperty float x\nproperty float y\n\
        property float z\nproperty uint8 red\nproperty uint8 green\nproperty uint8 blue\nend_header\n\
        1 2 3 10 20 30\n-1.5 nan 0 1 2 3\n";

    fn binary(big: bool) -> Vec<u8> {
        let name = if big { "big" } else { "little" };
        let mut bytes = format!(
            "ply\r\nformat binary_{name}_endian 1.0\r\nelement vertex 2\r\nproperty double x\r\nproperty float y\r\n\
             property short z\r\nproperty float red\r\nproperty float green\r\nproperty float blue\r\n\
             element face 1\r\nproperty list uchar int vertex_indices\r\nend_header\r\n"
        )
        .into_bytes();
        for i in 0..2 {
            let (x, y, z) = (f64::from(i) + 0.25, -1.5f32, 300i16);
            let c = [0.0f32, 0.5, 1.0];
            if big {
                bytes.extend([&x.to_be_bytes()[..], &y.to_be_bytes(), &z.to_be_bytes()].concat());
                bytes.extend(c.iter().flat_map(|c| c.to_be_bytes()));
            } else {
                bytes.extend([&x.to_le_bytes()[..], &y.to_le_bytes(), &z.to_le_bytes()].concat());
                bytes.extend(c.iter().flat_map(|c| c.to_le_bytes()));
            }
        }
        bytes.extend([3, 0, 0]);
        bytes
    }

    #[test]
    fn reads_ascii_and_binary() {
        let point = PlyPoint { position: Point3::new(1.0, 2.0, 3.0), color: Some([10, 20, 30]) };
        let wanted = Ply { points: vec![point], left_out: 1 };
        assert_eq!(parse(ASCII.as_bytes()).unwrap(), wanted, "what is not finite is left out");
        for big in [false, true] {
            let points = parse(&binary(big)).unwrap().points;
            assert_eq!(points.len(), 2);
            let wanted = PlyPoint { position: Point3::new(1.25, -1.5, 300.0), color: Some([0, 128, 255]) };
            assert_eq!(points[1], wanted);
        }
        let bare = ASCII.replace("red", "r");
        assert_eq!(parse(bare.as_bytes()).unwrap().points[0].color, None);
    }

    #[test]
    fn refuses_by_name() {
        for (from, to, what) in [
            ("ply", "plu", "not a PLY"),
            ("vertex 2", "vertex 1152921504606846976", "1152921504606846976 vertices"),
            ("vertex 2", "vertex 3", "3 vertices, more than"),
            ("vertex 2", "vertex -2", "header is damaged"),
            ("element vertex", "element face", "first element"),
            ("float x", "float u", "no x, y and z"),
            ("float x", "list uchar int x", "list properties"),
            ("float x", "quad x", "damaged"),
            ("1 2 3", "1 two 3", "vertex 0"),
            ("end_header", "", "damaged"),
        ] {
            let error = parse(ASCII.replacen(from, to, 1).as_bytes()).unwrap_err();
            assert!(error.contains(what), "{from} -> {to}: {error}");
        }
        let whole = binary(false);
        assert!(parse(&whole[..whole.len() - 10]).unwrap_err().contains("complete"));
        assert!(parse(b"").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            which in 0..3usize, at in any::<prop::sample::Index>(), value in any::<u8>(), cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = [ASCII.as_bytes().to_vec(), binary(false), binary(true)][which].clone();
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = parse(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = parse(&bytes);
        }
    }
}
