use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Options;
use crate::config::{Report, Validate};

/// Modules as they stand in a configuration: which of them run, in which order and with which settings;
/// for everybody, and what is other for some customers. Each customer has modules of its own: a
/// [`Modules`](super::Modules) with the options for it.
///
/// ```
/// use fresnel_sdk::modules::ModulesConfig;
///
/// let config: ModulesConfig = serde_json::from_str(r#"{
///     "modules": { "search": { "settings": { "results": 10, "fuzzy": true } } },
///     "customers": { "acme": { "search": { "settings": { "results": 50 } }, "labs": { "enabled": false } } }
/// }"#)?;
/// let acme = config.options(Some("acme"));
/// assert_eq!(acme.settings["search"], serde_json::json!({ "results": 50, "fuzzy": true }));
/// assert!(acme.disabled.contains("labs") && !config.options(None).disabled.contains("labs"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModulesConfig {
    /// By the id of the module.
    pub modules: BTreeMap<String, ModuleConfig>,
    /// What is other for a customer, by the customer's id and that of the module.
    pub customers: BTreeMap<String, BTreeMap<String, ModuleConfig>>,
}

/// One module. What is not said is as for everybody, and there as the module has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ModuleConfig {
    /// Whether it is started.
    pub enabled: Option<bool>,
    /// In the place of its priority: of modules that could start next, the one with the smallest starts.
    pub position: Option<i32>,
    /// What it reads by [`Context::settings`](super::Context::settings). Those for a customer go over
    /// those for everybody, key by key.
    pub settings: BTreeMap<String, Value>,
}

impl ModulesConfig {
    /// For a customer, or for nobody in particular; a customer of whom nothing is said has what everybody
    /// has. Times and bounds are as usual.
    pub fn options(&self, customer: Option<&str>) -> Options {
        let mut options = Options::default();
        let own = customer.and_then(|customer| self.customers.get(customer));
        for (id, module) in self.modules.iter().chain(own.into_iter().flatten()) {
            match module.enabled {
                Some(true) => drop(options.disabled.remove(id)),
                Some(false) => drop(options.disabled.insert(id.clone())),
                None => {}
            }
            options.positions.extend(module.position.map(|position| (id.clone(), position)));
            if !module.settings.is_empty() {
                let mut all = match options.settings.remove(id) {
                    Some(Value::Object(all)) => all,
                    _ => Map::new(),
                };
                all.extend(module.settings.clone());
                options.settings.insert(id.clone(), all.into());
            }
        }
        options
    }
}

impl Validate for ModulesConfig {
    fn validate(&self, report: &mut Report) {
        let told = |path: &str, id: &String, report: &mut Report| {
            if !super::manifest::is_id(id) {
                let problem = "is no id: a lower-case letter, then lower-case letters, digits and `-`";
                report.error(&format!("{path}.{id}"), problem);
            }
        };
        self.modules.keys().for_each(|id| told("modules", id, report));
        for (customer, modules) in &self.customers {
            modules.keys().for_each(|id| told(&format!("customers.{customer}"), id, report));
        }
    }
}
