//! Exponential histograms, held against what is known of their values.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data as Sent;
use proptest::prelude::*;
use prost::Message;

use crate::telemetry::metrics::{ExponentialHistogram, Registry};
use crate::telemetry::otlp::{Data, ExponentialPoint, Resource, Scope};

fn point(registry: &Registry) -> ExponentialPoint {
    let snapshot = registry.snapshot();
    let Data::Exponential { points, .. } = &snapshot[0].data else { panic!("{snapshot:?}") };
    points[0].clone()
}

fn recorded(values: &[f64]) -> (Registry, ExponentialHistogram, ExponentialPoint) {
    let registry = Registry::new();
    let histogram = registry.exponential_histogram("h", "s", "");
    values.iter().for_each(|value| histogram.record(*value, &[]));
    let point = point(&registry);
    (registry, histogram, point)
}

/// Whether each value lies in a bucket that the point has.
fn holds(point: &ExponentialPoint, value: f64) -> bool {
    let (side, value) = if value > 0.0 { (&point.positive, value) } else { (&point.negative, -value) };
    let factor = f64::from(-point.scale).exp2();
    let bucket = side.counts.iter().zip(side.offset..).find(|(_, index)| {
        // A hair of rounding is allowed at the bounds.
        let (low, high) = ((f64::from(*index) * factor).exp2(), ((f64::from(*index) + 1.0) * factor).exp2());
        low * (1.0 - 1e-12) < value && value <= high * (1.0 + 1e-12)
    });
    bucket.is_some_and(|(count, _)| *count > 0)
}

proptest! {
    #[test]
    fn every_value_is_in_its_bucket(values in prop::collection::vec((-40.0..40.0_f64, any::<bool>()), 1..300)) {
        let values: Vec<_> = values.into_iter().map(|(power, negative)| if negative { -power.exp2() } else { power.exp2() }).collect();
        let (_, _, point) = recorded(&values);
        let counted: u64 = point.positive.counts.iter().chain(&point.negative.counts).sum();
        prop_assert_eq!(counted, values.len() as u64);
        prop_assert!(point.positive.counts.len() <= 160 && point.negative.counts.len() <= 160);
        for value in &values {
            prop_assert!(holds(&point, *value), "{} of {:?}", value, point);
        }
    }

    #[test]
    fn quantiles_are_near(mut values in prop::collection::vec(0.01..1000.0_f64, 20..500), share in 0.0..1.0_f64) {
        let (_, histogram, _) = recorded(&values);
        values.sort_by(f64::total_cmp);
        let rank = (share * (values.len() - 1) as f64).round() as usize;
        let found = histogram.bind(&[]).quantile(share).unwrap();
        prop_assert!((found / values[rank] - 1.0).abs() < 0.05, "{} is not near {}", found, values[rank]);
    }
}

#[test]
fn what_is_at_the_bounds() {
    let (registry, histogram, point) = recorded(&[1.0, 2.0, 4.0]);
    // A power of two is the upper end of its bucket, which is inclusive.
    assert!([1.0, 2.0, 4.0].iter().all(|value| holds(&point, *value)), "{point:?}");
    let none = histogram.bind(&[("k", "none")]);
    assert_eq!((none.count(), none.quantile(0.5)), (0, None));
    let odd = histogram.bind(&[("k", "odd")]);
    let values = [f64::NAN, f64::INFINITY, 0.0, -0.0, f64::MIN_POSITIVE / 8.0, f64::MAX, -f64::MAX];
    values.into_iter().for_each(|value| odd.record(value));
    assert_eq!(odd.count(), 5);
    assert_eq!(odd.quantile(0.0), Some(-f64::MAX));
    assert_eq!(odd.quantile(0.5), Some(0.0));
    assert!(
        registry.prometheus().contains("h_seconds{k=\"odd\",quantile=\"0.5\"} 0\n"),
        "{}",
        registry.prometheus()
    );
}

#[test]
fn it_is_sent_as_otlp() {
    let (registry, ..) = recorded(&[0.0, -3.0, 1.5, 1.5, 900.0]);
    let bytes = registry.otlp(&Resource::service("test", "1"), &Scope::named("scope"));
    let request = ExportMetricsServiceRequest::decode(&bytes[..]).unwrap();
    let Some(Sent::ExponentialHistogram(sent)) =
        &request.resource_metrics[0].scope_metrics[0].metrics[0].data
    else {
        panic!("{request:?}")
    };
    assert_eq!(sent.aggregation_temporality, 2);
    let (sent, point) = (&sent.data_points[0], point(&registry));
    assert_eq!((sent.count, sent.zero_count, sent.sum), (5, 1, Some(900.0)));
    assert_eq!((sent.scale, sent.min, sent.max), (point.scale, Some(-3.0), Some(900.0)));
    let (positive, negative) = (sent.positive.clone().unwrap(), sent.negative.clone().unwrap());
    assert_eq!((positive.offset, positive.bucket_counts), (point.positive.offset, point.positive.counts));
    assert_eq!((negative.offset, negative.bucket_counts), (point.negative.offset, point.negative.counts));
}

#[test]
fn what_is_added_at_once_is_counted() {
    let registry = Registry::new();
    let (counter, histogram) = (registry.counter("c", "", ""), registry.exponential_histogram("e", "", ""));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (counter, histogram) = (&counter, &histogram);
            scope.spawn(move || {
                let label = ["a", "b", "c", "d"][thread];
                for n in 0..5_000 {
                    counter.add(1, &[("one", "x"), ("two", label)]);
                    counter.add(1, &[("two", "shared"), ("one", "x")]);
                    histogram.record(f64::from(n), &[]);
                }
            });
        }
    });
    assert_eq!(counter.bind(&[("one", "x"), ("two", "shared")]).value(), 20_000);
    assert_eq!(counter.bind(&[("two", "c"), ("one", "x")]).value(), 5_000);
    assert_eq!(histogram.bind(&[]).count(), 20_000);
}
