//! In which order modules start: a function of their manifests.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Checked, Dependency};

/// Why there is no order. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Modules need each other, or are to start before what they need.
    #[error("modules wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
    /// A module needs one that is not registered.
    #[error("`{module}` needs `{dependency}`, which is not registered")]
    Missing {
        /// Which module.
        module: String,
        /// What it needs.
        dependency: String,
    },
    /// A module needs another version of one.
    #[error("`{module}` needs `{dependency}` {requirement}, which is {found}")]
    Version {
        /// Which module.
        module: String,
        /// What it needs.
        dependency: String,
        /// Which versions will do.
        requirement: String,
        /// Which version is registered.
        found: String,
    },
}

/// Modules with what each one waits for, in an order in which they can start.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) order: Vec<String>,
    pub(super) needs: BTreeMap<String, Vec<Need>>,
}

/// What a module waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) id: String,
    pub(super) optional: bool,
    order: i32,
}

/// The order of all modules.
pub(super) fn plan(modules: &BTreeMap<String, Checked>) -> Result<Plan, PlanError> {
    let mut needs = BTreeMap::new();
    for (id, module) in modules {
        needs.insert(id.clone(), resolve(id, module, modules)?);
    }
    let mut waiting = waits(&needs);
    if let Some(cycle) = cycle(&waiting) {
        return Err(PlanError::Cycle(cycle));
    }
    let mut order = Vec::new();
    while !waiting.is_empty() {
        let ready = waiting.iter().filter(|(_, needs)| needs.is_empty()).map(|(id, _)| *id);
        // There is one: there is no cycle.
        let Some(next) = ready.min_by_key(|id| (modules.get(*id).map(|it| it.manifest.priority), *id)) else {
            break;
        };
        waiting.remove(next);
        for needs in waiting.values_mut() {
            needs.remove(next);
        }
        order.push(next);
    }
    let order = order.into_iter().map(str::to_owned).collect();
    Ok(Plan { order, needs })
}

/// After which modules each one starts: what it needs, and of what another one needs that which is to
/// be there before it.
fn waits(needs: &BTreeMap<String, Vec<Need>>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut waits: BTreeMap<_, BTreeSet<_>> = needs
        .iter()
        .map(|(id, needs)| (id.as_str(), needs.iter().map(|need| need.id.as_str()).collect()))
        .collect();
    for needs in needs.values() {
        for late in needs {
            let early = needs.iter().filter(|early| early.order < late.order && early.id != late.id);
            waits.entry(&late.id).or_default().extend(early.map(|early| early.id.as_str()));
        }
    }
    waits
}

/// The dependencies of a module, or their fallbacks; those that are optional and not there are none.
fn resolve(id: &str, module: &Checked, modules: &BTreeMap<String, Checked>) -> Result<Vec<Need>, PlanError> {
    let mut needs = Vec::new();
    for (dependency, requirement) in module.manifest.dependencies.iter().zip(&module.requirements) {
        let found = modules.get(&dependency.id);
        let fits = |other: &&Checked| requirement.matches(&other.version);
        let fallback = dependency.fallback.as_ref().filter(|fallback| modules.contains_key(*fallback));
        let chosen = match (found.filter(fits), fallback) {
            (Some(_), _) => Some(&dependency.id),
            (None, fallback) => fallback,
        };
        match (chosen, found) {
            (Some(chosen), _) => {
                let Dependency { optional, order, .. } = *dependency;
                needs.push(Need { id: chosen.clone(), optional, order });
            }
            (None, _) if dependency.optional => {}
            (None, None) => {
                return Err(PlanError::Missing { module: id.into(), dependency: dependency.id.clone() });
            }
            (None, Some(found)) => {
                return Err(PlanError::Version {
                    module: id.into(),
                    dependency: dependency.id.clone(),
                    requirement: dependency.requirement.clone(),
                    found: found.version.to_string(),
                });
            }
        }
    }
    Ok(needs)
}

/// The first cycle, its first module again at the end.
fn cycle(waits: &BTreeMap<&str, BTreeSet<&str>>) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    waits.keys().find_map(|id| walk(id, waits, &mut Vec::new(), &mut done))
}

fn walk<'a>(
    id: &'a str,
    waits: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    path: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    if let Some(begin) = path.iter().position(|other| *other == id) {
        return Some(path[begin..].iter().chain([&id]).map(|id| (*id).to_owned()).collect());
    }
    if done.contains(id) {
        return None;
    }
    path.push(id);
    let found = waits.get(id).into_iter().flatten().find_map(|next| walk(next, waits, path, done));
    path.pop();
    done.insert(id);
    found
}
