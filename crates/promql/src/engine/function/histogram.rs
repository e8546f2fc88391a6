//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, of classic histograms (a
//! series for each bucket) and native ones.

use std::collections::HashMap;
use std::sync::Arc;

use crate::annotations::{Monotonicity, Remark};
use crate::ast::Span;
use crate::engine::QueryError;
use crate::engine::column::{Cell, Claim, Column, Row};
use crate::engine::grid::Grid;
use crate::engine::names::drop_name;
use crate::engine::plan::{HistogramCall, HistogramKind};
use crate::engine::query::{Held, Query};
use crate::engine::scalar::{self, ScalarColumn};
use crate::engine::stream::{Sink, stream};
use crate::histogram::classic::{self, ClassicBucket};
use crate::histogram::{Histogram, NanObservations};
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};

const BUCKET_LABEL: &str = "le";

/// What is asked of each histogram, evaluated.
enum Question {
    Quantile(ScalarColumn),
    Fraction { lower: ScalarColumn, upper: ScalarColumn },
}

/// A question and the label that tells its answers apart.
struct Asked {
    question: Question,
    label: Option<(String, Arc<Vec<String>>)>,
}

/// The series of one histogram: buckets with their bounds, and native ones.
#[derive(Default)]
struct Group {
    buckets: Vec<(f64, usize)>,
    natives: Vec<usize>,
}

struct Evaluation<'a, 'q> {
    query: &'a Query<'q>,
    call: &'a HistogramCall,
    grid: Grid,
    rows: &'a [Row],
}

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    call: &HistogramCall,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let questions = ask(query, call, grid)?;
    let mut held = Held::new(query);
    stream(query, &call.input, grid, &mut |row| held.push(row))?;
    let evaluation = Evaluation { query, call, grid: *grid, rows: &held.rows };
    let (groups, labels) = evaluation.group();
    for asked in &questions {
        for (group, labels) in groups.iter().zip(&labels) {
            query.check()?;
            evaluation.answer(asked, group, labels, sink)?;
        }
    }
    Ok(())
}

fn ask(query: &Query<'_>, call: &HistogramCall, grid: &Grid) -> Result<Vec<Asked>, QueryError> {
    let evaluate = |plan| scalar::evaluate(query, plan, grid);
    let quantile = |plan, span: Span| {
        let column = evaluate(plan)?;
        check_quantile(query, &column, grid, span);
        Ok::<_, QueryError>(column)
    };
    Ok(match &call.kind {
        HistogramKind::Fraction { lower, upper } => {
            let question = Question::Fraction { lower: evaluate(lower)?, upper: evaluate(upper)? };
            vec![Asked { question, label: None }]
        }
        HistogramKind::Quantile { quantile: plan, span } => {
            vec![Asked { question: Question::Quantile(quantile(plan, *span)?), label: None }]
        }
        HistogramKind::Quantiles { label, quantiles } => {
            let mut asked = Vec::new();
            for (plan, span) in quantiles {
                let column = quantile(plan, *span)?;
                let values = match &column {
                    ScalarColumn::Same(value) => vec![open_metrics_float(*value)],
                    ScalarColumn::Steps(values) => {
                        values.iter().map(|value| open_metrics_float(*value)).collect()
                    }
                };
                let label = Some((label.clone(), Arc::new(values)));
                asked.push(Asked { question: Question::Quantile(column), label });
            }
            asked
        }
    })
}

fn check_quantile(query: &Query<'_>, column: &ScalarColumn, grid: &Grid, span: Span) {
    let mut last = None;
    for q in column.values(grid.steps) {
        if !(0.0..=1.0).contains(&q) && last != Some(q.to_bits()) {
            last = Some(q.to_bits());
            query.remark(&Remark::InvalidQuantile(q), span);
        }
    }
}

/// As OpenMetrics writes the values of `le` and `quantile`: with a point or an exponent.
fn open_metrics_float(value: f64) -> String {
    let text = crate::histogram::go_float(value);
    if text.contains(['e', '.', 'N', 'I']) { text } else { format!("{text}.0") }
}

impl Evaluation<'_, '_> {
    /// By all labels but that of the bucket. With the name where it is still there: histograms of
    /// different names do not mix.
    fn group(&self) -> (Vec<Group>, Vec<(Labels, bool)>) {
        let mut places = HashMap::new();
        let (mut groups, mut labels) = (Vec::new(), Vec::new());
        for (number, row) in self.rows.iter().enumerate() {
            let has_histograms = row.column.has_histograms();
            let has_floats =
                !has_histograms || row.column.cells().any(|(_, cell)| matches!(cell, Cell::Float(_)));
            let mut place = |key: Labels, drop_name: bool| {
                *places.entry(key.clone()).or_insert_with(|| {
                    groups.push(Group::default());
                    labels.push((key, drop_name));
                    groups.len() - 1
                })
            };
            let floats = match has_floats {
                true => {
                    self.bound(row).map(|bound| (bound, place(without_bucket(&row.labels), row.drop_name)))
                }
                false => None,
            };
            let native = has_histograms.then(|| place(row.labels.clone(), row.drop_name));
            if let Some((bound, place)) = floats {
                groups[place].buckets.push((bound, number));
            }
            if let Some(place) = native {
                groups[place].natives.push(number);
            }
        }
        (groups, labels)
    }

    /// The upper bound of a bucket's series.
    fn bound(&self, row: &Row) -> Option<f64> {
        let label = row.labels.get(BUCKET_LABEL);
        let bound = parse_go_float(label);
        if bound.is_none() {
            let name = self.name(&row.labels);
            self.query.remark(&Remark::BadBucketLabel { name, label }, self.call.input_span);
        }
        bound
    }

    /// The name in remarks: only where names are still there at this point.
    fn name<'l>(&self, labels: &'l Labels) -> &'l str {
        if self.query.options.delayed_name_removal { labels.get(METRIC_NAME) } else { "" }
    }

    fn answer(
        &self,
        asked: &Asked,
        group: &Group,
        (labels, dropped): &(Labels, bool),
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut column = Column::none(self.grid.steps);
        let mut buckets = Vec::with_capacity(group.buckets.len());
        for step in 0..self.grid.steps {
            if step % 64 == 0 {
                self.query.check()?;
            }
            buckets.clear();
            let floats = group.buckets.iter().filter_map(|(upper_bound, row)| {
                match self.rows[*row].column.get(step) {
                    Some(Cell::Float(count)) => Some(ClassicBucket { upper_bound: *upper_bound, count }),
                    _ => None,
                }
            });
            buckets.extend(floats);
            let native = group.natives.iter().find_map(|row| match self.rows[*row].column.get(step) {
                Some(Cell::Histogram(histogram)) => Some(histogram),
                _ => None,
            });
            match native {
                Some(_) if !buckets.is_empty() => {
                    self.query.remark(&Remark::MixedClassicNative(self.name(labels)), self.call.input_span);
                }
                Some(histogram) => column.set(step, self.native(&asked.question, histogram, labels, step)),
                None if buckets.is_empty() => {}
                None => column.set(step, self.classic(&asked.question, &mut buckets, labels, step)),
            }
        }
        if !column.present.any() {
            return Ok(());
        }
        let mut row = Row::new(labels.clone(), column);
        row.drop_name = *dropped;
        drop_name(&mut row, self.query.options.delayed_name_removal, false);
        let Some((label, values)) = &asked.label else { return self.give(row, sink) };
        self.give_labelled(row, label, values, sink)
    }

    fn give(&self, row: Row, sink: Sink<'_>) -> Result<(), QueryError> {
        sink(row)
    }

    /// With a quantile that changes from step to step, so do the labels.
    fn give_labelled(
        &self,
        row: Row,
        label: &str,
        values: &[String],
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let mut distinct: Vec<&String> = values.iter().collect();
        distinct.sort();
        distinct.dedup();
        for value in distinct {
            let mut part = row.clone();
            if values.len() > 1 {
                for step in row.column.present.ones().filter(|step| values[*step] != *value) {
                    part.column.present.clear(step);
                }
            }
            if part.column.present.any() {
                let mut labels = LabelsBuilder::new(&part.labels);
                labels.set(label, value);
                part.labels = labels.build();
                if matches!(part.claim, Claim::Steps(_)) {
                    part.claim = Claim::Steps(part.column.present.clone());
                }
                sink(part)?;
            }
        }
        Ok(())
    }

    fn native(&self, question: &Question, histogram: &Histogram, labels: &Labels, step: usize) -> f64 {
        let name = self.name(labels);
        match question {
            Question::Quantile(q) => {
                let quantile = histogram.quantile(q.get(step));
                let remark = match quantile.nan_observations {
                    NanObservations::None => return quantile.value,
                    NanObservations::ResultIsNan => Remark::QuantileNanResult(name),
                    NanObservations::SkewedHigher => Remark::QuantileNanSkew(name),
                };
                self.query.remark(&remark, self.call.input_span);
                quantile.value
            }
            Question::Fraction { lower, upper } => {
                let fraction = histogram.fraction(lower.get(step), upper.get(step));
                if fraction.nan_observations {
                    self.query.remark(&Remark::FractionNan(name), self.call.input_span);
                }
                fraction.value
            }
        }
    }

    fn classic(
        &self,
        question: &Question,
        buckets: &mut Vec<ClassicBucket>,
        labels: &Labels,
        step: usize,
    ) -> f64 {
        let q = match question {
            Question::Quantile(q) => q,
            Question::Fraction { lower, upper } => {
                return classic::fraction(lower.get(step), upper.get(step), buckets);
            }
        };
        let (value, bent) = classic::quantile(q.get(step), buckets);
        if bent.forced {
            let time_ms = self.grid.time(step);
            let monotonicity = Monotonicity {
                time_min_ms: time_ms,
                time_max_ms: time_ms,
                bucket_min: bent.bucket_min,
                bucket_max: bent.bucket_max,
                difference_max: bent.difference_max,
                samples: 1,
            };
            let remark = Remark::ForcedMonotonicity { name: self.name(labels), monotonicity };
            self.query.remark(&remark, self.call.input_span);
        }
        value
    }
}

fn without_bucket(labels: &Labels) -> Labels {
    Labels::from_sorted(labels.pairs().iter().filter(|(name, _)| **name != *BUCKET_LABEL).cloned())
}

/// Numbers as Go's `strconv.ParseFloat` reads them, as far as bounds of buckets are written.
fn parse_go_float(text: &str) -> Option<f64> {
    let sane = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if sane { text.parse().ok() } else { None }
}
