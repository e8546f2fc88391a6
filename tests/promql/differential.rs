//! Beside Debian's Prometheus: the same series are written to both, and the same queries have to give
//! the same. Series and queries are made by chance; `FRESNEL_DIFFERENTIAL_SEED` repeats them, and
//! `FRESNEL_DIFFERENTIAL_QUERIES` asks for more of them.
//!
//! That Prometheus is 2.42, so what changed since is kept out: ranges were closed on both sides, and
//! no sample lies on the edge of one; numbers that are not finite, native histograms, remarks and
//! what came later are not asked for. Errors have to come at the same queries, in whatever words.

mod prometheus;
mod queries;
mod series;

use std::collections::BTreeMap;

use promql::Labels;
use promql::histogram::go_float;
use testkit::remote_write::{V1, WriteRequest, request};
use testkit::tell;

use crate::api::{Api, Point};
use crate::fresnel;
use crate::promqltest::compare::{Value, show_labels};
use crate::promqltest::run::Answer;
use crate::promqltest::script::Times;
use prometheus::Prometheus;
use queries::{Queries, Query};

const QUERIES: u64 = 400;
/// Differences that are shown before it is enough.
const SHOWN_MAX: usize = 10;
/// Of values that were added up in another order.
const EPSILON: f64 = 1e-7;

const QUIET: &str = "[receive.host]\nenabled = false\n[telemetry]\nenabled = false\n\
                     [store.retention]\nmetrics = \"36500d\"\n";

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Half of the queries read from memory, and half from files.
#[test]
fn random_queries_give_what_prometheus_gives() {
    let Some(mut theirs) = Prometheus::start() else { return };
    let seed = setting("FRESNEL_DIFFERENTIAL_SEED", 1);
    let count = setting("FRESNEL_DIFFERENTIAL_QUERIES", QUERIES);
    eprintln!("FRESNEL_DIFFERENTIAL_SEED={seed} FRESNEL_DIFFERENTIAL_QUERIES={count}");
    let mut server = fresnel().config(QUIET).start();

    let timeseries = series::random(seed);
    let message = WriteRequest { timeseries, metadata: Vec::new() };
    server.ask(&request(V1, &message)).expect(204);
    theirs.write(&message);

    let mut queries = Queries::new(seed);
    let mut tally = Tally::default();
    for half in 0..2 {
        if half == 1 {
            server.terminate();
            server.restart();
        }
        let ours = Api::new(server.doors().http, "/prometheus/api/v1");
        for _ in 0..count / 2 {
            tally.compare(&queries.next(), &ours, theirs.api());
        }
    }
    tell(&format!("{} queries: {} gave series, {} errors", tally.asked, tally.with_series, tally.errors));
    let shown = &tally.differences[..tally.differences.len().min(SHOWN_MAX)];
    let all = tally.differences.len();
    assert!(shown.is_empty(), "{all} of {} differ, with seed {seed}:\n{}", tally.asked, shown.join("\n"));
    assert!(tally.with_series * 2 > tally.asked, "queries that find nothing are no test");
}

#[derive(Default)]
struct Tally {
    asked: usize,
    with_series: usize,
    errors: usize,
    differences: Vec<String>,
}

impl Tally {
    fn compare(&mut self, query: &Query, ours: &Api, theirs: &Api) {
        self.asked += 1;
        let ask = |api: &Api| match query.times {
            Times { start_ms, end_ms, .. } if start_ms == end_ms => {
                api.instant("default", &query.text, end_ms)
            }
            times => api.range("default", &query.text, times),
        };
        let (ours, theirs) = (ask(ours), ask(theirs));
        self.errors += usize::from(theirs.is_err());
        let difference = match (&ours, &theirs) {
            (Err(_), Err(_)) => None,
            (Ok(ours), Ok(theirs)) => {
                let (ours, theirs) = (points(ours), points(theirs));
                self.with_series += usize::from(!theirs.is_empty());
                difference(&ours, &theirs)
            }
            (Err(error), Ok(_)) => Some(format!("we refuse: {error}")),
            (Ok(_), Err(error)) => Some(format!("Prometheus refuses: {error}")),
        };
        if let Some(difference) = difference {
            let Times { start_ms, end_ms, step_ms } = query.times;
            let text = &query.text;
            self.differences.push(format!("{text}\n    at {start_ms}..{end_ms} by {step_ms}: {difference}"));
        }
    }
}

/// By series and time; instants have time 0.
type Points = BTreeMap<(Labels, i64), f64>;

fn points(answer: &Answer<Point>) -> Points {
    let float = |point: &Point| match point {
        Point::Float(value) => *value,
        Point::Histogram(histogram) => panic!("a histogram of numbers: {histogram:?}"),
    };
    match &answer.value {
        Value::Scalar(value) => [((Labels::default(), 0), *value)].into(),
        Value::String(text) => panic!("no query gives the text {text:?}"),
        Value::Vector(vector) => {
            vector.iter().map(|(labels, point)| ((labels.clone(), 0), float(point))).collect()
        }
        Value::Matrix(matrix) => {
            let series = |(labels, points): &(Labels, Vec<(i64, Point)>)| -> Vec<_> {
                points.iter().map(|(time, point)| ((labels.clone(), *time), float(point))).collect()
            };
            matrix.iter().flat_map(series).collect()
        }
    }
}

fn difference(ours: &Points, theirs: &Points) -> Option<String> {
    let same = |a: f64, b: f64| {
        let near = (a - b).abs() <= EPSILON * a.abs().max(b.abs()).max(1.0);
        near || a.to_bits() == b.to_bits() || a == b || (a.is_nan() && b.is_nan())
    };
    let shown = |points: &Points, key| points.get(key).map_or("nothing".to_owned(), |value| go_float(*value));
    let differs = |key: &&(Labels, i64)| match (ours.get(*key), theirs.get(*key)) {
        (Some(a), Some(b)) => !same(*a, *b),
        _ => true,
    };
    let key = ours.keys().chain(theirs.keys()).find(differs)?;
    let (labels, time) = (show_labels(&key.0), key.1);
    let (ours, theirs) = (shown(ours, key), shown(theirs, key));
    Some(format!("{labels} @{time}: we give {ours}, Prometheus gives {theirs}"))
}
