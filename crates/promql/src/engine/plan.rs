//! A query made ready: durations and `@` are resolved, parentheses gone, what is the same at every
//! step marked, and each function a variant of an enum.
//!
//! Enters: a tree and the times of the query. Leaves: plans for scalars, vectors and ranges.
//! Must hold: a plan depends on nothing that is read; it is shared by the threads of a query.

mod aggregate;
mod binary;
mod build;
mod call;
mod info;
mod invariant;
mod range;
mod selector;

use std::sync::Arc;

pub(super) use build::{Builder, Root};

use crate::ast::{AggregateOp, BinaryOp, MatchOp, Matcher, RangeMode, Span};
use crate::labels::{Labels, METRIC_NAME};

/// Gives one number at each step.
#[derive(Debug)]
pub(super) enum ScalarPlan {
    Number(f64),
    Time,
    Negate(Box<ScalarPlan>),
    Binary {
        op: BinaryOp,
        left: Box<ScalarPlan>,
        right: Box<ScalarPlan>,
    },
    /// The value of the only float of a vector.
    Of(Box<VectorPlan>),
    Min(Box<ScalarPlan>, Box<ScalarPlan>),
    Max(Box<ScalarPlan>, Box<ScalarPlan>),
}

/// Gives a vector at each step.
#[derive(Debug)]
pub(super) enum VectorPlan {
    Select(Selector),
    /// `timestamp(selector)`, `start_timestamp(selector)`: the sample's own time.
    SampleTime {
        selector: Selector,
        start: bool,
    },
    /// `selector smoothed`.
    Smoothed(Selector),
    /// A function over a range of samples.
    Range(RangeCall),
    /// The same at each step, evaluated once.
    Invariant(Box<VectorPlan>),
    FromScalar(ScalarPlan),
    Map {
        map: Map,
        input: Box<VectorPlan>,
    },
    Aggregate(Box<Aggregate>),
    /// An operator between two vectors.
    Binary(Box<Binary>),
    Absent {
        input: Box<VectorPlan>,
        labels: Labels,
    },
    Histogram(Box<HistogramCall>),
    Sort {
        input: Box<VectorPlan>,
        order: SortOrder,
        span: Span,
    },
    Relabel {
        input: Box<VectorPlan>,
        relabel: Relabel,
    },
    Info(Box<Info>),
}

/// Which series, and where in time.
#[derive(Debug)]
pub(super) struct Selector {
    pub(super) matchers: Vec<Matcher>,
    pub(super) place: Place,
    pub(super) mode: Option<RangeMode>,
    /// Buckets do not matter, only counts and sums; then counter resets are found at reading.
    pub(super) statistics_only: bool,
    /// The function right above, a hint for the source.
    pub(super) function: Option<&'static str>,
    pub(super) span: Span,
}

impl Selector {
    /// Whether all of its series have the same name.
    pub(super) fn has_one_name(&self) -> bool {
        let fixes = |matcher: &Matcher| matcher.op == MatchOp::Equal && matcher.name == METRIC_NAME;
        self.matchers.iter().any(fixes)
    }
}

/// A fixed time or that of the step, less an offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at_ms: Option<i64>,
    pub(super) offset_ms: i64,
}

impl Place {
    pub(super) fn time(&self, step_time_ms: i64) -> i64 {
        self.at_ms.unwrap_or(step_time_ms).saturating_sub(self.offset_ms)
    }
}

/// What a range function gets.
#[derive(Debug)]
pub(super) struct RangeInput {
    pub(super) source: RangeSource,
    pub(super) range_ms: i64,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum RangeSource {
    Selector(Selector),
    Subquery { input: Box<VectorPlan>, step_ms: i64 },
}

impl RangeInput {
    pub(super) fn mode(&self) -> Option<RangeMode> {
        match &self.source {
            RangeSource::Selector(selector) => selector.mode,
            RangeSource::Subquery { .. } => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct RangeCall {
    pub(super) function: RangeFunction,
    pub(super) input: RangeInput,
    pub(super) scalars: Vec<ScalarPlan>,
    /// What acts like an offset keeps the metric's name.
    pub(super) keep_name: bool,
    /// Where the first argument stands: Prometheus puts most of its remarks there.
    pub(super) first_span: Span,
    /// Where all of them stand.
    pub(super) args_span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RangeFunction {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Resets,
    Changes,
    Avg,
    Sum,
    Count,
    Min,
    Max,
    First,
    Last,
    Present,
    Stddev,
    Stdvar,
    Quantile,
    Mad,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMin,
    TimeOfMax,
    Deriv,
    PredictLinear,
    DoubleExponentialSmoothing,
}

/// What is done to each series on its own.
#[derive(Debug)]
pub(super) enum Map {
    Math(MathFunction),
    Clamp {
        min: Option<ScalarPlan>,
        max: Option<ScalarPlan>,
    },
    Round(ScalarPlan),
    Date(DatePart),
    Negate,
    Scalar(ScalarOperation),
    Statistic(HistogramStatistic),
    /// `timestamp` of anything but a selector: the time of the step.
    StepTime,
    /// `start_timestamp` of anything but a selector: nothing.
    Nothing,
}

#[derive(Debug)]
pub(super) struct ScalarOperation {
    pub(super) op: BinaryOp,
    pub(super) scalar: ScalarPlan,
    /// The scalar stands on the left.
    pub(super) swapped: bool,
    pub(super) return_bool: bool,
    pub(super) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MathFunction {
    Abs,
    Ceil,
    Floor,
    Exp,
    Sqrt,
    Ln,
    Log2,
    Log10,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Rad,
    Deg,
    Sgn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatePart {
    DaysInMonth,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hour,
    Minute,
    Month,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HistogramStatistic {
    Count,
    Sum,
    Avg,
    Stddev,
    Stdvar,
}

#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) op: AggregateOp,
    pub(super) input: VectorPlan,
    pub(super) param: Option<AggregateParam>,
    /// Sorted.
    pub(super) grouping: Vec<Arc<str>>,
    pub(super) without: bool,
    pub(super) input_span: Span,
    pub(super) span: Span,
}

#[derive(Debug)]
pub(super) enum AggregateParam {
    Scalar { plan: ScalarPlan, span: Span },
    Label(String),
}

#[derive(Debug)]
pub(super) struct Binary {
    pub(super) op: BinaryOp,
    pub(super) left: VectorPlan,
    pub(super) right: VectorPlan,
    pub(super) return_bool: bool,
    pub(super) matching: crate::ast::VectorMatching,
    pub(super) span: Span,
}

/// The functions that know classic and native histograms.
#[derive(Debug)]
pub(super) struct HistogramCall {
    pub(super) kind: HistogramKind,
    pub(super) input: VectorPlan,
    pub(super) input_span: Span,
}

#[derive(Debug)]
pub(super) enum HistogramKind {
    Fraction {
        lower: ScalarPlan,
        upper: ScalarPlan,
    },
    Quantile {
        quantile: ScalarPlan,
        span: Span,
    },
    /// One series a quantile, told apart by a label.
    Quantiles {
        label: String,
        quantiles: Vec<(ScalarPlan, Span)>,
    },
}

#[derive(Debug)]
pub(super) enum SortOrder {
    Value { descending: bool },
    Labels { labels: Vec<String>, descending: bool },
}

#[derive(Debug)]
pub(super) enum Relabel {
    Replace { destination: String, replacement: String, source: String, regex: Box<regex::Regex> },
    Join { destination: String, separator: String, sources: Vec<String> },
}

#[derive(Debug)]
pub(super) struct Info {
    pub(super) input: VectorPlan,
    /// Of the second argument.
    pub(super) matchers: Option<Vec<Matcher>>,
    /// When the info series are looked at.
    pub(super) place: Place,
}

/// Whether a label's value fits.
pub(super) fn fits(matcher: &Matcher, value: &str) -> bool {
    let by_regex =
        |regex: &Option<Arc<regex::Regex>>| regex.as_ref().is_some_and(|regex| regex.is_match(value));
    match matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Regex => by_regex(&matcher.regex),
        MatchOp::NotRegex => !by_regex(&matcher.regex),
    }
}
