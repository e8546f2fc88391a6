//! From tree to text.
//!
//! Enters: a tree that the parser made. Leaves: the query as Prometheus writes it, on one line
//! ([`std::fmt::Display`], in annotations and labels) or on many ([`format_query`], for people).
//! Must hold: the text parses to the same tree, but for places and the order of matchers.

mod duration;
mod line;
mod number;
mod pretty;
#[cfg(test)]
mod tests;

pub use pretty::format_query;
