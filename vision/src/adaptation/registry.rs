//! The methods by name.
use std::fmt;
use std::str::FromStr;

use nerve_core::graph;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    Method, Site, adapter, bitfit, compacter, decoders, full, hyperformer, lora, low_rank, mtlora, phm,
    polyhistor, polyhistor_lite, relative_bias, side, vpt,
};

/// Every method, in the order of tables.
static ENTRIES: [Entry; 18] = [
    full::SINGLE,
    full::MULTI,
    decoders::ENTRY,
    bitfit::ENTRY,
    relative_bias::ENTRY,
    vpt::SHALLOW,
    vpt::DEEP,
    phm::ENTRY,
    compacter::ENTRY,
    compacter::PLUS,
    lora::ENTRY,
    adapter::ENTRY,
    low_rank::ENTRY,
    side::ENTRY,
    mtlora::ENTRY,
    hyperformer::ENTRY,
    polyhistor::ENTRY,
    polyhistor_lite::ENTRY,
];

/// What the shared variant of a method's name begins with.
const SHARED: &str = "shared-";

/// How many passes of the backbone an image takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// One for all tasks.
    One,
    /// One a task.
    PerTask,
}

/// A method of the list.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// What it trains, for people.
    pub about: &'static str,
    /// How many passes an image takes.
    pub passes: Passes,
    /// Whether there is a variant with one set of its variables for all tasks.
    pub shareable: bool,
    /// Builds it.
    pub build: fn(&Site<'_>) -> graph::Result<Box<dyn Method>>,
}

/// A method by its name, such as `polyhistor` or `shared-adapter`.
#[derive(Clone, Copy)]
pub struct MethodName {
    entry: &'static Entry,
    shared: bool,
}

impl MethodName {
    /// All of them, the shared variants last.
    pub fn all() -> impl Iterator<Item = Self> {
        let own = ENTRIES.iter().map(|entry| Self { entry, shared: false });
        let shared = ENTRIES.iter().filter(|entry| entry.shareable);
        own.chain(shared.map(|entry| Self { entry, shared: true }))
    }

    /// The method.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        self.entry
    }

    /// Whether it is the shared variant.
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.shared
    }

    /// How many passes an image takes.
    #[must_use]
    pub fn passes(self) -> Passes {
        if self.shared { Passes::One } else { self.entry.passes }
    }

    /// How many sets of a task's variables it has, of so many tasks.
    #[must_use]
    pub fn sets(self, tasks: usize) -> usize {
        if self.passes() == Passes::One { 1 } else { tasks }
    }
}

impl Default for MethodName {
    fn default() -> Self {
        Self { entry: &ENTRIES[ENTRIES.len() - 1], shared: false }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", if self.shared { SHARED } else { "" }, self.entry.name))
    }
}

impl fmt::Debug for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for MethodName {
    fn eq(&self, other: &Self) -> bool {
        self.entry.name == other.entry.name && self.shared == other.shared
    }
}

impl Eq for MethodName {}

impl FromStr for MethodName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::all().find(|method| method.to_string() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
            let shared: Vec<_> = ENTRIES.iter().filter(|e| e.shareable).map(|e| e.name).collect();
            format!(
                "there is no method '{text}'; there are {}, and {SHARED}NAME for {}",
                names.join(", "),
                shared.join(", ")
            )
        })
    }
}

impl Serialize for MethodName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MethodName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_unknown_ones_told() {
        for method in MethodName::all() {
            assert_eq!(method.to_string().parse(), Ok(method));
        }
        assert_eq!(MethodName::default().to_string(), "polyhistor-lite");
        assert_eq!("shared-adapter".parse::<MethodName>().expect("a method").sets(4), 1);
        for unknown in ["polyhister", "shared-polyhistor"] {
            let error = unknown.parse::<MethodName>().expect_err("unknown");
            assert!(error.contains(unknown) && error.contains("polyhistor-lite"), "{error}");
        }
    }
}
