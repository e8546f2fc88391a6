use serde_json::{Value, json};

use super::log;
use crate::logging::{Id, LogContext, LogFormat, Logger, RedactError, Redactor};

#[test]
fn keys_match_whole_words_of_names() {
    let redactor = Redactor::default().key("card_number").unwrap();
    for hidden in [
        "password",
        "PASSWORD",
        "dbPassword",
        "db.password",
        "x-api-key",
        "apiKey",
        "APIKey",
        "key",
        "password2",
        "token1",
        "KEY_1",
        "x509key",
        "apikey",
        "passwd",
        "db.pwd",
        "credentials",
        "aws_credential",
        "auth_token",
        "http.request.header.authorization",
        "cardNumber",
        "card-number",
        "user.card.number",
    ] {
        assert!(redactor.hides(hidden), "{hidden}");
    }
    for shown in [
        "keyboard",
        "monkey",
        "tokens",
        "secretary",
        "passwords",
        "card",
        "number",
        "card_x_number",
        "sha256",
        "",
    ] {
        assert!(!redactor.hides(shown), "{shown}");
    }
    assert_eq!(Redactor::none().key("--").unwrap_err(), RedactError::Key("--".into()));
    assert!(!Redactor::none().hides("password"));
}

/// What is logged of a structured value.
fn logged(redactor: Redactor, value: Value) -> Value {
    log(LogFormat::Json, redactor, || Logger::new("x").info("m", [("v", value)])).one()["metadata"]["v"]
        .clone()
}

#[test]
fn secrets_are_found_however_deep_and_stay_values() {
    let value = json!({
        "user": {"email": "a@b.c", "password": {"old": "1", "new": "2"}, "n": 1},
        "list": [{"token": 5, "ok": true}, "\"password\":\"x\""],
    });
    assert_eq!(
        logged(Redactor::default(), value),
        json!({
            "user": {"email": "a@b.c", "password": "[REDACTED]", "n": 1},
            "list": [{"token": "[REDACTED]", "ok": true}, "\"password\":\"x\""],
        })
    );
}

#[test]
fn paths_lead_to_one_place() {
    let redactor = Redactor::none().path("v.user.email").unwrap().path("v.*.pin").unwrap();
    let redactor = redactor.path("v.items.sku").unwrap();
    let value = json!({
        "user": {"email": "a@b.c", "pin": 1}, "email": "kept", "user.email": "x",
        "items": [{"sku": "s", "n": 1}, {"sku": "t"}],
    });
    assert_eq!(
        logged(redactor, value),
        json!({
            "user": {"email": "[REDACTED]", "pin": "[REDACTED]"}, "email": "kept", "user.email": "[REDACTED]",
            "items": [{"sku": "[REDACTED]", "n": 1}, {"sku": "[REDACTED]"}],
        })
    );
    assert_eq!(Redactor::none().path("a..b").unwrap_err(), RedactError::Path("a..b".into()));
}

#[test]
fn fields_spans_ids_and_errors_are_searched() {
    let redactor = Redactor::default().path("user.id").unwrap().path("email").unwrap();
    let bench = log(LogFormat::Json, redactor, || {
        let _context = LogContext::new().id(Id::User, "ann").field("secret", 1).push();
        tracing::info_span!("request", token = "t", n = 1)
            .in_scope(|| tracing::info!(email = "a@b.c", api_key = 7, "x"));
    });
    let it = bench.one();
    assert_eq!(it["userId"], json!("[REDACTED]"));
    assert_eq!(
        it["metadata"],
        json!({"email": "[REDACTED]", "api_key": "[REDACTED]", "secret": "[REDACTED]"})
    );
    assert_eq!(it["spans"], json!([{"name": "request", "token": "[REDACTED]", "n": 1}]));
}

#[cfg(feature = "logging")]
#[test]
fn patterns_replace_what_they_find_in_texts_the_message_too() {
    let redactor = Redactor::none()
        .pattern("card", r"\b(\d{4})\d{8}(\d{4})\b", "$1********$2")
        .and_then(|it| it.pattern("mail", r"\S+@\S+", "[MAIL]"))
        .unwrap();
    let bench = log(LogFormat::Json, redactor, || {
        let error = std::io::Error::other("card 4111111111111111");
        let values = [("to", json!(["a@b.c", 5])), ("card", json!(4_111_111_111_111_111_u64))];
        Logger::new("x").error("paid by 4111111111111111", Some(&error), values);
    });
    let it = bench.one();
    assert_eq!(it["metadata"]["card"], json!("4111********1111"), "a number, too");
    assert_eq!(it["message"], json!("paid by 4111********1111"));
    assert_eq!(it["metadata"]["to"], json!(["[MAIL]", 5]));
    assert_eq!(it["error"]["message"], json!("card 4111********1111"));
    let error = Redactor::none().pattern("bad", "(", "").unwrap_err();
    assert!(matches!(error, RedactError::Pattern { ref name, .. } if name == "bad"), "{error}");
}

#[cfg(feature = "resilience")]
#[test]
fn the_metadata_of_a_handled_error_is_searched_like_anything_else() {
    use crate::resilience::{Context, ErrorHandler};
    use crate::telemetry::metrics::Registry;

    let mut context = Context::new("payments", "charge");
    let metadata = [("password", "hunter2"), ("email", "ann@example.org"), ("order", "7")];
    context.metadata.extend(metadata.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let redactor = Redactor::default().path("metadata.email").unwrap();
    let bench = log(LogFormat::Json, redactor, || {
        let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
        ErrorHandler::new(&Registry::new()).handle(&error, &context);
    });
    let expected = json!({"password": "[REDACTED]", "email": "[REDACTED]", "order": "7"});
    assert_eq!(bench.one()["metadata"]["metadata"], expected);
}

/// In a build without the feature `logging`.
#[cfg(not(feature = "logging"))]
#[test]
fn a_pattern_that_is_not_in_this_build_is_refused_and_texts_stay_as_they_are() {
    use crate::config::Loader;
    use crate::logging::LoggingConfig;

    let error = Redactor::none().pattern("card", r"\d+", "").unwrap_err();
    assert_eq!(error, RedactError::NoPatterns("card".into()));
    assert!(error.to_string().contains("they need the feature `logging`"), "{error}");
    let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    std::fs::write(file.path(), "redact.patterns.card.pattern = '4.*'").unwrap();
    let error = Loader::<LoggingConfig>::new().file(file.path()).load().unwrap_err().to_string();
    assert!(error.contains("they need the feature `logging`"), "nothing is left in that was to go: {error}");
    let it = log(LogFormat::Json, Redactor::default(), || {
        Logger::new("x").info("paid by 4111111111111111", [("password", json!(1)), ("n", json!(2))]);
    });
    let it = it.one();
    assert_eq!(it["message"], json!("paid by 4111111111111111"));
    assert_eq!(it["metadata"], json!({"password": "[REDACTED]", "n": 2}));
}
