//! What the environment says about the sender: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`.

use super::otlp::{KeyValue, Resource};

/// `OTEL_RESOURCE_ATTRIBUTES` cannot be read; as the specification has it, nothing of it counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "OTEL_RESOURCE_ATTRIBUTES is left out: {what} in entry {entry}, it must be like `name=value,name=value`"
)]
pub struct AttributesError {
    what: &'static str,
    /// From 1.
    entry: usize,
}

impl Resource {
    /// [`Resource::service`] [with what the environment says](Resource::with_env). Name and version are
    /// those of a program that nobody told otherwise.
    pub fn from_env(name: &str, version: &str) -> (Self, Option<AttributesError>) {
        Self::service(name, version).with_env()
    }

    /// Over this what `OTEL_RESOURCE_ATTRIBUTES` says, such as `deployment.environment.name=staging`,
    /// and over that the name in `OTEL_SERVICE_NAME`.
    ///
    /// Also returns what is wrong with the environment: the specification wants it told, and the
    /// caller knows where.
    #[must_use]
    pub fn with_env(self) -> (Self, Option<AttributesError>) {
        let variable = |name: &str| std::env::var(name).ok();
        let (name, attributes) = (variable("OTEL_SERVICE_NAME"), variable("OTEL_RESOURCE_ATTRIBUTES"));
        self.with_variables(name.as_deref(), attributes.as_deref())
    }

    pub(crate) fn with_variables(
        self,
        service_name: Option<&str>,
        attributes: Option<&str>,
    ) -> (Self, Option<AttributesError>) {
        let (attributes, error) = match parse(attributes.unwrap_or_default()) {
            Ok(attributes) => (attributes, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let resource = attributes.into_iter().fold(self, |resource, it| resource.with(it.key, it.value));
        // A name that is empty counts as none.
        match service_name.filter(|name| !name.is_empty()) {
            Some(name) => (resource.with("service.name", name.to_owned()), error),
            None => (resource, error),
        }
    }
}

/// The list in the form of W3C Baggage without properties: `,` and `=` are percent-encoded where
/// they are part of something, other characters may be. An entry may be empty.
fn parse(text: &str) -> Result<Vec<KeyValue>, AttributesError> {
    let entries = text.split(',').map(str::trim).zip(1..).filter(|(text, _)| !text.is_empty());
    let read = |(text, entry): (&str, usize)| {
        let wrong = |what| AttributesError { what, entry };
        let (key, value) = text.split_once('=').ok_or_else(|| wrong("no `=`"))?;
        let decode =
            |part: &str| percent_decoded(part.trim()).ok_or_else(|| wrong("no percent-encoded UTF-8"));
        let (key, value) = (decode(key)?, decode(value)?);
        if key.is_empty() { Err(wrong("no name")) } else { Ok(KeyValue::new(key, value)) }
    };
    entries.map(read).collect()
}

pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            bytes.push(hex_digit(digits[0])? << 4 | hex_digit(digits[1])?);
            rest = behind;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

/// The name of the machine, where the system tells it.
pub(in crate::telemetry) fn host_name() -> Option<String> {
    let of_linux = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = of_linux.or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
