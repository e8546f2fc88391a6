//! YAML with positions, and the reading of it: every mistake is noted, none ends the reading.
//!
//! Scalars stay texts until somebody asks for more, as in Go's YAML: `summary: 5` is a text there.

use std::collections::HashMap;
use std::fmt;

use promql::series_description::parse_duration_ms;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

/// Deeper is no file of rules; keeps the recursion bounded.
const DEPTH_MAX: usize = 64;
/// Bounds what aliases can blow up.
const NODES_MAX: usize = 2_000_000;

/// Something that is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: usize,
    /// Characters within the line, from 1.
    pub column: usize,
    /// What is wrong, without the place.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Place {
    pub(crate) fn problem(self, message: impl Into<String>) -> Problem {
        Problem { line: self.line, column: self.column, message: message.into() }
    }
}

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) at: Place,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file; no key twice.
    Table(Vec<(Key, Node)>),
}

#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    style: ScalarStyle,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) at: Place,
}

impl Scalar {
    fn is_null(&self) -> bool {
        self.style == ScalarStyle::Plain && matches!(self.text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

impl Node {
    fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    fn count(&self) -> usize {
        1 + match &self.value {
            Value::Scalar(_) => 0,
            Value::List(items) => items.iter().map(Self::count).sum(),
            Value::Table(entries) => entries.iter().map(|(_, node)| node.count()).sum(),
        }
    }

    fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(_) => "a single value",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// The tree of a file; none for an empty one.
pub(crate) fn parse(text: &str) -> Result<Option<Node>, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let events = Parser::new_from_str(text);
    let mut reader = Reader { events, anchors: HashMap::new(), nodes: 0, problems: Vec::new() };
    let tree = reader.document().unwrap_or_else(|broken| {
        reader.problems.push(broken);
        None
    });
    if reader.problems.is_empty() { Ok(tree) } else { Err(reader.problems) }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    problems: Vec<Problem>,
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn broken(span: Span, message: &str) -> Problem {
    place(&span.start).problem(message)
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Problem> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(place(error.marker()).problem(error.info())),
            None => Err(Place { line: 1, column: 1 }.problem("ends too early")),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Problem> {
        let mut tree = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(tree),
                (Event::DocumentStart(_), span) if tree.is_some() => {
                    return Err(broken(span, "a second document in one file would not be read"));
                }
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (event, span) => {
                    tree = Some(self.node(event, span, DEPTH_MAX)?).filter(|tree| !tree.is_null())
                }
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Problem> {
        self.nodes += 1;
        if depth == 0 || self.nodes > NODES_MAX {
            return Err(broken(span, "nested too deep or too large"));
        }
        let at = place(&span.start);
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Value::Scalar(Scalar { text: text.into_owned(), style }), anchor)
            }
            Event::SequenceStart(anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.table(depth)?, anchor),
            Event::Alias(anchor) => (self.alias(anchor, span)?, 0),
            _ => return Err(broken(span, "ends too early")),
        };
        let node = Node { value, at };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Value, Problem> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(broken(span, "an alias within its own anchor"));
        };
        self.nodes += node.count();
        if self.nodes > NODES_MAX {
            return Err(broken(span, "nested too deep or too large"));
        }
        Ok(node.value.clone())
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(items)),
                (event, span) => items.push(self.node(event, span, depth - 1)?),
            }
        }
    }

    fn table(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut places: HashMap<String, Place> = HashMap::new();
        let mut merged = Vec::new();
        loop {
            let (text, style, span) = match self.next()? {
                (Event::MappingEnd, _) => break,
                (Event::Scalar(text, style, ..), span) => (text.into_owned(), style, span),
                (_, span) => return Err(broken(span, "a key must be a plain text")),
            };
            let key = Key { text, at: place(&span.start) };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth - 1)?;
            if key.text == "<<" && style == ScalarStyle::Plain {
                merged.push((key.at, node));
                continue;
            }
            if let Some(first) = places.insert(key.text.clone(), key.at) {
                let message = format!("mapping key \"{}\" already defined at line {}", key.text, first.line);
                self.problems.push(key.at.problem(message));
                continue;
            }
            entries.push((key, node));
        }
        for (at, node) in merged {
            self.merge(at, node, &mut entries, &mut places);
        }
        Ok(Value::Table(entries))
    }

    /// `<<`: what the table does not say itself.
    fn merge(
        &mut self,
        at: Place,
        node: Node,
        entries: &mut Vec<(Key, Node)>,
        places: &mut HashMap<String, Place>,
    ) {
        match node.value {
            Value::Table(more) => {
                for (key, node) in more {
                    if let std::collections::hash_map::Entry::Vacant(vacant) = places.entry(key.text.clone())
                    {
                        vacant.insert(key.at);
                        entries.push((key, node));
                    }
                }
            }
            Value::List(items) => items.into_iter().for_each(|item| self.merge(at, item, entries, places)),
            Value::Scalar(_) => {
                self.problems.push(at.problem("map merge requires map or sequence of maps as the value"))
            }
        }
    }
}

/// A table that is read key by key; what nobody asked for is unknown.
pub(crate) struct Fields<'n> {
    pub(crate) at: Place,
    entries: Vec<(&'n Key, &'n Node)>,
    known: Vec<&'static str>,
}

/// Notes what is wrong while a tree is read.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) problems: Vec<Problem>,
}

impl Reading {
    pub(crate) fn wrong(&mut self, at: Place, message: impl Into<String>) {
        self.problems.push(at.problem(message));
    }

    /// What was read, or all that is wrong, in the order of the file.
    pub(crate) fn finish<T>(mut self, read: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            return Ok(read);
        }
        self.problems.sort_by_key(|problem| (problem.line, problem.column));
        Err(self.problems)
    }

    /// The table that a node has to be.
    pub(crate) fn table<'n>(&mut self, node: &'n Node) -> Option<Fields<'n>> {
        match &node.value {
            Value::Table(entries) => Some(Fields {
                at: node.at,
                entries: entries.iter().map(|(key, node)| (key, node)).collect(),
                known: Vec::new(),
            }),
            _ => {
                self.wrong(node.at, format!("expected a table, got {}", node.kind()));
                None
            }
        }
    }

    /// Every key that was not asked for is unknown.
    pub(crate) fn close(&mut self, fields: &Fields<'_>) {
        for (key, _) in &fields.entries {
            if !fields.known.contains(&key.text.as_str()) {
                let known = fields.known.join(", ");
                self.wrong(key.at, format!("unknown key `{}`; there are {known}", key.text));
            }
        }
    }

    /// The items of a list; none where it is missing.
    pub(crate) fn list<'n>(&mut self, node: Option<&'n Node>) -> &'n [Node] {
        match node.map(|node| (&node.value, node)) {
            None => &[],
            Some((Value::List(items), _)) => items,
            Some((_, node)) if node.is_null() => &[],
            Some((_, node)) => {
                self.wrong(node.at, format!("expected a list, got {}", node.kind()));
                &[]
            }
        }
    }

    /// A text; none where it is missing or null.
    pub(crate) fn text(&mut self, node: Option<&Node>) -> Option<String> {
        let node = node.filter(|node| !node.is_null())?;
        match &node.value {
            Value::Scalar(scalar) => Some(scalar.text.clone()),
            _ => {
                self.wrong(node.at, format!("expected a text, got {}", node.kind()));
                None
            }
        }
    }

    fn parsed<T>(
        &mut self,
        node: Option<&Node>,
        parse: impl FnOnce(&str) -> Option<T>,
        what: impl FnOnce(&str) -> String,
    ) -> Option<T> {
        let text = self.text(node)?;
        let parsed = parse(&text);
        if let (None, Some(node)) = (&parsed, node) {
            self.wrong(node.at, what(&text));
        }
        parsed
    }

    /// A duration in milliseconds.
    pub(crate) fn duration(&mut self, node: Option<&Node>) -> Option<i64> {
        self.parsed(
            node,
            |text| parse_duration_ms(text).ok(),
            |text| format!("not a valid duration string: \"{text}\""),
        )
    }

    pub(crate) fn integer(&mut self, node: Option<&Node>) -> Option<i64> {
        self.parsed(node, |text| text.parse().ok(), |text| format!("expected a whole number, got \"{text}\""))
    }

    pub(crate) fn boolean(&mut self, node: Option<&Node>) -> Option<bool> {
        let boolean = |text: &str| match text {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        };
        self.parsed(node, boolean, |text| format!("expected true or false, got \"{text}\""))
    }

    pub(crate) fn number(&mut self, node: Option<&Node>) -> Option<f64> {
        self.parsed(node, number, |text| format!("expected a number, got \"{text}\""))
    }

    /// Names and texts, in the order of the file.
    pub(crate) fn texts<'n>(&mut self, node: Option<&'n Node>) -> Vec<(&'n Key, String, Place)> {
        let Some(node) = node.filter(|node| !node.is_null()) else { return Vec::new() };
        let Value::Table(entries) = &node.value else {
            self.wrong(node.at, format!("expected names and texts, got {}", node.kind()));
            return Vec::new();
        };
        let text = |(key, node): &'n (Key, Node)| {
            let text = if node.is_null() { Some(String::new()) } else { self.text(Some(node)) };
            text.map(|text| (key, text, node.at))
        };
        entries.iter().filter_map(text).collect()
    }
}

/// As YAML writes floats, and as Prometheus does.
fn number(text: &str) -> Option<f64> {
    let (negative, size) = match text.strip_prefix('-') {
        Some(size) => (true, size),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let size = match size.to_ascii_lowercase().as_str() {
        ".inf" | "inf" => f64::INFINITY,
        ".nan" | "nan" => f64::NAN,
        lower => match lower.strip_prefix("0x") {
            #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
            Some(digits) => i64::from_str_radix(digits, 16).ok()? as f64,
            None if lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
                lower.replace('_', "").parse().ok()?
            }
            None => return None,
        },
    };
    Some(if negative { -size } else { size })
}

impl<'n> Fields<'n> {
    /// The value of a key, which is known from now on; null is none.
    pub(crate) fn get(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let found = self.entries.iter().find(|(key, _)| key.text == name);
        found.map(|(_, node)| *node).filter(|node| !node.is_null())
    }

    /// Where a key stands; the table where it does not.
    pub(crate) fn place(&self, name: &str) -> Place {
        self.entries.iter().find(|(key, _)| key.text == name).map_or(self.at, |(key, _)| key.at)
    }
}

/// Where a byte of a scalar's text stands in the file; the scalar's begin where that cannot be told
/// (folded and escaped texts).
pub(crate) fn place_within(source: &str, node: &Node, text: &str, at: usize) -> Place {
    let Value::Scalar(scalar) = &node.value else { return node.at };
    let before = text.get(..at).unwrap_or(text);
    let inner_line = before.matches('\n').count();
    let inner_column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let mut lines = source.lines().skip(node.at.line.saturating_sub(1));
    match scalar.style {
        ScalarStyle::Plain | ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let quote = usize::from(scalar.style != ScalarStyle::Plain);
            let column = node.at.column + quote;
            let written =
                lines.next().unwrap_or_default().chars().skip(column - 1).take(text.chars().count());
            if inner_line == 0 && written.eq(text.chars()) {
                return Place { line: node.at.line, column: column + inner_column };
            }
            node.at
        }
        ScalarStyle::Literal => {
            let Some(first) = text.lines().next() else { return node.at };
            // The content begins below the bar, behind comments at most.
            let found = lines.enumerate().take(8).find(|(_, line)| line.trim_start() == first.trim_start());
            let Some((below, line)) = found else { return node.at };
            let indent = line.chars().count() - first.chars().count().min(line.chars().count());
            Place { line: node.at.line + below + inner_line, column: indent + inner_column + 1 }
        }
        ScalarStyle::Folded => node.at,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let node = parse(text).unwrap().unwrap();
        let Value::Table(entries) = node.value else { panic!("a table") };
        let text = |node: Node| Reading::default().text(Some(&node)).unwrap_or_default();
        entries.into_iter().map(|(key, node)| (key.text, text(node))).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn scalars_stay_texts() {
        assert_eq!(
            read("a: 5\nb: true\nc: ~\nd: '~'\n"),
            pairs(&[("a", "5"), ("b", "true"), ("c", ""), ("d", "~")])
        );
    }

    #[test]
    fn tables_are_merged() {
        let node = parse("x: &x {a: 1, b: 2}\ny:\n  b: 3\n  <<: *x\n").unwrap().unwrap();
        let mut reading = Reading::default();
        let mut fields = reading.table(&node).unwrap();
        let texts = reading.texts(fields.get("y"));
        let texts: Vec<_> = texts.iter().map(|(key, text, _)| (key.text.as_str(), text.as_str())).collect();
        assert_eq!(texts, [("b", "3"), ("a", "1")]);
    }

    #[test]
    fn broken_files_are_refused_with_their_place() {
        let problem = |text: &str| parse(text).unwrap_err()[0].to_string();
        assert_eq!(problem("a: 1\nb: 2\na: 3\n"), "3:1: mapping key \"a\" already defined at line 1");
        assert_eq!(problem("a: 1\n---\nb: 2\n"), "2:1: a second document in one file would not be read");
        assert!(problem("a: [1, 2\n").starts_with('2'), "{}", problem("a: [1, 2\n"));
        assert!(problem(&"[".repeat(100)).contains("too deep"));
        // Ten tables, each with ten of the one before.
        let mut bomb = "a0: &a0 [x]\n".to_owned();
        for level in 1..10 {
            let before = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
        }
        assert!(problem(&bomb).contains("too large"));
        assert!(parse("").unwrap().is_none() && parse("# nothing\n").unwrap().is_none());
    }

    #[test]
    fn numbers_are_those_of_yaml() {
        for (text, expected) in [
            ("1", 1.0),
            ("-1.5e3", -1500.0),
            (".inf", f64::INFINITY),
            ("-.Inf", f64::NEG_INFINITY),
            ("+Inf", f64::INFINITY),
            ("0x10", 16.0),
        ] {
            assert_eq!(number(text), Some(expected), "{text}");
        }
        assert!(number(".nan").is_some_and(f64::is_nan) && number("x").is_none() && number("").is_none());
    }
}
