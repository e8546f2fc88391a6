use super::{Cause, Declined, run, run_with};
use crate::errors::{
    ErrorLayer, User, add_breadcrumb, capture_error, capture_message, capture_panic, set_user, with_scope,
};
use crate::logging::{Fields, Id, LogContext, NO_VALUES, Severity};
use crate::telemetry::tests::text;

#[test]
fn a_hook_changes_and_drops_reports_and_what_it_drops_is_counted() {
    let hook = |mut report: crate::errors::Report| {
        if report.attributes.get("http.response.status_code") == Some(&404.into()) {
            return None;
        }
        report.attributes.insert("feature".into(), "cart".into());
        report.attributes.remove("noise");
        let tier = report.user.as_ref().and_then(|user| user.tier.clone());
        report.attributes.extend(tier.map(|tier| ("userTier".to_owned(), tier.into())));
        report.attributes.insert("api_key".into(), "k".into());
        report.breadcrumbs.clear();
        report.user = None;
        Some(report)
    };
    let received = run_with(
        |builder| builder.before_send(hook),
        |_| {
            let context = LogContext::new().id(Id::User, "u-17").field("noise", 1);
            context.isolated().with(|| {
                set_user(User::new("u-17").tier("gold"));
                add_breadcrumb("x", "y", NO_VALUES);
                assert_eq!(capture_error(&Declined(Cause), [("http.response.status_code", 404)]), None);
                assert!(capture_error(&Cause, [("http.response.status_code", 500)]).is_some());
            });
        },
    );
    assert_eq!(received.count("cannot pay: card declined"), 0);
    let told = received.of("card declined");
    assert_eq!((&told["feature"], &told["userTier"]), (&text("cart"), &text("gold")));
    assert_eq!(told["api_key"], text("[REDACTED]"), "redaction has the last word");
    for gone in ["noise", "user.id", "user.tier", "fresnel.breadcrumbs"] {
        assert!(!told.contains_key(gone), "{gone}: {told:?}");
    }
    assert!(
        received.page.contains("fresnel_error_reports_total{outcome=\"dropped\"} 1"),
        "{}",
        received.page
    );
    assert!(
        received.page.contains("fresnel_error_reports_total{outcome=\"recorded\"} 1"),
        "{}",
        received.page
    );
}

#[test]
fn a_hook_that_panics_loses_its_report_and_tells_so() {
    let layer = ErrorLayer::default().before_send(|report| match report.message.as_str() {
        "bad" => panic!("on purpose"),
        _ => Some(report),
    });
    let received = run(layer, || {
        assert_eq!(capture_message(Severity::Error, "bad", NO_VALUES), None);
        assert!(capture_message(Severity::Error, "good", NO_VALUES).is_some());
    });
    assert_eq!((received.count("bad"), received.count("good")), (0, 1));
    assert_eq!(received.record("before_send panicked, a report is lost").severity_number, 17);
}

#[test]
fn what_a_hook_reports_itself_does_not_come_back_to_it() {
    let layer = ErrorLayer::default().before_send(|report| {
        assert_eq!(capture_message(Severity::Error, "within", NO_VALUES), None);
        Some(report)
    });
    let received = run(layer, || drop(capture_message(Severity::Error, "outer", NO_VALUES)));
    assert_eq!((received.count("within"), received.count("outer")), (0, 1));
}

#[test]
fn panics_take_the_same_way() {
    let layer = ErrorLayer::default().before_send(|mut report| {
        report.attributes.insert("mechanism".into(), report.mechanism.into());
        (report.error.as_ref()?.message != "nobody").then_some(report)
    });
    let received = run(layer, || {
        with_scope(|| {
            set_user(User::new("u-17"));
            capture_panic("index out of bounds", "at main".into(), Fields::new());
            capture_panic("nobody", String::new(), Fields::new());
        });
    });
    assert_eq!(received.records.len(), 1);
    assert_eq!(received.records[0].severity_number, 21);
    let told = received.of("panicked: index out of bounds");
    assert_eq!((&told["user.id"], &told["mechanism"]), (&text("u-17"), &text("panic")));
    assert_eq!(told["exception.stacktrace"], text("at main"));
}
