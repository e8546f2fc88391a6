use std::collections::HashSet;

use crate::security::SecurityHeaders;
use crate::security::csp::{Directive, Nonce, Policy, ReportError, parse_reports};

#[test]
fn a_strict_policy_says_everything_and_has_no_weakness() {
    let nonce = Nonce::random();
    let policy = Policy::strict().report_to("/csp-report").unwrap();
    let headers = policy.headers(&nonce);
    assert_eq!(
        headers[0].1,
        format!(
            "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'nonce-{nonce}' 'self'; \
             object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
             upgrade-insecure-requests; report-uri /csp-report; report-to csp"
        )
    );
    assert_eq!(headers[1], ("reporting-endpoints", "csp=\"/csp-report\"".to_owned()));
    assert_eq!(policy.weaknesses(), Vec::<String>::new());
    let trial = policy.report_only(true).headers(&nonce);
    assert_eq!(trial[0].0, "content-security-policy-report-only");
    assert!(!trial[0].1.contains("upgrade-insecure-requests"), "it is an error there");
}

#[test]
fn nonces_differ_and_are_not_shown() {
    let nonces: HashSet<_> = (0..1000).map(|_| Nonce::random().to_string()).collect();
    assert_eq!(nonces.len(), 1000);
    assert!(nonces.iter().all(|nonce| nonce.len() == 24));
    let nonce = Nonce::random();
    assert_eq!(format!("{nonce:?}"), "Nonce");
}

#[test]
fn a_source_cannot_begin_another_rule() {
    for attack in ["'self'; script-src *", "a;b", "a,b", "a b", "a\r\nX: y", "", "ä"] {
        assert!(Policy::strict().allow(Directive::Img, [attack]).is_err(), "{attack:?}");
        assert!(Policy::strict().report_to(attack).is_err(), "{attack:?}");
    }
    assert!(Policy::strict().report_to("/x\"").is_err());
}

#[test]
fn rules_are_widened_and_replaced() {
    let nonce = Nonce::random();
    let policy = Policy::strict()
        .allow(Directive::FrameAncestors, ["https://partner.example"])
        .unwrap()
        .set(Directive::Style, Vec::<String>::new())
        .unwrap();
    let value = &policy.headers(&nonce)[0].1;
    assert!(value.contains("frame-ancestors https://partner.example;"), "{value}");
    assert!(value.contains("style-src 'none';"), "{value}");
}

#[test]
fn weaknesses_are_named() {
    let weak = Policy::strict()
        .set(Directive::Script, ["https:", "'unsafe-inline'", "'unsafe-eval'"])
        .unwrap()
        .set(Directive::Object, ["*"])
        .unwrap();
    assert_eq!(
        weak.weaknesses(),
        [
            "`script-src` allows https:",
            "`script-src` allows 'unsafe-inline'",
            "`script-src` allows 'unsafe-eval'",
            "`object-src` allows *",
        ]
    );
    // Browsers ignore it beside a nonce.
    let fallback = Policy::strict().allow(Directive::Script, ["'unsafe-inline'", "https:"]).unwrap();
    assert!(fallback.weaknesses().is_empty());
}

#[test]
fn reports_of_both_kinds_are_read_and_bounded() {
    let modern = serde_json::json!([
        {"type": "csp-violation", "body": {
            "documentURL": "https://shop.example/a?secret=1", "blockedURL": "https://evil.example/x.js#s",
            "effectiveDirective": "script-src-elem", "sourceFile": "https://shop.example/a.js?v=1",
            "lineNumber": 7, "disposition": "report"}},
        {"type": "deprecation", "body": {}},
        {"type": "csp-violation", "body": "odd"},
    ]);
    let violations = parse_reports(&modern.to_string()).unwrap();
    assert_eq!(violations.len(), 1);
    let only = &violations[0];
    assert_eq!((only.document.as_str(), only.line, only.enforced), ("https://shop.example/a", 7, false));
    assert_eq!(
        (only.blocked.as_str(), only.source_file.as_str()),
        ("https://evil.example/x.js", "https://shop.example/a.js")
    );
    let old = r#"{"csp-report": {"violated-directive": "img-src 'self'", "blocked-uri": "x\u0000y"}}"#;
    let old = &parse_reports(old).unwrap()[0];
    assert_eq!((old.directive.as_str(), old.blocked.as_str(), old.enforced), ("img-src", "xy", true));
    let many = serde_json::Value::Array(vec![modern[0].clone(); 200]);
    assert_eq!(parse_reports(&many.to_string()).unwrap().len(), 100);
    let long = serde_json::json!({"csp-report": {"blocked-uri": "x".repeat(5000)}});
    assert_eq!(parse_reports(&long.to_string()).unwrap()[0].blocked.len(), 1024);
    assert_eq!(parse_reports("{}"), Err(ReportError::Shape));
    assert!(matches!(parse_reports(&" ".repeat(70_000)), Err(ReportError::Json(_))));
}

#[test]
fn headers_are_those_of_the_lists() {
    let pairs = SecurityHeaders::default().pairs();
    let value = |name: &str| pairs.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    assert_eq!(value("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
    assert_eq!(value("x-content-type-options"), Some("nosniff"));
    assert_eq!(value("x-frame-options"), Some("DENY"));
    assert_eq!(value("referrer-policy"), Some("strict-origin-when-cross-origin"));
    assert_eq!(value("cross-origin-opener-policy"), Some("same-origin"));
    assert!(value("permissions-policy").unwrap().contains("camera=()"));
    let plain =
        SecurityHeaders { hsts: None, isolate: false, denied_features: Vec::new(), ..Default::default() };
    assert_eq!(plain.pairs().len(), 4);
}
