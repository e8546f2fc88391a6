use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::grant::Grant;
use crate::config::{Report, Validate};

/// Roles, permissions and policies, as a part of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccessRules {
    /// What subjects have.
    pub roles: Vec<Role>,
    /// What roles and tokens name.
    pub permissions: Vec<Permission>,
    /// What goes by attributes.
    pub policies: Vec<AccessPolicy>,
}

/// What a subject may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name, as in the `roles` of a token.
    pub name: String,
    /// Names of permissions, or permissions written out: `*` (everything), `resource:action`,
    /// `resource:action:own` and `action:own`, each part `*` or a name.
    pub permissions: Vec<String>,
}

/// Something that may be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Its name, as roles and the `permissions` of a token say it.
    pub name: String,
    /// To what: a kind of resource, or `*` for all.
    pub resource: String,
    /// Actions; `*` is all, and with `:own` behind it only where the subject owns the resource.
    pub actions: Vec<String>,
}

/// What goes by attributes. It holds if all conditions do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessPolicy {
    /// Its name, as it stands in decisions and logs.
    pub name: String,
    /// What it does where it holds.
    pub effect: Effect,
    /// At least one.
    pub conditions: Vec<Condition>,
}

/// What a policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It allows, whatever the roles say.
    Allow,
    /// It denies, whatever else allows.
    Deny,
}

/// What must be so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// `action`, `subject.…` (`id`, `roles`, or an attribute), `resource.…` (`kind`, `owner`, or an
    /// attribute), `context.…`. Dots lead into objects.
    pub attribute: String,
    /// How it is compared.
    pub operator: Operator,
    /// With what: a list for `in` and `not_in`, true or false for `exists`.
    pub value: Value,
}

/// How an attribute is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// It is equal.
    Eq,
    /// It is not.
    Ne,
    /// It is one of the list.
    In,
    /// It is none of the list.
    NotIn,
    /// A list has the value, a text has it inside.
    Contains,
    /// A text begins with it.
    StartsWith,
    /// A number is greater, a text later in order.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
    /// Whether it is known at all.
    Exists,
}

impl Validate for AccessRules {
    fn validate(&self, report: &mut Report) {
        let mut permissions = BTreeSet::new();
        for (at, permission) in self.permissions.iter().enumerate() {
            let at = format!("permissions[{at}]");
            if permission.name.is_empty() || !permissions.insert(permission.name.as_str()) {
                report.error(&format!("{at}.name"), "must be there once");
            }
            for (index, action) in permission.actions.iter().enumerate() {
                if Grant::of(&permission.resource, action).is_none() {
                    report.error(&format!("{at}.actions[{index}]"), "is no action with or without `:own`");
                }
            }
        }
        let mut roles = BTreeSet::new();
        for (at, role) in self.roles.iter().enumerate() {
            if role.name.is_empty() || !roles.insert(role.name.as_str()) {
                report.error(&format!("roles[{at}].name"), "must be there once");
            }
            for (index, text) in role.permissions.iter().enumerate() {
                if !permissions.contains(text.as_str()) && Grant::parse(text).is_none() {
                    let path = format!("roles[{at}].permissions[{index}]");
                    report.error(&path, "names no permission and is none itself");
                }
            }
        }
        for (at, policy) in self.policies.iter().enumerate() {
            policy.check(&format!("policies[{at}]"), report);
        }
    }
}

impl AccessPolicy {
    fn check(&self, at: &str, report: &mut Report) {
        if self.conditions.is_empty() {
            report.error(&format!("{at}.conditions"), "must have one: it would hold for everything");
        }
        for (index, condition) in self.conditions.iter().enumerate() {
            let at = format!("{at}.conditions[{index}]");
            let name = condition.attribute.as_str();
            let of = ["subject.", "resource.", "context."];
            if name != "action"
                && !of.iter().any(|of| name.strip_prefix(of).is_some_and(|rest| !rest.is_empty()))
            {
                let must = "must be `action` or begin with `subject.`, `resource.` or `context.`";
                report.error(&format!("{at}.attribute"), must);
            }
            let must = match condition.operator {
                Operator::In | Operator::NotIn if !condition.value.is_array() => "must be a list",
                Operator::Exists if !condition.value.is_boolean() => "must be true or false",
                Operator::StartsWith if !condition.value.is_string() => "must be a text",
                Operator::Gt | Operator::Gte | Operator::Lt | Operator::Lte
                    if !condition.value.is_number() && !condition.value.is_string() =>
                {
                    "must be a number or a text"
                }
                _ => continue,
            };
            report.error(&format!("{at}.value"), must);
        }
    }
}
