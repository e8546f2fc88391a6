//! Rules that change labels, of targets before they are scraped and of series after it.

use fresnel_sdk::config::{Report, Validate};
use md5::{Digest, Md5};
use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::labels::Labels;

/// A rule as Prometheus writes it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RelabelConfig {
    /// Labels whose values, joined, are what the rule looks at.
    pub source_labels: Vec<String>,
    /// What they are joined by.
    pub separator: String,
    /// The label that is set.
    pub target_label: String,
    /// What the joined values, or for `label…` the names, must be as a whole.
    pub regex: Option<String>,
    /// What a hash is divided by.
    pub modulus: u64,
    /// What the label is set to; `$1` and `${name}` are the regex's groups.
    pub replacement: Option<String>,
    /// What is done.
    pub action: Action,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Sets the target label to the replacement where the regex fits.
    #[default]
    Replace,
    /// Keeps what the regex fits.
    Keep,
    /// Drops what the regex fits.
    Drop,
    /// Keeps where the joined values are those of the target label.
    Keepequal,
    /// Drops where the joined values are those of the target label.
    Dropequal,
    /// Sets the target label to a hash of the joined values, divided by the modulus: the remainder.
    Hashmod,
    /// Copies labels whose names the regex fits to names that the replacement says.
    Labelmap,
    /// Removes labels whose names the regex fits.
    Labeldrop,
    /// Removes labels whose names the regex does not fit.
    Labelkeep,
    /// Sets the target label to the joined values in small letters.
    Lowercase,
    /// Sets the target label to the joined values in capitals.
    Uppercase,
}

impl Default for RelabelConfig {
    fn default() -> Self {
        Self {
            source_labels: Vec::new(),
            separator: ";".into(),
            target_label: String::new(),
            regex: None,
            modulus: 0,
            replacement: None,
            action: Action::Replace,
        }
    }
}

impl Validate for RelabelConfig {
    fn validate(&self, report: &mut Report) {
        use Action::{
            Dropequal, Hashmod, Keepequal, Labeldrop, Labelkeep, Labelmap, Lowercase, Replace, Uppercase,
        };
        if let Some(Err(error)) = self.regex.as_deref().map(whole) {
            report.error("regex", format!("is not a regular expression: {error}"));
        }
        let action = self.action;
        let sets = matches!(action, Replace | Hashmod | Lowercase | Uppercase | Keepequal | Dropequal);
        if sets && self.target_label.is_empty() {
            report.error("action", "needs `target_label`");
        }
        if action == Hashmod && self.modulus == 0 {
            report.error("action", "needs `modulus`, at least 1");
        }
        let of_names = matches!(action, Labeldrop | Labelkeep);
        let more =
            !self.source_labels.is_empty() || !self.target_label.is_empty() || self.replacement.is_some();
        if of_names && more {
            report.error("action", "takes only `regex`");
        }
        if matches!(action, Keepequal | Dropequal) && (self.regex.is_some() || self.replacement.is_some()) {
            report.error("action", "takes only `source_labels` and `target_label`");
        }
        if action == Labelmap && self.replacement.as_deref() == Some("") {
            report.error("replacement", "must not be empty");
        }
    }
}

/// A rule, ready.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    config: RelabelConfig,
    regex: Regex,
    replacement: String,
}

impl Rule {
    pub(crate) fn new(config: &RelabelConfig) -> Result<Self, regex::Error> {
        Ok(Self {
            regex: whole(config.regex.as_deref().unwrap_or("(.*)"))?,
            replacement: config.replacement.clone().unwrap_or_else(|| "$1".into()),
            config: config.clone(),
        })
    }

    /// Changes the labels; false where they are dropped.
    fn apply(&self, labels: &mut Labels) -> bool {
        let RelabelConfig { source_labels, separator, target_label, action, modulus, .. } = &self.config;
        let values: Vec<&str> = source_labels.iter().map(|name| labels.get(name)).collect();
        let joined = values.join(separator);
        match action {
            Action::Keep => return self.regex.is_match(&joined),
            Action::Drop => return !self.regex.is_match(&joined),
            Action::Keepequal => return labels.get(target_label) == joined,
            Action::Dropequal => return labels.get(target_label) != joined,
            Action::Replace => self.replace(&joined, labels),
            Action::Lowercase => labels.set(target_label, joined.to_lowercase()),
            Action::Uppercase => labels.set(target_label, joined.to_uppercase()),
            Action::Hashmod => labels.set(target_label, (hash(&joined) % (*modulus).max(1)).to_string()),
            Action::Labeldrop => labels.retain(|name| !self.regex.is_match(name)),
            Action::Labelkeep => labels.retain(|name| self.regex.is_match(name)),
            Action::Labelmap => {
                let before = labels.clone();
                for (name, value) in before.iter() {
                    let new = self.regex.captures(name).map(|groups| expanded(&groups, &self.replacement));
                    if let Some(new) = new.filter(|new| !new.is_empty()) {
                        labels.set(&new, value);
                    }
                }
            }
        }
        true
    }

    fn replace(&self, joined: &str, labels: &mut Labels) {
        let Some(groups) = self.regex.captures(joined) else { return };
        let target = expanded(&groups, &self.config.target_label);
        if !target.is_empty() {
            labels.set(&target, expanded(&groups, &self.replacement));
        }
    }
}

/// Changes the labels by every rule in turn; false where they are dropped.
pub(crate) fn relabel(labels: &mut Labels, rules: &[Rule]) -> bool {
    rules.iter().all(|rule| rule.apply(labels))
}

/// A regular expression that fits a text as a whole.
fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?s:{pattern})$"))
}

fn expanded(groups: &Captures<'_>, template: &str) -> String {
    let mut out = String::new();
    groups.expand(template, &mut out);
    out
}

/// The last 8 bytes of the MD5 sum, as Prometheus has it: who splits targets over several of both
/// kinds gets the same parts.
fn hash(text: &str) -> u64 {
    let sum: [u8; 16] = Md5::digest(text.as_bytes()).into();
    u64::from_be_bytes(*sum.last_chunk::<8>().expect("it has 16"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn rule(json: serde_json::Value) -> Rule {
        Rule::new(&serde_json::from_value(json).unwrap()).unwrap()
    }

    /// What becomes of labels; none where they are dropped.
    fn after(pairs: &[(&str, &str)], rules: &[serde_json::Value]) -> Option<Vec<(String, String)>> {
        let rules: Vec<Rule> = rules.iter().cloned().map(rule).collect();
        let mut labels: Labels = pairs.iter().copied().collect();
        let kept = relabel(&mut labels, &rules);
        kept.then(|| labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], rules: &[serde_json::Value], expected: &[(&str, &str)]) {
        let expected =
            expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(after(pairs, rules), Some(expected), "{rules:?}");
    }

    #[test]
    fn every_action_does_what_prometheus_does() {
        use serde_json::json;
        let abc = [("a", "foo"), ("b", "bar"), ("c", "baz")];
        check(
            &abc,
            &[
                json!({"source_labels": ["a"], "regex": "f(.*)", "target_label": "d", "replacement": "ch${1}-ch${1}"}),
            ],
            &[("a", "foo"), ("b", "bar"), ("c", "baz"), ("d", "choo-choo")],
        );
        check(
            &abc,
            &[
                json!({"source_labels": ["a", "b"], "regex": "f(.*);(.*)r", "target_label": "a", "replacement": "b${1}${2}m"}),
            ],
            &[("a", "boobam"), ("b", "bar"), ("c", "baz")],
        );
        // Without a match nothing changes, and a value that becomes empty removes the label.
        check(
            &abc,
            &[json!({"source_labels": ["a"], "regex": "x", "target_label": "b", "replacement": "y"})],
            &abc,
        );
        check(&abc, &[json!({"target_label": "a", "replacement": ""})], &abc[1..]);
        check(
            &[("a", "x")],
            &[json!({"source_labels": ["a"], "regex": "(x)", "target_label": "l_$1", "replacement": "$1"})],
            &[("a", "x"), ("l_x", "x")],
        );
        // The regex fits as a whole, line breaks too.
        assert_eq!(after(&abc, &[json!({"source_labels": ["a"], "regex": "o", "action": "keep"})]), None);
        assert!(
            after(&[("a", "x\ny")], &[json!({"source_labels": ["a"], "regex": "x.y", "action": "keep"})])
                .is_some()
        );
        assert_eq!(after(&abc, &[json!({"source_labels": ["a"], "regex": ".*o.*", "action": "drop"})]), None);
        check(
            &[("a", "x"), ("b", "x")],
            &[json!({"source_labels": ["a"], "target_label": "b", "action": "keepequal"})],
            &[("a", "x"), ("b", "x")],
        );
        assert_eq!(
            after(
                &[("a", "x"), ("b", "x")],
                &[json!({"source_labels": ["a"], "target_label": "b", "action": "dropequal"})]
            ),
            None
        );
        check(
            &[("b1", "1"), ("b2", "2")],
            &[json!({"regex": "b(.*)", "replacement": "bar${1}", "action": "labelmap"})],
            &[("b1", "1"), ("b2", "2"), ("bar1", "1"), ("bar2", "2")],
        );
        check(&abc, &[json!({"regex": "a|b", "action": "labeldrop"})], &abc[2..]);
        check(&abc, &[json!({"regex": "a|b", "action": "labelkeep"})], &abc[..2]);
        check(
            &[("a", "aBc")],
            &[
                json!({"source_labels": ["a"], "target_label": "l", "action": "lowercase"}),
                json!({"source_labels": ["a"], "target_label": "u", "action": "uppercase"}),
            ],
            &[("a", "aBc"), ("l", "abc"), ("u", "ABC")],
        );
    }

    /// Prometheus' own example: the sum of `foo` is acbd18db4cc2f85cedef654fccc4a4d8.
    #[test]
    fn a_hash_is_that_of_prometheus() {
        let rule = serde_json::json!({"source_labels": ["a"], "target_label": "d", "action": "hashmod", "modulus": 1000});
        check(
            &[("a", "foo")],
            &[rule],
            &[("a", "foo"), ("d", &(0xedef_654f_ccc4_a4d8_u64 % 1000).to_string())],
        );
    }
}
