use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use tracing::info_span;

use super::{Cause, Declined, run, run_with};
use crate::errors::{ErrorLayer, User, capture_error, capture_message, set_user, with_scope};
use crate::logging::{Id, LogContext, LoggingConfig, NO_VALUES, Severity};
use crate::telemetry::Signal;
use crate::telemetry::tests::{Any, Sink, attributes, text};

#[test]
fn an_error_is_an_exception_by_the_conventions_with_its_causes_and_context() {
    let mut id = None;
    let received = run(ErrorLayer::default().stacktraces(true).tag("component", "checkout"), || {
        info_span!("request").in_scope(|| {
            let context = LogContext::new().id(Id::Request, "r-1").field("cart", 3);
            context.with(|| id = capture_error(&Declined(Cause), [("attempt", 2)]));
        });
    });
    let record = received.record("cannot pay: card declined");
    assert_eq!((record.severity_number, record.severity_text.as_str()), (17, "ERROR"));
    assert_eq!((record.trace_id.len(), record.span_id.len()), (16, 8), "it belongs to its span");
    let mut told = attributes(&record.attributes);
    let Some(Any::StringValue(stack)) = told.remove("exception.stacktrace") else { panic!("{told:?}") };
    assert!(stack.contains("an_error_is_an_exception_by_the_conventions"), "{stack}");
    let Some(Any::ArrayValue(causes)) = told.remove("fresnel.exception.causes") else { panic!("{told:?}") };
    let causes: Vec<_> = causes.values.into_iter().filter_map(|it| it.value).collect();
    assert_eq!(causes, [text("card declined")]);
    let expected = [
        ("exception.type", text(std::any::type_name::<Declined>())),
        ("exception.message", text("cannot pay: card declined")),
        ("log.record.uid", text(&id.unwrap())),
        ("log.logger", text("errors")),
        ("fresnel.error.mechanism", text("manual")),
        ("component", text("checkout")),
        ("request.id", text("r-1")),
        ("cart", Any::IntValue(3)),
        ("attempt", Any::IntValue(2)),
    ];
    assert_eq!(told, expected.into());
}

#[test]
fn an_error_of_no_known_type_has_none_and_a_message_has_a_level() {
    let received = run(ErrorLayer::default(), || {
        let boxed: Box<dyn std::error::Error> = "broken".into();
        capture_error(&*boxed, NO_VALUES);
        capture_message(Severity::Info, "said", [("password", "1234")]);
        capture_message(Severity::Fatal, "over", NO_VALUES);
        assert_eq!(capture_message(Severity::Debug, "below the level", NO_VALUES), None);
    });
    let told = received.of("broken");
    assert!(!told.contains_key("exception.type") && told["exception.message"] == text("broken"), "{told:?}");
    assert_eq!(received.record("said").severity_number, 9);
    let told = received.of("said");
    assert_eq!(told["password"], text("[REDACTED]"));
    assert!(told.keys().all(|key| !key.starts_with("exception.")), "{told:?}");
    assert_eq!(received.record("over").severity_number, 21);
    assert_eq!(received.records.len(), 3);
}

#[test]
fn names_and_addresses_of_users_are_told_only_where_that_is_said() {
    let report = || {
        with_scope(|| {
            let user = User::new("u-17").email("ann@example.org").name("Ann");
            set_user(user.tier("gold").segment("early"));
            capture_message(Severity::Error, "x", NO_VALUES);
        });
    };
    let received = run(ErrorLayer::default(), report);
    let told = received.of("x");
    let of = |key: &str| told.get(key).cloned();
    assert_eq!(
        (of("user.id"), of("user.tier"), of("user.segment")),
        (Some(text("u-17")), Some(text("gold")), Some(text("early")))
    );
    assert_eq!((of("user.email"), of("user.name")), (None, None));
    let received = run(ErrorLayer::default().personal_data(true), report);
    let told = received.of("x");
    assert_eq!((&told["user.email"], &told["user.name"]), (&text("ann@example.org"), &text("Ann")));
}

#[test]
fn environment_and_release_are_those_of_the_service() {
    let sink = Sink::default();
    let quiet = LoggingConfig { outputs: Default::default(), ..LoggingConfig::default() };
    let builder = crate::builder().service("shop", "1.2.3").environment("staging");
    let builder = builder.logging(quiet).exporter(sink.clone());
    let (guard, dispatch) = crate::start::tests::started(builder);
    tracing::dispatcher::with_default(&dispatch, || capture_message(Severity::Error, "x", NO_VALUES));
    assert!(guard.shutdown());
    let request = sink.requests(Signal::Logs).remove(0);
    let request = ExportLogsServiceRequest::decode(&request[..]).unwrap();
    let resource = request.resource_logs[0].resource.clone().unwrap();
    let told = attributes(&resource.attributes);
    assert_eq!(told["service.version"], text("1.2.3"));
    assert_eq!(told["deployment.environment.name"], text("staging"));
}

#[test]
fn reports_can_be_switched_off_by_the_name_of_their_logger() {
    let received = run_with(
        |builder| builder.level("info,errors=off"),
        |_| {
            assert_eq!(capture_message(Severity::Error, "x", NO_VALUES), None);
            tracing::error!("y");
        },
    );
    assert_eq!((received.count("x"), received.count("y")), (0, 1));
}
