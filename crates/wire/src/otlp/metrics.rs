//! `ExportMetricsServiceRequest` into points and the series that they belong to.
//!
//! - A point flagged "no recorded value" is stored with its flags; its value is Prometheus' marker
//!   of staleness, which is a NaN.
//! - A metric without a name, or of a delta-or-cumulative kind that says neither, has all its points
//!   rejected. A metric whose data is of an unknown kind counts as one record, which is rejected;
//!   one with no data at all has no records.
//! - Histograms with explicit bounds: `schema` is -53, `custom_bounds` are the bounds, and bucket `i`
//!   holds what is above bound `i - 1` and not above bound `i`; the last one has no upper bound.
//! - Exponential histograms: `schema` is OTLP's scale and bucket `i` holds what is above `base^i` and
//!   not above `base^(i+1)`, where `base` is `2^(2^-scale)`. This is OTLP's index; Prometheus' for
//!   the same bucket is greater by one.
//! - In both, a bucket's index is the sum of the offsets and lengths of the spans before it. Empty
//!   buckets are in no span.

mod buckets;
mod exemplars;
mod histograms;
mod samples;
mod series;
mod sets;

use model::Batch;

use super::stream::{self, Records, Stream};
use super::{Stop, attribute};
use crate::columns::{Attributes, NotUtf8, Rest};
use crate::judge::{Context, Decide, Decoded, Judge, Reason};
use crate::points::{Exemplars, Samples, words};
use crate::proto::{Known, Malformed, Parts, Reader, Refused};
use histograms::Histograms;
use samples::Plain;
use series::{Owner, Series};
use sets::{Run, Sets};

const METRIC: Known = Known::new("Metric", &[1, 2, 3, 5, 7, 9, 10, 11, 12]);

/// Decodes a request.
///
/// # Errors
/// [`Malformed`] when it is not such a request; nothing of it is accepted.
pub fn decode(body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    super::run(body, context, decode_once)
}

fn decode_once(body: &[u8], mut judge: Judge<'_>) -> Result<Decoded, Stop> {
    let mut metrics = Metrics { sets: Sets::take(&judge.limits), ..Metrics::default() };
    let streams = stream::walk(body, &mut metrics, &mut judge);
    metrics.sets.keep();
    let streams = streams?;
    let (received, rejected) = judge.finish();
    let batch = Batch::Metrics(model::Metrics {
        streams,
        series: metrics.series.finish()?,
        samples: metrics.samples.finish(),
        histograms: metrics.histograms.rows.finish(),
        exemplars: metrics.exemplars.finish()?,
    });
    Ok(Decoded { batch, received, rejected })
}

/// What a metric's data can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
}

impl Kind {
    /// The word in the column `kind`.
    fn word(self) -> Reader<'static> {
        let (word, length) = match self {
            Self::Gauge => &words::GAUGE,
            Self::Sum => &words::SUM,
            Self::Histogram => &words::HISTOGRAM,
            Self::ExponentialHistogram => &words::EXPONENTIAL_HISTOGRAM,
            Self::Summary => &words::SUMMARY,
        };
        Reader::start(word, *length)
    }

    fn known(self) -> Known {
        match self {
            Self::Gauge => Known::new("Gauge", &[1]),
            Self::Sum => Known::new("Sum", &[1, 2, 3]),
            Self::Histogram => Known::new("Histogram", &[1, 2]),
            Self::ExponentialHistogram => Known::new("ExponentialHistogram", &[1, 2]),
            Self::Summary => Known::new("Summary", &[1]),
        }
    }

    /// The key of the attributes of its points.
    #[inline(always)]
    fn attributes_tag(self) -> u8 {
        match self {
            Self::Gauge | Self::Sum | Self::Summary => 0x3a,
            Self::Histogram => 0x4a,
            Self::ExponentialHistogram => 0x0a,
        }
    }

    fn has_temporality(self) -> bool {
        !matches!(self, Self::Gauge | Self::Summary)
    }
}

/// A `Metric` without its points.
struct Metric<'a> {
    name: Reader<'a>,
    description: Reader<'a>,
    unit: Reader<'a>,
    data: Option<(Kind, Parts<'a>)>,
    /// Number of a field that may be data of a kind that is not known.
    unknown: Option<u32>,
}

/// What the points of a metric share besides its texts.
#[derive(Clone, Copy, Default)]
struct Data {
    points: usize,
    temporality: u32,
    is_monotonic: bool,
}

/// All tables of the signal.
#[derive(Default)]
struct Metrics {
    series: Series,
    samples: Samples,
    histograms: Histograms,
    exemplars: Exemplars,
    sets: Sets,
}

/// The fields that every point has.
#[derive(Clone, Copy, Default)]
struct Head {
    time: u64,
    start_time: u64,
    flags: u32,
}

impl Head {
    fn has_no_recorded_value(self) -> bool {
        self.flags & 1 == 1
    }
}

impl Records for Metrics {
    const ENVELOPE: [Known; 3] = [
        Known::new("ExportMetricsServiceRequest", &[1]),
        Known::new("ResourceMetrics", &[1, 2, 3]),
        Known::new("ScopeMetrics", &[1, 2, 3]),
    ];

    const SAMPLE: usize = 4;

    fn expect(&mut self, _metrics: usize, _judge: &Judge<'_>) -> Result<(), Refused> {
        // How many points there are is seen metric by metric.
        Ok(())
    }

    fn expect_like(&mut self, rest: Rest) {
        let expected = |points: usize| {
            let records = points.saturating_mul(rest.records) / rest.sample.max(1);
            // No point has fewer bytes.
            Rest { records: records.min(rest.bytes / 2), ..rest }
        };
        self.series.expect(expected(self.series.rows()));
        self.samples.expect(expected(self.samples.points.rows()).records);
        self.histograms.rows.expect(expected(self.histograms.rows.points.rows()).records);
    }

    fn read(&mut self, stream: &Stream, record: Reader<'_>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        let metric = Metric::read(record)?;
        let Some((kind, parts)) = &metric.data else {
            reject_unknown(&metric, judge);
            return Ok(());
        };
        self.data(stream, &metric, *kind, parts, judge)
    }

    fn rows(&self) -> usize {
        // Only series refer to streams.
        self.series.rows()
    }
}

impl Metrics {
    /// Reads the points of a metric.
    fn data(
        &mut self,
        stream: &Stream,
        metric: &Metric<'_>,
        kind: Kind,
        parts: &Parts<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        let data = Data::read(kind, parts)?;
        if data.points == 0 {
            return Ok(());
        }
        judge.expect(data.points)?;
        let ((), before) = judge.share(|judge| {
            if metric.name.is_empty() {
                judge.reject(Reason::EmptyMetricName, 0);
            }
            if kind.has_temporality() && !matches!(data.temporality, 1 | 2) {
                judge.reject(Reason::UnspecifiedTemporality, u64::from(data.temporality));
            }
            Ok(())
        })?;
        let owner = self.series.begin(stream, metric, kind, data, &mut self.sets);
        self.expect_points(kind, data.points);
        let is_plain = matches!(kind, Kind::Gauge | Kind::Sum) && judge.is_lenient();
        for part in parts.each() {
            let mut fields = *part;
            while fields.more()? {
                match fields.key() {
                    0x0a => {
                        let point = fields.field();
                        if !(is_plain && self.plain_point(&owner, point, judge)) {
                            self.point(&owner, point, judge)?;
                        }
                    }
                    0x10 | 0x18 => drop(fields.varint()),
                    key => fields.unknown(key, &kind.known())?,
                }
            }
        }
        self.series.share(&owner, &self.sets);
        judge.unshare(before);
        Ok(())
    }

    fn expect_points(&mut self, kind: Kind, points: usize) {
        match kind {
            Kind::Gauge | Kind::Sum => self.samples.expect(points),
            _ => self.histograms.rows.expect(points),
        }
    }

    /// Reads a number point whose attributes are the set that is expected next; false, and nothing is
    /// done, if it is not such a point. There is nothing that such a point could be rejected for.
    #[inline(always)]
    fn plain_point(&mut self, owner: &Owner<'_>, message: Reader<'_>, judge: &mut Judge<'_>) -> bool {
        if self.series.is_by_set()
            && let Some(point) = Plain::read(message.bytes())
            && judge.is_timely(point.time)
            && let Some(set) = self.sets.expected(point.attributes)
        {
            judge.accept_plain();
            let series = self.series.resolve_set(owner, set, point.time, &mut self.sets);
            self.samples.push_plain(&point, series);
            self.series.seen(series, point.time);
            true
        } else {
            false
        }
    }

    #[inline(always)]
    fn point(
        &mut self,
        owner: &Owner<'_>,
        message: Reader<'_>,
        judge: &mut Judge<'_>,
    ) -> Result<(), Refused> {
        if !judge.begin() {
            return Ok(());
        }
        let sets = &mut self.sets;
        let rows = (self.series.rows(), self.samples.points.rows(), self.histograms.rows.points.rows());
        let exemplars = self.exemplars.rows();
        let mut attributes = Run::default();
        let (head, points) = match owner.kind {
            Kind::Gauge | Kind::Sum => {
                let head = self.samples.read(message, &mut attributes, sets, &mut self.exemplars, judge)?;
                (head, &mut self.samples.points)
            }
            kind => {
                let head =
                    self.histograms.read(kind, message, &mut attributes, sets, &mut self.exemplars, judge)?;
                (head, &mut self.histograms.rows.points)
            }
        };
        let time = match judge.time(head.time) {
            0 => judge.received_unix_nano,
            time => time,
        };
        judge.check_timely(time);
        let start_time = judge.time(head.start_time);
        let series = self.series.resolve(owner, &attributes, time, judge, sets)?;
        points.push(series, time, start_time, head.flags);
        self.exemplars.end_point(series, time, judge);
        if judge.accept(|| self.check_tail(owner)) {
            self.series.seen(series, time);
        } else {
            self.series.truncate(rows.0, owner, &mut self.sets);
            self.samples.truncate(rows.1);
            self.histograms.rows.truncate(rows.2);
            self.exemplars.truncate(exemplars);
        }
        Ok(())
    }

    fn check_tail(&mut self, owner: &Owner<'_>) -> Result<(), NotUtf8> {
        let exemplars = self.exemplars.check_tail();
        self.series.check_tail(owner, &self.sets).and(exemplars)
    }
}

impl<'a> Metric<'a> {
    fn read(message: Reader<'a>) -> Result<Self, Refused> {
        let mut metric = Self {
            name: Reader::EMPTY,
            description: Reader::EMPTY,
            unit: Reader::EMPTY,
            data: None,
            unknown: None,
        };
        let mut fields = message;
        while fields.more()? {
            match fields.key() {
                0x0a => metric.name = fields.field(),
                0x12 => metric.description = fields.field(),
                0x1a => metric.unit = fields.field(),
                0x2a => metric.replace(Kind::Gauge, fields.field())?,
                0x3a => metric.replace(Kind::Sum, fields.field())?,
                0x4a => metric.replace(Kind::Histogram, fields.field())?,
                0x52 => metric.replace(Kind::ExponentialHistogram, fields.field())?,
                0x5a => metric.replace(Kind::Summary, fields.field())?,
                0x62 => check_metadata(fields.field())?,
                key => {
                    fields.unknown(key, &METRIC)?;
                    if key & 7 == 2 {
                        metric.unknown = u32::try_from(key >> 3).ok();
                    }
                }
            }
        }
        Ok(metric)
    }

    /// Takes data: with data of the same kind it is merged, data of another kind it replaces.
    fn replace(&mut self, kind: Kind, part: Reader<'a>) -> Result<(), Refused> {
        match &mut self.data {
            Some((before, parts)) if *before == kind => parts.push(part),
            Some((before, parts)) => {
                let (before, parts) = (*before, std::mem::take(parts));
                self.check_replaced(before, &parts)?;
                self.data = Some((kind, Parts::One(part)));
            }
            None => self.data = Some((kind, Parts::One(part))),
        }
        Ok(())
    }

    /// Data that other data replaces only has to be well-formed: nobody keeps what is read.
    #[cold]
    fn check_replaced(&self, kind: Kind, parts: &Parts<'_>) -> Result<(), Refused> {
        Metrics::default().data(&Stream::default(), self, kind, parts, &mut nobody())
    }
}

impl Data {
    fn read(kind: Kind, parts: &Parts<'_>) -> Result<Self, Refused> {
        let mut data = Self::default();
        for part in parts.each() {
            let mut fields = *part;
            while fields.more()? {
                match fields.key() {
                    0x0a => {
                        fields.field();
                        data.points += 1;
                    }
                    0x10 if kind.has_temporality() => data.temporality = fields.varint32(),
                    0x18 if kind == Kind::Sum => data.is_monotonic = fields.varint() != 0,
                    key => fields.unknown(key, &kind.known())?,
                }
            }
        }
        Ok(data)
    }
}

/// A metric of no known kind is one record that is rejected.
fn reject_unknown(metric: &Metric<'_>, judge: &mut Judge<'_>) {
    if let Some(field) = metric.unknown
        && judge.begin()
    {
        judge.reject(Reason::UnknownMetricKind, u64::from(field));
        judge.accept(|| Ok(()));
    }
}

/// Metadata has no column; it only has to be well-formed.
#[cold]
fn check_metadata(message: Reader<'_>) -> Result<(), Refused> {
    attribute::read_any(&mut Attributes::default(), message, &mut nobody())
}

/// A judge of what is not kept.
fn nobody() -> Judge<'static> {
    Judge::new(&Context { received_unix_nano: 0, decide: Decide::Recorded(&[]) }, false)
}
