//! What was scraped of one target: from its text to the samples that are stored.
//!
//! Enters: a body, the target's labels and its job's rules. Leaves: the samples of a request, the
//! markers of staleness of series that are gone among them. Must hold: what a scrape finds counts
//! only once it is stored ([`Series::commit`]); what is kept between scrapes is as large as a scrape.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use wire::prometheus::exposition::{self, Entry, Exemplar, Format, Lines, Sample};
use wire::prometheus::{About, Kind, Point, RequestWriter, Value};
use xxhash_rust::xxh3::xxh3_128;

use super::labels::{Labels, parts};
use super::relabel::{Rule, relabel};

/// Prometheus' marker of staleness, as a NaN's bits.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// Bytes that a series takes besides its text and its labels.
const BESIDES: usize = 200;
/// Texts that scrapes which fail may add.
const SPARE: usize = 1000;

const METRIC_NAME: &str = "__name__";
const EXPORTED: &str = "exported_";

/// Bounds on what a scrape may bring; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) samples: u64,
    pub(super) labels: u64,
    pub(super) name_bytes: u64,
    pub(super) value_bytes: u64,
}

/// How what is scraped becomes series.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) honor_labels: bool,
    pub(super) honor_timestamps: bool,
    pub(super) track_timestamps: bool,
    pub(super) relabel: Vec<Rule>,
    pub(super) limits: Limits,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exposed {
    /// Text.
    Lines(Format),
    /// Messages with their lengths.
    Protobuf,
}

/// How much a scrape brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) scraped: u64,
    pub(super) kept: u64,
    pub(super) added: u64,
    /// Series that were written twice; the first counts.
    pub(super) duplicates: u64,
}

/// What a target told of a metric.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata {
    /// `counter` and so on; `unknown` where it was not told.
    pub kind: String,
    /// A sentence.
    pub help: String,
    /// As its name ends.
    pub unit: String,
}

/// The series of a target between scrapes.
#[derive(Default)]
pub(super) struct Series {
    /// By how they are written, so that labels are made once.
    written: HashMap<Box<str>, Written>,
    /// Those that are marked when they are gone, by a hash of their labels.
    live: HashMap<u128, Live>,
    metadata: Arc<BTreeMap<String, Metadata>>,
    exemplars: RandomState,
    round: u64,
    /// Texts after the last scrape that was well.
    known: usize,
    bytes: usize,
}

struct Written {
    /// None for those that rules drop.
    labels: Option<(u128, Arc<[u8]>)>,
    round: u64,
    /// A hash of its last exemplar, which is exposed until there is another one.
    exemplar: u64,
}

struct Live {
    labels: Arc<[u8]>,
    /// The rounds when it was found first and last.
    born: u64,
    seen: u64,
}

/// A scrape while it is read.
struct Round<'a> {
    rules: &'a Rules,
    target: &'a Labels,
    time_ms: i64,
    counts: Counts,
    metadata: BTreeMap<String, Metadata>,
    /// The metric that was described last.
    described: String,
}

impl Series {
    /// Bytes that it holds, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What the last scrape told of its metrics.
    pub(super) fn metadata(&self) -> Arc<BTreeMap<String, Metadata>> {
        Arc::clone(&self.metadata)
    }

    /// Begins a scrape, which then is read, or fails, or first the one and then the other.
    pub(super) fn begin(&mut self) {
        self.round += 1;
    }

    /// Reads a body into a request: its samples, and the markers of those that are gone.
    ///
    /// # Errors
    /// What is wrong with the scrape as a whole. Nothing of the request counts then:
    /// [`Series::fail`] begins another one.
    pub(super) fn read(
        &mut self,
        (format, body): (Exposed, &[u8]),
        rules: &Rules,
        target: &Labels,
        time_ms: i64,
    ) -> Result<(RequestWriter, Counts), (Counts, String)> {
        let (counts, metadata) = (Counts::default(), BTreeMap::new());
        let mut round = Round { rules, target, time_ms, counts, metadata, described: String::new() };
        let mut request = RequestWriter::new();
        let mut take = |entry: Entry<'_>| match entry {
            Entry::Sample(sample) => self.sample(&sample, &mut round, &mut request),
            entry => {
                round.describe(entry);
                Ok(())
            }
        };
        let read = match format {
            Exposed::Protobuf => exposition::families(body, &mut take),
            Exposed::Lines(format) => Lines::new(format, body)
                .try_for_each(|line| line.map_err(|fault| fault.to_string()).and_then(&mut take)),
        };
        read.map_err(|reason| (round.counts, reason))?;
        let limit = rules.limits.samples;
        if limit > 0 && round.counts.kept > limit {
            return Err((
                round.counts,
                format!("sample_limit of {limit} exceeded: {} samples", round.counts.kept),
            ));
        }
        for live in self.live.values().filter(|live| live.seen < self.round) {
            request.sample(parts(&live.labels), About::default(), (f64::from_bits(STALE), time_ms), None);
        }
        self.metadata = Arc::new(round.metadata);
        Ok((request, round.counts))
    }

    /// Begins the request of a scrape that failed: all series are gone.
    pub(super) fn fail(&mut self, time_ms: i64) -> RequestWriter {
        // What only the scrape that failed had was never stored.
        let failed = self.round;
        self.live.retain(|_, live| live.born < failed);
        let mut request = RequestWriter::new();
        for live in self.live.values() {
            request.sample(parts(&live.labels), About::default(), (f64::from_bits(STALE), time_ms), None);
        }
        request
    }

    /// The request was stored; what is gone is forgotten.
    pub(super) fn commit(&mut self, failed: bool) {
        let round = self.round;
        if failed {
            self.live.clear();
        } else {
            self.live.retain(|_, live| live.seen == round);
        }
        // A target that fails for a while is known when it comes back, as in Prometheus; one that
        // exposes something else at every failure is not.
        if !failed || self.written.len() > self.known * 2 + SPARE {
            self.written.retain(|_, written| written.round == round);
            self.known = self.written.len();
        }
        self.live.shrink_to(self.live.len() * 2);
        self.written.shrink_to(self.written.len() * 2);
        self.bytes = self.written.iter().map(|(text, written)| size(text, written)).sum();
    }

    /// Forgets how series are written; what is marked when it is gone stays.
    pub(super) fn forget_text(&mut self) {
        self.written = HashMap::new();
        self.bytes = self.live.values().map(|live| live.labels.len() + BESIDES).sum();
    }

    fn sample(
        &mut self,
        sample: &Sample<'_>,
        round: &mut Round<'_>,
        request: &mut RequestWriter,
    ) -> Result<(), String> {
        round.counts.scraped += 1;
        if !self.written.contains_key(sample.series) {
            let labels = round.labels(sample)?;
            let labels = labels.map(|labels| {
                let flat: Arc<[u8]> = labels.flat().into();
                round.counts.added += 1;
                (xxh3_128(&flat), flat)
            });
            let written = Written { labels, round: 0, exemplar: 0 };
            self.bytes += size(sample.series, &written);
            self.written.insert(sample.series.into(), written);
        }
        let Some(written) = self.written.get_mut(sample.series) else { return Ok(()) };
        written.round = self.round;
        let Some((id, labels)) = &written.labels else { return Ok(()) };
        let own_time = sample.time_ms.filter(|_| round.rules.honor_timestamps);
        if own_time.is_none() || round.rules.track_timestamps {
            let live = self.live.entry(*id).or_insert_with(|| Live {
                labels: Arc::clone(labels),
                born: self.round,
                seen: 0,
            });
            if live.seen == self.round && own_time.is_none() {
                round.counts.duplicates += 1;
                return Ok(());
            }
            live.seen = self.round;
        }
        round.counts.kept += 1;
        let mut own = exposition::Labels::new();
        let exemplar = match &sample.exemplar {
            Some(exemplar) => {
                let hash =
                    self.exemplars.hash_one((exemplar.labels, exemplar.value.to_bits(), exemplar.time_ms));
                let is_new = std::mem::replace(&mut written.exemplar, hash) != hash;
                exposition::labels(exemplar.labels, &mut own)
                    .map_err(|wrong| format!("line {}: {wrong}", sample.line))?;
                is_new.then_some(exemplar)
            }
            None => None,
        };
        let own: Vec<_> = own.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let exemplar = exemplar
            .map(|Exemplar { value, time_ms, .. }| (&own[..], *value, time_ms.unwrap_or(round.time_ms)));
        let point = Point {
            value: sample.histogram.map_or(Value::Number(sample.value), Value::Histogram),
            time_ms: own_time.unwrap_or(round.time_ms),
            start_ms: sample.start_ms.unwrap_or(0),
        };
        request.sample(parts(labels), round.about(sample.series), point, exemplar);
        Ok(())
    }
}

fn size(text: &str, written: &Written) -> usize {
    text.len() + written.labels.as_ref().map_or(0, |(_, labels)| labels.len()) + BESIDES
}

impl Round<'_> {
    fn describe(&mut self, entry: Entry<'_>) {
        let of = |all: &mut BTreeMap<String, Metadata>, metric: &str| -> Metadata {
            let unknown = || Metadata { kind: "unknown".into(), ..Metadata::default() };
            all.remove(metric).unwrap_or_else(unknown)
        };
        let (metric, metadata) = match entry {
            Entry::Help { metric, text } => {
                let known = of(&mut self.metadata, &metric);
                (metric, Metadata { help: text.into_owned(), ..known })
            }
            Entry::Type { metric, kind } => {
                let known = of(&mut self.metadata, &metric);
                (metric, Metadata { kind: kind.to_owned(), ..known })
            }
            Entry::Unit { metric, unit } => {
                let known = of(&mut self.metadata, &metric);
                (metric, Metadata { unit: unit.to_owned(), ..known })
            }
            Entry::Sample(_) => return,
        };
        self.described = metric.into_owned();
        self.metadata.insert(self.described.clone(), metadata);
    }

    /// What is known of the series' metric, where it is the one described last.
    fn about(&self, series: &str) -> About<'_> {
        let (quoted, ends) = match series.strip_prefix("{\"") {
            Some(quoted) => (quoted, &['"'][..]),
            None => (series, &['{', ' ', '\t'][..]),
        };
        let name = quoted.split(ends).next().unwrap_or_default();
        let described =
            self.metadata.get(&self.described).filter(|_| exposition::is_of(name, &self.described));
        described.map_or_else(About::default, |Metadata { kind, help, unit }| About {
            kind: Kind::of_word(kind),
            help,
            unit,
        })
    }

    /// The labels of a series as it is stored; none where a rule drops it.
    fn labels(&self, sample: &Sample<'_>) -> Result<Option<Labels>, String> {
        let at_line = |reason: &dyn std::fmt::Display| format!("line {}: {reason}", sample.line);
        let mut read = exposition::Labels::new();
        exposition::labels(sample.series, &mut read).map_err(|wrong| at_line(&wrong))?;
        for (index, (name, _)) in read.iter().enumerate() {
            if read[..index].iter().any(|(other, _)| other == name) {
                return Err(at_line(&format!("the label `{name}` is written twice")));
            }
        }
        exposition::normalize(self.about(sample.series).kind, &mut read);
        let mut labels: Labels = read.into_iter().collect();
        for (name, value) in self.target.iter() {
            if self.rules.honor_labels {
                labels.default_to(name, value);
                continue;
            }
            let theirs = labels.get(name).to_owned();
            if !theirs.is_empty() {
                let mut exported = format!("{EXPORTED}{name}");
                while !labels.get(&exported).is_empty() || !self.target.get(&exported).is_empty() {
                    exported.insert_str(0, EXPORTED);
                }
                labels.set(&exported, theirs);
            }
            labels.set(name, value);
        }
        if !relabel(&mut labels, &self.rules.relabel) || labels.is_empty() {
            return Ok(None);
        }
        if labels.get(METRIC_NAME).is_empty() {
            return Err(at_line(&"the series has no name (`__name__`)"));
        }
        self.rules.limits.check(&labels).map_err(|reason| at_line(&reason))?;
        Ok(Some(labels))
    }
}

impl Limits {
    fn check(&self, labels: &Labels) -> Result<(), String> {
        let over = |found: usize, limit: u64| limit > 0 && found as u64 > limit;
        let metric = labels.get(METRIC_NAME);
        if over(labels.len(), self.labels) {
            let (found, limit) = (labels.len(), self.labels);
            return Err(format!("label_limit of {limit} exceeded: {metric} has {found} labels"));
        }
        for (name, value) in labels.iter() {
            if over(name.len(), self.name_bytes) {
                let (found, limit) = (name.len(), self.name_bytes);
                return Err(format!(
                    "label_name_length_limit of {limit} exceeded: {metric} has a name of {found} bytes"
                ));
            }
            if over(value.len(), self.value_bytes) {
                let (found, limit) = (value.len(), self.value_bytes);
                return Err(format!(
                    "label_value_length_limit of {limit} exceeded: {metric} has a `{name}` of {found} bytes"
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
