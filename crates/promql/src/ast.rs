//! The tree of a query. Every node knows where in the text it stands.

mod describe;
mod resolve;

use std::sync::Arc;

use regex::Regex;

pub use resolve::DurationError;

/// Byte positions in the query's text, end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number; `duration` where it was written as one (`5m`), which the printer keeps.
    Number {
        value: f64,
        duration: bool,
    },
    String(String),
    Vector(VectorSelector),
    Matrix(MatrixSelector),
    Subquery(Box<Subquery>),
    Call(Call),
    Aggregate(Box<Aggregate>),
    Binary(Box<Binary>),
    Unary {
        op: UnaryOp,
        expr: Box<Expr>,
    },
    Paren(Box<Expr>),
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    None,
    Scalar,
    String,
    /// "instant vector" in messages.
    Vector,
    /// "range vector" in messages.
    Matrix,
}

/// `name{matchers} offset … @ … anchored`.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The name before the braces; it is the last of `matchers` too. One that is quoted in the braces
    /// is only among `matchers`.
    pub name: Option<String>,
    pub matchers: Vec<Matcher>,
    pub place: Place,
    pub range_mode: Option<RangeMode>,
}

/// `anchored` and `smoothed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeMode {
    Anchored,
    Smoothed,
}

/// Where in time a selector or subquery looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    pub offset: Option<DurationExpr>,
    pub at: Option<At>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// Milliseconds since 1970.
    Time(i64),
    Start,
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    pub vector: VectorSelector,
    /// Where the vector selector alone stands.
    pub vector_span: Span,
    pub range: DurationExpr,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    pub expr: Expr,
    pub range: DurationExpr,
    pub step: Option<DurationExpr>,
    pub place: Place,
}

/// A length of time. What is not a literal is known only with the query's step and range:
/// [`DurationExpr::resolve`].
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    pub kind: DurationKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// Seconds; `duration` where it was written with a unit.
    Literal {
        seconds: f64,
        duration: bool,
    },
    Step,
    Range,
    Unary {
        op: UnaryOp,
        expr: Box<DurationExpr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<DurationExpr>,
        right: Box<DurationExpr>,
    },
    /// `min_of(a, b)`.
    Min(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`.
    Max(Box<DurationExpr>, Box<DurationExpr>),
    Paren(Box<DurationExpr>),
}

#[derive(Clone, Debug)]
pub struct Matcher {
    pub op: MatchOp,
    pub name: String,
    pub value: String,
    /// For `=~` and `!~`, anchored at both ends, `.` matches a newline; compiled by the parser.
    pub regex: Option<Arc<Regex>>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    Equal,
    NotEqual,
    Regex,
    NotRegex,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub function: &'static crate::functions::Function,
    pub args: Vec<Expr>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    pub op: AggregateOp,
    pub expr: Expr,
    /// `topk(2, …)`, `quantile(0.9, …)`, `count_values("label", …)`, `limitk`, `limit_ratio`.
    pub param: Option<Expr>,
    /// The labels of `by` or `without`, as written.
    pub grouping: Vec<String>,
    pub without: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Plus,
    Minus,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub op: BinaryOp,
    pub left: Expr,
    pub right: Expr,
    /// `bool`: a comparison gives 0 or 1 and filters nothing.
    pub return_bool: bool,
    /// Only between two vectors.
    pub matching: Option<VectorMatching>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    And,
    Or,
    Unless,
    /// `</`: keep the observations of a histogram below a value.
    TrimUpper,
    /// `>/`: keep the observations of a histogram above a value.
    TrimLower,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    pub on: bool,
    /// The labels of `group_left` or `group_right`: taken over from the side that is one.
    pub include: Vec<String>,
    /// What stands in for a missing partner on either side.
    pub fill_left: Option<f64>,
    pub fill_right: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cardinality {
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// `and`, `or`, `unless`.
    ManyToMany,
}
