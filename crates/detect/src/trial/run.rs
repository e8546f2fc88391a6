//! Runs the tests of a file.

use promql::{Options, Sample};

use super::store::Store;
use super::{AlertCase, EVALUATIONS_MAX, ExpressionCase, Test, TrialFile, TrialOptions, compare};
use crate::group::{AlertState, Defaults, Group, Health, RuleError, Series};
use crate::rules::{Rule, RuleFile, Texts};

/// How the tests of a file went.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Things that were expected.
    pub cases: usize,
    /// Things that were not as expected; those that were not looked at, because rules failed, among
    /// them.
    pub failed: usize,
    /// What went wrong.
    pub failures: Vec<Failure>,
}

/// Something that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Where in the file it was expected; 0 where it is about a rule.
    pub line: usize,
    /// From 1; 0 where it is about a rule.
    pub column: usize,
    /// The name of the test.
    pub test: Option<String>,
    /// Milliseconds from the test's start.
    pub time_ms: i64,
    /// What it is.
    pub kind: FailureKind,
}

/// What went wrong.
#[derive(Clone, Debug)]
pub enum FailureKind {
    /// A rule could not be evaluated; the test ends there.
    Rule {
        /// The group's name.
        group: String,
        /// The rule's name.
        rule: String,
        /// Why.
        error: String,
    },
    /// Other alerts fire than were expected.
    Alerts {
        /// Their name.
        name: String,
        /// Each as its labels, and its annotations one a line.
        expected: Vec<Vec<String>>,
        /// The same of those that there are.
        got: Vec<Vec<String>>,
    },
    /// An expression gives something else.
    Samples {
        /// The expression.
        expr: String,
        /// One a line.
        expected: Vec<String>,
        /// The same of those that there are.
        got: Vec<String>,
    },
    /// An expression has no answer.
    Query {
        /// The expression.
        expr: String,
        /// Why.
        error: String,
    },
    /// The test would take too many evaluations.
    TooLong {
        /// How many.
        evaluations: i64,
    },
}

/// Runs the tests of a file with the rule files that it names, each with its name.
pub fn run(file: &TrialFile, rules: &[(String, RuleFile)], options: TrialOptions) -> Report {
    let mut report = Report { cases: file.cases(), ..Report::default() };
    for test in &file.tests {
        let trial = Trial::new(file, test, rules, options);
        let before = report.failures.len();
        let cut_short = trial.run(&mut report.failures);
        let cases = test.alerts.len() + test.expressions.len();
        // Whatever was not looked at did not pass.
        report.failed += if cut_short { cases } else { report.failures.len() - before };
    }
    report
}

struct Trial<'a> {
    file: &'a TrialFile,
    test: &'a Test,
    store: Store,
    groups: Vec<Group>,
}

impl<'a> Trial<'a> {
    fn new(file: &'a TrialFile, test: &'a Test, rules: &[(String, RuleFile)], options: TrialOptions) -> Self {
        let mut store = Store::new(Options {
            subquery_step_ms: file.evaluation_interval_ms,
            experimental: options.experimental,
            ..Options::default()
        });
        for series in &test.series {
            store.load(series, test.start_ms, test.interval_ms);
        }
        let defaults = Defaults {
            interval_ms: test.interval_ms,
            query_offset_ms: 0,
            limit: 0,
            external_labels: test.external_labels.clone(),
            external_url: test.external_url.clone(),
        };
        let all = rules.iter().flat_map(|(name, rules)| rules.groups.iter().map(move |group| (name, group)));
        let mut groups: Vec<Group> =
            all.map(|(name, group)| Group::new(name, group.clone(), &defaults)).collect();
        groups.iter_mut().for_each(Group::begin_anew);
        // A group that is not named comes with the first that is, as in promtool.
        let order = &file.group_eval_order;
        groups.sort_by_key(|group| order.iter().position(|name| name == group.name()).unwrap_or(0));
        Self { file, test, store, groups }
    }

    fn failure(&self, case: Option<(usize, usize)>, time_ms: i64, kind: FailureKind) -> Failure {
        let (line, column) = case.unwrap_or_default();
        Failure { line, column, test: self.test.name.clone(), time_ms, kind }
    }

    /// Evaluates and compares; whether it ended before everything was compared.
    fn run(mut self, failures: &mut Vec<Failure>) -> bool {
        let interval_ms = self.file.evaluation_interval_ms;
        let times = self.test.alerts.iter().map(|case| case.eval_time_ms);
        let times = times.chain(self.test.expressions.iter().map(|case| case.eval_time_ms));
        let last_ms = times.max().unwrap_or(0);
        let evaluations = last_ms / interval_ms;
        if evaluations > EVALUATIONS_MAX {
            failures.push(self.failure(None, last_ms, FailureKind::TooLong { evaluations }));
            return true;
        }
        let mut alerts: Vec<&AlertCase> = self.test.alerts.iter().collect();
        alerts.sort_by_key(|case| case.eval_time_ms);
        let mut alerts = alerts.into_iter().peekable();
        for evaluation in 0..=evaluations {
            let time_ms = evaluation * interval_ms;
            if self.evaluate(time_ms, failures) {
                return true;
            }
            // What is expected between two evaluations is compared with the first of them.
            while let Some(case) = alerts.next_if(|case| case.eval_time_ms < time_ms + interval_ms) {
                failures.extend(self.check_alerts(case));
            }
        }
        let expressions = self.test.expressions.iter();
        failures.extend(expressions.filter_map(|case| self.check_expression(case)));
        false
    }

    /// Evaluates all groups; whether a rule failed.
    fn evaluate(&mut self, time_ms: i64, failures: &mut Vec<Failure>) -> bool {
        let now_ms = self.test.start_ms + time_ms;
        self.store.until_ms = now_ms;
        let before = failures.len();
        for at in 0..self.groups.len() {
            self.groups[at].evaluate(now_ms, &mut self.store);
            let group = &self.groups[at];
            for rule in group.rules() {
                if let Health::Bad(error) = rule.health() {
                    let (group, rule) = (group.name().to_owned(), rule.rule().name().to_owned());
                    let kind = FailureKind::Rule { group, rule, error: error.to_string() };
                    failures.push(self.failure(None, time_ms, kind));
                }
            }
        }
        failures.len() > before
    }

    fn check_alerts(&self, case: &AlertCase) -> Option<Failure> {
        let rules = self.groups.iter().flat_map(Group::rules);
        let rules =
            rules.filter(|rule| matches!(rule.rule(), Rule::Alerting(_)) && rule.rule().name() == case.name);
        let firing =
            rules.flat_map(|rule| rule.active_alerts()).filter(|alert| alert.state == AlertState::Firing);
        let mut got: Vec<(Texts<String>, Texts<String>)> = firing
            .map(|alert| {
                let labels = alert.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                (labels.collect(), alert.annotations.clone())
            })
            .collect();
        let mut expected = case.expected.clone();
        got.sort();
        expected.sort();
        if got == expected {
            return None;
        }
        let lines =
            |alerts: &[(Texts<String>, Texts<String>)]| alerts.iter().map(compare::alert_lines).collect();
        let kind =
            FailureKind::Alerts { name: case.name.clone(), expected: lines(&expected), got: lines(&got) };
        Some(self.failure(Some((case.at.line, case.at.column)), case.eval_time_ms, kind))
    }

    fn check_expression(&self, case: &ExpressionCase) -> Option<Failure> {
        let expr = case.expr.clone();
        let kind = match self.query(case) {
            Err(error) => FailureKind::Query { expr, error },
            Ok(mut got) => {
                let mut expected = case.expected.clone();
                if compare::samples(&mut expected, &mut got, self.file.fuzzy_compare) {
                    return None;
                }
                let expected = expected.iter();
                FailureKind::Samples {
                    expr,
                    expected: expected.map(|one| compare::sample_line(&one.labels, &one.point)).collect(),
                    got: got.iter().map(|one| compare::sample_line(&one.labels, &one.point)).collect(),
                }
            }
        };
        Some(self.failure(Some((case.at.line, case.at.column)), case.eval_time_ms, kind))
    }

    fn query(&self, case: &ExpressionCase) -> Result<Vec<Sample>, String> {
        let series: &dyn Series = &self.store;
        let vector = crate::group::vector(series, &case.expr, self.test.start_ms + case.eval_time_ms)?;
        vector.ok_or_else(|| RuleError::NotAVector.to_string())
    }
}
