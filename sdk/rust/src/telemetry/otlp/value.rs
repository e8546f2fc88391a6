use std::borrow::Cow;

use super::writer::Writer;
use crate::telemetry::environment::host_name;

/// The value of an attribute or a log's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
    /// A text.
    Text(Cow<'static, str>),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Several values.
    List(Vec<Value>),
    /// Named values.
    Map(Vec<KeyValue>),
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyValue {
    /// The name, by the semantic conventions where they have one.
    pub key: Cow<'static, str>,
    /// The value.
    pub value: Value,
}

/// What sends: `service.name` and its like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Its attributes.
    pub attributes: Vec<KeyValue>,
}

/// The part of a program that records come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The name of the library or module.
    pub name: Cow<'static, str>,
    /// Its version; may be empty.
    pub version: Cow<'static, str>,
}

impl KeyValue {
    /// `key = value`.
    pub fn new(key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        Self { key: key.into(), value: value.into() }
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        write_key_value(writer, &self.key, |writer| self.value.write(writer));
    }
}

impl Resource {
    /// A service, with what the conventions ask for: name, version, an instance id, host and process.
    /// The environment it is deployed to is `deployment.environment.name`.
    pub fn service(name: &str, version: &str) -> Self {
        let instance = format!("{:032x}", rand::random::<u128>());
        let host = host_name().map(|host| KeyValue::new("host.name", host));
        Self { attributes: host.into_iter().collect() }
            .with("service.name", name.to_owned())
            .with("service.version", version.to_owned())
            .with("service.instance.id", instance)
            .with("process.pid", i64::from(std::process::id()))
            .with("telemetry.sdk.name", "fresnel")
            .with("telemetry.sdk.language", "rust")
            .with("telemetry.sdk.version", env!("CARGO_PKG_VERSION"))
    }

    /// With one more attribute, or with another value of one that is there.
    #[must_use]
    pub fn with(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        let new = KeyValue::new(key, value);
        match self.attributes.iter_mut().find(|attribute| attribute.key == new.key) {
            Some(attribute) => *attribute = new,
            None => self.attributes.push(new),
        }
        self
    }
}

impl Scope {
    /// A scope without a version.
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), version: "".into() }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.bytes(1, &*self.name);
        writer.bytes(2, &*self.version);
    }
}

/// A `KeyValue` message whose value is written by `value`.
pub(crate) fn write_key_value(writer: &mut Writer, key: &str, value: impl FnOnce(&mut Writer)) {
    writer.bytes(1, key);
    writer.message(2, value);
}

/// The text of an `AnyValue`, from anything that prints.
pub(crate) fn write_value(writer: &mut Writer, text: std::fmt::Arguments<'_>) {
    writer.display(1, text);
}

impl Value {
    /// The fields of an `AnyValue`. Its members are a `oneof`: also zero is written.
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Text(text) => writer.always_bytes(1, &**text),
            Self::Bool(value) => writer.always_integer(2, u64::from(*value)),
            Self::Int(value) => writer.always_integer(3, value.cast_unsigned()),
            Self::Double(value) => writer.always_fixed64(4, value.to_bits()),
            Self::List(values) => writer.message(5, |writer| {
                values.iter().for_each(|value| writer.message(1, |writer| value.write(writer)));
            }),
            Self::Map(entries) => writer.message(6, |writer| {
                entries.iter().for_each(|entry| writer.message(1, |writer| entry.write(writer)));
            }),
            Self::Bytes(bytes) => writer.always_bytes(7, bytes),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Double(value)
    }
}

impl From<&'static str> for Value {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}
