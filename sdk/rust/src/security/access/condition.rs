//! Whether a condition holds: yes, no, or it cannot be said.

use std::cmp::Ordering;

use serde_json::Value;

use super::question::{Question, Subject};
use super::rules::{Condition, Operator};

impl Condition {
    /// Nothing if the attribute is not known, or of a type that does not go with the value.
    fn holds(&self, subject: &Subject, question: &Question) -> Option<bool> {
        let known = question.attribute(subject, &self.attribute);
        if self.operator == Operator::Exists {
            return Some(known.is_some() == self.value.as_bool()?);
        }
        let (found, value) = (known?, &self.value);
        let ordering = || compare(&found, value);
        match self.operator {
            Operator::Eq => equal(&found, value),
            Operator::Ne => equal(&found, value).map(|is| !is),
            Operator::In => any(value.as_array()?, |item| equal(&found, item)),
            Operator::NotIn => any(value.as_array()?, |item| equal(&found, item)).map(|is| !is),
            Operator::Contains => match (&found, value) {
                (Value::Array(items), value) => any(items, |item| equal(item, value)),
                (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
                _ => None,
            },
            Operator::StartsWith => Some(found.as_str()?.starts_with(value.as_str()?)),
            Operator::Gt => ordering().map(Ordering::is_gt),
            Operator::Gte => ordering().map(Ordering::is_ge),
            Operator::Lt => ordering().map(Ordering::is_lt),
            Operator::Lte => ordering().map(Ordering::is_le),
            Operator::Exists => None,
        }
    }
}

/// Whether all conditions hold: no if one does not, whatever cannot be said of the others.
pub(super) fn all_hold(conditions: &[Condition], subject: &Subject, question: &Question) -> Option<bool> {
    let mut all = Some(true);
    for condition in conditions {
        match condition.holds(subject, question) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => all = None,
        }
    }
    all
}

/// Whether it is so for one: yes if it is for any, whatever cannot be said of the others.
fn any(items: &[Value], is: impl Fn(&Value) -> Option<bool>) -> Option<bool> {
    let mut found = Some(false);
    for item in items {
        match is(item) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => found = None,
        }
    }
    found
}

/// Values of different types are not different: they cannot be compared.
fn equal(one: &Value, other: &Value) -> Option<bool> {
    match (one, other) {
        (Value::Number(_), Value::Number(_)) => compare(one, other).map(Ordering::is_eq),
        _ => (std::mem::discriminant(one) == std::mem::discriminant(other)).then(|| one == other),
    }
}

fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        // As whole numbers where they are: a large id is no fraction.
        (Value::Number(one), Value::Number(other)) => match (one.as_i128(), other.as_i128()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        _ => None,
    }
}
