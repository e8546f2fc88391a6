//! Alerts, from the first time that an expression gives them to some time after the last.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use promql::{Labels, LabelsBuilder, METRIC_NAME, Point, Sample, Vector};

use super::{Annotations, Evaluation, RuleError, Series, vector};
use crate::rules::AlertingRule;
use crate::template;

const ALERTS: &str = "ALERTS";
pub(super) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
pub(super) const ALERT_NAME: &str = "alertname";
const ALERT_STATE: &str = "alertstate";

/// How long an alert that ended is remembered, milliseconds: whoever tells of alerts tells of that
/// too, more than once.
const RESOLVED_RETENTION_MS: i64 = 15 * 60 * 1000;

/// How far an alert is; a later one is higher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It ended.
    Inactive,
    /// It is active, for less than `for`.
    Pending,
    /// It is active for long enough.
    Firing,
}

impl AlertState {
    /// Prometheus' word, as `alertstate` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// An alert. Times are those of evaluations, milliseconds since 1970.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// How far it is.
    pub state: AlertState,
    /// What it is known by, `alertname` among them.
    pub labels: Labels,
    /// What is said with it, as of the last evaluation that gave it.
    pub annotations: Annotations,
    /// What the expression gave then.
    pub value: Point,
    /// The evaluation that gave it first.
    pub active_at_ms: i64,
    /// The evaluation at which it had been active for long enough.
    pub fired_at_ms: Option<i64>,
    /// The evaluation that did not give it any more, and at which it did not go on firing.
    pub resolved_at_ms: Option<i64>,
    /// The first evaluation that did not give it while it went on firing.
    pub keep_firing_since_ms: Option<i64>,
}

impl Alert {
    /// `ALERTS` and `ALERTS_FOR_STATE`.
    pub(super) fn samples(&self, time_ms: i64) -> [Sample; 2] {
        let mut labels = LabelsBuilder::new(&self.labels);
        labels.set(METRIC_NAME, ALERTS).set(ALERT_STATE, self.state.as_str());
        let mut for_state = LabelsBuilder::new(&self.labels);
        for_state.set(METRIC_NAME, ALERTS_FOR_STATE);
        #[expect(clippy::cast_precision_loss, reason = "seconds of this era are exact")]
        let since = self.active_at_ms.div_euclid(1000) as f64;
        [
            Sample { labels: labels.build(), time_ms, point: Point::Float(1.0) },
            Sample { labels: for_state.build(), time_ms, point: Point::Float(since) },
        ]
    }
}

/// The alerts that an expression gives now, each as if it were new.
pub(super) fn alerts_of(
    rule: &AlertingRule,
    given: Vector,
    evaluation: &Evaluation<'_>,
    series: &dyn Series,
) -> Result<BTreeMap<Labels, Alert>, RuleError> {
    let query = |text: &str| {
        vector(series, text, evaluation.time_ms)?.ok_or_else(|| RuleError::NotAVector.to_string())
    };
    let mut alerts = BTreeMap::new();
    for sample in given {
        let surroundings = template::Surroundings {
            labels: &sample.labels,
            value: &sample.point,
            external_labels: &evaluation.surroundings.external_labels,
            external_url: &evaluation.surroundings.external_url,
            time_ms: evaluation.time_ms,
            query: &query,
        };
        let expand = |template: &template::Template| {
            let expanded = template.expand(&surroundings);
            expanded.unwrap_or_else(|error| format!("<error expanding template: {error}>"))
        };
        let mut labels = LabelsBuilder::new(&sample.labels);
        labels.remove(METRIC_NAME);
        for (name, template) in &rule.labels {
            labels.set(name, &expand(template));
        }
        labels.set(ALERT_NAME, &rule.name);
        let annotations =
            rule.annotations.iter().map(|(name, template)| (name.clone(), expand(template))).collect();
        let Entry::Vacant(vacant) = alerts.entry(labels.build()) else { return Err(RuleError::SameAlert) };
        let labels = vacant.key().clone();
        vacant.insert(Alert {
            state: AlertState::Pending,
            labels,
            annotations,
            value: sample.point,
            active_at_ms: evaluation.time_ms,
            fired_at_ms: None,
            resolved_at_ms: None,
            keep_firing_since_ms: None,
        });
    }
    Ok(alerts)
}

/// Brings what was known of a rule's alerts together with what there is now.
pub(super) fn advance(
    rule: &AlertingRule,
    known: &mut BTreeMap<Labels, Alert>,
    given: BTreeMap<Labels, Alert>,
    evaluation: &Evaluation<'_>,
) -> Result<(), RuleError> {
    let now_ms = evaluation.time_ms;
    known.retain(|labels, alert| given.contains_key(labels) || alert.is_missing(rule, now_ms));
    for (labels, new) in given {
        match known.entry(labels) {
            Entry::Occupied(mut occupied) if occupied.get().state != AlertState::Inactive => {
                let alert = occupied.get_mut();
                alert.value = new.value;
                alert.annotations = new.annotations;
                alert.keep_firing_since_ms = None;
            }
            Entry::Occupied(mut occupied) => {
                occupied.insert(new);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(new);
            }
        }
    }
    let mut active = 0;
    for alert in known.values_mut().filter(|alert| alert.state != AlertState::Inactive) {
        active += 1;
        if alert.state == AlertState::Pending && now_ms - alert.active_at_ms >= rule.for_ms {
            alert.state = AlertState::Firing;
            alert.fired_at_ms = Some(now_ms);
        }
    }
    if evaluation.limit > 0 && active > evaluation.limit {
        known.clear();
        return Err(RuleError::TooManyAlerts { limit: evaluation.limit, count: active });
    }
    Ok(())
}

impl Alert {
    /// The expression does not give it any more; whether it is still remembered.
    fn is_missing(&mut self, rule: &AlertingRule, now_ms: i64) -> bool {
        if self.state == AlertState::Firing && rule.keep_firing_for_ms > 0 {
            let since = *self.keep_firing_since_ms.get_or_insert(now_ms);
            if now_ms - since < rule.keep_firing_for_ms {
                return true;
            }
        }
        match self.state {
            AlertState::Pending => false,
            AlertState::Firing => {
                self.state = AlertState::Inactive;
                self.resolved_at_ms = Some(now_ms);
                true
            }
            AlertState::Inactive => {
                self.resolved_at_ms.is_none_or(|resolved| now_ms - resolved <= RESOLVED_RETENTION_MS)
            }
        }
    }
}
