//! A value that is no configuration, such as the body of a request, against its type.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::check::check;
use super::node::Node;
use super::origin::Origin;
use super::path::{KeyPath, index_of};
use super::settle::key_path;
use super::shape::Shape;
use super::validate::{Report, Validate};

/// What is wrong with a value: its path, empty for the whole of it, and a sentence.
pub(crate) struct Misfit {
    path: KeyPath,
    pub(crate) message: String,
}

impl Misfit {
    fn about(path: &KeyPath, predicate: &str) -> Self {
        let message =
            if path.is_empty() { format!("the input {predicate}") } else { format!("`{path}` {predicate}") };
        Self { path: path.clone(), message }
    }

    /// The whole of it is wrong.
    pub(crate) fn whole(message: String) -> Self {
        Self { path: KeyPath::default(), message }
    }

    /// Where it is, as RFC 6901 has it.
    pub(crate) fn pointer(&self) -> String {
        let token = |segment: &String| match index_of(segment) {
            Some(index) => format!("/{index}"),
            None => format!("/{}", segment.replace('~', "~0").replace('/', "~1")),
        };
        self.path.segments().iter().map(token).collect()
    }
}

/// What values of a type look like; made once, as that takes a while.
pub(crate) struct Fit(Shape);

impl Fit {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        Self(Shape::of::<T>())
    }

    /// The value as its type, or everything that does not fit. Whether values go together is only asked
    /// once each of them fits.
    pub(crate) fn read<T: DeserializeOwned + Validate>(&self, value: &Json) -> Result<T, Vec<Misfit>> {
        let misfits: Vec<_> = check(&Node::from_json(value.clone(), &Origin::Runtime), &self.0)
            .into_iter()
            .map(|(path, problem)| match problem.message.strip_prefix("the configuration ") {
                Some(predicate) => Misfit::about(&path, predicate),
                None => Misfit { path, message: problem.message },
            })
            .collect();
        if !misfits.is_empty() {
            return Err(misfits);
        }
        let value = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = key_path(error.path());
            vec![Misfit::about(&path, &format!("is not valid: {}", error.into_inner()))]
        })?;
        rules_hold(&value)?;
        Ok(value)
    }
}

/// Everything that [`Validate`] finds.
pub(crate) fn rules_hold<T: Validate>(value: &T) -> Result<(), Vec<Misfit>> {
    let mut report = Report::default();
    value.validate(&mut report);
    let misfits: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            Misfit::about(finding.paths.first().unwrap_or(&KeyPath::default()), &finding.predicate)
        })
        .collect();
    if misfits.is_empty() { Ok(()) } else { Err(misfits) }
}
