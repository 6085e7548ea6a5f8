//! As much of Python's pickle machine as saved tensors need.
//!
//! It has integers, texts, tuples, lists and dictionaries, and it remembers which function was called with what; it
//! calls nothing. All containers lie in one arena, so that nothing nested or cyclic can exhaust the stack. What a pickle
//! builds grows with its length only: the few operations that copy have a budget. Opcodes: Python's `pickletools`.
use std::{
    collections::HashMap,
    io::{ErrorKind, Read},
};

use super::WeightsProblem;

/// Values and letters that a pickle may copy. Recalled often enough, a long list makes a small pickle endless.
const MOST_COPIED: usize = 1 << 20;

/// A value; what is larger than a word is in the arena.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    /// None, a float, an integer beyond 64 bits: nothing that says where a tensor lies.
    Opaque,
    Bool(bool),
    Int(i64),
    Text(usize),
    /// Tuples, lists and dictionaries (keys and values in turn).
    Sequence(usize),
    Dict(usize),
    /// A function or class: `module name`.
    Global(usize),
    /// What a function returned: the function, and the sequence of its arguments.
    Call(usize),
    /// A value outside the pickle, by the sequence that names it.
    Outside(usize),
}

/// What a pickle has built.
#[derive(Debug, Default)]
pub(super) struct Arena {
    texts: Vec<String>,
    lists: Vec<Vec<Value>>,
    copied: usize,
}

impl Arena {
    pub(super) fn text(&self, value: Value) -> Option<&str> {
        match value {
            Value::Text(at) | Value::Global(at) => self.texts.get(at).map(String::as_str),
            _ => None,
        }
    }

    /// The items of a tuple, list, dictionary or call.
    pub(super) fn items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Sequence(at) | Value::Dict(at) | Value::Call(at) | Value::Outside(at) => {
                self.lists.get(at).map(Vec::as_slice)
            }
            _ => None,
        }
    }

    /// Before something is copied.
    fn copy(&mut self, count: usize) -> Result<(), WeightsProblem> {
        self.copied = self.copied.saturating_add(count);
        if self.copied <= MOST_COPIED {
            Ok(())
        } else {
            Err(WeightsProblem::damaged("the pickle repeats itself"))
        }
    }

    fn list(&mut self, items: Vec<Value>) -> usize {
        self.lists.push(items);
        self.lists.len() - 1
    }

    fn put_text(&mut self, text: String) -> usize {
        self.texts.push(text);
        self.texts.len() - 1
    }
}

/// A stack's item.
#[derive(Clone, Copy)]
enum Item {
    Mark,
    Value(Value),
}

struct Machine<'a, R> {
    from: &'a mut R,
    arena: &'a mut Arena,
    stack: Vec<Item>,
    memo: HashMap<u32, Value>,
}

/// Runs one pickle, up to its end, and gives what it leaves.
pub(super) fn run(from: &mut impl Read, arena: &mut Arena) -> Result<Value, WeightsProblem> {
    Machine { from, arena, stack: Vec::new(), memo: HashMap::new() }.run()
}

impl<R: Read> Machine<'_, R> {
    fn run(&mut self) -> Result<Value, WeightsProblem> {
        loop {
            let [op] = self.bytes()?;
            match op {
                b'.' => return self.pop(),
                0x80 => drop(self.bytes::<1>()?),
                0x95 => drop(self.bytes::<8>()?),
                b'(' => self.stack.push(Item::Mark),
                b'0' => drop(self.stack.pop()),
                b'1' => drop(self.since_mark()?),
                b'N' => self.push(Value::Opaque),
                b'G' => {
                    self.bytes::<8>()?;
                    self.push(Value::Opaque);
                }
                0x88 => self.push(Value::Bool(true)),
                0x89 => self.push(Value::Bool(false)),
                b'J' => {
                    let value = i32::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()));
                }
                b'K' => {
                    let [value] = self.bytes()?;
                    self.push(Value::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.bytes()?);
                    self.push(Value::Int(value.into()));
                }
                0x8a => self.long()?,
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.bytes()?);
                    self.text(length.into())?;
                }
                0x8c | b'U' => {
                    let [length] = self.bytes()?;
                    self.text(length.into())?;
                }
                b')' | b']' => {
                    let at = self.arena.list(Vec::new());
                    self.push(Value::Sequence(at));
                }
                b'}' => {
                    let at = self.arena.list(Vec::new());
                    self.push(Value::Dict(at));
                }
                b't' => {
                    let items = self.since_mark()?;
                    self.sequence(items);
                }
                0x85..=0x87 => {
                    let mut items = Vec::new();
                    for _ in 0..=op - 0x85 {
                        items.insert(0, self.pop()?);
                    }
                    self.sequence(items);
                }
                b'a' => {
                    let item = self.pop()?;
                    self.extend(vec![item])?;
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.extend(vec![key, value])?;
                }
                b'e' | b'u' => {
                    let items = self.since_mark()?;
                    self.extend(items)?;
                }
                b'c' => self.global()?,
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let lengths = [name, module].map(|part| self.arena.text(part).map_or(0, str::len));
                    self.arena.copy(lengths.iter().sum())?;
                    let (Some(name), Some(module)) = (self.arena.text(name), self.arena.text(module)) else {
                        return Err(WeightsProblem::damaged("a function without a name"));
                    };
                    let name = format!("{module} {name}");
                    let at = self.arena.put_text(name);
                    self.push(Value::Global(at));
                }
                b'R' | 0x81 => self.call()?,
                // State that is set on an object: a dictionary's remarks on itself.
                b'b' => drop(self.pop()?),
                b'Q' => {
                    let name = self.pop()?;
                    self.arena.copy(self.arena.items(name).map_or(0, <[Value]>::len))?;
                    let items = self.arena.items(name).unwrap_or_default().to_vec();
                    let at = self.arena.list(items);
                    self.push(Value::Outside(at));
                }
                b'q' => {
                    let [at] = self.bytes()?;
                    self.remember(at.into())?;
                }
                b'r' => {
                    let at = u32::from_le_bytes(self.bytes()?);
                    self.remember(at)?;
                }
                0x94 => {
                    let at = self.memo.len() as u32;
                    self.remember(at)?;
                }
                b'h' => {
                    let [at] = self.bytes()?;
                    self.recall(at.into())?;
                }
                b'j' => {
                    let at = u32::from_le_bytes(self.bytes()?);
                    self.recall(at)?;
                }
                other => {
                    return Err(WeightsProblem::Unsupported(format!(
                        "pickled objects (opcode {other:#04x})"
                    )));
                }
            }
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], WeightsProblem> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(cut)?;
        Ok(bytes)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Item::Value(value));
    }

    fn pop(&mut self) -> Result<Value, WeightsProblem> {
        match self.stack.pop() {
            Some(Item::Value(value)) => Ok(value),
            _ => Err(WeightsProblem::damaged("the pickle takes what is not there")),
        }
    }

    fn since_mark(&mut self) -> Result<Vec<Value>, WeightsProblem> {
        let mark = self.stack.iter().rposition(|item| matches!(item, Item::Mark));
        let mark = mark.ok_or_else(|| WeightsProblem::damaged("the pickle takes what is not there"))?;
        let items = self.stack.split_off(mark);
        Ok(items
            .into_iter()
            .filter_map(|item| if let Item::Value(v) = item { Some(v) } else { None })
            .collect())
    }

    fn sequence(&mut self, items: Vec<Value>) {
        let at = self.arena.list(items);
        self.push(Value::Sequence(at));
    }

    /// Adds items to the container on top.
    fn extend(&mut self, items: Vec<Value>) -> Result<(), WeightsProblem> {
        let Some(Item::Value(Value::Sequence(at) | Value::Dict(at))) = self.stack.last().copied() else {
            return Err(WeightsProblem::damaged("the pickle adds to what is no list"));
        };
        self.arena.lists[at].extend(items);
        Ok(())
    }

    /// An integer of up to 255 bytes, of which 8 are understood.
    fn long(&mut self) -> Result<(), WeightsProblem> {
        let [length] = self.bytes()?;
        let bytes = self.some(length.into())?;
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let mut word = [if negative { 0xff } else { 0 }; 8];
        let fits = bytes.len() <= 8;
        if fits {
            word[..bytes.len()].copy_from_slice(&bytes);
        }
        self.push(if fits { Value::Int(i64::from_le_bytes(word)) } else { Value::Opaque });
        Ok(())
    }

    /// `length` bytes, of which no more is allocated than are there.
    fn some(&mut self, length: u64) -> Result<Vec<u8>, WeightsProblem> {
        let mut bytes = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut bytes).map_err(cut)?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(WeightsProblem::damaged("a text ends early"))
        }
    }

    fn text(&mut self, length: u64) -> Result<(), WeightsProblem> {
        let bytes = self.some(length)?;
        let at = self.arena.put_text(String::from_utf8_lossy(&bytes).into_owned());
        self.push(Value::Text(at));
        Ok(())
    }

    fn global(&mut self) -> Result<(), WeightsProblem> {
        let mut name = String::new();
        for part in 0..2 {
            if part == 1 {
                name.push(' ');
            }
            loop {
                match self.bytes()? {
                    [b'\n'] => break,
                    [byte] => name.push(char::from(byte)),
                }
            }
        }
        let at = self.arena.put_text(name);
        self.push(Value::Global(at));
        Ok(())
    }

    fn call(&mut self) -> Result<(), WeightsProblem> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let value = match self.arena.text(function) {
            // Its pairs, if it begins with any, come as a list of tuples.
            Some("collections OrderedDict") => {
                let first = self.arena.items(arguments).and_then(|a| a.first()).copied();
                let count = first.and_then(|list| self.arena.items(list)).map_or(0, <[Value]>::len);
                self.arena.copy(2 * count)?;
                let pairs = first.and_then(|list| self.arena.items(list)).unwrap_or_default();
                let items = pairs.iter().filter_map(|pair| self.arena.items(*pair));
                let items: Vec<Value> = items.filter(|pair| pair.len() == 2).flatten().copied().collect();
                Value::Dict(self.arena.list(items))
            }
            _ => Value::Call(self.arena.list(vec![function, arguments])),
        };
        self.push(value);
        Ok(())
    }

    fn remember(&mut self, at: u32) -> Result<(), WeightsProblem> {
        let value = self.pop()?;
        self.memo.insert(at, value);
        self.push(value);
        Ok(())
    }

    fn recall(&mut self, at: u32) -> Result<(), WeightsProblem> {
        let value = self.memo.get(&at).copied();
        self.push(value.ok_or_else(|| WeightsProblem::damaged("the pickle recalls what it never knew"))?);
        Ok(())
    }
}

fn cut(error: std::io::Error) -> WeightsProblem {
    match error.kind() {
        ErrorKind::UnexpectedEof => WeightsProblem::damaged("it ends within a pickle"),
        _ => WeightsProblem::Io(error),
    }
}
