use std::collections::HashMap;

use super::about::{About, Kind};
use crate::proto::Writer;

/// Name and value.
pub type Label<'a> = (&'a [u8], &'a [u8]);

/// A point of a series.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// What it is.
    pub value: Value<'a>,
    /// Milliseconds since 1970.
    pub time_ms: i64,
    /// When what it adds up began; 0 where nobody knows.
    pub start_ms: i64,
}

/// The value of a point.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A number.
    Number(f64),
    /// A message `Histogram` without its times.
    Histogram(&'a [u8]),
}

impl From<(f64, i64)> for Point<'_> {
    fn from((value, time_ms): (f64, i64)) -> Self {
        Self { value: Value::Number(value), time_ms, start_ms: 0 }
    }
}

/// Writes a request of version 2: what a scrape found, as a Prometheus would send it.
///
/// Must hold: what is written is what [`super::decode`] reads.
pub struct RequestWriter {
    known: HashMap<Box<[u8]>, u32>,
    symbols: Writer,
    series: Writer,
    references: Vec<u32>,
}

impl Default for RequestWriter {
    fn default() -> Self {
        let mut writer = Self {
            known: HashMap::new(),
            symbols: Writer::default(),
            series: Writer::default(),
            references: Vec::new(),
        };
        // Symbol 0 is the empty text, which stands for none.
        writer.symbol(&[]);
        writer
    }
}

impl RequestWriter {
    /// A request without a series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a point: the labels of its series, what is known of its metric, its value and its time in milliseconds since 1970; and an exemplar's labels, value and time.
    pub fn sample<'a>(
        &mut self,
        labels: impl IntoIterator<Item = Label<'a>>,
        about: About<'_>,
        point: impl Into<Point<'a>>,
        exemplar: Option<(&[Label<'a>], f64, i64)>,
    ) {
        self.refer(labels);
        let series = self.series.begin(5);
        self.put_references();
        let point = point.into();
        match point.value {
            Value::Number(value) => {
                let open = self.series.begin(2);
                self.put_pair(1, (value, point.time_ms));
                self.put_start(3, point.start_ms);
                self.series.end(open);
            }
            Value::Histogram(message) => {
                let open = self.series.begin(3);
                self.series.raw(message);
                self.series.varint(15, point.time_ms.cast_unsigned());
                self.put_start(17, point.start_ms);
                self.series.end(open);
            }
        }
        if let Some((labels, value, time_ms)) = exemplar {
            self.refer(labels.iter().copied());
            let open = self.series.begin(4);
            self.put_references();
            self.put_pair(2, (value, time_ms));
            self.series.end(open);
        }
        self.put_about(about);
        self.series.end(series);
    }

    /// The request.
    pub fn finish(self) -> Vec<u8> {
        let mut request = self.symbols;
        request.raw(&self.series.finish());
        request.finish()
    }

    fn put_about(&mut self, About { kind, help, unit }: About<'_>) {
        if kind == Kind::Unknown && help.is_empty() && unit.is_empty() {
            return;
        }
        let (help, unit) = (self.symbol(help.as_bytes()), self.symbol(unit.as_bytes()));
        let open = self.series.begin(5);
        self.series.varint(1, kind as u64);
        self.series.varint(3, help.into());
        self.series.varint(4, unit.into());
        self.series.end(open);
    }

    fn refer<'a>(&mut self, labels: impl IntoIterator<Item = Label<'a>>) {
        let mut references = std::mem::take(&mut self.references);
        references.clear();
        for (name, value) in labels {
            references.extend([self.symbol(name), self.symbol(value)]);
        }
        self.references = references;
    }

    fn put_references(&mut self) {
        let open = self.series.begin(1);
        for reference in &self.references {
            self.series.raw_varint((*reference).into());
        }
        self.series.end(open);
    }

    /// Value and time in fields that follow each other.
    fn put_pair(&mut self, field: u32, (value, time_ms): (f64, i64)) {
        self.series.fixed64(field, value.to_bits());
        self.series.varint(field + 1, time_ms.cast_unsigned());
    }

    fn put_start(&mut self, field: u32, start_ms: i64) {
        if start_ms != 0 {
            self.series.varint(field, start_ms.cast_unsigned());
        }
    }

    fn symbol(&mut self, text: &[u8]) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        self.symbols.bytes(4, text);
        self.known.insert(text.into(), number);
        number
    }
}
