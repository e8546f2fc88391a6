//! Vectors as streams of rows.
//!
//! What is done to each series on its own runs with the reading of it, on the threads of the
//! query; everything else consumes the rows in order. So a sum of rates holds the samples of one
//! series for each thread, whatever the number of series.

use super::QueryError;
use super::column::{Cell, Claim, Column, Row};
use super::function::map::MapStage;
use super::grid::Grid;
use super::names::{Claims, drop_known_name, drop_name};
use super::plan::{RangeCall, RangeInput, RangeSource, Selector, VectorPlan};
use super::query::Query;
use super::range::{RangeStage, Work};
use super::series::{self, Intake};
use super::windows::Windows;
use super::workers::{self, Done};
use super::{nodes, selector};
use crate::labels::{Labels, METRIC_NAME};
use crate::source::{Samples, Selection};

/// Where rows go.
pub(super) type Sink<'s> = &'s mut dyn FnMut(Row) -> Result<(), QueryError>;

/// What is done to a row on its way.
enum Stage<'p> {
    Map(MapStage<'p>),
    /// A function over the steps of a subquery.
    OverSteps {
        range: RangeStage<'p>,
        inner: Grid,
    },
    /// The value of one step at all of them.
    Repeat {
        steps: usize,
    },
}

/// Evaluates a vector.
pub(super) fn stream(
    query: &Query<'_>,
    plan: &VectorPlan,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    query.check()?;
    query.allow_grid(grid)?;
    let mut stages = Vec::new();
    let Some((node, grid)) = unfold(query, plan, *grid, &mut stages)? else { return Ok(()) };
    stages.reverse();
    let delayed = query.options.delayed_name_removal;
    let mut claims = Claims::default();
    let mut checked = |mut row: Row| {
        if let Claim::Steps(steps) = std::mem::take(&mut row.claim) {
            claims.claim(&row.labels, &steps)?;
        }
        sink(row)
    };
    if let Some(leaf) = Leaf::of(query, node, &grid)? {
        return leaf.read(query, &grid, &stages, &mut checked);
    }
    let mut work = Work::default();
    nodes::evaluate(query, node, &grid, &mut |row| match apply(row, &stages, delayed, &mut work)? {
        Some(row) => checked(row),
        None => Ok(()),
    })?;
    query.merge_remarks(work.remarks);
    query.count_read(work.read);
    Ok(())
}

/// Takes the stages off a plan, outermost first. None where there are no steps.
fn unfold<'p>(
    query: &Query<'p>,
    mut node: &'p VectorPlan,
    mut grid: Grid,
    stages: &mut Vec<Stage<'p>>,
) -> Result<Option<(&'p VectorPlan, Grid)>, QueryError> {
    while grid.steps > 0 {
        match node {
            VectorPlan::Map { map, input } => {
                stages.push(Stage::Map(MapStage::new(query, map, &grid)?));
                node = input;
            }
            VectorPlan::Range(call) => {
                let RangeSource::Subquery { input, step_ms } = &call.input.source else { break };
                let inner = subquery_grid(&call.input, *step_ms, &grid);
                query.allow_grid(&inner)?;
                stages.push(Stage::OverSteps { range: RangeStage::new(query, call, &grid)?, inner });
                (node, grid) = (input, inner);
            }
            VectorPlan::Invariant(input) => {
                if grid.steps > 1 {
                    stages.push(Stage::Repeat { steps: grid.steps });
                    grid = grid.first();
                }
                node = input;
            }
            _ => break,
        }
    }
    Ok((grid.steps > 0).then_some((node, grid)))
}

/// The steps of a subquery: multiples of its step, from after the start of the first range to the
/// end of the last.
pub(super) fn subquery_grid(input: &RangeInput, step_ms: i64, outer: &Grid) -> Grid {
    let end = input.place.time(outer.end_ms());
    let start = input.place.time(outer.start_ms).saturating_sub(input.range_ms);
    let mut first = (start / step_ms).saturating_mul(step_ms);
    if first <= start {
        first = first.saturating_add(step_ms);
    }
    Grid::new(first, end, step_ms)
}

fn apply(
    mut row: Row,
    stages: &[Stage<'_>],
    delayed: bool,
    work: &mut Work,
) -> Result<Option<Row>, QueryError> {
    for stage in stages {
        match stage {
            Stage::Map(map) => match map.apply(row, delayed, work) {
                Some(mapped) => row = mapped,
                None => return Ok(None),
            },
            Stage::Repeat { steps } => row.column = repeat(&row.column, *steps),
            Stage::OverSteps { range, inner } => {
                let mut series = std::mem::take(&mut work.series);
                series.fill_from_steps(&row.column, inner);
                row.column = range.evaluate(row.labels.get(METRIC_NAME), &series, work)?;
                work.series = series;
                if !row.column.present.any() {
                    return Ok(None);
                }
                if !range.call.keep_name {
                    drop_name(&mut row, delayed, true);
                }
            }
        }
    }
    Ok(Some(row))
}

fn repeat(column: &Column, steps: usize) -> Column {
    match column.get(0) {
        None => Column::none(steps),
        Some(Cell::Float(value)) => Column::all(vec![value; steps]),
        Some(Cell::Histogram(histogram)) => {
            let mut repeated = Column::all(vec![0.0; steps]);
            repeated.histograms = vec![Some(histogram.clone()); steps];
            repeated
        }
    }
}

/// What reads series.
enum Leaf<'p> {
    Values { selector: &'p Selector, windows: Windows },
    Times { selector: &'p Selector, windows: Windows, start: bool },
    Smoothed { selector: &'p Selector, windows: Windows },
    Range { selector: &'p Selector, range: RangeStage<'p> },
}

impl<'p> Leaf<'p> {
    fn of(query: &Query<'p>, plan: &'p VectorPlan, grid: &Grid) -> Result<Option<Self>, QueryError> {
        let windows = |selector| selector::windows(selector, grid, query.options.lookback_ms);
        Ok(Some(match plan {
            VectorPlan::Select(selector) => Self::Values { selector, windows: windows(selector) },
            VectorPlan::SampleTime { selector, start } => {
                Self::Times { selector, windows: windows(selector), start: *start }
            }
            VectorPlan::Smoothed(selector) => Self::Smoothed { selector, windows: windows(selector) },
            VectorPlan::Range(
                call @ RangeCall { input: RangeInput { source: RangeSource::Selector(selector), .. }, .. },
            ) => Self::Range { selector, range: RangeStage::new(query, call, grid)? },
            _ => return Ok(None),
        }))
    }

    fn selector(&self) -> &'p Selector {
        match self {
            Self::Values { selector, .. }
            | Self::Times { selector, .. }
            | Self::Smoothed { selector, .. }
            | Self::Range { selector, .. } => selector,
        }
    }

    fn windows(&self) -> &Windows {
        match self {
            Self::Values { windows, .. } | Self::Times { windows, .. } | Self::Smoothed { windows, .. } => {
                windows
            }
            Self::Range { range, .. } => &range.windows,
        }
    }

    fn read(
        &self,
        query: &Query<'_>,
        grid: &Grid,
        stages: &[Stage<'_>],
        sink: Sink<'_>,
    ) -> Result<(), QueryError> {
        let start = matches!(self, Self::Times { start: true, .. });
        if start && !query.options.start_timestamps {
            return Ok(());
        }
        let range_ms = if let Self::Range { range, .. } = self { range.windows.range_ms } else { 0 };
        let selection = selection(self.selector(), self.windows(), grid, range_ms);
        let intake = Intake {
            start_ms: selection.start_ms,
            end_ms: selection.end_ms,
            start_times: query.options.start_timestamps,
            statistics_only: self.selector().statistics_only,
        };
        let series = query.source.select(&selection)?;
        let delayed = query.options.delayed_name_removal;
        let task = |labels: Labels, samples: Samples<'_>, work: &mut Work| {
            let (row, loaded) = self.one(labels, samples, &intake, delayed, work)?;
            let row = match row {
                Some(row) => apply(row, stages, delayed, work)?,
                None => None,
            };
            Ok(Done { row, loaded })
        };
        workers::run(query, series, &task, sink)
    }

    /// One series; none where nothing is present.
    fn one(
        &self,
        labels: Labels,
        samples: Samples<'_>,
        intake: &Intake,
        delayed: bool,
        work: &mut Work,
    ) -> Result<(Option<Row>, usize), QueryError> {
        let mut chunk = std::mem::take(&mut work.chunk);
        series::take(samples, intake, &mut chunk)?;
        let mut loaded = chunk.times_ms.len();
        let column = match self {
            Self::Values { windows, .. } => selector::values(&chunk, windows, &mut work.read),
            Self::Times { windows, start, .. } => selector::times(&chunk, windows, *start, &mut work.read),
            Self::Smoothed { .. } | Self::Range { .. } => {
                let mut series = std::mem::take(&mut work.series);
                series.fill(&mut chunk);
                loaded = series.samples();
                let name = labels.get(METRIC_NAME);
                let column = match self {
                    Self::Range { range, .. } => range.evaluate(name, &series, work)?,
                    Self::Smoothed { selector, windows } => {
                        selector::smoothed(selector, windows, name, &series, work)
                    }
                    Self::Values { .. } | Self::Times { .. } => Column::default(),
                };
                work.series = series;
                column
            }
        };
        work.chunk = chunk;
        if !column.present.any() {
            return Ok((None, loaded));
        }
        let mut row = Row::new(labels, column);
        let drop_name = if self.selector().has_one_name() { drop_known_name } else { drop_name };
        match self {
            Self::Range { range, .. } if !range.call.keep_name => drop_name(&mut row, delayed, true),
            Self::Times { .. } => drop_name(&mut row, delayed, false),
            _ => {}
        }
        Ok((Some(row), loaded))
    }
}

/// What a selector needs to read.
pub(super) fn selection(selector: &Selector, windows: &Windows, grid: &Grid, range_ms: i64) -> Selection {
    let (start_ms, end_ms) = windows.span();
    Selection {
        matchers: selector.matchers.clone(),
        start_ms,
        end_ms,
        apart: windows.apart(),
        step_ms: if grid.steps > 1 { grid.step_ms } else { 0 },
        range_ms,
        function: selector.function,
        labels_only: false,
        resets: selector.statistics_only,
    }
}
