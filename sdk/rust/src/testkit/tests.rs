#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tracing::Level;

use super::{Recording, RecordingMetrics, RecordingTracer, TestContainer, TestIssuer, without_telemetry};
use crate::events::{Events, NewEvent};
use crate::flags::{Context, Flags, Reason};
use crate::instrument::Database;
use crate::modules::{BoxFuture, Failure, Manifest, Module, Modules, Options};
use crate::security::jwt::{TokenError, Validator};
use crate::telemetry::metrics::Registry;
use crate::telemetry::otlp::{SpanKind, Status};
use crate::telemetry::trace::Tracer;
use crate::time_of_day::TimeOfDay;

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn logs_and_spans_are_recorded_with_what_surrounds_them() {
    let recording = Recording::default();
    recording.during(|| {
        let outer = tracing::info_span!("outer", user = "ann", later = tracing::field::Empty).entered();
        outer.record("later", 7);
        tracing::debug_span!("inner").in_scope(|| tracing::error!(code = 5, "it broke"));
        let other = recording.clone();
        std::thread::spawn(move || other.during(|| tracing::trace!("elsewhere"))).join().unwrap();
    });
    let event = recording.expect(Level::ERROR, "broke");
    assert_eq!(
        (event.fields["code"].as_str(), event.spans),
        ("5", vec!["outer".to_owned(), "inner".to_owned()])
    );
    let outer = recording.span("outer").unwrap();
    assert_eq!((outer.fields["user"].as_str(), outer.fields["later"].as_str()), ("ann", "7"));
    assert!(outer.ended && recording.span("inner").unwrap().parent.as_deref() == Some("outer"));
    assert_eq!(recording.events()[1].message, "elsewhere");
    let fails = |check: &dyn Fn()| catch_unwind(AssertUnwindSafe(check)).is_err();
    assert!(fails(&|| drop(recording.expect(Level::WARN, "broke"))));
    assert!(fails(&|| recording.expect_nothing_from(Level::WARN)));
    recording.clear();
    recording.expect_nothing_from(Level::TRACE);
    assert_eq!((recording.spans().len(), recording.dropped()), (0, 0));
    recording.during(|| without_telemetry(|| tracing::error!("nobody hears it")));
    recording.expect_nothing_from(Level::TRACE);
}

#[test]
fn metrics_of_every_kind_can_be_asked_for() {
    let metrics = RecordingMetrics::default();
    let registry = metrics.registry();
    registry.gauge("g", "1", "").bind(&[]).set(1.5);
    registry.histogram("h", "s", "", &[1.0]).bind(&[("a", "b")]).record(3.0);
    registry.up_down_counter("u", "1", "").bind(&[]).add(-2);
    assert_eq!(metrics.value("g", &[]), Some(1.5));
    assert_eq!(metrics.value("h", &[("a", "b")]), Some(1.0));
    assert_eq!(metrics.value("u", &[]), Some(-2.0));
    assert_eq!((metrics.value("h", &[]), metrics.value("nothing", &[])), (None, None));
    assert_eq!(metrics.names(), ["g", "h", "u"]);
}

#[test]
fn spans_of_a_tracer_are_recorded_when_they_have_ended() {
    let recording = RecordingTracer::default();
    let mut outer = recording.tracer().start("outer");
    outer.in_scope(|| {
        let mut inner = recording.tracer().span("inner").kind(SpanKind::Client).attribute("n", 3).start();
        inner.event("retried", &[]);
    });
    assert_eq!(recording.spans().len(), 1, "the outer one is open");
    outer.end();
    let (outer, inner) = (recording.span("outer").unwrap(), recording.span("inner").unwrap());
    assert_eq!((inner.parent_span_id, inner.trace_id), (Some(outer.span_id), outer.trace_id));
    assert_eq!((inner.kind, inner.attributes["n"].as_str()), (SpanKind::Client, "3"));
    assert_eq!((&inner.events[..], &inner.status), (&["retried".to_owned()][..], &Status::Unset));
    recording.clear();
    assert_eq!((recording.spans(), recording.dropped()), (vec![], 0));
    assert!(recording.clone().span("outer").is_none());
}

#[test]
fn flags_are_set_and_questions_remembered() {
    let kit = TestContainer::new();
    let flags = kit.services().get::<Flags>().unwrap();
    assert_eq!(flags.integer("limit", 1, &Context::new()), 1);
    kit.flags.set("limit", 7);
    assert_eq!(flags.integer("limit", 1, &Context::user("ann")), 7);
    let rule = json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
        "targeting": {"if": [{"==": [{"var": "userId"}, "ann"]}, "on"]}});
    kit.flags.set_rule("beta", rule);
    assert!(
        flags.bool("beta", false, &Context::user("ann")) && !flags.bool("beta", false, &Context::user("bob"))
    );
    flags.set_enabled("beta", false).unwrap();
    assert!(!flags.bool("beta", false, &Context::user("ann")));
    kit.flags.remove("limit");
    assert_eq!(flags.integer("limit", 1, &Context::new()), 1);
    let seen: Vec<_> = kit.flags.exposures().into_iter().map(|it| (it.key, it.reason)).collect();
    assert_eq!(seen.len(), 6);
    assert_eq!(seen[0], ("limit".into(), Reason::Error));
    assert_eq!(seen[2], ("beta".into(), Reason::TargetingMatch));
    assert_eq!(seen[4], ("beta".into(), Reason::Disabled));
    let wrong = catch_unwind(AssertUnwindSafe(|| kit.flags.set_rule("x", json!({}))));
    assert!(wrong.is_err());
}

#[test]
fn users_log_in_and_their_tokens_expire() {
    let kit = TestContainer::new();
    let validator = kit.services().get::<Validator>().unwrap();
    let admin = kit.issuer.login("admin@test.com", "password123").unwrap();
    assert_eq!((admin.expires_in, admin.token_type), (3600, "Bearer"));
    let claims = run(validator.validate(&admin.access_token)).unwrap();
    assert_eq!(
        (claims.subject.as_deref(), &claims.roles[..]),
        (Some("admin@test.com"), &["admin".to_owned()][..])
    );
    assert!(TestIssuer::allows(&claims, "anything"));
    let user = kit.issuer.login("user@test.com", "password123").unwrap();
    let claims = run(validator.validate(&user.access_token)).unwrap();
    assert_eq!(claims.permissions, ["read:own", "write:own"]);
    for (email, password) in [("admin@test.com", "wrong"), ("nobody@test.com", "password123"), ("", "")] {
        assert_eq!(kit.issuer.login(email, password).unwrap_err().code, "INVALID_CREDENTIALS");
    }
    let foreign = kit.issuer.token(json!({"aud": "other"}));
    assert_eq!(run(validator.validate(&foreign)).err(), Some(TokenError::WrongAudience));
    let eternal = kit.issuer.token(json!({"exp": null}));
    assert_eq!(run(validator.validate(&eternal)).err(), Some(TokenError::MissingClaim("exp")));
    kit.time.advance(Duration::from_secs(3600 + 30));
    assert_eq!(run(validator.validate(&user.access_token)).err(), Some(TokenError::Expired));
}

/// Takes everything by type, as the code of an application does.
struct Shop;

impl Module for Shop {
    fn start<'a>(&'a self, context: &'a crate::modules::Context) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            context.service::<Registry>()?.counter("shop.starts", "{start}", "").bind(&[]).add(1);
            let (tracer, registry) = (context.service::<Tracer>()?, context.service::<Registry>()?);
            let database = Database::new(&tracer, &registry, "sqlite");
            let failed = database.time_query("SELECT", "orders", async { Err::<(), _>(std::fmt::Error) });
            assert!(failed.await.is_err());
            context.service::<Events>()?.emit(NewEvent::new("SHOP.OPENED"))?.await?;
            if context.service::<Flags>()?.bool("loud", false, &Context::new()) {
                tracing::warn!(at = ?context.service::<dyn TimeOfDay>()?.now(), "open");
            }
            assert_eq!(*context.service::<String>()?, "own");
            Ok(())
        })
    }
}

#[test]
fn a_module_runs_on_the_doubles() {
    use tracing::instrument::WithSubscriber;

    let kit = TestContainer::new().with(Arc::new("own".to_owned()));
    kit.flags.set("loud", true);
    let report = run(async {
        let modules = Modules::new(kit.services(), Options::default());
        modules.register(Manifest::new("shop", "1.0.0"), Shop).await.unwrap();
        modules.start_all().await.unwrap()
    }
    .with_subscriber(kit.recording.dispatch()));
    assert!(report.is_complete(), "{report:?}");
    assert_eq!(kit.metrics.value("shop.starts", &[]), Some(1.0));
    let query = kit.tracer.span("SELECT orders").unwrap();
    assert_eq!((query.kind, query.attributes["db.system.name"].as_str()), (SpanKind::Client, "sqlite"));
    assert!(matches!(query.status, Status::Error(_)) && query.parent_span_id.is_none(), "{query:?}");
    assert_eq!(kit.events.head(), 1);
    let start = kit.recording.expect(Level::INFO, "start modules");
    assert_eq!(start.fields["modules.started"], "1");
    // The span of the module says whose log it is, though it runs as a task of its own.
    let span = kit.recording.span("module").unwrap();
    assert_eq!(span.fields["module.id"], "shop");
}
