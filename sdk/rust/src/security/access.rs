//! Who may do what: roles with permissions (RBAC), and policies over attributes (ABAC).
//!
//! What enters: [`AccessRules`], from the configuration or made by hand, and for each request a
//! [`Subject`] and a [`Question`]. What leaves: a [`Decision`]. There is no I/O and no clock; what a
//! policy shall know of the time or the network is an attribute of the question's context.
//!
//! What must hold: what nobody allows is denied; a policy that denies wins over everything that
//! allows; an attribute that is not known, or is of another type, never leads to more: a policy that
//! allows does not hold then, and one that denies does.
//!
//! ```
//! use fresnel_sdk::security::access::{Access, AccessRules, Question, Resource, Subject};
//!
//! let rules: AccessRules = serde_json::from_value(serde_json::json!({
//!     "permissions": [{ "name": "orders", "resource": "order", "actions": ["read", "cancel:own"] }],
//!     "roles": [{ "name": "clerk", "permissions": ["orders"] }],
//!     "policies": [{ "name": "frozen orders stay", "effect": "deny", "conditions": [
//!         { "attribute": "action", "operator": "ne", "value": "read" },
//!         { "attribute": "resource.frozen", "operator": "eq", "value": true },
//!     ]}],
//! }))?;
//! let access = Access::new(&rules)?;
//! let ann = Subject::new("ann").role("clerk");
//! let order = Resource::new("order").owned_by("ann").attribute("frozen", false);
//! assert!(access.decide(&ann, &Question::new("cancel", order.clone())).is_allowed());
//! assert!(!access.decide(&ann, &Question::new("cancel", order.attribute("frozen", true))).is_allowed());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod condition;
mod decide;
mod grant;
mod question;
mod rules;

pub use self::decide::{Access, Decision, RulesError};
pub use self::question::{Question, Resource, Subject};
pub use self::rules::{AccessPolicy, AccessRules, Condition, Effect, Operator, Permission, Role};
