//! The order of modules, and what has none.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::modules::graph::plan;
use crate::modules::{Dependency, Manifest, PlanError, RegisterError};

fn order(manifests: Vec<Manifest>) -> Result<Vec<String>, PlanError> {
    let checked = manifests.into_iter().map(|it| (it.id.clone(), it.check().unwrap()));
    plan(&checked.collect::<BTreeMap<_, _>>()).map(|plan| plan.order)
}

fn module(id: &str) -> Manifest {
    Manifest::new(id, "1.2.3")
}

#[test]
fn what_is_needed_comes_first_then_priority_then_the_name() {
    let manifests = vec![
        module("a").needs("z", "^1"),
        module("z"),
        module("early"),
        Manifest { priority: -5, ..module("x") },
        Manifest { priority: -9, ..module("b").needs("a", "*") },
    ];
    assert_eq!(order(manifests).unwrap(), ["x", "early", "z", "a", "b"]);
}

#[test]
fn a_cycle_is_named_however_long() {
    let cycle = vec![
        module("in").needs("a", "*"),
        module("a").needs("b", "*"),
        module("b").uses("c", "*"),
        module("c").needs("a", "*"),
    ];
    assert_eq!(order(cycle).unwrap_err().to_string(), "modules wait for each other: a -> b -> c -> a");
    let own = order(vec![module("a").needs("a", "*")]).unwrap_err();
    assert_eq!(own, PlanError::Cycle(vec!["a".into(), "a".into()]));
    let diamond = vec![
        module("a"),
        module("b").needs("a", "*"),
        module("c").needs("a", "*"),
        module("d").needs("b", "*").needs("c", "*"),
    ];
    assert_eq!(order(diamond).unwrap(), ["a", "b", "c", "d"]);
}

#[test]
fn versions_are_held_to() {
    let needs = |requirement: &str| order(vec![module("a"), module("b").needs("a", requirement)]);
    for right in ["*", "^1.2", "~1.2.3", ">=1, <2", "=1.2.3"] {
        assert!(needs(right).is_ok(), "{right}");
    }
    assert_eq!(needs("^2").unwrap_err().to_string(), "`b` needs `a` ^2, which is 1.2.3");
    let missing = order(vec![module("b").needs("gone", "*")]).unwrap_err();
    assert_eq!(missing.to_string(), "`b` needs `gone`, which is not registered");
    assert_eq!(order(vec![module("b").uses("gone", "*")]).unwrap(), ["b"]);
    assert_eq!(order(vec![module("a"), module("b").uses("a", "^9")]).unwrap(), ["a", "b"]);
    let dependency = Dependency { fallback: Some("y".into()), ..Dependency::new("z", "^9") };
    let with_fallback = Manifest { dependencies: vec![dependency], ..module("b") };
    assert_eq!(order(vec![with_fallback.clone(), module("y")]).unwrap(), ["y", "b"]);
    assert_eq!(order(vec![with_fallback.clone(), module("y"), module("z")]).unwrap(), ["y", "b", "z"]);
    assert!(order(vec![with_fallback]).is_err());
}

/// A module that needs others in an order.
fn ordered(id: &str, dependencies: &[(&str, i32)]) -> Manifest {
    let dependency = |(id, order): &(&str, i32)| Dependency { order: *order, ..Dependency::new(*id, "*") };
    Manifest { dependencies: dependencies.iter().map(dependency).collect(), ..module(id) }
}

#[test]
fn what_one_needs_starts_in_the_order_that_it_says() {
    let needs_more = module("late").needs("slow", "*");
    let all = || vec![module("a"), module("z"), module("slow"), needs_more.clone()];
    let order_of =
        |dependencies: &[(&str, i32)]| order([all(), vec![ordered("shop", dependencies)]].concat());
    assert_eq!(order_of(&[("z", 0), ("a", 0)]).unwrap(), ["a", "slow", "late", "z", "shop"]);
    assert_eq!(order_of(&[("z", 1), ("a", 2)]).unwrap(), ["slow", "late", "z", "a", "shop"]);
    // After all that the earlier one needs itself, and whatever its priority is.
    let eager = Manifest { priority: -9, ..module("a") };
    let others = vec![eager, needs_more.clone(), module("slow"), ordered("shop", &[("late", -1), ("a", 0)])];
    assert_eq!(order(others).unwrap(), ["slow", "late", "a", "shop"]);
    // A fallback has the place of what it stands for; one that is not there has none.
    let fallback = Dependency { fallback: Some("z".into()), order: -1, ..Dependency::new("gone", "*") };
    let mut shop = ordered("shop", &[("a", 0)]);
    shop.dependencies.push(fallback);
    shop.dependencies.push(Dependency { optional: true, order: -2, ..Dependency::new("nobody", "*") });
    assert_eq!(order(vec![module("a"), module("z"), shop]).unwrap(), ["z", "a", "shop"]);
}

#[test]
fn an_order_against_what_is_needed_is_a_cycle() {
    let shop = ordered("shop", &[("late", 1), ("slow", 2)]);
    let wrong = order(vec![module("slow"), module("late").needs("slow", "*"), shop]).unwrap_err();
    assert_eq!(wrong.to_string(), "modules wait for each other: late -> slow -> late");
    let two = vec![
        module("a"),
        module("b"),
        ordered("x", &[("a", 1), ("b", 2)]),
        ordered("y", &[("a", 2), ("b", 1)]),
    ];
    assert_eq!(order(two).unwrap_err().to_string(), "modules wait for each other: a -> b -> a");
}

#[test]
fn the_field_that_is_wrong_is_named() {
    let cases = [
        (Manifest { id: "A".into(), ..module("a") }, "id"),
        (Manifest { id: "1a".into(), ..module("a") }, "id"),
        (Manifest { id: String::new(), ..module("a") }, "id"),
        (Manifest { id: "a_b".into(), ..module("a") }, "id"),
        (Manifest { name: String::new(), ..module("a") }, "name"),
        (Manifest { version: "1.2".into(), ..module("a") }, "version"),
        (Manifest { version: "01.2.3".into(), ..module("a") }, "version"),
        (module("a").needs("B", "*"), "dependencies"),
        (module("a").needs("b", "one"), "dependencies"),
        (module("a").checks(""), "health_checks"),
        (module("a").checks("disk").checks("disk"), "health_checks"),
        ((0..101).fold(module("a"), |it, n| it.checks(format!("{n}"))), "health_checks"),
    ];
    for (manifest, expected) in cases {
        match manifest.check().map(|_| ()) {
            Err(RegisterError::Field { field, .. }) => assert_eq!(field, expected, "{manifest:?}"),
            other => panic!("{manifest:?}: {other:?}"),
        }
    }
    assert!(Manifest::new("a-1", "1.2.3-rc.1").check().is_ok());
}

proptest! {
    /// Whatever needs whatever: either every module comes after what it needs, or the cycle that
    /// is told is one.
    #[test]
    fn there_is_an_order_or_a_cycle(edges in prop::collection::vec((0..8_usize, 0..8_usize), 0..16)) {
        let id = |n: usize| format!("m{n}");
        let mut manifests: Vec<_> = (0..8).map(|n| module(&id(n))).collect();
        for (from, to) in &edges {
            manifests[*from] = manifests[*from].clone().needs(id(*to), "*");
        }
        let needs = |from: &String, to: &String| edges.iter().any(|(f, t)| id(*f) == *from && id(*t) == *to);
        match order(manifests) {
            Ok(order) => {
                prop_assert_eq!(order.len(), 8);
                for (place, from) in order.iter().enumerate() {
                    prop_assert!(!order[place..].iter().any(|to| needs(from, to)));
                }
            }
            Err(PlanError::Cycle(cycle)) => {
                prop_assert!(cycle.len() > 1 && cycle.first() == cycle.last());
                prop_assert!(cycle.windows(2).all(|pair| needs(&pair[0], &pair[1])));
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
