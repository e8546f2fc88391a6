//! What is told of metrics since the last time: nothing twice, nothing lost, whatever a receiver does.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data, number_data_point::Value};
use parking_lot::Mutex;
use prost::Message;

use super::{PATIENCE, Sink};
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::Resource;
use crate::telemetry::{
    ExportError, Exporter, Pipeline, PipelineOptions, Several, Signal, TemporalityPreference as Preference,
};

/// What a receiver does with requests of metrics before it takes them.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    /// Nobody knows what became of it: it was taken, and the answer did not come.
    TakenUnheard,
    /// It was not taken, and may be tried again.
    Busy,
    /// It was not taken, and must not be tried again.
    Refused,
    /// It was taken but for one point.
    Partial,
}

#[derive(Clone, Default)]
struct Moody(Arc<Mutex<VecDeque<Answer>>>, Sink);

impl Exporter for Moody {
    fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        let answer = if signal == Signal::Metrics { self.0.lock().pop_front() } else { None };
        let retry = ExportError::retry_after("not now", Duration::ZERO);
        match answer {
            Some(Answer::Busy) => Err(retry),
            Some(Answer::Refused) => Err(ExportError::permanent("never")),
            Some(Answer::TakenUnheard) => self.1.export(signal, request).and(Err(retry)),
            Some(Answer::Partial) => {
                self.1.export(signal, request).and(Err(ExportError::partial("too old", 1)))
            }
            None => self.1.export(signal, request),
        }
    }
}

fn started(preference: Preference, registry: &Registry) -> (Pipeline, Moody) {
    let moody = Moody::default();
    (started_with(preference, registry, moody.clone()), moody)
}

fn started_with(preference: Preference, registry: &Registry, exporter: impl Exporter) -> Pipeline {
    let hour = Duration::from_secs(3600);
    let options = PipelineOptions {
        interval: hour,
        metrics_interval: hour,
        temporality: preference,
        retry_wait_max: Duration::from_millis(1),
        ..PipelineOptions::default()
    };
    let pipeline = Pipeline::start(Resource::default(), registry.clone(), options).unwrap();
    pipeline.connect(exporter);
    pipeline
}

/// What each request that was taken says of a metric.
fn told(sink: &Sink, name: &str) -> Vec<Option<Metric>> {
    let requests = sink.requests(Signal::Metrics);
    let requests = requests.iter().map(|it| ExportMetricsServiceRequest::decode(&it[..]).unwrap());
    let metrics = |it: ExportMetricsServiceRequest| {
        let scopes = it.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
        scopes.flat_map(|it| it.metrics).find(|it| it.name == name)
    };
    requests.map(metrics).collect()
}

/// A point of a counter: its time from when to when, its label, how much.
type Point = ((u64, u64), String, i64);

fn points(metric: &Metric, temporality: i32) -> Vec<Point> {
    let Some(Data::Sum(sum)) = &metric.data else { panic!("{metric:?}") };
    assert_eq!(sum.aggregation_temporality, temporality, "{metric:?}");
    let point = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        let Some(Value::AsInt(value)) = point.value else { panic!("{point:?}") };
        let label = point.attributes.iter().map(|it| format!("{:?}", it.value)).collect();
        ((point.start_time_unix_nano, point.time_unix_nano), label, value)
    };
    sum.data_points.iter().map(point).collect()
}

fn values(sink: &Sink, name: &str, temporality: i32) -> Vec<Option<i64>> {
    let of = |metric: Metric| points(&metric, temporality)[0].2;
    told(sink, name).into_iter().map(|metric| metric.map(of)).collect()
}

const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

#[test]
fn only_what_adds_up_is_told_since_the_last_time() {
    for preference in [Preference::Cumulative, Preference::Delta, Preference::LowMemory] {
        let registry = Registry::new();
        let counter = registry.counter("c", "", "").bind(&[("a", "1")]);
        let gauge = registry.gauge("g", "", "").bind(&[]);
        let in_flight = registry.up_down_counter("u", "", "").bind(&[]);
        let observed = Arc::new(AtomicU64::new(100));
        let read = observed.clone();
        registry.observe_counter("o", "", "", move |it| it.observe(read.load(Ordering::SeqCst), &[]));
        let (pipeline, Moody(_, sink)) = started(preference, &registry);
        for n in [3, 0, 4] {
            counter.add(n);
            in_flight.add(2);
            gauge.set(1.0);
            assert!(pipeline.flush(PATIENCE));
            observed.fetch_add(5, Ordering::SeqCst);
        }
        // Whoever is asked has begun anew.
        observed.store(1, Ordering::SeqCst);
        assert!(pipeline.flush(PATIENCE));
        let (own, asked) = match preference {
            Preference::Cumulative => (CUMULATIVE, CUMULATIVE),
            Preference::Delta => (DELTA, DELTA),
            Preference::LowMemory => (DELTA, CUMULATIVE),
        };
        let expected = match own {
            DELTA => [Some(3), None, Some(4), None],
            _ => [Some(3), Some(3), Some(7), Some(7)],
        };
        assert_eq!(values(&sink, "c", own), expected, "{preference:?}");
        let expected = if asked == DELTA { [100, 5, 5, 1] } else { [100, 105, 110, 1] };
        assert_eq!(values(&sink, "o", asked), expected.map(Some), "{preference:?}");
        assert_eq!(values(&sink, "u", CUMULATIVE), [2, 4, 6, 6].map(Some), "{preference:?}");
        assert!(told(&sink, "g").iter().all(Option::is_some), "{preference:?}");
        // The page says all.
        assert!(registry.prometheus().contains("c_total{a=\"1\"} 7\n"), "{}", registry.prometheus());
    }
}

#[test]
fn each_time_begins_where_the_one_before_ended() {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "");
    let (pipeline, Moody(_, sink)) = started(Preference::Delta, &registry);
    for label in ["b", "a", "c", "a"] {
        counter.add(1, &[("l", label)]);
        counter.add(1, &[("l", "always")]);
        assert!(pipeline.flush(PATIENCE));
    }
    let all: Vec<_> = told(&sink, "c").into_iter().map(|it| points(&it.unwrap(), DELTA)).collect();
    assert!(all.iter().all(|points| points.len() == 2 && points.iter().all(|(_, _, n)| *n == 1)), "{all:?}");
    let times: Vec<_> = all.iter().map(|points| points[0].0).collect();
    assert!(times.windows(2).all(|pair| pair[0].1 == pair[1].0), "{times:?}");
    assert!(times.iter().all(|(start, end)| 0 < *start && start <= end), "{times:?}");
}

/// A receiver that knows points again by their times has counted each event once, whatever happened.
#[test]
fn nothing_is_counted_twice_or_lost_whatever_the_receiver_does() {
    use Answer::{Busy, Partial, Refused, TakenUnheard};

    let script = [
        &[][..],
        &[TakenUnheard],
        &[Busy, TakenUnheard, Busy, TakenUnheard],
        &[Refused],
        &[TakenUnheard, Refused],
        &[Partial],
    ];
    everything_is_counted_once(&script, false);
    // A round is given up as soon as somebody else asks, and the next begins with what is unsure.
    everything_is_counted_once(&[&[Busy, TakenUnheard], &[TakenUnheard; 3], &[]], true);
}

/// With others who ask for a flush all the time, if they are to be `impatient`.
fn everything_is_counted_once(script: &[&[Answer]], impatient: bool) {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "");
    let (pipeline, Moody(answers, sink)) = started(Preference::Delta, &registry);
    let stop = AtomicBool::new(false);
    let added = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let stop = &stop;
        let running = || !stop.load(Ordering::SeqCst);
        for label in ["x", "y"] {
            let (bound, added) = (counter.bind(&[("l", label)]), &added);
            scope.spawn(move || {
                while running() {
                    bound.add(1);
                    added.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let pipeline = &pipeline;
        scope.spawn(move || {
            while running() && impatient {
                pipeline.flush(Duration::ZERO);
            }
        });
        for answer in script.iter().cycle().take(40) {
            answers.lock().extend(answer.iter());
            pipeline.flush(PATIENCE);
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(pipeline.shutdown(PATIENCE));
    let all = told(&sink, "c").into_iter().flatten().flat_map(|it| points(&it, DELTA));
    let mut known = HashMap::new();
    for (times, label, value) in all {
        let before = known.insert((times, label), value);
        assert!(before.is_none_or(|before| before == value), "the same time says {before:?} and {value}");
    }
    let mut times: Vec<_> = known.keys().collect();
    times.sort_by_key(|((start, _), label)| (label.clone(), *start));
    for pair in times.windows(2).filter(|pair| pair[0].1 == pair[1].1) {
        assert!(pair[0].0.1 <= pair[1].0.0, "times overlap: {pair:?}");
    }
    let sum: i64 = known.values().sum();
    assert_eq!(sum.cast_unsigned(), added.load(Ordering::SeqCst), "impatient: {impatient}");
}

/// It may have been taken at first: it is not told again, and the flush says that it may be lost.
#[test]
fn what_is_refused_after_it_may_have_been_taken_is_not_told_again() {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "").bind(&[]);
    let (pipeline, Moody(answers, sink)) = started(Preference::Delta, &registry);
    answers.lock().extend([Answer::Busy, Answer::Refused]);
    counter.add(1);
    assert!(!pipeline.flush(PATIENCE), "it may be lost");
    counter.add(10);
    assert!(pipeline.flush(PATIENCE));
    assert_eq!(values(&sink, "c", DELTA), [Some(10)]);
}

/// Shorter than an outage the patience of a round is; what was begun goes on in the next.
#[test]
fn what_is_unsure_waits_for_its_answer_as_it_was() {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "").bind(&[]);
    let (pipeline, Moody(answers, sink)) = started(Preference::Delta, &registry);
    answers.lock().extend([Answer::Busy; 2000]);
    counter.add(1);
    assert!(!pipeline.flush(Duration::from_millis(20)), "it is not delivered");
    counter.add(10);
    assert!(!pipeline.flush(Duration::from_millis(20)), "it is not delivered");
    counter.add(100);
    answers.lock().clear();
    while !pipeline.flush(PATIENCE) {}
    let values: Vec<_> = values(&sink, "c", DELTA).into_iter().flatten().collect();
    assert_eq!((values[0], values.iter().sum::<i64>()), (1, 111));
}

#[test]
fn the_end_tells_what_is_left() {
    let registry = Registry::new();
    let counter = registry.counter("c", "", "").bind(&[]);
    let (pipeline, Moody(answers, sink)) = started(Preference::Delta, &registry);
    counter.add(1);
    answers.lock().push_back(Answer::Busy);
    assert!(pipeline.flush(PATIENCE));
    counter.add(10);
    answers.lock().push_back(Answer::Busy);
    assert!(pipeline.shutdown(PATIENCE));
    assert_eq!(values(&sink, "c", DELTA), [Some(1), Some(10)]);
}

#[test]
fn distributions_are_told_since_the_last_time() {
    let registry = Registry::new();
    let histogram = registry.histogram("h", "", "", &[1.0, 10.0]).bind(&[]);
    let exponential = registry.exponential_histogram("e", "", "").bind(&[]);
    let (pipeline, Moody(_, sink)) = started(Preference::Delta, &registry);
    // The last are so far from the others that buckets are merged.
    let rounds = [&[0.5, 5.0][..], &[], &[5.0, 50.0, 0.0], &[1e-6, 1e6, -3.0, 5.0]];
    for values in rounds {
        for value in values {
            histogram.record(*value);
            exponential.record(*value);
        }
        assert!(pipeline.flush(PATIENCE));
    }
    let told = (told(&sink, "h"), told(&sink, "e"));
    for (index, values) in rounds.iter().enumerate() {
        let (Some(h), Some(e)) = (&told.0[index], &told.1[index]) else {
            assert!(values.is_empty(), "{index}");
            continue;
        };
        let (Some(Data::Histogram(h)), Some(Data::ExponentialHistogram(e))) = (&h.data, &e.data) else {
            panic!("{told:?}")
        };
        assert_eq!((h.aggregation_temporality, e.aggregation_temporality), (DELTA, DELTA));
        let (h, e) = (&h.data_points[0], &e.data_points[0]);
        let count = |within: &dyn Fn(f64) -> bool| values.iter().filter(|it| within(**it)).count() as u64;
        let buckets = [count(&|it| it <= 1.0), count(&|it| it > 1.0 && it <= 10.0), count(&|it| it > 10.0)];
        assert_eq!((&h.bucket_counts[..], h.count), (&buckets[..], values.len() as u64), "{index}");
        let sum: f64 = values.iter().sum();
        assert!((h.sum.unwrap() - sum).abs() < 1e-6 && (e.sum.unwrap() - sum).abs() < 1e-6, "{index}");
        assert_eq!((e.count, e.zero_count), (values.len() as u64, count(&|it| it == 0.0)), "{index}");
        let inside = |side: &Option<Buckets>| -> Vec<f64> {
            let Some(side) = side else { return Vec::new() };
            let middle = |at: i32| ((f64::from(at) + 0.5) * f64::from(-e.scale).exp2()).exp2();
            let each = (side.offset..).zip(&side.bucket_counts);
            each.flat_map(|(at, count)| std::iter::repeat_n(middle(at), *count as usize)).collect()
        };
        let mut expected: Vec<_> = values.iter().copied().filter(|it| *it > 0.0).collect();
        expected.sort_by(f64::total_cmp);
        let found = inside(&e.positive);
        assert_eq!(found.len(), expected.len(), "{index}: {e:?}");
        // Within a factor of the buckets' width.
        let factor = f64::from(-e.scale).exp2().exp2();
        assert!(found.iter().zip(&expected).all(|(a, b)| a / b < factor && b / a < factor), "{index}: {e:?}");
        assert_eq!(inside(&e.negative).len() as u64, count(&|it| it < 0.0), "{index}");
    }
    assert!(told.0[1].is_none() && told.1[1].is_none(), "nothing new is not told");
}

/// One of two that refuses says nothing of the other, who may have it: each gets each difference once,
/// or, where it refuses for good what the other takes, not at all. The digits of a sum say which.
#[test]
fn each_of_several_is_told_once_whatever_the_other_does() {
    use Answer::{Busy, Partial, Refused, TakenUnheard};

    let rounds = [
        (&[][..], &[][..], true),
        (&[Partial], &[Refused], false),
        (&[TakenUnheard], &[Refused], true),
        (&[Refused], &[TakenUnheard, Busy], true),
        (&[Refused], &[Partial], false),
        // Nobody has it: it is told with the next.
        (&[Refused], &[Refused], false),
        (&[TakenUnheard, Refused], &[Refused], false),
        (&[Busy], &[TakenUnheard], true),
    ];
    let registry = Registry::new();
    let counter = registry.counter("c", "", "").bind(&[]);
    let (one, two) = (Moody::default(), Moody::default());
    let exporters: [(&str, Box<dyn Exporter>); 2] =
        [("one", Box::new(one.clone())), ("two", Box::new(two.clone()))];
    let several = Several::new(exporters, PATIENCE).unwrap();
    let pipeline = started_with(Preference::Delta, &registry, several);
    let mut step = 1;
    for (first, second, delivered) in rounds {
        one.0.lock().extend(first);
        two.0.lock().extend(second);
        counter.add(step);
        assert_eq!(pipeline.flush(PATIENCE), delivered, "{first:?}, {second:?}");
        assert!(one.0.lock().is_empty() && two.0.lock().is_empty(), "{first:?}, {second:?}");
        step *= 10;
    }
    let sum = |sink: &Sink| {
        let points = told(sink, "c").into_iter().flatten().flat_map(|it| points(&it, DELTA));
        // Who knows points again by their times counts them once.
        let known: HashMap<_, _> = points.map(|(times, _, value)| (times, value)).collect();
        known.values().sum::<i64>()
    };
    assert_eq!((sum(&one.1), sum(&two.1)), (11_100_111, 10_011_001));
}
