//! Rules and their alerts.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use promql::Labels;
use promql::ast::{MatchOp, Matcher};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::ask::{ActiveAlert, Alerting, Rule, RuleGroup};
use super::fault::PrometheusError;
use super::parameters::Parameters;
use super::{Fault, status};
use crate::route::Desk;
use crate::tenant::Scope;

/// What Prometheus shows for a time that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Groups of rules, how their last evaluation went, and their alerts.
#[utoipa::path(get, path = "/prometheus/api/v1/rules", tag = "prometheus",
    params(("type" = Option<String>, Query, description = "alert or record"),
        ("rule_name[]" = Option<Vec<String>>, Query, description = "Only rules with these names"),
        ("rule_group[]" = Option<Vec<String>>, Query, description = "Only groups with these names"),
        ("file[]" = Option<Vec<String>>, Query, description = "Only groups of these files"),
        ("match[]" = Option<Vec<String>>, Query, description = "Only rules whose labels, as they are written, fit a selector"),
        ("exclude_alerts" = Option<bool>, Query, description = "Leave out the alerts"),
        ("group_limit" = Option<u64>, Query, description = "Groups of an answer"),
        ("group_next_token" = Option<String>, Query, description = "Where the answer before ended")),
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object),
        (status = 400, body = PrometheusError)))]
pub(crate) async fn rules(
    State(desk): State<Desk>,
    Scope(tenant): Scope,
    parameters: Parameters,
) -> Result<Answer, Fault> {
    let filter = Filter::of(&parameters)?;
    let page = Page::of(&parameters)?;
    let groups = desk.queries.prometheus_rules(&tenant);
    Ok(Answer::of(page.cut(&groups, &filter)?.to_string()))
}

/// Alerts that are pending or fire.
#[utoipa::path(get, path = "/prometheus/api/v1/alerts", tag = "prometheus",
    responses((status = 200, description = "Prometheus' envelope", content_type = "application/json", body = Object)))]
pub(crate) async fn alerts(State(desk): State<Desk>, Scope(tenant): Scope) -> Answer {
    let groups = desk.queries.prometheus_rules(&tenant);
    let rules = groups.iter().flat_map(|group| &group.rules);
    let alerts = rules.filter_map(|rule| rule.alerting.as_ref()).flat_map(|alerting| &alerting.alerts);
    Answer::of(json!({"alerts": alerts.map(alert).collect::<Value>()}).to_string())
}

/// Which rules an answer has. An empty list wants all.
pub(super) struct Filter {
    alerting: Option<bool>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    selectors: Vec<Vec<Matcher>>,
    without_alerts: bool,
}

impl Filter {
    pub(super) fn of(parameters: &Parameters) -> Result<Self, Fault> {
        let alerting = match parameters.get("type").to_ascii_lowercase().as_str() {
            "" => None,
            "alert" => Some(true),
            "record" => Some(false),
            other => return Err(Fault::parameter("type", format!("not supported value \"{other}\""))),
        };
        let without_alerts = match parameters.get("exclude_alerts") {
            "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => false,
            "1" | "t" | "T" | "true" | "True" | "TRUE" => true,
            other => {
                let message = format!("error converting exclude_alerts: \"{other}\" is not a boolean");
                return Err(Fault::parameter("exclude_alerts", message));
            }
        };
        let all = |name| parameters.all(name).map(str::to_owned).collect();
        Ok(Self {
            alerting,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            selectors: parameters.selectors()?,
            without_alerts,
        })
    }

    fn wants_group(&self, group: &RuleGroup) -> bool {
        let wants = |list: &[String], text: &String| list.is_empty() || list.contains(text);
        wants(&self.groups, &group.name) && wants(&self.files, &group.file)
    }

    fn wants(&self, rule: &Rule) -> bool {
        let fits = |matchers: &Vec<Matcher>| matchers.iter().all(|matcher| fits(matcher, &rule.labels));
        self.alerting.is_none_or(|alerting| alerting == rule.alerting.is_some())
            && (self.names.is_empty() || self.names.contains(&rule.name))
            && (self.selectors.is_empty() || self.selectors.iter().any(fits))
    }

    /// The group with the rules that are wanted; none where there is no such rule.
    fn show(&self, group: &RuleGroup) -> Option<Value> {
        if !self.wants_group(group) {
            return None;
        }
        let rules: Vec<Value> =
            group.rules.iter().filter(|rule| self.wants(rule)).map(|rule| self.rule(rule)).collect();
        (!rules.is_empty()).then(|| {
            json!({
                "name": group.name,
                "file": group.file,
                "rules": rules,
                "interval": group.interval.as_secs_f64(),
                "limit": group.limit,
                "evaluationTime": group.evaluated.took.as_secs_f64(),
                "lastEvaluation": moment(group.evaluated.at_ms),
            })
        })
    }

    fn rule(&self, rule: &Rule) -> Value {
        let mut data = Map::new();
        let mut set = |name: &str, value: Value| data.insert(name.to_owned(), value);
        if let Some(Alerting { state, hold, keep_firing, annotations, alerts }) = &rule.alerting {
            let alerts = if self.without_alerts { &[][..] } else { alerts };
            set("state", json!(state));
            set("duration", json!(hold.as_secs_f64()));
            set("keepFiringFor", json!(keep_firing.as_secs_f64()));
            set("annotations", json!(annotations));
            set("alerts", alerts.iter().map(alert).collect());
        }
        set("name", json!(rule.name));
        set("query", json!(rule.query));
        // Prometheus leaves the labels out where a recording rule has none.
        if rule.alerting.is_some() || !rule.labels.is_empty() {
            set("labels", json!(rule.labels));
        }
        let (health, error) = match &rule.health {
            None => ("unknown", None),
            Some(Ok(())) => ("ok", None),
            Some(Err(error)) => ("err", Some(error)),
        };
        set("health", json!(health));
        if let Some(error) = error {
            set("lastError", json!(error));
        }
        set("evaluationTime", json!(rule.evaluated.took.as_secs_f64()));
        set("lastEvaluation", json!(moment(rule.evaluated.at_ms)));
        set("type", json!(if rule.alerting.is_some() { "alerting" } else { "recording" }));
        Value::Object(data)
    }
}

/// Which part of the groups an answer has.
pub(super) struct Page {
    limit: Option<usize>,
    after: Option<String>,
}

impl Page {
    pub(super) fn of(parameters: &Parameters) -> Result<Self, Fault> {
        let limit = match parameters.get("group_limit") {
            "" => None,
            text => match text.parse::<usize>() {
                Ok(limit) if limit > 0 => Some(limit),
                Ok(_) => {
                    return Err(Fault::parameter("group_limit", "group_limit needs to be greater than 0"));
                }
                Err(error) => {
                    let message = format!("group_limit needs to be a valid number: {error}");
                    return Err(Fault::parameter("group_limit", message));
                }
            },
        };
        let after = Some(parameters.get("group_next_token").to_owned()).filter(|token| !token.is_empty());
        if after.is_some() && limit.is_none() {
            let message = "group_limit needs to be present in order to paginate over the groups";
            return Err(Fault::parameter("group_next_token", message));
        }
        Ok(Self { limit, after })
    }

    /// The groups of the page that have rules that are wanted, and where the next one begins.
    pub(super) fn cut(&self, groups: &[Arc<RuleGroup>], filter: &Filter) -> Result<Value, Fault> {
        let wanted = groups.iter().filter_map(|group| filter.show(group).map(|shown| (token(group), shown)));
        let mut wanted: Vec<(String, Value)> = wanted.collect();
        if let Some(after) = &self.after {
            let Some(place) = wanted.iter().position(|(token, _)| token == after) else {
                let message = format!("invalid group_next_token '{after}'. were rule groups changed?");
                return Err(Fault::parameter("group_next_token", message));
            };
            wanted.drain(..place);
        }
        let limit = self.limit.unwrap_or(usize::MAX);
        let next = wanted.get(limit).map(|(token, _)| token.clone());
        let groups: Vec<Value> = wanted.into_iter().take(limit).map(|(_, shown)| shown).collect();
        let mut data = json!({"groups": groups});
        if let Some(next) = next {
            data["groupNextToken"] = json!(next);
        }
        Ok(data)
    }
}

/// What a group is known by, in letters that need no escaping.
fn token(group: &RuleGroup) -> String {
    let text = [group.file.as_bytes(), b";", group.name.as_bytes()];
    text.concat().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fits(matcher: &Matcher, labels: &BTreeMap<String, String>) -> bool {
    let value = labels.get(&matcher.name).map_or("", String::as_str);
    let matches = || matcher.regex.as_ref().is_some_and(|regex| regex.is_match(value));
    match matcher.op {
        MatchOp::Equal => matcher.value == value,
        MatchOp::NotEqual => matcher.value != value,
        MatchOp::Regex => matches(),
        MatchOp::NotRegex => !matches(),
    }
}

fn alert(alert: &ActiveAlert) -> Value {
    let mut data = json!({
        "labels": labels(&alert.labels),
        "annotations": alert.annotations,
        "state": alert.state,
        "activeAt": status::moment(alert.active_at_ms),
        "value": exponential(alert.value),
    });
    if let Some(since) = alert.keep_firing_since_ms {
        data["keepFiringSince"] = json!(status::moment(since));
    }
    data
}

fn labels(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), json!(value))).collect())
}

fn moment(at_ms: Option<i64>) -> String {
    at_ms.map_or_else(|| NEVER.to_owned(), status::moment)
}

/// With an exponent of two digits at least, as Prometheus shows values of alerts: `1.5e+00`.
fn exponential(value: f64) -> String {
    if !value.is_finite() {
        return promql::histogram::go_float(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::prometheus::Evaluated;

    fn rule(name: &str, labels: &[(&str, &str)], alerting: bool) -> Rule {
        let alert = ActiveAlert {
            labels: [("alertname", name), ("job", "web")].into_iter().collect(),
            annotations: BTreeMap::from([("summary".to_owned(), "bad".to_owned())]),
            state: "firing",
            active_at_ms: 1_500,
            keep_firing_since_ms: Some(3_000),
            value: 12.5,
        };
        Rule {
            name: name.to_owned(),
            query: "up == 0".to_owned(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            evaluated: Evaluated { at_ms: Some(60_000), took: Duration::from_millis(20) },
            health: Some(if name == "bad" { Err("no".to_owned()) } else { Ok(()) }),
            alerting: alerting.then(|| Alerting {
                state: "firing",
                hold: Duration::from_mins(1),
                keep_firing: Duration::ZERO,
                annotations: BTreeMap::from([("summary".to_owned(), "{{ $value }}".to_owned())]),
                alerts: vec![alert],
            }),
        }
    }

    fn groups() -> Vec<Arc<RuleGroup>> {
        let group = |file: &str, name: &str, rules| {
            let evaluated = Evaluated { at_ms: None, took: Duration::ZERO };
            let interval = Duration::from_secs(30);
            Arc::new(RuleGroup {
                name: name.to_owned(),
                file: file.to_owned(),
                interval,
                limit: 5,
                rules,
                evaluated,
            })
        };
        vec![
            group("a.yml", "one", vec![rule("r", &[], false), rule("A", &[("severity", "page")], true)]),
            group("a.yml", "two", vec![rule("bad", &[("team", "web")], false)]),
            group("b.yml", "one", vec![rule("B", &[], true)]),
        ]
    }

    fn shown(query: &str) -> Result<Value, String> {
        let parameters = Parameters::parse(query);
        let filter = Filter::of(&parameters).map_err(|fault| fault.message)?;
        let page = Page::of(&parameters).map_err(|fault| fault.message)?;
        page.cut(&groups(), &filter).map_err(|fault| fault.message)
    }

    fn names(query: &str) -> Vec<String> {
        let data = shown(query).unwrap();
        let groups = data["groups"].as_array().unwrap();
        let rules = groups.iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.map(|rule| rule["name"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn rules_have_prometheus_shape() {
        let data = shown("file[]=a.yml&rule_group[]=one").unwrap();
        assert_eq!(
            data,
            json!({"groups": [{
                "name": "one", "file": "a.yml", "interval": 30.0, "limit": 5, "evaluationTime": 0.0,
                "lastEvaluation": "0001-01-01T00:00:00Z",
                "rules": [
                    {
                        "name": "r", "query": "up == 0", "health": "ok", "evaluationTime": 0.02,
                        "lastEvaluation": "1970-01-01T00:01:00.000Z", "type": "recording",
                    },
                    {
                        "state": "firing", "name": "A", "query": "up == 0", "duration": 60.0, "keepFiringFor": 0.0,
                        "labels": {"severity": "page"}, "annotations": {"summary": "{{ $value }}"},
                        "alerts": [{
                            "labels": {"alertname": "A", "job": "web"}, "annotations": {"summary": "bad"},
                            "state": "firing", "activeAt": "1970-01-01T00:00:01.500Z",
                            "keepFiringSince": "1970-01-01T00:00:03.000Z", "value": "1.25e+01",
                        }],
                        "health": "ok", "evaluationTime": 0.02, "lastEvaluation": "1970-01-01T00:01:00.000Z",
                        "type": "alerting",
                    },
                ],
            }]})
        );
        let bad = shown("rule_name[]=bad").unwrap();
        let rule = &bad["groups"][0]["rules"][0];
        assert_eq!((&rule["health"], &rule["lastError"]), (&json!("err"), &json!("no")));
    }

    #[test]
    fn rules_are_chosen() {
        assert_eq!(names(""), ["r", "A", "bad", "B"]);
        assert_eq!(names("type=alert"), ["A", "B"]);
        assert_eq!(names("type=record"), ["r", "bad"]);
        assert_eq!(names("rule_name[]=A&rule_name[]=bad"), ["A", "bad"]);
        assert_eq!(names("rule_group[]=one"), ["r", "A", "B"]);
        assert_eq!(names("file[]=b.yml"), ["B"]);
        assert_eq!(names("match[]=%7Bseverity=%22page%22%7D&match[]=%7Bteam=~%22w.*%22%7D"), ["A", "bad"]);
        let without = shown("type=alert&exclude_alerts=true").unwrap();
        assert_eq!(without["groups"][0]["rules"][0]["alerts"], json!([]));
        assert_eq!(
            shown("type=other").unwrap_err(),
            "invalid parameter \"type\": not supported value \"other\""
        );
        assert!(shown("exclude_alerts=maybe").is_err() && shown("match[]=%7B%7D").is_err());
    }

    #[test]
    fn groups_come_in_pages() {
        let first = shown("group_limit=2").unwrap();
        assert_eq!(first["groups"].as_array().unwrap().len(), 2);
        let next = first["groupNextToken"].as_str().unwrap();
        let last = shown(&format!("group_limit=2&group_next_token={next}")).unwrap();
        assert_eq!((last["groups"][0]["file"].as_str(), last.get("groupNextToken")), (Some("b.yml"), None));
        for wrong in
            ["group_limit=0", "group_limit=x", "group_next_token=1", "group_limit=1&group_next_token=1"]
        {
            assert!(shown(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_have_an_exponent() {
        for (value, expected) in
            [(1.0, "1e+00"), (12.5, "1.25e+01"), (0.001, "1e-03"), (f64::NAN, "NaN"), (f64::INFINITY, "+Inf")]
        {
            assert_eq!(exponential(value), expected);
        }
    }
}
