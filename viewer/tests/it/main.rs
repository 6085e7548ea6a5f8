//! Runs shown in every place, and what they leave.
#![allow(clippy::unwrap_used)]

mod events;
mod faults;
mod modes;
mod peers;
mod shown;
