//! Random requests: what is decoded is what is expected, field by field.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use model::Batch;
use prost::Message;

use super::expect::{Expected, expected};
use super::generate::Generate;
use super::*;
use crate::cells::{self, Row};

const REQUESTS: u64 = 300;

/// A random request, encoded.
pub(super) fn request(version: Version, seed: u64, mistakes: u32) -> Vec<u8> {
    let mut generate = Generate::new(seed, mistakes);
    match version {
        Version::V1 => generate.v1().encode_to_vec(),
        Version::V2 => generate.v2().encode_to_vec(),
    }
}

fn comparable(batch: &Batch) -> Vec<Vec<Row>> {
    let mut tables = cells::tables(batch);
    for row in tables.iter_mut().flatten() {
        row.retain(|(name, _)| !matches!(*name, "stream_id" | "series_id"));
    }
    tables
}

/// Fails unless `decoded` is what is expected. Where samples, histograms and exemplars of a series may
/// be in any order only the series of what was rejected is compared.
pub(super) fn check(decoded: &Decoded, expected: &Expected, ordered: bool, case: &str) {
    let mut rejected: BTreeMap<u32, &str> = BTreeMap::new();
    for rejection in &decoded.rejected {
        assert!(rejection.indices.is_sorted() && !rejection.example.is_empty(), "{case}");
        rejected.extend(rejection.indices.iter().map(|index| (*index, rejection.reason)));
    }
    let besides = expected.items.iter().filter(|item| item.is_besides && item.reasons.is_empty()).count();
    assert_eq!(decoded.received as usize, expected.items.len() - besides, "received, {case}");
    let mut wrong: BTreeMap<usize, Vec<&[&str]>> = BTreeMap::new();
    for (index, item) in (0_u32..).zip(&expected.items) {
        let group = if ordered { index as usize } else { item.series };
        if !item.reasons.is_empty() {
            wrong.entry(group).or_default().push(&item.reasons);
        }
    }
    let mut found: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (index, reason) in rejected {
        let item = &expected.items[index as usize];
        found.entry(if ordered { index as usize } else { item.series }).or_default().push(reason);
    }
    for group in wrong.keys().chain(found.keys()) {
        let (wrong, found) = (wrong.get(group), found.get(group));
        assert_eq!(wrong.map(Vec::len), found.map(Vec::len), "{wrong:?} {found:?}, {case}");
        let allowed: BTreeSet<&str> = wrong.into_iter().flatten().copied().flatten().copied().collect();
        for reason in found.into_iter().flatten() {
            assert!(allowed.contains(reason), "{reason} is none of {allowed:?}, {case}");
        }
    }
    for (table, (found, expected)) in comparable(&decoded.batch).iter().zip(&expected.tables).enumerate() {
        for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert_eq!(found, expected, "row {row} of table {table}, {case}");
        }
        assert_eq!(found.len(), expected.len(), "rows of table {table}, {case}");
    }
    check_ids(&decoded.batch, case);
}

fn check_ids(batch: &Batch, case: &str) {
    let Batch::Metrics(metrics) = batch else { panic!("metrics") };
    let ids = |rows: Vec<Row>, id: &str| -> BTreeSet<String> {
        rows.iter().flatten().filter(|(name, _)| *name == id).map(|(_, id)| format!("{id:?}")).collect()
    };
    let (streams, series) = (cells::rows(&metrics.streams), cells::rows(&metrics.series));
    let used: BTreeSet<_> = series.iter().map(|row| format!("{:?}", row[0])).collect();
    assert_eq!(used.len(), streams.len(), "every stream is used, {case}");
    assert_eq!(ids(streams, "stream_id").len(), metrics.streams.num_rows(), "{case}");
    assert_eq!(ids(series, "series_id").len(), metrics.series.num_rows(), "{case}");
}

fn check_version(version: Version, mistakes: u32) {
    for seed in 0..REQUESTS {
        let body = request(version, seed, mistakes);
        let expected = expected(version, &body).unwrap();
        let case = format!("{version:?} seed {seed} mistakes {mistakes}");
        let decoded = decode(version, &body, &context(&LIMITS)).unwrap();
        check(&decoded, &expected, true, &case);
        // Once more, now that its sets of labels are known.
        check(&decode(version, &body, &context(&LIMITS)).unwrap(), &expected, true, &case);
        // The same decision again, from what was recorded of it.
        let mut recorded: Vec<u32> = decoded.rejected.iter().flat_map(|it| it.indices.clone()).collect();
        recorded.sort_unstable();
        let replay = Context { received_unix_nano: RECEIVED, decide: Decide::Recorded(&recorded) };
        let again = decode(version, &body, &replay).unwrap();
        assert_eq!(again.rejected, [], "{case}");
        assert_eq!(again.received, decoded.received, "{case}");
        assert_eq!(cells::tables(&again.batch), cells::tables(&decoded.batch), "{case}");
    }
}

#[test]
fn requests_without_mistakes() {
    Version::ALL.into_iter().for_each(|version| check_version(version, 0));
}

#[test]
fn requests_with_mistakes() {
    for version in Version::ALL {
        check_version(version, 10);
        check_version(version, 60);
    }
}

#[test]
fn the_generator_reaches_every_reason_and_most_requests_are_good() {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let (mut good, mut all) = (0, 0);
    for version in Version::ALL {
        for seed in 0..REQUESTS {
            let few = expected(version, &request(version, seed, 10)).unwrap();
            let many = expected(version, &request(version, seed, 60)).unwrap();
            many.items.iter().flat_map(|it| &it.reasons).for_each(|it| *seen.entry(it).or_default() += 1);
            good += few.items.iter().filter(|item| item.reasons.is_empty()).count();
            all += few.items.len();
        }
    }
    assert!(good > all / 2, "{good} of {all}");
    let never: Vec<_> = REASONS.iter().filter(|reason| !seen.contains_key(*reason)).collect();
    assert!(never.is_empty(), "{never:?} of {seen:?}");
}

/// All reasons but `invalid_utf8`, which prost's structs cannot have.
const REASONS: [&str; 17] = [
    "bounds_not_increasing",
    "bucket_counts_mismatch",
    "bucket_index_out_of_range",
    "count_out_of_range",
    "custom_buckets_negative",
    "duplicate_label",
    "empty_label_name",
    "empty_metric_name",
    "mixed_counts",
    "negative_count",
    "odd_label_references",
    "scale_out_of_range",
    "spans_overlap",
    "time_out_of_range",
    "too_many_attributes",
    "too_many_buckets",
    "unknown_symbol",
];
