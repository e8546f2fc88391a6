//! Tests of the parser. Those of the printer are in [`crate::format`].

mod duration;
mod errors;
mod limits;
mod literals;
mod promqltest;
mod property;
mod regexp;
mod spans;
mod valid;

use super::{ParseOptions, parse};
use crate::ast::Expr;

/// With everything experimental.
pub(crate) fn parsed(query: &str) -> Expr {
    match parse(query, &ParseOptions::new(true)) {
        Ok(expr) => expr,
        Err(error) => panic!("{query}: {error}"),
    }
}
