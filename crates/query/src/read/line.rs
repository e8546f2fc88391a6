//! From points to a line of a chart: what a step of time shows of a series, and of several added up.

use super::steps::Steps;

/// What the points of a series mean, and so what a step shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A level: the last one of a step.
    Level,
    /// A total since a start: its growth per second.
    Total,
    /// What came since the last point: per second.
    Change,
}

/// A point of a series: a sample's value, or a histogram's count and sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) time: i64,
    pub(super) start: Option<i64>,
    pub(super) value: f64,
    pub(super) sum: f64,
}

/// The points of one series, in order, by steps.
pub(super) struct Folding {
    meaning: Meaning,
    steps: Steps,
    /// Totals that began before this moment grew to an unknown part in the range.
    known_from: i64,
    previous: Option<Point>,
    partials: Vec<Option<Partial>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Partial {
    value: f64,
    sum: f64,
    seconds: f64,
}

impl Folding {
    pub(super) fn new(meaning: Meaning, steps: Steps, known_from: i64) -> Self {
        Self { meaning, steps, known_from, previous: None, partials: vec![None; steps.count()] }
    }

    /// Takes the next point in time.
    pub(super) fn add(&mut self, point: Point) {
        let gained = match self.meaning {
            Meaning::Level => Some(Partial { value: point.value, ..Partial::default() }),
            Meaning::Change => Some(Partial { value: point.value, sum: point.sum, seconds: 0.0 }),
            Meaning::Total => self.growth(point),
        };
        self.previous = Some(point);
        let (Some(gained), Some(index)) = (gained, self.steps.index(point.time)) else { return };
        let partial = self.partials[index].get_or_insert_default();
        if self.meaning == Meaning::Level {
            *partial = gained;
        } else {
            partial.value += gained.value;
            partial.sum += gained.sum;
            partial.seconds += gained.seconds;
        }
    }

    /// A point without a value: what comes next does not continue what came before.
    pub(super) fn interrupt(&mut self) {
        self.previous = None;
    }

    fn growth(&self, point: Point) -> Option<Partial> {
        let started = point.start.filter(|start| *start >= self.known_from && *start < point.time);
        let zero = |time| Point { time, start: None, value: 0.0, sum: 0.0 };
        let mut before = self.previous.or(started.map(zero))?;
        let since = before.time;
        let restarted = point.start.is_some_and(|start| start > before.time) || point.value < before.value;
        if restarted {
            before = zero(since);
        }
        let seconds = seconds(point.time - since);
        (seconds > 0.0).then_some(Partial {
            value: point.value - before.value,
            sum: point.sum - before.sum,
            seconds,
        })
    }
}

/// A line of a chart: one series, or several added up.
pub(super) struct Line {
    steps: Steps,
    cells: Vec<Option<Cell>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    shown: f64,
    count: f64,
    sum: f64,
}

/// Bytes of a step of a line.
pub(super) const CELL_BYTES: usize = size_of::<Option<Cell>>();

impl Line {
    pub(super) fn new(steps: Steps) -> Self {
        Self { steps, cells: vec![None; steps.count()] }
    }

    /// Adds a series and makes `folding` ready for the next.
    pub(super) fn add(&mut self, folding: &mut Folding) {
        let step_seconds = seconds(self.steps.width());
        for (cell, partial) in self.cells.iter_mut().zip(&mut folding.partials) {
            let Some(partial) = partial.take() else { continue };
            let cell = cell.get_or_insert_default();
            cell.shown += match folding.meaning {
                Meaning::Level => partial.value,
                Meaning::Total => partial.value / partial.seconds,
                Meaning::Change => partial.value / step_seconds,
            };
            cell.count += partial.value;
            cell.sum += partial.sum;
        }
        folding.previous = None;
    }

    /// Levels, or changes per second.
    pub(super) fn values(&self) -> Vec<(i64, Option<f64>)> {
        self.points(|cell| Some(cell.shown))
    }

    /// What one of the things counted was on average.
    pub(super) fn means(&self) -> Vec<(i64, Option<f64>)> {
        self.points(|cell| (cell.count > 0.0).then(|| cell.sum / cell.count))
    }

    fn points(&self, value: impl Fn(&Cell) -> Option<f64>) -> Vec<(i64, Option<f64>)> {
        let value = |cell: &Option<Cell>| cell.as_ref().and_then(&value).filter(|value| !value.is_nan());
        self.steps.times_ms().zip(self.cells.iter().map(value)).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a length of time")]
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}
