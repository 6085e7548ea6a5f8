//! The `.npy` format of NumPy arrays (versions 1 to 3): numbers in C order, read as f64, written as f32.

use std::io::{self, Write};

/// Longest header that is accepted; NumPy's own limit is 10000.
const MAX_HEADER: usize = 1 << 16;

/// An array, its last axis running fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Npy {
    /// Length of each axis.
    pub shape: Vec<usize>,
    /// The values; as many as the product of the shape.
    pub values: Vec<f64>,
}

/// Why bytes cannot be read as an array.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpyError {
    /// Another kind of file.
    #[error("not a .npy file; save it with numpy.save")]
    Magic,
    /// Truncated, or not as NumPy writes it.
    #[error("its header is damaged; save it again with numpy.save")]
    Header,
    /// Not a real number of a known size.
    #[error("its dtype is {0}; save it as '<f4' or '<f8', with array.astype(numpy.float32)")]
    Type(String),
    /// In Fortran order, column after column.
    #[error("it is in Fortran order; save it with numpy.ascontiguousarray")]
    Order,
    /// The values do not fill the shape.
    #[error(
        "its header announces {shape:?} values of {size} bytes, but {bytes} bytes follow; is the file complete?"
    )]
    Length {
        /// As announced.
        shape: Vec<usize>,
        /// Bytes per value.
        size: usize,
        /// Bytes after the header.
        bytes: usize,
    },
}

/// Reads an array of integers or floats, little-endian. No more is allocated than the bytes can fill.
///
/// # Errors
/// If the bytes are not an array, its type is complex or structured, it is in Fortran order, or its values do not fill
/// the shape.
pub fn parse(bytes: &[u8]) -> Result<Npy, NpyError> {
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or(NpyError::Magic)?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
        _ => return Err(NpyError::Header),
    };
    if length > MAX_HEADER || length > rest.len() {
        return Err(NpyError::Header);
    }
    let (header, data) = rest.split_at(length);
    let header = std::str::from_utf8(header).map_err(|_| NpyError::Header)?;
    let kind = value(header, "descr").ok_or(NpyError::Header)?;
    // A structured type is a list, which has no closing quote at its end.
    let Some(kind) = kind.strip_prefix(['\'', '"']).and_then(|k| k.split(['\'', '"']).next()) else {
        return Err(NpyError::Type("structured".into()));
    };
    let decode = decoder(kind).ok_or_else(|| NpyError::Type(format!("{:?}", shown(kind))))?;
    match value(header, "fortran_order").ok_or(NpyError::Header)? {
        order if order.starts_with("False") => {}
        order if order.starts_with("True") => return Err(NpyError::Order),
        _ => return Err(NpyError::Header),
    }
    let shape = value(header, "shape").and_then(dimensions).ok_or(NpyError::Header)?;
    let count = shape.iter().try_fold(1usize, |product, &n| product.checked_mul(n));
    let size = decode.size;
    if count.and_then(|count| count.checked_mul(size)) != Some(data.len()) {
        return Err(NpyError::Length { shape, size, bytes: data.len() });
    }
    let values = data.chunks_exact(size).map(decode.read).collect();
    Ok(Npy { shape, values })
}

/// What follows a key of the header's dictionary.
fn value<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let after = ['\'', '"']
        .iter()
        .find_map(|quote| header.split_once(&format!("{quote}{key}{quote}")).map(|(_, after)| after))?;
    Some(after.trim_start().strip_prefix(':')?.trim_start())
}

/// `(3, 4)` or `(3,)` or `()`.
fn dimensions(text: &str) -> Option<Vec<usize>> {
    let (inside, _) = text.strip_prefix('(')?.split_once(')')?;
    let parts = inside.split(',').map(str::trim).filter(|part| !part.is_empty());
    // Python 2 wrote 3L.
    parts.map(|part| part.trim_end_matches('L').parse().ok()).collect()
}

struct Decoder {
    size: usize,
    read: fn(&[u8]) -> f64,
}

fn decoder(kind: &str) -> Option<Decoder> {
    /// The value's bytes; the caller cuts them to size.
    fn at<const N: usize>(bytes: &[u8]) -> [u8; N] {
        bytes.first_chunk().copied().unwrap_or([0; N])
    }
    let (size, read): (usize, fn(&[u8]) -> f64) = match kind {
        "<f4" => (4, |b| f32::from_le_bytes(at(b)).into()),
        "<f8" => (8, |b| f64::from_le_bytes(at(b))),
        "|u1" => (1, |b| b[0].into()),
        "<u2" => (2, |b| u16::from_le_bytes(at(b)).into()),
        "<u4" => (4, |b| u32::from_le_bytes(at(b)).into()),
        "<i2" => (2, |b| i16::from_le_bytes(at(b)).into()),
        "<i4" => (4, |b| i32::from_le_bytes(at(b)).into()),
        "<i8" => (8, |b| i64::from_le_bytes(at(b)) as f64),
        _ => return None,
    };
    Some(Decoder { size, read })
}

/// The beginning of a text, for an error.
fn shown(text: &str) -> String {
    text.chars().take(20).collect()
}

/// Writes a C-ordered little-endian f32 array.
///
/// # Errors
/// Those of the writer; `InvalidInput` if `values` does not fill `shape`.
pub(crate) fn write_f32(
    mut to: impl Write,
    shape: &[usize],
    values: impl ExactSizeIterator<Item = f32>,
) -> io::Result<()> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "npy: shape and number of values differ"));
    }
    let dims: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims.trim_end());
    // Magic (6), version (2), length (2), header and newline fill a multiple of 64 bytes.
    let pad = (64 - (10 + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', pad));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(io::Error::other)?;
    to.write_all(b"\x93NUMPY\x01\x00")?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(header.as_bytes())?;
    for value in values {
        to.write_all(&value.to_le_bytes())?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), data].concat()
    }

    #[test]
    fn reads_what_numpy_writes() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 1), }  \n";
        let data = [1.5f64.to_le_bytes(), (-2f64).to_le_bytes()].concat();
        let array = parse(&npy(header, &data)).unwrap();
        assert_eq!(array, Npy { shape: vec![2, 1], values: vec![1.5, -2.0] });
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n";
        assert_eq!(parse(&npy(header, &[7, 0, 255])).unwrap().values, [7.0, 0.0, 255.0]);
        let scalar = "{'descr': '<i2', 'fortran_order': False, 'shape': (), }\n";
        assert_eq!(parse(&npy(scalar, &(-3i16).to_le_bytes())).unwrap().values, [-3.0]);
        let mut second = b"\x93NUMPY\x02\x00".to_vec();
        second.extend((scalar.len() as u32).to_le_bytes());
        second.extend([scalar.as_bytes(), &[1, 0]].concat());
        assert_eq!(parse(&second).unwrap().values, [1.0]);
    }

    #[test]
    fn refuses_by_name() {
        let with = |descr: &str, order: &str, shape: &str| {
            let header = format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n");
            parse(&npy(&header, &[0; 8])).unwrap_err()
        };
        assert_eq!(parse(b"PK\x03\x04"), Err(NpyError::Magic));
        assert_eq!(parse(b"\x93NUMPY\x01\x00\xff\xff{"), Err(NpyError::Header));
        assert_eq!(parse(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{"), Err(NpyError::Header));
        assert_eq!(parse(&npy("{}", &[])), Err(NpyError::Header));
        assert_eq!(with("'<c8'", "False", "(1,)"), NpyError::Type("\"<c8\"".into()));
        assert_eq!(with("'>f8'", "False", "(1,)"), NpyError::Type("\">f8\"".into()));
        assert_eq!(with("[('x', '<f8')]", "False", "(1,)"), NpyError::Type("structured".into()));
        assert_eq!(with("'<f8'", "True", "(1,)"), NpyError::Order);
        assert_eq!(with("'<f8'", "False", "(-1,)"), NpyError::Header);
        for shape in ["(2,)", "(0,)", "(4611686018427387904, 16)", "(18446744073709551615,)"] {
            assert!(matches!(with("'<f8'", "False", shape), NpyError::Length { size: 8, .. }), "{shape}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(rows in 0..5usize, columns in 0..5usize, seed in any::<f32>()) {
            let values: Vec<f32> = (0..rows * columns).map(|i| seed * i as f32).collect();
            let mut bytes = Vec::new();
            write_f32(&mut bytes, &[rows, columns], values.iter().copied()).unwrap();
            let back = parse(&bytes).unwrap();
            prop_assert_eq!(back.shape, [rows, columns]);
            let same = |(a, b): (&f64, &f32)| a.to_bits() == f64::from(*b).to_bits() || a.is_nan() && b.is_nan();
            prop_assert!(back.values.iter().zip(&values).all(same));
        }

        #[test]
        fn no_bytes_make_it_panic(
            header in "[ -~]{0,80}", data in prop::collection::vec(any::<u8>(), 0..40), cut in 0..200usize,
            change in any::<(u8, u8)>(),
        ) {
            let _ = parse(&data);
            let _ = parse(&npy(&header, &data));
            let valid = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
            let mut valid = npy(valid, &[0; 24]);
            let at = usize::from(change.0) % valid.len();
            valid[at] = change.1;
            valid.truncate(cut);
            let _ = parse(&valid);
        }
    }
}
