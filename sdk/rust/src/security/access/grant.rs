//! A permission written out.

/// Stands for everything.
const ALL: &str = "*";
/// Behind an action: only where the subject owns the resource.
const OWN: &str = "own";

/// One action on one kind of resource, or on all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    resource: String,
    action: String,
    own: bool,
}

impl Grant {
    /// `*`, `resource:action`, `resource:action:own`, `action:own`; nothing else is one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (rest, own) = owned(text);
        match rest.split(':').collect::<Vec<_>>()[..] {
            [ALL] => Self::new(ALL, ALL, own),
            [action] if own => Self::new(ALL, action, own),
            [resource, action] => Self::new(resource, action, own),
            _ => None,
        }
    }

    /// An action, or `action:own`, on this.
    pub(super) fn of(resource: &str, action: &str) -> Option<Self> {
        let (action, own) = owned(action);
        Self::new(resource, action, own)
    }

    fn new(resource: &str, action: &str, own: bool) -> Option<Self> {
        let is_name = |name: &str| !name.is_empty() && !name.contains(':') && name != OWN;
        let (resource_is, action_is) = (is_name(resource), is_name(action));
        (resource_is && action_is).then(|| Self { resource: resource.into(), action: action.into(), own })
    }

    pub(super) fn covers(&self, resource: &str, action: &str, owned: bool) -> bool {
        let fits = |pattern: &str, name: &str| pattern == ALL || pattern == name;
        fits(&self.resource, resource) && fits(&self.action, action) && (owned || !self.own)
    }
}

/// What stands before `:own`, and whether that is there.
fn owned(text: &str) -> (&str, bool) {
    match text.rsplit_once(':') {
        Some((rest, OWN)) => (rest, true),
        _ => (text, false),
    }
}
