#![allow(clippy::unwrap_used)]

mod ambient;
mod b3;
mod baggage;
mod trace_context;

use std::collections::HashMap;

use super::{Context, Format, Propagation};

fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What is sent on of what came.
fn passed(formats: &[Format], pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let propagation = Propagation::new(formats.iter().copied());
    let mut sent = HashMap::new();
    propagation.inject(&propagation.extract(&headers(pairs)), &mut sent);
    sent
}

#[test]
fn the_environment_names_the_forms() {
    let formats = |names| Propagation::from_variable(names).0.formats().to_vec();
    assert_eq!(formats(None), [Format::TraceContext, Format::Baggage]);
    assert_eq!(formats(Some(" ")), [Format::TraceContext, Format::Baggage]);
    assert_eq!(formats(Some("b3multi, tracecontext,b3multi")), [Format::B3Multi, Format::TraceContext]);
    assert_eq!(formats(Some("none")), []);
    let (propagation, errors) = Propagation::from_variable(Some("jaeger,B3"));
    assert_eq!(propagation.formats(), [Format::B3]);
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("`jaeger`"), "{told:?}");
}

#[test]
fn the_first_form_that_tells_of_a_span_holds() {
    let w3c = ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let b3 = ("b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1");
    let span = |formats: &[Format], pairs: &[(&str, &str)]| {
        let context = Propagation::new(formats.iter().copied()).extract(&headers(pairs));
        context.span.map(|span| span.span_id_text())
    };
    let both = [Format::TraceContext, Format::B3];
    assert_eq!(span(&both, &[b3, w3c]).as_deref(), Some("00f067aa0ba902b7"));
    assert_eq!(span(&both, &[b3, ("traceparent", "nonsense")]).as_deref(), Some("e457b5a2e4d86bd1"));
    assert_eq!(span(&[], &[b3, w3c]), None);
    assert!(passed(&[], &[b3, w3c]).is_empty());
    assert_eq!(
        Propagation::default().headers().collect::<Vec<_>>(),
        ["traceparent", "tracestate", "baggage"]
    );
    assert_eq!(Propagation::default().extract(&headers(&[])), Context::default());
}
