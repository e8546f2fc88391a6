use std::borrow::Cow;

use model::Batch;

use super::{Entry, Exemplar, Format, Labels, Lines, Sample, labels, normalize};
use crate::judge::{Context, Decoded, Judge, Reason};
use crate::prometheus::about::{About, Kind};
use crate::prometheus::labels::put_label;
use crate::prometheus::write::Write;
use crate::prometheus::{Version, within};
use crate::proto::{Malformed, Refused, Writer};

/// What a metric's name is followed by in the names of its series.
const SUFFIXES: [&str; 8] = ["", "_total", "_bucket", "_sum", "_count", "_created", "_info", "_gsum"];

/// Decodes a push. A line that cannot be read is a record that is rejected.
///
/// # Errors
/// [`Malformed`] when the body is not whole, or larger than any may be; nothing of it is accepted.
pub fn decode(format: Format, body: &[u8], context: &Context<'_>) -> Result<Decoded, Malformed> {
    within(body.len())?;
    let mut judge = Judge::new(context, false);
    let mut push = Push {
        write: Write::begin(Version::V1, &judge.limits),
        received_ms: context.received_unix_nano.div_euclid(1_000_000),
        described: Described::default(),
        labels: Vec::new(),
        series: Vec::new(),
    };
    let walked = push.walk(Lines::new(format, body), &mut judge);
    push.write.end();
    walked.map_err(|refused| *refused)?;
    let (metrics, besides) = push.write.finish();
    let (items, rejected) = judge.finish();
    Ok(Decoded { batch: Batch::Metrics(metrics), received: items - besides, rejected })
}

struct Push<'a> {
    write: Write,
    received_ms: i64,
    /// The metric that was described last; its samples follow.
    described: Described<'a>,
    labels: Labels<'a>,
    /// Labels as remote write has them.
    series: Vec<u8>,
}

/// What was told of a metric.
#[derive(Default)]
struct Described<'a> {
    metric: Cow<'a, str>,
    help: Cow<'a, str>,
    unit: Cow<'a, str>,
    kind: Kind,
}

impl<'a> Described<'a> {
    /// The same, or a new one where another metric is described.
    fn of(&mut self, metric: Cow<'a, str>) -> &mut Self {
        if self.metric != metric {
            *self = Self { metric, ..Self::default() };
        }
        self
    }

    /// What is known of a series.
    fn about(&self, name: &str) -> About<'_> {
        if self.metric.is_empty() || !is_of(name, &self.metric) {
            return About::default();
        }
        About { kind: self.kind, help: &self.help, unit: &self.unit }
    }
}

impl<'a> Push<'a> {
    fn walk(&mut self, lines: Lines<'a>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        for line in lines {
            match line {
                Ok(Entry::Help { metric, text }) => self.described.of(metric).help = text,
                Ok(Entry::Type { metric, kind }) => self.described.of(metric).kind = Kind::of_word(kind),
                Ok(Entry::Unit { metric, unit }) => self.described.of(metric).unit = unit.into(),
                Ok(Entry::Sample(sample)) => self.sample(&sample, judge)?,
                Err(fault) if fault.wrong.is_of_all() => {
                    return Err(Malformed::Exposition(fault.to_string()).into());
                }
                Err(fault) => refuse(fault.wrong, fault.line, judge)?,
            }
        }
        Ok(())
    }

    fn sample(&mut self, sample: &Sample<'a>, judge: &mut Judge<'_>) -> Result<(), Refused> {
        if let Err(wrong) = labels(sample.series, &mut self.labels) {
            return refuse(wrong, sample.line, judge);
        }
        let name = self.labels.iter().find(|(name, _)| name == "__name__").map(|(_, value)| &**value);
        let about = self.described.about(name.unwrap_or_default());
        normalize(about.kind, &mut self.labels);
        self.series.clear();
        for (name, value) in &self.labels {
            put_label(&mut self.series, name.as_bytes(), value.as_bytes());
        }
        let time_ms = sample.time_ms.unwrap_or(self.received_ms);
        let exemplar = match sample.exemplar.map(|exemplar| self.exemplar(&exemplar, time_ms)) {
            None => None,
            Some(Ok(message)) => Some(message),
            Some(Err(wrong)) => return refuse(wrong, sample.line, judge),
        };
        self.write.line(&self.series, about.into(), (sample.value, time_ms), exemplar.as_deref(), judge)
    }

    /// An exemplar as remote write has it. The labels of its sample are read already.
    fn exemplar(&self, exemplar: &Exemplar<'a>, time_ms: i64) -> Result<Vec<u8>, super::Wrong> {
        let mut own = Vec::new();
        labels(exemplar.labels, &mut own)?;
        let mut message = Vec::new();
        own.iter().for_each(|(name, value)| put_label(&mut message, name.as_bytes(), value.as_bytes()));
        let mut writer = Writer::default();
        writer.raw(&message);
        writer.fixed64(2, exemplar.value.to_bits());
        writer.varint(3, exemplar.time_ms.unwrap_or(time_ms).cast_unsigned());
        Ok(writer.finish())
    }
}

/// Whether a series of this name belongs to the metric that `# HELP` names.
pub fn is_of(name: &str, metric: &str) -> bool {
    name.strip_prefix(metric).is_some_and(|suffix| suffix == "_gcount" || SUFFIXES.contains(&suffix))
}

fn refuse(wrong: super::Wrong, line: u32, judge: &mut Judge<'_>) -> Result<(), Refused> {
    judge.expect(1)?;
    if judge.begin() {
        judge.reject(Reason::MalformedLine(wrong), line.into());
        judge.accept(|| Ok(()));
    }
    Ok(())
}
