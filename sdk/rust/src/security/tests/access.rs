//! Roles with permissions, policies over attributes, and the layer.

use serde_json::{Value, json};

use crate::config::Loader;
use crate::security::access::{Access, AccessRules, Decision, Question, Resource, Subject};

fn rules(value: Value) -> AccessRules {
    serde_json::from_value(value).unwrap()
}

fn access(value: Value) -> Access {
    Access::new(&rules(value)).unwrap()
}

fn order() -> Resource {
    Resource::new("order")
}

#[test]
fn roles_grant_what_their_permissions_cover_and_no_more() {
    let access = access(json!({
        "permissions": [
            { "name": "see-orders", "resource": "order", "actions": ["read", "cancel:own"] },
            { "name": "audit", "resource": "*", "actions": ["read"] },
        ],
        "roles": [
            { "name": "admin", "permissions": ["*"] },
            { "name": "clerk", "permissions": ["see-orders"] },
            { "name": "auditor", "permissions": ["audit"] },
            { "name": "user", "permissions": ["read:own", "write:own"] },
            { "name": "printer", "permissions": ["label:print", "label:read:own"] },
        ],
    }));
    for (role, action, resource, allowed) in [
        ("admin", "delete", order(), true),
        ("clerk", "read", order(), true),
        ("clerk", "cancel", order(), false),
        ("clerk", "cancel", order().owned_by("ann"), true),
        ("clerk", "cancel", order().owned_by("bert"), false),
        ("clerk", "write", order().owned_by("ann"), false),
        ("clerk", "read", Resource::new("invoice"), false),
        ("auditor", "read", Resource::new("invoice"), true),
        ("auditor", "write", Resource::new("invoice"), false),
        ("user", "read", Resource::new("note").owned_by("ann"), true),
        ("user", "write", Resource::new("note").owned_by("ann"), true),
        ("user", "delete", Resource::new("note").owned_by("ann"), false),
        ("user", "read", Resource::new("note").owned_by("bert"), false),
        ("user", "read", Resource::new("note"), false),
        ("printer", "print", Resource::new("label"), true),
        ("printer", "print", order(), false),
        ("printer", "read", Resource::new("label"), false),
        ("nobody-knows", "read", order(), false),
    ] {
        let decision =
            access.decide(&Subject::new("ann").role(role), &Question::new(action, resource.clone()));
        let expected = if allowed { Decision::Granted } else { Decision::NotGranted };
        assert_eq!(decision, expected, "{role} {action} {resource:?}");
    }
    // Permissions of a token count like those of a role; what is none counts as nothing.
    for (permission, allowed) in
        [("*", true), ("see-orders", true), ("order:read", true), ("read", false), ("", false), (":", false)]
    {
        let subject = Subject::new("ann").permission(permission);
        let decision = access.decide(&subject, &Question::new("read", order()));
        assert_eq!(decision.is_allowed(), allowed, "{permission:?}");
    }
    let nameless = Subject { roles: vec!["user".into()], ..Subject::default() };
    assert!(!access.decide(&nameless, &Question::new("read", order())).is_allowed(), "nobody owns nothing");
}

#[test]
fn what_denies_wins_and_what_nobody_allows_is_denied() {
    let access = access(json!({
        "roles": [{ "name": "admin", "permissions": ["*"] }],
        "policies": [
            { "name": "support", "effect": "allow", "conditions": [
                { "attribute": "subject.department", "operator": "eq", "value": "support" },
                { "attribute": "action", "operator": "in", "value": ["read", "comment"] },
            ]},
            { "name": "night", "effect": "deny", "conditions": [
                { "attribute": "action", "operator": "ne", "value": "read" },
                { "attribute": "context.hour", "operator": "gte", "value": 22 },
            ]},
        ],
    }));
    let decide = |subject: &Subject, action: &str, hour: u32| {
        access.decide(subject, &Question::new(action, order()).context("hour", hour))
    };
    let admin = Subject::new("ann").role("admin");
    let support = Subject::new("bert").attribute("department", "support");
    assert_eq!(decide(&support, "read", 23), Decision::AllowedBy("support".into()));
    assert_eq!(decide(&support, "comment", 12), Decision::AllowedBy("support".into()));
    assert_eq!(decide(&support, "comment", 22), Decision::DeniedBy("night".into()));
    assert_eq!(decide(&support, "delete", 12), Decision::NotGranted);
    assert_eq!(decide(&admin, "delete", 12), Decision::Granted);
    assert_eq!(decide(&admin, "delete", 23), Decision::DeniedBy("night".into()));
    assert_eq!(decide(&Subject::new("carl"), "read", 12), Decision::NotGranted);
}

/// What one condition makes of one attribute: whether a policy with it allows, and whether one denies.
fn outcomes(operator: &str, value: Value, attribute: Option<Value>) -> (bool, bool) {
    let policy = |effect: &str| {
        json!({ "policies": [{ "name": "p", "effect": effect, "conditions": [
            { "attribute": "resource.a.b", "operator": operator, "value": value },
        ]}], "roles": [{ "name": "admin", "permissions": if effect == "deny" { vec!["*"] } else { vec![] } }] })
    };
    let resource = match attribute {
        Some(attribute) => order().attribute("a", json!({ "b": attribute })),
        None => order(),
    };
    let question = Question::new("read", resource);
    let admin = Subject::new("ann").role("admin");
    let decide = |effect| access(policy(effect)).decide(&admin, &question);
    (decide("allow").is_allowed(), !decide("deny").is_allowed())
}

#[test]
fn conditions_hold_or_not_and_what_cannot_be_said_never_leads_to_more() {
    let (holds, fails, unknown) = ((true, true), (false, false), (false, true));
    for (operator, value, attribute, expected) in [
        ("eq", json!("x"), json!("x"), holds),
        ("eq", json!("x"), json!("y"), fails),
        ("eq", json!(1), json!(1.0), holds),
        ("eq", json!(9_007_199_254_740_993_u64), json!(9_007_199_254_740_992_u64), fails),
        ("eq", json!("1"), json!(1), unknown),
        ("ne", json!("x"), json!("y"), holds),
        ("ne", json!("1"), json!(1), unknown),
        ("in", json!(["x", "y"]), json!("y"), holds),
        ("in", json!(["x", "y"]), json!("z"), fails),
        ("in", json!([]), json!("z"), fails),
        ("in", json!(["x"]), json!(1), unknown),
        ("not_in", json!(["x"]), json!("z"), holds),
        ("not_in", json!(["x"]), json!(1), unknown),
        ("contains", json!("x"), json!(["x", "y"]), holds),
        ("contains", json!("x"), json!(["y"]), fails),
        ("contains", json!("ell"), json!("hello"), holds),
        ("contains", json!("x"), json!(true), unknown),
        ("starts_with", json!("10."), json!("10.1.2.3"), holds),
        ("starts_with", json!("10."), json!("110.1"), fails),
        ("starts_with", json!("10."), json!(10), unknown),
        ("gt", json!(5), json!(6), holds),
        ("gt", json!(5), json!(5), fails),
        ("gte", json!(5), json!(5), holds),
        ("lt", json!("2026-01-01"), json!("2025-12-31"), holds),
        ("lte", json!(5), json!(5.5), fails),
        ("lt", json!(5), json!("4"), unknown),
        ("exists", json!(true), json!(0), holds),
        ("exists", json!(false), json!(0), fails),
    ] {
        let found = outcomes(operator, value.clone(), Some(attribute.clone()));
        assert_eq!(found, expected, "{attribute} {operator} {value}");
    }
    for (operator, value, expected) in [
        ("eq", json!("x"), unknown),
        ("ne", json!("x"), unknown),
        ("not_in", json!(["x"]), unknown),
        ("lt", json!(5), unknown),
        ("exists", json!(true), fails),
        ("exists", json!(false), holds),
    ] {
        assert_eq!(outcomes(operator, value.clone(), None), expected, "nothing {operator} {value}");
        assert_eq!(outcomes(operator, value.clone(), Some(Value::Null)), expected, "null {operator} {value}");
    }
}

#[test]
fn rules_that_are_wrong_are_refused_with_all_that_is() {
    let wrong = rules(json!({
        "permissions": [
            { "name": "p", "resource": "order", "actions": ["read", "own", ""] },
            { "name": "p", "resource": "", "actions": ["read"] },
        ],
        "roles": [{ "name": "r", "permissions": ["p", "q", "read"] }, { "name": "", "permissions": [] }],
        "policies": [
            { "name": "all", "effect": "allow", "conditions": [] },
            { "name": "odd", "effect": "deny", "conditions": [
                { "attribute": "subjekt.id", "operator": "in", "value": "ann" },
                { "attribute": "context.hour", "operator": "gt", "value": [1] },
            ]},
        ],
    }));
    let problems = Access::new(&wrong).unwrap_err().problems;
    let paths: Vec<_> = problems.iter().map(|problem| problem.split('`').nth(1).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "permissions[0].actions[1]",
            "permissions[0].actions[2]",
            "permissions[1].name",
            "permissions[1].actions[0]",
            "roles[0].permissions[1]",
            "roles[0].permissions[2]",
            "roles[1].name",
            "policies[0].conditions",
            "policies[1].conditions[0].attribute",
            "policies[1].conditions[0].value",
            "policies[1].conditions[1].value",
        ]
    );
    // As a part of a configuration they are refused at the start.
    let wrong = serde_json::to_value(&wrong).unwrap();
    let error = Loader::<AccessRules>::new().validate(&wrong, None).unwrap_err();
    assert_eq!(error.problems.len(), problems.len(), "{error}");
    let typo = json!({ "policies": [{ "name": "x", "effect": "permit", "conditions": [] }] });
    assert!(Loader::<AccessRules>::new().validate(&typo, None).is_err());
}

#[cfg(feature = "tower")]
#[test]
fn a_request_comes_through_if_it_may() {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use crate::security::layer::AccessLayer;

    let access = access(json!({ "roles": [{ "name": "user", "permissions": ["read:own"] }] }));
    let layer = AccessLayer::new(Arc::new(access), |request| {
        let owner = request.uri.path().trim_start_matches("/notes-of/");
        Question::new("read", Resource::new("note").owned_by(owner))
    });
    let app = Router::new().route("/notes-of/{name}", get(async || "notes")).layer(layer);
    let ask = |subject: Option<Subject>| {
        let mut request = Request::get("/notes-of/ann").body(Body::empty()).unwrap();
        if let Some(subject) = subject {
            request.extensions_mut().insert(subject);
        }
        app.clone().oneshot(request)
    };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        for (subject, status) in [
            (Some(Subject::new("ann").role("user")), StatusCode::OK),
            (Some(Subject::new("bert").role("user")), StatusCode::FORBIDDEN),
            (Some(Subject::new("ann")), StatusCode::FORBIDDEN),
            (None, StatusCode::UNAUTHORIZED),
        ] {
            let answer = ask(subject).await.unwrap();
            assert_eq!(answer.status(), status);
            if status == StatusCode::OK {
                continue;
            }
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
            assert_eq!(answer.headers().contains_key("www-authenticate"), status == StatusCode::UNAUTHORIZED);
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            let document: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(document["status"], status.as_u16());
        }
    });
}

#[cfg(all(feature = "testkit", feature = "tower"))]
#[test]
fn a_token_says_who_it_is() {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::routing::get;
    use tower::ServiceExt;

    use crate::security::layer::{AccessLayer, TokenLayer};
    use crate::testkit::{ManualTime, TestIssuer};

    let issuer = TestIssuer::new(ManualTime::default());
    let layer = AccessLayer::new(Arc::new(access(json!({}))), |request| {
        let owner = request.uri.path().trim_start_matches("/notes-of/");
        Question::new("read", Resource::new("note").owned_by(owner))
    });
    let app = Router::new()
        .route("/notes-of/{name}", get(async || "notes"))
        .layer(layer)
        .layer(TokenLayer::new(Arc::new(issuer.validator())));
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
        for (user, owner, status) in [
            ("user@test.com", "user@test.com", StatusCode::OK),
            ("user@test.com", "admin@test.com", StatusCode::FORBIDDEN),
            ("admin@test.com", "user@test.com", StatusCode::OK),
        ] {
            let token = issuer.login(user, "password123").unwrap().access_token;
            let request = Request::get(format!("/notes-of/{owner}"))
                .header("authorization", format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap();
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{user} {owner}");
        }
    });
}
