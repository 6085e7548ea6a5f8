//! Hash-grid radiance fields.
