//! Reading little-endian values from a buffer, with errors at its end.

use super::flaw::Flaw;

/// The part of a file that is not read yet.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next bytes; `place` names what is read, for the error.
    pub fn take(&mut self, count: usize, place: &dyn Fn() -> String) -> Result<&'a [u8], Flaw> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            let problem = "the file ends here; is it complete? Copy it again, or let COLMAP write it again";
            return Err(Flaw::new(place(), problem));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, place: &dyn Fn() -> String) -> Result<[u8; N], Flaw> {
        let bytes = self.take(N, place)?;
        // `take` gives as many bytes as it is asked for.
        Ok(bytes.first_chunk().copied().unwrap_or([0; N]))
    }

    pub fn u32(&mut self, place: &dyn Fn() -> String) -> Result<u32, Flaw> {
        self.array(place).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, place: &dyn Fn() -> String) -> Result<u64, Flaw> {
        self.array(place).map(u64::from_le_bytes)
    }

    pub fn f64(&mut self, place: &dyn Fn() -> String) -> Result<f64, Flaw> {
        self.array(place).map(f64::from_le_bytes)
    }

    pub fn f64s<const N: usize>(&mut self, place: &dyn Fn() -> String) -> Result<[f64; N], Flaw> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f64(place)?;
        }
        Ok(values)
    }

    /// How many entries of at least `size` bytes follow, checked against what is left of the file.
    pub fn count(&mut self, size: usize, place: &dyn Fn() -> String) -> Result<usize, Flaw> {
        let announced = self.u64(place)?;
        let possible = self.rest.len() / size;
        match usize::try_from(announced) {
            Ok(count) if count <= possible => Ok(count),
            _ => {
                let problem = format!(
                    "announces {announced} entries, but no more than {possible} fit into what follows; is the file \
                     complete, and really COLMAP's?"
                );
                Err(Flaw::new(place(), problem))
            }
        }
    }

    /// Bytes up to a NUL, which is skipped.
    pub fn terminated(&mut self, place: &dyn Fn() -> String) -> Result<&'a [u8], Flaw> {
        let length = self.rest.iter().position(|&byte| byte == 0);
        let text = self.take(length.unwrap_or(self.rest.len()), place)?;
        self.take(1, place)?;
        Ok(text)
    }

    /// Checks that nothing is left.
    pub fn end(&self) -> Result<(), Flaw> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let problem =
            format!("{} bytes follow the last entry; is this really COLMAP's file?", self.rest.len());
        Err(Flaw::new("the end", problem))
    }
}
