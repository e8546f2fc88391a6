use serde_json::{Map, Value};

/// Who wants something. As an extension of a request it is whom
/// [`AccessLayer`](crate::security::layer::AccessLayer) asks about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Subject {
    /// By which they own things; nobody without one owns anything.
    pub id: Option<String>,
    /// Names of roles. One that no rule knows grants nothing.
    pub roles: Vec<String>,
    /// Permissions besides, as those of a role. One that is none grants nothing.
    pub permissions: Vec<String>,
    /// What policies go by: `subject.…`.
    pub attributes: Map<String, Value>,
}

impl Subject {
    /// With this id, and nothing that they may.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// Has this role too.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }

    /// Has this permission too.
    #[must_use]
    pub fn permission(mut self, text: impl Into<String>) -> Self {
        self.permissions.push(text.into());
        self
    }

    /// Has this attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

/// The subject of a token: `sub`, `roles`, `permissions`, and its other claims as attributes.
#[cfg(feature = "jwt")]
impl From<&crate::security::jwt::Claims> for Subject {
    fn from(claims: &crate::security::jwt::Claims) -> Self {
        Self {
            id: claims.subject.clone(),
            roles: claims.roles.clone(),
            permissions: claims.permissions.clone(),
            attributes: claims.custom.clone(),
        }
    }
}

/// To what something is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    /// Of which kind it is: what a permission names.
    pub kind: String,
    /// The id of the subject whose it is.
    pub owner: Option<String>,
    /// What policies go by: `resource.…`.
    pub attributes: Map<String, Value>,
}

impl Resource {
    /// Of this kind, of nobody.
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// It is this subject's.
    #[must_use]
    pub fn owned_by(mut self, id: impl Into<String>) -> Self {
        self.owner = Some(id.into());
        self
    }

    /// Has this attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }
}

/// What a subject wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// What is done: `read`.
    pub action: String,
    /// To what.
    pub resource: Resource,
    /// What else policies go by: `context.…`.
    pub context: Map<String, Value>,
}

impl Question {
    /// Whether this may be done to that.
    pub fn new(action: impl Into<String>, resource: Resource) -> Self {
        Self { action: action.into(), resource, context: Map::new() }
    }

    /// Asked in this context.
    #[must_use]
    pub fn context(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }

    /// Whether the resource is the subject's.
    pub(super) fn is_owner(&self, subject: &Subject) -> bool {
        subject.id.is_some() && subject.id == self.resource.owner
    }

    /// The attribute of this name, if it is known. What is fixed goes over attributes of the same name.
    pub(super) fn attribute(&self, subject: &Subject, name: &str) -> Option<Value> {
        let texts = |all: &[String]| Value::from(all.to_vec());
        let value = match name.split_once('.') {
            None if name == "action" => Some(Value::from(self.action.as_str())),
            Some(("subject", "id")) => subject.id.clone().map(Value::from),
            Some(("subject", "roles")) => Some(texts(&subject.roles)),
            Some(("resource", "kind")) => Some(Value::from(self.resource.kind.as_str())),
            Some(("resource", "owner")) => self.resource.owner.clone().map(Value::from),
            Some(("subject", path)) => walk(&subject.attributes, path),
            Some(("resource", path)) => walk(&self.resource.attributes, path),
            Some(("context", path)) => walk(&self.context, path),
            _ => None,
        };
        value.filter(|value| !value.is_null())
    }
}

/// The value at a dotted path; a key that has dots itself comes first.
fn walk(attributes: &Map<String, Value>, path: &str) -> Option<Value> {
    if let Some(value) = attributes.get(path) {
        return Some(value.clone());
    }
    let (key, rest) = path.split_once('.')?;
    walk(attributes.get(key)?.as_object()?, rest)
}
