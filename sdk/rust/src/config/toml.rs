//! TOML with positions.

use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::file::Source;
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::KeyPath;

/// The tree of a document; nothing when its syntax is broken, with every break reported.
pub(super) fn read_file(text: &str, source: &Source, problems: &mut Vec<Problem>) -> Option<Node> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let offset = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
    let line = |error: &toml::de::Error| text[..offset(error).min(text.len())].matches('\n').count();
    // What follows in the same line is usually the first one's fault.
    for on_line in errors.chunk_by(|one, other| line(one) == line(other)) {
        let message = on_line[0].message().trim_end().replace('\n', ", ");
        problems.push(Problem::new(
            source.at_offset(text, offset(&on_line[0])),
            &KeyPath::default(),
            message,
        ));
    }
    let place = |span: Range<usize>| source.at_offset(text, span.start);
    errors.is_empty().then(|| Node::new(table_value(table.into_inner(), &place), place(0..0)))
}

/// One value, as on the right side of an equals sign.
pub(super) fn read_value(text: &str, origin: &Origin) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    Some(node(value, &|_| origin.clone()))
}

type Place<'a> = &'a dyn Fn(Range<usize>) -> Origin;

fn table_value(table: DeTable<'_>, place: Place<'_>) -> Value {
    let entries = table.into_iter().map(|(key, value)| {
        let key_origin = place(key.span());
        (key.into_inner().into_owned(), Node { key_origin, ..node(value, place) })
    });
    Value::Table(entries.collect())
}

fn node(spanned: Spanned<DeValue<'_>>, place: Place<'_>) -> Node {
    let origin = place(spanned.span());
    let value = match spanned.into_inner() {
        DeValue::Table(table) => table_value(table, place),
        DeValue::Array(items) => Value::List(items.into_iter().map(|item| node(item, place)).collect()),
        DeValue::String(text) => Value::Leaf(Json::from(text.into_owned())),
        DeValue::Boolean(value) => Value::Leaf(Json::from(value)),
        DeValue::Integer(integer) => Value::Leaf(read_integer(integer.as_str(), integer.radix())),
        DeValue::Float(float) => {
            let number = float.as_str().parse().ok().and_then(serde_json::Number::from_f64);
            Value::Leaf(number.map_or_else(|| Json::from(float.as_str()), Json::Number))
        }
        DeValue::Datetime(datetime) => Value::Leaf(Json::from(datetime.to_string())),
    };
    Node::new(value, origin)
}

/// What fits neither 64-bit type stays text, for the check to name.
fn read_integer(digits: &str, radix: u32) -> Json {
    let signed = i64::from_str_radix(digits, radix).map(Json::from);
    signed
        .or_else(|_| u64::from_str_radix(digits, radix).map(Json::from))
        .unwrap_or_else(|_| Json::from(digits))
}
