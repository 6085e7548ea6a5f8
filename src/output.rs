//! Answers: text for people, or JSON lines for programs.

use crate::lines::Lines;
use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// Where a command's answers go. A reader who goes away (`nerve ... | head`) must not end a training, so what
/// cannot be written is dropped.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    json: bool,
}

/// A line for programs.
#[derive(Serialize)]
struct Line<'a, T> {
    event: &'a str,
    #[serde(flatten)]
    fields: &'a T,
}

impl Output {
    /// With `json`, stdout is for programs and people read stderr.
    pub fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether stdout is for programs.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// An answer for people.
    pub fn say(self, text: impl Display) {
        if self.json {
            remark(text);
        } else {
            let _ = writeln!(io::stdout(), "{text}");
        }
    }

    /// One line for programs, `{"event":EVENT, ...fields}`; nothing without `--json`.
    pub fn line(self, event: &str, fields: &impl Serialize) {
        if self.json {
            let _ = write_line(&mut Lines, event, fields);
        }
    }
}

/// Something for people to know on the way, on stderr.
pub fn remark(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Writes `{"event":EVENT, ...fields}` and a line break; numbers that JSON lacks become null.
pub fn write_line(to: &mut impl Write, event: &str, fields: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(&Line { event, fields })?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}
