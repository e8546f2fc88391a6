//! The functions of a template: Go's own, and Prometheus'.

use std::cmp::Ordering;
use std::sync::Arc;

use promql::series_description::parse_duration_ms;
use regex::Regex;

use super::Surroundings;
use super::value::Value;
use super::{format, humanize};

type Arguments<'a> = &'a [Value];
type Answer = Result<Value, String>;

/// A function by its name.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// Fewest and most arguments.
    least: usize,
    most: usize,
    call: fn(&Surroundings<'_>, Arguments<'_>) -> Answer,
}

/// Where there is no bound.
const MANY: usize = usize::MAX;

macro_rules! functions {
    ($($name:literal $least:literal ..= $most:expr => $call:expr,)*) => {
        static FUNCTIONS: &[Function] =
            &[$(Function { name: $name, least: $least, most: $most, call: $call }),*];
    };
}

functions! {
    "and" 1..=MANY => |_, _| Err("is evaluated elsewhere".to_owned()),
    "or" 1..=MANY => |_, _| Err("is evaluated elsewhere".to_owned()),
    "not" 1..=1 => |_, a| Ok(Value::Bool(!a[0].is_true())),
    "eq" 2..=MANY => |_, a| equal_to_any(a).map(Value::Bool),
    "ne" 2..=2 => |_, a| equal(&a[0], &a[1]).map(|same| Value::Bool(!same)),
    "lt" 2..=2 => |_, a| compare(a, &[Ordering::Less]),
    "le" 2..=2 => |_, a| compare(a, &[Ordering::Less, Ordering::Equal]),
    "gt" 2..=2 => |_, a| compare(a, &[Ordering::Greater]),
    "ge" 2..=2 => |_, a| compare(a, &[Ordering::Greater, Ordering::Equal]),
    "len" 1..=1 => |_, a| length(&a[0]),
    "index" 1..=MANY => |_, a| a[1..].iter().try_fold(a[0].clone(), |value, at| index(&value, at)),
    "slice" 1..=3 => |_, a| slice(a),
    "print" 0..=MANY => |_, a| Ok(Value::Text(print(a))),
    "println" 0..=MANY => |_, a| Ok(Value::Text(format!("{}\n", spaced(a)))),
    "printf" 1..=MANY => |_, a| Ok(Value::Text(format::printf(text(&a[0])?, &a[1..]))),
    "html" 0..=MANY => |_, a| Ok(Value::Text(html(&print(a)))),
    "urlquery" 0..=MANY => |_, a| Ok(Value::Text(url_query(&print(a)))),
    "query" 1..=1 => |surroundings, a| {
        let vector = (surroundings.query)(text(&a[0])?)?;
        Ok(Value::List(vector.iter().map(Value::sample).collect()))
    },
    "first" 1..=1 => |_, a| match &a[0] {
        Value::List(list) => {
            list.first().cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
        }
        other => Err(wrong("a query's result", other)),
    },
    "label" 2..=2 => |_, a| a[1].field("Labels")?.field(text(&a[0])?),
    "value" 1..=1 => |_, a| a[0].field("Value"),
    "strvalue" 1..=1 => |_, a| a[0].field("Labels")?.field("__value__"),
    "sortByLabel" 2..=2 => |_, a| sort_by_label(text(&a[0])?, &a[1]),
    "args" 0..=MANY => |_, a| {
        let named = a.iter().enumerate().map(|(number, value)| (format!("arg{number}"), value.clone()));
        Ok(Value::Map(named.collect()))
    },
    "reReplaceAll" 3..=3 => |_, a| {
        let pattern = pattern(text(&a[0])?)?;
        Ok(Value::Text(pattern.replace_all(text(&a[2])?, text(&a[1])?).into_owned()))
    },
    "match" 2..=2 => |_, a| Ok(Value::Bool(pattern(text(&a[0])?)?.is_match(text(&a[1])?))),
    "title" 1..=1 => |_, a| Ok(Value::Text(title(text(&a[0])?))),
    "toUpper" 1..=1 => |_, a| Ok(Value::Text(text(&a[0])?.to_uppercase())),
    "toLower" 1..=1 => |_, a| Ok(Value::Text(text(&a[0])?.to_lowercase())),
    "safeHtml" 1..=1 => |_, a| Ok(Value::Text(text(&a[0])?.to_owned())),
    "stripPort" 1..=1 => |_, a| Ok(Value::Text(host(text(&a[0])?).to_owned())),
    "stripDomain" 1..=1 => |_, a| Ok(Value::Text(strip_domain(text(&a[0])?))),
    "graphLink" 1..=1 => |_, a| Ok(Value::Text(link(text(&a[0])?, 0))),
    "tableLink" 1..=1 => |_, a| Ok(Value::Text(link(text(&a[0])?, 1))),
    "externalURL" 0..=0 => |surroundings, _| Ok(Value::Text(surroundings.external_url.to_owned())),
    "pathPrefix" 0..=0 => |surroundings, _| Ok(Value::Text(path(surroundings.external_url).to_owned())),
    "now" 0..=0 => |surroundings, _| Ok(Value::Float(seconds(surroundings.time_ms))),
    "humanize" 1..=1 => |_, a| number(&a[0]).map(humanize::number).map(Value::Text),
    "humanize1024" 1..=1 => |_, a| number(&a[0]).map(humanize::number_1024).map(Value::Text),
    "humanizeDuration" 1..=1 => |_, a| number(&a[0]).map(humanize::duration).map(Value::Text),
    "humanizePercentage" 1..=1 => |_, a| number(&a[0]).map(humanize::percentage).map(Value::Text),
    "humanizeTimestamp" 1..=1 => |_, a| match number(&a[0])? {
        value if value.is_finite() => time(value).map(|time| Value::Text(time.to_string())),
        value => Ok(Value::Text(format::significant(value, 4))),
    },
    "toTime" 1..=1 => |_, a| time(number(&a[0])?),
    "toDuration" 1..=1 => |_, a| number(&a[0]).map(Value::Float),
    "parseDuration" 1..=1 => |_, a| {
        let duration = parse_duration_ms(text(&a[0])?);
        duration.map(|duration| Value::Float(seconds(duration))).map_err(|_| {
            format!("not a valid duration string: {:?}", a[0].to_string())
        })
    },
}

/// A function by its name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

impl Function {
    /// Calls it; a message names it.
    pub(super) fn call(&self, surroundings: &Surroundings<'_>, arguments: Arguments<'_>) -> Answer {
        let (count, name) = (arguments.len(), self.name);
        if count < self.least || count > self.most {
            let want =
                if self.most == MANY { format!("at least {}", self.least) } else { self.least.to_string() };
            return Err(format!("wrong number of args for {name}: want {want} got {count}"));
        }
        (self.call)(surroundings, arguments).map_err(|error| format!("error calling {name}: {error}"))
    }
}

fn wrong(expected: &str, value: &Value) -> String {
    format!("wrong type for value; expected {expected}; got {}", value.type_name())
}

fn text(value: &Value) -> Result<&str, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong("string", other)),
    }
}

/// Numbers, and texts that are some.
fn number(value: &Value) -> Result<f64, String> {
    match value {
        Value::Float(number) => Ok(*number),
        #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
        Value::Int(number) => Ok(*number as f64),
        Value::Text(text) => {
            let number = match text.trim_start_matches(['+', '-']).to_ascii_lowercase().as_str() {
                // Rust takes more words than Go.
                word if word.starts_with(|c: char| c.is_ascii_digit() || c == '.') => text.parse().ok(),
                "inf" | "infinity" | "nan" => text.parse().ok(),
                _ => None,
            };
            number.ok_or_else(|| format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"))
        }
        other => Err(format!("can't convert {} to float", other.type_name())),
    }
}

fn seconds(milliseconds: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "as Go converts it")]
    let seconds = milliseconds as f64 / 1000.0;
    seconds
}

fn time(seconds: f64) -> Answer {
    let nanoseconds = seconds * 1e9;
    // The bounds of 64 bits, as far as a float tells them.
    if !(-9.223_372_036_854_775e18..=9.223_372_036_854_775e18).contains(&nanoseconds) {
        return Err(format!("{seconds} is not a time"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "was compared")]
    Ok(Value::Time((nanoseconds as i64).div_euclid(1_000_000)))
}

fn equal_to_any(arguments: Arguments<'_>) -> Result<bool, String> {
    for other in &arguments[1..] {
        if equal(&arguments[0], other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal(left: &Value, right: &Value) -> Result<bool, String> {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => Ok(left == right),
        (Value::Int(left), Value::Int(right)) => Ok(left == right),
        (Value::Float(left), Value::Float(right)) => Ok(left == right),
        (Value::Text(left), Value::Text(right)) => Ok(left == right),
        (Value::Nil, Value::Nil) => Ok(true),
        (Value::Nil, _) | (_, Value::Nil) => Ok(false),
        _ => Err("incompatible types for comparison".to_owned()),
    }
}

fn compare(arguments: Arguments<'_>, wanted: &[Ordering]) -> Answer {
    let ordering = match (&arguments[0], &arguments[1]) {
        (Value::Int(left), Value::Int(right)) => Some(left.cmp(right)),
        (Value::Float(left), Value::Float(right)) => left.partial_cmp(right),
        (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
        _ => return Err("incompatible types for comparison".to_owned()),
    };
    Ok(Value::Bool(ordering.is_some_and(|ordering| wanted.contains(&ordering))))
}

fn length(value: &Value) -> Answer {
    let length = match value {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Texts(labels) => labels.len(),
        Value::Map(map) => map.len(),
        other => return Err(format!("len of type {}", other.type_name())),
    };
    i64::try_from(length).map(Value::Int).map_err(|error| error.to_string())
}

fn index(value: &Value, at: &Value) -> Answer {
    let place = |length: usize| match at {
        Value::Int(at) => usize::try_from(*at)
            .ok()
            .filter(|at| *at < length)
            .ok_or_else(|| format!("index out of range: {at}")),
        other => Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    match value {
        Value::List(list) => place(list.len()).map(|at| list[at].clone()),
        Value::Text(text) => place(text.len()).map(|at| Value::Int(i64::from(text.as_bytes()[at]))),
        Value::Texts(_) | Value::Map(_) => value.field(text(at)?),
        Value::Nil => Err("index of untyped nil".to_owned()),
        other => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(arguments: Arguments<'_>) -> Answer {
    let bound = |place: usize, default: usize, length: usize| match arguments.get(place) {
        None => Ok(default),
        Some(Value::Int(at)) => usize::try_from(*at)
            .ok()
            .filter(|at| *at <= length)
            .ok_or_else(|| format!("index out of range: {at}")),
        Some(other) => Err(format!("cannot index slice/array with type {}", other.type_name())),
    };
    match &arguments[0] {
        Value::Text(text) => {
            let (from, to) = (bound(1, 0, text.len())?, bound(2, text.len(), text.len())?);
            let part = text.as_bytes().get(from..to).ok_or("invalid slice index")?;
            Ok(Value::Text(String::from_utf8_lossy(part).into_owned()))
        }
        Value::List(list) => {
            let (from, to) = (bound(1, 0, list.len())?, bound(2, list.len(), list.len())?);
            Ok(Value::List(Arc::from(list.get(from..to).ok_or("invalid slice index")?)))
        }
        other => Err(format!("can't slice item of type {}", other.type_name())),
    }
}

/// Spaces stand between arguments of which neither is a text.
fn print(arguments: Arguments<'_>) -> String {
    let mut out = String::new();
    let mut text_before = true;
    for value in arguments {
        let is_text = matches!(value, Value::Text(_));
        if !is_text && !text_before {
            out.push(' ');
        }
        out.push_str(&value.to_string());
        text_before = is_text;
    }
    out
}

fn spaced(arguments: Arguments<'_>) -> String {
    arguments.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push(char::REPLACEMENT_CHARACTER),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn url_query(text: &str) -> String {
    // As Go does, which lets a tilde stand and escapes the asterisk.
    let escaped: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    escaped.replace("%7E", "~").replace('*', "%2A")
}

fn link(expression: &str, tab: u8) -> String {
    format!("/graph?g0.expr={}&g0.tab={tab}", url_query(expression))
}

/// The path of a URL.
fn path(url: &str) -> &str {
    let behind = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = behind.find('/').map_or("", |at| &behind[at..]);
    path.split(['?', '#']).next().unwrap_or_default()
}

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| format!("error parsing regexp: {error}"))
}

/// The first letter of each word as its capital, the others as they are.
fn title(text: &str) -> String {
    let mut before = ' ';
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let inside =
            before.is_alphanumeric() || before == '_' || (!before.is_ascii() && !before.is_whitespace());
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        before = c;
    }
    out
}

/// `host` of `host:port` and `[v6]:port`; as it is where it is neither.
fn host(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once("]:") {
            Some((host, port)) if !port.contains([':', '[', ']']) => host,
            _ => text,
        };
    }
    match text.rsplit_once(':') {
        Some((host, _)) if !host.contains([':', '[', ']']) => host,
        _ => text,
    }
}

/// The first part of a host's name; addresses stay as they are, and so does the port.
fn strip_domain(text: &str) -> String {
    let name = host(text);
    if name.parse::<std::net::IpAddr>().is_ok() {
        return text.to_owned();
    }
    let port = &text[name.len().min(text.len())..];
    let first = name.split('.').next().unwrap_or_default();
    format!("{first}{port}")
}

fn sort_by_label(name: &str, list: &Value) -> Answer {
    let Value::List(list) = list else { return Err(wrong("a query's result", list)) };
    let mut sorted: Vec<(String, Value)> = Vec::with_capacity(list.len());
    for value in list.iter() {
        sorted.push((value.field("Labels")?.field(name)?.to_string(), value.clone()));
    }
    sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
    Ok(Value::List(sorted.into_iter().map(|(_, value)| value).collect()))
}
