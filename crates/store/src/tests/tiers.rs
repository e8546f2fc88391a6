//! Samples and histograms are downsampled and expire by the rule for their metric.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use fresnel_sdk::config::{Duration, Report, Validate};
use model::{NANOS_PER_DAY, Signal, Table, Tenant};

use super::fixture::*;
use crate::manifest::SegmentMeta;
use crate::{Config, DownsampleConfig, LocalDisk, Store, TierConfig};

pub(super) const RESOLUTIONS: [u64; 2] = [60_000, 3_600_000];

/// Tiers of the metrics that [`is_tiered`] says.
pub(super) fn short() -> Vec<TierConfig> {
    let level = |resolution_ms: u64| DownsampleConfig {
        after: Duration::from_hours(1),
        resolution: Duration::from_millis(resolution_ms),
        retention: Duration::ZERO,
    };
    vec![TierConfig {
        metrics: vec!["m[01]".to_owned()],
        retention: Some(Duration::from_hours(40)),
        downsample: RESOLUTIONS.map(level).to_vec(),
    }]
}

/// Whether a record is of `m0` or `m1`.
pub(super) fn is_tiered(row: &Row) -> bool {
    row.stream % 4 < 2
}

/// How many samples and histograms the tier has counted, and the sum of what is in them.
pub(super) fn totals(store: &Store, tenant: &Tenant, resolution_ms: u64) -> (u64, u64) {
    let rows = windows(store, tenant, resolution_ms);
    let samples = rows.iter().fold((0, 0), |(count, sum), row| (count + row.1 as u64, sum + row.2 as u64));
    let (_, points, observed) = histograms(store, tenant, resolution_ms);
    (samples.0 + points, samples.1 + observed)
}

/// How many rows the tier of histograms has, how many points they are of, and the sum of their counts.
fn histograms(store: &Store, tenant: &Tenant, resolution_ms: u64) -> (u64, u64, u64) {
    let mut snapshot = store.snapshot(tenant, Table::DownsampledHistograms);
    snapshot.segments.retain(|segment| segment.tier.unwrap().resolution_ms == resolution_ms);
    let (mut rows, mut points, mut observed) = (0, 0, 0);
    for batch in batches(store, &snapshot).1 {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let int = |name: &str, row: usize| column(name).as_primitive::<Int64Type>().value(row) as u64;
        for row in 0..batch.num_rows() {
            assert_eq!(int("resolution_ms", row), resolution_ms);
            let (own, part) = (int("points", row), column("part").as_string::<i32>().value(row));
            // Of one point there is only the last.
            let is_sum = part == "sum" || own == 1;
            rows += 1;
            points += if part == "last" { own } else { 0 };
            observed += if is_sum { int("count", row) } else { 0 };
        }
    }
    (rows, points, observed)
}

/// Time, count and sum of each window, and what its metric is.
fn windows(store: &Store, tenant: &Tenant, resolution_ms: u64) -> Vec<(i64, i64, f64, String)> {
    let mut snapshot = store.snapshot(tenant, Table::Downsampled);
    snapshot.segments.retain(|segment| segment.tier.unwrap().resolution_ms == resolution_ms);
    let (_, files) = batches(store, &snapshot);
    let mut rows = Vec::new();
    for batch in files {
        let column = |name: &str| batch.column_by_name(name).unwrap();
        let int = |name: &str, row: usize| column(name).as_primitive::<Int64Type>().value(row);
        for row in 0..batch.num_rows() {
            assert_eq!(int("resolution_ms", row) as u64, resolution_ms);
            let sum = column("sum").as_primitive::<Float64Type>().value(row);
            let name = column("metric_name").as_string::<i32>().value(row).to_owned();
            rows.push((int("time_unix_nano", row), int("count", row), sum, name));
        }
    }
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap());
    rows
}

/// One record a minute of some series, from yesterday's begin on.
fn day(first: u64, minutes: u64) -> Vec<Row> {
    let start = NOON - 36 * HOUR;
    let row = |id: u64| Row { id, stream: (id % 3) as u8, time: start + id as i64 * HOUR / 60 };
    (first..first + minutes).map(row).collect()
}

struct Place {
    dir: tempfile::TempDir,
    config: Config,
    clock: Arc<TestClock>,
    store: Store,
}

impl Place {
    async fn new(change: impl FnOnce(&mut Config)) -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new(NOON));
        let mut config = config(dir.path());
        config.tiers = short();
        change(&mut config);
        let store = open_with(options(config.clone(), Arc::new(LocalDisk::new()), &clock)).await;
        Self { dir, config, clock, store }
    }

    /// The same after a restart at which the manifest is gone.
    async fn without_manifest(self) -> Self {
        let Self { dir, config, clock, store } = self;
        drop(store);
        std::fs::remove_dir_all(dir.path().join("manifest")).unwrap();
        clock.advance(1_000_000_000);
        let store = open_with(options(config.clone(), Arc::new(LocalDisk::new()), &clock)).await;
        Self { dir, config, clock, store }
    }

    /// What the manifest says of samples, histograms and windows, but for times within a day.
    fn known(&self) -> Vec<String> {
        let of = |table| self.store.snapshot(&tenant(), table).segments;
        let own = [Table::Samples, Table::Histograms];
        let segments = own.into_iter().flat_map(|table| [table, table.downsampled().unwrap()]).flat_map(of);
        let mut known: Vec<_> = segments
            .map(|segment| {
                let day = model::day_of(segment.max_time);
                assert_eq!((day, model::day_of(segment.min_time)), (segment.day, day), "{segment:?}");
                let SegmentMeta { path, rows, lsns, tier, thinned, .. } = &*segment;
                format!("{path} {rows} {lsns:?} {tier:?} {thinned:?}")
            })
            .collect();
        known.sort();
        known
    }

    async fn sealed(&self, rows: Vec<Row>) {
        append(&self.store, Signal::Metrics, rows).await;
        self.store.seal_all().await.unwrap();
    }

    async fn later(&self, nanos: i64) {
        self.clock.advance(nanos);
        self.store.compact_now().await.unwrap();
        self.store.retain_now(crate::Clock::now_unix_nano(&*self.clock)).await.unwrap();
    }

    fn samples(&self) -> usize {
        let of = |table| texts_of(&self.store, &tenant(), table).len();
        of(Table::Samples) + of(Table::Histograms)
    }

    fn expired(&self) -> u64 {
        let ledger = self.store.ledger();
        let counts = &ledger[&(tenant(), Signal::Metrics)];
        assert!(counts.balances());
        counts.expired
    }
}

fn sum(rows: &[Row]) -> (u64, u64) {
    let rows = rows.iter().filter(|row| is_tiered(row));
    rows.fold((0, 0), |(count, sum), row| (count + 1, sum + row.id))
}

#[tokio::test]
async fn a_day_that_is_over_is_downsampled_once_and_late_samples_add_to_it() {
    let place = Place::new(|_| {}).await;
    let rows = day(0, 600);
    place.sealed(rows[..200].to_vec()).await;
    place.sealed(rows[200..].to_vec()).await;
    place.later(0).await;
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), sum(&rows));
    }
    assert_eq!(place.samples(), rows.len(), "they stay as they came, too");
    let hours = windows(&place.store, &tenant(), 3_600_000);
    assert!(hours.len() < 30 && hours.iter().all(|row| row.3 == "m0" || row.3 == "m1"), "{hours:?}");
    let tiers = place.store.status().tiers;
    assert_eq!(tiers.iter().map(|tier| tier.resolution_ms).collect::<Vec<_>>(), RESOLUTIONS);
    let (of_histograms, ..) = histograms(&place.store, &tenant(), 3_600_000);
    // Two series in ten hours: of summaries first, last, sum, least and greatest.
    assert!((80..=100 + 10).contains(&of_histograms), "{of_histograms}");
    assert_eq!((tiers[1].segments, tiers[1].rows), (2, hours.len() as u64 + of_histograms));
    assert!(tiers[0].bytes > 0 && tiers[0].rows > tiers[1].rows);

    place.later(0).await;
    assert_eq!(place.store.status().tiers, tiers, "what is in a tier is not put there again");
    let late = day(600, 3);
    let again = day(0, 1).into_iter().map(|row| Row { time: row.time + 5_000_000, ..row });
    let late: Vec<_> = late.into_iter().chain(again).collect();
    place.sealed(late.clone()).await;
    place.later(0).await;
    let (count, total) = sum(&late);
    for resolution_ms in RESOLUTIONS {
        let before = sum(&rows);
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), (before.0 + count, before.1 + total));
    }
}

#[tokio::test]
async fn segments_are_merged_only_with_those_that_are_in_the_same_tiers() {
    let place = Place::new(|config| config.compact.files_min = 2).await;
    let rows = day(0, 600);
    place.sealed(rows[..200].to_vec()).await;
    place.later(0).await;
    // One that is in the tiers, and one that is not yet: merged they would be downsampled again.
    place.sealed(rows[200..400].to_vec()).await;
    place.later(0).await;
    place.sealed(rows[400..].to_vec()).await;
    place.later(0).await;
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), sum(&rows));
    }
    assert_eq!(place.samples(), rows.len());
    place.later(0).await;
    for table in [Table::Samples, Table::Histograms] {
        let segments = place.store.snapshot(&tenant(), table).segments.len();
        assert_eq!(segments, 1, "all of them are in the same tiers in the end: {table}");
    }
}

#[tokio::test]
async fn samples_of_a_rule_expire_alone_and_not_before_they_are_in_all_tiers() {
    let place = Place::new(|config| config.retention.metrics = Duration::ZERO).await;
    let rows = day(0, 600);
    place.sealed(rows.clone()).await;
    let now = NOON + 2 * NANOS_PER_DAY;
    place.clock.advance(2 * NANOS_PER_DAY);
    place.store.retain_now(now).await.unwrap();
    assert_eq!((place.samples(), place.expired()), (rows.len(), 0), "nothing of them is in a tier yet");
    place.later(0).await;
    let (tiered, total) = sum(&rows);
    assert_eq!((place.samples(), place.expired()), (rows.len() - tiered as usize, tiered));
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), (tiered, total));
    }
    place.later(100 * NANOS_PER_DAY).await;
    assert_eq!((place.samples(), place.expired()), (rows.len() - tiered as usize, tiered));
    // What comes so late is in the tiers, and nowhere else.
    let late = day(600, 6);
    place.sealed(late.clone()).await;
    place.later(0).await;
    let (count, sum_of_late) = sum(&late);
    assert_eq!(place.expired(), tiered + count);
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), (tiered + count, total + sum_of_late));
    }
}

#[tokio::test]
async fn each_tier_expires_by_itself_and_what_no_rule_names_by_the_general_retention() {
    let place = Place::new(|config| {
        config.retention.metrics = Duration::from_days(7);
        config.tiers[0].downsample[0].retention = Duration::from_days(10);
        config.tiers[0].downsample[1].retention = Duration::from_days(20);
    });
    let place = place.await;
    let rows = day(0, 600);
    place.sealed(rows.clone()).await;
    let tiered = sum(&rows);
    let there = |place: &Place| RESOLUTIONS.map(|of| totals(&place.store, &tenant(), of) == tiered);
    place.later(0).await;
    place.later(4 * NANOS_PER_DAY).await;
    assert_eq!((place.samples() as u64, place.expired()), (rows.len() as u64 - tiered.0, tiered.0));
    place.later(3 * NANOS_PER_DAY).await;
    assert_eq!((place.samples(), place.expired(), there(&place)), (0, rows.len() as u64, [true, true]));
    let series = |place: &Place| texts_of(&place.store, &tenant(), Table::Series).len();
    assert!(series(&place) > 0, "what describes them is still needed");
    place.later(5 * NANOS_PER_DAY).await;
    assert_eq!((there(&place), place.store.status().tiers.len()), ([false, true], 1));
    place.later(10 * NANOS_PER_DAY).await;
    assert_eq!((place.store.status().tiers.len(), series(&place)), (0, 0));
    assert_eq!(place.expired(), rows.len() as u64);
}

#[tokio::test]
async fn little_memory_makes_more_rows_of_a_window_and_the_same_sums() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), TestClock::new(NOON));
    let mut config = config(dir.path());
    config.tiers = short();
    config.compact.files_min = 64;
    let options = options(config, Arc::new(LocalDisk::new()), &clock);
    let store = open_with(crate::Options { budget: model::Budget::new(40 << 20), ..options }).await;
    let rows = day(0, 600);
    for part in rows.chunks(60) {
        append(&store, Signal::Metrics, part.to_vec()).await;
        store.seal_all().await.unwrap();
    }
    store.compact_now().await.unwrap();
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&store, &tenant(), resolution_ms), sum(&rows));
    }
}

#[tokio::test]
async fn a_lost_manifest_changes_nothing_of_what_is_in_which_tier() {
    let place = Place::new(|config| config.retention.metrics = Duration::ZERO).await;
    let rows = day(0, 600);
    // The first segment has nothing that the rule names: the tier has a file without rows for it.
    let (first, second): (Vec<_>, Vec<_>) =
        rows.iter().copied().partition(|row| !is_tiered(row) && row.id < 300);
    for part in [first, second] {
        place.sealed(part).await;
        place.later(0).await;
    }
    let (before, all) = (place.known(), sum(&rows));
    assert_eq!(before.iter().filter(|file| file.contains(".parquet 0 ")).count(), 2 * RESOLUTIONS.len());
    let place = place.without_manifest().await;
    assert_eq!(place.known(), before, "while the samples are there");
    place.later(0).await;
    assert_eq!(place.known(), before, "nothing is downsampled again");

    place.later(2 * NANOS_PER_DAY).await;
    let before = place.known();
    assert!(before.iter().all(|file| file.contains("/downsampled") || !file.ends_with(" []")), "{before:?}");
    let place = place.without_manifest().await;
    assert_eq!(place.known(), before, "that samples have expired is known");
    assert_eq!(place.samples() as u64, rows.len() as u64 - all.0);
    for again in 0..2 {
        for resolution_ms in RESOLUTIONS {
            assert_eq!(totals(&place.store, &tenant(), resolution_ms), all, "{again}");
        }
        place.later(0).await;
    }
}

/// The manifest that is there still counts what is in no file any more.
#[tokio::test]
async fn an_older_manifest_that_was_put_back_learns_what_has_expired() {
    let place = Place::new(|config| config.retention.metrics = Duration::ZERO).await;
    let rows = day(0, 600);
    place.sealed(rows.clone()).await;
    place.later(0).await;
    let file = std::fs::read_dir(place.dir.path().join("manifest")).unwrap().last().unwrap().unwrap().path();
    let mut older = std::fs::read(&file).unwrap();
    // One that knows that it is not all, or what came later would be deleted.
    older.extend_from_slice(b"the beginning of a line");
    place.later(2 * NANOS_PER_DAY).await;
    let (tiered, _) = sum(&rows);
    assert_eq!(place.expired(), tiered);
    let Place { dir, config, clock, store } = place;
    drop(store);
    std::fs::remove_dir_all(dir.path().join("manifest")).unwrap();
    std::fs::create_dir(dir.path().join("manifest")).unwrap();
    std::fs::write(&file, older).unwrap();
    let store = open_with(options(config.clone(), Arc::new(LocalDisk::new()), &clock)).await;
    let place = Place { dir, config, clock, store };
    assert_eq!((place.samples(), place.expired()), (rows.len() - tiered as usize, tiered));
    let ledger = place.store.ledger();
    assert_eq!(ledger[&(tenant(), Signal::Metrics)].stored, rows.len() as u64 - tiered);
}

/// The file of samples that have all expired is there for a while yet, for queries that read it.
#[tokio::test]
async fn samples_that_come_back_with_a_lost_manifest_are_in_their_tiers_and_expire_again() {
    let place = Place::new(|config| config.retention.metrics = Duration::ZERO).await;
    let rows: Vec<_> = day(0, 600).into_iter().filter(is_tiered).collect();
    place.sealed(rows.clone()).await;
    place.later(0).await;
    place.later(2 * NANOS_PER_DAY).await;
    assert_eq!((place.samples(), place.expired()), (0, rows.len() as u64));
    let place = place.without_manifest().await;
    assert_eq!((place.samples(), place.expired()), (rows.len(), 0));
    place.later(0).await;
    assert_eq!((place.samples(), place.expired()), (0, rows.len() as u64));
    for resolution_ms in RESOLUTIONS {
        assert_eq!(totals(&place.store, &tenant(), resolution_ms), sum(&rows));
    }
}

/// Samples that stay longer than their windows: at the end of these nothing is made of them again.
#[tokio::test]
async fn windows_of_a_day_expire_together() {
    let place = Place::new(|config| {
        config.retention.metrics = Duration::ZERO;
        config.tiers[0].retention = Some(Duration::ZERO);
        config.tiers[0].downsample[0].retention = Duration::from_days(10);
        config.compact.files_min = 4;
    });
    let place = place.await;
    let rows = day(0, 600);
    // Four segments that are merged, in two files of each tier; of samples and of histograms.
    for (number, part) in rows.chunks(150).enumerate() {
        place.sealed(part.to_vec()).await;
        if number >= 2 {
            place.later(0).await;
        }
    }
    place.later(0).await;
    assert_eq!((place.known().len(), place.store.status().tiers[0].segments), (10, 4));
    // From before the first to behind the last sample is ten days old.
    place.later(8 * NANOS_PER_DAY).await;
    for _ in 0..52 {
        place.later(HOUR).await;
        let there = totals(&place.store, &tenant(), RESOLUTIONS[0]);
        assert!([sum(&rows), (0, 0)].contains(&there), "{there:?}");
    }
    assert_eq!(totals(&place.store, &tenant(), RESOLUTIONS[0]), (0, 0));
    assert_eq!(totals(&place.store, &tenant(), RESOLUTIONS[1]), sum(&rows));
}

#[test]
fn patterns_that_are_none_or_were_meant_to_be_globs_are_told() {
    let found = |pattern: &str| {
        let (mut config, mut report) = (Config { tiers: short(), ..Config::default() }, Report::default());
        config.tiers[0].metrics = vec![pattern.to_owned()];
        config.validate(&mut report);
        format!("{report:?}")
    };
    let good = found("up");
    for pattern in ["node_.*", "a|b", "[a-z]*", r"\w*", r"a\*", "(a_)*b", r"http\.server\..+", "a.*b"] {
        assert_eq!(found(pattern), good, "{pattern}");
    }
    for (pattern, reason) in [
        ("(", "unclosed group"),
        ("a)|(b", "unopened group"),
        ("*_total", "repetition operator missing expression; for anything write `.*`"),
        ("node_*", "`_*` is any number of `_`; for anything write `.*`"),
        (r"\\a*", "`a*` is any number of `a`"),
    ] {
        let found = found(pattern);
        assert!(found.contains(reason), "{pattern}: {found}");
    }
}

#[test]
fn what_is_wrong_with_tiers_is_told_all_at_once() {
    let mut config = Config { tiers: short(), ..Config::default() };
    let found = |config: &Config| {
        let mut report = Report::default();
        config.validate(&mut report);
        format!("{report:?}")
    };
    assert_eq!(found(&config).matches("predicate").count(), 0);
    let tier = &mut config.tiers[0];
    tier.metrics = vec!["ok".into(), "(".into()];
    tier.downsample[0].resolution = Duration::from_secs(7);
    tier.downsample[1].after = Duration::from_hours(40);
    tier.downsample[1].retention = Duration::from_hours(39);
    config.tiers.push(config.tiers[0].clone());
    config.retention.table.insert("downsampled".into(), Duration::ZERO);
    let found = found(&config);
    for sentence in [
        "is no regular expression",
        "whole seconds, at least 1s, of which a day is a multiple",
        "must be less than samples stay as they came",
        "must be longer than `after`",
        "must not be those of a rule before",
        "stays as long as `store.tiers` says",
    ] {
        assert!(found.contains(sentence), "{sentence}: {found}");
    }
    assert_eq!(found.matches("predicate").count(), 10);
}
