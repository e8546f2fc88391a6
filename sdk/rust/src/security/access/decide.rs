use std::collections::BTreeMap;

use super::condition::all_hold;
use super::grant::Grant;
use super::question::{Question, Subject};
use super::rules::{AccessPolicy, AccessRules, Effect};
use crate::config::{Report, Validate};

/// Rules that cannot be used, with everything that is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("\n"))]
pub struct RulesError {
    /// A sentence for each.
    pub problems: Vec<String>,
}

/// Whether something may be done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A permission of the subject or of one of its roles covers it, and no policy denies it.
    Granted,
    /// The policy of this name allows it, and none denies it.
    AllowedBy(String),
    /// The policy of this name denies it.
    DeniedBy(String),
    /// Nothing allows it.
    NotGranted,
}

impl Decision {
    /// Whether it may be done.
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Granted | Self::AllowedBy(_))
    }
}

/// Rules that were checked.
#[derive(Clone, Debug)]
pub struct Access {
    permissions: BTreeMap<String, Vec<Grant>>,
    roles: BTreeMap<String, Vec<Grant>>,
    allow: Vec<AccessPolicy>,
    deny: Vec<AccessPolicy>,
}

impl Access {
    /// Checks rules.
    ///
    /// # Errors
    /// Everything that is wrong with them, as their [`Validate`] says it.
    pub fn new(rules: &AccessRules) -> Result<Self, RulesError> {
        let mut report = Report::default();
        rules.validate(&mut report);
        let problems: Vec<_> = report.sentences().collect();
        if !problems.is_empty() {
            return Err(RulesError { problems });
        }
        let mut access = Self {
            permissions: BTreeMap::new(),
            roles: BTreeMap::new(),
            allow: Vec::new(),
            deny: Vec::new(),
        };
        for permission in &rules.permissions {
            let grants = permission.actions.iter().filter_map(|it| Grant::of(&permission.resource, it));
            access.permissions.insert(permission.name.clone(), grants.collect());
        }
        for role in &rules.roles {
            let grants = role.permissions.iter().flat_map(|text| access.grants(text)).collect();
            access.roles.insert(role.name.clone(), grants);
        }
        for policy in &rules.policies {
            match policy.effect {
                Effect::Allow => access.allow.push(policy.clone()),
                Effect::Deny => access.deny.push(policy.clone()),
            }
        }
        Ok(access)
    }

    /// Whether a subject may do what is asked.
    pub fn decide(&self, subject: &Subject, question: &Question) -> Decision {
        let holds = |policy: &AccessPolicy| all_hold(&policy.conditions, subject, question);
        // What cannot be said may be so.
        if let Some(policy) = self.deny.iter().find(|policy| holds(policy) != Some(false)) {
            return Decision::DeniedBy(policy.name.clone());
        }
        if self.is_granted(subject, question) {
            return Decision::Granted;
        }
        match self.allow.iter().find(|policy| holds(policy) == Some(true)) {
            Some(policy) => Decision::AllowedBy(policy.name.clone()),
            None => Decision::NotGranted,
        }
    }

    fn is_granted(&self, subject: &Subject, question: &Question) -> bool {
        let owned = question.is_owner(subject);
        let covers = |grant: &Grant| grant.covers(&question.resource.kind, &question.action, owned);
        let of_roles = subject.roles.iter().filter_map(|role| self.roles.get(role)).flatten();
        of_roles.into_iter().any(covers)
            || subject.permissions.iter().flat_map(|text| self.grants(text)).any(|grant| covers(&grant))
    }

    /// What a text stands for: a permission by its name, or one written out.
    fn grants(&self, text: &str) -> Vec<Grant> {
        match self.permissions.get(text) {
            Some(grants) => grants.clone(),
            None => Grant::parse(text).into_iter().collect(),
        }
    }
}
