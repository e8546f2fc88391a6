use model::Metrics;

use super::about::{Kind, Told};
use super::exemplars::Exemplars;
use super::histograms::Histograms;
use super::labels::{LABEL_TAG, Sets};
use super::series::Series;
use super::symbols::Symbols;
use super::{NOTHING, Version};
use crate::judge::{Judge, Limits, Reason};
use crate::points::{STALE, Samples};
use crate::proto::{Known, Reader, Refused};

const SERIES_V1: Known = Known::new("TimeSeries", &[1, 2, 3, 4]);
const SERIES_V2: Known = Known::new("TimeSeries", &[1, 2, 3, 4, 5, 6]);
const METADATA_V1: Known = Known::new("MetricMetadata", &[1, 2, 4, 5]);
const METADATA_V2: Known = Known::new("Metadata", &[1, 3, 4]);
const SAMPLE_V1: Known = Known::new("Sample", &[1, 2]);
const SAMPLE_V2: Known = Known::new("Sample", &[1, 2, 3]);
/// OpenTelemetry's flag of a point without a value.
const NO_RECORDED_VALUE: u32 = 1;

/// All tables of a request.
pub(super) struct Write {
    version: Version,
    series: Series,
    samples: Samples,
    histograms: Histograms,
    exemplars: Exemplars,
    sets: Sets,
    /// How often a metric was described apart from its series.
    metadata: u32,
}

/// A time series of version 2 without its labels, samples, histograms and exemplars.
#[derive(Default)]
struct Head {
    /// How many there are of the last three.
    items: usize,
    /// Start of the samples and histograms that have none of their own, in milliseconds.
    created: i64,
    kind: Kind,
    /// Symbol that says what the metric is; 0 for none.
    help: u32,
    /// Symbol of its unit; 0 for none.
    unit: u32,
}

/// What the items of a time series belong to.
#[derive(Clone, Copy)]
struct Owner<'a> {
    /// Its set of labels; none if it is not acceptable.
    set: Option<usize>,
    created: i64,
    told: Told<'a>,
}

/// A sample as it is sent.
#[derive(Clone, Copy, Default)]
struct Sample {
    value: f64,
    time_ms: i64,
    start_ms: i64,
}

impl Write {
    pub(super) fn begin(version: Version, limits: &Limits) -> Self {
        Self {
            version,
            series: Series::default(),
            samples: Samples::default(),
            histograms: Histograms::default(),
            exemplars: Exemplars::default(),
            sets: Sets::take(version, limits),
            metadata: 0,
        }
    }

    /// Ends the request, well-formed or not: what was learnt of its labels stays.
    pub(super) fn end(&mut self) {
        self.series.settle(&self.sets);
        self.sets.keep(self.version);
    }

    /// The tables of a request that was well-formed to its end, and how many items are in them that
    /// are no records.
    pub(super) fn finish(self) -> (Metrics, u32) {
        let (streams, series) = self.series.finish();
        let exemplars = self.exemplars.finish();
        let besides = u32::try_from(exemplars.num_rows()).unwrap_or(u32::MAX) + self.metadata;
        let samples = self.samples.finish();
        (Metrics { streams, series, samples, histograms: self.histograms.finish(), exemplars }, besides)
    }

    /// Reads a `TimeSeries` of version 1.
    #[inline(always)]
    pub(super) fn series_v1(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let mut rest = message;
        let expected = self.sets.expected(&mut rest);
        if let Some(set) = expected
            && judge.is_lenient()
            && let Some(sample) = Sample::only(rest.bytes())
            && let Some(time) = sample.time_ms.checked_mul(1_000_000)
            && judge.is_timely(time)
        {
            judge.expect(1)?;
            judge.accept_plain();
            let row = self.series.row(set, time, Told::NOTHING, &self.sets);
            self.push_sample(row, sample.value, time, 0);
            return Ok(());
        }
        self.any_series_v1(message, expected, judge)
    }

    /// Reads a `TimeSeries` of version 1 in any form.
    #[inline(never)]
    fn any_series_v1(
        &mut self,
        message: Reader<'_>,
        expected: Option<usize>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let (runs, items) = labels_v1(message)?;
        judge.expect(items)?;
        let (set, before) = judge.share(|judge| match (expected, runs.as_slice()) {
            (Some(set), [_]) => Ok(Some(set)),
            (_, [run]) => match self.sets.find(run.bytes()) {
                Some(set) => Ok(Some(set)),
                None => self.read_set(&runs, judge),
            },
            _ => self.read_set(&runs, judge),
        })?;
        let owner = Owner { set, created: 0, told: Told::NOTHING };
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x12 => self.sample(&owner, fields.field(), judge)?,
                0x1a => self.exemplar_v1(&owner, fields.field(), judge)?,
                0x22 => self.histogram(&owner, fields.field(), judge)?,
                0x0a => drop(fields.field()),
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        judge.unshare(before);
        Ok(())
    }

    /// Reads a `TimeSeries` of version 2.
    pub(super) fn series_v2(
        &mut self,
        message: Reader<'_>,
        symbols: &mut Symbols<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        symbols.restart();
        let head = Head::read(message, symbols)?;
        judge.expect(head.items)?;
        let (owner, before) = judge.share(|judge| {
            let mut text = |symbol| if symbol == 0 { Ok(Reader::EMPTY) } else { symbols.get(symbol, judge) };
            let told = Told { kind: head.kind, help: text(head.help)?, unit: text(head.unit)? };
            let labels = symbols.labels(judge)?;
            let set = match self.sets.find(labels) {
                Some(set) => Some(set),
                None => self.read_set(&[Reader::new(labels)], judge)?,
            };
            Ok(Owner { set, created: head.created, told })
        })?;
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x12 => self.sample(&owner, fields.field(), judge)?,
                0x1a => self.histogram(&owner, fields.field(), judge)?,
                0x22 => self.exemplar_v2(&owner, fields.field(), symbols, judge)?,
                0x0a | 0x2a => drop(fields.field()),
                key => fields.unknown(key, &NOTHING)?,
            }
        }
        judge.unshare(before);
        Ok(())
    }

    /// Reads a `MetricMetadata` of version 1: what a metric is, whose series come at other times.
    #[inline(never)]
    pub(super) fn metadata_v1(&mut self, message: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        judge.expect(1)?;
        if !judge.begin() {
            return Ok(());
        }
        let (mut name, mut told) = (Reader::EMPTY, Told::NOTHING);
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x08 => told.kind = Kind::of_number(fields.varint()),
                0x12 => name = fields.field(),
                0x22 => told.help = fields.field(),
                0x2a => told.unit = fields.field(),
                key => fields.unknown(key, &METADATA_V1)?,
            }
        }
        if name.is_empty() {
            judge.reject(Reason::EmptyMetricName, 0);
        }
        for text in [name, told.help, told.unit] {
            if text.len() > judge.limits.value_bytes_max {
                judge.reject(Reason::ValueTooLong, text.len() as u64);
            }
            if simdutf8::basic::from_utf8(text.bytes()).is_err() {
                judge.reject(Reason::InvalidUtf8, 0);
            }
        }
        if judge.accept(|| Ok(())) {
            self.series.describe(name, told, judge.received_unix_nano, &self.sets);
            self.metadata += 1;
        }
        Ok(())
    }

    /// Takes a sample that did not come as a `TimeSeries`: the labels of its series as the fields of
    /// version 1, what its metric is, value and time in milliseconds, and an `Exemplar` of version 1.
    pub(super) fn line(
        &mut self,
        labels: &[u8],
        told: Told<'_>,
        (value, time_ms): (f64, i64),
        exemplar: Option<&[u8]>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        judge.expect(1 + usize::from(exemplar.is_some()))?;
        let (set, before) = judge.share(|judge| match self.sets.find(labels) {
            Some(set) => Ok(Some(set)),
            None => self.read_set(&[Reader::new(labels)], judge),
        })?;
        let owner = Owner { set, created: 0, told };
        if judge.begin() {
            let time = point_time(time_ms, judge);
            if judge.accept(|| Ok(()))
                && let Some(row) = self.row(&owner, time)
            {
                self.push_sample(row, value, time, 0);
            }
        }
        if let Some(exemplar) = exemplar {
            self.exemplar_v1(&owner, Reader::new(exemplar), judge)?;
        }
        judge.unshare(before);
        Ok(())
    }

    fn read_set(&mut self, runs: &[Reader<'_>], judge: &mut Judge<'_>) -> Result<Option<usize>, Refused> {
        self.series.settle(&self.sets);
        self.sets.read(runs, judge)
    }

    #[inline(always)]
    fn push_sample(&mut self, series: u32, value: f64, time: i64, start_time: i64) {
        let flags = if value.to_bits() == STALE { NO_RECORDED_VALUE } else { 0 };
        self.samples.value.push(value);
        self.samples.points.push(series, time, start_time, flags);
    }

    #[inline(always)]
    fn sample(
        &mut self,
        owner: &Owner<'_>,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let sample = Sample::read(self.version, message)?;
        let time = point_time(sample.time_ms, judge);
        let start_time = owner.start(sample.start_ms, judge);
        if judge.accept(|| Ok(()))
            && let Some(row) = self.row(owner, time)
        {
            self.push_sample(row, sample.value, time, start_time);
        }
        Ok(())
    }

    fn histogram(
        &mut self,
        owner: &Owner<'_>,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let head = self.histograms.read(self.version, message)?;
        let time = point_time(head.time_ms, judge);
        let start_time = owner.start(head.start_ms, judge);
        self.histograms.judge(&head, judge);
        if judge.accept(|| Ok(()))
            && let Some(row) = self.row(owner, time)
        {
            let flags = if head.sum.to_bits() == STALE { NO_RECORDED_VALUE } else { 0 };
            self.histograms.rows.points.push(row, time, start_time, flags);
            self.histograms.push(&head);
        }
        Ok(())
    }

    fn exemplar_v1(
        &mut self,
        owner: &Owner<'_>,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let exemplar = self.exemplars.read_v1(message, judge)?;
        self.exemplar(owner, exemplar, judge);
        Ok(())
    }

    fn exemplar_v2(
        &mut self,
        owner: &Owner<'_>,
        message: Reader<'_>,
        symbols: &mut Symbols<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let exemplar = self.exemplars.read_v2(message, symbols, judge)?;
        self.exemplar(owner, exemplar, judge);
        Ok(())
    }

    /// Keeps the exemplar whose labels were read last, or takes it back.
    fn exemplar(&mut self, owner: &Owner<'_>, (value, time_ms): (f64, i64), judge: &mut Judge<'_>) {
        let time = point_time(time_ms, judge);
        if judge.accept(|| Ok(()))
            && let Some(row) = self.row(owner, time)
        {
            self.exemplars.push(row, value, time);
        } else {
            self.exemplars.take_back();
        }
    }

    /// The row of the series; there is one for everything that is accepted.
    #[inline(always)]
    fn row(&mut self, owner: &Owner<'_>, time: i64) -> Option<u32> {
        owner.set.map(|set| self.series.row(set, time, owner.told, &self.sets))
    }
}

impl Owner<'_> {
    /// The start of a sample or histogram in nanoseconds, 0 for none.
    #[inline(always)]
    fn start(&self, own_ms: i64, judge: &mut Judge<'_>) -> i64 {
        judge.milliseconds(if own_ms == 0 { self.created } else { own_ms })
    }
}

/// The time of a sample, histogram or exemplar in nanoseconds.
#[inline(always)]
fn point_time(time_ms: i64, judge: &mut Judge<'_>) -> i64 {
    let time = judge.milliseconds(time_ms);
    judge.check_timely(time);
    time
}

/// The labels of a `TimeSeries` of version 1, those that follow each other as one, and how many items
/// it has.
fn labels_v1(message: Reader<'_>) -> Result<(Vec<Reader<'_>>, usize), Refused> {
    let mut runs = Vec::new();
    let mut items = 0;
    let mut fields = message;
    while fields.more()? {
        let start = fields;
        match fields.key() {
            0x0a => {
                fields.field();
                while fields.take_key(LABEL_TAG) {
                    fields.field();
                }
                fields.more()?;
                runs.push(start.until(&fields));
            }
            0x12 | 0x1a | 0x22 => {
                fields.field();
                items += 1;
            }
            key => fields.unknown(key, &SERIES_V1)?,
        }
    }
    Ok((runs, items))
}

impl Head {
    /// Reads a `TimeSeries`; the references of its labels are left to `symbols`.
    fn read(message: Reader<'_>, symbols: &mut Symbols<'_>) -> Result<Self, Refused> {
        let mut head = Self::default();
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x0a => symbols.push_packed(fields.field())?,
                0x08 => symbols.push(fields.varint32()),
                0x12 | 0x1a | 0x22 => {
                    fields.field();
                    head.items += 1;
                }
                0x2a => head.read_metadata(fields.field())?,
                0x30 => head.created = fields.varint().cast_signed(),
                key => fields.unknown(key, &SERIES_V2)?,
            }
        }
        Ok(head)
    }

    /// Reads a `Metadata`, or merges it into what was read before.
    fn read_metadata(&mut self, message: Reader<'_>) -> Result<(), Refused> {
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x08 => self.kind = Kind::of_number(fields.varint()),
                0x18 => self.help = fields.varint32(),
                0x20 => self.unit = fields.varint32(),
                key => fields.unknown(key, &METADATA_V2)?,
            }
        }
        Ok(())
    }
}

impl Sample {
    /// The sample that is the only field of a series but for labels, as nearly all are written: value
    /// and time.
    #[inline(always)]
    fn only(rest: &[u8]) -> Option<Self> {
        let ([0x12, length, 0x09, v0, v1, v2, v3, v4, v5, v6, v7, 0x10], time) =
            rest.split_first_chunk::<12>()?
        else {
            return None;
        };
        // A time of this century has six bytes; none has ten that is not negative.
        if usize::from(*length) != 10 + time.len() || time.len() > 9 {
            return None;
        }
        let mut time_ms = 0;
        let (last, others) = time.split_last()?;
        for (shift, byte) in (0..).step_by(7).zip(time) {
            time_ms |= i64::from(byte & 0x7f) << shift;
        }
        let ends_here = *last < 0x80 && others.iter().all(|byte| *byte >= 0x80);
        let value = f64::from_le_bytes([*v0, *v1, *v2, *v3, *v4, *v5, *v6, *v7]);
        ends_here.then_some(Self { value, time_ms, start_ms: 0 })
    }

    #[inline(always)]
    fn read(version: Version, message: Reader<'_>) -> Result<Self, Refused> {
        let mut sample = Self::default();
        let mut fields = message;
        while fields.more()? {
            match (fields.key(), version) {
                (0x09, _) => sample.value = fields.double(),
                (0x10, _) => sample.time_ms = fields.varint().cast_signed(),
                (0x18, Version::V2) => sample.start_ms = fields.varint().cast_signed(),
                (key, Version::V1) => fields.unknown(key, &SAMPLE_V1)?,
                (key, Version::V2) => fields.unknown(key, &SAMPLE_V2)?,
            }
        }
        Ok(sample)
    }
}
