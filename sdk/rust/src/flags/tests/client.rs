use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;

use crate::flags::{Context, ErrorCode, FlagSet, Flags, Reason, Source, SourceError, StartOptions};
use crate::telemetry::metrics::Registry;

const RULES: &str = r#"{"flags": {
    "dark": {"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "on"},
    "color": {"state": "ENABLED", "variants": {"red": "R"}, "defaultVariant": "red"},
    "whole": {"state": "ENABLED", "variants": {"ten": 10.0}, "defaultVariant": "ten"},
    "part": {"state": "ENABLED", "variants": {"pi": 2.75}, "defaultVariant": "pi"},
    "object": {"state": "ENABLED", "variants": {"o": {"a": 1}}, "defaultVariant": "o"},
    "code": {"state": "ENABLED", "variants": {"x": 1}},
    "off": {"state": "DISABLED", "variants": {"on": true}, "defaultVariant": "on"}
}}"#;

#[test]
fn values_are_typed_and_nothing_is_rounded() {
    let flags = Flags::from_text(RULES).unwrap();
    let nobody = Context::new();
    assert!(flags.bool("dark", false, &nobody));
    assert_eq!(flags.string("color", "x", &nobody), "R");
    assert_eq!(flags.integer("whole", 0, &nobody), 10);
    assert_eq!(flags.float("whole", 0.0, &nobody), 10.0);
    assert_eq!(flags.float("part", 0.0, &nobody), 2.75);
    assert_eq!(flags.object_details("object", Default::default(), &nobody).value["a"], json!(1));
    let mismatch = flags.integer_details("part", 7, &nobody);
    assert_eq!((mismatch.value, mismatch.reason), (7, Reason::Error));
    assert_eq!(mismatch.error.unwrap().code, ErrorCode::TypeMismatch);
    assert_eq!(flags.string("dark", "default", &nobody), "default");
    let code = flags.integer_details("code", 7, &nobody);
    assert_eq!((code.value, code.reason, code.error), (7, Reason::Default, None));
    let unknown = flags.bool_details("nobody", true, &nobody);
    assert_eq!((unknown.value, unknown.error.unwrap().code), (true, ErrorCode::FlagNotFound));
}

#[test]
fn a_flag_is_on_or_off() {
    let flags = Flags::from_text(RULES).unwrap();
    let on = |key| flags.is_enabled(key, &Context::new());
    assert!(on("dark") && on("color"));
    assert!(!on("off") && !on("nobody") && !on("code"));
    assert_eq!(flags.variant("color", &Context::new()).as_deref(), Some("red"));
    assert_eq!(flags.variant("code", &Context::new()), None);
}

/// Gives what the test says.
struct Scripted(Arc<Mutex<Result<String, String>>>);

impl Source for Scripted {
    fn load(&self) -> Result<String, SourceError> {
        self.0.lock().clone().map_err(SourceError::ReadOnly)
    }

    fn set_enabled(&self, key: &str, _: bool) -> Result<(), SourceError> {
        Err(SourceError::NoSuchFlag(key.into()))
    }
}

#[test]
fn the_last_good_rules_stay() {
    let script = Arc::new(Mutex::new(Ok(RULES.to_owned())));
    let flags = Flags::start(Scripted(script.clone()), StartOptions::default()).unwrap();
    *script.lock() = Err("the shelf is empty".into());
    assert!(flags.reload().is_err());
    *script.lock() = Ok("{}".into());
    assert!(flags.reload().is_err());
    assert!(flags.bool("dark", false, &Context::new()));
    assert_eq!(flags.failure().unwrap().message, "there is no object `flags`");
    // What is no longer there is gone at once.
    *script.lock() = Ok(r#"{"flags": {}}"#.into());
    flags.reload().unwrap();
    assert_eq!(flags.failure(), None);
    assert_eq!(flags.current().keys().count(), 0);
    assert!(!flags.bool("dark", false, &Context::new()));
}

#[test]
fn without_rules_the_start_fails_unless_there_are_some_to_start_with() {
    let broken = || Scripted(Arc::new(Mutex::new(Err("not here".into()))));
    assert!(Flags::start(broken(), StartOptions::default()).is_err());
    let bootstrap = Some(FlagSet::parse(RULES).unwrap());
    let flags = Flags::start(broken(), StartOptions { bootstrap, ..Default::default() }).unwrap();
    assert!(flags.is_ready() && flags.bool("dark", false, &Context::new()));
    assert_eq!(flags.failure().unwrap().message, "flags cannot be switched here: not here");
}

#[test]
fn evaluations_are_counted_within_a_bound() {
    let metrics = Registry::new();
    let script = Arc::new(Mutex::new(Ok(RULES.to_owned())));
    let options = StartOptions { metrics: Some(metrics.clone()), ..Default::default() };
    let flags = Flags::start(Scripted(script), options).unwrap();
    for n in 0..100 {
        flags.bool("dark", false, &Context::new());
        flags.bool(&format!("guess-{n}"), false, &Context::new());
    }
    flags.integer("color", 0, &Context::new());
    let page = metrics.prometheus();
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with("feature_flag_evaluations")).collect();
    assert_eq!(lines.len(), 3, "a key that nobody declared is no series: {page}");
    let counted = |parts: &[&str], value: &str| {
        lines.iter().any(|line| parts.iter().all(|part| line.contains(part)) && line.ends_with(value))
    };
    assert!(counted(&["key=\"dark\"", "variant=\"on\"", "reason=\"static\""], " 100"), "{page}");
    assert!(counted(&["error_type=\"flag_not_found\""], " 100"), "{page}");
    assert!(counted(&["key=\"color\"", "error_type=\"type_mismatch\""], " 1"), "{page}");
}

#[test]
fn who_listens_hears_every_exposure_and_may_panic() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = heard.clone();
    let on_evaluation: Option<crate::flags::Listener> = Some(Box::new(move |it| {
        let user = it.context.targeting_key().map(str::to_owned);
        listener.lock().push((it.key.to_owned(), user, it.variant.map(str::to_owned)));
        assert!(it.key != "color", "on purpose");
    }));
    let script = Arc::new(Mutex::new(Ok(RULES.to_owned())));
    let flags = Flags::start(Scripted(script), StartOptions { on_evaluation, ..Default::default() }).unwrap();
    assert_eq!(flags.string("color", "", &Context::user("u")), "R");
    assert!(flags.bool("dark", false, &Context::user("u")));
    let expected = [("color", "red"), ("dark", "on")]
        .map(|(key, variant)| (key.to_owned(), Some("u".to_owned()), Some(variant.to_owned())));
    assert_eq!(*heard.lock(), expected);
}
