//! What a sender tells of a metric along with its series.

use crate::points::words::{self, Word};
use crate::proto::Reader;

/// The type of a metric, with remote write's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Not told, or not known here.
    #[default]
    Unknown = 0,
    /// Only grows.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Observations by bounds, only growing.
    Histogram = 3,
    /// Observations by bounds, going up and down.
    GaugeHistogram = 4,
    /// Quantiles.
    Summary = 5,
    /// 1, with labels that say something.
    Info = 6,
    /// 0 or 1 for each of some states.
    StateSet = 7,
}

/// What is known of a metric; texts are empty where it is not.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// Its type.
    pub kind: Kind,
    /// A sentence.
    pub help: &'a str,
    /// As its name ends.
    pub unit: &'a str,
}

impl Kind {
    const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
    ];

    /// The one of a number.
    pub(super) fn of_number(number: u64) -> Self {
        let place = usize::try_from(number).ok();
        place.and_then(|place| Self::ALL.get(place).copied()).unwrap_or_default()
    }

    /// The one of a word of `# TYPE`.
    pub fn of_word(word: &str) -> Self {
        match word {
            "counter" => Self::Counter,
            "gauge" => Self::Gauge,
            "histogram" => Self::Histogram,
            "gaugehistogram" => Self::GaugeHistogram,
            "summary" => Self::Summary,
            "info" => Self::Info,
            "stateset" => Self::StateSet,
            _ => Self::Unknown,
        }
    }

    /// What the column `kind` has, and whether the series is a monotonic sum.
    fn stored(self) -> (&'static Word, bool) {
        match self {
            Self::Unknown => (&words::UNKNOWN, false),
            Self::Counter => (&words::SUM, true),
            Self::Gauge => (&words::GAUGE, false),
            Self::Histogram => (&words::HISTOGRAM, false),
            Self::GaugeHistogram => (&words::GAUGE_HISTOGRAM, false),
            Self::Summary => (&words::SUMMARY, false),
            Self::Info => (&words::INFO, false),
            Self::StateSet => (&words::STATE_SET, false),
        }
    }

    /// Prometheus' word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    pub(super) fn word(self) -> Reader<'static> {
        let (word, _) = self.stored();
        Reader::start(&word.0, word.1)
    }

    pub(super) fn is_monotonic(self) -> bool {
        self.stored().1
    }
}

/// As [`About`], of text that is not checked here.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    pub(super) kind: Kind,
    pub(super) help: Reader<'a>,
    pub(super) unit: Reader<'a>,
}

impl Told<'static> {
    pub(super) const NOTHING: Self = Self { kind: Kind::Unknown, help: Reader::EMPTY, unit: Reader::EMPTY };
}

impl<'a> From<About<'a>> for Told<'a> {
    fn from(about: About<'a>) -> Self {
        let text = |text: &'a str| Reader::new(text.as_bytes());
        Self { kind: about.kind, help: text(about.help), unit: text(about.unit) }
    }
}
