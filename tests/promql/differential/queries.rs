//! Queries by chance.
//!
//! Must hold: a query is at 7 seconds after a multiple of 30, ranges and offsets are multiples of
//! that and subqueries have steps of it, so that nothing lies on the edge of a range; none has another
//! one inside, which would be evaluated at such times. What jumps (comparisons, ranks, rounding,
//! resets) is asked of samples as they were written, and not of what was computed from them, which
//! may differ in its last digits. What 2.42 does wrong is left out: `predict_linear` with `@` reads
//! other samples at later steps, and `atan2` keeps names; so is what makes numbers that are none.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::series::{METRICS, SPAN, START};
use crate::promqltest::script::Times;

/// A query and when it is evaluated: at one time where start and end are the same.
pub(super) struct Query {
    pub(super) text: String,
    pub(super) times: Times,
}

pub(super) struct Queries {
    rng: StdRng,
    in_subquery: bool,
}

const OVER_RANGES: [&str; 17] = [
    "delta",
    "idelta",
    "deriv",
    "avg_over_time",
    "sum_over_time",
    "count_over_time",
    "min_over_time",
    "max_over_time",
    "last_over_time",
    "present_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "rate",
    "increase",
    "irate",
    "changes",
    "resets",
];
/// Of those, the ones whose values are near each other where those below are.
const SMOOTH: usize = 12;
const GROUPINGS: [&str; 6] =
    ["", "by (job) ", "by (instance, job) ", "without (code) ", "without (job, room) ", "by (none) "];

impl Queries {
    pub(super) fn new(seed: u64) -> Self {
        Self { rng: StdRng::seed_from_u64(seed ^ 0x9e37_79b9_7f4a_7c15), in_subquery: false }
    }

    pub(super) fn next(&mut self) -> Query {
        let start = (START + 30 * self.rng.random_range(10..SPAN / 30) + 7) * 1000;
        let steps = if self.rng.random_bool(0.3) { 0 } else { self.rng.random_range(1..20) };
        let step_ms = 30_000 * self.rng.random_range(1..5);
        let text = match self.rng.random_range(0..12) {
            0 => self.scalar(),
            _ => self.vector(3),
        };
        Query { text, times: Times { start_ms: start, end_ms: start + steps * step_ms, step_ms } }
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.choose(&mut self.rng).copied().unwrap_or_default()
    }

    fn one_of(&mut self, count: u32) -> u32 {
        self.rng.random_range(0..count)
    }

    /// What a selector needs after it.
    fn place(&mut self) -> String {
        match self.one_of(12) {
            0 => format!(" offset {}s", 30 * self.rng.random_range(1..20)),
            1 => format!(" offset -{}s", 30 * self.rng.random_range(1..20)),
            2 => format!(" @ {}", START + 30 * self.rng.random_range(10..SPAN / 30) + 7),
            3 => " @ end()".to_owned(),
            4 => " @ start() offset 1m".to_owned(),
            _ => String::new(),
        }
    }

    fn series(&mut self) -> String {
        let metric = self.pick(&METRICS);
        let matchers = self.pick(&[
            "",
            "",
            "",
            "{job=\"api\"}",
            "{instance=~\"a|b\"}",
            "{instance!=\"c\"}",
            "{code!~\"2.*\"}",
            "{job=~\".+\",code=\"500\"}",
            "{room=\"\"}",
        ]);
        match self.one_of(15) {
            0 => "{__name__=~\"queue|errors_total\"}".to_owned(),
            1 => "build_info".to_owned(),
            _ => format!("{metric}{matchers}"),
        }
    }

    fn counter(&mut self) -> String {
        let metric = self.pick(&["requests_total", "errors_total"]);
        let matchers = self.pick(&["", "{job=\"api\"}", "{instance!=\"c\"}", "{code!=\"404\"}"]);
        format!("{metric}{matchers}")
    }

    /// Samples as they were written.
    fn raw(&mut self) -> String {
        format!("{}{}", self.series(), self.place())
    }

    fn range(&mut self) -> String {
        let seconds = 30 * self.rng.random_range(1..25);
        format!("{}[{seconds}s]{}", self.series(), self.place())
    }

    fn over_range(&mut self) -> String {
        match self.one_of(12) {
            0 => format!("quantile_over_time(0.{}, {})", self.one_of(10), self.range()),
            1 => {
                let (series, seconds) = (self.series(), 30 * self.rng.random_range(1..25));
                format!("predict_linear({series}[{seconds}s], {})", 60 * self.one_of(20))
            }
            2 => format!("absent_over_time({})", self.range()),
            3 => self.buckets(),
            _ => match self.pick(&OVER_RANGES) {
                // Of what goes down to zero they are extrapolated otherwise by now.
                function @ ("rate" | "increase") => {
                    let (metric, seconds) = (self.counter(), 30 * self.rng.random_range(1..25));
                    format!("{function}({metric}[{seconds}s]{})", self.place())
                }
                function => format!("{function}({})", self.range()),
            },
        }
    }

    fn buckets(&mut self) -> String {
        let quantile = self.pick(&["0.5", "0.9", "0.99", "0", "1"]);
        let rate = format!("rate(latency_bucket[{}s]{})", 30 * self.rng.random_range(4..20), self.place());
        match self.one_of(2) {
            0 => format!("histogram_quantile({quantile}, {rate})"),
            _ => format!("histogram_quantile({quantile}, sum by (le, job) ({rate}))"),
        }
    }

    /// What jumps, of samples.
    fn jump(&mut self) -> String {
        let (raw, grouping) = (self.raw(), self.pick(&GROUPINGS));
        match self.one_of(14) {
            0 => format!("topk {grouping}({}, {raw})", self.one_of(4)),
            1 => format!("bottomk {grouping}({}, {raw})", self.one_of(4)),
            2 => format!("count_values {grouping}(\"value\", {raw})"),
            3 => format!("{}({raw})", self.pick(&["ceil", "floor", "round", "sgn", "timestamp", "absent"])),
            4 => format!("round({raw}, 5)"),
            5 => {
                let function = self.pick(&[
                    "minute",
                    "hour",
                    "day_of_week",
                    "day_of_month",
                    "day_of_year",
                    "month",
                    "year",
                ]);
                format!("{function}(timestamp({raw}))")
            }
            6 => format!("{raw} % {}", self.rng.random_range(1..20)),
            7 => format!("clamp({raw}, -10, {})", self.one_of(100)),
            8 => format!("{}({raw})", self.pick(&["sort", "sort_desc"])),
            9 => format!("sum {grouping}({raw} {} bool {})", self.comparison(), self.one_of(100)),
            _ => format!("{raw} {} {}", self.comparison(), self.one_of(100)),
        }
    }

    fn comparison(&mut self) -> &'static str {
        self.pick(&["==", "!=", ">", "<", ">=", "<="])
    }

    fn scalar(&mut self) -> String {
        match self.one_of(4) {
            0 => "time()".to_owned(),
            1 => format!("scalar({})", self.vector(1)),
            2 => format!("{} + scalar(sum({}))", self.one_of(10), self.raw()),
            _ => format!("vector({})", self.one_of(10)),
        }
    }

    fn vector(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.one_of(6) {
                0 => self.raw(),
                1 => self.jump(),
                _ => self.over_range(),
            };
        }
        let inner = depth - 1;
        match self.one_of(16) {
            0..=3 => {
                let aggregation =
                    self.pick(&["sum", "avg", "min", "max", "count", "stddev", "stdvar", "group"]);
                format!("{aggregation} {}({})", self.pick(&GROUPINGS), self.vector(inner))
            }
            4 => format!("quantile {}(0.{}, {})", self.pick(&GROUPINGS), self.one_of(10), self.vector(inner)),
            5 => {
                let function = self.pick(&["abs", "sin", "cos", "atan", "tanh", "deg", "rad", "-", "asinh"]);
                format!("{function}({})", self.vector(inner))
            }
            6 => format!("clamp_min({}, {})", self.vector(inner), self.one_of(10)),
            7 => format!("({}) {} {}", self.vector(inner), self.arithmetic(), 1 + self.one_of(9)),
            8 => format!("{} {} ({})", self.one_of(10), self.arithmetic(), self.vector(inner)),
            9 => self.matched(inner),
            10 => {
                let set = self.pick(&["and", "or", "unless", "and on (job)", "unless ignoring (code, room)"]);
                format!("({}) {set} ({})", self.vector(inner), self.vector(inner))
            }
            11 => {
                format!("label_replace({}, \"place\", \"$1-x\", \"instance\", \"(a|b)\")", self.vector(inner))
            }
            12 => format!("label_join({}, \"both\", \"/\", \"job\", \"instance\")", self.vector(inner)),
            13 if !self.in_subquery => {
                let function = OVER_RANGES[self.rng.random_range(0..SMOOTH)];
                let (range, step) = (30 * self.rng.random_range(2..15), 30 * self.rng.random_range(1..3));
                self.in_subquery = true;
                let vector = self.vector(inner);
                self.in_subquery = false;
                format!("{function}(({vector})[{range}s:{step}s]{})", self.place())
            }
            14 => self.jump(),
            _ => self.over_range(),
        }
    }

    fn arithmetic(&mut self) -> &'static str {
        self.pick(&["+", "-", "*", "/"])
    }

    /// Two sides with labels that fit, or by chance do not.
    fn matched(&mut self, depth: u32) -> String {
        let (left, right, operator) = (self.vector(depth), self.vector(depth), self.arithmetic());
        match self.one_of(6) {
            0 => format!("({left}) {operator} ({right})"),
            1 => format!("({left}) {operator} on (job, instance) group_left (version) build_info"),
            2 => format!("build_info {operator} on (instance, job) group_right ({right})"),
            3 => format!("sum by (job) ({left}) {operator} sum by (job) ({right})"),
            4 => format!("({left}) {operator} ignoring (code) group_left sum without (code) ({right})"),
            _ => format!(
                "sum by (job, instance) ({left}) {operator} on (job) group_left sum by (job) ({right})"
            ),
        }
    }
}
