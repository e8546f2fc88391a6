//! How rules are, for those who ask.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::{ActiveAlert, Alerting, Evaluated, Rule, RuleGroup};
use detect::group::{Alert, Group, Health, RuleState};
use detect::rules::Rule as Written;
use fresnel_sdk::telemetry::metrics::Registry;
use model::Tenant;
use parking_lot::Mutex;
use promql::Point;

/// The last state of each group; replaced as a whole after an evaluation.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Shown>>);

#[derive(Debug, Default)]
struct Shown {
    tenant: Tenant,
    /// By file and name.
    groups: BTreeMap<(String, String), Arc<RuleGroup>>,
}

impl Board {
    /// Shows these groups and no other.
    pub fn reset(&self, tenant: Tenant, groups: Vec<RuleGroup>) {
        let key = |group: &RuleGroup| (group.file.clone(), group.name.clone());
        let groups = groups.into_iter().map(|group| (key(&group), Arc::new(group))).collect();
        *self.0.lock() = Shown { tenant, groups };
    }

    /// Shows a group as it is now; one that is no longer there stays away.
    pub fn update(&self, group: RuleGroup) {
        let mut shown = self.0.lock();
        if let Some(place) = shown.groups.get_mut(&(group.file.clone(), group.name.clone())) {
            *place = Arc::new(group);
        }
    }

    /// The groups of a tenant, in the order of file and name.
    pub fn groups(&self, tenant: &Tenant) -> Vec<Arc<RuleGroup>> {
        let shown = self.0.lock();
        if shown.tenant == *tenant { shown.groups.values().cloned().collect() } else { Vec::new() }
    }

    /// Registers how many alerts there are.
    pub fn register(&self, registry: &Registry) {
        let board = self.clone();
        registry.observe_gauge(
            "fresnel.rules.alerts",
            "{alert}",
            "Alerts that are pending or fire.",
            move |to| {
                let groups: Vec<Arc<RuleGroup>> = board.0.lock().groups.values().cloned().collect();
                let rules = groups.iter().flat_map(|group| &group.rules);
                let alerts = rules.filter_map(|rule| rule.alerting.as_ref()).flat_map(|rule| &rule.alerts);
                let states: Vec<&str> = alerts.map(|alert| alert.state).collect();
                for state in ["pending", "firing"] {
                    let count = states.iter().filter(|known| **known == state).count();
                    to.observe(count as u64, &[("state", state)]);
                }
            },
        );
    }
}

/// A group as it is shown. `rules` tells of each rule when it was evaluated last.
pub fn shown(group: &Group, evaluated: Evaluated, rules: &[Evaluated]) -> RuleGroup {
    let of_rule =
        |(number, state): (usize, &RuleState)| rule(state, rules.get(number).copied().unwrap_or_default());
    RuleGroup {
        name: group.name().to_owned(),
        file: group.file().to_owned(),
        interval: duration(group.interval_ms()),
        limit: group.limit(),
        rules: group.rules().iter().enumerate().map(of_rule).collect(),
        evaluated,
    }
}

fn rule(state: &RuleState, evaluated: Evaluated) -> Rule {
    let written = state.rule();
    let owned = |(name, text): (String, &str)| (name, text.to_owned());
    let alerting = match written {
        Written::Recording(_) => None,
        Written::Alerting(rule) => Some(Alerting {
            state: state.state().as_str(),
            hold: duration(rule.for_ms),
            keep_firing: duration(rule.keep_firing_for_ms),
            annotations: rule
                .annotations
                .iter()
                .map(|(name, template)| (name.clone(), template.source().to_owned()))
                .collect(),
            alerts: state.active_alerts().map(alert).collect(),
        }),
    };
    Rule {
        name: written.name().to_owned(),
        query: state.expr().to_owned(),
        labels: written.labels().into_iter().map(owned).collect(),
        evaluated,
        health: match state.health() {
            Health::Unknown => None,
            Health::Ok => Some(Ok(())),
            Health::Bad(error) => Some(Err(error.to_string())),
        },
        alerting,
    }
}

fn alert(alert: &Alert) -> ActiveAlert {
    ActiveAlert {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state: alert.state.as_str(),
        active_at_ms: alert.active_at_ms,
        keep_firing_since_ms: alert.keep_firing_since_ms,
        value: match alert.value {
            Point::Float(value) => value,
            Point::Histogram(_) => 0.0,
        },
    }
}

fn duration(milliseconds: i64) -> Duration {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))
}
