use std::task::{Poll, Waker};

use super::headers;
use crate::propagation::{Baggage, Context, Propagation};

fn incoming() -> Context {
    Propagation::default().extract(&headers(&[
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "foo=1"),
        ("baggage", "tenant=acme"),
    ]))
}

#[test]
fn a_context_holds_until_its_guard_is_dropped() {
    assert_eq!(Context::current(), Context::default());
    let outer = incoming().attach();
    assert_eq!(Context::current(), incoming());
    Context::with_baggage("user", "u1").in_scope(|| {
        assert_eq!(Context::baggage().get("tenant"), Some("acme"));
        assert_eq!(Context::baggage().get("user"), Some("u1"));
        assert_eq!(Context::current().state.get("foo"), Some("1"));
    });
    assert_eq!(Context::baggage().get("user"), None);
    drop(outer);
    assert_eq!(Context::current(), Context::default());
}

#[test]
fn a_future_has_it_only_while_it_runs() {
    let mut polls = 0;
    let future = std::future::poll_fn(|context| {
        assert_eq!(Context::baggage().get("tenant"), Some("acme"));
        polls += 1;
        context.waker().wake_by_ref();
        if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
    });
    let mut future = std::pin::pin!(incoming().scope(future));
    let mut context = std::task::Context::from_waker(Waker::noop());
    while future.as_mut().poll(&mut context).is_pending() {
        assert_eq!(Context::baggage(), Baggage::default());
    }
}
