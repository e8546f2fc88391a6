//! Laws and examples of histograms.

#![allow(clippy::unwrap_used)]

mod laws;

use super::*;

fn spans(list: &[(i32, u32)]) -> Vec<BucketSpan> {
    list.iter().map(|(offset, length)| BucketSpan { offset: *offset, length: *length }).collect()
}

fn positive(schema: i32, list: &[(i32, u32)], buckets: &[f64]) -> Histogram {
    Histogram {
        schema,
        count: buckets.iter().sum(),
        sum: 10.0,
        positive_spans: spans(list),
        positive_buckets: buckets.to_vec(),
        ..Histogram::default()
    }
}

#[test]
fn bounds_are_powers() {
    let bound = |index, schema| bounds::bound(index, schema, &[]);
    assert_eq!(bound(0, 0), 1.0);
    assert_eq!(bound(3, 0), 8.0);
    assert_eq!(bound(-2, 0), 0.25);
    assert_eq!(bound(2, 1), 2.0);
    assert_eq!(bound(1, -2), 16.0);
    assert_eq!(bound(1024, 0), f64::MAX);
    assert_eq!(bound(1025, 0), f64::INFINITY);
    assert_eq!(bound(256 * 1024, 8), f64::MAX);
    assert_eq!(bound(-1074, 0), 5e-324);
    assert_eq!(bound(i32::MIN, 0), 0.0);
    assert_eq!(bound(i32::MAX, -4), f64::INFINITY);
}

#[test]
fn unequal_layouts_are_united() {
    let mut sum = positive(0, &[(1, 2), (2, 1)], &[1.0, 2.0, 3.0]);
    let other = positive(0, &[(0, 1), (2, 2)], &[10.0, 20.0, 30.0]);
    sum.add(&other).unwrap();
    assert_eq!(sum.positive_spans, spans(&[(0, 6)])[..1].to_vec());
    assert_eq!(sum.positive_buckets, [10.0, 1.0, 2.0, 20.0, 30.0, 3.0]);
    assert_eq!(sum.count, 66.0);
}

#[test]
fn the_lower_resolution_wins() {
    let mut sum = positive(1, &[(1, 4)], &[1.0, 2.0, 3.0, 4.0]);
    let other = positive(0, &[(1, 2)], &[10.0, 20.0]);
    sum.add(&other).unwrap();
    assert_eq!((sum.schema, &sum.positive_buckets[..]), (0, &[13.0, 27.0][..]));

    let mut sum = other.clone();
    sum.sub(&positive(1, &[(1, 4)], &[1.0, 2.0, 3.0, 4.0])).unwrap();
    assert_eq!((sum.schema, &sum.positive_buckets[..]), (0, &[7.0, 13.0][..]));
}

#[test]
fn the_wider_zero_bucket_wins() {
    // Buckets (1,2] and (2,4]; a threshold of 1.5 lies within the first.
    let mut sum = positive(0, &[(1, 2)], &[5.0, 6.0]);
    let other = Histogram { zero_threshold: 1.5, zero_count: 2.0, count: 2.0, ..Histogram::default() };
    sum.add(&other).unwrap();
    assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 7.0));
    assert_eq!(sum.positive_buckets, [6.0]);
    assert_eq!(sum.positive_spans, spans(&[(2, 1)]));
}

#[test]
fn custom_bounds_are_intersected() {
    let custom = |bounds: &[f64], buckets: &[f64]| Histogram {
        custom_values: bounds.into(),
        ..positive(CUSTOM_BUCKETS, &[(0, buckets.len() as u32)], buckets)
    };
    let mut sum = custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let added = sum.add(&custom(&[2.0, 3.0, 5.0], &[10.0, 20.0, 30.0, 40.0])).unwrap();
    assert!(added.bounds_reconciled);
    assert_eq!(*sum.custom_values, [2.0, 5.0]);
    assert_eq!(sum.positive_buckets, [13.0, 53.0, 44.0]);
    assert_eq!(sum.add(&Histogram::default()), Err(MixedSchemas));
}

#[test]
fn compaction_leaves_out_empty_buckets() {
    let mut histogram = positive(0, &[(0, 3), (2, 2), (1, 1)], &[0.0, 1.0, 0.0, 2.0, 0.0, 0.0]);
    histogram.clone().compact(0);
    let mut tight = histogram.clone();
    tight.compact(0);
    assert_eq!(tight.positive_spans, spans(&[(1, 1), (3, 1)]));
    assert_eq!(tight.positive_buckets, [1.0, 2.0]);
    histogram.compact(3);
    assert_eq!(histogram.positive_spans, spans(&[(1, 5)]));
    assert_eq!(histogram.positive_buckets, [1.0, 0.0, 0.0, 0.0, 2.0]);
}

#[test]
fn resets_are_found() {
    let before = positive(0, &[(0, 2)], &[1.0, 2.0]);
    assert!(!positive(0, &[(0, 2)], &[1.0, 2.0]).detect_reset(&before));
    assert!(positive(0, &[(0, 2)], &[3.0, 1.0]).detect_reset(&before));
    assert!(!positive(0, &[(-1, 4)], &[1.0, 1.0, 2.0, 9.0]).detect_reset(&before));
    assert!(positive(0, &[(1, 1)], &[9.0]).detect_reset(&before));
    assert!(positive(1, &[(0, 2)], &[5.0, 5.0]).detect_reset(&before));
    assert!(!positive(-1, &[(0, 2)], &[5.0, 5.0]).detect_reset(&before));
    let believed = |hint| Histogram { counter_reset_hint: hint, ..before.clone() }.detect_reset(&before);
    assert!(believed(CounterResetHint::Reset));
    assert!(!believed(CounterResetHint::NotReset));
}

#[test]
fn texts_are_those_of_prometheus() {
    let histogram = Histogram {
        zero_threshold: 0.001,
        zero_count: 2.5,
        negative_spans: spans(&[(0, 1)]),
        negative_buckets: vec![4.0],
        ..positive(0, &[(0, 2)], &[1.0, 2e6])
    };
    let text = "{count:2.000001e+06, sum:10, [-1,-0.5):4, [-0.001,0.001]:2.5, (0.5,1]:1, (1,2]:2e+06}";
    assert_eq!(histogram.to_string(), text);
    let expression =
        "{{count:2.000001e+06 sum:10 z_bucket:2.5 z_bucket_w:0.001 buckets:[1 2e+06] n_buckets:[4]}}";
    assert_eq!(histogram.test_expression(), expression);
    assert_eq!([1e-5, 0.25, 1e5, f64::NAN].map(go_float), ["1e-05", "0.25", "100000", "NaN"]);
}
