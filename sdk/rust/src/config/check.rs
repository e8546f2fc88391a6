//! The tree against the shape: everything that is wrong, not only the first.

use std::net::SocketAddr;

use serde_json::Value as Json;

use super::error::{Failure, Problem};
use super::node::{Node, Value};
use super::path::KeyPath;
use super::shape::{Kind, Scalar, Shape, Table, Variant};
use super::text::suggest;
use super::unit::{ByteSize, Duration};

/// Everything that does not fit.
pub(super) fn check(node: &Node, shape: &Shape) -> Vec<Failure> {
    let mut checker = Checker { problems: Vec::new() };
    checker.node(node, shape, &KeyPath::default());
    checker.problems
}

struct Checker {
    problems: Vec<Failure>,
}

impl Checker {
    fn wrong(&mut self, node: &Node, path: &KeyPath, predicate: &str) {
        self.problems.push((path.clone(), Problem::about(node.origin.clone(), path, predicate)));
    }

    fn node(&mut self, node: &Node, shape: &Shape, path: &KeyPath) {
        if shape.nullable && node.is_null() {
            return;
        }
        match (&shape.kind, &node.value) {
            (Kind::Any, _) => {}
            (Kind::Scalar(scalar), Value::Leaf(json)) if !json.is_null() => {
                if let Some(predicate) = scalar_problem(scalar, json) {
                    self.wrong(node, path, &predicate);
                }
            }
            (Kind::List(item), Value::List(items)) => {
                for (index, node) in items.iter().enumerate() {
                    self.node(node, item, &path.index(index));
                }
            }
            (Kind::Table(table), Value::Table(_)) => self.table(node, table, path),
            (Kind::Choice(variants), _) => self.choice(node, variants, shape, path),
            _ => self.wrong(node, path, &format!("must be {}, got {}", expected(shape), got(node, shape))),
        }
    }

    fn table(&mut self, node: &Node, table: &Table, path: &KeyPath) {
        let Value::Table(entries) = &node.value else { return };
        for (key, entry) in entries {
            let field = table.fields.iter().find(|field| field.name == *key);
            match field.map(|field| &field.shape).or(table.entries.as_deref()) {
                Some(shape) => self.node(entry, shape, &path.key(key)),
                None => {
                    let problem = unknown(entry, key, path, table.fields.iter().map(|field| &*field.name));
                    self.problems.push((path.key(key), problem));
                }
            }
        }
        for field in table.fields.iter().filter(|field| field.required && !entries.contains_key(&field.name))
        {
            let path = path.key(&field.name);
            let problem = Problem::about(node.origin.clone(), &path, "is missing");
            self.problems.push((path, problem));
        }
    }

    fn choice(&mut self, node: &Node, variants: &[Variant], shape: &Shape, path: &KeyPath) {
        let names = || variants.iter().map(|variant| variant.name.as_str());
        match &node.value {
            Value::Leaf(Json::String(name))
                if variants.iter().any(|v| v.name == *name && v.shape.is_none()) => {}
            Value::Leaf(Json::String(name)) if !shape.holds_secret() => {
                let hint =
                    suggest(name, names()).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
                self.wrong(node, path, &format!("must be {}, got {name}{hint}", one_of(variants)));
            }
            Value::Table(entries) if entries.len() == 1 => {
                for (key, entry) in entries {
                    match variants.iter().find(|variant| variant.name == *key) {
                        Some(Variant { shape: Some(shape), .. }) => self.node(entry, shape, &path.key(key)),
                        Some(_) => {
                            self.wrong(entry, path, &format!("must be {}, got a table", one_of(variants)))
                        }
                        None => {
                            let mut problem = unknown(entry, key, path, names());
                            if suggest(key, names()).is_none() {
                                let known = format!(", it must be {}", one_of(variants));
                                problem.message.push_str(&known);
                            }
                            self.problems.push((path.clone(), problem));
                        }
                    }
                }
            }
            Value::Table(entries) if entries.len() > 1 => {
                let keys: Vec<_> = entries.keys().map(|key| format!("`{key}`")).collect();
                self.wrong(node, path, &format!("must be only one of {}", keys.join(" and ")));
            }
            _ => self.wrong(node, path, &format!("must be {}, got {}", one_of(variants), got(node, shape))),
        }
    }
}

fn unknown<'a>(entry: &Node, key: &str, path: &KeyPath, known: impl IntoIterator<Item = &'a str>) -> Problem {
    let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let hint = suggest(key, known).map_or(String::new(), |near| format!(", did you mean `{near}`?"));
    let message = format!("unknown key `{key}`{place}{hint}");
    Problem::new(entry.key_origin.clone(), &path.key(key), message)
}

fn one_of(variants: &[Variant]) -> String {
    let names: Vec<_> = variants.iter().map(|variant| format!("`{}`", variant.name)).collect();
    match &names[..] {
        [only] => only.clone(),
        _ => format!("one of {}", names.join(", ")),
    }
}

/// What a value of this shape looks like, after "must be".
pub(super) fn expected(shape: &Shape) -> String {
    match &shape.kind {
        Kind::Scalar(scalar) => expected_scalar(scalar).into(),
        Kind::List(_) => "a list".into(),
        Kind::Table(_) => "a table".into(),
        Kind::Choice(variants) => one_of(variants),
        Kind::Any => "a value".into(),
    }
}

fn expected_scalar(scalar: &Scalar) -> &'static str {
    match scalar.format.as_deref() {
        Some("duration-text") => "a duration such as `30s`, `100ms` or `1h30m`",
        Some("byte-size") => "a size such as `512 MiB`, `64MB` or a number of bytes",
        Some("socket-address") => "an address such as `127.0.0.1:4318`",
        _ if scalar.secret => "a text, `{ file = \"…\" }` or `{ env = \"…\" }`",
        _ if scalar.integer => "a whole number",
        _ if scalar.number => "a number",
        _ if scalar.boolean => "true or false",
        _ => "a text",
    }
}

/// What was found instead, in its written form unless a secret may be in it; nothing of a table
/// or list is shown.
fn got(node: &Node, shape: &Shape) -> String {
    match &node.value {
        Value::Leaf(Json::Null) => "nothing".into(),
        Value::Leaf(_) if shape.holds_secret() => "something else".into(),
        Value::Leaf(json) => json.to_string(),
        Value::List(_) => "a list".into(),
        Value::Table(_) => "a table".into(),
    }
}

fn scalar_problem(scalar: &Scalar, json: &Json) -> Option<String> {
    let fits = match json {
        Json::String(_) => scalar.text,
        Json::Bool(_) => scalar.boolean,
        Json::Number(number) if number.is_f64() => scalar.number,
        Json::Number(_) => scalar.integer || scalar.number,
        _ => false,
    };
    if !fits {
        let found = if scalar.secret { "something else".into() } else { json.to_string() };
        return Some(format!("must be {}, got {found}", expected_scalar(scalar)));
    }
    if let (Some(text), false) = (json.as_str(), scalar.secret)
        && let Some(predicate) = length_problem(scalar, text)
    {
        return Some(predicate);
    }
    let address = scalar.format.as_deref() == Some("socket-address");
    if let Some(text) = json.as_str().filter(|text| address && text.parse::<SocketAddr>().is_err()) {
        return Some(format!("must be {}, got {text}", expected_scalar(scalar)));
    }
    range_problem(scalar, json)
}

fn length_problem(scalar: &Scalar, text: &str) -> Option<String> {
    let length = text.chars().count() as u64;
    match (scalar.length_min, scalar.length_max) {
        (Some(1), _) if length == 0 => Some("must not be empty".into()),
        (Some(min), _) if length < min => Some(format!("must have at least {min} characters, got {text}")),
        (_, Some(max)) if length > max => Some(format!("must have at most {max} characters, got {text}")),
        _ => None,
    }
}

fn range_problem(scalar: &Scalar, json: &Json) -> Option<String> {
    let format = scalar.format.as_deref();
    let value = magnitude(json, format)?;
    let bound = |limit: &Option<Json>| Some((magnitude(limit.as_ref()?, format)?, written(limit.as_ref()?)));
    match (bound(&scalar.min), bound(&scalar.max)) {
        (Some((min, text)), _) if value < min => {
            Some(format!("must be at least {text}, got {}", written(json)))
        }
        (_, Some((max, text))) if value > max => {
            Some(format!("must be at most {text}, got {}", written(json)))
        }
        _ => None,
    }
}

/// The size of a value for comparing; nothing when it cannot be read, which serde will tell.
fn magnitude(json: &Json, format: Option<&str>) -> Option<f64> {
    match (json, format) {
        (Json::String(text), Some("duration-text")) => {
            Some(text.parse::<Duration>().ok()?.get().as_secs_f64())
        }
        #[expect(clippy::cast_precision_loss, reason = "limits are round numbers")]
        (Json::String(text), Some("byte-size")) => Some(text.parse::<ByteSize>().ok()?.bytes() as f64),
        (Json::String(_), _) => None,
        (json, _) => json.as_f64(),
    }
}

/// A value as it would be written, without quotes.
pub(super) fn written(json: &Json) -> String {
    match (json.as_str(), json.as_f64()) {
        (Some(text), _) => text.to_owned(),
        // A limit of a fraction is `1`, not `1.0`.
        (None, Some(number)) if json.is_f64() => number.to_string(),
        _ => json.to_string(),
    }
}
