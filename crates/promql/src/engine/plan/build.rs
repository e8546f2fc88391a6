//! From the tree to a plan.

use super::invariant::is_invariant;
use super::{Map, RangeInput, ScalarPlan, VectorPlan};
use crate::ast::{DurationError, DurationExpr, DurationKind, Expr, ExprKind, UnaryOp, ValueType};
use crate::engine::grid::TIME_MAX_MS;
use crate::engine::{QueryError, Steps};
use crate::limits::Options;

/// A tree deeper than this is refused: plans are built and evaluated recursively.
const DEPTH_MAX: usize = crate::parse::HEIGHT_MAX;

/// A whole query.
#[derive(Debug)]
pub(in crate::engine) enum Root {
    String(String),
    Scalar(ScalarPlan),
    Vector(VectorPlan),
    Range(RangeInput),
}

/// Carries what the nodes above decide.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Builder<'a> {
    pub(super) options: &'a Options,
    pub(super) times: Steps,
    /// Inside of something that is evaluated once.
    pub(super) invariant: bool,
    /// Under `histogram_count` and the like, no subquery and no quantile in between.
    pub(super) statistics_only: bool,
    pub(super) depth: usize,
}

/// The same without parentheses around it.
pub(super) fn bare(mut expr: &Expr) -> &Expr {
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    expr
}

/// What an expression gives.
pub(super) fn value_type(expr: &Expr) -> ValueType {
    match &bare(expr).kind {
        ExprKind::Number { .. } => ValueType::Scalar,
        ExprKind::String(_) => ValueType::String,
        ExprKind::Vector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
        ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::Matrix,
        ExprKind::Call(call) => call.function.returns,
        ExprKind::Binary(binary) => {
            let scalar = value_type(&binary.left) == ValueType::Scalar
                && value_type(&binary.right) == ValueType::Scalar;
            if scalar { ValueType::Scalar } else { ValueType::Vector }
        }
        ExprKind::Unary { expr, .. } => value_type(expr),
        ExprKind::Paren(_) => ValueType::None,
    }
}

pub(super) fn check_time(time_ms: i64) -> Result<i64, QueryError> {
    if (-TIME_MAX_MS..=TIME_MAX_MS).contains(&time_ms) {
        return Ok(time_ms);
    }
    Err(QueryError::Invalid(format!("the time {time_ms} ms is out of range")))
}

fn fault(error: DurationError) -> QueryError {
    QueryError::Execution(error.to_string())
}

pub(super) fn unexpected(what: &str) -> QueryError {
    QueryError::Invalid(format!("unexpected expression where {what} is needed"))
}

impl<'a> Builder<'a> {
    /// `step_ms` of an instant query is 0, as in Prometheus.
    pub(in crate::engine) fn new(options: &'a Options, times: Steps) -> Self {
        Self { options, times, invariant: false, statistics_only: false, depth: 0 }
    }

    pub(in crate::engine) fn root(self, expr: &Expr) -> Result<Root, QueryError> {
        check_time(self.times.start_ms)?;
        check_time(self.times.end_ms)?;
        check_time(self.times.step_ms)?;
        let expr = bare(expr);
        Ok(match value_type(expr) {
            ValueType::Scalar => Root::Scalar(self.scalar(expr)?),
            ValueType::String => Root::String(self.string(expr)?),
            ValueType::Vector => Root::Vector(self.vector(expr)?),
            ValueType::Matrix => Root::Range(self.range(expr, None)?),
            ValueType::None => return Err(unexpected("a value")),
        })
    }

    pub(super) fn deeper(self) -> Result<Self, QueryError> {
        if self.depth >= DEPTH_MAX {
            return Err(QueryError::Invalid(format!("expression is nested deeper than {DEPTH_MAX}")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    pub(super) fn require_experimental(&self, what: &str) -> Result<(), QueryError> {
        if self.options.experimental { Ok(()) } else { Err(QueryError::Invalid(what.into())) }
    }

    pub(super) fn range_ms(&self) -> i64 {
        self.times.end_ms.saturating_sub(self.times.start_ms)
    }

    /// An offset, milliseconds; may be negative.
    pub(super) fn offset_ms(&self, duration: &DurationExpr) -> Result<i64, QueryError> {
        self.check_duration(duration)?;
        duration.resolve(self.times.step_ms, self.range_ms()).map_err(fault)
    }

    /// A range or a step, milliseconds; more than zero.
    pub(super) fn length_ms(&self, duration: &DurationExpr) -> Result<i64, QueryError> {
        self.check_duration(duration)?;
        duration.resolve_positive(self.times.step_ms, self.range_ms()).map_err(fault)
    }

    /// Refuses what is more than a literal unless experiments are allowed.
    fn check_duration(&self, duration: &DurationExpr) -> Result<(), QueryError> {
        let mut inner = duration;
        while let DurationKind::Paren(expr) | DurationKind::Unary { expr, .. } = &inner.kind {
            inner = expr;
        }
        match inner.kind {
            DurationKind::Literal { .. } => Ok(()),
            _ => self.require_experimental("experimental duration expression is not enabled"),
        }
    }

    pub(super) fn string(self, expr: &Expr) -> Result<String, QueryError> {
        match &bare(expr).kind {
            ExprKind::String(text) => Ok(text.clone()),
            _ => Err(unexpected("a string literal")),
        }
    }

    pub(super) fn scalar(self, expr: &Expr) -> Result<ScalarPlan, QueryError> {
        let this = self.deeper()?;
        Ok(match &bare(expr).kind {
            ExprKind::Number { value, .. } => ScalarPlan::Number(*value),
            ExprKind::Unary { op: UnaryOp::Plus, expr } => this.scalar(expr)?,
            ExprKind::Unary { op: UnaryOp::Minus, expr } => ScalarPlan::Negate(Box::new(this.scalar(expr)?)),
            ExprKind::Binary(binary) => ScalarPlan::Binary {
                op: binary.op,
                left: Box::new(this.scalar(&binary.left)?),
                right: Box::new(this.scalar(&binary.right)?),
            },
            ExprKind::Call(call) => this.scalar_call(call)?,
            _ => return Err(unexpected("a scalar")),
        })
    }

    pub(super) fn vector(self, expr: &Expr) -> Result<VectorPlan, QueryError> {
        let expr = bare(expr);
        let this = self.deeper()?;
        if !this.invariant && is_invariant(expr) {
            let once = Self { invariant: true, ..this };
            return Ok(VectorPlan::Invariant(Box::new(once.varying(expr)?)));
        }
        this.varying(expr)
    }

    /// A vector, as it is evaluated at each step.
    fn varying(self, expr: &Expr) -> Result<VectorPlan, QueryError> {
        match &expr.kind {
            ExprKind::Vector(selector) => self.instant(selector, expr.span, None),
            ExprKind::Unary { op: UnaryOp::Plus, expr } => self.vector(expr),
            ExprKind::Unary { op: UnaryOp::Minus, expr } => {
                Ok(VectorPlan::Map { map: Map::Negate, input: Box::new(self.vector(expr)?) })
            }
            ExprKind::Call(call) => self.vector_call(call, expr.span),
            ExprKind::Aggregate(aggregate) => self.aggregate(aggregate, expr.span),
            ExprKind::Binary(binary) => self.binary(binary, expr.span),
            _ => Err(unexpected("an instant vector")),
        }
    }
}
