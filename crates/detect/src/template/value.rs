//! What a template computes with.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use promql::histogram::{Histogram, go_float};
use promql::{Labels, Point, Sample};

use super::calendar;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// A native histogram, as `$value` may be one.
    Histogram(Arc<Histogram>),
    /// Milliseconds since 1970.
    Time(i64),
    /// `map[string]string`: what is not there is empty.
    Texts(Labels),
    /// What `args` makes.
    Map(BTreeMap<String, Value>),
    List(Arc<[Value]>),
    /// Fields by name; another one is a mistake.
    Struct(Arc<[(&'static str, Value)]>),
}

impl Value {
    /// As `query` gives it.
    pub(super) fn sample(sample: &Sample) -> Self {
        let fields = [("Labels", Self::Texts(sample.labels.clone())), ("Value", Self::point(&sample.point))];
        Self::Struct(fields.into())
    }

    pub(super) fn point(point: &Point) -> Self {
        match point {
            Point::Float(value) => Self::Float(*value),
            Point::Histogram(histogram) => Self::Histogram(Arc::clone(histogram)),
        }
    }

    /// Go's name of the type, for messages.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "<nil>",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::Histogram(_) => "*histogram.FloatHistogram",
            Self::Time(_) => "time.Time",
            Self::Texts(_) => "map[string]string",
            Self::Map(_) => "map[string]interface {}",
            Self::List(_) => "template.queryResult",
            Self::Struct(_) => "*template.sample",
        }
    }

    /// Whether `if` takes it for true: it is not empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Texts(labels) => !labels.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Histogram(_) | Self::Time(_) | Self::Struct(_) => true,
        }
    }

    /// `.name` of it.
    pub(super) fn field(&self, name: &str) -> Result<Self, String> {
        match self {
            Self::Texts(labels) => Ok(Self::Text(labels.get(name).to_owned())),
            Self::Map(map) => Ok(map.get(name).cloned().unwrap_or(Self::Nil)),
            Self::Struct(fields) => {
                let field = fields.iter().find(|(known, _)| *known == name);
                let unknown = || format!("can't evaluate field {name} in type {}", self.type_name());
                field.map(|(_, value)| value.clone()).ok_or_else(unknown)
            }
            Self::Nil => Err(format!("nil data; no entry for key \"{name}\"")),
            other => Err(format!("can't evaluate field {name} in type {}", other.type_name())),
        }
    }
}

/// As Go's `%v`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("<no value>"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&go_float(*value)),
            Self::Text(text) => f.write_str(text),
            Self::Histogram(histogram) => write!(f, "{histogram}"),
            Self::Time(time_ms) => f.write_str(&calendar::show(*time_ms)),
            Self::Texts(labels) => entries(f, labels.iter()),
            Self::Map(map) => entries(f, map.iter()),
            Self::List(list) => {
                f.write_str("[")?;
                for (number, value) in list.iter().enumerate() {
                    write!(f, "{}{value}", if number > 0 { " " } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Struct(fields) => {
                f.write_str("{")?;
                for (number, (_, value)) in fields.iter().enumerate() {
                    write!(f, "{}{value}", if number > 0 { " " } else { "" })?;
                }
                f.write_str("}")
            }
        }
    }
}

fn entries<N: fmt::Display, V: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    entries: impl Iterator<Item = (N, V)>,
) -> fmt::Result {
    f.write_str("map[")?;
    for (number, (name, value)) in entries.enumerate() {
        write!(f, "{}{name}:{value}", if number > 0 { " " } else { "" })?;
    }
    f.write_str("]")
}
