//! Remarks beside an answer: warnings (something may be wrong) and infos (something to know).

use crate::ast::Span;

/// One remark. The text is Prometheus', with its prefix (`PromQL warning: …`, `PromQL info: …`) and
/// without the position, which readers see as ` (line:column)` after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    pub text: String,
    pub span: Option<Span>,
}

/// Every remark once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations {
    pub warnings: Vec<Annotation>,
    pub infos: Vec<Annotation>,
}
