//! `name{label="value", …}`.

use std::sync::Arc;

use super::expression::Parser;
use super::token::{Kind, Token};
use super::{Fault, Parsed, escape, regexp};
use crate::ast::{BinaryOp, Expr, ExprKind, MatchOp, Matcher, Place, Span, VectorSelector};
use crate::labels::METRIC_NAME;

const CONTEXT: &str = "label matching";

impl Parser<'_> {
    /// From behind the name on.
    pub(super) fn named_selector(&mut self, name: Token) -> Parsed<Box<Expr>> {
        let mut span = name.span;
        let mut matchers = Vec::new();
        if self.token.kind == Kind::LeftBrace {
            let braces;
            (matchers, braces) = self.matchers()?;
            span.end = braces.end;
        }
        let name = self.text_of(name).to_owned();
        // Last, as in Prometheus: the check for a second name relies on it.
        matchers.push(equal(METRIC_NAME.to_owned(), name.clone()));
        Ok(selector(Some(name), matchers, span))
    }

    /// From the brace on.
    pub(super) fn nameless_selector(&mut self) -> Parsed<Box<Expr>> {
        let (matchers, span) = self.matchers()?;
        Ok(selector(None, matchers, span))
    }

    fn matchers(&mut self) -> Parsed<(Vec<Matcher>, Span)> {
        let start = self.expect(Kind::LeftBrace)?.span.start;
        let mut matchers = Vec::new();
        loop {
            if let Some(close) = self.accept(Kind::RightBrace) {
                return Ok((matchers, Span { start, end: close.span.end }));
            }
            matchers.push(self.matcher()?);
            if self.accept(Kind::Comma).is_none() && self.token.kind != Kind::RightBrace {
                return Err(self.unexpected_in(CONTEXT, "\",\" or \"}\""));
            }
        }
    }

    fn matcher(&mut self) -> Parsed<Matcher> {
        let quoted = self.token.kind == Kind::String;
        if !quoted && self.token.kind != Kind::Identifier {
            return Err(self.unexpected_in(CONTEXT, "identifier or \"}\""));
        }
        let label = self.advance();
        let text = self.text_of(label);
        let name = if quoted { escape::unquote(text) } else { text.to_owned() };
        let op = match self.token.kind {
            Kind::Assign => MatchOp::Equal,
            Kind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            Kind::RegexMatch => MatchOp::Regex,
            Kind::RegexMiss => MatchOp::NotRegex,
            _ if quoted => return Ok(equal(METRIC_NAME.to_owned(), name)),
            _ => return Err(self.unexpected_in(CONTEXT, "label matching operator")),
        };
        self.advance();
        if self.token.kind != Kind::String {
            return Err(self.unexpected_in(CONTEXT, "string"));
        }
        let value = self.advance();
        let span = Span { start: label.span.start, end: value.span.end };
        let value = escape::unquote(self.text_of(value));
        Matcher::new(op, name, value).map_err(|why| Fault::new(span, why))
    }
}

impl Matcher {
    /// Compiles the expression of `=~` and `!~`; the error says what is wrong with it.
    pub fn new(op: MatchOp, name: String, value: String) -> Result<Self, String> {
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(Arc::new(regexp::compile(&value)?)),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self { op, name, value, regex })
    }
}

fn equal(name: String, value: String) -> Matcher {
    Matcher { op: MatchOp::Equal, name, value, regex: None }
}

fn selector(name: Option<String>, matchers: Vec<Matcher>, span: Span) -> Box<Expr> {
    let vector = VectorSelector { name, matchers, place: Place::default(), range_mode: None };
    Box::new(Expr { kind: ExprKind::Vector(vector), span })
}
