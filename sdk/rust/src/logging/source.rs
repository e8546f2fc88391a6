use crate::telemetry::otlp::{Resource, Value};

/// Who logs, as the resource tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// `service.name`.
    pub service: String,
    /// `service.version`.
    pub version: String,
    /// `deployment.environment.name`.
    pub environment: Option<String>,
    /// `host.name`.
    pub host: Option<String>,
    /// `process.pid`.
    pub pid: u32,
    /// `deployment.id` and what else of `deployment.` is told.
    pub deployment: Vec<(String, String)>,
}

impl Source {
    /// What a resource says.
    pub fn of(resource: &Resource) -> Self {
        let text = |name: &str| {
            let found = resource.attributes.iter().find(|it| it.key == name)?;
            let Value::Text(text) = &found.value else { return None };
            Some(text.to_string())
        };
        let deployment = resource.attributes.iter().filter_map(|it| {
            let name = it.key.strip_prefix("deployment.").filter(|name| *name != "environment.name")?;
            let Value::Text(text) = &it.value else { return None };
            Some((name.to_owned(), text.to_string()))
        });
        Self {
            service: text("service.name").unwrap_or_default(),
            version: text("service.version").unwrap_or_default(),
            environment: text("deployment.environment.name"),
            host: text("host.name"),
            pid: std::process::id(),
            deployment: deployment.collect(),
        }
    }
}
