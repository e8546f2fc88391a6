use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::pattern::is_type;

/// More tags are refused.
const TAGS_MAX: usize = 64;
/// Longer names and values of tags, and texts of the metadata, are refused, in bytes.
const TEXT_BYTES_MAX: usize = 1024;
/// Larger data is refused, in bytes of JSON.
const DATA_BYTES_MAX: usize = 256 << 10;

/// Where an event comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventSource {
    /// The program itself.
    #[default]
    System,
    /// Somebody who uses it.
    User,
    /// A part that was added to it.
    Plugin,
}

/// What surrounds an event. All of it may be missing but the source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Where it comes from.
    pub event_source: EventSource,
    /// Of the process that the event is a step of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_version: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// In which session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// In which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What belongs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// The event that led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<String>,
}

/// An event as it is stored. Its JSON is the documented form: `docs/sdk/events.md`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place in the one order, from 1, without gaps.
    pub position: u64,
    /// A UUID, of version 7 unless the sender chose one.
    pub id: Uuid,
    /// Its type: names between dots, `ORDER.PAID` by convention.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was taken in, in nanoseconds since 1970.
    #[serde(rename = "timeUnixNano")]
    pub time_unix_nano: u64,
    /// What it is about: `order` → `17`.
    pub tags: BTreeMap<String, String>,
    /// What surrounds it.
    pub metadata: Metadata,
    /// What happened.
    pub data: Value,
}

impl Event {
    /// Its data as a type; nothing if it is another type of event.
    ///
    /// # Errors
    /// It is this type of event, but the data does not fit.
    pub fn decode<T: DomainEvent>(&self) -> Option<serde_json::Result<T>> {
        (self.kind == T::TYPE).then(|| T::deserialize(&self.data))
    }
}

/// A type of event of an application.
///
/// ```
/// use fresnel_sdk::events::{DomainEvent, NewEvent};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct OrderPaid {
///     order: String,
///     cents: u64,
/// }
///
/// impl DomainEvent for OrderPaid {
///     const TYPE: &'static str = "ORDER.PAID";
///     fn tags(&self) -> Vec<(String, String)> {
///         vec![("order".into(), self.order.clone())]
///     }
/// }
///
/// let event = NewEvent::of(&OrderPaid { order: "17".into(), cents: 999 })?;
/// assert_eq!(event.data["cents"], 999);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait DomainEvent: Serialize + DeserializeOwned {
    /// Its type.
    const TYPE: &'static str;

    /// What it is about.
    fn tags(&self) -> Vec<(String, String)>;
}

/// An event that is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// Its own id, if a retry must not store it twice; otherwise one is made.
    pub id: Option<Uuid>,
    /// Its type.
    pub kind: String,
    /// What it is about.
    pub tags: BTreeMap<String, String>,
    /// What surrounds it.
    pub metadata: Metadata,
    /// What happened.
    pub data: Value,
}

impl NewEvent {
    /// Of this type, about nothing, without data.
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            id: None,
            kind: kind.into(),
            tags: BTreeMap::new(),
            metadata: Metadata::default(),
            data: Value::Null,
        }
    }

    /// With the type, the tags and the data of a type of the application.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn of<T: DomainEvent>(event: &T) -> serde_json::Result<Self> {
        let data = serde_json::to_value(event)?;
        Ok(Self { data, tags: event.tags().into_iter().collect(), ..Self::new(T::TYPE) })
    }

    /// About this too.
    #[must_use]
    pub fn tag(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(name.into(), value.into());
        self
    }

    /// With this data.
    #[must_use]
    pub fn data(mut self, data: impl Into<Value>) -> Self {
        self.data = data.into();
        self
    }

    /// Whether it can be stored.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidEvent> {
        if self.kind.is_empty() {
            return Err(InvalidEvent::NoType);
        }
        if !is_type(&self.kind) {
            return Err(InvalidEvent::Type);
        }
        if self.tags.len() > TAGS_MAX {
            return Err(InvalidEvent::Tags(self.tags.len()));
        }
        let bad = |(name, value): (&String, &String)| {
            name.is_empty() || name.len() > TEXT_BYTES_MAX || value.len() > TEXT_BYTES_MAX
        };
        if let Some((name, _)) = self.tags.iter().find(|(name, value)| bad((name, value))) {
            return Err(InvalidEvent::Tag(name.chars().take(40).collect()));
        }
        let Metadata {
            workflow_version, user_id, session_id, request_id, correlation_id, causation_id, ..
        } = &self.metadata;
        let texts = [workflow_version, user_id, session_id, request_id, correlation_id, causation_id];
        if texts.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(InvalidEvent::Metadata);
        }
        match self.data.to_string().len() {
            0..=DATA_BYTES_MAX => Ok(()),
            more => Err(InvalidEvent::Data(more)),
        }
    }
}

/// Why an event cannot be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEvent {
    /// It has no type.
    #[error("the event has no type")]
    NoType,
    /// Its type is not names between dots.
    #[error(
        "the type of the event must be names of letters, digits, `_` and `-` between dots, at most 200 bytes"
    )]
    Type,
    /// It has too many tags.
    #[error("the event has {0} tags, at most {TAGS_MAX} are taken")]
    Tags(usize),
    /// A tag has no name, or its name or value is too long.
    #[error("the tag `{0}` has no name, or is longer than {TEXT_BYTES_MAX} bytes")]
    Tag(String),
    /// A text of the metadata is too long.
    #[error("the metadata has a text longer than {TEXT_BYTES_MAX} bytes")]
    Metadata,
    /// The data is too large.
    #[error("the data of the event has {0} bytes, at most {DATA_BYTES_MAX} are taken")]
    Data(usize),
}
