//! The value of a query.

use std::sync::Arc;

use super::QueryError;
use super::column::{Cell, Column, Row};
use super::grid::Grid;
use super::names::{Merged, without_metadata};
use super::plan::{RangeInput, RangeSource, Selector, VectorPlan};
use super::query::Query;
use super::series::{self, Intake, Series};
use super::stream::{self, stream};
use super::windows::Windows;
use crate::ast::RangeMode;
use crate::labels::Labels;
use crate::source::{Chunk, Point};
use crate::value::{Matrix, Sample, Vector};

/// Of an instant query, in the order in which it comes.
pub(super) fn vector(query: &Query<'_>, plan: &VectorPlan, grid: &Grid) -> Result<Vector, QueryError> {
    let rows = merged(query, plan, grid)?;
    let samples = rows.into_iter().filter_map(|row| {
        let point = row.column.get(0).map(point)?;
        Some(Sample { labels: row.labels, time_ms: grid.start_ms, point })
    });
    Ok(samples.collect())
}

/// Of a range query, sorted by labels.
pub(super) fn matrix(query: &Query<'_>, plan: &VectorPlan, grid: &Grid) -> Result<Matrix, QueryError> {
    let rows = merged(query, plan, grid)?;
    let mut matrix: Matrix = rows.into_iter().map(|row| to_series(row.labels, &row.column, grid)).collect();
    matrix.sort_unstable_by(|left, right| left.labels.cmp(&right.labels));
    Ok(matrix)
}

/// Rows with their names dropped where they have to go; those that are the same then are made one.
fn merged(query: &Query<'_>, plan: &VectorPlan, grid: &Grid) -> Result<Vec<Row>, QueryError> {
    let mut merged = Merged::default();
    stream(query, plan, grid, &mut |mut row: Row| {
        if row.drop_name && query.options.delayed_name_removal {
            row.labels = without_metadata(&row.labels);
        }
        query.hold(row.column.samples())?;
        merged.add(row)
    })?;
    Ok(merged.rows)
}

pub(super) fn to_series(labels: Labels, column: &Column, grid: &Grid) -> crate::value::Series {
    let points = column.cells().map(|(step, cell)| (grid.time(step), point(cell))).collect();
    crate::value::Series { labels, points }
}

fn point(cell: Cell<'_>) -> Point {
    match cell {
        Cell::Float(value) => Point::Float(value),
        Cell::Histogram(histogram) => Point::Histogram(Arc::clone(histogram)),
    }
}

/// A range on its own: samples as they are, or the steps of a subquery.
pub(super) fn range(query: &Query<'_>, input: &RangeInput, grid: &Grid) -> Result<Matrix, QueryError> {
    match &input.source {
        RangeSource::Subquery { input: inner, step_ms } => {
            let inner_grid = stream::subquery_grid(input, *step_ms, grid);
            if inner_grid.steps == 0 { Ok(Vec::new()) } else { matrix(query, inner, &inner_grid) }
        }
        RangeSource::Selector(selector) => samples(query, input, selector, grid),
    }
}

fn samples(
    query: &Query<'_>,
    input: &RangeInput,
    selector: &Selector,
    grid: &Grid,
) -> Result<Matrix, QueryError> {
    let windows = Windows::new(grid, input, query.options.lookback_ms);
    let selection = stream::selection(selector, &windows, grid, input.range_ms);
    let intake = Intake {
        start_ms: selection.start_ms,
        end_ms: selection.end_ms,
        start_times: false,
        statistics_only: false,
    };
    let mut chunk = Chunk::default();
    let mut series = Series::default();
    let mut matrix = Vec::new();
    for item in query.source.select(&selection)? {
        query.check()?;
        let (labels, samples) = item?;
        query.count_series()?;
        series::take(samples, &intake, &mut chunk)?;
        series.fill(&mut chunk);
        query.count_read(series.samples() as u64);
        let points = match selector.mode {
            None => points(&series),
            Some(mode) => extended_points(&series, &windows, mode),
        };
        query.hold(points.len())?;
        if !points.is_empty() {
            matrix.push(crate::value::Series { labels, points });
        }
    }
    matrix.sort_unstable_by(|left, right| left.labels.cmp(&right.labels));
    Ok(matrix)
}

fn points(series: &Series) -> Vec<(i64, Point)> {
    let floats = series.floats.times.iter().zip(&series.floats.values);
    let histograms = series.histograms.times.iter().zip(&series.histograms.values);
    let mut points: Vec<_> = floats
        .map(|(time, value)| (*time, Point::Float(*value)))
        .chain(histograms.map(|(time, histogram)| (*time, Point::Histogram(Arc::clone(histogram)))))
        .collect();
    points.sort_by_key(|(time, _)| *time);
    points
}

/// The samples of an anchored or smoothed range, with what stands at its ends.
fn extended_points(series: &Series, windows: &Windows, mode: RangeMode) -> Vec<(i64, Point)> {
    let (start, end) = (windows.start(0), windows.end(0));
    let all = points(series);
    let smoothed = mode == RangeMode::Smoothed;
    let before = all.iter().rfind(|(time, _)| *time <= start);
    let after = all.iter().find(|(time, _)| *time >= end);
    let inside: Vec<_> = all.iter().filter(|(time, _)| *time > start && *time < end).cloned().collect();
    let last = all.iter().rfind(|(time, _)| *time <= end);
    let first = before.or(inside.first()).or(after);
    let (Some(first), Some(last)) = (first, last) else { return Vec::new() };
    if !smoothed && last.0 <= start {
        return Vec::new();
    }
    let at = |left: Option<&(i64, Point)>, right: Option<&(i64, Point)>, time: i64| match (left, right) {
        (Some((from, Point::Float(low))), Some((to, Point::Float(high)))) if smoothed && to > from => {
            Some((time, Point::Float(low + (high - low) * (time - from) as f64 / (to - from) as f64)))
        }
        _ => None,
    };
    let next = inside.first().or(after);
    let left = at(before, next, start).unwrap_or_else(|| (start, first.1.clone()));
    let right = at(Some(last), after, end).unwrap_or_else(|| (end, last.1.clone()));
    std::iter::once(left).chain(inside).chain(std::iter::once(right)).collect()
}
