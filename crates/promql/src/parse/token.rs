//! Words of the language, and how messages call them.

use super::escape::quote;
use crate::ast::{AggregateOp, BinaryOp, Span};

/// A word with its place; its text is the query's at `span`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    End,
    /// What the lexer could not read; the parser holds the reason.
    Error,
    Identifier,
    /// An identifier with a colon.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`.
    Assign,
    /// `=~`.
    RegexMatch,
    /// `!~`.
    RegexMiss,
    At,
    Operator(BinaryOp),
    Aggregate(AggregateOp),
    Bool,
    By,
    Without,
    On,
    Ignoring,
    GroupLeft,
    GroupRight,
    Fill,
    FillLeft,
    FillRight,
    Offset,
    Anchored,
    Smoothed,
    Start,
    EndWord,
    Step,
    Range,
    MinOf,
    MaxOf,
}

impl Kind {
    /// May stand as the name of a metric.
    pub(super) fn names_metric(self) -> bool {
        use Kind::*;
        match self {
            Operator(op) => matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Unless),
            Identifier | MetricIdentifier | Aggregate(_) | By | Without | Fill | FillLeft | FillRight
            | Offset | Anchored | Smoothed | Start | EndWord | Step | Range | MinOf | MaxOf => true,
            _ => false,
        }
    }

    /// May stand as a label of `by`, `on` and the like.
    pub(super) fn names_label(self) -> bool {
        use Kind::*;
        self.names_metric()
            || matches!(self, Bool | On | Ignoring | GroupLeft | GroupRight | Operator(BinaryOp::Atan2))
    }

    /// An expression can begin with it.
    pub(super) fn begins_expression(self) -> bool {
        use Kind::*;
        self.names_metric()
            || matches!(
                self,
                Number | Duration | String | LeftParen | LeftBrace | Operator(BinaryOp::Add | BinaryOp::Sub)
            )
    }

    /// A keyword that calls a function where a parenthesis follows.
    pub(super) fn names_function(self) -> bool {
        use Kind::*;
        matches!(self, Identifier | Start | EndWord | Step | Range | MinOf | MaxOf)
    }

    fn is_keyword(self) -> bool {
        use Kind::*;
        matches!(
            self,
            Bool | By
                | Without
                | On
                | Ignoring
                | GroupLeft
                | GroupRight
                | Fill
                | FillLeft
                | FillRight
                | Offset
                | Anchored
                | Smoothed
        )
    }
}

/// What a word is, whatever its case; nothing if it is a plain identifier.
pub(super) fn keyword(word: &str) -> Option<Kind> {
    let mut lower = [0; KEYWORD_BYTES_MAX];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"and" => Kind::Operator(BinaryOp::And),
        b"or" => Kind::Operator(BinaryOp::Or),
        b"unless" => Kind::Operator(BinaryOp::Unless),
        b"atan2" => Kind::Operator(BinaryOp::Atan2),
        b"sum" => Kind::Aggregate(AggregateOp::Sum),
        b"avg" => Kind::Aggregate(AggregateOp::Avg),
        b"count" => Kind::Aggregate(AggregateOp::Count),
        b"min" => Kind::Aggregate(AggregateOp::Min),
        b"max" => Kind::Aggregate(AggregateOp::Max),
        b"group" => Kind::Aggregate(AggregateOp::Group),
        b"stddev" => Kind::Aggregate(AggregateOp::Stddev),
        b"stdvar" => Kind::Aggregate(AggregateOp::Stdvar),
        b"topk" => Kind::Aggregate(AggregateOp::Topk),
        b"bottomk" => Kind::Aggregate(AggregateOp::Bottomk),
        b"count_values" => Kind::Aggregate(AggregateOp::CountValues),
        b"quantile" => Kind::Aggregate(AggregateOp::Quantile),
        b"limitk" => Kind::Aggregate(AggregateOp::Limitk),
        b"limit_ratio" => Kind::Aggregate(AggregateOp::LimitRatio),
        b"offset" => Kind::Offset,
        b"anchored" => Kind::Anchored,
        b"smoothed" => Kind::Smoothed,
        b"by" => Kind::By,
        b"without" => Kind::Without,
        b"on" => Kind::On,
        b"ignoring" => Kind::Ignoring,
        b"group_left" => Kind::GroupLeft,
        b"group_right" => Kind::GroupRight,
        b"fill" => Kind::Fill,
        b"fill_left" => Kind::FillLeft,
        b"fill_right" => Kind::FillRight,
        b"bool" => Kind::Bool,
        b"start" => Kind::Start,
        b"end" => Kind::EndWord,
        b"inf" | b"nan" => Kind::Number,
        other => return duration_keyword(other),
    })
}

/// Longer than every keyword.
const KEYWORD_BYTES_MAX: usize = 16;

/// The words between brackets; `word` is in lower case.
pub(super) fn duration_keyword(word: &[u8]) -> Option<Kind> {
    match word {
        b"step" => Some(Kind::Step),
        b"range" => Some(Kind::Range),
        b"min_of" => Some(Kind::MinOf),
        b"max_of" => Some(Kind::MaxOf),
        _ => None,
    }
}

impl Token {
    /// As in `unexpected …`.
    pub(super) fn describe(self, query: &str) -> String {
        let text = &query[self.span.start..self.span.end];
        match self.kind {
            Kind::End => "end of input".into(),
            Kind::Identifier => format!("identifier {}", quote(text)),
            Kind::MetricIdentifier => format!("metric identifier {}", quote(text)),
            Kind::Number => format!("number {}", shortened(text)),
            Kind::Duration => format!("duration {}", shortened(text)),
            Kind::String => format!("string {}", shortened(text)),
            Kind::Operator(_) | Kind::At | Kind::RegexMatch | Kind::RegexMiss => format!("<op:{text}>"),
            Kind::Aggregate(_) => format!("<aggr:{text}>"),
            kind if kind.is_keyword() => format!("<{text}>"),
            _ => shortened(text),
        }
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= 10 {
        return quote(text);
    }
    let end = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    format!("{}...", quote(&text[..end]))
}
