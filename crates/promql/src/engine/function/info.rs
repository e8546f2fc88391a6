//! `info`: labels of info metrics (`target_info`) put onto the series of the same instance and job.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::ast::{MatchOp, Matcher};
use crate::engine::QueryError;
use crate::engine::bits::Bits;
use crate::engine::column::Row;
use crate::engine::grid::Grid;
use crate::engine::plan::{Info, fits};
use crate::engine::query::{Held, Query};
use crate::engine::selector;
use crate::engine::series::{self, Intake};
use crate::engine::stream::Sink;
use crate::engine::stream::stream;
use crate::engine::windows::Windows;
use crate::labels::{Labels, LabelsBuilder, METRIC_NAME};
use crate::source::{Chunk, Selection};

const TARGET_INFO: &str = "target_info";
/// Taken where the name is only told by what it is not.
const ANY_INFO: &str = ".+_info";
/// What says that two series are of the same thing.
const IDENTIFYING: [&str; 2] = ["instance", "job"];

/// An info series and the times of its samples.
struct InfoSeries {
    labels: Labels,
    /// Step and time of the sample that it has there, ascending.
    samples: Vec<(usize, i64)>,
}

/// For each step the info series of one name and thing that holds there.
type Holding = Vec<Option<usize>>;

pub(in crate::engine) fn evaluate(
    query: &Query<'_>,
    info: &Info,
    grid: &Grid,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut base = Held::new(query);
    stream(query, &info.input, grid, &mut |row| base.push(row))?;
    let matchers = Matchers::new(info)?;
    let ignored = |row: &Row| matchers.ignores(row.labels.get(METRIC_NAME));
    let enriched: Vec<&Row> = base.rows.iter().filter(|row| !ignored(row)).collect();
    let series = fetch(query, info, &matchers, &enriched, grid)?;
    let holding = hold(&series, grid.steps)?;
    let mut names: Vec<&str> = series.iter().map(|series| series.labels.get(METRIC_NAME)).collect();
    names.sort_unstable();
    names.dedup();
    for row in &base.rows {
        query.check()?;
        if ignored(row) {
            sink(row.clone())?;
            continue;
        }
        let columns: Vec<&Holding> =
            names.iter().filter_map(|name| holding.get(&identity(name, &row.labels))).collect();
        enrich(row, &columns, &series, &matchers, sink)?;
    }
    Ok(())
}

/// The second argument, taken apart.
struct Matchers {
    names: Vec<Matcher>,
    data: Vec<Matcher>,
}

impl Matchers {
    fn new(info: &Info) -> Result<Self, QueryError> {
        let matchers = info.matchers.as_deref().unwrap_or_default();
        let (mut names, data): (Vec<_>, Vec<_>) =
            matchers.iter().cloned().partition(|matcher| matcher.name == METRIC_NAME);
        let negative = |matcher: &Matcher| matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        if info.matchers.is_none() {
            names.push(equal(METRIC_NAME, TARGET_INFO));
        } else if !names.is_empty() && names.iter().all(negative) {
            names.push(regex(METRIC_NAME, ANY_INFO.into())?);
        }
        Ok(Self { names, data })
    }

    /// Info series are not enriched with themselves.
    fn ignores(&self, name: &str) -> bool {
        !self.names.is_empty() && self.names.iter().all(|matcher| fits(matcher, name))
    }

    fn takes(&self, label: &str) -> bool {
        self.data.is_empty() || self.data.iter().any(|matcher| matcher.name == label)
    }
}

fn equal(name: &str, value: &str) -> Matcher {
    Matcher { op: MatchOp::Equal, name: name.into(), value: value.into(), regex: None }
}

fn regex(name: &str, value: String) -> Result<Matcher, QueryError> {
    let regex = regex::Regex::new(&format!("^(?s:{value})$"))
        .map_err(|error| QueryError::Execution(format!("too many series for info(): {error}")))?;
    Ok(Matcher { op: MatchOp::Regex, name: name.into(), value, regex: Some(Arc::new(regex)) })
}

/// The info series that may belong to one of the rows.
fn fetch(
    query: &Query<'_>,
    info: &Info,
    matchers: &Matchers,
    rows: &[&Row],
    grid: &Grid,
) -> Result<Vec<InfoSeries>, QueryError> {
    let mut selected = Vec::new();
    for name in IDENTIFYING {
        let values: BTreeSet<&str> =
            rows.iter().map(|row| row.labels.get(name)).filter(|value| !value.is_empty()).collect();
        match values.len() {
            0 => {}
            1 => selected.extend(values.first().map(|value| equal(name, value))),
            _ => {
                let escaped: Vec<_> = values.iter().map(|value| regex::escape(value)).collect();
                selected.push(regex(name, escaped.join("|"))?);
            }
        }
    }
    if selected.is_empty() {
        return Ok(Vec::new());
    }
    selected.extend(matchers.names.iter().chain(&matchers.data).cloned());
    if matchers.names.is_empty() {
        selected.push(equal(METRIC_NAME, TARGET_INFO));
    }
    let windows = Windows::at(grid, info.place, query.options.lookback_ms, 0, 0);
    read(query, selected, &windows, grid)
}

fn read(
    query: &Query<'_>,
    matchers: Vec<Matcher>,
    windows: &Windows,
    grid: &Grid,
) -> Result<Vec<InfoSeries>, QueryError> {
    let (start_ms, end_ms) = windows.span();
    let step_ms = if grid.steps > 1 { grid.step_ms } else { 0 };
    let selection = Selection {
        matchers,
        start_ms,
        end_ms,
        apart: windows.apart(),
        step_ms,
        range_ms: 0,
        function: Some("info"),
        labels_only: false,
        resets: false,
    };
    let intake = Intake { start_ms, end_ms, start_times: false, statistics_only: false };
    let mut chunk = Chunk::default();
    let mut found = Vec::new();
    for item in query.source.select(&selection)? {
        let (labels, samples) = item?;
        query.count_series()?;
        series::take(samples, &intake, &mut chunk)?;
        query.allow(chunk.times_ms.len())?;
        let samples = selector::sample_times(&chunk, windows);
        if chunk.histograms.iter().any(Option::is_some) && !samples.is_empty() {
            let text = format!("this should be an info metric, with float samples: {labels}");
            return Err(QueryError::Execution(text));
        }
        query.count_read(samples.len() as u64);
        found.push(InfoSeries { labels, samples });
    }
    Ok(found)
}

/// The name and the thing.
fn identity(name: &str, labels: &Labels) -> [String; 3] {
    let [instance, job] = IDENTIFYING.map(|label| labels.get(label).to_owned());
    [name.to_owned(), instance, job]
}

/// Of several info series the one with the newest sample holds.
fn hold(series: &[InfoSeries], steps: usize) -> Result<HashMap<[String; 3], Holding>, QueryError> {
    let mut all: HashMap<[String; 3], Vec<Option<(usize, i64)>>> = HashMap::new();
    for (number, info) in series.iter().enumerate() {
        let key = identity(info.labels.get(METRIC_NAME), &info.labels);
        let holding = all.entry(key).or_insert_with(|| vec![None; steps]);
        for &(step, time_ms) in &info.samples {
            match holding[step] {
                Some((other, known_ms)) if known_ms == time_ms => {
                    let text = format!(
                        "found duplicate series for info metric: existing {} @ {known_ms}, new {} @ {time_ms}",
                        series[other].labels, info.labels
                    );
                    return Err(QueryError::Execution(text));
                }
                Some((_, known_ms)) if known_ms > time_ms => {}
                _ => holding[step] = Some((number, time_ms)),
            }
        }
    }
    let without_times = |holding: Vec<Option<(usize, i64)>>| {
        holding.into_iter().map(|held| held.map(|(number, _)| number)).collect()
    };
    Ok(all.into_iter().map(|(key, holding)| (key, without_times(holding))).collect())
}

/// Gives a row once for each combination of info series that holds at some of its steps.
fn enrich(
    row: &Row,
    columns: &[&Holding],
    series: &[InfoSeries],
    matchers: &Matchers,
    sink: Sink<'_>,
) -> Result<(), QueryError> {
    let mut parts: BTreeMap<Vec<Option<usize>>, Bits> = BTreeMap::new();
    for step in row.column.present.ones() {
        let combination = columns.iter().map(|holding| holding[step]).collect();
        parts.entry(combination).or_insert_with(|| Bits::none(row.column.steps())).set(step);
    }
    for (combination, steps) in parts {
        let held: Vec<&Labels> = combination.iter().flatten().map(|number| &series[*number].labels).collect();
        if held.is_empty() && matchers.data.iter().any(|matcher| !fits(matcher, "")) {
            continue;
        }
        let mut part = row.clone();
        part.labels = enriched(&row.labels, &held, matchers)?;
        part.column.present = steps;
        sink(part)?;
    }
    Ok(())
}

fn enriched(base: &Labels, held: &[&Labels], matchers: &Matchers) -> Result<Labels, QueryError> {
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    let mut labels = LabelsBuilder::new(base);
    for (name, value) in held.iter().flat_map(|labels| labels.iter()) {
        if name == METRIC_NAME || !matchers.takes(name) {
            continue;
        }
        if added.get(name).is_some_and(|known| *known != value) {
            return Err(QueryError::Execution(format!("conflicting label: {name}")));
        }
        if base.get(name).is_empty() {
            added.insert(name, value);
            labels.set(name, value);
        }
    }
    Ok(labels.build())
}
