//! Samples of some series out of a row group, without a detour by arrays of all of its rows.
//!
//! Enters: the pages that may have wanted rows. Leaves: runs of samples, each of one series, in the order
//! of the file. The ids of the rows tell the runs of the series that are sought; of other columns only
//! what these have is made. Contexts for decompressing live as long as the thread.
//! Must hold: it reads what `crates/store/src/segment/encode` writes, and says so of anything else.

mod column;
mod deltas;
mod directory;
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

use self::column::{Column, Read, RunRows};
use self::deltas::{At, Sink};
pub(crate) use self::directory::Directory;
use self::directory::{Group, Run, Scale};
use self::page::Codecs;
use super::histogram::NO_RECORDED_VALUE;
use super::points::{ById, NANOS_PER_MS, START_TIME};
use super::prune::SeriesId;
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
    /// What is known of the file, if that is kept.
    pub(super) directory: Option<&'a Directory>,
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

/// Bytes between two places up to which both are read at once: copying these costs less than asking again.
/// The columns of a scale are smaller.
const NEAR: u64 = 4096;

/// The columns of samples of a row group that have something to say.
pub(super) struct Columns<'a> {
    request: Request<'a>,
    /// Where in the file is what has to be read, ascending and apart.
    places: Vec<Range<u64>>,
    group: Option<&'a Group>,
    /// Nothing where it is known which rows are of which series, as below.
    ids: Option<Column<'a>>,
    times: Column<'a>,
    raw: Option<Column<'a>>,
    scaled: Option<Column<'a>>,
    scale: Option<ScaleOf<'a>>,
    flags: Option<Column<'a>>,
    starts: Option<Column<'a>>,
}

/// What values are scaled by.
struct ScaleOf<'a> {
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
        let kept = request.directory.and_then(|directory| directory.group(group));
        let is_known = kept.is_some_and(Group::is_known);
        // What will be kept is read of all rows.
        let all = 0..usize::try_from(footer.row_group(group).num_rows()).unwrap_or(0);
        let all = if kept.is_some() { std::slice::from_ref(&all) } else { rows };
        let needed = |name: &str, rows: &[Range<usize>]| {
            Column::of(footer, group, name, rows)?.ok_or_else(|| misses(name))
        };
        let scaled = column(scaled::SCALED)?;
        let scale = match scaled.is_some() && !is_known {
            true => Some(ScaleOf {
                base: needed(scaled::BASE, all)?,
                unit: needed(scaled::UNIT, all)?,
                divisor: needed(scaled::DIVISOR, all)?,
            }),
            false => None,
        };
        let mut columns = Self {
            request,
            places: Vec::new(),
            group: kept,
            ids: if is_known { None } else { Some(needed("series_id", all)?) },
            times: needed("time_unix_nano", rows)?,
            raw: column(scaled::RAW)?,
            scaled,
            scale,
            flags: column("flags")?,
            starts: if request.starts { column(START_TIME)? } else { None },
        };
        let mut places: Vec<_> = columns.all().flat_map(|column| column.places()).collect();
        places.sort_unstable_by_key(|place| place.start);
        places.dedup_by(|next, place| {
            let near = next.start <= place.end.saturating_add(NEAR);
            place.end = if near { place.end.max(next.end) } else { place.end };
            near
        });
        columns.places = places;
        Ok(columns)
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Column<'a>> {
        let scale = self.scale.iter_mut();
        let scale = scale.flat_map(|of| [&mut of.base, &mut of.unit, &mut of.divisor]);
        let optional = [&mut self.ids, &mut self.raw, &mut self.scaled, &mut self.flags, &mut self.starts];
        std::iter::once(&mut self.times).chain(scale).chain(optional.into_iter().flatten())
    }

    /// Where in the file is what has to be read.
    pub(super) fn places(&self) -> &[Range<u64>] {
        &self.places
    }

    /// The samples, out of what was read at [`Columns::places`].
    pub(super) fn decode(mut self, read: Vec<Bytes>) -> Result<Runs> {
        thread_local! {
            static CODECS: RefCell<Option<Codecs>> = const { RefCell::new(None) };
        }
        let read = Read { places: std::mem::take(&mut self.places), bytes: read };
        self.all().try_for_each(|column| column.fill(&read))?;
        CODECS.with_borrow_mut(|codecs| {
            let codecs = match codecs {
                Some(codecs) => codecs,
                None => codecs.insert(Codecs::new()?),
            };
            self.runs(codecs)
        })
    }

    fn runs(&self, codecs: &mut Codecs) -> Result<Runs> {
        let (wanted, sought) = (self.request.rows, |id: &SeriesId| self.request.places.get(id).copied());
        let known = match self.group {
            Some(group) => Some(group.runs(|| self.directory(codecs))?),
            None => None,
        };
        let rows = match (&known, &self.ids) {
            (Some(known), _) => known.sought(wanted, sought),
            (None, Some(ids)) => ids.runs(codecs, wanted, sought)?,
            (None, None) => return Err(misses("series_id")),
        };
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
        let scale_of = |codecs: &mut Codecs, series: &[RunRows]| match &known {
            Some(known) => Ok(series.iter().map(|run| known.scale(&run.rows)).collect()),
            None => self.scales(codecs, series),
        };
        runs.samples.values = self.values(codecs, &rows, end, scale_of)?;
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
        if self.request.times.apart.is_none() {
            times_ms.reserve_exact(runs.iter().map(|run| run.rows.len()).sum());
        }
        let mut within = Within::new(self.request.times, runs, times_ms);
        self.times.walk(codecs, runs, &mut within)?;
        Ok(within.found)
    }

    /// All runs of the row group.
    fn directory(&self, codecs: &mut Codecs) -> Result<Vec<Run>> {
        let ids = self.ids.as_ref().ok_or_else(|| misses("series_id"))?;
        let rows = usize::try_from(self.request.footer.row_group(self.request.group).num_rows()).unwrap_or(0);
        let known = RefCell::new(Vec::new());
        let number = |id: &SeriesId| {
            let mut known = known.borrow_mut();
            // A run may go on in the next page.
            if known.last() != Some(id) {
                known.push(*id);
            }
            Some(known.len() - 1)
        };
        let runs = ids.runs(codecs, std::slice::from_ref(&(0..rows)), number)?;
        let scales = self.scales(codecs, &runs)?;
        let known = known.into_inner();
        let run = |(run, scale): (&RunRows, Scale)| {
            let end = u32::try_from(run.rows.end).unwrap_or(u32::MAX);
            Run { id: known[run.place], end, scale }
        };
        Ok(runs.iter().zip(scales).map(run).collect())
    }

    /// What the values of runs are scaled by, each by one scale.
    fn scales(&self, codecs: &mut Codecs, runs: &[RunRows]) -> Result<Vec<Scale>> {
        let Some(scale) = &self.scale else { return Ok(vec![Scale::default(); runs.len()]) };
        let base = scale.base.firsts(codecs, runs)?;
        let unit = scale.unit.firsts(codecs, runs)?;
        let divisor = scale.divisor.firsts(codecs, runs)?;
        let all = base.into_iter().zip(unit).zip(divisor);
        Ok(all.map(|((base, unit), divisor)| Scale { base, unit, divisor }).collect())
    }

    fn values(
        &self,
        codecs: &mut Codecs,
        runs: &[RunRows],
        len: usize,
        scale_of: impl FnOnce(&mut Codecs, &[RunRows]) -> Result<Vec<Scale>>,
    ) -> Result<Vec<f64>> {
        let mut values = Vec::with_capacity(len);
        let double = |bits: &i64| f64::from_bits(bits.cast_unsigned());
        let Some(scaled) = &self.scaled else {
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
        let scales = scale_of(codecs, &series)?;
        // Rows that no scale fits have their value apart, which is looked at only where there are some.
        let (mut lacking, mut begins, mut missing): (Vec<RunRows>, Vec<usize>, isize) = Default::default();
        let mut done = (usize::MAX, 0);
        scaled.each(codecs, runs, |number, scaled, valid| {
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
            let Scale { base, unit, divisor } = scales[of[number]];
            unscale(scaled, (base, unit, double(&divisor)), &mut values);
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

/// Looks at the times of runs, and keeps those that matter.
struct Within<'a> {
    times: Times,
    /// Around the time that was looked at last; whether these matter.
    around: (RangeInclusive<i64>, bool),
    runs: &'a [RunRows],
    found: Vec<RunRows>,
    times_ms: &'a mut Vec<i64>,
}

impl<'a> Within<'a> {
    fn new(times: Times, runs: &'a [RunRows], times_ms: &'a mut Vec<i64>) -> Self {
        let around = times.around(times.from);
        Self { times, around, runs, found: Vec::with_capacity(runs.len()), times_ms }
    }

    /// The times around this one, and whether they matter.
    fn around(&mut self, time: i64) -> (RangeInclusive<i64>, bool) {
        if !self.around.0.contains(&time) {
            self.around = self.times.around(time);
        }
        self.around.clone()
    }

    fn found(&mut self, at: At, len: usize) {
        let place = self.runs[at.range].place;
        let rows = at.place..at.place + len;
        match self.found.last_mut() {
            Some(last) if last.place == place && last.rows.end == rows.start => last.rows.end = rows.end,
            _ => self.found.push(RunRows { place, rows }),
        }
    }
}

impl Sink for Within<'_> {
    fn numbers(&mut self, mut at: At, mut times: &[i64]) {
        while let Some(first) = times.first() {
            let (around, matter) = self.around(*first);
            let (own, rest) = times.split_at(leading(times, &around));
            if matter {
                self.found(at, own.len());
                append_ms(own, *around.start() >= 0, self.times_ms);
            }
            (at, times) = (at.after(own.len()), rest);
        }
    }

    /// As times mostly are: how many are around the first one is known without looking at each.
    fn steps(&mut self, mut at: At, before: i64, step: i64, count: usize) {
        let (mut time, mut left) = (before.wrapping_add(step), count);
        while left > 0 {
            let (around, matter) = self.around(time);
            let room = around.end().abs_diff(time);
            let len = match u64::try_from(step) {
                Ok(0) => left,
                Ok(step) => usize::try_from(room / step).unwrap_or(usize::MAX).saturating_add(1).min(left),
                Err(_) => 1,
            };
            if matter {
                self.found(at, len);
                append_steps_ms(time, step, len, self.times_ms);
            }
            time = time.wrapping_add(step.wrapping_mul(len as i64));
            (at, left) = (at.after(len), left - len);
        }
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

/// The same of so many times, each `step` after the one before. With whole milliseconds between them one is divided.
fn append_steps_ms(first: i64, step: i64, len: usize, times_ms: &mut Vec<i64>) {
    let (whole, rest) = (step / NANOS_PER_MS, step % NANOS_PER_MS);
    let len = len as i64;
    if rest == 0 {
        let first = first.div_euclid(NANOS_PER_MS);
        times_ms.extend((0..len).map(|number| first + number * whole));
    } else {
        times_ms.extend((0..len).map(|number| (first + number * step).div_euclid(NANOS_PER_MS)));
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
    let can_be = from <= FAR && to >= -FAR;
    let parts = times.chunks(TOGETHER).take_while(|part| can_be && all(part)).count();
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
