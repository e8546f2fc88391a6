//! What must hold whatever the query and the data.

mod data;
mod expressions;

use data::{Memory, START_MS};
use proptest::prelude::*;

use super::{Interrupted, Outcome, QueryError, Steps, query_instant, query_range};
use crate::limits::{Limits, Options};
use crate::parse::{ParseOptions, parse};
use crate::source::Point;
use crate::value::{Matrix, Value};

fn options() -> Options {
    Options { experimental: true, start_timestamps: true, ..Options::default() }
}

fn range(query: &str, memory: &Memory, steps: Steps, options: &Options) -> Result<Outcome, QueryError> {
    let expr = parse(query, &ParseOptions::new(true)).unwrap_or_else(|error| panic!("{query}: {error}"));
    query_range(&expr, steps, options, memory, &|| Ok(()))
}

fn instant(query: &str, memory: &Memory, time_ms: i64, options: &Options) -> Result<Outcome, QueryError> {
    let expr = parse(query, &ParseOptions::new(true)).unwrap_or_else(|error| panic!("{query}: {error}"));
    query_instant(&expr, time_ms, options, memory, &|| Ok(()))
}

/// Everything about a point, with NaN equal to itself and NaNs told apart no further.
fn shown(point: &Point) -> String {
    match point {
        Point::Float(value) if value.is_nan() => "NaN".into(),
        Point::Float(value) => format!("{:?}", value + 0.0),
        Point::Histogram(histogram) => format!("{histogram:?}"),
    }
}

/// What there is at one time, sorted.
fn at(matrix: &Matrix, time_ms: i64) -> Vec<String> {
    let point = |series: &crate::value::Series| {
        let (_, point) = series.points.iter().find(|(time, _)| *time == time_ms)?;
        Some(format!("{} {}", series.labels, shown(point)))
    };
    let mut points: Vec<_> = matrix.iter().filter_map(point).collect();
    points.sort();
    points
}

fn vector(outcome: &Outcome) -> Vec<String> {
    let mut points: Vec<_> = match &outcome.value {
        Value::Vector(vector) => {
            vector.iter().map(|sample| format!("{} {}", sample.labels, shown(&sample.point))).collect()
        }
        Value::Scalar { value, .. } => vec![format!("{{}} {}", shown(&Point::Float(*value)))],
        other => panic!("{other:?}"),
    };
    points.sort();
    points
}

fn matrix(outcome: &Outcome) -> &Matrix {
    match &outcome.value {
        Value::Matrix(matrix) => matrix,
        other => panic!("{other:?}"),
    }
}

/// The whole answer as text.
fn answer(outcome: &Result<Outcome, QueryError>) -> String {
    match outcome {
        Err(error) => format!("error: {error}"),
        Ok(outcome) => {
            let series = |series: &crate::value::Series| {
                let points: Vec<_> =
                    series.points.iter().map(|(time, point)| format!("{time} {}", shown(point))).collect();
                format!("{} {points:?}", series.labels)
            };
            let series: Vec<_> = matrix(outcome).iter().map(series).collect();
            format!("{series:#?} {:?} {:?}", outcome.annotations, outcome.statistics)
        }
    }
}

/// Of the warning that some histograms are told to be resets and others not to be.
const COLLISION: &str = "conflicting counter resets";

/// Few, for each is many queries; `PROPTEST_CASES` asks for more.
fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(16), ..ProptestConfig::default() }
}

fn steps() -> Steps {
    Steps { start_ms: START_MS + 60_000, end_ms: START_MS + 1_800_000, step_ms: 45_000 }
}

proptest! {
    #![proptest_config(config())]

    /// Columns are no more than many instants.
    #[test]
    fn a_range_query_is_an_instant_query_at_each_step(
        memory in data::memory(6),
        query in expressions::vector(),
        delayed in any::<bool>(),
    ) {
        // Whether a name goes at the end is known of a series and not of its steps, as in Prometheus.
        prop_assume!(!delayed || !query.contains("j, __name__"));
        // Sorting has no effect on a range query, so what is first is something else.
        prop_assume!(!query.contains("limitk") || !query.contains("sort"));
        let options = Options { delayed_name_removal: delayed, ..options() };
        let Ok(outcome) = range(&query, &memory, steps(), &options) else { return Ok(()) };
        for time_ms in (steps().start_ms..=steps().end_ms).step_by(45_000) {
            let expected = instant(&query, &memory, time_ms, &options);
            let expected = expected.unwrap_or_else(|error| panic!("{query} at {time_ms}: {error}"));
            prop_assert_eq!(at(matrix(&outcome), time_ms), vector(&expected), "{} at {}", query, time_ms);
        }
    }

    /// Threads are not to be seen.
    #[test]
    fn the_answer_does_not_depend_on_parallelism(memory in data::memory(150), query in expressions::vector()) {
        let one = answer(&range(&query, &memory, steps(), &options()));
        for parallelism in [2, 5] {
            let many = range(&query, &memory, steps(), &Options { parallelism, ..options() });
            prop_assert_eq!(&one, &answer(&many), "{} with {} threads", query, parallelism);
        }
    }

    /// Nothing happens but what the data says, whenever it is.
    #[test]
    fn the_answer_moves_with_time(memory in data::memory(6), query in expressions::vector()) {
        // Subqueries are aligned to their steps, which divide this.
        let by_ms = -36_000_000_000;
        let Ok(outcome) = range(&query, &memory, steps(), &options()) else { return Ok(()) };
        let moved = Steps { start_ms: steps().start_ms + by_ms, end_ms: steps().end_ms + by_ms, ..steps() };
        let moved = range(&query, &memory.moved(by_ms), moved, &options());
        let moved = moved.unwrap_or_else(|error| panic!("{query}: {error}"));
        for time_ms in (steps().start_ms..=steps().end_ms).step_by(45_000) {
            prop_assert_eq!(at(matrix(&outcome), time_ms), at(matrix(&moved), time_ms + by_ms), "{}", query);
        }
    }

    /// A source may give more samples than were asked for. Where resets conflict is seen better then.
    #[test]
    fn samples_beyond_the_selection_do_not_matter(memory in data::memory(6), query in expressions::vector()) {
        let answer = |memory: &Memory| {
            let mut outcome = range(&query, memory, steps(), &options());
            if let Ok(outcome) = &mut outcome {
                outcome.annotations.warnings.retain(|warning| !warning.text.contains(COLLISION));
            }
            answer(&outcome)
        };
        prop_assert_eq!(answer(&memory), answer(&memory.generous()), "{}", query);
    }

    /// What is done to each series does not know of the others.
    #[test]
    fn series_do_not_influence_each_other(memory in data::memory(8), query in expressions::single()) {
        let whole = range(&query, &memory, steps(), &options());
        let Ok(whole) = whole else { return Ok(()) };
        let mut parts = Vec::new();
        for part in memory.single_series() {
            let part = range(&query, &part, steps(), &options());
            parts.extend(matrix(&part.unwrap_or_else(|error| panic!("{query}: {error}"))).clone());
        }
        for time_ms in (steps().start_ms..=steps().end_ms).step_by(45_000) {
            prop_assert_eq!(at(matrix(&whole), time_ms), at(&parts, time_ms), "{}", query);
        }
    }

    /// With any times, any limit, and interrupted at any point there is an answer or an error.
    #[test]
    fn nothing_panics(
        memory in data::memory(70),
        query in expressions::vector(),
        start_ms in any::<i64>(),
        length_ms in 0_i64..10_000_000,
        samples_max in 0_usize..100_000,
        checks in 0_usize..60,
        parallelism in 1_usize..4,
    ) {
        let expr = parse(&query, &ParseOptions::new(true)).expect("it parses");
        let limits = Limits { samples_max, ..Limits::default() };
        let options = Options { limits, parallelism, ..options() };
        let left = std::sync::atomic::AtomicUsize::new(checks);
        let check = || {
            let order = std::sync::atomic::Ordering::Relaxed;
            let left = left.fetch_update(order, order, |left| left.checked_sub(1));
            left.map(|_| ()).map_err(|_| Interrupted::Canceled)
        };
        for start_ms in [start_ms, START_MS] {
            let times = Steps { start_ms, end_ms: start_ms.saturating_add(length_ms), step_ms: 15_000 };
            let _ = query_range(&expr, times, &options, &memory, &check);
            let _ = query_instant(&expr, start_ms, &options, &memory, &check);
        }
    }
}

/// Of the last histogram before a range, if a source gives it, it is known whether the first one within
/// goes on from it: so it is known in Prometheus' storage.
#[test]
fn the_histogram_before_a_range_tells_of_resets() {
    let collides = |counts: &[f64], generous: bool| {
        let memory = Memory::histograms(counts);
        let memory = if generous { memory.generous() } else { memory };
        // The last two samples.
        let time_ms = START_MS + 15_000 * (counts.len() as i64 - 1);
        let query = "histogram_count(sum_over_time(a[30s]))";
        let outcome = instant(query, &memory, time_ms, &options()).expect("it evaluates");
        outcome.annotations.warnings.iter().any(|warning| warning.text.contains(COLLISION))
    };
    assert!(collides(&[1.0, 2.0, 1.0], true), "the first goes on, the second is a reset");
    assert!(!collides(&[1.0, 2.0, 1.0], false), "nothing is known of the first");
    assert!(!collides(&[3.0, 2.0, 1.0], true), "no chunk begins with a reset that is known");
    assert!(!collides(&[1.0, 2.0, 3.0], true), "all of it goes on");
    assert!(!collides(&[2.0, 1.0], true), "nothing is before it");
}

#[test]
fn limits_are_errors_that_name_them() {
    let memory = Memory::counters(10);
    let limited = |samples_max, series_max| {
        let limits = Limits { samples_max, series_max };
        range("rate(a[5m])", &memory, steps(), &Options { limits, ..options() })
    };
    assert!(matches!(limited(10, 100), Err(QueryError::TooManySamples)));
    assert!(matches!(limited(1_000_000, 5), Err(QueryError::TooManySeries { limit: 5 })));
    assert!(limited(1_000_000, 10).is_ok());
    let forever = Steps { start_ms: 0, end_ms: 1 << 59, step_ms: 1 };
    assert!(matches!(range("1", &memory, forever, &options()), Err(QueryError::TooManySamples)));
    let fine = range("sum_over_time(a[100y:1ms])", &memory, steps(), &options());
    assert!(matches!(fine, Err(QueryError::TooManySamples)));
}

#[test]
fn a_sum_of_rates_holds_one_series_at_a_time() {
    let held = |series| {
        let memory = Memory::counters(series);
        let outcome = range("sum(rate(a[5m]))", &memory, steps(), &options()).expect("it evaluates");
        assert!(outcome.statistics.series == series as u64);
        outcome.statistics.samples_peak
    };
    assert_eq!(held(2), held(60));
}

#[test]
fn interruptions_end_a_query() {
    let memory = Memory::counters(200);
    let expr = parse("sum(rate(a[5m]))", &ParseOptions::new(true)).expect("it parses");
    for (interrupted, parallelism) in [(Interrupted::Canceled, 1), (Interrupted::TimedOut, 3)] {
        let options = Options { parallelism, ..options() };
        let outcome = query_range(&expr, steps(), &options, &memory, &|| Err(interrupted));
        let fits = match interrupted {
            Interrupted::Canceled => matches!(outcome, Err(QueryError::Canceled)),
            Interrupted::TimedOut => matches!(outcome, Err(QueryError::TimedOut)),
        };
        assert!(fits, "{outcome:?}");
    }
}

#[test]
fn the_deepest_trees_fit_on_a_small_stack() {
    let memory = Memory::counters(2);
    let height = crate::parse::HEIGHT_MAX - 2;
    let nested = 60;
    let queries = [
        vec!["a"; height].join(" + "),
        vec!["a"; height].join(" or "),
        format!("{}a{}", "sum(".repeat(nested), ")".repeat(nested)),
        format!("{}a{}", "label_replace(".repeat(nested), ", \"w\", \"y\", \"z\", \"\")".repeat(nested)),
        format!("{}a{}", "max_over_time(".repeat(nested), "[1m:1m])".repeat(nested)),
        format!("{}scalar(a){}", "scalar(vector(".repeat(nested), "))".repeat(nested)),
    ];
    for query in queries {
        // As large as a thread of tokio gets.
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let outcome = std::thread::scope(|scope| {
            let task =
                || instant(&query, &memory, START_MS + 600_000, &options()).map(|outcome| outcome.statistics);
            thread.spawn_scoped(scope, task).expect("a thread starts").join()
        });
        let shown: String = query.chars().take(60).collect();
        assert!(outcome.expect("no panic").is_ok(), "{shown}");
    }
}
