//! The examples of <https://github.com/openzipkin/b3-propagation>.

use super::{headers, passed};
use crate::propagation::{Format, Propagation};

const TRACE: &str = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN: &str = "e457b5a2e4d86bd1";

fn single(header: &str) -> Option<(String, String, bool)> {
    let context = Propagation::new([Format::B3]).extract(&headers(&[("b3", header)]));
    context.span.map(|span| (span.trace_id_text(), span.span_id_text(), span.is_sampled()))
}

fn found(trace: &str, span: &str, sampled: bool) -> Option<(String, String, bool)> {
    Some((trace.to_owned(), span.to_owned(), sampled))
}

#[test]
fn one_header() {
    let whole = format!("{TRACE}-{SPAN}-1-05e3ac9a4f6e3b90");
    assert_eq!(single(&whole), found(TRACE, SPAN, true));
    assert_eq!(single(&format!("{TRACE}-{SPAN}-0")), found(TRACE, SPAN, false));
    assert_eq!(single(&format!("{TRACE}-{SPAN}-d")), found(TRACE, SPAN, true));
    assert_eq!(single(&format!("{TRACE}-{SPAN}")), found(TRACE, SPAN, true));
    let short = "a3ce929d0e0e4736-00f067aa0ba902b7-1";
    assert_eq!(single(short), found("0000000000000000a3ce929d0e0e4736", "00f067aa0ba902b7", true));
    let zeros = format!("{TRACE}-{}-1", "0".repeat(16));
    let odd = format!("{TRACE}-{SPAN}-2");
    let tail = format!("{whole}-x");
    for bad in ["0", "1", "d", "", "-", TRACE, &zeros, &odd, &tail, "xyz-e457b5a2e4d86bd1-1"] {
        assert_eq!(single(bad), None, "{bad}");
    }
    assert_eq!(passed(&[Format::B3], &[("B3", &whole)])["b3"], format!("{TRACE}-{SPAN}-1"));
}

#[test]
fn several_headers() {
    let multi = |more: &[(&str, &str)]| {
        let mut pairs =
            vec![("X-B3-TraceId", TRACE), ("X-B3-SpanId", SPAN), ("X-B3-ParentSpanId", "05e3ac9a4f6e3b90")];
        pairs.extend(more);
        let context = Propagation::new([Format::B3Multi]).extract(&headers(&pairs));
        context.span.map(|span| span.is_sampled())
    };
    assert_eq!(multi(&[("X-B3-Sampled", "1")]), Some(true));
    assert_eq!(multi(&[("X-B3-Sampled", "true")]), Some(true));
    assert_eq!(multi(&[("X-B3-Sampled", "0")]), Some(false));
    assert_eq!(multi(&[("X-B3-Sampled", "0"), ("X-B3-Flags", "1")]), Some(true));
    assert_eq!(multi(&[]), Some(true));
    assert_eq!(multi(&[("X-B3-Sampled", "maybe")]), None);
    let sent =
        passed(&[Format::B3Multi], &[("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "0")]);
    let all = [("x-b3-traceid", TRACE), ("x-b3-spanid", SPAN), ("x-b3-sampled", "0")];
    assert_eq!(sent, all.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    // From one form into the other.
    let between = Propagation::new([Format::B3Multi]);
    let mut sent = Vec::new();
    between.inject(&between.extract(&headers(&[("b3", &format!("{TRACE}-{SPAN}-1"))])), &mut sent);
    assert_eq!(sent.len(), 3);
}
