//! Ray marching over a cascaded occupancy bitfield.
pub mod morton;
pub mod reference;
