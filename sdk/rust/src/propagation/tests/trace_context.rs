//! The examples of <https://www.w3.org/TR/trace-context/>, and what its test suite looks at.

use super::{headers, passed};
use crate::propagation::{Format, Propagation, TraceState};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn state_of(values: &[&str]) -> String {
    let mut pairs = vec![("traceparent", PARENT)];
    pairs.extend(values.iter().map(|value| ("tracestate", *value)));
    Propagation::default().extract(&headers(&pairs)).state.to_string()
}

#[test]
fn published_examples_go_through() {
    for (parent, sampled) in [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", false),
        (PARENT, true),
    ] {
        let state = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE";
        let pairs = [("traceparent", parent), ("tracestate", state)];
        let context = Propagation::default().extract(&headers(&pairs));
        assert_eq!(context.span.unwrap().is_sampled(), sampled);
        assert_eq!(context.state.get("congo"), Some("t61rcWkgMzE"));
        assert_eq!(context.state.get("ongo"), None);
        let sent = passed(&[Format::TraceContext], &pairs);
        assert_eq!((sent["traceparent"].as_str(), sent["tracestate"].as_str()), (parent, state));
    }
}

#[test]
fn only_known_flags_are_passed_on() {
    let with = |flags: &str| {
        let parent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
        passed(&[Format::TraceContext], &[("TraceParent", &parent)]).remove("traceparent")
    };
    assert!(with("03").unwrap().ends_with("-03"));
    assert!(with("ff").unwrap().ends_with("-03"));
    assert!(with("04").unwrap().ends_with("-00"));
    for bad in ["1", "0x", "001", "FF", ""] {
        assert_eq!(with(bad), None, "{bad}");
    }
}

#[test]
fn states_of_several_headers_are_one_list() {
    assert_eq!(state_of(&["foo=1", "bar=2"]), "foo=1,bar=2");
    assert_eq!(state_of(&["foo=1 \t , \t bar=2, ", "", "baz=3"]), "foo=1,bar=2,baz=3");
    assert_eq!(state_of(&["foo=1,,bar=2"]), "foo=1,bar=2");
    assert_eq!(state_of(&["fw529a3039@dt=FfffFF,0_-*/a@x=y"]), "fw529a3039@dt=FfffFF,0_-*/a@x=y");
}

#[test]
fn a_state_that_is_not_well_formed_is_left_out_and_the_parent_stays() {
    let long_key = format!("{}=1", "z".repeat(257));
    let long_tenant = format!("{}@v=1", "t".repeat(242));
    let long_system = format!("t@{}=1", "v".repeat(15));
    let many: Vec<_> = (0..33).map(|n| format!("k{n}={n}")).collect();
    for bad in [
        "foo=1,foo=1",
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "foo@=1,bar=2",
        "@foo=1",
        "foo@@bar=1",
        "foo@bar@baz=1",
        "foo=1=2",
        "foo",
        "=1",
        "foo=",
        "foo=é",
        &long_key,
        &long_tenant,
        &long_system,
        &many.join(","),
    ] {
        assert_eq!(state_of(&[bad]), "", "{bad}");
    }
    assert_eq!(state_of(&["foo=1", "foo=2"]), "");
    // Without a parent that can be read there is nothing to keep a state for.
    let context = Propagation::default().extract(&headers(&[("traceparent", "x"), ("tracestate", "foo=1")]));
    assert!(context.span.is_none() && context.state.is_empty());
}

#[test]
fn a_state_is_changed_in_front_and_bounded() {
    let state = TraceState::parse("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
    assert_eq!(state.with("congo", "ucfJifl5GOE").to_string(), "congo=ucfJifl5GOE,rojo=00f067aa0ba902b7");
    assert_eq!(state.with("BAD", "x"), state);
    assert_eq!(state.with("ok", "a,b"), state);
    let full = TraceState::parse(&(0..32).map(|n| format!("k{n}={n}")).collect::<Vec<_>>().join(","));
    let more = full.with("own", "1").to_string();
    assert_eq!(more.split(',').count(), 32);
    assert!(more.starts_with("own=1,k0=0") && !more.contains("k31"), "{more}");
    let large = format!("big={},a={},b={}", "x".repeat(200), "y".repeat(100), "z".repeat(250));
    let cut = TraceState::parse(&large).to_string();
    assert!(cut.len() <= 512 && cut.starts_with("big=") && !cut.contains("b=z"), "{cut}");
}
