//! The functions that exist, and what they take. How they are evaluated is elsewhere.

use crate::ast::ValueType;

/// A function's name and shape.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: &'static str,
    pub args: &'static [ValueType],
    /// As in Prometheus: 0, all of `args` have to be there; n > 0, the last n may be left out;
    /// -1, the last may come any number of times (or never).
    pub variadic: i32,
    pub returns: ValueType,
    pub experimental: bool,
}
