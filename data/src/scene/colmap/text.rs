//! Reading lines and fields of the text form, with errors that name the line.

use std::fmt::Display;
use std::str::{FromStr, Lines};

use super::flaw::Flaw;

/// The lines of a file, counted.
pub(super) struct Entries<'a> {
    lines: Lines<'a>,
    /// Number of the last line that was read, from 1.
    line: usize,
}

impl<'a> Entries<'a> {
    /// # Errors
    /// If the bytes are not UTF-8.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
            Flaw::new(
                format!("line {line}"),
                "is not UTF-8; rename the images so that their names are, and run COLMAP again",
            )
        })?;
        Ok(Self { lines: text.trim_start_matches('\u{feff}').lines(), line: 0 })
    }

    /// The next line that is neither empty nor a comment.
    pub fn next(&mut self) -> Option<Fields<'a>> {
        loop {
            let text = self.raw()?.trim();
            if !text.is_empty() && !text.starts_with('#') {
                return Some(Fields { rest: text, line: self.line });
            }
        }
    }

    /// The place of the last line that was read.
    pub fn place(&self) -> String {
        format!("line {}", self.line)
    }

    /// The next line, comments and empty lines included.
    pub fn raw(&mut self) -> Option<&'a str> {
        self.line += 1;
        self.lines.next()
    }
}

/// The fields of a line.
pub(super) struct Fields<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Fields<'a> {
    /// The place of the line.
    pub fn place(&self) -> String {
        format!("line {}", self.line)
    }

    /// The next field, if there is one.
    pub fn word(&mut self) -> Option<&'a str> {
        let (word, rest) = self.rest.split_once(char::is_whitespace).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        Some(word).filter(|word| !word.is_empty())
    }

    /// All that is left of the line.
    pub fn remainder(&mut self) -> &'a str {
        std::mem::take(&mut self.rest).trim_end()
    }

    /// The next field as a number.
    pub fn number<T: FromStr<Err: Display>>(&mut self, name: &str) -> Result<T, Flaw> {
        let Some(word) = self.word() else {
            return Err(Flaw::new(self.place(), format!("{name} is missing; is the file complete?")));
        };
        // As Windows writes it: -nan(ind), nan(snan).
        let plain =
            word.split_once('(').filter(|(sign, _)| matches!(*sign, "nan" | "-nan")).map_or(word, |_| "nan");
        plain.parse().map_err(|e| {
            let shown: String = word.chars().take(30).collect();
            Flaw::new(self.place(), format!("{name} is {shown:?}: {e}"))
        })
    }

    /// The next fields as numbers.
    pub fn numbers<const N: usize>(&mut self, names: [&str; N]) -> Result<[f64; N], Flaw> {
        let mut values = [0.0; N];
        for (value, name) in values.iter_mut().zip(names) {
            *value = self.number(name)?;
        }
        Ok(values)
    }
}
