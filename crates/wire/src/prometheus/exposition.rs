//! What Prometheus' clients expose: the text format 0.0.4 and OpenMetrics 1.0, as targets are scraped
//! and as text is pushed.
//!
//! Enters: a body, uncompressed. Leaves: [`Lines`], one entry for each line, borrowed from the body;
//! or, with [`decode`], the columns that remote write gives for the same series.
//!
//! What a body means, besides what the formats say:
//! - What Prometheus takes, this takes: UTF-8 names in quotes (`{"http.requests", "the path"="/"}`),
//!   a comma after the last label, any order of metrics. `_created` is a series like every other.
//! - A sample without a time has that of the scrape, or when it was received.
//! - A NaN is Prometheus' usual one, whatever its spelling: no text can say that a series is stale.
//! - Bounds of histograms and quantiles of summaries are written as OpenMetrics has them (`le="1.0"`),
//!   where their type is told.
//! - OpenMetrics ends with `# EOF`; without it the body is not whole, and nothing of it is taken.
//! - A *record* of a push is a sample, an exemplar that is rejected, or a line that cannot be read.
//!   Type, unit and help of a metric are in the columns of its series, as for remote write.

mod bound;
mod cursor;
mod decode;
mod protobuf;
mod series;

use std::borrow::Cow;

use cursor::Cursor;

pub use bound::normalize;
pub use decode::{decode, is_of};
pub use protobuf::families;
pub use series::labels;

/// Which of the two formats a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Text,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry<'a> {
    /// `# HELP`.
    Help {
        /// Of which metric.
        metric: Cow<'a, str>,
        /// The sentence.
        text: Cow<'a, str>,
    },
    /// `# TYPE`.
    Type {
        /// Of which metric.
        metric: Cow<'a, str>,
        /// `counter`, `gauge` and so on; `untyped` is `unknown`.
        kind: &'a str,
    },
    /// `# UNIT`.
    Unit {
        /// Of which metric.
        metric: Cow<'a, str>,
        /// The unit, which the metric's name ends in.
        unit: &'a str,
    },
    /// A sample.
    Sample(Sample<'a>),
}

/// A sample as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// The line, from 1.
    pub line: u32,
    /// Name and labels as they are written; [`labels`] reads them.
    pub series: &'a str,
    /// Its value; of no meaning where there is a histogram.
    pub value: f64,
    /// A native histogram, as remote write has it but for its times.
    pub histogram: Option<&'a [u8]>,
    /// Milliseconds since 1970.
    pub time_ms: Option<i64>,
    /// When what the sample adds up began, in milliseconds since 1970.
    pub start_ms: Option<i64>,
    /// A measurement that stands for those in the sample.
    pub exemplar: Option<Exemplar<'a>>,
}

/// An exemplar as it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exemplar<'a> {
    /// Its labels with their braces; [`labels`] reads them.
    pub labels: &'a str,
    /// What was measured.
    pub value: f64,
    /// Milliseconds since 1970.
    pub time_ms: Option<i64>,
}

/// Labels of a series, its name among them as `__name__`, in the order they are written.
pub type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// A line that cannot be read, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct Fault {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is not UTF-8.
    #[error("it is not UTF-8")]
    Utf8,
    /// It has no metric's name.
    #[error("a metric's name is expected: letters, digits, `_` and `:`, or any text in quotes")]
    MetricName,
    /// It has two.
    #[error("it names its metric twice")]
    TwoNames,
    /// A label has no name.
    #[error("a label's name is expected: letters, digits and `_`, or any text in quotes")]
    LabelName,
    /// There is no `=` behind a label's name.
    #[error("`=` is expected after a label's name")]
    Equals,
    /// A value does not begin with a quote.
    #[error("a label's value must stand in double quotes")]
    Quote,
    /// A quote, or the braces, do not end.
    #[error("a quote or a brace does not end")]
    Open,
    /// Neither comma nor brace after a label.
    #[error("`,` or `}}` is expected after a label")]
    Comma,
    /// No number where the value is.
    #[error("the value is not a number")]
    Value,
    /// No time where the time is.
    #[error("the timestamp is not a number in range")]
    Timestamp,
    /// Something follows.
    #[error("something follows what the line should end with")]
    Trailing,
    /// Not one space where OpenMetrics has one.
    #[error("OpenMetrics has one space here")]
    Space,
    /// Not an exemplar.
    #[error("an exemplar is `# {{labels}} value` and perhaps a timestamp")]
    Exemplar,
    /// A comment, which OpenMetrics does not have, or an empty line.
    #[error("OpenMetrics has no lines but samples, `# HELP`, `# TYPE`, `# UNIT` and `# EOF`")]
    Comment,
    /// No type that there is.
    #[error("this type is not one of the format's")]
    Type,
    /// The name does not end in the unit.
    #[error("the metric's name does not end in its unit")]
    Unit,
    /// The body is not whole.
    #[error("the body ends without `# EOF`: it was cut off")]
    NoEnd,
    /// More comes after the end.
    #[error("more comes after `# EOF`")]
    AfterEnd,
}

impl Wrong {
    /// Whether it is the body that is wrong, not a line of it.
    fn is_of_all(self) -> bool {
        matches!(self, Self::NoEnd | Self::AfterEnd)
    }
}

/// Types of the text format, and those that OpenMetrics has besides.
const TYPES: [&str; 4] = ["counter", "gauge", "histogram", "summary"];
const TYPES_OPEN: [&str; 4] = ["gaugehistogram", "stateset", "info", "unknown"];
/// Prometheus' usual NaN: not the one that marks a stale series.
const NAN: u64 = 0x7ff8_0000_0000_0001;

/// The entries of a body, line by line. After a fault the next line is read.
#[derive(Clone, Debug)]
pub struct Lines<'a> {
    format: Format,
    rest: &'a [u8],
    line: u32,
    /// `# EOF` was read.
    whole: bool,
    /// Nothing more is given.
    done: bool,
}

impl<'a> Lines<'a> {
    /// The lines of `body`.
    pub fn new(format: Format, body: &'a [u8]) -> Self {
        Self { format, rest: body, line: 0, whole: false, done: false }
    }

    fn fault(&self, wrong: Wrong) -> Fault {
        Fault { line: self.line, wrong }
    }

    /// The next line, without what ends it.
    fn take_line(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.line = self.line.saturating_add(1);
        let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest.get(1..).unwrap_or_default();
        Some(line)
    }

    /// What may come after all lines.
    fn end(&mut self) -> Option<Fault> {
        let cut_off = self.format == Format::OpenMetrics && !self.whole && !self.done;
        self.done = true;
        cut_off.then(|| self.fault(Wrong::NoEnd))
    }

    /// What a line says; nothing for one that says nothing.
    fn read(&mut self, line: &'a [u8]) -> Result<Option<Entry<'a>>, Wrong> {
        let line = simdutf8::basic::from_utf8(line).map_err(|_| Wrong::Utf8)?;
        match self.format {
            Format::Text => {
                let line = line.trim_start_matches(BLANKS);
                match line.strip_prefix('#') {
                    _ if line.is_empty() => Ok(None),
                    Some(comment) => text_comment(comment),
                    None => text_sample(line, self.line).map(Some),
                }
            }
            Format::OpenMetrics if line == "# EOF" => {
                self.whole = true;
                Ok(None)
            }
            Format::OpenMetrics => match line.strip_prefix('#') {
                Some(comment) => open_comment(comment).map(Some),
                None if line.is_empty() => Err(Wrong::Comment),
                None => open_sample(line, self.line).map(Some),
            },
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Result<Entry<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Some(line) = self.take_line() else { return self.end().map(Err) };
            if self.whole {
                // One is enough: the rest belongs to nothing.
                self.rest = &[];
                self.done = true;
                return Some(Err(self.fault(Wrong::AfterEnd)));
            }
            match self.read(line) {
                Ok(None) => {}
                Ok(Some(entry)) => return Some(Ok(entry)),
                Err(wrong) => return Some(Err(self.fault(wrong))),
            }
        }
    }
}

const BLANKS: [char; 2] = [' ', '\t'];

/// `# HELP` and `# TYPE`; every other comment says nothing.
fn text_comment(comment: &str) -> Result<Option<Entry<'_>>, Wrong> {
    let words = comment.trim_start_matches(BLANKS);
    let (word, rest) = words.split_once(BLANKS).unwrap_or((words, ""));
    if words.len() == comment.len() || !matches!(word, "HELP" | "TYPE") {
        return Ok(None);
    }
    let mut cursor = Cursor::new(rest.trim_start_matches(BLANKS));
    let metric = cursor.metric_name()?;
    let rest = cursor.rest().trim_start_matches(BLANKS);
    if word == "HELP" {
        return Ok(Some(Entry::Help { metric, text: cursor::unescaped(rest, false) }));
    }
    let kind = match rest.trim_end_matches(BLANKS) {
        "untyped" => "unknown",
        kind if TYPES.contains(&kind) => kind,
        _ => return Err(Wrong::Type),
    };
    Ok(Some(Entry::Type { metric, kind }))
}

/// `# HELP`, `# TYPE` and `# UNIT`.
fn open_comment(comment: &str) -> Result<Entry<'_>, Wrong> {
    let words = comment.strip_prefix(' ').ok_or(Wrong::Comment)?;
    let (word, rest) = words.split_once(' ').ok_or(Wrong::Comment)?;
    if !matches!(word, "HELP" | "TYPE" | "UNIT") {
        return Err(Wrong::Comment);
    }
    let mut cursor = Cursor::new(rest);
    let metric = cursor.metric_name()?;
    let rest = match cursor.rest() {
        // The text may be empty.
        "" => "",
        rest => rest.strip_prefix(' ').ok_or(Wrong::Space)?,
    };
    match word {
        "HELP" => Ok(Entry::Help { metric, text: cursor::unescaped(rest, true) }),
        "TYPE" => {
            let known = TYPES.contains(&rest) || TYPES_OPEN.contains(&rest);
            if known { Ok(Entry::Type { metric, kind: rest }) } else { Err(Wrong::Type) }
        }
        _ if rest.is_empty() || metric.strip_suffix(rest).is_some_and(|name| name.ends_with('_')) => {
            Ok(Entry::Unit { metric, unit: rest })
        }
        _ => Err(Wrong::Unit),
    }
}

fn text_sample(line: &str, number: u32) -> Result<Entry<'_>, Wrong> {
    let (series, rest) = series::split(line)?;
    let mut words = rest.split(BLANKS).filter(|word| !word.is_empty());
    let value = words.next().and_then(number_of).ok_or(Wrong::Value)?;
    let time_ms = words.next().map(|word| word.parse().map_err(|_| Wrong::Timestamp)).transpose()?;
    if words.next().is_some() {
        return Err(Wrong::Trailing);
    }
    Ok(Entry::Sample(Sample {
        line: number,
        series,
        value,
        histogram: None,
        time_ms,
        start_ms: None,
        exemplar: None,
    }))
}

fn open_sample(line: &str, number: u32) -> Result<Entry<'_>, Wrong> {
    let (series, rest) = series::split(line)?;
    let rest = rest.strip_prefix(' ').ok_or(Wrong::Space)?;
    let (numbers, exemplar) = match rest.split_once(" # ") {
        Some((numbers, exemplar)) => (numbers, Some(open_exemplar(exemplar)?)),
        None => (rest, None),
    };
    let (value, time_ms) = value_and_time(numbers)?;
    Ok(Entry::Sample(Sample {
        line: number,
        series,
        value,
        histogram: None,
        time_ms,
        start_ms: None,
        exemplar,
    }))
}

fn open_exemplar(text: &str) -> Result<Exemplar<'_>, Wrong> {
    let (labels, rest) = series::split(text).map_err(|_| Wrong::Exemplar)?;
    if !labels.starts_with('{') {
        return Err(Wrong::Exemplar);
    }
    let (value, time_ms) = value_and_time(rest.strip_prefix(' ').ok_or(Wrong::Exemplar)?)?;
    Ok(Exemplar { labels, value, time_ms })
}

/// A value and perhaps a time in seconds, each behind one space.
fn value_and_time(text: &str) -> Result<(f64, Option<i64>), Wrong> {
    let (value, time) = match text.split_once(' ') {
        Some((value, time)) => (value, Some(time)),
        None => (text, None),
    };
    let time_ms = time.map(|time| milliseconds(time).ok_or(Wrong::Timestamp)).transpose()?;
    Ok((number_of(value).ok_or(Wrong::Value)?, time_ms))
}

fn milliseconds(seconds: &str) -> Option<i64> {
    let milliseconds = (number_of(seconds)? * 1000.0).trunc();
    // What is beyond is refused as a time out of range, not here.
    #[expect(clippy::cast_possible_truncation, reason = "within the bounds of the type")]
    (milliseconds.abs() < 9.2e18).then_some(milliseconds as i64)
}

/// A number as Prometheus reads one.
fn number_of(text: &str) -> Option<f64> {
    let number: f64 = text.parse().ok()?;
    Some(if number.is_nan() { f64::from_bits(NAN) } else { number })
}

#[cfg(test)]
mod tests;
