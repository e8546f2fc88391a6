//! `sum`, `avg`, `count`, `min`, `max`, `group`, `stddev` and `stdvar`: each row is folded into its
//! group and gone.
//!
//! Rounding errors of sums are kept beside them. The loops have no branches for a step, so that
//! they run on several steps at a time.

use super::fold_histogram::HistogramSums;
use super::grouping::Groups;
use crate::annotations::Remark;
use crate::ast::AggregateOp;
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::{Cell, Column, Row};
use crate::engine::grid::Grid;
use crate::engine::plan::Aggregate;
use crate::engine::query::{Held, Query};
use crate::engine::stream::{Sink, stream};
use crate::labels::METRIC_NAME;

pub(super) fn evaluate(
    query: &Query<'_>,
    plan: &Aggregate,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut groups = Groups::default();
    let mut sums: Vec<Group> = Vec::new();
    let mut held = Held::new(query);
    stream(query, &plan.input, grid, &mut |row| {
        let place = groups.place(plan, &row.labels);
        if place == sums.len() {
            held.reserve(grid.steps)?;
            sums.push(Group::new(plan.op, grid.steps));
        }
        sums[place].fold(query, plan, &row);
        Ok(())
    })?;
    for (labels, group) in groups.sorted(sums) {
        let drop_name = group.drop_name;
        let column = group.finish(query, plan);
        if column.present.any() {
            let mut row = Row::new(labels, column);
            row.drop_name = drop_name;
            sink(row)?;
        }
    }
    Ok(())
}

/// What a group has come to at each step.
struct Group {
    seen: Bits,
    /// The sum, mean or extreme.
    values: Vec<f64>,
    /// What rounding lost, or the sum of squares.
    rests: Vec<f64>,
    counts: Vec<f64>,
    /// Steps at which a sum would have overflowed: `values` is the mean there.
    incremental: Option<Bits>,
    histograms: Option<Box<HistogramSums>>,
    drop_name: bool,
}

impl Group {
    fn new(op: AggregateOp, steps: usize) -> Self {
        let column = |wanted: bool, start: f64| if wanted { vec![start; steps] } else { Vec::new() };
        use AggregateOp::{Avg, Count, Max, Min, Stddev, Stdvar, Sum};
        let start = match op {
            Min | Max => f64::NAN,
            // The neutral element of addition, which zero is not.
            Sum | Avg => -0.0,
            _ => 0.0,
        };
        Self {
            seen: Bits::none(steps),
            values: column(matches!(op, Min | Max | Sum | Avg | Stddev | Stdvar), start),
            rests: column(matches!(op, Sum | Avg | Stddev | Stdvar), 0.0),
            counts: column(matches!(op, Avg | Count | Stddev | Stdvar), 0.0),
            incremental: None,
            histograms: None,
            drop_name: false,
        }
    }

    fn fold(&mut self, query: &Query<'_>, plan: &Aggregate, row: &Row) {
        self.drop_name |= row.drop_name;
        let column = &row.column;
        let counts_all = matches!(plan.op, AggregateOp::Count | AggregateOp::Group);
        if !column.has_histograms() || counts_all {
            self.fold_floats(plan.op, column, &column.present);
            return;
        }
        let mut floats = column.present.clone();
        let name = row.labels.get(METRIC_NAME);
        let mut ignored = false;
        for (step, cell) in column.cells() {
            let Cell::Histogram(histogram) = cell else { continue };
            floats.clear(step);
            if matches!(plan.op, AggregateOp::Sum | AggregateOp::Avg) {
                let average = plan.op == AggregateOp::Avg;
                let sums =
                    self.histograms.get_or_insert_with(|| HistogramSums::new(column.steps(), average).into());
                sums.add(query, step, histogram, (name, plan.input_span));
            } else {
                ignored = true;
            }
        }
        if ignored {
            query.remark(&Remark::HistogramIgnoredInAggregation(name_of(plan.op)), plan.input_span);
        }
        self.fold_floats(plan.op, column, &floats);
    }

    fn fold_floats(&mut self, op: AggregateOp, column: &Column, steps: &Bits) {
        for run in steps.runs() {
            let new = &column.values[run.clone()];
            match op {
                AggregateOp::Sum => add(&mut self.values[run.clone()], &mut self.rests[run], new),
                AggregateOp::Avg => self.average(run, new),
                AggregateOp::Count => self.counts[run].iter_mut().for_each(|count| *count += 1.0),
                AggregateOp::Max => extreme(&mut self.values[run], new, |old, new| old < new),
                AggregateOp::Min => extreme(&mut self.values[run], new, |old, new| old > new),
                AggregateOp::Stddev | AggregateOp::Stdvar => self.squares(run, new),
                _ => {}
            }
        }
        self.seen.unite(steps);
    }

    fn average(&mut self, run: std::ops::Range<usize>, new: &[f64]) {
        let sums = &mut self.values[run.clone()];
        let overflow = sums.iter().zip(new).any(|(sum, new)| (sum + new).is_infinite());
        if self.incremental.is_none() && !overflow {
            add(sums, &mut self.rests[run.clone()], new);
            self.counts[run].iter_mut().for_each(|count| *count += 1.0);
            return;
        }
        for (step, new) in run.zip(new) {
            self.average_step(step, *new);
        }
    }

    fn average_step(&mut self, step: usize, new: f64) {
        let incremental = self.incremental.get_or_insert_with(|| Bits::none(self.values.len()));
        let (value, rest, count) = (&mut self.values[step], &mut self.rests[step], &mut self.counts[step]);
        *count += 1.0;
        if !incremental.get(step) {
            if *count == 1.0 || !(*value + new).is_infinite() {
                add(std::slice::from_mut(value), std::slice::from_mut(rest), &[new]);
                return;
            }
            incremental.set(step);
            *value /= *count - 1.0;
            *rest /= *count - 1.0;
        }
        let share = (*count - 1.0) / *count;
        *value *= share;
        *rest *= share;
        add(std::slice::from_mut(value), std::slice::from_mut(rest), &[new / *count]);
    }

    fn squares(&mut self, run: std::ops::Range<usize>, new: &[f64]) {
        for (step, new) in run.zip(new) {
            self.counts[step] += 1.0;
            let delta = new - self.values[step];
            self.values[step] += delta / self.counts[step];
            self.rests[step] += delta * (new - self.values[step]);
        }
    }

    fn finish(mut self, query: &Query<'_>, plan: &Aggregate) -> Column {
        let mut values = match plan.op {
            AggregateOp::Sum => zip(&self.values, &self.rests, |sum, rest| sum + rest),
            AggregateOp::Avg => self.averages(),
            AggregateOp::Count => std::mem::take(&mut self.counts),
            AggregateOp::Min | AggregateOp::Max => std::mem::take(&mut self.values),
            AggregateOp::Stdvar => zip(&self.rests, &self.counts, |squares, count| squares / count),
            AggregateOp::Stddev => zip(&self.rests, &self.counts, |squares, count| (squares / count).sqrt()),
            _ => vec![1.0; self.seen.len()],
        };
        if values.is_empty() {
            values = vec![0.0; self.seen.len()];
        }
        let mut column = Column { values, present: self.seen, histograms: Vec::new() };
        if let Some(sums) = self.histograms {
            sums.finish(query, &mut column, plan.input_span);
        }
        column
    }

    fn averages(&self) -> Vec<f64> {
        let is_mean = |step| self.incremental.as_ref().is_some_and(|incremental| incremental.get(step));
        let average = |step: usize| {
            let (value, rest, count) = (self.values[step], self.rests[step], self.counts[step]);
            if is_mean(step) { value + rest } else { value / count + rest / count }
        };
        (0..self.values.len()).map(average).collect()
    }
}

fn name_of(op: AggregateOp) -> &'static str {
    match op {
        AggregateOp::Min => "min",
        AggregateOp::Max => "max",
        AggregateOp::Stddev => "stddev",
        AggregateOp::Stdvar => "stdvar",
        _ => "",
    }
}

fn zip(left: &[f64], right: &[f64], join: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    left.iter().zip(right).map(|(left, right)| join(*left, *right)).collect()
}

/// The error of each addition is exact (Knuth's two-sum), the same number that Kahan's way with its
/// branch gives.
#[inline]
fn add(sums: &mut [f64], rests: &mut [f64], new: &[f64]) {
    for ((sum, rest), new) in sums.iter_mut().zip(rests).zip(new) {
        let total = *sum + new;
        let part = total - *sum;
        let error = (*sum - (total - part)) + (new - part);
        *rest = if total.is_infinite() { 0.0 } else { *rest + error };
        *sum = total;
    }
}

#[inline]
fn extreme(values: &mut [f64], new: &[f64], better: impl Fn(f64, f64) -> bool) {
    for (value, new) in values.iter_mut().zip(new) {
        *value = if better(*value, *new) | value.is_nan() { *new } else { *value };
    }
}

#[cfg(test)]
mod tests {
    use super::add;
    use crate::histogram::kahan;

    proptest::proptest! {
        #[test]
        fn sums_are_those_of_kahan(values in proptest::collection::vec(proptest::num::f64::ANY, 1..50)) {
            let (mut sum, mut rest) = ([-0.0], [0.0]);
            let (mut expected, mut expected_rest) = (values[0], 0.0);
            for (place, value) in values.iter().enumerate() {
                add(&mut sum, &mut rest, &[*value]);
                if place > 0 {
                    kahan::increase(&mut expected, &mut expected_rest, *value);
                }
            }
            let (ours, theirs) = (sum[0] + rest[0], expected + expected_rest);
            proptest::prop_assert!(ours == theirs || (ours.is_nan() && theirs.is_nan()), "{ours} {theirs}");
        }
    }
}
