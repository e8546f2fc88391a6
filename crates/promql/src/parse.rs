//! From text to tree.
//!
//! Enters: the text of a query. Leaves: an [`Expr`] whose types fit, with compiled matchers, or the
//! first thing that is wrong with the text, worded as Prometheus words it.
//!
//! Must hold: no text makes it panic or recurse without bound ([`NESTING_MAX`], [`HEIGHT_MAX`]);
//! time is linear in the text but for the compilation of regular expressions, which is bounded.

mod aggregate;
mod check;
mod duration;
mod escape;
mod expression;
mod lex;
mod number;
mod postfix;
mod regexp;
mod scan;
mod selector;
#[cfg(test)]
pub(crate) mod tests;
mod token;

use std::fmt;

use crate::ast::{Expr, ExprKind, Matcher, Span};
use crate::limits::Options;

pub(crate) use escape::quote;
pub(crate) use regexp::compile as compile_regex;

/// How deep parentheses, calls and signs may stand in one another. Parsing recurses that far.
pub const NESTING_MAX: usize = 200;

/// How high a tree may be. A chain of operators is as high as it has operators, and whoever walks
/// the tree recurses that far.
pub const HEIGHT_MAX: usize = 500;

/// Parts of the language that a shipped Prometheus has behind feature flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Functions and aggregations that Prometheus marks so
    /// (`--enable-feature=promql-experimental-functions`).
    pub experimental_functions: bool,
    /// Arithmetic, `step()` and `range()` where a duration stands
    /// (`--enable-feature=promql-duration-expr`).
    pub duration_expressions: bool,
    /// `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left` and `fill_right`.
    pub fill_modifiers: bool,
}

impl ParseOptions {
    /// With everything, or with what is stable.
    pub fn new(experimental: bool) -> Self {
        Self {
            experimental_functions: experimental,
            duration_expressions: experimental,
            extended_range_selectors: experimental,
            fill_modifiers: experimental,
        }
    }
}

impl From<&Options> for ParseOptions {
    fn from(options: &Options) -> Self {
        Self::new(options.experimental)
    }
}

/// What is wrong with a query, and where. Shown as Prometheus does: `1:5: parse error: …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The part of the text that is wrong.
    pub span: Span,
    /// What is wrong with it, in Prometheus' words, without the position.
    pub message: String,
    /// `line:column` of the span's start, both from 1, columns in bytes.
    pub position: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: parse error: {}", self.position, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Parses a query and checks its types.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let tree = expression::Parser::new(text, *options).query();
    let checked = tree.and_then(|mut expr| check::check(&mut expr, text).map(|()| expr));
    checked.map_err(|fault| fault.locate(text))
}

/// Parses a selector without range and modifiers, as `match[]` takes it. One that fits every series
/// is not refused.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let selector = expression::Parser::new(text, ParseOptions::default()).only_selector();
    let matchers = selector.map(|expr| match expr.kind {
        ExprKind::Vector(vector) => vector.matchers,
        _ => Vec::new(),
    });
    matchers.map_err(|fault| fault.locate(text))
}

/// A [`ParseError`] before somebody counted lines.
#[derive(Debug)]
struct Fault {
    span: Span,
    message: String,
}

type Parsed<T> = Result<T, Fault>;

impl Fault {
    fn new(span: Span, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }

    fn locate(self, text: &str) -> ParseError {
        ParseError { span: self.span, message: self.message, position: self.span.position(text) }
    }
}
