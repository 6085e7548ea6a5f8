//! The real program, run in a fresh folder.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod commands;
mod hollow;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod kill;
mod program;
