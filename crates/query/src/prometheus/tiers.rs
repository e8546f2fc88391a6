//! Samples that were downsampled: where they are read instead of samples as they came.
//!
//! Enters: what a selector needs, the segments of samples and of what they were downsampled to. Leaves:
//! for each UTC day and rule what is read. Must hold: whatever a sample is in, it counts once: where
//! windows of a series are read, no segment of samples that they were made of is read for it.
//!
//! A resolution is read where the answer is as from the samples, or nearly so; the finest one where
//! samples have expired.

mod count;
mod histograms;
mod windows;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::day_of;
use promql::{Apart, Selection};

pub(super) use self::count::counted;
use self::count::without_mark;
pub(super) use self::histograms::{COLUMNS as HISTOGRAM_WINDOW_COLUMNS, HistogramWindows};
pub(super) use self::windows::{COLUMNS as WINDOW_COLUMNS, Form, Windows};
use super::exposed::Part;
use crate::answer::Scan;
use crate::{Segment, Tier};

/// One part in so many of a range or step may be at its ends, where windows are not all within.
const EDGE_PART: i64 = 5;

/// Ranges of the log, both ends included.
type Ranges = Vec<(u64, u64)>;

/// How a selector's samples may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) form: Form,
    /// Whether what `form` makes of windows is what the function would make of the samples.
    exact: bool,
    /// What the asker allows, if it said so: nothing coarser is read, whatever there is.
    limit_ms: Option<u64>,
    /// Where samples do not matter.
    pub(super) apart: Option<Apart>,
    step_ms: i64,
    range_ms: i64,
    end_ms: i64,
    function: Option<&'static str>,
}

impl Reading {
    /// Takes the mark of [`counted`] out of the selection.
    pub(super) fn of(selection: &mut Selection, limit_ms: Option<u64>, lookback_ms: i64) -> Self {
        let is_count = without_mark(&mut selection.matchers);
        let (form, exact) = match selection.function.filter(|_| selection.range_ms > 0) {
            _ if is_count => (Form::Count, true),
            Some("min_over_time") => (Form::Min, true),
            Some("max_over_time") => (Form::Max, true),
            Some("sum_over_time") => (Form::Sum, true),
            Some("last_over_time" | "present_over_time" | "absent_over_time") => (Form::Last, true),
            Some("rate" | "increase") => (Form::Counter, true),
            Some("delta" | "first_over_time") => (Form::Ends, true),
            Some("irate" | "resets") => (Form::Counter, false),
            _ if selection.range_ms > 0 => (Form::Ends, false),
            _ => (Form::Held { lookback_ms }, true),
        };
        let Selection { step_ms, range_ms, end_ms, apart, .. } = *selection;
        Self { form, exact, limit_ms, apart, step_ms, range_ms, end_ms, function: selection.function }
    }

    /// The same of a part of histograms or summaries: of their windows only those of quantiles have the
    /// least and the greatest.
    pub(super) fn of_part(self, part: Part) -> Self {
        match self.form {
            Form::Min | Form::Max if part != Part::Quantile => {
                Self { form: Form::Ends, exact: false, ..self }
            }
            _ => self,
        }
    }

    /// Whether this resolution may be read where samples are there, too.
    fn may_have(&self, resolution_ms: u64) -> bool {
        if let Some(limit) = self.limit_ms {
            return resolution_ms <= limit;
        }
        let Ok(resolution) = i64::try_from(resolution_ms) else { return false };
        let lengths = [self.step_ms, self.range_ms].into_iter().filter(|length| *length > 0);
        let (Some(shortest), true) = (lengths.min(), self.exact) else { return false };
        let whole = [self.end_ms, self.step_ms, self.range_ms].iter().all(|time| time % resolution == 0);
        (whole && resolution <= shortest && (self.range_ms > 0 || self.step_ms > 0))
            || (self.step_ms > 0 && resolution <= shortest / EDGE_PART)
    }

    /// Whether it may be read where samples have expired.
    fn may_fall_back_to(&self, resolution_ms: u64) -> bool {
        self.limit_ms.is_none_or(|limit| resolution_ms <= limit)
    }
}

/// The segments of one rule and resolution of a day.
#[derive(Clone, Debug)]
struct Group<'a> {
    tier: Tier,
    day: i32,
    files: Vec<&'a Segment>,
    lsns: Ranges,
}

/// What is read of each day.
pub(super) struct Plan<'a> {
    /// Of each day and rule at most one group; the rules that were used last come first.
    groups: Vec<Group<'a>>,
}

/// In which days windows of a series were found, by its place, and of which rule they are.
pub(super) type Found = HashMap<(i32, usize), u64>;

/// By files, the series whose windows are read in their place.
pub(super) type LeftOut<'s> = HashMap<&'s str, HashSet<usize>>;

impl<'a> Plan<'a> {
    /// Of segments of the table `downsampled` and of samples.
    pub(super) fn new(
        downsampled: &'a [Segment],
        samples: &[Segment],
        times: (i64, i64),
        reading: &Reading,
    ) -> Self {
        let days = day_of(times.0)..=day_of(times.1);
        let mut groups: BTreeMap<(i32, u64), Vec<Group<'a>>> = BTreeMap::new();
        for segment in downsampled {
            let (Some(tier), day) = (segment.tier, day_of(segment.max_time)) else { continue };
            if !days.contains(&day) {
                continue;
            }
            let of_rule = groups.entry((day, tier.rule)).or_default();
            let place = of_rule.iter().position(|group| group.tier == tier).unwrap_or_else(|| {
                of_rule.push(Group { tier, day, files: Vec::new(), lsns: Vec::new() });
                of_rule.len() - 1
            });
            of_rule[place].files.push(segment);
            of_rule[place].lsns.extend_from_slice(&segment.lsns);
        }
        let chosen = groups.into_values().filter_map(|mut of_rule| {
            of_rule.iter_mut().for_each(|group| group.lsns = union(&group.lsns));
            of_rule.sort_by_key(|group| group.tier.resolution_ms);
            let wanted = of_rule.iter().rposition(|group| reading.may_have(group.tier.resolution_ms));
            let place = wanted.or_else(|| {
                let finest = of_rule.first()?;
                let needed = reading.may_fall_back_to(finest.tier.resolution_ms) && !has_all(samples, finest);
                needed.then_some(0)
            });
            place.map(|place| of_rule.swap_remove(place))
        });
        let mut groups: Vec<_> = chosen.collect();
        // Ids of files ascend with the time at which they were made.
        let newest = |group: &Group<'_>| group.files.iter().map(|file| file.path.clone()).max();
        groups.sort_by_cached_key(|group| std::cmp::Reverse(newest(group)));
        Self { groups }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The rules, each once, the last used first.
    pub(super) fn rules(&self) -> Vec<u64> {
        let mut rules: Vec<u64> = Vec::new();
        for group in &self.groups {
            if !rules.contains(&group.tier.rule) {
                rules.push(group.tier.rule);
            }
        }
        rules
    }

    /// The paths of what is read of a rule.
    pub(super) fn paths(&self, rule: u64) -> HashSet<&'a str> {
        let of_rule = self.groups.iter().filter(|group| group.tier.rule == rule);
        of_rule.flat_map(|group| group.files.iter().map(|file| file.path.as_str())).collect()
    }

    /// What is not read of files of samples, as windows were found.
    pub(super) fn left_out<'s>(&self, samples: &'s [Segment], found: Found) -> LeftOut<'s> {
        let mut by_day: HashMap<i32, Vec<(u64, usize)>> = HashMap::new();
        for ((day, place), rule) in found {
            by_day.entry(day).or_default().push((rule, place));
        }
        let mut left_out = LeftOut::new();
        for segment in samples {
            let (day, rules) = self.represented(segment);
            let of_day = by_day.get(&day).map_or(&[][..], Vec::as_slice);
            let own = of_day.iter().filter(|(rule, _)| rules.contains(rule));
            let own: HashSet<usize> = own.map(|(_, place)| *place).collect();
            if !own.is_empty() {
                left_out.insert(segment.path.as_str(), own);
            }
        }
        left_out
    }

    /// Of a segment of samples, the rules by whose windows it is represented, with its day.
    fn represented(&self, samples: &Segment) -> (i32, Vec<u64>) {
        let day = day_of(samples.max_time);
        let of_day = self.groups.iter().filter(|group| group.day == day);
        let rules = of_day.filter(|group| covers(&group.lsns, &samples.lsns)).map(|group| group.tier.rule);
        (day, rules.collect())
    }
}

/// Whether all samples that a group was made of are still there as they came.
fn has_all(samples: &[Segment], group: &Group<'_>) -> bool {
    let whole = samples.iter().filter(|segment| {
        day_of(segment.max_time) == group.day && !segment.thinned.contains(&group.tier.rule)
    });
    let lsns: Ranges = whole.flat_map(|segment| segment.lsns.iter().copied()).collect();
    covers(&union(&lsns), &group.lsns)
}

/// All of several ranges, as few as possible.
fn union(ranges: &[(u64, u64)]) -> Ranges {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable();
    sorted.into_iter().fold(Ranges::new(), |mut union, (from, to)| {
        match union.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => union.push((from, to)),
        }
        union
    })
}

/// Whether each range of `inner` is in one of `outer`.
fn covers(outer: &[(u64, u64)], inner: &[(u64, u64)]) -> bool {
    inner.iter().all(|(start, end)| outer.iter().any(|(from, to)| from <= start && end <= to))
}

/// A length of time as PromQL writes it.
pub(super) fn length(millis: u64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.into_iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    unit.map_or_else(|| format!("{millis}ms"), |(name, unit)| format!("{}{name}", millis / unit))
}

/// Says in the answer what was read, where it was windows.
pub(super) fn tell(scan: &Scan, resolutions: &BTreeSet<u64>, reading: &Reading) {
    for resolution in resolutions {
        scan.downsampled(*resolution);
        scan.note(remark(*resolution));
    }
    if !resolutions.is_empty() && !reading.exact {
        scan.note(reading.doubt());
    }
}

/// What the answer says where samples of this resolution were read.
fn remark(resolution_ms: u64) -> String {
    let length = length(resolution_ms);
    format!(
        "answered in part from samples downsampled to {length}; `max_source_resolution=0s` reads only samples as they came"
    )
}

impl Reading {
    /// What the answer says where the function cannot be answered from windows.
    fn doubt(&self) -> String {
        let function = self.function.unwrap_or("a range");
        format!("`{function}` is approximate: it was answered from downsampled samples")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(function: &'static str, (step_ms, range_ms, end_ms): (i64, i64, i64)) -> Reading {
        let mut selection = Selection {
            matchers: Vec::new(),
            start_ms: 0,
            end_ms,
            apart: None,
            step_ms,
            range_ms,
            function: Some(function),
            labels_only: false,
            resets: false,
        };
        Reading::of(&mut selection, None, 300_000)
    }

    #[test]
    fn a_resolution_is_read_where_windows_are_whole_or_much_shorter() {
        const M: i64 = 60_000;
        let coarsest = |reading: Reading| {
            let resolutions = [60_000, 300_000, 3_600_000];
            resolutions.into_iter().rfind(|resolution| reading.may_have(*resolution)).unwrap_or(0) / 60_000
        };
        assert_eq!(coarsest(reading("rate", (60 * M, 60 * M, 600 * M))), 60);
        assert_eq!(coarsest(reading("rate", (60 * M, 10 * M, 600 * M))), 5, "a range is no part of a window");
        assert_eq!(coarsest(reading("rate", (60 * M, 60 * M, 603 * M))), 5, "windows of 1h are cut");
        assert_eq!(coarsest(reading("rate", (60 * M, 60 * M, 600 * M + 1))), 5);
        assert_eq!(coarsest(reading("rate", (15_000, 60 * M, 600 * M))), 0, "a step is shorter");
        assert_eq!(coarsest(reading("quantile_over_time", (60 * M, 60 * M, 600 * M))), 0);
        assert_eq!(coarsest(reading("sum", (60 * M, 0, 600 * M))), 60);
        assert_eq!(coarsest(reading("sum", (0, 0, 600 * M))), 0, "one moment needs no windows");
        assert_eq!(coarsest(reading("max_over_time", (0, 60 * M, 600 * M))), 60);
        assert_eq!(coarsest(reading("max_over_time", (0, 60 * M, 601 * M))), 1);
        assert_eq!(
            coarsest(reading("max_over_time", (0, 60 * M, 601 * M + 1))),
            0,
            "nothing says how far off"
        );
        let forced = |limit_ms| Reading { limit_ms: Some(limit_ms), ..reading("rate", (0, 1, 7)) };
        assert_eq!([coarsest(forced(0)), coarsest(forced(300_000))], [0, 5]);
        assert!(!forced(0).may_fall_back_to(60_000) && reading("rate", (0, 1, 7)).may_fall_back_to(60_000));
    }

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        assert_eq!([300_000, 3_600_000, 86_400_000, 90_000].map(length), ["5m", "1h", "1d", "90s"]);
    }
}
