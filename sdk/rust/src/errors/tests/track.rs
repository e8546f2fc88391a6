use super::{Cause, Declined, run};
use crate::errors::{ErrorLayer, capture_error, with_error_tracking, with_error_tracking_async};
use crate::logging::NO_VALUES;
use crate::telemetry::tests::{Any, text};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn what_is_tracked_gives_the_same_back_and_records_function_and_context_only() {
    let received = run(ErrorLayer::default(), || {
        let good = with_error_tracking("good", [("n", 1)], || Ok::<_, Cause>(7));
        assert_eq!(good.unwrap(), 7);
        let card = String::from("4111111111111111");
        let error = with_error_tracking("charge", [("attempt", 2)], || match card.len() {
            16 => Err(Declined(Cause)),
            _ => Ok(card.clone()),
        });
        assert!(matches!(error, Err(Declined(Cause))));
    });
    assert_eq!(received.records.len(), 1);
    let mut told = received.of("cannot pay: card declined");
    for known in ["exception.type", "exception.message", "fresnel.exception.causes", "log.record.uid"] {
        assert!(told.remove(known).is_some(), "{known}");
    }
    // Where backtraces are on there is one.
    told.remove("exception.stacktrace");
    let expected = [
        ("code.function.name", text("charge")),
        ("attempt", Any::IntValue(2)),
        ("fresnel.error.mechanism", text("tracked")),
        ("log.logger", text("errors")),
    ];
    assert_eq!(told, expected.into());
}

#[test]
fn the_context_is_asked_for_only_when_there_is_an_error() {
    let received = run(ErrorLayer::default(), || {
        let context = std::iter::from_fn(|| -> Option<(&str, i32)> { panic!("nobody wants to know") });
        with_error_tracking("good", context, || Ok::<_, Cause>(())).unwrap();
    });
    assert!(received.records.is_empty());
}

#[test]
fn an_error_on_its_way_up_is_reported_once() {
    let received = run(ErrorLayer::default(), || {
        let inner = || with_error_tracking("inner", NO_VALUES, || Err::<(), _>(Cause));
        let middle = || with_error_tracking("middle", NO_VALUES, inner);
        // Wrapped, it is the same still.
        let outer = with_error_tracking("outer", NO_VALUES, || middle().map_err(Declined));
        assert!(outer.is_err());
    });
    assert_eq!(received.records.len(), 1);
    assert_eq!(received.of("card declined")["code.function.name"], text("inner"));
}

#[test]
fn equal_errors_one_after_the_other_are_two() {
    let received = run(ErrorLayer::default(), || {
        for _ in 0..2 {
            assert!(with_error_tracking("f", NO_VALUES, || Err::<(), _>(Cause)).is_err());
        }
        // One was handled, another is given: that is new.
        let other = with_error_tracking("g", NO_VALUES, || {
            assert!(with_error_tracking("f", NO_VALUES, || Err::<(), _>(Cause)).is_err());
            Err::<(), _>(std::fmt::Error)
        });
        assert!(other.is_err());
    });
    assert_eq!(received.count("card declined"), 3);
    assert_eq!(received.records.len(), 4);
}

#[test]
fn futures_are_tracked_wherever_they_take_turns() {
    let received = run(ErrorLayer::default(), || {
        let inner = async || {
            with_error_tracking_async("inner", [("n", 1)], async {
                tokio::task::yield_now().await;
                Err::<(), _>(Cause)
            })
            .await
        };
        // The second reports the same error while the first waits: neither takes the other's for its own.
        let outer = async || {
            with_error_tracking_async("outer", NO_VALUES, async {
                let result = inner().await;
                tokio::task::yield_now().await;
                result
            })
            .await
        };
        let own = with_error_tracking_async("own", NO_VALUES, async {
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            Err::<(), _>(Cause)
        });
        let (first, second) = block_on(async { tokio::join!(outer(), own) });
        assert!(matches!((first, second), (Err(Cause), Err(Cause))));
    });
    let mut functions: Vec<_> = received
        .records
        .iter()
        .map(|record| crate::telemetry::tests::attributes(&record.attributes)["code.function.name"].clone())
        .collect();
    functions.sort_by_key(|it| format!("{it:?}"));
    assert_eq!(functions, [text("inner"), text("own")]);
}

#[test]
fn what_was_captured_by_hand_is_not_reported_again() {
    let received = run(ErrorLayer::default(), || {
        let result = with_error_tracking("f", NO_VALUES, || {
            capture_error(&Cause, [("by", "hand")]);
            Err::<(), _>(Cause)
        });
        assert!(result.is_err());
    });
    assert_eq!(received.of("card declined")["fresnel.error.mechanism"], text("manual"));
}
