#![allow(clippy::unwrap_used)]

mod protobuf;

use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::cells::{self, Cell};
use crate::prometheus::{About, Kind, RequestWriter, Version};
use crate::{Context, Decide, Decoded, Limits};

const RECEIVED: i64 = 1_700_000_000_000_000_001;

fn lines(format: Format, body: &str) -> Vec<Result<Entry<'_>, Fault>> {
    Lines::new(format, body.as_bytes()).collect()
}

/// Every line in a few words.
#[track_caller]
fn check(format: Format, body: &str, expected: &[&str]) {
    let told: Vec<String> = lines(format, body).into_iter().map(|line| tell(&line)).collect();
    assert_eq!(told, expected, "{body:?}");
}

fn tell(line: &Result<Entry<'_>, Fault>) -> String {
    match line {
        Ok(Entry::Help { metric, text }) => format!("help {metric}: {text:?}"),
        Ok(Entry::Type { metric, kind }) => format!("type {metric}: {kind}"),
        Ok(Entry::Unit { metric, unit }) => format!("unit {metric}: {unit}"),
        Ok(Entry::Sample(sample)) => {
            let mut text = format!("{} = {}", told_labels(sample.series), sample.value);
            if let Some(time) = sample.time_ms {
                write!(text, " @{time}").unwrap();
            }
            if let Some(Exemplar { labels, value, time_ms }) = sample.exemplar {
                write!(text, " ~{} = {value} @{time_ms:?}", told_labels(labels)).unwrap();
            }
            text
        }
        Err(fault) => format!("{}: {:?}", fault.line, fault.wrong),
    }
}

fn told_labels(series: &str) -> String {
    let mut read = Labels::new();
    match labels(series, &mut read) {
        Ok(()) => read.iter().map(|(name, value)| format!("{name}={value:?}")).collect::<Vec<_>>().join(","),
        Err(wrong) => format!("{wrong:?}"),
    }
}

#[test]
fn the_text_format_is_read_as_prometheus_reads_it() {
    check(
        Format::Text,
        "# HELP http_requests_total How many \\\\ requests\\nthere \\were \\\"so far\\\".\n\
         # TYPE http_requests_total counter\n\
         # a comment\n\
         #HELP no help\n\
         \n\
         http_requests_total{method=\"post\",code=\"200\",} 1027 1395066363000\n\
         \x20 http_requests_total { method = \"a\\\\b\\\"c\\nd\\e}\" , code=\"400\"}\t3\n\
         # TYPE old untyped\n\
         old -Inf\n\
         a:b_1 nan -5\n\
         c 1e-3",
        &[
            "help http_requests_total: \"How many \\\\ requests\\nthere \\\\were \\\\\\\"so far\\\\\\\".\"",
            "type http_requests_total: counter",
            "__name__=\"http_requests_total\",method=\"post\",code=\"200\" = 1027 @1395066363000",
            "__name__=\"http_requests_total\",method=\"a\\\\b\\\"c\\nd\\\\e}\",code=\"400\" = 3",
            "type old: unknown",
            "__name__=\"old\" = -inf",
            "__name__=\"a:b_1\" = NaN @-5",
            "__name__=\"c\" = 0.001",
        ],
    );
}

#[test]
fn names_of_any_text_stand_in_quotes() {
    check(
        Format::Text,
        "# HELP \"http.requests\" Dots.\n\
         {\"http.requests\",\"the path\"=\"/\",b=\"c\"} 1\n\
         {\"ünï\\\"q\"} 2\n\
         {a=\"b\",\"late\"} 3\n\
         up{\"twice\"} 4\n\
         \"bare\" 5\n",
        &[
            "help http.requests: \"Dots.\"",
            "__name__=\"http.requests\",the path=\"/\",b=\"c\" = 1",
            "__name__=\"ünï\\\"q\" = 2",
            "a=\"b\",__name__=\"late\" = 3",
            "TwoNames = 4",
            "MetricName = 5",
        ],
    );
}

#[test]
fn openmetrics_is_read_with_units_exemplars_and_created() {
    check(
        Format::OpenMetrics,
        "# TYPE latency_seconds histogram\n\
         # UNIT latency_seconds seconds\n\
         # HELP latency_seconds Say \\\"how long\\\".\n\
         latency_seconds_bucket{le=\"0.1\"} 8 # {trace_id=\"abc\"} 0.05 1520879607.789\n\
         latency_seconds_bucket{le=\"+Inf\"} 9 1.5 # {} 0.9\n\
         latency_seconds_created 1520430000.123\n\
         # TYPE build info\n\
         build_info{v=\"1 # 2\"} 1\n\
         # EOF\n",
        &[
            "type latency_seconds: histogram",
            "unit latency_seconds: seconds",
            "help latency_seconds: \"Say \\\"how long\\\".\"",
            "__name__=\"latency_seconds_bucket\",le=\"0.1\" = 8 ~trace_id=\"abc\" = 0.05 @Some(1520879607789)",
            "__name__=\"latency_seconds_bucket\",le=\"+Inf\" = 9 @1500 ~ = 0.9 @None",
            "__name__=\"latency_seconds_created\" = 1520430000.123",
            "type build: info",
            "__name__=\"build_info\",v=\"1 # 2\" = 1",
        ],
    );
    check(Format::OpenMetrics, "# EOF", &[]);
}

#[test]
fn a_line_that_cannot_be_read_is_told_and_the_next_one_is_read() {
    check(
        Format::Text,
        "a\nb \nc x\nd 1 2 3\ne{ 1\nf{x} 1\nf{x=1} 1\nf{x=\"1\" y=\"2\"} 1\nf{1x=\"1\"} 1\n1g 1\nh 1 1.5\n\
         # TYPE i elephant\n# HELP\nz 1\n",
        &[
            "1: Value",
            "2: Value",
            "3: Value",
            "4: Trailing",
            "5: Open",
            "Equals = 1",
            "Quote = 1",
            "Comma = 1",
            "LabelName = 1",
            "MetricName = 1",
            "11: Timestamp",
            "12: Type",
            "13: MetricName",
            "__name__=\"z\" = 1",
        ],
    );
    check(
        Format::OpenMetrics,
        "\n# comment\na  1\n# UNIT a_s seconds\n# TYPE a untyped\na 1 # x\na 1 # {} x\na 1 # {}\na 1 nan\n\
         # EOF\na 1\n",
        &[
            "1: Comment",
            "2: Comment",
            "3: Value",
            "4: Unit",
            "5: Type",
            "6: Exemplar",
            "7: Value",
            "8: Exemplar",
            "9: Timestamp",
            "11: AfterEnd",
        ],
    );
    check(Format::OpenMetrics, "a 1\n", &["__name__=\"a\" = 1", "1: NoEnd"]);
    assert_eq!(
        Lines::new(Format::Text, b"a{b=\"\xff\"} 1\nc 1").map(|line| tell(&line)).collect::<Vec<_>>(),
        ["1: Utf8", "__name__=\"c\" = 1"]
    );
}

#[test]
fn no_text_is_the_marker_of_staleness() {
    for text in ["NaN", "nan", "-NaN", "+nan"] {
        assert_eq!(number_of(text).unwrap().to_bits(), NAN, "{text}");
    }
}

fn push(format: Format, body: &[u8]) -> Decoded {
    let limits = Limits::default();
    let context = Context { received_unix_nano: RECEIVED, decide: Decide::Apply(&limits) };
    decode(format, body, &context).unwrap()
}

#[test]
fn a_push_keeps_what_can_be_read_and_names_the_rest_by_line() {
    let body = "# HELP up Whether it answers.\n# TYPE up gauge\nup{job=\"node\"} 1\nup{ 2\nup{job=\"a\",job=\"b\"} 3\n\
                nothing{} \nup{job=\"node\"} 4 1500\n";
    let decoded = push(Format::Text, body.as_bytes());
    assert_eq!(decoded.received, 5);
    let told: Vec<_> =
        decoded.rejected.iter().map(|it| (it.reason, it.indices.clone(), it.example.as_str())).collect();
    assert_eq!(
        told,
        [
            ("malformed_line", vec![1, 3], "line 4: a quote or a brace does not end"),
            ("duplicate_label", vec![2], "two labels of the series have the same name"),
        ]
    );
    let [samples, _, _, series] = &cells::tables(&decoded.batch)[..] else { panic!("four tables") };
    let get = |row: &cells::Row, name: &str| row.iter().find(|(it, _)| *it == name).unwrap().1.clone();
    let times: Vec<_> = samples.iter().map(|row| get(row, "time_unix_nano")).collect();
    assert_eq!(times, [Cell::Int(RECEIVED / 1_000_000 * 1_000_000), Cell::Int(1_500_000_000)]);
    assert_eq!(series.len(), 1);
    assert_eq!(get(&series[0], "description"), cells::text("Whether it answers."));
    assert_eq!(get(&series[0], "service_name"), cells::text("node"));
}

#[test]
fn a_body_that_was_cut_off_is_refused_as_a_whole() {
    let limits = Limits::default();
    let context = Context { received_unix_nano: RECEIVED, decide: Decide::Apply(&limits) };
    let error = decode(Format::OpenMetrics, b"a 1\n", &context).unwrap_err();
    assert_eq!(error.to_string(), "exposition: line 1: the body ends without `# EOF`: it was cut off");
}

/// A random name, value and help, quotes and all.
fn random_text(rng: &mut StdRng) -> String {
    let parts = ["a", "b_", "Z", "\\", "\"", "\n", "{", "}", "=", ",", "#", " ", "ü", "1", "\t"];
    (0..rng.random_range(1..6)).map(|_| *parts.choose(rng).unwrap()).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The same series as text and as remote write, whatever the labels are, end in the same columns.
#[test]
fn text_and_remote_write_of_the_same_series_are_the_same() {
    let seed: u64 = rand::random();
    let mut rng = StdRng::seed_from_u64(seed);
    for round in 0..300 {
        let (mut text, mut request) = (String::new(), RequestWriter::new());
        let exemplars: bool = rng.random();
        for _ in 0..rng.random_range(1..8) {
            let mut pairs = vec![("__name__".to_owned(), random_text(&mut rng))];
            (0..rng.random_range(0..4)).for_each(|number| {
                pairs.push((format!("{}{number}", random_text(&mut rng)), random_text(&mut rng)));
            });
            let value = f64::from(rng.random_range(-5..5)) / 4.0;
            let time: i64 = rng.random_range(-5..5) * 1000;
            write!(text, "{{\"{}\"", escaped(&pairs[0].1)).unwrap();
            for (name, value) in &pairs[1..] {
                write!(text, ",\"{}\"=\"{}\"", escaped(name), escaped(value)).unwrap();
            }
            write!(text, "}} {value} {}", time / 1000).unwrap();
            let trace = random_text(&mut rng);
            let own = [(&b"trace_id"[..], trace.as_bytes())];
            let exemplar = exemplars.then_some((&own[..], value, time));
            if exemplars {
                write!(text, " # {{trace_id=\"{}\"}} {value}", escaped(&trace)).unwrap();
            }
            text.push('\n');
            let labels = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            request.sample(labels, About::default(), (value, time), exemplar);
        }
        text.push_str("# EOF\n");
        let limits = Limits::default();
        let context = Context { received_unix_nano: RECEIVED, decide: Decide::Apply(&limits) };
        let other = crate::prometheus::decode(Version::V2, &request.finish(), &context).unwrap();
        let own = push(Format::OpenMetrics, text.as_bytes());
        assert!(own.rejected.is_empty(), "seed {seed} round {round}: {:?}\n{text}", own.rejected);
        assert_eq!(
            cells::tables(&own.batch),
            cells::tables(&other.batch),
            "seed {seed} round {round}\n{text}"
        );
        assert_eq!(own.received, other.received);
    }
}

/// However a bound is written, it is the same series.
#[test]
fn bounds_and_quantiles_are_written_one_way() {
    let values = ["1", "1.0", "1e0", "100000", "1e6", "0.0001", "0.00001", "-2.50", "inf", "+Inf", "x", "0"];
    let normal = |kind, name: &'static str| {
        values.map(|value| {
            let mut labels: Labels<'_> = vec![("__name__".into(), "1".into()), (name.into(), value.into())];
            normalize(kind, &mut labels);
            assert_eq!(labels[0].1, "1");
            labels[1].1.to_string()
        })
    };
    let expected =
        ["1.0", "1.0", "1.0", "100000.0", "1e+06", "0.0001", "1e-05", "-2.5", "+Inf", "+Inf", "x", "0.0"];
    assert_eq!(normal(Kind::Histogram, "le"), expected);
    assert_eq!(normal(Kind::Summary, "quantile"), expected);
    for (kind, name) in [(Kind::Counter, "le"), (Kind::Histogram, "quantile"), (Kind::Unknown, "le")] {
        assert_eq!(normal(kind, name), values);
    }
    let text = "# TYPE a histogram\na_bucket{le=\"1\"} 2\n# TYPE b gauge\nb{le=\"1\"} 2\n";
    let tables = cells::tables(&push(Format::Text, text.as_bytes()).batch);
    let told = format!("{tables:?}");
    // That of the histogram, and not that of the gauge.
    let (changed, kept) = (told.matches("\"1.0\"").count(), told.matches("\"1\"").count());
    assert!(changed > 0 && changed == kept, "{told}");
}

#[test]
fn what_is_written_for_a_scrape_is_read_with_its_help() {
    let mut request = RequestWriter::new();
    let labels = [(&b"__name__"[..], &b"up"[..]), (b"job", b"node")];
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let about = About { kind: Kind::Gauge, help: "Whether it answers.", unit: "" };
    request.sample(labels, about, (stale, 5), None);
    let limits = Limits::default();
    let context = Context { received_unix_nano: RECEIVED, decide: Decide::Apply(&limits) };
    let decoded = crate::prometheus::decode(Version::V2, &request.finish(), &context).unwrap();
    let tables = cells::tables(&decoded.batch);
    let get = |row: &cells::Row, name: &str| row.iter().find(|(it, _)| *it == name).unwrap().1.clone();
    assert_eq!(
        (get(&tables[0][0], "value"), get(&tables[0][0], "flags")),
        (cells::double(stale), Cell::Int(1))
    );
    assert_eq!(get(&tables[3][0], "description"), cells::text("Whether it answers."));
}
