//! The evaluation of a group of rules.
//!
//! Enters: a group of a file, the time of each evaluation, and [`Series`] to read from and write to.
//! Leaves: samples of recording rules, `ALERTS` and `ALERTS_FOR_STATE`, markers where series end, and
//! the state of each alert. Must hold: what Prometheus 3 does, with its words for what goes wrong; a
//! rule that fails leaves the state of the one before as it was; no clock.

mod alert;
mod recording;
mod restore;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use promql::histogram::STALE_NAN_BITS;
use promql::{Labels, Point, Sample, Value, Vector};

pub use alert::{Alert, AlertState};
pub use restore::Restore;

use crate::rules::{Rule, RuleGroup, Texts};

/// Where rules read, and where what they give goes.
pub trait Series {
    /// Evaluates an expression at a time.
    ///
    /// # Errors
    /// Why there is no answer.
    fn query(&self, expr: &str, time_ms: i64) -> Result<Value, String>;

    /// Keeps samples; the next query finds them.
    ///
    /// # Errors
    /// Why not all of them were kept.
    fn append(&mut self, samples: Vec<Sample>) -> Result<(), String>;
}

/// What a group does not say itself.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// Between evaluations, milliseconds; more than 0.
    pub interval_ms: i64,
    /// How far in the past rules are evaluated, milliseconds.
    pub query_offset_ms: i64,
    /// Most series or alerts of a rule, also where the group allows more; 0 for no limit.
    pub limit: usize,
    /// `$externalLabels` of templates.
    pub external_labels: Labels,
    /// `$externalURL` of templates.
    pub external_url: String,
}

/// A group of rules and how they are.
#[derive(Debug)]
pub struct Group {
    name: String,
    file: String,
    interval_ms: i64,
    query_offset_ms: i64,
    /// As the file has it.
    limit: usize,
    /// What holds.
    limit_in_force: usize,
    rules: Vec<RuleState>,
    /// Series of rules that are no longer there; they are ended at the next evaluation.
    ended: BTreeSet<Labels>,
    surroundings: Surroundings,
}

/// What templates may speak of besides the alert.
#[derive(Debug)]
struct Surroundings {
    external_labels: Labels,
    external_url: String,
}

/// A rule and how it is.
#[derive(Debug)]
pub struct RuleState {
    rule: Rule,
    expr: String,
    /// What the last evaluation that went well gave.
    series: BTreeSet<Labels>,
    alerts: BTreeMap<Labels, Alert>,
    /// Samples of alerts are written only when it is known how long they have been active.
    restored: bool,
    health: Health,
}

/// How the last evaluation of a rule went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// There was none.
    Unknown,
    /// Well.
    Ok,
    /// Not well.
    Bad(RuleError),
}

/// Why a rule was not evaluated. The texts are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The expression has no answer.
    #[error("{0}")]
    Query(String),
    /// The samples were not kept.
    #[error("{0}")]
    Append(String),
    /// The expression gives a range or a text.
    #[error("rule result is not a vector or scalar")]
    NotAVector,
    /// Two series of a recording rule became one.
    #[error("vector contains metrics with the same labelset after applying rule labels")]
    SameSeries,
    /// Two series of an alerting rule became one.
    #[error("vector contains metrics with the same labelset after applying alert labels")]
    SameAlert,
    /// More series than the group's limit.
    #[error("exceeded limit of {limit} with {count} series")]
    TooManySeries {
        /// The group's.
        limit: usize,
        /// What there was.
        count: usize,
    },
    /// More alerts than the group's limit.
    #[error("exceeded limit of {limit} with {count} alerts")]
    TooManyAlerts {
        /// The group's.
        limit: usize,
        /// What there was.
        count: usize,
    },
}

impl Group {
    /// A group that was never evaluated. `file` is where it stands; together with its name it is what
    /// it is known by.
    pub fn new(file: &str, group: RuleGroup, defaults: &Defaults) -> Self {
        let state = |rule: Rule| RuleState {
            expr: rule.expr().to_string(),
            rule,
            series: BTreeSet::new(),
            alerts: BTreeMap::new(),
            restored: false,
            health: Health::Unknown,
        };
        Self {
            name: group.name,
            file: file.to_owned(),
            interval_ms: group.interval_ms.unwrap_or(defaults.interval_ms).max(1),
            query_offset_ms: group.query_offset_ms.unwrap_or(defaults.query_offset_ms),
            limit: group.limit,
            limit_in_force: match (group.limit, defaults.limit) {
                (0, limit) | (limit, 0) => limit,
                (own, all) => own.min(all),
            },
            rules: group.rules.into_iter().map(state).collect(),
            ended: BTreeSet::new(),
            surroundings: Surroundings {
                external_labels: defaults.external_labels.clone(),
                external_url: defaults.external_url.clone(),
            },
        }
    }

    /// Within its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Between evaluations, milliseconds.
    pub fn interval_ms(&self) -> i64 {
        self.interval_ms
    }

    /// How far in the past it is evaluated, milliseconds.
    pub fn query_offset_ms(&self) -> i64 {
        self.query_offset_ms
    }

    /// Most series or alerts of a rule as the file has it; 0 for none of its own.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// In the order in which they are evaluated.
    pub fn rules(&self) -> &[RuleState] {
        &self.rules
    }

    /// The time of the last evaluation that is due at `now_ms` or before. Groups have different
    /// places within their interval, so that they are not all evaluated at once, and the same place
    /// after every start.
    pub fn slot_ms(&self, now_ms: i64) -> i64 {
        let offset = self.place_within_interval();
        (now_ms - offset).div_euclid(self.interval_ms) * self.interval_ms + offset
    }

    fn place_within_interval(&self) -> i64 {
        // FNV-1a: any hash that is the same everywhere would do.
        let text = [self.file.as_bytes(), b";", self.name.as_bytes()];
        let hash = text.into_iter().flatten().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let interval = u64::try_from(self.interval_ms).unwrap_or(1);
        i64::try_from(hash % interval).unwrap_or(0)
    }

    /// Evaluates every rule, in their order.
    pub fn evaluate(&mut self, time_ms: i64, series: &mut dyn Series) {
        for index in 0..self.rules.len() {
            self.evaluate_rule(index, time_ms, series);
        }
        // What could not be ended is tried again with the next evaluation.
        let _ = self.end_series(time_ms, series);
    }

    /// Evaluates one rule; how many samples it gave. What went wrong stands in its health.
    ///
    /// # Panics
    /// When there is no such rule.
    pub fn evaluate_rule(&mut self, index: usize, time_ms: i64, series: &mut dyn Series) -> usize {
        let rule = &mut self.rules[index];
        let evaluation = Evaluation {
            time_ms,
            sample_ms: time_ms - self.query_offset_ms,
            limit: self.limit_in_force,
            surroundings: &self.surroundings,
        };
        match rule.evaluate(&evaluation, series) {
            Ok(samples) => {
                rule.health = Health::Ok;
                samples
            }
            Err(error) => {
                rule.health = Health::Bad(error);
                0
            }
        }
    }

    /// Ends the series of rules that are no longer there.
    ///
    /// # Errors
    /// [`RuleError::Append`]; it can be tried again.
    pub fn end_series(&mut self, time_ms: i64, series: &mut dyn Series) -> Result<(), RuleError> {
        if self.ended.is_empty() {
            return Ok(());
        }
        let at = time_ms - self.query_offset_ms;
        let markers = self.ended.iter().map(|labels| stale(labels.clone(), at)).collect();
        series.append(markers).map_err(RuleError::Append)?;
        self.ended.clear();
        Ok(())
    }

    /// Ends all series of a group that is no longer there.
    ///
    /// # Errors
    /// [`RuleError::Append`].
    pub fn end(mut self, time_ms: i64, series: &mut dyn Series) -> Result<(), RuleError> {
        self.ended.extend(self.rules.into_iter().flat_map(|rule| rule.series));
        self.rules = Vec::new();
        self.end_series(time_ms, series)
    }

    /// Takes over the state of the same group as it was before its file changed. Rules are the same
    /// when name and labels are; what others gave is ended.
    pub fn adopt(&mut self, before: Self) {
        self.ended.extend(before.ended);
        let mut left: Vec<Option<RuleState>> = before.rules.into_iter().map(Some).collect();
        for rule in &mut self.rules {
            let same = left.iter_mut().find(|old| {
                old.as_ref().is_some_and(|old| {
                    old.rule.name() == rule.rule.name() && old.rule.labels() == rule.rule.labels()
                })
            });
            let Some(old) = same.and_then(Option::take) else {
                // There was nothing of it that could be remembered.
                rule.restored = true;
                continue;
            };
            rule.series = old.series;
            rule.restored = old.restored;
            if let (Rule::Alerting(_), Rule::Alerting(_)) = (&rule.rule, &old.rule) {
                rule.alerts = old.alerts;
            }
        }
        self.ended.extend(left.into_iter().flatten().flat_map(|old| old.series));
    }

    /// Whether it is known of every alert how long it has been active.
    pub fn is_restored(&self) -> bool {
        self.rules.iter().all(|rule| rule.restored || matches!(rule.rule, Rule::Recording(_)))
    }

    /// Begins without a memory: alerts count from their first evaluation.
    pub fn begin_anew(&mut self) {
        self.rules.iter_mut().for_each(|rule| rule.restored = true);
    }
}

/// One evaluation of a rule.
struct Evaluation<'a> {
    /// When it is.
    time_ms: i64,
    /// Of what is asked and written: earlier by the group's offset.
    sample_ms: i64,
    limit: usize,
    surroundings: &'a Surroundings,
}

impl RuleState {
    /// What it says.
    pub fn rule(&self) -> &Rule {
        &self.rule
    }

    /// The expression as Prometheus prints it.
    pub fn expr(&self) -> &str {
        &self.expr
    }

    /// How its last evaluation went.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Alerts that are pending or fire, ascending by their labels; those that ended lately are not
    /// among them.
    pub fn active_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().filter(|alert| alert.resolved_at_ms.is_none())
    }

    /// The highest state of its alerts.
    pub fn state(&self) -> AlertState {
        self.alerts.values().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
    }

    fn evaluate(&mut self, evaluation: &Evaluation<'_>, series: &mut dyn Series) -> Result<usize, RuleError> {
        let vector = vector(series, &self.expr, evaluation.sample_ms).map_err(RuleError::Query)?;
        let vector = vector.ok_or(RuleError::NotAVector)?;
        let mut samples = match &self.rule {
            Rule::Recording(rule) => recording::record(rule, vector, evaluation.limit)?,
            Rule::Alerting(rule) => {
                let alerts = alert::alerts_of(rule, vector, evaluation, series)?;
                alert::advance(rule, &mut self.alerts, alerts, evaluation)?;
                let active = self.alerts.values().filter(|alert| alert.state != AlertState::Inactive);
                let samples = active.filter(|_| self.restored);
                samples.flat_map(|alert| alert.samples(evaluation.sample_ms)).collect()
            }
        };
        let count = samples.len();
        let given: BTreeSet<Labels> = samples.iter().map(|sample| sample.labels.clone()).collect();
        let gone = self.series.difference(&given);
        samples.extend(gone.map(|labels| stale(labels.clone(), evaluation.sample_ms)));
        if !samples.is_empty() {
            series.append(samples).map_err(RuleError::Append)?;
        }
        self.series = given;
        Ok(count)
    }
}

/// The marker that ends a series.
fn stale(labels: Labels, time_ms: i64) -> Sample {
    Sample { labels, time_ms, point: Point::Float(f64::from_bits(STALE_NAN_BITS)) }
}

/// What an expression gives, where that is a vector or a number.
pub(crate) fn vector(series: &dyn Series, expr: &str, time_ms: i64) -> Result<Option<Vector>, String> {
    Ok(match series.query(expr, time_ms)? {
        Value::Vector(vector) => Some(vector),
        Value::Scalar { time_ms, value } => {
            Some(vec![Sample { labels: Labels::default(), time_ms, point: Point::Float(value) }])
        }
        Value::String { .. } | Value::Matrix(_) => None,
    })
}

/// Texts that were filled in.
pub type Annotations = Texts<String>;
