//! Windows of series, and what samples PromQL is given for them.

use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type};
use model::day_of;
use promql::Chunk;
use promql::histogram::STALE_NAN_BITS;

use super::super::points::{ById, NANOS_PER_MS};
use super::super::series::{column, id_of, misfit};
use super::Found;
use crate::QueryError;

/// What is read of a window.
pub(in super::super) const COLUMNS: [&str; 12] = [
    "series_id",
    "time_unix_nano",
    "resolution_ms",
    "first_time_unix_nano",
    "count",
    "sum",
    "min",
    "max",
    "first",
    "last",
    "reset_sum",
    "stale_time_unix_nano",
];

/// At most about so many samples hold the first value of a window.
const HELD_MAX: i64 = 64;

/// What samples stand for a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Form {
    /// One: the least value.
    Min,
    /// One: the greatest value.
    Max,
    /// One: the sum of the values.
    Sum,
    /// One: how many there are. Of samples that were not downsampled each is 1.
    Count,
    /// One: the last.
    Last,
    /// The first and the last.
    Ends,
    /// The first and the last, and between them what a counter lost by resets.
    Counter,
    /// The first, held until the last so that a step in between finds it, and the last.
    Held {
        /// How far back a step looks.
        lookback_ms: i64,
    },
}

/// A window of a series.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Window {
    /// Of the series among those that are sought.
    pub(super) place: usize,
    /// Where it ends, in its resolution.
    pub(super) end: i64,
    pub(super) time_ms: i64,
    pub(super) first_time_ms: i64,
    pub(super) count: i64,
    pub(super) sum: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) first: f64,
    pub(super) last: f64,
    pub(super) reset_sum: f64,
    pub(super) stale_ms: Option<i64>,
}

/// Windows that were read, and the resolutions that they have.
#[derive(Default)]
pub(in super::super) struct Windows {
    rows: Vec<Window>,
    pub(in super::super) resolutions: std::collections::BTreeSet<u64>,
}

impl Windows {
    pub(in super::super) const BYTES: usize = size_of::<Window>();

    pub(in super::super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes over the windows of a batch whose series are sought.
    pub(in super::super) fn add(
        &mut self,
        batch: &RecordBatch,
        places: &ById<usize>,
        times: (i64, i64),
    ) -> Result<(), QueryError> {
        // A column without any value does not come.
        let int = |name: &'static str| match batch.column_by_name(name) {
            Some(column) => column.as_primitive_opt::<Int64Type>().cloned().ok_or_else(|| misfit(name)),
            None => Ok(Int64Array::new_null(batch.num_rows())),
        };
        let double = |name: &'static str| match batch.column_by_name(name) {
            Some(column) => column.as_primitive_opt::<Float64Type>().cloned().ok_or_else(|| misfit(name)),
            None => Ok(Float64Array::new_null(batch.num_rows())),
        };
        let ids = column(batch, "series_id")?.as_dictionary_opt::<Int32Type>();
        let ids = ids.ok_or_else(|| misfit("series_id"))?;
        let texts = ids.values().as_binary_opt::<i32>().ok_or_else(|| misfit("series_id"))?;
        let (time, first_time) = (int("time_unix_nano")?, int("first_time_unix_nano")?);
        let (resolution, count, stale) = (int("resolution_ms")?, int("count")?, int("stale_time_unix_nano")?);
        let (sum, min, max) = (double("sum")?, double("min")?, double("max")?);
        let (first, last, reset_sum) = (double("first")?, double("last")?, double("reset_sum")?);
        let keys = ids.keys().values();
        for row in 0..batch.num_rows() {
            if time.value(row) < times.0 || time.value(row) > times.1 {
                continue;
            }
            let id = usize::try_from(keys[row]).ok().filter(|id| *id < texts.len());
            let id = id.ok_or_else(|| misfit("series_id"))?;
            let Some(place) = places.get(&id_of(texts.value(id))) else { continue };
            let (time_ms, length) = (time.value(row).div_euclid(NANOS_PER_MS), resolution.value(row).max(1));
            self.resolutions.insert(u64::try_from(length).unwrap_or(0));
            self.rows.push(Window {
                place: *place,
                end: (time_ms - 1).div_euclid(length),
                time_ms,
                first_time_ms: first_time.value(row).div_euclid(NANOS_PER_MS),
                count: count.value(row),
                sum: sum.value(row),
                min: min.value(row),
                max: max.value(row),
                first: first.value(row),
                last: last.value(row),
                reset_sum: reset_sum.value(row),
                stale_ms: stale.is_valid(row).then(|| stale.value(row).div_euclid(NANOS_PER_MS)),
            });
        }
        Ok(())
    }

    /// Takes over those of another rule, but for series that have some of that day already.
    pub(in super::super) fn join(&mut self, other: Windows, rule: u64, found: &mut Found) {
        let day = |window: &Window| day_of(window.time_ms.saturating_mul(NANOS_PER_MS));
        for window in other.rows {
            if *found.entry((day(&window), window.place)).or_insert(rule) == rule {
                self.rows.push(window);
            }
        }
        self.resolutions.extend(other.resolutions);
    }

    /// Gives each series the samples that stand for its windows; how many.
    pub(in super::super) fn give(mut self, form: Form, starts: bool, chunks: &mut [Chunk]) -> usize {
        let mut given = 0;
        // Sums of a window from samples that came at different times come together.
        self.rows.sort_by_key(|window| (window.place, window.end, window.first_time_ms, window.time_ms));
        for same in self.rows.chunk_by(|a, b| (a.place, a.end) == (b.place, b.end)) {
            let Some((first, others)) = same.split_first() else { continue };
            let mut window = *first;
            others.iter().for_each(|other| window.merge(other));
            let chunk = &mut chunks[window.place];
            window.give(form, &mut |time_ms, value| {
                given += 1;
                chunk.times_ms.push(time_ms);
                chunk.values.push(value);
            });
            if starts {
                chunk.start_times_ms.resize(chunk.times_ms.len(), 0);
            }
        }
        given
    }
}

impl Window {
    /// Adds what came for the same window at another time; it does not begin before this one.
    fn merge(&mut self, other: &Self) {
        if other.count == 0 || self.count == 0 {
            let stale_ms = self.stale_ms.max(other.stale_ms);
            if self.count == 0 {
                *self = *other;
            }
            self.stale_ms = stale_ms.filter(|stale| *stale > self.time_ms || self.count == 0);
            return;
        }
        self.reset_sum += other.reset_sum;
        if other.first_time_ms > self.time_ms && other.first < self.last {
            self.reset_sum += self.last;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        if other.time_ms >= self.time_ms {
            (self.time_ms, self.last) = (other.time_ms, other.last);
        }
        self.stale_ms = self.stale_ms.max(other.stale_ms).filter(|stale| *stale > self.time_ms);
    }

    pub(in super::super) fn give(&self, form: Form, each: &mut dyn FnMut(i64, f64)) {
        if self.count > 0 {
            match form {
                Form::Min => each(self.time_ms, self.min),
                Form::Max => each(self.time_ms, self.max),
                Form::Sum => each(self.time_ms, self.sum),
                #[expect(clippy::cast_precision_loss, reason = "counts are small")]
                Form::Count => each(self.time_ms, self.count as f64),
                Form::Last => each(self.time_ms, self.last),
                Form::Ends => self.give_ends(each),
                Form::Counter => self.give_counter(each),
                Form::Held { lookback_ms } => self.give_held(lookback_ms, each),
            }
        }
        if let Some(stale_ms) = self.stale_ms {
            each(stale_ms, f64::from_bits(STALE_NAN_BITS));
        }
    }

    fn give_ends(&self, each: &mut dyn FnMut(i64, f64)) {
        if self.first_time_ms < self.time_ms {
            each(self.first_time_ms, self.first);
        }
        each(self.time_ms, self.last);
    }

    /// By how much a counter grew is `last - first + reset_sum`: it grows up to `reset_sum`, is reset,
    /// and grows to `last`.
    fn give_counter(&self, each: &mut dyn FnMut(i64, f64)) {
        if self.first_time_ms < self.time_ms {
            each(self.first_time_ms, self.first);
            let mut time_ms = self.first_time_ms;
            let mut between = |value: f64| {
                time_ms += 1;
                // Where there are so many resets, there are so many milliseconds.
                if time_ms < self.time_ms {
                    each(time_ms, value);
                }
            };
            if self.reset_sum > self.first {
                between(self.reset_sum);
            }
            if self.reset_sum > 0.0 && self.reset_sum <= self.last {
                between(self.min.min(self.last));
            }
        }
        each(self.time_ms, self.last);
    }

    fn give_held(&self, lookback_ms: i64, each: &mut dyn FnMut(i64, f64)) {
        held((self.first_time_ms, self.time_ms), lookback_ms).for_each(|time_ms| each(time_ms, self.first));
        each(self.time_ms, self.last);
    }
}

/// When the first value of a window stands, so that a step before the last one finds it.
pub(super) fn held((first_ms, last_ms): (i64, i64), lookback_ms: i64) -> impl Iterator<Item = i64> {
    let apart = lookback_ms.max((last_ms - first_ms) / HELD_MAX).max(1);
    let next = move |time_ms: &i64| time_ms.checked_add(apart);
    std::iter::successors(Some(first_ms), next).take_while(move |time_ms| *time_ms < last_ms)
}
