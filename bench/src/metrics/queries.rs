//! The queries of dashboards, asked of everybody about the same data, and their answers compared.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use testkit::http::percent_encoded;

use super::peer::{API, Kind, Peer};
use super::replay::Replay;
use crate::options::Options;
use crate::quantiles::Quantiles;
use crate::report::{Better, Goal, Report, figure};

/// No time of a step is that of a sample: whether a range has its left end is not what is compared.
const SHIFT_MS: i64 = 7_000;
/// Times of each query in a round.
const TIMES: usize = 5;
/// Answers are the same up to it: sums are not added up in the same order everywhere.
const RELATIVE: f64 = 1e-9;

struct Query {
    name: &'static str,
    text: &'static str,
    /// Seconds; 0 for one moment.
    step: i64,
}

const QUERIES: [Query; 8] = [
    Query { name: "one series", text: "node_load1{instance=\"host-00001.example.internal:9100\"}", step: 15 },
    Query {
        name: "rate of all processors by mode",
        text: "sum by (mode) (rate(node_cpu_seconds_total[5m]))",
        step: 15,
    },
    Query {
        name: "use of processors by machine",
        text: "1 - avg by (instance) (rate(node_cpu_seconds_total{mode=\"idle\"}[5m]))",
        step: 60,
    },
    Query {
        name: "five largest receivers",
        text: "topk(5, sum by (instance) (rate(node_network_receive_bytes_total[5m])))",
        step: 60,
    },
    Query {
        name: "regular expression on a label",
        text: "sum by (instance) (rate(node_cpu_seconds_total{mode=~\"user|system|iowait\"}[5m]))",
        step: 60,
    },
    Query {
        name: "maximum over an hour by machine",
        text: "max by (instance) (max_over_time(node_memory_MemAvailable_bytes[1h]))",
        step: 60,
    },
    Query {
        name: "every series, over time",
        text: "count by (job) (last_over_time({__name__!=\"\"}[5m]))",
        step: 300,
    },
    Query { name: "every series, now", text: "count({__name__!=\"\"})", step: 0 },
];

/// How long a time the queries are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Hours,
    Week,
}

impl Span {
    /// What the steps are multiplied with: nobody draws more than some thousand points.
    fn widens(self) -> i64 {
        match self {
            Self::Hours => 1,
            Self::Week => 40,
        }
    }

    fn of(self) -> &'static str {
        match self {
            Self::Hours => "",
            Self::Week => ", 7 days",
        }
    }
}

impl Query {
    fn target(&self, replay: &Replay, span: Span) -> String {
        let text = percent_encoded(self.text);
        let seconds = |ms: i64| ms as f64 / 1e3;
        let end = replay.end_ms - SHIFT_MS;
        if self.step == 0 {
            return format!("{API}/query?query={text}&time={}", seconds(end));
        }
        let start = seconds((replay.start_ms + 300_000 + SHIFT_MS).min(end - 60_000));
        format!(
            "{API}/query_range?query={text}&start={start}&end={}&step={}",
            seconds(end),
            self.step * span.widens()
        )
    }
}

/// Seconds, and processor seconds, of each query.
#[derive(Default)]
pub(super) struct Asked {
    seconds: Vec<Vec<f64>>,
    cpu_seconds: Vec<Vec<f64>>,
    answers: Vec<Value>,
}

/// Asks everything of each, in turns.
pub(super) fn ask(options: &Options, peers: &[Peer], replay: &Replay, span: Span) -> Result<Vec<Asked>> {
    let mut all: Vec<Asked> = peers.iter().map(|_| Asked::default()).collect();
    for query in &QUERIES {
        let target = query.target(replay, span);
        for asked in &mut all {
            asked.seconds.push(Vec::new());
            asked.cpu_seconds.push(Vec::new());
        }
        for round in 0..=options.rounds {
            for (peer, asked) in peers.iter().zip(&mut all) {
                let before = peer.cpu_seconds()?;
                for _ in 0..TIMES {
                    let (answer, seconds) = peer.ask(&target).context(query.name)?;
                    if round == 0 {
                        // The first ones find nothing in memory, and say what the answer is.
                        asked.answers.push(answer);
                        break;
                    }
                    asked.seconds.last_mut().context("a query")?.push(seconds);
                }
                if round > 0 {
                    let cpu = (peer.cpu_seconds()? - before) / TIMES as f64;
                    asked.cpu_seconds.last_mut().context("a query")?.push(cpu);
                }
            }
        }
    }
    Ok(all)
}

/// Adds what was found to the report.
pub(super) fn report(report: &mut Report, peers: &[Peer], all: &[Asked], span: Span) {
    let mut columns = vec![format!("query{}, ms (CPU ms)", span.of())];
    columns.extend(peers.iter().map(|peer| peer.kind.name().to_owned()));
    columns.extend(peers.iter().skip(1).map(|peer| format!("answer and {}'s", peer.kind.name())));
    report.table(&columns.iter().map(String::as_str).collect::<Vec<_>>());
    let median = |values: &[f64]| Quantiles::of(values.to_vec()).median();
    let mut same = 0;
    for (number, query) in QUERIES.iter().enumerate() {
        let mut row = vec![query.name.to_owned()];
        row.extend(all.iter().map(|asked| {
            let (ms, cpu) = (median(&asked.seconds[number]), median(&asked.cpu_seconds[number]));
            format!("{} ({})", figure(ms * 1e3), figure(cpu * 1e3))
        }));
        for (peer, asked) in peers.iter().zip(all).skip(1) {
            let difference = difference(&all[0].answers[number], &asked.answers[number]);
            same += usize::from(peer.kind == Kind::Prometheus && difference.is_none());
            row.push(difference.unwrap_or_else(|| "the same".to_owned()));
        }
        report.row(row);
    }
    for (peer, asked) in peers.iter().zip(all).skip(1) {
        let (floor, target) = match peer.kind {
            Kind::Victoria => (1.0, 0.5),
            _ => (0.25, 0.1),
        };
        let ratio = |number: usize| median(&all[0].seconds[number]) / median(&asked.seconds[number]);
        let logarithms: f64 = (0..QUERIES.len()).map(|number| ratio(number).ln()).sum();
        report.goal(Goal {
            name: format!("time of the queries{}, of {}'s (geometric mean)", span.of(), peer.kind.name()),
            value: (logarithms / QUERIES.len() as f64).exp(),
            unit: "x",
            floor: Some(floor),
            target: Some(target),
            better: Better::Lower,
        });
    }
    if peers.iter().any(|peer| peer.kind == Kind::Prometheus) {
        report.goal(Goal {
            name: format!("queries{} with Prometheus' answer", span.of()),
            value: same as f64,
            unit: "of 8",
            floor: Some(QUERIES.len() as f64),
            target: None,
            better: Better::Higher,
        });
    }
}

/// Points by labels.
fn points(answer: &Value) -> BTreeMap<String, Vec<(f64, f64)>> {
    let point = |point: &Value| {
        let value = point[1].as_str().and_then(|text| text.parse().ok());
        (point[0].as_f64().unwrap_or(f64::NAN), value.unwrap_or(f64::NAN))
    };
    let series = answer["data"]["result"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |series: &Value| match series["values"].as_array() {
        Some(values) => values.iter().map(point).collect(),
        None => vec![point(&series["value"])],
    };
    series.iter().map(|series| (series["metric"].to_string(), of(series))).collect()
}

/// All values of a time, in order, as if they were a series.
fn by_time(points: &BTreeMap<String, Vec<(f64, f64)>>) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut of: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    points
        .values()
        .flatten()
        .for_each(|point| of.entry(format!("{:017.3}", point.0)).or_default().push(*point));
    of.values_mut().for_each(|points| points.sort_by(|a, b| a.1.total_cmp(&b.1)));
    of
}

/// In what two answers differ; nothing where they do not.
fn difference(ours: &Value, theirs: &Value) -> Option<String> {
    let (mut ours, mut theirs) = (points(ours), points(theirs));
    if ours.is_empty() && theirs.is_empty() {
        return Some("both empty".to_owned());
    }
    if ours.keys().ne(theirs.keys()) {
        // Of series that are equal a choice takes any: what is chosen is compared.
        (ours, theirs) = (by_time(&ours), by_time(&theirs));
    }
    if ours.keys().ne(theirs.keys()) {
        return Some(format!("{} series, not {}", theirs.len(), ours.len()));
    }
    let count = |points: &BTreeMap<String, Vec<_>>| points.values().map(Vec::len).sum::<usize>();
    if count(&ours) != count(&theirs) {
        return Some(format!("{} points, not {}", count(&theirs), count(&ours)));
    }
    let pairs = ours.values().flatten().zip(theirs.values().flatten());
    let apart = |((time, own), (when, other)): (&(f64, f64), &(f64, f64))| {
        if (time - when).abs() > 1e-3 {
            return f64::INFINITY;
        }
        let same = own == other || own.is_nan() && other.is_nan();
        if same { 0.0 } else { (own - other).abs() / own.abs().max(other.abs()) }
    };
    let most = pairs.map(apart).fold(0.0, f64::max);
    (most > RELATIVE).then(|| format!("values up to {} % apart", figure(most * 100.0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_compared_series_by_series_and_point_by_point() {
        let answer = |values: Value| json!({"data": {"result": [{"metric": {"a": "b"}, "values": values}]}});
        let one = answer(json!([[1, "2"], [2, "NaN"]]));
        assert_eq!(difference(&one, &answer(json!([[1, "2.0000000000001"], [2, "NaN"]]))), None);
        for other in [json!([[1, "2"]]), json!([[1, "2.1"], [2, "NaN"]]), json!([[3, "2"], [2, "NaN"]])] {
            assert!(difference(&one, &answer(other.clone())).is_some(), "{other}");
        }
        assert!(difference(&one, &json!({"data": {"result": []}})).is_some());
        // Either of two equal series may be among the largest.
        let other = json!({"data": {"result": [{"metric": {"a": "c"}, "values": [[1, "2"], [2, "NaN"]]}]}});
        assert_eq!(difference(&one, &other), None);
    }
}
