//! Calls of functions.

use super::build::{Builder, bare};
use super::{
    DatePart, HistogramCall, HistogramKind, HistogramStatistic, Map, MathFunction, RangeCall, RangeFunction,
    Relabel, ScalarPlan, SortOrder, VectorPlan,
};
use crate::ast::{self, Expr, ExprKind, MatchOp, Matcher, Span};
use crate::engine::QueryError;
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};

impl Builder<'_> {
    pub(super) fn scalar_call(self, call: &ast::Call) -> Result<ScalarPlan, QueryError> {
        self.check_gate(call)?;
        let seconds = |time_ms: i64| ScalarPlan::Number(time_ms as f64 / 1000.0);
        Ok(match call.function.name {
            "time" => ScalarPlan::Time,
            "pi" => ScalarPlan::Number(std::f64::consts::PI),
            "scalar" => ScalarPlan::Of(Box::new(self.vector(argument(call, 0)?)?)),
            "start" => seconds(self.times.start_ms),
            "end" => seconds(self.times.end_ms),
            "step" => seconds(self.times.step_ms),
            "range" => seconds(self.range_ms()),
            "min_of" => {
                let (left, right) = (self.scalar(argument(call, 0)?)?, self.scalar(argument(call, 1)?)?);
                ScalarPlan::Min(Box::new(left), Box::new(right))
            }
            "max_of" => {
                let (left, right) = (self.scalar(argument(call, 0)?)?, self.scalar(argument(call, 1)?)?);
                ScalarPlan::Max(Box::new(left), Box::new(right))
            }
            name => return Err(unknown(name)),
        })
    }

    fn check_gate(&self, call: &ast::Call) -> Result<(), QueryError> {
        if call.function.experimental {
            let text = format!(
                "{}() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                call.function.name
            );
            self.require_experimental(&text)?;
        }
        Ok(())
    }

    pub(super) fn vector_call(self, call: &ast::Call, span: Span) -> Result<VectorPlan, QueryError> {
        self.check_gate(call)?;
        let name = call.function.name;
        if let Some(function) = range_function(name) {
            return self.range_plan(function, call).map(VectorPlan::Range);
        }
        if let Some(function) = math_function(name) {
            return self.map(Map::Math(function), argument(call, 0)?);
        }
        if let Some(part) = date_part(name) {
            return match call.args.first() {
                Some(vector) => self.map(Map::Date(part), vector),
                None => {
                    let input = Box::new(VectorPlan::FromScalar(ScalarPlan::Time));
                    Ok(VectorPlan::Map { map: Map::Date(part), input })
                }
            };
        }
        if let Some(statistic) = histogram_statistic(name) {
            let under = Self {
                statistics_only: matches!(
                    statistic,
                    HistogramStatistic::Count | HistogramStatistic::Sum | HistogramStatistic::Avg
                ) || self.statistics_only,
                ..self
            };
            return under.map(Map::Statistic(statistic), argument(call, 0)?);
        }
        self.other_call(call, span)
    }

    /// Flat: one arm for each function that is like no other.
    fn other_call(self, call: &ast::Call, span: Span) -> Result<VectorPlan, QueryError> {
        match call.function.name {
            "vector" => Ok(VectorPlan::FromScalar(self.scalar(argument(call, 0)?)?)),
            "clamp" => {
                let (min, max) = (self.scalar(argument(call, 1)?)?, self.scalar(argument(call, 2)?)?);
                self.map(Map::Clamp { min: Some(min), max: Some(max) }, argument(call, 0)?)
            }
            "clamp_min" => {
                let min = Some(self.scalar(argument(call, 1)?)?);
                self.map(Map::Clamp { min, max: None }, argument(call, 0)?)
            }
            "clamp_max" => {
                let max = Some(self.scalar(argument(call, 1)?)?);
                self.map(Map::Clamp { min: None, max }, argument(call, 0)?)
            }
            "round" => {
                let nearest = match call.args.get(1) {
                    Some(nearest) => self.scalar(nearest)?,
                    None => ScalarPlan::Number(1.0),
                };
                self.map(Map::Round(nearest), argument(call, 0)?)
            }
            "timestamp" => self.sample_time(call, false),
            "start_timestamp" => self.sample_time(call, true),
            "absent" => {
                let arg = argument(call, 0)?;
                Ok(VectorPlan::Absent { input: Box::new(self.vector(arg)?), labels: absent_labels(arg) })
            }
            "absent_over_time" => {
                let mut present = self.range_plan(RangeFunction::Present, call)?;
                present.keep_name = true;
                let labels = absent_labels(argument(call, 0)?);
                Ok(VectorPlan::Absent { input: Box::new(VectorPlan::Range(present)), labels })
            }
            "sort" => self.sort(call, span, SortOrder::Value { descending: false }),
            "sort_desc" => self.sort(call, span, SortOrder::Value { descending: true }),
            "sort_by_label" | "sort_by_label_desc" => {
                let labels =
                    call.args.iter().skip(1).map(|arg| self.string(arg)).collect::<Result<_, _>>()?;
                let descending = call.function.name == "sort_by_label_desc";
                self.sort(call, span, SortOrder::Labels { labels, descending })
            }
            "label_replace" => self.label_replace(call),
            "label_join" => self.label_join(call),
            "histogram_fraction" | "histogram_quantile" | "histogram_quantiles" => self.histogram_call(call),
            "info" => self.info(&call.args),
            name => Err(unknown(name)),
        }
    }

    fn map(self, map: Map, input: &Expr) -> Result<VectorPlan, QueryError> {
        Ok(VectorPlan::Map { map, input: Box::new(self.vector(input)?) })
    }

    fn sort(self, call: &ast::Call, span: Span, order: SortOrder) -> Result<VectorPlan, QueryError> {
        Ok(VectorPlan::Sort { input: Box::new(self.vector(argument(call, 0)?)?), order, span })
    }

    fn range_plan(self, function: RangeFunction, call: &ast::Call) -> Result<RangeCall, QueryError> {
        let place = usize::from(function == RangeFunction::Quantile);
        let input = self.range(argument(call, place)?, Some(call.function.name))?;
        let others = call.args.iter().enumerate().filter(|(number, _)| *number != place);
        let scalars = others.map(|(_, arg)| self.scalar(arg)).collect::<Result<_, _>>()?;
        let span_of = |arg: Option<&Expr>| arg.map_or_else(Span::default, |arg| bare(arg).span);
        let first_span = span_of(call.args.first());
        let args_span = Span { start: first_span.start, end: span_of(call.args.last()).end };
        let keep_name = matches!(function, RangeFunction::First | RangeFunction::Last);
        Ok(RangeCall { function, input, scalars, keep_name, first_span, args_span })
    }

    /// A selector gives the time of its sample, anything else that of the step.
    fn sample_time(self, call: &ast::Call, start: bool) -> Result<VectorPlan, QueryError> {
        let arg = bare(argument(call, 0)?);
        match &arg.kind {
            ExprKind::Vector(selector) if selector.range_mode.is_none() => {
                let selector = self.selector(selector, arg.span, Some(call.function.name))?;
                Ok(VectorPlan::SampleTime { selector, start })
            }
            _ => self.map(if start { Map::Nothing } else { Map::StepTime }, arg),
        }
    }

    fn histogram_call(self, call: &ast::Call) -> Result<VectorPlan, QueryError> {
        let under = Self { statistics_only: false, ..self };
        let arg = |place| argument(call, place);
        let (kind, vector) = match call.function.name {
            "histogram_fraction" => {
                let (lower, upper) = (under.scalar(arg(0)?)?, under.scalar(arg(1)?)?);
                (HistogramKind::Fraction { lower, upper }, arg(2)?)
            }
            "histogram_quantile" => {
                let span = bare(arg(0)?).span;
                (HistogramKind::Quantile { quantile: under.scalar(arg(0)?)?, span }, arg(1)?)
            }
            _ => {
                let label = under.string(arg(1)?)?;
                let quantile = |arg: &Expr| Ok((under.scalar(arg)?, bare(arg).span));
                let quantiles = call.args.iter().skip(2).map(quantile).collect::<Result<_, QueryError>>()?;
                (HistogramKind::Quantiles { label, quantiles }, arg(0)?)
            }
        };
        Ok(VectorPlan::Histogram(Box::new(HistogramCall {
            kind,
            input: under.vector(vector)?,
            input_span: bare(vector).span,
        })))
    }

    fn label_replace(self, call: &ast::Call) -> Result<VectorPlan, QueryError> {
        let text = |place| self.string(argument(call, place)?);
        let (destination, replacement, source, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
        let fail = |text: String| Err(QueryError::Execution(text));
        let Ok(regex) = crate::parse::compile_regex(&pattern) else {
            return fail(format!("invalid regular expression in label_replace(): {pattern}"));
        };
        if !is_label_name(&destination) {
            return fail(format!("invalid destination label name in label_replace(): {destination}"));
        }
        let relabel = Relabel::Replace { destination, replacement, source, regex: Box::new(regex) };
        Ok(VectorPlan::Relabel { input: Box::new(self.vector(argument(call, 0)?)?), relabel })
    }

    fn label_join(self, call: &ast::Call) -> Result<VectorPlan, QueryError> {
        let (destination, separator) = (self.string(argument(call, 1)?)?, self.string(argument(call, 2)?)?);
        let fail = |text: String| Err(QueryError::Execution(text));
        let sources: Vec<_> =
            call.args.iter().skip(3).map(|arg| self.string(arg)).collect::<Result<_, _>>()?;
        if let Some(source) = sources.iter().find(|source| !is_label_name(source)) {
            return fail(format!("invalid source label name in label_join(): {source}"));
        }
        if !is_label_name(&destination) {
            return fail(format!("invalid destination label name in label_join(): {destination}"));
        }
        let relabel = Relabel::Join { destination, separator, sources };
        Ok(VectorPlan::Relabel { input: Box::new(self.vector(argument(call, 0)?)?), relabel })
    }
}

fn argument(call: &ast::Call, place: usize) -> Result<&Expr, QueryError> {
    call.args.get(place).ok_or_else(|| {
        let name = call.function.name;
        QueryError::Invalid(format!("expected more arguments in call to \"{name}\", got {}", call.args.len()))
    })
}

fn unknown(name: &str) -> QueryError {
    // The parser knows names that are not evaluated yet.
    QueryError::Invalid(format!("function \"{name}\" is not supported"))
}

/// Any text but an empty one (a text is UTF-8 already); what the parser could not read as UTF-8
/// holds a replacement character.
fn is_label_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::REPLACEMENT_CHARACTER)
}

/// The labels that a selector fixes exactly, and once.
fn absent_labels(arg: &Expr) -> Labels {
    let matchers: &[Matcher] = match &bare(arg).kind {
        ExprKind::Vector(selector) => &selector.matchers,
        ExprKind::Matrix(selector) => &selector.vector.matchers,
        _ => &[],
    };
    let mut labels = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        if matcher.op == MatchOp::Equal && !seen.contains(&matcher.name.as_str()) {
            labels.set(&matcher.name, &matcher.value);
            seen.push(&matcher.name);
        } else {
            labels.remove(&matcher.name);
        }
    }
    labels.build()
}

fn range_function(name: &str) -> Option<RangeFunction> {
    Some(match name {
        "rate" => RangeFunction::Rate,
        "increase" => RangeFunction::Increase,
        "delta" => RangeFunction::Delta,
        "irate" => RangeFunction::Irate,
        "idelta" => RangeFunction::Idelta,
        "resets" => RangeFunction::Resets,
        "changes" => RangeFunction::Changes,
        "avg_over_time" => RangeFunction::Avg,
        "sum_over_time" => RangeFunction::Sum,
        "count_over_time" => RangeFunction::Count,
        "min_over_time" => RangeFunction::Min,
        "max_over_time" => RangeFunction::Max,
        "first_over_time" => RangeFunction::First,
        "last_over_time" => RangeFunction::Last,
        "present_over_time" => RangeFunction::Present,
        "stddev_over_time" => RangeFunction::Stddev,
        "stdvar_over_time" => RangeFunction::Stdvar,
        "quantile_over_time" => RangeFunction::Quantile,
        "mad_over_time" => RangeFunction::Mad,
        "ts_of_first_over_time" => RangeFunction::TimeOfFirst,
        "ts_of_last_over_time" => RangeFunction::TimeOfLast,
        "ts_of_min_over_time" => RangeFunction::TimeOfMin,
        "ts_of_max_over_time" => RangeFunction::TimeOfMax,
        "deriv" => RangeFunction::Deriv,
        "predict_linear" => RangeFunction::PredictLinear,
        "double_exponential_smoothing" => RangeFunction::DoubleExponentialSmoothing,
        _ => return None,
    })
}

fn math_function(name: &str) -> Option<MathFunction> {
    Some(match name {
        "abs" => MathFunction::Abs,
        "ceil" => MathFunction::Ceil,
        "floor" => MathFunction::Floor,
        "exp" => MathFunction::Exp,
        "sqrt" => MathFunction::Sqrt,
        "ln" => MathFunction::Ln,
        "log2" => MathFunction::Log2,
        "log10" => MathFunction::Log10,
        "sin" => MathFunction::Sin,
        "cos" => MathFunction::Cos,
        "tan" => MathFunction::Tan,
        "asin" => MathFunction::Asin,
        "acos" => MathFunction::Acos,
        "atan" => MathFunction::Atan,
        "sinh" => MathFunction::Sinh,
        "cosh" => MathFunction::Cosh,
        "tanh" => MathFunction::Tanh,
        "asinh" => MathFunction::Asinh,
        "acosh" => MathFunction::Acosh,
        "atanh" => MathFunction::Atanh,
        "rad" => MathFunction::Rad,
        "deg" => MathFunction::Deg,
        "sgn" => MathFunction::Sgn,
        _ => return None,
    })
}

fn date_part(name: &str) -> Option<DatePart> {
    Some(match name {
        "days_in_month" => DatePart::DaysInMonth,
        "day_of_month" => DatePart::DayOfMonth,
        "day_of_week" => DatePart::DayOfWeek,
        "day_of_year" => DatePart::DayOfYear,
        "hour" => DatePart::Hour,
        "minute" => DatePart::Minute,
        "month" => DatePart::Month,
        "year" => DatePart::Year,
        _ => return None,
    })
}

fn histogram_statistic(name: &str) -> Option<HistogramStatistic> {
    Some(match name {
        "histogram_count" => HistogramStatistic::Count,
        "histogram_sum" => HistogramStatistic::Sum,
        "histogram_avg" => HistogramStatistic::Avg,
        "histogram_stddev" => HistogramStatistic::Stddev,
        "histogram_stdvar" => HistogramStatistic::Stdvar,
        _ => return None,
    })
}
