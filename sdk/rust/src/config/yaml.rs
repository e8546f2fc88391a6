//! YAML with positions, scalars resolved by the 1.2 core schema.

use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};
use serde_json::Value as Json;

use super::error::Problem;
use super::file::Source;
use super::node::{Node, Value};
use super::origin::Origin;
use super::path::KeyPath;

/// Deeper is no configuration; keeps the recursion bounded.
const DEPTH_MAX: usize = 64;
/// Bounds what aliases can blow up.
const NODES_MAX: usize = 100_000;

/// The tree of a document; nothing when its syntax is broken.
pub(super) fn read_file(text: &str, source: &Source, problems: &mut Vec<Problem>) -> Option<Node> {
    let events = Parser::new_from_str(text);
    let mut reader = Reader { events, source, anchors: HashMap::new(), nodes: 0, problems: Vec::new() };
    let tree = reader.document().unwrap_or_else(|Broken { origin, message }| {
        reader.problems.push(Problem::new(origin, &KeyPath::default(), message));
        None
    });
    let broken = !reader.problems.is_empty();
    problems.append(&mut reader.problems);
    tree.filter(|_| !broken)
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    source: &'a Source,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

/// What the parser cannot go on after.
struct Broken {
    origin: Origin,
    message: String,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                Err(Broken { origin: self.place(error.marker()), message: error.info().to_owned() })
            }
            None => Err(Broken { origin: self.source.at(1, 1), message: "ends too early".into() }),
        }
    }

    fn place(&self, marker: &Marker) -> Origin {
        self.source.at(marker.line(), marker.col() + 1)
    }

    fn broken(&self, span: Span, message: &str) -> Broken {
        Broken { origin: self.place(&span.start), message: message.to_owned() }
    }

    /// The first document, and a problem for any further one.
    fn document(&mut self) -> Result<Option<Node>, Broken> {
        let mut tree = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(tree),
                (Event::DocumentStart(_), span) if tree.is_some() => {
                    return Err(self.broken(span, "a second document in one file"));
                }
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, span) => tree = Some(self.node(event, span, DEPTH_MAX)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Broken> {
        let origin = self.place(&span.start);
        self.nodes += 1;
        if depth == 0 || self.nodes > NODES_MAX {
            return Err(self.broken(span, "nested too deep or too large"));
        }
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (Value::Leaf(resolve(&text, style, tag.as_deref())), anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.table(depth)?, anchor),
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            _ => return Err(self.broken(span, "ends too early")),
        };
        let node = Node::new(value, origin);
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Value, Broken> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.broken(span, "an alias within its own anchor"));
        };
        self.nodes += node.count();
        Ok(node.value.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Value, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span, depth - 1)?),
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Broken> {
        let mut entries = BTreeMap::new();
        loop {
            let (key, key_span) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Table(entries)),
                (Event::Scalar(key, ..), span) => (key.into_owned(), span),
                (_, span) => return Err(self.broken(span, "a key must be a plain text")),
            };
            let (event, span) = self.next()?;
            let key_origin = self.place(&key_span.start);
            let mut node = self.node(event, span, depth - 1)?;
            node.key_origin = key_origin.clone();
            if entries.contains_key(&key) {
                let message = format!("the key `{key}` is written twice");
                self.problems.push(Problem::new(key_origin, &KeyPath::default(), message));
            }
            entries.insert(key, node);
        }
    }
}

/// The value of a scalar. Only plain ones may be anything but text.
fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Json {
    let tagged_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style != ScalarStyle::Plain || tagged_text {
        return Json::from(text);
    }
    let based = |prefix: &str, radix| {
        text.strip_prefix(prefix).and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::from(true),
        "false" | "False" | "FALSE" => return Json::from(false),
        _ => {}
    }
    let integer = text.parse().ok().or_else(|| based("0x", 16)).or_else(|| based("0o", 8)).map(Json::from);
    let integer = integer.or_else(|| text.parse::<u64>().ok().map(Json::from));
    // Rust also reads `inf` and `nan`, which are texts in YAML.
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let float =
        || text.parse().ok().filter(|_| numeric).and_then(serde_json::Number::from_f64).map(Json::Number);
    integer.or_else(float).unwrap_or_else(|| Json::from(text))
}
