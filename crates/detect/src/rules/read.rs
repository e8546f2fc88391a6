//! From the tree of a file to rules.

use std::collections::HashMap;

use promql::ast::Expr;
use promql::{METRIC_NAME, ParseOptions};

use super::{AlertingRule, RecordingRule, Rule, RuleFile, RuleGroup, Texts};
use crate::template::Template;
use crate::yaml::{Fields, Key, Node, Place, Problem, Reading, place_within};

pub(super) fn file(
    source: &str,
    tree: Option<&Node>,
    options: &ParseOptions,
) -> Result<RuleFile, Vec<Problem>> {
    let mut reader = Reader { reading: Reading::default(), source, options };
    let groups = tree.map(|tree| reader.groups(tree)).unwrap_or_default();
    reader.reading.finish(RuleFile { groups })
}

struct Reader<'a> {
    reading: Reading,
    source: &'a str,
    options: &'a ParseOptions,
}

/// Which rule is read, for messages.
struct Whose<'a> {
    group: &'a str,
    /// From 1.
    number: usize,
    name: &'a str,
}

impl Whose<'_> {
    fn says(&self, message: impl std::fmt::Display) -> String {
        format!("group \"{}\", rule {}, \"{}\": {message}", self.group, self.number, self.name)
    }
}

/// A name and a text with their places.
type Written<'n> = (&'n Key, String, Place);

impl Reader<'_> {
    fn groups(&mut self, tree: &Node) -> Vec<RuleGroup> {
        let Some(mut fields) = self.reading.table(tree) else { return Vec::new() };
        let groups = self.reading.list(fields.get("groups"));
        self.reading.close(&fields);
        let mut names: HashMap<String, Place> = HashMap::new();
        let mut read = Vec::new();
        for node in groups {
            let Some(group) = self.group(node) else { continue };
            if names.insert(group.name.clone(), node.at).is_some() {
                let message = format!("groupname: \"{}\" is repeated in the same file", group.name);
                self.reading.wrong(node.at, message);
            }
            read.push(group);
        }
        read
    }

    fn group(&mut self, node: &Node) -> Option<RuleGroup> {
        let mut fields = self.reading.table(node)?;
        let name = self.reading.text(fields.get("name")).unwrap_or_default();
        if name.is_empty() {
            self.reading.wrong(fields.place("name"), "Groupname must not be empty");
        }
        let interval_ms = self.reading.duration(fields.get("interval"));
        let query_offset_ms = self.reading.duration(fields.get("query_offset"));
        // Prometheus takes a negative limit, and it limits nothing.
        let limit = self.reading.integer(fields.get("limit")).unwrap_or(0);
        let labels = self.reading.texts(fields.get("labels"));
        let rules = self.reading.list(fields.get("rules"));
        self.reading.close(&fields);
        for (key, ..) in &labels {
            if let Some(fault) = label_fault(&key.text) {
                self.reading.wrong(key.at, fault);
            }
        }
        let numbered = (1..).zip(rules);
        let rules = numbered.filter_map(|(number, node)| self.rule(&name, number, node, &labels)).collect();
        Some(RuleGroup {
            name,
            interval_ms: interval_ms.filter(|interval| *interval > 0),
            query_offset_ms,
            limit: usize::try_from(limit).unwrap_or(0),
            rules,
        })
    }

    fn rule(
        &mut self,
        group: &str,
        number: usize,
        node: &Node,
        group_labels: &[Written<'_>],
    ) -> Option<Rule> {
        let mut fields = self.reading.table(node)?;
        let mut text = |name| self.reading.text(fields.get(name)).filter(|text| !text.is_empty());
        let (record, alert) = (text("record"), text("alert"));
        let name = alert.as_deref().or(record.as_deref()).unwrap_or_default();
        let whose = Whose { group, number, name };
        let expr = self.expression(&mut fields, &whose);
        let for_ms = self.reading.duration(fields.get("for")).unwrap_or(0);
        let keep_firing_for_ms = self.reading.duration(fields.get("keep_firing_for")).unwrap_or(0);
        let own = self.reading.texts(fields.get("labels"));
        let annotations = self.reading.texts(fields.get("annotations"));
        self.reading.close(&fields);
        for (key, ..) in &own {
            if let Some(fault) = label_fault(&key.text) {
                self.reading.wrong(key.at, whose.says(fault));
            }
        }
        let labels: Vec<&Written<'_>> = group_labels.iter().chain(&own).collect();
        match (&record, &alert) {
            (Some(_), Some(_)) => {
                let message = whose.says("only one of 'record' and 'alert' must be set");
                self.reading.wrong(fields.place("record"), message);
                None
            }
            (None, None) => {
                self.reading.wrong(fields.at, whose.says("one of 'record' or 'alert' must be set"));
                None
            }
            (Some(name), None) => {
                let more = [
                    ("annotations", !annotations.is_empty()),
                    ("for", for_ms != 0),
                    ("keep_firing_for", keep_firing_for_ms != 0),
                ];
                self.check_recording(&fields, &whose, more);
                let labels = labels.iter().map(|(key, text, _)| (key.text.clone(), text.clone())).collect();
                Some(Rule::Recording(RecordingRule { name: name.clone(), expr: expr?, labels }))
            }
            (None, Some(name)) => {
                let labels = self.templates(&whose, "label", labels.into_iter());
                let annotations = self.templates(&whose, "annotation", annotations.iter());
                Some(Rule::Alerting(AlertingRule {
                    name: name.clone(),
                    expr: expr?,
                    for_ms,
                    keep_firing_for_ms,
                    labels,
                    annotations,
                }))
            }
        }
    }

    fn expression(&mut self, fields: &mut Fields<'_>, whose: &Whose<'_>) -> Option<Expr> {
        let node = fields.get("expr");
        let text = self.reading.text(node).filter(|text| !text.is_empty());
        let (Some(node), Some(text)) = (node, text) else {
            self.reading.wrong(fields.place("expr"), whose.says("field 'expr' must be set in rule"));
            return None;
        };
        match promql::parse(&text, self.options) {
            Ok(expr) => Some(expr),
            Err(error) => {
                let place = place_within(self.source, node, &text, error.span.start);
                self.reading.wrong(place, whose.says(format!("could not parse expression: {error}")));
                None
            }
        }
    }

    fn check_recording(&mut self, fields: &Fields<'_>, whose: &Whose<'_>, more: [(&'static str, bool); 3]) {
        for (field, there) in more {
            if there {
                let message = whose.says(format!("invalid field '{field}' in recording rule"));
                self.reading.wrong(fields.place(field), message);
            }
        }
        if whose.name.contains(['{', '}']) {
            let message =
                format!("braces present in the recording rule name; should it be in expr?: {}", whose.name);
            self.reading.wrong(fields.place("record"), whose.says(message));
        }
    }

    fn templates<'n>(
        &mut self,
        whose: &Whose<'_>,
        what: &str,
        texts: impl Iterator<Item = &'n Written<'n>>,
    ) -> Texts<Template> {
        let mut templates = Texts::new();
        for (key, text, at) in texts {
            if key.text.is_empty() {
                self.reading.wrong(key.at, whose.says(format!("invalid {what} name: ")));
            }
            match Template::parse(text) {
                Ok(template) => {
                    templates.insert(key.text.clone(), template);
                }
                Err(error) => {
                    self.reading.wrong(*at, whose.says(format!("{what} \"{}\": {error}", key.text)))
                }
            }
        }
        templates
    }
}

/// Any text is a label's name but the empty one and the one that holds the metric's.
fn label_fault(name: &str) -> Option<String> {
    (name.is_empty() || name == METRIC_NAME).then(|| format!("invalid label name: {name}"))
}
