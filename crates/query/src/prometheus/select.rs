//! Selectors over the store: which series fit, in the order of their labels, and their samples.
//!
//! Series are looked up at once; samples are read some metrics at a time, when the first of their
//! series is wanted, and given away series by series.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter::Peekable;
use std::sync::Arc;

use model::{NANOS_PER_DAY, Table, day_of};
use parking_lot::Mutex;
use promql::ast::Matcher;
use promql::{Apart, Chunk, Labels, LabelsBuilder, Samples, Selection, SeriesIter, SourceError};

use super::exposed::{Matching, Part, TARGET_INFO, Translator};
use super::memory::Memory;
use super::points::{ById, Given, Points, Read, SAMPLE_BYTES, Sought, join, nanos, read_split, settle};
use super::promoted::Promoted;
use super::prune::SeriesId;
use super::rows::Rows;
use super::series::{self, Which};
use super::target_info::Targets;
use super::tiers::Reading;
use crate::session::Session;
use crate::{QueryError, Snapshot};

/// Series whose samples are read together, unless one metric has more. Records in memory are in no
/// order and gone through once for each of these groups, and a group's samples are held.
const GROUP_SERIES: usize = 2048;
/// Groups have fewer series where these have many samples, so that one takes about this part of what the
/// query may use: there may be several selectors, and what is decoded is held twice for a moment.
const GROUP_PART: u64 = 4;
/// Fewest series of a group, as each group reads the pages of its series anew.
const GROUP_SERIES_MIN: usize = 64;

/// Bytes that a series that fits is counted with, besides its texts, which series share.
const FOUND_BYTES: usize = 160;

/// Memory is asked for after so many bytes of them, and not for each.
const FOUND_BYTES_UNASKED: usize = 16 << 10;

/// The tables that PromQL reads, as a query sees them. Points before their series: whatever point
/// is seen, its series is seen too.
pub(super) const TABLES: [Table; 5] =
    [Table::Samples, Table::Histograms, Table::Series, Table::Downsampled, Table::DownsampledHistograms];

/// The store at one moment.
pub(super) struct Store<'s> {
    session: &'s Session,
    samples: Rows<'s>,
    histograms: Rows<'s>,
    downsampled: Rows<'s>,
    downsampled_histograms: Rows<'s>,
    pub(super) series: Rows<'s>,
    /// What labels are made with: the same throughout a query, also when the configuration changes.
    pub(super) promoted: Promoted,
    /// Samples come with their start times.
    starts: bool,
    /// How far instant selectors look back.
    lookback_ms: i64,
    /// The coarsest resolution that may be read, if the asker said so.
    resolution_max_ms: Option<u64>,
    /// Why reading failed, if it did: it says more than the text that the evaluator passes on.
    failure: Mutex<Option<QueryError>>,
    /// Of what is known of series.
    pub(super) memory: Memory,
}

/// What is stored of a series that fits.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) metric: Arc<str>,
    pub(super) part: Part,
    pub(super) id: SeriesId,
    delta: bool,
}

/// What has samples of a series.
enum Member {
    Stored(Stored),
    Ready(Chunk),
}

impl<'s> Store<'s> {
    /// Over snapshots of [`TABLES`].
    pub(super) fn new(
        session: &'s Session,
        snapshots: &'s [Arc<Snapshot>],
        options: &promql::Options,
        resolution_max_ms: Option<u64>,
    ) -> Result<Self, QueryError> {
        let [samples, histograms, series, downsampled, downsampled_histograms] = snapshots else {
            return Err(QueryError::Internal { message: "a table has no snapshot".to_owned() });
        };
        Ok(Self {
            session,
            samples: Rows::new(session, samples),
            histograms: Rows::new(session, histograms),
            series: Rows::new(session, series),
            promoted: Promoted::new(&session.engine.prometheus()),
            downsampled: Rows::new(session, downsampled),
            downsampled_histograms: Rows::new(session, downsampled_histograms),
            starts: options.start_timestamps,
            lookback_ms: options.lookback_ms,
            resolution_max_ms,
            failure: Mutex::default(),
            memory: Memory::new(&session.control().pool, "UniqueSeries"),
        })
    }

    /// As [`Store::new`], to ask what series there are.
    pub(super) fn of_labels(
        session: &'s Session,
        snapshots: &'s [Arc<Snapshot>],
    ) -> Result<Self, QueryError> {
        Self::new(session, snapshots, &promql::Options::default(), None)
    }

    /// Whether samples may be read that were downsampled.
    pub(super) fn has_downsampled(&self) -> bool {
        let tables = [&self.downsampled, &self.downsampled_histograms];
        self.resolution_max_ms != Some(0) && tables.iter().any(|table| !table.segments().is_empty())
    }

    /// The error that ended a selection.
    pub(super) fn failure(&self) -> Option<QueryError> {
        self.failure.lock().take()
    }

    fn failed(&self, error: QueryError) -> SourceError {
        let text = SourceError(error.to_string());
        self.failure.lock().get_or_insert(error);
        text
    }

    /// The stored series that fit, with their labels but for those of bounds and quantiles.
    pub(super) fn find(
        &self,
        matchers: &[Matcher],
        times_ms: (i64, i64),
    ) -> Result<Vec<(Labels, Stored)>, QueryError> {
        let matching = Matching::new(matchers);
        let (mut translator, mut found) = (Translator::default(), Vec::new());
        let which = Which {
            times: nanos(times_ms),
            name: matching.name(),
            name_may_fit: &|shape, translated| matching.may_fit(shape, translated),
            every_row: false,
        };
        let mut bytes = 0;
        series::known(&self.memory, &self.series, &self.promoted, &which, &mut |series| {
            translator.seen_as(series, &matching, |labels, part| {
                bytes += FOUND_BYTES + labels.len() * 32;
                let metric = Arc::clone(&series.metric.name);
                found.push((labels, Stored { metric, part, id: series.id, delta: series.delta }));
            });
            if bytes < FOUND_BYTES_UNASKED {
                return Ok(());
            }
            self.memory.grow(std::mem::take(&mut bytes))
        })?;
        self.memory.grow(bytes)?;
        Ok(found)
    }

    /// What there is of the series that fit, by their labels: where several have the same, they are one.
    fn series(&self, selection: &Selection, reading: Reading) -> Result<Vec<(Labels, Member)>, QueryError> {
        let times = (selection.start_ms, selection.end_ms);
        let mut series = Vec::new();
        let mut split: BTreeMap<Part, Vec<(Labels, Stored)>> = BTreeMap::new();
        for (labels, stored) in self.find(&selection.matchers, times)? {
            if stored.part.own_label().is_some() {
                split.entry(stored.part).or_default().push((labels, stored));
            } else {
                series.push((labels, Member::Stored(stored)));
            }
        }
        let matching = Matching::new(&selection.matchers);
        for (part, found) in split {
            for (labels, chunk) in self.split(part, &found, selection, reading)? {
                if matching.fit(&labels, None) {
                    series.push((labels, Member::Ready(chunk)));
                }
            }
        }
        if matching.name_fits(TARGET_INFO) {
            let targets = Targets::find(self, times)?;
            for (labels, chunk) in targets.series(times, selection.labels_only, &self.memory)? {
                if matching.fit(&labels, None) {
                    series.push((labels, Member::Ready(chunk)));
                }
            }
        }
        // Those of a file are in order already, which this sort is quick with.
        series.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(series)
    }

    /// The series of bounds or quantiles.
    fn split(
        &self,
        part: Part,
        found: &[(Labels, Stored)],
        selection: &Selection,
        reading: Reading,
    ) -> Result<Vec<(Labels, Chunk)>, QueryError> {
        let Some(label) = part.own_label() else { return Ok(Vec::new()) };
        let mut ids: Vec<_> = found.iter().map(|(_, stored)| stored.id).collect();
        ids.sort_unstable();
        let metrics: BTreeSet<&str> = found.iter().map(|(_, stored)| stored.metric.as_ref()).collect();
        let metrics: Vec<_> = metrics.into_iter().collect();
        let times = (selection.start_ms, selection.end_ms);
        let sought = self.sought(&metrics, &ids, times, reading.of_part(part));
        let tables = (&self.histograms, &self.downsampled_histograms);
        let mut read = read_split(tables, &sought, part, selection.labels_only, &self.memory)?;
        let mut series = Vec::new();
        for (labels, stored) in found {
            for (bound, chunk) in read.remove(&stored.id).unwrap_or_default() {
                let mut labels = LabelsBuilder::new(labels);
                labels.set(label, &plain(bound));
                series.push((labels.build(), chunk));
            }
        }
        Ok(series)
    }

    fn sought<'a>(
        &self,
        metrics: &'a [&'a str],
        ids: &'a [SeriesId],
        times_ms: (i64, i64),
        reading: Reading,
    ) -> Sought<'a> {
        Sought { metrics, ids, times_ms, starts: self.starts, reading }
    }

    /// How many series are read together, by how many samples a series has in these times.
    fn group_series(&self, times_ms: (i64, i64), apart: Option<Apart>) -> usize {
        let times = nanos(times_ms);
        let samples = self.samples.within(times).max(self.histograms.within(times));
        // A series has a row for each of its days.
        let first_day = i64::from(day_of(times.0)).saturating_mul(NANOS_PER_DAY);
        let of_days = (first_day, times.1);
        let series = self.series.within(of_days) / self.series.days(of_days);
        let mut each = samples / series.max(1);
        if let Some(Apart { every_ms, length_ms }) = apart {
            each = each.saturating_mul(length_ms.unsigned_abs()) / every_ms.unsigned_abs().max(1) + 1;
        }
        let limit = self.session.control().pool.limit() / GROUP_PART;
        let fit = limit / (2 * SAMPLE_BYTES as u64 * each.max(1));
        usize::try_from(fit).unwrap_or(usize::MAX).clamp(GROUP_SERIES_MIN, GROUP_SERIES)
    }

    /// The labels of the series that fit, ascending.
    pub(super) fn labels(
        &self,
        matchers: &[Matcher],
        times_ms: (i64, i64),
    ) -> Result<Vec<Labels>, QueryError> {
        let mut selection = Selection {
            matchers: matchers.to_vec(),
            start_ms: times_ms.0,
            end_ms: times_ms.1,
            apart: None,
            step_ms: 0,
            range_ms: 0,
            function: None,
            labels_only: true,
            resets: false,
        };
        let reading = Reading::of(&mut selection, self.resolution_max_ms, self.lookback_ms);
        let series = self.series(&selection, reading)?;
        let mut labels: Vec<_> = series.into_iter().map(|(labels, _)| labels).collect();
        labels.dedup();
        Ok(labels)
    }
}

/// A bound as a label has it: no exponent, no point where none is needed.
fn plain(bound: f64) -> String {
    if bound.is_infinite() {
        return if bound > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    bound.to_string()
}

impl promql::Source for Store<'_> {
    fn select<'a>(&'a self, selection: &Selection) -> Result<SeriesIter<'a>, SourceError> {
        let mut selection = selection.clone();
        let reading = Reading::of(&mut selection, self.resolution_max_ms, self.lookback_ms);
        let selection = &selection;
        let series = self.series(selection, reading).map_err(|error| self.failed(error))?;
        if selection.labels_only {
            let mut labels: Vec<_> = series.into_iter().map(|(labels, _)| labels).collect();
            labels.dedup();
            let series = labels.into_iter().map(|labels| Ok((labels, Samples::Decoded(Chunk::default()))));
            return Ok(Box::new(series));
        }
        let times = (selection.start_ms, selection.end_ms);
        let mut groups = Groups::new(self.group_series(times, reading.apart));
        let origin = |(labels, member)| match member {
            Member::Stored(stored) => (labels, Origin::Group(groups.add(&stored), stored.id)),
            Member::Ready(chunk) => (labels, Origin::Ready(chunk)),
        };
        let series: Vec<_> = series.into_iter().map(origin).collect();
        let (series, groups) = (series.into_iter().peekable(), groups.all);
        let before_ms = if selection.resets { self.lookback_ms } else { 0 };
        Ok(Box::new(Selected { store: self, series, groups, times, before_ms, reading }))
    }
}

/// Where samples of a series come from.
enum Origin {
    /// They are read with those of this group.
    Group(usize, SeriesId),
    Ready(Chunk),
}

/// Series of a part of some metrics, whose samples are read together.
struct Group {
    part: Part,
    metrics: Vec<Arc<str>>,
    ids: Vec<SeriesId>,
    delta: ById<()>,
    /// How many have not been given away.
    left: usize,
    read: Option<Read>,
}

/// The groups of a selection. What comes close together in the order of labels is read together.
struct Groups {
    all: Vec<Group>,
    /// The group that takes the next series of each metric's part.
    of: HashMap<(Arc<str>, Part), usize>,
    /// The group that takes the next metric of a part.
    open: HashMap<Part, usize>,
    /// From how many series on a group takes no other metric.
    series_max: usize,
}

impl Groups {
    fn new(series_max: usize) -> Self {
        Self { all: Vec::new(), of: HashMap::new(), open: HashMap::new(), series_max }
    }

    /// Adds a series to a group; says which.
    fn add(&mut self, stored: &Stored) -> usize {
        // Series of one metric are next to each other in the files, wherever they are among the labels:
        // they are read apart only where they are far too many.
        let full = |place: &usize| {
            let len = self.all[*place].ids.len();
            len >= 2 * self.series_max && self.series_max < GROUP_SERIES
        };
        let key = (Arc::clone(&stored.metric), stored.part);
        let place = match self.of.get(&key) {
            Some(place) if !full(place) => *place,
            _ => {
                let place = self.open(stored.part);
                self.all[place].metrics.push(Arc::clone(&stored.metric));
                self.of.insert(key, place);
                place
            }
        };
        let group = &mut self.all[place];
        group.ids.push(stored.id);
        group.left += 1;
        if stored.delta {
            group.delta.insert(stored.id, ());
        }
        place
    }

    fn open(&mut self, part: Part) -> usize {
        let open = self.open.get(&part).copied();
        if let Some(place) = open.filter(|place| self.all[*place].ids.len() < self.series_max) {
            return place;
        }
        let (metrics, ids) = (Vec::new(), Vec::new());
        self.all.push(Group { part, metrics, ids, delta: ById::default(), left: 0, read: None });
        self.open.insert(part, self.all.len() - 1);
        self.all.len() - 1
    }
}

struct Selected<'a, 's> {
    store: &'a Store<'s>,
    series: Peekable<std::vec::IntoIter<(Labels, Origin)>>,
    groups: Vec<Group>,
    times: (i64, i64),
    /// How long before the times histograms are read, too.
    before_ms: i64,
    reading: Reading,
}

impl Selected<'_, '_> {
    /// Those of this origin, and of the next ones, which have the same labels.
    fn samples(&mut self, labels: &Labels, origin: Origin) -> Result<Option<Samples<'static>>, QueryError> {
        let first = self.given(origin)?;
        if self.series.peek().is_none_or(|(next, _)| next != labels) {
            return Ok(first.map(Found::samples));
        }
        let mut all: Vec<_> = first.into_iter().collect();
        while let Some((_, origin)) = self.series.next_if(|(next, _)| next == labels) {
            all.extend(self.given(origin)?);
        }
        let joined = move |into: &mut Chunk| {
            for found in all {
                let mut own = Chunk::default();
                found.into(&mut own);
                join(into, own);
            }
            settle(into);
            Ok(())
        };
        Ok(Some(Samples::Encoded(Box::new(joined))))
    }

    fn given(&mut self, origin: Origin) -> Result<Option<Found>, QueryError> {
        let (place, id) = match origin {
            Origin::Ready(chunk) => return Ok((!chunk.times_ms.is_empty()).then_some(Found::Ready(chunk))),
            Origin::Group(place, id) => (place, id),
        };
        let Some(group) = self.groups.get_mut(place) else { return Ok(None) };
        let read = match &mut group.read {
            Some(read) => read,
            None => {
                let read = group.read(self.store, (self.times, self.before_ms), self.reading)?;
                group.read.insert(read)
            }
        };
        let given = read.take(&id).map(Found::Given);
        group.left -= 1;
        if group.left == 0 {
            group.read = None;
        }
        Ok(given)
    }
}

/// The samples of a series from one origin.
enum Found {
    Ready(Chunk),
    Given(Given),
}

impl Found {
    fn into(self, chunk: &mut Chunk) {
        match self {
            Self::Ready(own) => *chunk = own,
            Self::Given(given) => given.into(chunk),
        }
    }

    fn samples(self) -> Samples<'static> {
        match self {
            Self::Ready(chunk) => Samples::Decoded(chunk),
            Self::Given(given) => Samples::Encoded(Box::new(move |chunk| {
                given.into(chunk);
                Ok(())
            })),
        }
    }
}

impl Group {
    fn read(
        &mut self,
        store: &Store<'_>,
        (times, before_ms): ((i64, i64), i64),
        reading: Reading,
    ) -> Result<Read, QueryError> {
        self.ids.sort_unstable();
        let mut metrics: Vec<&str> = self.metrics.iter().map(AsRef::as_ref).collect();
        metrics.sort_unstable();
        let sought = store.sought(&metrics, &self.ids, times, reading);
        let memory = Memory::new(&store.session.control().pool, "Series");
        let mut points = Points::new(&sought, memory);
        if matches!(self.part, Part::Own | Part::Value) {
            points.read_samples(&store.samples, &store.downsampled, &sought)?;
        }
        if self.part != Part::Value {
            let delta = |id: &SeriesId| self.delta.contains_key(id);
            let reading = reading.of_part(self.part);
            let sought = Sought { times_ms: (times.0.saturating_sub(before_ms), times.1), reading, ..sought };
            let tables = (&store.histograms, &store.downsampled_histograms);
            points.read_histograms(tables, &sought, self.part, &delta)?;
        }
        Ok(points.finish())
    }
}

impl<'a> Iterator for Selected<'a, '_> {
    type Item = Result<(Labels, Samples<'a>), SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (labels, origin) = self.series.next()?;
            match self.samples(&labels, origin) {
                Ok(None) => {}
                Ok(Some(samples)) => return Some(Ok((labels, samples))),
                Err(error) => return Some(Err(self.store.failed(error))),
            }
        }
    }
}
