//! Values from sources that know only text: the environment and the command line.

use serde_json::Value as Json;

use super::node::{Node, Value};
use super::origin::Origin;
use super::shape::{Kind, Scalar, Shape};
use super::toml;

/// The value that `text` stands for at a place of this shape. What does not fit stays text, for
/// the check to name.
pub(super) fn read(text: &str, shape: &Shape, origin: &Origin) -> Node {
    let leaf = |json| Node::new(Value::Leaf(json), origin.clone());
    let structured = text.trim_start().starts_with(['{', '[']);
    match &shape.kind {
        _ if shape.nullable && text.is_empty() => leaf(Json::Null),
        Kind::Scalar(scalar) => leaf(read_scalar(text, scalar)),
        _ if structured => toml::read_value(text, origin).unwrap_or_else(|| leaf(Json::from(text))),
        Kind::List(item) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Node::new(Value::List(parts.map(|part| read(part, item, origin)).collect()), origin.clone())
        }
        Kind::Any => toml::read_value(text, origin).unwrap_or_else(|| leaf(Json::from(text))),
        Kind::Table(_) | Kind::Choice(_) => leaf(Json::from(text)),
    }
}

fn read_scalar(text: &str, scalar: &Scalar) -> Json {
    let trimmed = text.trim();
    let boolean = match trimmed {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    };
    let integer =
        || trimmed.parse::<i64>().map(Json::from).or_else(|_| trimmed.parse::<u64>().map(Json::from));
    let number = || trimmed.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Json::Number);
    None.or_else(|| boolean.filter(|_| scalar.boolean).map(Json::Bool))
        .or_else(|| integer().ok().filter(|_| scalar.integer || scalar.number))
        .or_else(|| number().filter(|_| scalar.number))
        .unwrap_or_else(|| Json::from(text))
}

/// The name among `known` that was probably meant by `name`.
pub(super) fn suggest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.into_iter().map(|candidate| (distance(name, candidate), candidate));
    let limit = (name.chars().count() / 3).max(1);
    near.filter(|(steps, _)| *steps <= limit).min_by_key(|(steps, _)| *steps).map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let changed = last[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            let mut best = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}
