use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::logging::{ErrorInfo, Fields, Severity};

/// So many breadcrumbs are kept; of more the oldest go.
pub const BREADCRUMBS_MAX: usize = 50;
/// So much of the message of a breadcrumb is kept, and of its data as JSON, in bytes each.
pub const BREADCRUMB_BYTES_MAX: usize = 1024;
/// So many causes are told, as an error may be its own cause.
const CAUSES_MAX: usize = 16;

/// Who is concerned. The id is a pseudonym; name and address are sent only where
/// [`ErrorLayer::personal_data`](super::ErrorLayer::personal_data) says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// `user.id`.
    pub id: Option<String>,
    /// `user.email`.
    pub email: Option<String>,
    /// `user.name`.
    pub name: Option<String>,
    /// What was bought: `user.tier`.
    pub tier: Option<String>,
    /// To which group of users this one belongs: `user.segment`.
    pub segment: Option<String>,
}

impl User {
    /// By a pseudonym.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// With an address of mail.
    #[must_use]
    pub fn email(self, email: impl Into<String>) -> Self {
        Self { email: Some(email.into()), ..self }
    }

    /// With a name.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// With what was bought.
    #[must_use]
    pub fn tier(self, tier: impl Into<String>) -> Self {
        Self { tier: Some(tier.into()), ..self }
    }

    /// In a group of users.
    #[must_use]
    pub fn segment(self, segment: impl Into<String>) -> Self {
        Self { segment: Some(segment.into()), ..self }
    }
}

/// What was done before something went wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Breadcrumb {
    /// When.
    pub time: SystemTime,
    /// What kind of thing: `navigation`, `http`.
    pub category: String,
    /// What.
    pub message: String,
    /// The facts.
    pub data: Fields,
}

impl Breadcrumb {
    /// Now, without what is too much: the rest of a long text, and facts that are beyond the bound.
    pub(super) fn bounded(
        message: &str,
        category: &str,
        data: impl Iterator<Item = (String, Value)>,
    ) -> Self {
        let start = |text: &str| text[..text.floor_char_boundary(BREADCRUMB_BYTES_MAX)].to_owned();
        let mut left = BREADCRUMB_BYTES_MAX;
        let mut fits = |(key, value): &(String, Value)| {
            let size = key.len() + value.to_string().len();
            let fits = size <= left;
            left -= if fits { size } else { 0 };
            fits
        };
        let data = data.filter(|entry| fits(entry)).collect();
        Self { time: SystemTime::now(), category: start(category), message: start(message), data }
    }

    /// As an attribute has it.
    fn value(self) -> Value {
        let since = self.time.duration_since(UNIX_EPOCH).ok();
        let nanos = since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        let mut fields = Fields::from_iter([
            ("timeUnixNano".to_owned(), nanos.into()),
            ("category".to_owned(), self.category.into()),
            ("message".to_owned(), self.message.into()),
        ]);
        if !self.data.is_empty() {
            fields.insert("data".into(), self.data.into());
        }
        fields.into()
    }
}

/// What is about to be recorded, with all that surrounds it; for
/// [`before_send`](super::ErrorLayer::before_send), which may change all of it. What is secret by the
/// rules of logging is taken out afterwards.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// `log.record.uid`: what to show to the user instead of the error.
    pub id: String,
    /// How bad it is.
    pub severity: Severity,
    /// The text of the record.
    pub message: String,
    /// What went wrong: `exception.type`, `exception.message` with all causes,
    /// `exception.stacktrace`, `error.code`. Nothing for a message.
    pub error: Option<ErrorInfo>,
    /// `fresnel.exception.causes`: what led to it, by itself, the nearest first.
    pub causes: Vec<String>,
    /// `fresnel.error.mechanism`: `manual`, `tracked` or `panic`.
    pub mechanism: &'static str,
    /// All facts: of the layer, of the context around it, of the call.
    pub attributes: Fields,
    /// Who is concerned.
    pub user: Option<User>,
    /// `fresnel.breadcrumbs`: what was done before, the oldest first.
    pub breadcrumbs: Vec<Breadcrumb>,
}

impl Report {
    pub(super) fn message(severity: Severity, message: &str, mechanism: &'static str) -> Self {
        Self {
            id: crate::logging::correlation_id(),
            severity,
            message: message.to_owned(),
            error: None,
            causes: Vec::new(),
            mechanism,
            attributes: Fields::new(),
            user: None,
            breadcrumbs: Vec::new(),
        }
    }

    pub(super) fn of<E: Error + ?Sized>(error: &E, mechanism: &'static str) -> Self {
        let causes = causes(error);
        let message = chained(&error.to_string(), &causes);
        let path = std::any::type_name::<E>();
        let path = path.split('<').next().unwrap_or(path);
        // Of what is only known to be an error there is no type to tell.
        let name = (!path.starts_with("dyn ")).then(|| path.to_owned());
        let error = ErrorInfo { name, message: message.clone(), ..ErrorInfo::default() };
        Self { error: Some(error), causes, ..Self::message(Severity::Error, &message, mechanism) }
    }

    /// All facts but those of the error and the id of the user, as attributes.
    pub(super) fn take_fields(&mut self) -> Fields {
        let mut fields = std::mem::take(&mut self.attributes);
        let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
        put("log.record.uid", self.id.clone().into());
        put("fresnel.error.mechanism", self.mechanism.into());
        if !self.causes.is_empty() {
            put("fresnel.exception.causes", std::mem::take(&mut self.causes).into());
        }
        if !self.breadcrumbs.is_empty() {
            let all = std::mem::take(&mut self.breadcrumbs);
            put("fresnel.breadcrumbs", all.into_iter().map(Breadcrumb::value).collect());
        }
        let User { email, name, tier, segment, .. } = self.user.clone().unwrap_or_default();
        let told =
            [("user.email", email), ("user.name", name), ("user.tier", tier), ("user.segment", segment)];
        for (key, value) in told {
            if let Some(value) = value {
                put(key, value.into());
            }
        }
        fields
    }
}

/// What led to an error, each by itself, the nearest first.
pub(super) fn causes<E: Error + ?Sized>(error: &E) -> Vec<String> {
    let mut all = Vec::new();
    let mut cause = error.source();
    while let Some(it) = cause.filter(|_| all.len() < CAUSES_MAX) {
        all.push(it.to_string());
        cause = it.source();
    }
    all
}

/// An error with what led to it, as one text.
pub(super) fn chained(error: &str, causes: &[String]) -> String {
    std::iter::once(error).chain(causes.iter().map(String::as_str)).collect::<Vec<_>>().join(": ")
}
