//! What alerts knew before a restart.

use std::collections::{BTreeMap, BTreeSet};

use promql::{Labels, LabelsBuilder, METRIC_NAME, Point, Value};

use super::alert::{ALERT_NAME, ALERTS_FOR_STATE};
use super::{Group, RuleState, Series};
use crate::rules::Rule;

/// How the state of alerts is restored.
#[derive(Clone, Copy, Debug)]
pub struct Restore {
    /// Now, milliseconds since 1970.
    pub now_ms: i64,
    /// How far back it is looked, milliseconds: after a longer outage every alert begins anew.
    pub outage_tolerance_ms: i64,
    /// An alert does not fire sooner than this after the restart, milliseconds, unless it fired before;
    /// rules with a shorter `for` begin anew.
    pub grace_period_ms: i64,
    /// How far an instant selector of [`Series`] looks back, milliseconds.
    pub lookback_ms: i64,
}

/// When an alert was last known to be active, and since when it had been. Milliseconds.
struct Remembered {
    down_at_ms: i64,
    active_at_ms: i64,
}

impl Group {
    /// Gives each active alert the time back for which it had been active before, from
    /// `ALERTS_FOR_STATE`. From now on samples of alerts are written.
    ///
    /// # Errors
    /// What could not be read, by rule; those begin anew.
    pub fn restore(&mut self, restore: &Restore, series: &dyn Series) -> Result<(), String> {
        let mut failed = Vec::new();
        for rule in &mut self.rules {
            if let Err(error) = rule.restore(restore, series) {
                failed.push(format!("{}: {error}", rule.rule.name()));
            }
            rule.restored = true;
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }
}

impl RuleState {
    fn restore(&mut self, restore: &Restore, series: &dyn Series) -> Result<(), String> {
        let Rule::Alerting(rule) = &self.rule else { return Ok(()) };
        if self.restored || rule.for_ms < restore.grace_period_ms || self.alerts.is_empty() {
            return Ok(());
        }
        let of_rule: Labels =
            [(METRIC_NAME, ALERTS_FOR_STATE), (ALERT_NAME, &rule.name)].into_iter().collect();
        let mut remembered = remembered(&of_rule, restore, series)?;
        remembered.retain(|labels, _| self.alerts.contains_key(labels));
        drop_ended(&of_rule, &mut remembered, restore, series)?;
        for (labels, remembered) in remembered {
            if let Some(alert) = self.alerts.get_mut(&labels) {
                alert.active_at_ms = restore.active_at(rule.for_ms, &remembered);
            }
        }
        Ok(())
    }
}

/// The last sample of each series.
fn remembered(
    of_rule: &Labels,
    restore: &Restore,
    series: &dyn Series,
) -> Result<BTreeMap<Labels, Remembered>, String> {
    let range = format!("{of_rule}[{}ms]", restore.outage_tolerance_ms.max(1));
    let Value::Matrix(matrix) = series.query(&range, restore.now_ms)? else {
        return Err("a range gives no series".to_owned());
    };
    let last = matrix.into_iter().filter_map(|of| match of.points.last() {
        Some((down_at_ms, Point::Float(seconds))) => {
            let mut labels = LabelsBuilder::new(&of.labels);
            labels.remove(METRIC_NAME);
            #[expect(clippy::cast_possible_truncation, reason = "a time in seconds")]
            let active_at_ms = (*seconds as i64).saturating_mul(1000);
            Some((labels.build(), Remembered { down_at_ms: *down_at_ms, active_at_ms }))
        }
        _ => None,
    });
    Ok(last.collect())
}

/// Leaves out alerts that had ended before the restart. The marker that says so is not among the
/// samples of a range, but with it an instant selector finds nothing any more.
fn drop_ended(
    of_rule: &Labels,
    remembered: &mut BTreeMap<Labels, Remembered>,
    restore: &Restore,
    series: &dyn Series,
) -> Result<(), String> {
    let mut times: Vec<i64> = remembered.values().map(|remembered| remembered.down_at_ms).collect();
    times.sort_unstable();
    times.dedup();
    for down_at_ms in times {
        let at = (down_at_ms + restore.lookback_ms - 1).min(restore.now_ms);
        let Value::Vector(vector) = series.query(&of_rule.to_string(), at)? else {
            return Err("a selector gives no vector".to_owned());
        };
        let active = vector.into_iter().map(|sample| {
            let mut labels = LabelsBuilder::new(&sample.labels);
            labels.remove(METRIC_NAME);
            labels.build()
        });
        let active: BTreeSet<Labels> = active.collect();
        remembered
            .retain(|labels, remembered| remembered.down_at_ms != down_at_ms || active.contains(labels));
    }
    Ok(())
}

impl Restore {
    /// Since when an alert counts as active.
    fn active_at(&self, for_ms: i64, remembered: &Remembered) -> i64 {
        let pending_ms = remembered.down_at_ms - remembered.active_at_ms;
        let remaining_ms = for_ms - pending_ms;
        if remaining_ms <= 0 {
            // It fired, and does again at the next evaluation.
            remembered.active_at_ms
        } else if remaining_ms < self.grace_period_ms {
            self.now_ms + self.grace_period_ms - for_ms
        } else {
            // The outage does not count.
            remembered.active_at_ms + (self.now_ms - remembered.down_at_ms)
        }
    }
}
