//! The tree of a query. Every node knows where in the text it stands.

mod describe;
mod resolve;

use std::sync::Arc;

use regex::Regex;

pub use resolve::DurationError;

/// Byte positions in the query's text, end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// Of the first byte, from 0.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

/// An expression with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is, with what stands below it in the tree.
    pub kind: ExprKind,
    /// From its first to its last token, modifiers included.
    pub span: Span,
}

/// The kinds of nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number; `duration` where it was written as one (`5m`), which the printer keeps.
    Number {
        /// What was written; a duration in seconds.
        value: f64,
        /// Written with a unit.
        duration: bool,
    },
    /// A string literal without its quotes, escapes resolved.
    String(String),
    /// `m{a="b"}`: the latest sample of each series.
    Vector(VectorSelector),
    /// `m[5m]`: the samples of each series within a range.
    Matrix(MatrixSelector),
    /// `expr[1h:5m]`: an instant expression evaluated at many steps.
    Subquery(Box<Subquery>),
    /// `rate(…)`: one of [`crate::functions`].
    Call(Call),
    /// `sum by (a) (…)`.
    Aggregate(Box<Aggregate>),
    /// `left op right`.
    Binary(Box<Binary>),
    /// `-expr` and `+expr`.
    Unary {
        /// The sign.
        op: UnaryOp,
        /// What the sign stands before.
        expr: Box<Expr>,
    },
    /// `(expr)`, kept for the printer; the value is that of what is inside.
    Paren(Box<Expr>),
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// No value: nothing that a query or a function gives, only a name for it as in Prometheus.
    None,
    /// One float at each step, without labels.
    Scalar,
    /// A text, without labels.
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
    /// All of them have to fit; a label that a series does not have is empty.
    pub matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub place: Place,
    /// `anchored` or `smoothed`; experimental.
    pub range_mode: Option<RangeMode>,
}

/// `anchored` and `smoothed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeMode {
    /// The last sample before the range is taken along; nothing is extrapolated.
    Anchored,
    /// Values at the ends of the range are interpolated between the samples around them.
    Smoothed,
}

/// Where in time a selector or subquery looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// How far back from there; forward where it is negative.
    pub offset: Option<DurationExpr>,
    /// A time instead of that of the step.
    pub at: Option<At>,
}

/// What stands behind `@`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// Milliseconds since 1970.
    Time(i64),
    /// `start()`: the first step of the whole query, also within a subquery.
    Start,
    /// `end()`: the end of the whole query, also within a subquery.
    End,
}

/// `selector[range]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// What stands before the brackets; modifiers behind them are in here too.
    pub vector: VectorSelector,
    /// Where the vector selector alone stands.
    pub vector_span: Span,
    /// How far back the samples go.
    pub range: DurationExpr,
}

/// `expr[range:step] offset … @ …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// Evaluated at every step; gives an instant vector.
    pub expr: Expr,
    /// How far back the steps go.
    pub range: DurationExpr,
    /// Without one, [`crate::Options::subquery_step_ms`].
    pub step: Option<DurationExpr>,
    /// `offset` and `@`, for the steps as a whole.
    pub place: Place,
}

/// A length of time. What is not a literal is known only with the query's step and range:
/// [`DurationExpr::resolve`].
#[derive(Clone, Debug, PartialEq)]
pub struct DurationExpr {
    /// How the length comes about.
    pub kind: DurationKind,
    /// Where it stands, without brackets or `offset`.
    pub span: Span,
}

/// What a [`DurationExpr`] is made of. All but literals are experimental.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationKind {
    /// Seconds; `duration` where it was written with a unit.
    Literal {
        /// Fits into nanoseconds of 64 bits, as durations do in Prometheus.
        seconds: f64,
        /// Written with a unit, not as a plain number.
        duration: bool,
    },
    /// `step()`: the step of the query, 0 for an instant one.
    Step,
    /// `range()`: from the query's start to its end, 0 for an instant one.
    Range,
    /// `-a` and `+a`.
    Unary {
        /// The sign.
        op: UnaryOp,
        /// What the sign stands before.
        expr: Box<DurationExpr>,
    },
    /// `a + b`, and `-`, `*`, `/`, `%`, `^`.
    Binary {
        /// Arithmetic; the parser lets no other operator through.
        op: BinaryOp,
        /// In seconds, as every operand.
        left: Box<DurationExpr>,
        /// Where it comes to 0 behind `/` or `%`, resolving gives a [`DurationError`].
        right: Box<DurationExpr>,
    },
    /// `min_of(a, b)`.
    Min(Box<DurationExpr>, Box<DurationExpr>),
    /// `max_of(a, b)`.
    Max(Box<DurationExpr>, Box<DurationExpr>),
    /// `(a)`, kept for the printer.
    Paren(Box<DurationExpr>),
}

/// What the value of one label has to be: `name="value"`. [`Matcher::new`] compiles the expression.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// How the label's value is compared.
    pub op: MatchOp,
    /// Of the label; `__name__` is the metric's name.
    pub name: String,
    /// The text to be equal to, or the source of the expression.
    pub value: String,
    /// For `=~` and `!~`, anchored at both ends, `.` matches a newline; compiled by the parser.
    pub regex: Option<Arc<Regex>>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (self.op, &self.name, &self.value) == (other.op, &other.name, &other.value)
    }
}

/// How a label is compared. A label that a series does not have is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchOp {
    /// `=`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `=~`: the expression fits the whole value.
    Regex,
    /// `!~`: the expression does not fit the whole value.
    NotRegex,
}

/// `function(args)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The entry of the table of functions.
    pub function: &'static crate::functions::Function,
    /// As many as the function takes, each of the type that it takes.
    pub args: Vec<Expr>,
}

/// `op by (labels) (param, expr)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is made of each group.
    pub op: AggregateOp,
    /// What is aggregated: an instant vector.
    pub expr: Expr,
    /// `topk(2, …)`, `quantile(0.9, …)`, `count_values("label", …)`, `limitk`, `limit_ratio`.
    pub param: Option<Expr>,
    /// The labels of `by` or `without`, as written.
    pub grouping: Vec<String>,
    /// Groups are told apart by all labels but those of `grouping` and the metric's name.
    pub without: bool,
}

/// What is made of the series of a group, at each step on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateOp {
    /// `sum`: of floats, or of native histograms.
    Sum,
    /// `avg`: the arithmetic mean of floats, or of native histograms.
    Avg,
    /// `count`: how many series there are.
    Count,
    /// `min` of floats; NaN only where all are.
    Min,
    /// `max` of floats; NaN only where all are.
    Max,
    /// `group`: 1 for each group.
    Group,
    /// `stddev`: the population's standard deviation, of floats.
    Stddev,
    /// `stdvar`: the population's variance, of floats.
    Stdvar,
    /// `topk(k, …)`: the k largest floats of a group, with their own labels.
    Topk,
    /// `bottomk(k, …)`: the k smallest floats of a group, with their own labels.
    Bottomk,
    /// `count_values("label", …)`: how many series have each value, which goes into the label.
    CountValues,
    /// `quantile(q, …)` of floats, interpolated between neighbours.
    Quantile,
    /// `limitk(k, …)`: k series of a group, with their own labels; experimental.
    Limitk,
    /// `limit_ratio(r, …)`: a share of the series, chosen by a hash of their labels; -r gives those
    /// that 1 - r leaves out. Experimental.
    LimitRatio,
}

/// The signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `+`: changes nothing.
    Plus,
    /// `-`: negates floats and histograms; the metric's name goes.
    Minus,
}

/// `left op right`, with the modifiers behind the operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// What is done with the two.
    pub op: BinaryOp,
    /// A scalar or an instant vector, as `right`.
    pub left: Expr,
    /// For a set operator an instant vector, as `left`.
    pub right: Expr,
    /// `bool`: a comparison gives 0 or 1 and filters nothing.
    pub return_bool: bool,
    /// Only between two vectors.
    pub matching: Option<VectorMatching>,
}

/// The operators between two expressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `+`.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`; by zero gives an infinity or NaN, as floats do.
    Div,
    /// `%`: the remainder, with the sign of the left side.
    Mod,
    /// `^`, right-associative.
    Pow,
    /// `atan2`: the angle in radians, left is y and right is x.
    Atan2,
    /// `==`.
    Equal,
    /// `!=`.
    NotEqual,
    /// `>`.
    Greater,
    /// `<`.
    Less,
    /// `>=`.
    GreaterEqual,
    /// `<=`.
    LessEqual,
    /// `and`: series of the left side that have a partner on the right.
    And,
    /// `or`: all series of the left side, and those of the right without a partner.
    Or,
    /// `unless`: series of the left side that have no partner on the right.
    Unless,
    /// `</`: keep the observations of a histogram below a value.
    TrimUpper,
    /// `>/`: keep the observations of a histogram above a value.
    TrimLower,
}

/// Which series of two vectors belong together: `on (…) group_left (…) fill (…)`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorMatching {
    /// How many series on either side may belong together.
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// `on`: only `labels` have to agree; else all but `labels` (and the metric's name).
    pub on: bool,
    /// The labels of `group_left` or `group_right`: taken over from the side that is one.
    pub include: Vec<String>,
    /// What stands in for a missing partner on the left side; experimental.
    pub fill_left: Option<f64>,
    /// What stands in for a missing partner on the right side; experimental.
    pub fill_right: Option<f64>,
}

/// How many series of the left and of the right side may belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cardinality {
    /// Without a modifier: one on either side.
    #[default]
    OneToOne,
    /// `group_left`.
    ManyToOne,
    /// `group_right`.
    OneToMany,
    /// `and`, `or`, `unless`.
    ManyToMany,
}
