//! Samples of some series out of a row group, without a detour by arrays of all of its rows.
//!
//! Enters: the pages that may have wanted rows. Leaves: runs of samples, each of one series, in the order
//! of the file. The ids of the rows tell the runs of the series that are sought; of other columns only
//! what these have is made. Contexts for decompressing live as long as the thread.
//! Must hold: it reads what `crates/store/src/segment/encode` writes, and says so of anything else.

mod column;
mod deltas;
mod page;
#[cfg(test)]
mod tests;
mod values;

use std::cell::RefCell;
use std::ops::{Range, RangeInclusive};

use bytes::Bytes;
use model::scaled;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use promql::histogram::STALE_NAN_BITS;
use promql::{Apart, Chunk};

use self::column::{Column, RunRows};
use self::page::Codecs;
use super::histogram::NO_RECORDED_VALUE;
use super::points::{ById, NANOS_PER_MS, START_TIME};
use super::rows::tells;

/// Samples of a part of a file: runs of series, one after the other.
#[derive(Default)]
pub(super) struct Runs {
    /// The place of each run's series among those that are sought, and where the run ends.
    ends: Vec<(usize, usize)>,
    pub(super) samples: Chunk,
}

impl Runs {
    /// Runs of series with these times, the values of which count on.
    #[cfg(test)]
    pub(super) fn of(runs: &[(usize, &[i64])]) -> Self {
        let mut own = Self::default();
        for (place, times) in runs {
            own.samples.times_ms.extend_from_slice(times);
            own.ends.push((*place, own.samples.times_ms.len()));
        }
        own.samples.values = (0..own.samples.times_ms.len()).map(|value| value as f64).collect();
        own
    }

    pub(super) fn each(&self, mut each: impl FnMut(usize, Range<usize>)) {
        let mut start = 0;
        for (place, end) in &self.ends {
            each(*place, start..*end);
            start = *end;
        }
    }
}

/// What is wanted of a row group.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) footer: &'a ParquetMetaData,
    pub(super) group: usize,
    /// Rows that may be of sought series, ascending and apart.
    pub(super) rows: &'a [Range<usize>],
    /// Where each sought series is.
    pub(super) places: &'a ById<usize>,
    pub(super) times: Times,
    /// With start times.
    pub(super) starts: bool,
}

/// Which times matter, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    from: i64,
    /// Included.
    to: i64,
    /// From the end of one range to that of the next, and how long each is. The last one ends at `to`.
    apart: Option<(i64, i64)>,
}

impl Times {
    /// Between these, both included.
    pub(super) fn new((from, to): (i64, i64), apart: Option<Apart>) -> Self {
        let nanos = |ms: i64| ms.saturating_mul(NANOS_PER_MS);
        Self { from, to, apart: apart.map(|apart| (nanos(apart.every_ms), nanos(apart.length_ms))) }
    }

    /// The times around this one, all of which matter or do not; and whether they do.
    fn around(&self, time: i64) -> (RangeInclusive<i64>, bool) {
        let Self { from, to, .. } = *self;
        if time < from {
            return (i64::MIN..=from - 1, false);
        }
        if time > to {
            return (to + 1..=i64::MAX, false);
        }
        let Some((every, length)) = self.apart else { return (from..=to, true) };
        let before = to.abs_diff(time) % every.unsigned_abs();
        let before = i64::try_from(before).unwrap_or(i64::MAX);
        let end = time.saturating_add(before);
        if before < length {
            return (end.saturating_sub(length - 1).max(from)..=end, true);
        }
        (end.saturating_sub(every - 1).max(from)..=end.saturating_sub(length), false)
    }
}

/// The columns of samples of a row group that have something to say.
pub(super) struct Columns<'a> {
    request: Request<'a>,
    ids: Column<'a>,
    times: Column<'a>,
    raw: Option<Column<'a>>,
    scale: Option<Scale<'a>>,
    flags: Option<Column<'a>>,
    starts: Option<Column<'a>>,
}

/// What values are scaled by.
struct Scale<'a> {
    scaled: Column<'a>,
    base: Column<'a>,
    unit: Column<'a>,
    divisor: Column<'a>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(request: Request<'a>) -> Result<Self> {
        let Request { footer, group, rows, .. } = request;
        let column = |name: &str| match tells(footer, group, name) {
            true => Column::of(footer, group, name, rows),
            false => Ok(None),
        };
        let needed = |name: &str| Column::of(footer, group, name, rows)?.ok_or_else(|| misses(name));
        let scale = match column(scaled::SCALED)? {
            Some(scaled) => Some(Scale {
                scaled,
                base: needed(scaled::BASE)?,
                unit: needed(scaled::UNIT)?,
                divisor: needed(scaled::DIVISOR)?,
            }),
            None => None,
        };
        Ok(Self {
            request,
            ids: needed("series_id")?,
            times: needed("time_unix_nano")?,
            raw: column(scaled::RAW)?,
            scale,
            flags: column("flags")?,
            starts: if request.starts { column(START_TIME)? } else { None },
        })
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Column<'a>> {
        let scale = self.scale.iter_mut();
        let scale = scale.flat_map(|of| [&mut of.scaled, &mut of.base, &mut of.unit, &mut of.divisor]);
        let optional = [&mut self.raw, &mut self.flags, &mut self.starts].into_iter().flatten();
        [&mut self.ids, &mut self.times].into_iter().chain(scale).chain(optional)
    }

    /// Where in the file is what has to be read.
    pub(super) fn places(&mut self) -> Vec<Range<u64>> {
        self.all().flat_map(|column| column.places()).collect()
    }

    /// The samples, out of what was read at [`Columns::places`].
    pub(super) fn decode(mut self, read: Vec<Bytes>) -> Result<Runs> {
        thread_local! {
            static CODECS: RefCell<Option<Codecs>> = const { RefCell::new(None) };
        }
        let mut read = read.into_iter();
        self.all().try_for_each(|column| column.fill(&mut read))?;
        CODECS.with_borrow_mut(|codecs| {
            let codecs = match codecs {
                Some(codecs) => codecs,
                None => codecs.insert(Codecs::new()?),
            };
            self.runs(codecs)
        })
    }

    fn runs(&self, codecs: &mut Codecs) -> Result<Runs> {
        let places = self.request.places;
        let rows = self.ids.runs(codecs, self.request.rows, |id| places.get(id).copied())?;
        let mut runs = Runs::default();
        let rows = self.within(codecs, &rows, &mut runs.samples.times_ms)?;
        let mut end = 0;
        for run in &rows {
            end += run.rows.len();
            match runs.ends.last_mut() {
                Some((last, last_end)) if *last == run.place => *last_end = end,
                _ => runs.ends.push((run.place, end)),
            }
        }
        if rows.is_empty() {
            return Ok(runs);
        }
        runs.samples.values = self.values(codecs, &rows, end)?;
        if let Some(flags) = &self.flags {
            let values = &mut runs.samples.values;
            let mut place = 0;
            flags.each(codecs, &rows, |_, flags, _| {
                for flags in flags {
                    if flags & i64::from(NO_RECORDED_VALUE) != 0 {
                        values[place] = f64::from_bits(STALE_NAN_BITS);
                    }
                    place += 1;
                }
            })?;
        }
        if let Some(starts) = &self.starts {
            let into = &mut runs.samples.start_times_ms;
            let ms = |nanos: &i64| nanos.div_euclid(NANOS_PER_MS);
            starts.each(codecs, &rows, |_, starts, _| into.extend(starts.iter().map(ms)))?;
        }
        if self.request.starts {
            runs.samples.start_times_ms.resize(end, 0);
        }
        Ok(runs)
    }

    /// What of the runs is within the times, which are appended in milliseconds.
    fn within(&self, codecs: &mut Codecs, runs: &[RunRows], times_ms: &mut Vec<i64>) -> Result<Vec<RunRows>> {
        let mut within: Vec<RunRows> = Vec::with_capacity(runs.len());
        if self.request.times.apart.is_none() {
            times_ms.reserve_exact(runs.iter().map(|run| run.rows.len()).sum());
        }
        let mut done = (usize::MAX, 0);
        self.times.each(codecs, runs, |number, times, _| {
            // Where in the file these are: a run may be in several pages.
            if done.0 != number {
                done = (number, runs[number].rows.start);
            }
            let mut row = done.1;
            done.1 += times.len();
            let mut rest = times;
            while let Some(first) = rest.first() {
                let (around, matter) = self.request.times.around(*first);
                let len = leading(rest, &around);
                let part;
                (part, rest) = rest.split_at(len);
                let rows = row..row + len;
                row = rows.end;
                if !matter {
                    continue;
                }
                append_ms(part, *around.start() >= 0, times_ms);
                let place = runs[number].place;
                match within.last_mut() {
                    Some(last) if last.place == place && last.rows.end == rows.start => {
                        last.rows.end = rows.end;
                    }
                    _ => within.push(RunRows { place, rows }),
                }
            }
        })?;
        Ok(within)
    }

    fn values(&self, codecs: &mut Codecs, runs: &[RunRows], len: usize) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(len);
        let double = |bits: &i64| f64::from_bits(bits.cast_unsigned());
        let Some(scale) = &self.scale else {
            let raw = self.raw.as_ref().ok_or_else(|| misses(scaled::RAW))?;
            let mut missing = false;
            raw.each(codecs, runs, |_, raw, valid| {
                missing |= valid.is_some_and(|valid| valid.contains(&false));
                values.extend(raw.iter().map(double));
            })?;
            return if missing { Err(misses(scaled::RAW)) } else { Ok(values) };
        };
        // A series has one scale, however many runs it has.
        let (mut series, mut of): (Vec<RunRows>, _) = (Vec::new(), Vec::with_capacity(runs.len()));
        for run in runs {
            if series.last().is_none_or(|last| last.place != run.place) {
                series.push(run.clone());
            }
            of.push(series.len() - 1);
        }
        let base = scale.base.firsts(codecs, &series)?;
        let unit = scale.unit.firsts(codecs, &series)?;
        let divisor = scale.divisor.firsts(codecs, &series)?;
        // Rows that no scale fits have their value apart, which is looked at only where there are some.
        let (mut lacking, mut begins, mut missing): (Vec<RunRows>, Vec<usize>, isize) = Default::default();
        let mut done = (usize::MAX, 0);
        scale.scaled.each(codecs, runs, |number, scaled, valid| {
            // Where these are among the runs: one may be in several pages.
            if done.0 != number {
                done = (number, values.len());
            }
            if valid.is_some_and(|valid| valid.contains(&false)) {
                missing += valid.map_or(0, |valid| valid.iter().map(|valid| isize::from(!valid)).sum());
                if begins.last() != Some(&done.1) {
                    lacking.push(runs[number].clone());
                    begins.push(done.1);
                }
            }
            let number = of[number];
            let (base, unit, divisor) = (base[number], unit[number], double(&divisor[number]));
            unscale(scaled, (base, unit, divisor), &mut values);
        })?;
        if let Some(raw) = self.raw.as_ref().filter(|_| missing > 0) {
            let (mut last, mut place) = (usize::MAX, 0);
            raw.each(codecs, &lacking, |number, raw, valid| {
                if last != number {
                    (last, place) = (number, begins[number]);
                }
                for (row, raw) in raw.iter().enumerate() {
                    if valid.is_none_or(|valid| valid[row]) {
                        values[place] = double(raw);
                        missing -= 1;
                    }
                    place += 1;
                }
            })?;
        }
        if missing != 0 { Err(misses(scaled::RAW)) } else { Ok(values) }
    }
}

/// Appends nanoseconds as milliseconds. A division without a sign is quicker.
fn append_ms(times: &[i64], without_sign: bool, times_ms: &mut Vec<i64>) {
    if without_sign {
        let ms = |time: &i64| (time.cast_unsigned() / NANOS_PER_MS.unsigned_abs()).cast_signed();
        times_ms.extend(times.iter().map(ms));
    } else {
        times_ms.extend(times.iter().map(|time| time.div_euclid(NANOS_PER_MS)));
    }
}

/// How many of the first are between these. Many are looked at together, without a branch for each.
fn leading(times: &[i64], around: &RangeInclusive<i64>) -> usize {
    const TOGETHER: usize = 32;
    /// With bounds up to here a difference has the sign of one that is outside, or the other one has it.
    const FAR: i64 = 1 << 62;
    let (from, to) = (*around.start().max(&-FAR), *around.end().min(&FAR));
    let outside = |signs: i64, time: &i64| signs | time.wrapping_sub(from) | to.wrapping_sub(*time);
    let all = |part: &[i64]| part.iter().fold(0, outside) >= 0;
    let parts = times.chunks(TOGETHER).take_while(|part| all(part)).count();
    let start = (parts * TOGETHER).min(times.len());
    start + times[start..].iter().take_while(|time| around.contains(time)).count()
}

/// Appends what these stand for. Whole numbers need no division, and small ones are turned to doubles
/// several at a time: those with the bits of this one below have their place in its fraction.
fn unscale(scaled: &[i64], (base, unit, divisor): (i64, i64, f64), values: &mut Vec<f64>) {
    const PLACES: f64 = (3_u64 << 51) as f64;
    const HALF: i64 = 1 << 51;
    let outside = |signs: i64, scaled: &i64| signs | scaled | (HALF - 1 - HALF / 2).wrapping_sub(*scaled);
    let is_small =
        unit == 1 && base.unsigned_abs() < HALF.unsigned_abs() / 2 && scaled.iter().fold(0, outside) >= 0;
    if !is_small {
        values.extend(scaled.iter().map(|scaled| scaled::value(*scaled, base, unit, divisor)));
        return;
    }
    let places = PLACES.to_bits().cast_signed() + base;
    let whole = |scaled: &i64| f64::from_bits((places + scaled).cast_unsigned()) - PLACES;
    match divisor == 1.0 {
        true => values.extend(scaled.iter().map(whole)),
        false => values.extend(scaled.iter().map(|scaled| whole(scaled) / divisor)),
    }
}

fn misses(name: &str) -> ParquetError {
    ParquetError::General(format!("it lacks `{name}`"))
}
