//! PromQL over wherever the records are, against the records themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use fresnel_sdk::config::ByteSize;
use model::{Budget, Table};
use promql::{Labels, Outcome, Point, Steps, Value};

use super::data::{BEGIN, HOUR, SECOND, Sample, Series, metrics, trace_id};
use super::place::{Place, Placed, splits};
use super::{batches, engine, engine_with, tenant};
use crate::{
    Answer, Config, Engine, LabelsOf, Missing, PrometheusConfig, PrometheusQuery, PrometheusSelection,
    QueryError, When,
};

const END_MS: i64 = (BEGIN + 4 * HOUR) / 1_000_000;
const BEGIN_MS: i64 = BEGIN / 1_000_000;

async fn ask(engine: &Engine, text: &str) -> Result<Answer<Outcome>, QueryError> {
    let when = When::Instant { time_ms: END_MS };
    let text = text.to_owned();
    engine
        .prometheus_query(PrometheusQuery {
            tenant: tenant(),
            text,
            when,
            timeout: None,
            lookback_ms: None,
            resolution_max_ms: None,
        })
        .await
}

type Points = Vec<(i64, f64)>;

fn numbers(points: &[(i64, Point)]) -> Points {
    let number = |(time, point): &(i64, Point)| match point {
        Point::Float(value) => (*time, *value),
        Point::Histogram(_) => panic!("a histogram"),
    };
    points.iter().map(number).collect()
}

/// The samples of a range selector by labels.
async fn selected(engine: &Engine, text: &str) -> BTreeMap<Labels, Points> {
    let answer = ask(engine, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(answer.summary.complete, "{:?}", answer.summary);
    let Value::Matrix(matrix) = answer.value.value else { panic!("{text} gives no matrix") };
    assert!(matrix.is_sorted_by(|a, b| a.labels < b.labels), "in the order of their labels");
    matrix.into_iter().map(|series| (series.labels, numbers(&series.points))).collect()
}

/// What the records say: of the series of a metric with a color.
fn expected(name: &str, seen_as: &str, color: &str) -> BTreeMap<Labels, Points> {
    let all = metrics();
    let of = |series: &&Series| {
        series.time == BEGIN
            && series.name == name
            && series.attributes.contains(&("color".to_owned(), Some(color.to_owned())))
    };
    let mut expected = BTreeMap::new();
    for series in all.series.iter().filter(of) {
        let labels = [("__name__", seen_as), ("color", color), ("job", &series.service)];
        let own = all.samples.iter().filter(|sample| sample.series == series.id);
        let points = own.map(|sample| (sample.time.div_euclid(1_000_000), sample.value));
        let points = points.filter(|(time, _)| (END_MS - 18_000_000 + 1..=END_MS).contains(time));
        expected.insert(labels.into_iter().collect(), points.collect());
    }
    expected
}

#[tokio::test]
async fn selectors_give_what_was_written() {
    for (split, place) in splits() {
        let engine = engine(Placed::shop(place));
        let found = selected(&engine, "orders_total{color=\"blue\"}[5h]").await;
        assert_eq!(found, expected("orders", "orders_total", "blue"), "{split}");
        let found = selected(&engine, "{\"queue.size\",color!=\"blue\"}[5h]").await;
        assert_eq!(found, expected("queue.size", "queue.size", "green"), "{split}");
        let found = selected(&engine, "{__name__=~\"conn.*\",job=~\"ca.*|mail\",color=\"green\"}[5h]").await;
        let mut of_two = expected("connections", "connections", "green");
        of_two.retain(|labels, _| matches!(labels.get("job"), "cart" | "mail"));
        assert_eq!(found, of_two, "{split}");
        assert!(selected(&engine, "orders[5h]").await.len() == 8, "OpenTelemetry's name is a name too");
        assert!(selected(&engine, "order[5h]").await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_range_is_the_same_wherever_the_records_are() {
    let mut answers = Vec::new();
    for (_, place) in splits() {
        let engine = engine(Placed::shop(place));
        let text = "sum by (job) (rate(orders_total[5m])) or sum by (job) (rate(duration_seconds_count[5m]))";
        let steps = Steps { start_ms: BEGIN_MS, end_ms: END_MS, step_ms: 60_000 };
        let query = PrometheusQuery {
            tenant: tenant(),
            text: text.to_owned(),
            when: When::Range(steps),
            timeout: None,
            lookback_ms: None,
            resolution_max_ms: None,
        };
        answers.push(engine.prometheus_query(query).await.unwrap().value);
    }
    assert!(matches!(&answers[0].value, Value::Matrix(matrix) if matrix.len() == 4));
    for answer in &answers[1..] {
        assert_eq!(answer.value, answers[0].value);
    }
}

#[tokio::test]
async fn only_pages_that_may_fit_are_read() {
    let engine = engine(Placed::shop(|_, _| Place::Segment(0)));
    let answer = ask(&engine, "orders_total{job=\"cart\",color=\"blue\"}[1m]").await.unwrap();
    let summary = answer.summary;
    // All series' names, the series that fit, and some pages of 16 of the 30,720 samples.
    assert!(summary.scanned_rows < 1_000, "{summary:?}");
    assert_eq!((summary.segments, summary.complete), (3, true));
    assert!(summary.memory_peak > 0);
}

#[tokio::test]
async fn labels_are_those_of_series() {
    for (split, place) in splits() {
        let engine = engine(Placed::shop(place));
        let selection = |text: &str| PrometheusSelection {
            tenant: tenant(),
            selectors: vec![promql::parse_selector(text).unwrap()],
            times_ms: (BEGIN_MS, END_MS),
        };
        let names = engine.prometheus_labels(selection("{job=\"mail\"}"), LabelsOf::Names).await.unwrap();
        assert_eq!(names.value, ["__name__", "color", "host_name", "job"], "{split}");
        let of = LabelsOf::Values("job".to_owned());
        let jobs = engine.prometheus_labels(selection("queue_size"), of).await.unwrap();
        assert_eq!(jobs.value, super::data::SERVICES, "{split}");
        let series = engine.prometheus_series(selection("{job=\"mail\",color=\"blue\"}")).await.unwrap();
        let names: Vec<_> = series.value.iter().map(|labels| labels.get("__name__")).collect();
        let expected = [
            "connections",
            "duration_seconds",
            "duration_seconds_count",
            "duration_seconds_sum",
            "mails_total",
            "orders_total",
            "queue_size",
        ];
        assert!(expected.iter().all(|name| names.contains(name)), "{split}: {names:?}");
    }
}

fn own_series(id: u64, attributes: &[(&str, &str)]) -> Series {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
    Series {
        time: BEGIN,
        id: trace_id(id),
        name: "a.b".to_owned(),
        unit: String::new(),
        kind: "gauge".to_owned(),
        temporality: None,
        monotonic: None,
        attributes: attributes.collect(),
        service: "cart".to_owned(),
    }
}

fn sample(id: u64, second: i64, value: f64) -> Sample {
    let time = BEGIN + second * SECOND;
    Sample { name: "a.b".to_owned(), series: trace_id(id), time, start: None, value }
}

#[tokio::test]
async fn series_of_prometheus_keep_their_labels_and_equal_ones_are_one() {
    let series = [
        own_series(1, &[("__name__", "a.b"), ("x.y", "1"), ("job", "own"), ("empty", "")]),
        own_series(2, &[("x.y", "1"), ("x_y", "2")]),
        own_series(3, &[("x_y", "2"), ("x.y", "1"), ("z", "")]),
    ];
    let samples = [
        sample(1, 0, 1.0),
        sample(2, 0, 2.0),
        sample(3, 1, 3.0),
        sample(3, 0, 4.0),
        sample(1, 2, 5.0),
        sample(1, 1, 6.0),
        sample(1, 2, 7.0),
    ];
    for memory in [true, false] {
        let place = |_: Table, _: usize| if memory { Place::Memory(0) } else { Place::Segment(0) };
        let mut placed = Placed::default();
        placed.put(Table::Series, &batches::series(&series), place);
        placed.put(Table::Samples, &batches::samples(&samples), place);
        let engine = engine(placed);
        let own = selected(&engine, "{\"a.b\",job=\"own\"}[5h]").await;
        let labels: Labels = [("__name__", "a.b"), ("job", "own"), ("x.y", "1")].into_iter().collect();
        let points = vec![(BEGIN_MS, 1.0), (BEGIN_MS + 1000, 6.0), (BEGIN_MS + 2000, 7.0)];
        assert_eq!(own, BTreeMap::from([(labels, points)]));
        let translated = selected(&engine, "a_b[5h]").await;
        let labels: Labels = [("__name__", "a_b"), ("job", "cart"), ("x_y", "1;2")].into_iter().collect();
        assert_eq!(translated.len(), 1, "{translated:?}");
        assert_eq!(translated[&labels].len(), 2);
    }
}

#[tokio::test]
async fn limits_end_a_query() {
    let place = |_: Table, row: usize| match row % 2 {
        0 => Place::Memory(0),
        _ => Place::Segment(0),
    };
    let everything = "count({__name__=~\".+\"} offset -1h)";
    let prometheus = PrometheusConfig { samples: 1000, ..PrometheusConfig::default() };
    let limited =
        engine_with(Placed::shop(place), Budget::new(1 << 30), Config { prometheus, ..Config::default() });
    let error = ask(&limited, "orders_total[5h]").await.unwrap_err();
    assert!(
        matches!(&error, QueryError::Execution { message } if message.contains("too many samples")),
        "{error:?}"
    );
    assert_eq!((limited.stats().queries, limited.stats().failed), (1, 1));

    let small = Config { memory_share: 0.001, ..Config::default() };
    let engine = engine_with(Placed::shop(place), Budget::new(64 << 20), small);
    let error = ask(&engine, "orders_total[5h]").await.unwrap_err();
    assert!(matches!(&error, QueryError::Memory { .. }), "{error:?}");
    assert!(engine.running(&tenant()).is_empty());

    let engine = super::engine(Placed::shop(place));
    let query = PrometheusQuery {
        tenant: tenant(),
        text: everything.to_owned(),
        when: When::Instant { time_ms: END_MS },
        timeout: Some(Duration::ZERO),
        lookback_ms: None,
        resolution_max_ms: None,
    };
    let error = engine.prometheus_query(query).await.unwrap_err();
    assert!(matches!(error, QueryError::DeadlineExceeded { .. }), "{error:?}");
    let error = ask(&engine, "sum(").await.unwrap_err();
    assert!(matches!(error, QueryError::Argument { .. }), "{error:?}");
    // As high as a tree may be.
    let chain = format!("1{}", " + 1".repeat(490));
    ask(&engine, &chain).await.unwrap();
}

#[tokio::test]
async fn what_is_missing_is_said() {
    let mut placed = Placed::shop(|_, row| Place::Segment(row % 2));
    placed.missing = vec![Missing { times: (BEGIN, BEGIN + HOUR), warning: "gone".to_owned() }];
    placed.overwrite(Table::Samples, 0, vec![1; 100]);
    let engine = engine(placed);
    let summary = ask(&engine, "sum_over_time(orders_total[5h])").await.unwrap().summary;
    assert_eq!((summary.complete, summary.warnings.len()), (false, 2), "{summary:?}");
    let summary = ask(&engine, "vector(1)").await.unwrap().summary;
    assert!(summary.complete, "nothing was read");
}

#[tokio::test]
async fn tenants_are_apart() {
    let engine = engine(Placed::shop(|_, _| Place::Memory(0)));
    let query = PrometheusQuery {
        tenant: model::Tenant::parse("other").unwrap(),
        text: "orders_total[5h]".to_owned(),
        when: When::Instant { time_ms: END_MS },
        timeout: None,
        lookback_ms: None,
        resolution_max_ms: None,
    };
    let outcome = engine.prometheus_query(query).await.unwrap().value;
    assert_eq!(outcome.value, Value::Matrix(Vec::new()));
}

/// The configuration that promotes these attributes of resources.
fn promoting(keys: &[&str]) -> Config {
    let promote_resource_attributes = keys.iter().map(|key| (*key).to_owned()).collect();
    let prometheus = PrometheusConfig { promote_resource_attributes, ..PrometheusConfig::default() };
    Config { prometheus, ..Config::default() }
}

/// The one that promotes all but these.
fn promoting_all_but(keys: &[&str]) -> Config {
    let mut config = promoting(&[]);
    config.prometheus.promote_all_resource_attributes = true;
    config.prometheus.ignore_resource_attributes = keys.iter().map(|key| (*key).to_owned()).collect();
    config
}

/// With these attributes of resources as labels.
fn with_promoted(all: BTreeMap<Labels, Points>, names: &[&str]) -> BTreeMap<Labels, Points> {
    let promoted = |labels: Labels| {
        let service = labels.get("job").to_owned();
        let resource = super::data::resource(&service);
        let value = |name: &str| {
            let of = |(key, value): &(String, Option<String>)| {
                (key.replace('.', "_") == name).then(|| value.clone())
            };
            resource.iter().find_map(of).flatten().unwrap()
        };
        let own = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        own.chain(names.iter().map(|name| ((*name).to_owned(), value(name)))).collect()
    };
    all.into_iter().map(|(labels, points)| (promoted(labels), points)).collect()
}

#[tokio::test]
async fn what_is_promoted_is_labels_and_a_change_counts_at_once() {
    let (host, service) = ("host_name", "service_name");
    let turns: [(Config, &[&str]); 6] = [
        (promoting(&[]), &[]),
        (promoting(&["host.name", "not.there"]), &[host]),
        (promoting_all_but(&["host.name"]), &[service]),
        (promoting(&[" host.name "]), &[host]),
        (promoting_all_but(&[]), &[host, service]),
        (promoting(&[]), &[]),
    ];
    for (split, place) in [&splits()[0], &splits()[1], &splits()[3]] {
        let engine = engine(Placed::shop(place));
        for (config, labels) in &turns {
            engine.reconfigure(config.clone());
            // The second time from what is kept of files.
            for _ in 0..2 {
                let found = selected(&engine, "orders_total{color=\"blue\"}[5h]").await;
                let all = expected("orders", "orders_total", "blue");
                assert_eq!(found, with_promoted(all, labels), "{split}, {labels:?}");
            }
            let found = selected(&engine, "orders_total{host_name=\"host-2\",color=\"blue\"}[1m]").await;
            assert_eq!(found.len(), usize::from(labels.contains(&host)), "{split}, {labels:?}");
        }
        engine.reconfigure(turns[1].0.clone());
        let found = selected(&engine, "target_info[5m]").await;
        assert!(found.keys().all(|labels| labels.get("host_name").starts_with("host-")), "{found:?}");
        assert!(found.len() >= 4 && found.keys().all(|labels| labels.get("service_name").is_empty()));
    }
}

#[tokio::test]
async fn labels_of_points_go_before_those_of_resources() {
    let series = [
        own_series(1, &[("host_name", "of the point")]),
        own_series(2, &[("__name__", "a_b"), ("job", "own")]),
        own_series(3, &[("host.name", "")]),
    ];
    let mut placed = Placed::default();
    placed.put(Table::Series, &batches::series(&series), |_, row| Place::Segment(row));
    let samples = [sample(1, 0, 1.0), sample(2, 0, 2.0), sample(3, 0, 3.0)];
    placed.put(Table::Samples, &batches::samples(&samples), |_, _| Place::Memory(0));
    let engine = engine_with(placed, Budget::new(1 << 30), promoting_all_but(&["service.name"]));
    let found = selected(&engine, "a_b[5h]").await;
    let labels = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Labels>();
    let of_point = labels(&[("__name__", "a_b"), ("host_name", "of the point"), ("job", "cart")]);
    let of_resource = labels(&[("__name__", "a_b"), ("host_name", "host-1"), ("job", "cart")]);
    let prometheus = labels(&[("__name__", "a_b"), ("job", "own")]);
    let value = |labels: &Labels| found[labels][0].1;
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!((value(&of_point), value(&prometheus), value(&of_resource)), (1.0, 2.0, 3.0));
}

/// More samples than one thread is asked to decode, of a few series, in several files and in memory.
fn many_samples() -> Placed {
    let series: Vec<_> =
        (0..6).map(|n| own_series(n, &[("__name__", "a.b"), ("n", &n.to_string())])).collect();
    let place = |_: Table, row: usize| match row / 40_000 {
        part @ 0..4 => Place::Segment(part),
        _ => Place::Memory(row % 2),
    };
    let value = |row: u64| {
        if row.is_multiple_of(13) { (row as f64).sqrt() } else { (row * row % 1_000) as f64 / 4.0 }
    };
    let samples: Vec<_> = (0..170_000).map(|row| sample(row % 6, row as i64 / 12, value(row))).collect();
    let mut placed = Placed::default();
    placed.group_rows = 20_000;
    placed.put(Table::Series, &batches::series(&series), |_, _| Place::Segment(0));
    placed.put(Table::Samples, &batches::samples(&samples), place);
    placed
}

#[test]
fn the_answer_does_not_depend_on_the_number_of_threads() {
    let placed = many_samples();
    let mut answers = Vec::new();
    for threads in [1, 2, 5] {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
        answers.push(runtime.unwrap().block_on(async {
            let engine = engine(placed.clone());
            let found = selected(&engine, "{\"a.b\"}[5h]").await;
            let steps = Steps { start_ms: BEGIN_MS, end_ms: END_MS, step_ms: 61_000 };
            let query = PrometheusQuery {
                tenant: tenant(),
                text: "sum(rate({\"a.b\"}[5m])) + stddev(last_over_time({\"a.b\"}[1m]))".to_owned(),
                when: When::Range(steps),
                timeout: None,
                lookback_ms: None,
                resolution_max_ms: None,
            };
            let bits = |points: &Points| {
                points.iter().map(|(time, value)| (*time, value.to_bits())).collect::<Vec<_>>()
            };
            let found: Vec<_> = found.iter().map(|(labels, points)| (labels.clone(), bits(points))).collect();
            (found, engine.prometheus_query(query).await.unwrap().value.value)
        }));
    }
    // Of two samples of a millisecond the last one stays.
    assert_eq!(answers[0].0.iter().map(|(_, points)| points.len()).collect::<Vec<_>>(), [14_167; 6]);
    for answer in &answers[1..] {
        assert_eq!(*answer, answers[0]);
    }
}

/// Everything of a long time at once would take far more memory than the query may use.
#[tokio::test]
async fn long_times_are_read_some_series_at_a_time() {
    let names = |n: u64| [("__name__", "a.b".to_owned()), ("n", format!("{n:03}"))];
    let series: Vec<_> = (0..400)
        .map(|n| {
            let names = names(n);
            own_series(n, &[(names[0].0, &names[0].1), (names[1].0, &names[1].1)])
        })
        .collect();
    let samples: Vec<_> =
        (0..200_000).map(|row| sample(row % 400, (row / 400 * 15) as i64, (row % 7) as f64)).collect();
    let mut placed = Placed::default();
    placed.put(Table::Series, &batches::series(&series), |_, _| Place::Segment(0));
    placed.put(Table::Samples, &batches::samples(&samples), |_, row| Place::Segment(row / 50_000));
    // What is of the very beginning is not in the range.
    let text = "sum(count_over_time({\"a.b\"}[4h]))";
    let with = |share| {
        engine_with(
            placed.clone(),
            Budget::new(64 << 20),
            Config { memory_share: share, ..Config::default() },
        )
    };
    let expected = ask(&with(1.0), text).await.unwrap().value.value;
    assert!(format!("{expected:?}").contains("Float(199600.0)"), "{expected:?}");
    // 6.4 MB as they are decoded, and 5.1 MiB for the query.
    let engine = with(0.08);
    assert_eq!(ask(&engine, text).await.unwrap().value.value, expected);
}

#[tokio::test]
async fn labels_of_files_are_kept_within_a_bound_and_are_the_same() {
    let placed = Placed::shop(|_, row| Place::Segment(row % 2));
    let text = "{__name__=~\".+\",job=\"cart\"}[5h]";
    let with = |series_cache| {
        let prometheus = PrometheusConfig { series_cache, ..PrometheusConfig::default() };
        engine_with(placed.clone(), Budget::new(1 << 30), Config { prometheus, ..Config::default() })
    };
    let (kept, not_kept) = (with(ByteSize::mib(1)), with(ByteSize::new(0)));
    let expected = selected(&not_kept, text).await;
    assert_eq!((not_kept.stats().series_bytes, expected.is_empty()), (0, false));
    let mut scanned = Vec::new();
    for _ in 0..2 {
        let before = kept.stats().scanned_bytes;
        assert_eq!(selected(&kept, text).await, expected);
        scanned.push(kept.stats().scanned_bytes - before);
    }
    assert!(scanned[1] < scanned[0], "{scanned:?}");
    assert!((1..1 << 20).contains(&kept.stats().series_bytes), "{:?}", kept.stats());
    // OpenTelemetry's own name, and one that no series has, are asked of the same.
    assert_eq!(selected(&kept, "orders[5h]").await, selected(&not_kept, "orders[5h]").await);
    assert!(selected(&kept, "order[5h]").await.is_empty());
}

/// What a range query costs for each raw sample: a table, not a test.
///
/// `cargo test --profile quick -p query --lib -- --ignored --nocapture a_raw_sample`
#[test]
#[ignore = "a measurement"]
#[allow(clippy::print_stdout)]
fn what_a_raw_sample_costs() {
    let (series, per_series) = (1_600, 720);
    let named =
        |n: u64| own_series(n, &[("__name__", "a.b"), ("n", &n.to_string()), ("mode", &(n % 8).to_string())]);
    let all: Vec<_> = (0..series).map(named).collect();
    let samples: Vec<_> = (0..series * per_series)
        .map(|row| sample(row % series, (row / series * 15) as i64, (row * 7 % 10_007) as f64 / 100.0))
        .collect();
    for (what, parts) in [("one file", 1), ("four files", 4), ("memory", 0)] {
        let place = |_: Table, row: usize| match parts {
            0 => Place::Memory(0),
            parts => Place::Segment(row * parts / samples.len()),
        };
        let mut placed = Placed::default();
        placed.group_rows = 1 << 20;
        placed.put(Table::Series, &batches::series(&all), |_, _| Place::Segment(0));
        placed.put(Table::Samples, &batches::samples(&samples), place);
        for threads in [1, 2] {
            let runtime =
                tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
            runtime.unwrap().block_on(async {
                let engine = engine(placed.clone());
                let end_ms = BEGIN_MS + 15_000 * per_series as i64;
                for round in 0..4 {
                    let query = PrometheusQuery {
                        tenant: tenant(),
                        text: "sum by (mode) (rate({\"a.b\"}[5m]))".to_owned(),
                        when: When::Range(Steps { start_ms: BEGIN_MS, end_ms, step_ms: 15_000 }),
                        timeout: None,
                        lookback_ms: None,
                        resolution_max_ms: None,
                    };
                    let elapsed = engine.prometheus_query(query).await.unwrap().summary.elapsed;
                    let nanos = elapsed.as_nanos() as f64 / samples.len() as f64;
                    println!("{what}, {threads} threads, round {round}: {nanos:.0} ns a raw sample");
                }
            });
        }
    }
}
