//! Operators between two vectors.

pub(super) mod element;
pub(super) mod matching;
pub(super) mod set;
