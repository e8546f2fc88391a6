//! What holds for every histogram.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::series_description::{SequenceValue, parse_series};

/// A side: gaps and runs, with counts that floats add without rounding.
fn side() -> impl Strategy<Value = (Vec<BucketSpan>, Vec<f64>)> {
    let runs = vec((0..4_i32, vec(0..1000_u32, 1..4)), 0..4);
    (-20..20_i32, runs).prop_map(|(start, runs)| {
        let mut spans = Vec::new();
        let mut buckets = Vec::new();
        for (place, (gap, counts)) in runs.into_iter().enumerate() {
            let offset = if place == 0 { start } else { gap };
            spans.push(BucketSpan { offset, length: counts.len() as u32 });
            buckets.extend(counts.into_iter().map(f64::from));
        }
        (spans, buckets)
    })
}

fn totalled(mut histogram: Histogram) -> Histogram {
    histogram.count = total(&histogram);
    histogram
}

fn total(histogram: &Histogram) -> f64 {
    let buckets: f64 = histogram.positive_buckets.iter().chain(&histogram.negative_buckets).sum();
    buckets + histogram.zero_count
}

fn exponential(schemas: std::ops::RangeInclusive<i32>) -> impl Strategy<Value = Histogram> {
    let threshold = prop::sample::select(vec![0.0, 1e-128, 0.001, 0.7, 3.0]);
    (schemas, threshold, 0..50_u32, side(), side(), -1000..1000_i32).prop_map(
        |(schema, zero_threshold, zero, positive, negative, sum)| {
            let mut histogram = Histogram {
                schema,
                sum: f64::from(sum),
                positive_spans: positive.0,
                positive_buckets: positive.1,
                negative_spans: negative.0,
                negative_buckets: negative.1,
                ..Histogram::default()
            };
            // A histogram has no filled buckets within its own zero bucket.
            let zero_bucket =
                Histogram { schema, zero_threshold, zero_count: f64::from(zero), ..Histogram::default() };
            let _ = histogram.add(&zero_bucket);
            totalled(histogram)
        },
    )
}

fn custom() -> impl Strategy<Value = Histogram> {
    let bounds = prop::sample::subsequence(vec![-5.0, -1.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0], 1..8);
    (bounds, vec(0..1000_u32, 9), -1000..1000_i32).prop_map(|(bounds, counts, sum)| {
        let buckets: Vec<f64> = counts.into_iter().take(bounds.len() + 1).map(f64::from).collect();
        totalled(Histogram {
            schema: CUSTOM_BUCKETS,
            sum: f64::from(sum),
            positive_spans: vec![BucketSpan { offset: 0, length: buckets.len() as u32 }],
            positive_buckets: buckets,
            custom_values: bounds.into(),
            ..Histogram::default()
        })
    })
}

fn pair() -> impl Strategy<Value = (Histogram, Histogram)> {
    prop_oneof![(exponential(-4..=8), exponential(-4..=8)), (custom(), custom())]
}

fn any_histogram() -> impl Strategy<Value = Histogram> {
    prop_oneof![exponential(-4..=8), custom()]
}

/// Spans and buckets that need not fit together, with odd numbers.
fn garbage() -> impl Strategy<Value = Histogram> {
    let span = (any::<i32>(), prop_oneof![0..4_u32, any::<u32>()])
        .prop_map(|(offset, length)| BucketSpan { offset, length });
    let near = (-5..5_i32, 0..4_u32).prop_map(|(offset, length)| BucketSpan { offset, length });
    let spans = || vec(prop_oneof![span.clone(), near.clone()], 0..4);
    let number = || prop_oneof![any::<f64>(), (-5..100_i32).prop_map(f64::from)];
    let schema = prop_oneof![-60..60_i32, any::<i32>(), Just(CUSTOM_BUCKETS)];
    (
        schema,
        vec(number(), 4),
        spans(),
        spans(),
        vec(number(), 0..6),
        vec(number(), 0..6),
        vec(number(), 0..4),
    )
        .prop_map(|(schema, numbers, positive, negative, positive_buckets, negative_buckets, bounds)| {
            Histogram {
                counter_reset_hint: CounterResetHint::Unknown,
                schema,
                zero_threshold: numbers[0],
                zero_count: numbers[1],
                count: numbers[2],
                sum: numbers[3],
                positive_spans: positive,
                negative_spans: negative,
                positive_buckets,
                negative_buckets,
                custom_values: bounds.into(),
            }
        })
}

fn compacted(mut histogram: Histogram) -> Histogram {
    histogram.compact(0);
    histogram
}

proptest! {
    #[test]
    fn sums_do_not_depend_on_the_order((a, b) in pair()) {
        let (mut ab, mut ba) = (a.clone(), b.clone());
        let added = (ab.add(&b).unwrap(), ba.add(&a).unwrap());
        prop_assert_eq!(added.0, added.1);
        prop_assert_eq!(total(&ab), total(&a) + total(&b));
        prop_assert_eq!(compacted(ab), compacted(ba));
    }

    #[test]
    fn a_difference_undoes_a_sum(
        (a, b) in (-4..=8_i32).prop_flat_map(|schema| (exponential(schema..=schema), exponential(schema..=schema)))
    ) {
        let mut sum = a.clone();
        sum.add(&b).unwrap();
        // The zero bucket stays as wide as it became, and what fell into it stays there.
        let mut expected = a.clone();
        let mut empty = b.clone();
        empty.mul(0.0);
        empty.zero_threshold = sum.zero_threshold;
        empty.compact(0);
        expected.add(&empty).unwrap();
        sum.sub(&b).unwrap();
        sum.counter_reset_hint = CounterResetHint::Unknown;
        prop_assert_eq!(compacted(sum), compacted(expected));
    }

    #[test]
    fn exact_numbers_need_no_compensation((a, b) in pair()) {
        let mut sum = a.clone();
        let mut kahan = a.clone();
        let mut compensation = None;
        for _ in 0..3 {
            prop_assert_eq!(sum.add(&b).unwrap(), kahan.kahan_add(&b, &mut compensation).unwrap());
        }
        kahan.add_compensation(&compensation.unwrap());
        prop_assert_eq!(compacted(sum), compacted(kahan));
    }

    #[test]
    fn resolution_is_lost_not_observations(histogram in exponential(-4..=8), schema in -4..=8) {
        let reduced = histogram.copy_to_schema(schema);
        prop_assert_eq!(reduced.schema, schema.min(histogram.schema));
        prop_assert_eq!((reduced.count, reduced.sum, total(&reduced)), (histogram.count, histogram.sum, total(&histogram)));
        prop_assert!(reduced.validate().is_ok());
    }

    #[test]
    fn a_counter_that_grows_was_not_reset((a, b) in pair()) {
        let mut sum = a.clone();
        sum.add(&b).unwrap();
        prop_assert!(!sum.detect_reset(&a), "{} after {}", sum, a);
    }

    #[test]
    fn quantiles_grow_with_their_rank(histogram in any_histogram(), ranks in vec(0.0..=1.0, 2..6)) {
        if histogram.count == 0.0 {
            return Ok(());
        }
        let mut ranks = ranks;
        ranks.sort_by(f64::total_cmp);
        let values: Vec<f64> = ranks.iter().map(|q| histogram.quantile(*q).value).collect();
        for two in values.windows(2) {
            prop_assert!(two[0] <= two[1] || almost_equal(two[0], two[1], 1e-9), "{:?} in {}", values, histogram);
        }
    }

    #[test]
    fn a_fraction_undoes_a_quantile(histogram in exponential(-4..=8), q in 0.01..0.99_f64) {
        // All observations of a zero bucket without width are at one value.
        if histogram.count == 0.0 || (histogram.zero_threshold == 0.0 && histogram.zero_count > 0.0) {
            return Ok(());
        }
        let value = histogram.quantile(q).value;
        let fraction = histogram.fraction(f64::NEG_INFINITY, value).value;
        prop_assert!((fraction - q).abs() < 1e-6, "{} at {} of {}", fraction, value, histogram);
    }

    #[test]
    fn both_parts_of_a_cut_make_the_whole(histogram in exponential(-4..=8), at in -100.0..100.0_f64) {
        let below = histogram.trim_upper(at);
        let above = histogram.trim_lower(at);
        let sum = below.count + above.count;
        prop_assert!((sum - histogram.count).abs() <= 1e-9 * histogram.count.max(1.0), "{} and {}", below, above);
        prop_assert!(below.validate().is_ok() && above.validate().is_ok());
    }

    #[test]
    fn text_gives_the_histogram_back(histogram in any_histogram()) {
        let line = format!("m {}", histogram.test_expression());
        let parsed = parse_series(&line).map_err(|error| TestCaseError::fail(format!("{line}: {error}")))?;
        let [SequenceValue::Histogram { histogram: parsed, .. }] = &parsed.values[..] else {
            return Err(TestCaseError::fail(line));
        };
        prop_assert_eq!(compacted((**parsed).clone()), compacted(histogram));
    }

    #[test]
    fn compaction_can_be_undone(histogram in any_histogram(), empty_max in 0..6_usize) {
        let mut compact = histogram.clone();
        compact.compact(empty_max);
        prop_assert!(compact.validate().is_ok());
        prop_assert_eq!(compacted(compact), compacted(histogram));
    }

    #[test]
    fn nothing_panics(a in garbage(), b in garbage(), at in any::<f64>(), schema in any::<i32>()) {
        let _ = (a.validate(), a.equals(&b), a.detect_reset(&b), a.check_compatible(&b));
        let _ = (a.clone().add(&b), a.clone().sub(&b), a.clone().mul(at).has_overflow());
        let mut compensation = None;
        let mut sum = a.clone();
        let _ = (sum.kahan_add(&b, &mut compensation), sum.kahan_add(&a, &mut compensation));
        let _ = (a.quantile(at), a.quantile(0.3), a.quantile(0.8), a.fraction(at, 7.0), a.variance());
        let _ = (a.trim_upper(at), a.trim_lower(at), a.clone().div(at).size_bytes());
        let _ = (a.copy_to_schema(schema), a.clone().compact(3).to_string(), a.test_expression());
        let _ = (a.buckets().count(), a.buckets_reversed().count());
    }

    #[test]
    fn buckets_are_the_same_from_both_ends(histogram in any_histogram()) {
        let mut reversed: Vec<Bucket> = histogram.buckets_reversed().collect();
        reversed.reverse();
        prop_assert_eq!(histogram.buckets().collect::<Vec<_>>(), reversed);
    }
}
