//! Windows of histograms and summaries, and what samples PromQL is given for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use model::day_of;
use promql::Chunk;
use promql::histogram::{CounterResetHint, Histogram, STALE_NAN_BITS};

use super::super::histogram::Histograms;
use super::super::points::{ById, NANOS_PER_MS, push_histogram};
use super::super::series::{column, id_of, misfit};
use super::Found;
use super::windows::{Form, Window, held};
use crate::QueryError;

/// What is read of a window beside what is read of a histogram.
pub(in super::super) const COLUMNS: [&str; 5] =
    ["resolution_ms", "first_time_unix_nano", "points", "stale_time_unix_nano", "part"];

/// A row: what it is of a window.
struct Row<T> {
    place: usize,
    time_ms: i64,
    first_time_ms: i64,
    points: i64,
    stale_ms: Option<i64>,
    part: Box<str>,
    value: T,
}

/// Windows that were read, and the resolutions that they have.
pub(in super::super) struct HistogramWindows<T> {
    rows: Vec<Row<T>>,
    pub(in super::super) resolutions: BTreeSet<u64>,
}

impl<T> Default for HistogramWindows<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), resolutions: BTreeSet::new() }
    }
}

/// What is kept of a window, or of a part of one that has several.
pub(in super::super) struct Piece<'a, T> {
    /// Of the series among those that are sought.
    pub(in super::super) place: usize,
    /// Of the last point; of the marker of staleness where there is none.
    pub(in super::super) time_ms: i64,
    first_time_ms: i64,
    pub(in super::super) points: i64,
    stale_ms: Option<i64>,
    first: Option<&'a T>,
    pub(in super::super) last: Option<&'a T>,
    sum: Option<&'a T>,
    /// What a counter had before each reset.
    resets: Option<&'a T>,
    min: Option<&'a T>,
    max: Option<&'a T>,
}

impl<T> HistogramWindows<T> {
    /// Takes over the rows of a batch whose series are sought; gives about how many bytes they take.
    pub(in super::super) fn add(
        &mut self,
        batch: &RecordBatch,
        places: &ById<usize>,
        times: (i64, i64),
        value: &dyn Fn(&Histograms<'_>, usize) -> Option<T>,
    ) -> Result<usize, QueryError> {
        let int = |name: &'static str| -> Result<&Int64Array, QueryError> {
            column(batch, name)?.as_primitive_opt::<Int64Type>().ok_or_else(|| misfit(name))
        };
        let histograms = Histograms::of(batch)?;
        let (resolution, first_time) = (int("resolution_ms")?, int("first_time_unix_nano")?);
        let (points, stale) = (int("points")?, int("stale_time_unix_nano")?);
        let parts = column(batch, "part")?.as_string_opt::<i32>().ok_or_else(|| misfit("part"))?;
        let before = self.rows.len();
        for row in 0..batch.num_rows() {
            let time = histograms.times.value(row);
            let Some(place) = places.get(&id_of(histograms.ids.value(row))) else { continue };
            if time < times.0 || time > times.1 {
                continue;
            }
            let Some(value) = value(&histograms, row) else { continue };
            self.resolutions.insert(u64::try_from(resolution.value(row)).unwrap_or(0));
            self.rows.push(Row {
                place: *place,
                time_ms: time.div_euclid(NANOS_PER_MS),
                first_time_ms: first_time.value(row).div_euclid(NANOS_PER_MS),
                points: points.value(row),
                stale_ms: stale.is_valid(row).then(|| stale.value(row).div_euclid(NANOS_PER_MS)),
                part: parts.value(row).into(),
                value,
            });
        }
        // What a row refers to is a few times larger than it.
        Ok((self.rows.len() - before) * size_of::<Row<T>>() * 4)
    }

    /// Takes over those of another rule, but for series that have some of that day already.
    pub(in super::super) fn join(&mut self, other: Self, rule: u64, found: &mut Found) {
        let day = |row: &Row<T>| day_of(row.time_ms.saturating_mul(NANOS_PER_MS));
        let own =
            other.rows.into_iter().filter(|row| *found.entry((day(row), row.place)).or_insert(rule) == rule);
        self.rows.extend(own);
        self.resolutions.extend(other.resolutions);
    }

    /// Goes through the windows of each series in the order of their times. Of one that has several rows of
    /// a kind, from points that came at different times, each is one of its own.
    pub(in super::super) fn each(
        mut self,
        mut each: impl FnMut(&Piece<'_, T>) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let key = |row: &Row<T>| (row.place, row.first_time_ms, row.time_ms);
        self.rows.sort_by_key(key);
        for same in self.rows.chunk_by(|a, b| key(a) == key(b)) {
            let mut by_part: HashMap<&str, Vec<&Row<T>>> = HashMap::new();
            same.iter().for_each(|row| by_part.entry(&*row.part).or_default().push(row));
            let lasts = by_part.get("last").map_or(&[][..], Vec::as_slice);
            for (number, last) in lasts.iter().enumerate() {
                let of = |part: &str| Some(&by_part.get(part)?.get(number)?.value);
                // Of one point there is only the last.
                let alone = (last.points == 1).then_some(&last.value);
                each(&Piece {
                    place: last.place,
                    time_ms: last.time_ms,
                    first_time_ms: last.first_time_ms,
                    points: last.points,
                    stale_ms: last.stale_ms,
                    first: of("first").or(alone),
                    last: (last.points > 0).then_some(&last.value),
                    sum: of("sum").or(alone),
                    resets: of("resets"),
                    min: of("min").or(alone),
                    max: of("max").or(alone),
                })?;
            }
        }
        Ok(())
    }
}

impl<T> Piece<'_, T> {
    /// The window of a number that its points have.
    pub(in super::super) fn numbers(&self, of: impl Fn(&T) -> Option<f64>) -> Window {
        let of = |part: Option<&T>| part.and_then(&of);
        let (first, last) = (of(self.first).unwrap_or(f64::NAN), of(self.last).unwrap_or(f64::NAN));
        Window {
            place: self.place,
            end: 0,
            time_ms: self.time_ms,
            first_time_ms: self.first_time_ms,
            count: if of(self.last).is_some() { self.points } else { 0 },
            sum: of(self.sum).unwrap_or(f64::NAN),
            // Where there is none it is a counter, which begins at zero after a reset.
            min: of(self.min).unwrap_or(0.0_f64.min(first).min(last)),
            max: of(self.max).unwrap_or(f64::NAN),
            first,
            last,
            reset_sum: of(self.resets).unwrap_or(0.0),
            stale_ms: self.stale_ms,
        }
    }
}

impl Piece<'_, Arc<Histogram>> {
    /// Adds the samples that stand for it.
    pub(in super::super) fn give_histograms(&self, form: Form, chunk: &mut Chunk) {
        let mut each = |time_ms, histogram| push_histogram(chunk, time_ms, histogram);
        if let (Some(first), Some(last)) = (self.first, self.last) {
            match form {
                #[expect(clippy::cast_precision_loss, reason = "counts are small")]
                Form::Count => {
                    chunk.histograms.resize(chunk.times_ms.len(), None);
                    chunk.histograms.push(None);
                    chunk.times_ms.push(self.time_ms);
                    chunk.values.push(self.points as f64);
                }
                Form::Sum => each(self.time_ms, Arc::clone(self.sum.unwrap_or(last))),
                Form::Last => each(self.time_ms, Arc::clone(last)),
                Form::Min | Form::Max | Form::Ends => self.give_ends((first, last), &mut each),
                Form::Counter => self.give_counter((first, last), &mut each),
                Form::Held { lookback_ms } => {
                    let times = (self.first_time_ms, self.time_ms);
                    held(times, lookback_ms).for_each(|time_ms| each(time_ms, Arc::clone(first)));
                    each(self.time_ms, Arc::clone(last));
                }
            }
        }
        if let Some(stale_ms) = self.stale_ms {
            let sum = f64::from_bits(STALE_NAN_BITS);
            push_histogram(chunk, stale_ms, Arc::new(Histogram { sum, ..Histogram::default() }));
        }
    }

    fn give_ends(
        &self,
        (first, last): (&Arc<Histogram>, &Arc<Histogram>),
        each: &mut impl FnMut(i64, Arc<Histogram>),
    ) {
        if self.first_time_ms < self.time_ms {
            each(self.first_time_ms, Arc::clone(first));
        }
        each(self.time_ms, Arc::clone(last));
    }

    /// By how much a counter grew is `last - first + resets`: it grows up to `resets`, is reset to nothing,
    /// and grows to `last`.
    fn give_counter(
        &self,
        (first, last): (&Arc<Histogram>, &Arc<Histogram>),
        each: &mut impl FnMut(i64, Arc<Histogram>),
    ) {
        let Some(resets) = self.resets else { return self.give_ends((first, last), each) };
        let hinted = |histogram: &Histogram, counter_reset_hint| {
            Arc::new(Histogram { counter_reset_hint, ..histogram.clone() })
        };
        each(self.first_time_ms, Arc::clone(first));
        let mut time_ms = self.first_time_ms + 1;
        // Two points may be only a millisecond apart: then the first is what was lost.
        if !resets.equals(first) && time_ms < self.time_ms {
            each(time_ms, hinted(resets, CounterResetHint::NotReset));
            time_ms += 1;
        }
        if time_ms < self.time_ms {
            each(time_ms, hinted(&empty(last), CounterResetHint::Reset));
            each(self.time_ms, Arc::clone(last));
        } else {
            each(self.time_ms, hinted(last, CounterResetHint::Reset));
        }
    }
}

/// Nothing observed, in the same buckets.
fn empty(like: &Histogram) -> Histogram {
    Histogram {
        schema: like.schema,
        zero_threshold: like.zero_threshold,
        custom_values: Arc::clone(&like.custom_values),
        ..Histogram::default()
    }
}
