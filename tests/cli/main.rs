//! The real program, run in a fresh folder.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod commands;
mod hollow;
mod inspect;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod photos;
mod program;
