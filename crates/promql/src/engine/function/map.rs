//! What is done to each series on its own, with arguments evaluated.

use std::sync::Arc;

use super::{date, math};
use crate::engine::QueryError;
use crate::engine::binary::element::{self, Element};
use crate::engine::column::{Cell, Column, Row};
use crate::engine::grid::Grid;
use crate::engine::names::drop_name;
use crate::engine::plan::{HistogramStatistic, Map, ScalarOperation, ScalarPlan};
use crate::engine::query::Query;
use crate::engine::range::Work;
use crate::engine::scalar::{self, ScalarColumn, go_max, go_min};
use crate::histogram::Histogram;

/// A [`Map`] for certain steps.
#[derive(Debug)]
pub(in crate::engine) struct MapStage<'p> {
    map: &'p Map,
    grid: Grid,
    first: ScalarColumn,
    second: ScalarColumn,
}

impl<'p> MapStage<'p> {
    pub(in crate::engine) fn new(query: &Query<'_>, map: &'p Map, grid: &Grid) -> Result<Self, QueryError> {
        let evaluate = |plan: &ScalarPlan| scalar::evaluate(query, plan, grid);
        let bound = |plan: &Option<ScalarPlan>, none| match plan {
            Some(plan) => evaluate(plan),
            None => Ok(ScalarColumn::Same(none)),
        };
        let nothing = ScalarColumn::Same(f64::NAN);
        let (first, second) = match map {
            Map::Clamp { min, max } => (bound(min, f64::NEG_INFINITY)?, bound(max, f64::INFINITY)?),
            Map::Round(nearest) => (evaluate(nearest)?, nothing),
            Map::Scalar(operation) => (evaluate(&operation.scalar)?, nothing),
            _ => (nothing.clone(), nothing),
        };
        Ok(Self { map, grid: *grid, first, second })
    }

    /// None where nothing is left.
    pub(in crate::engine) fn apply(&self, mut row: Row, delayed: bool, work: &mut Work) -> Option<Row> {
        let column = &mut row.column;
        match self.map {
            Map::Math(function) => floats(column, |_, value| math::of(*function)(value)),
            Map::Clamp { .. } => self.clamp(column),
            Map::Round(_) => floats(column, |step, value| math::round(value, self.first.get(step))),
            Map::Date(part) => floats(column, |_, value| date::part(*part, value)),
            Map::Negate => negate(column),
            Map::Statistic(statistic) => *column = statistics(column, *statistic),
            Map::StepTime => {
                let mut times = Column::none(column.steps());
                column.present.ones().for_each(|step| times.set(step, self.grid.time(step) as f64 / 1000.0));
                *column = times;
            }
            Map::Nothing => return None,
            Map::Scalar(operation) => {
                self.operate(column, operation, work);
                if !changes_meaning(operation.op) && !operation.return_bool {
                    return column.present.any().then_some(row);
                }
            }
        }
        if !row.column.present.any() {
            return None;
        }
        drop_name(&mut row, delayed, false);
        Some(row)
    }

    fn clamp(&self, column: &mut Column) {
        column.drop_histograms();
        let steps: Vec<usize> = column.present.ones().collect();
        for step in steps {
            let (min, max) = (self.first.get(step), self.second.get(step));
            if max < min {
                column.present.clear(step);
            } else {
                column.values[step] = go_max(min, go_min(max, column.values[step]));
            }
        }
    }

    fn operate(&self, column: &mut Column, operation: &ScalarOperation, work: &mut Work) {
        if !column.has_histograms() && element::is_arithmetic(operation.op) {
            self.calculate(column, operation);
            return;
        }
        let steps: Vec<usize> = column.present.ones().collect();
        for step in steps {
            let scalar = Cell::Float(self.first.get(step));
            let cell = match column.histograms.get(step) {
                Some(Some(histogram)) => Element::Histogram(Arc::clone(histogram)),
                _ => Element::Float(column.values[step]),
            };
            let (left, right) =
                if operation.swapped { (scalar, cell.as_cell()) } else { (cell.as_cell(), scalar) };
            let result = element::operate(operation.op, left, right, operation.span, &mut work.remarks);
            let Some((mut value, mut keep)) = result else {
                column.present.clear(step);
                continue;
            };
            if operation.swapped && element::is_comparison(operation.op) {
                // The vector's value is what is kept, on whichever side it stands.
                value = cell;
            }
            if operation.return_bool {
                value = Element::Float(f64::from(u8::from(keep)));
                keep = true;
            }
            if keep { value.put(column, step) } else { column.present.clear(step) }
        }
    }

    /// Floats and arithmetic: no decisions.
    fn calculate(&self, column: &mut Column, operation: &ScalarOperation) {
        let (op, swapped) = (operation.op, operation.swapped);
        for run in column.present.runs() {
            for step in run {
                let (value, scalar) = (column.values[step], self.first.get(step));
                let (left, right) = if swapped { (scalar, value) } else { (value, scalar) };
                column.values[step] = scalar::operate(op, left, right);
            }
        }
    }
}

/// Whether the result is another metric than its operands.
pub(in crate::engine) fn changes_meaning(op: crate::ast::BinaryOp) -> bool {
    element::is_arithmetic(op)
}

fn floats(column: &mut Column, change: impl Fn(usize, f64) -> f64) {
    column.drop_histograms();
    for run in column.present.runs() {
        for step in run {
            column.values[step] = change(step, column.values[step]);
        }
    }
}

fn negate(column: &mut Column) {
    column.values.iter_mut().for_each(|value| *value = -*value);
    for histogram in column.histograms.iter_mut().flatten() {
        let mut negated = Histogram::clone(histogram);
        negated.mul(-1.0);
        *histogram = Arc::new(negated);
    }
}

fn statistics(column: &Column, statistic: HistogramStatistic) -> Column {
    let mut result = Column::none(column.steps());
    for (step, cell) in column.cells() {
        if let Cell::Histogram(histogram) = cell {
            let value = match statistic {
                HistogramStatistic::Count => histogram.count,
                HistogramStatistic::Sum => histogram.sum,
                HistogramStatistic::Avg => histogram.average(),
                HistogramStatistic::Stddev => histogram.standard_deviation(),
                HistogramStatistic::Stdvar => histogram.variance(),
            };
            result.set(step, value);
        }
    }
    result
}
