use std::time::Duration;

use crate::telemetry::metrics::{BoundCounter, BoundGauge, BoundHistogram, Registry};

/// What a look-up in a cache found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheResult {
    /// What was asked for.
    Hit,
    /// Nothing.
    Miss,
}

/// Metrics of one cache: `cache.lookups` by `cache.result`, `cache.lookup.duration`,
/// `cache.evictions`, `cache.entries`, each with `cache.name`. There is no semantic convention for
/// caches; these follow the style of the others. Every series is bound at the start, so that
/// counting costs an addition.
#[derive(Clone)]
pub struct Cache {
    hits: BoundCounter,
    misses: BoundCounter,
    evictions: BoundCounter,
    duration: BoundHistogram,
    entries: BoundGauge,
}

/// From a microsecond, as look-ups in memory take, to a second.
const BOUNDS: &[f64] =
    &[1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

impl std::fmt::Debug for Cache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").field("hits", &self.hits.value()).finish_non_exhaustive()
    }
}

impl Cache {
    /// A cache of this name.
    pub fn new(registry: &Registry, name: &str) -> Self {
        let lookups = registry.counter("cache.lookups", "{lookup}", "Look-ups, by what they found.");
        let evictions = registry.counter("cache.evictions", "{entry}", "Entries that had to go for others.");
        let duration = registry.histogram("cache.lookup.duration", "s", "Duration of look-ups.", BOUNDS);
        let entries = registry.gauge("cache.entries", "{entry}", "Entries in the cache.");
        let (label, result) = (("cache.name", name), "cache.result");
        Self {
            hits: lookups.bind(&[label, (result, "hit")]),
            misses: lookups.bind(&[label, (result, "miss")]),
            evictions: evictions.bind(&[label]),
            duration: duration.bind(&[label]),
            entries: entries.bind(&[label]),
        }
    }

    /// A look-up found this.
    pub fn count(&self, result: CacheResult) {
        match result {
            CacheResult::Hit => self.hits.add(1),
            CacheResult::Miss => self.misses.add(1),
        }
    }

    /// Counts what a look-up found, and gives it back.
    pub fn found<T>(&self, value: Option<T>) -> Option<T> {
        self.count(if value.is_some() { CacheResult::Hit } else { CacheResult::Miss });
        value
    }

    /// As [`Cache::found`], with how long it took.
    pub fn found_in<T>(&self, elapsed: Duration, value: Option<T>) -> Option<T> {
        self.duration.record_duration(elapsed);
        self.found(value)
    }

    /// So many entries had to go.
    pub fn evicted(&self, entries: u64) {
        self.evictions.add(entries);
    }

    /// So many entries there are now.
    pub fn entries(&self, entries: u64) {
        self.entries.set(entries as f64);
    }
}
