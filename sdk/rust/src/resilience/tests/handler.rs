use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{Call, SECOND, error, metric};
use crate::clock;
use crate::resilience::{
    Action, BreakerOptions, Breakers, CallError, Category, Classification, Classify, Context, Deadline,
    ErrorHandler, Escalation, Facts, Handling, Match, Rejected, Rules, Severity, State, Threshold,
};
use crate::telemetry::metrics::Registry;

fn context() -> Context {
    let request_id = Some("r-1".into());
    Context { request_id, ..Context::new("payments", "charge") }
}

/// An error of a category.
#[derive(Debug, thiserror::Error)]
#[error("of {0}")]
struct Of(Category);

impl Classify for Of {
    fn as_error(&self) -> &(dyn std::error::Error + 'static) {
        self
    }

    fn classification(&self) -> Classification {
        Classification::of(self.0)
    }
}

fn action(handler: &ErrorHandler, error: &impl Classify) -> String {
    format!("{:?}", handler.handle(error, &context()).action)
}

#[test]
fn the_table_of_defaults() {
    let handler = ErrorHandler::new(&Registry::new());
    let io = |kind: ErrorKind| action(&handler, &io::Error::from(kind));
    assert_eq!(io(ErrorKind::TimedOut), "Retry(1s x3)");
    assert_eq!(io(ErrorKind::ConnectionRefused), "Retry(5s x2)");
    assert_eq!(io(ErrorKind::ConnectionReset), "Retry(1s x3)", "retryable, and nothing else is known");
    assert_eq!(io(ErrorKind::InvalidInput), "return");
    assert_eq!(io(ErrorKind::NotFound), "return");
    assert_eq!(io(ErrorKind::OutOfMemory), "Escalate(critical)");
    let limited =
        |seconds: u64| Rejected::RateLimited { name: "l".into(), retry_after: SECOND * seconds as u32 };
    assert_eq!(action(&handler, &limited(7)), "Retry(7s x1)");
    let of = |category| action(&handler, &Of(category));
    assert_eq!(of(Category::RateLimit), "Retry(60s x1)");
    assert_eq!(of(Category::Authentication), "Escalate(medium)");
    assert_eq!(of(Category::Configuration), "Escalate(high)");
    assert_eq!(of(Category::Unknown), "return");
    let open = Rejected::CircuitOpen { name: "b".into(), retry_after: SECOND };
    assert_eq!(action(&handler, &open), "Escalate(high)");
}

#[test]
fn handlers_of_ones_own_are_asked_first_and_can_be_removed() {
    let handler = ErrorHandler::new(&Registry::new());
    let says = |text: &'static str| move |_: &Facts<'_>, _: &Context| Ok(Handling::new(Action::Ignore, text));
    let message = |error: &dyn Fn() -> io::Error| handler.handle(&error(), &context()).message;
    let timed_out = || io::Error::from(ErrorKind::TimedOut);
    let pattern = handler.add_handler(Match::Message("timed".parse().unwrap()), says("pattern"));
    assert_eq!(message(&timed_out), "pattern");
    let exact = handler.add_handler(Match::Code("TimedOut".into()), says("exact"));
    assert_eq!(message(&timed_out), "exact", "though it came later");
    assert!(handler.remove_handler(exact) && !handler.remove_handler(exact));
    assert_eq!(message(&timed_out), "pattern");
    assert!(handler.remove_handler(pattern));
    assert_eq!(message(&timed_out), "it took too long");
    assert_eq!(handler.classification(&timed_out()).category, Category::Timeout);
}

#[test]
fn a_handler_that_fails_or_panics_leaves_the_default() {
    let handler = ErrorHandler::new(&Registry::new());
    let timed_out = io::Error::from(ErrorKind::TimedOut);
    let fails = handler.add_handler(Match::Code("TimedOut".into()), |_, _| Err("broken".into()));
    assert_eq!(action(&handler, &timed_out), "Retry(1s x3)");
    handler.remove_handler(fails);
    handler.add_handler(Match::Code("TimedOut".into()), |_, _| panic!("on purpose"));
    assert_eq!(action(&handler, &timed_out), "Retry(1s x3)");
}

#[test]
fn one_executor_tries_again() {
    let registry = Registry::new();
    clock::simulate(async {
        let handler = ErrorHandler::new(&registry);
        let (start, calls) = (clock::now(), RefCell::new(Vec::new()));
        let result: Call<()> = handler
            .run(&context(), || {
                calls.borrow_mut().push((clock::now() - start).as_secs());
                async { Err(error(ErrorKind::ConnectionRefused)) }
            })
            .await;
        // Each pause is up to a half longer, by chance.
        let [0, first, second] = calls.borrow()[..] else { panic!("{calls:?}") };
        assert!((5..=7).contains(&first) && (5..=8).contains(&(second - first)), "{calls:?}");
        assert_eq!(result.unwrap_err().to_string(), "connection refused", "it is not swallowed");
        // Nor does it wait longer than whoever asked.
        let start = clock::now();
        let refused = || async { Err::<(), _>(error(ErrorKind::ConnectionRefused)) };
        let hurried = Deadline::after(2 * SECOND).scope(handler.run(&context(), refused)).await;
        assert!(hurried.is_err());
        assert_eq!(clock::now(), start);
    });
    let series = "resilience_errors_total{resilience_action=\"retry\",resilience_error_category=\"network\",resilience_error_severity=\"medium\"}";
    assert_eq!(metric(&registry, series), 4.0);
}

#[test]
fn what_is_ignored_is_given_back_all_the_same() {
    let handler = ErrorHandler::new(&Registry::new());
    handler.add_handler(Match::of_type::<io::Error>(), |_, _| Ok(Handling::new(Action::Ignore, "expected")));
    let fails = || async { Err::<(), _>(error(ErrorKind::TimedOut)) };
    assert!(clock::simulate(handler.run(&context(), fails)).is_err());
}

#[test]
fn a_recovery_puts_right_once() {
    clock::simulate(async {
        let handler = ErrorHandler::new(&Registry::new());
        let connected = Arc::new(Mutex::new(0));
        let counter = connected.clone();
        let recovery: crate::resilience::Recovery = Arc::new(move || {
            let counter = counter.clone();
            Box::pin(async move {
                *counter.lock() += 1;
                Ok(())
            })
        });
        handler.add_handler(Match::Code("NotConnected".into()), move |_, _| {
            Ok(Handling::new(Action::Recover(recovery.clone()), "connect anew"))
        });
        let call = || {
            let works = *connected.lock() > 0;
            async move { if works { Ok("sent") } else { Err(error(ErrorKind::NotConnected)) } }
        };
        assert_eq!(handler.run(&context(), call).await.unwrap(), "sent");
        assert_eq!(*connected.lock(), 1);
        // Once only: what still fails is given back.
        let calls = Cell::new(0);
        let fails = || {
            calls.set(calls.get() + 1);
            async { Err::<(), _>(error(ErrorKind::NotConnected)) }
        };
        assert!(handler.run(&context(), fails).await.is_err());
        assert_eq!((*connected.lock(), calls.get()), (2, 2));
    });
}

#[test]
fn every_level_of_escalation_is_counted_from_nothing() {
    let registry = Registry::new();
    let _handler = ErrorHandler::new(&registry);
    for level in ["low", "medium", "high", "critical"] {
        let series = format!("resilience_escalations_total{{resilience_escalation_level=\"{level}\"}}");
        assert_eq!(metric(&registry, &series), 0.0);
    }
}

#[test]
fn escalations_are_told_whoever_else_panics() {
    let registry = Registry::new();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let listener = heard.clone();
    let handler = ErrorHandler::build(
        &registry,
        Rules::new(),
        None,
        vec![
            Arc::new(|_: &Escalation| panic!("on purpose")),
            Arc::new(move |escalation: &Escalation| listener.lock().push(escalation.clone())),
        ],
    );
    handler.handle(&Of(Category::Authentication), &context());
    handler.handle(&Of(Category::Validation), &context());
    let heard = heard.lock();
    let [escalation] = &heard[..] else { panic!("{heard:?}") };
    assert_eq!((escalation.level, &*escalation.error_name), (Severity::Medium, "Of"));
    assert_eq!(escalation.message, "of authentication");
    assert_eq!(escalation.context, context());
    assert_eq!(
        metric(&registry, "resilience_escalations_total{resilience_escalation_level=\"medium\"}"),
        1.0
    );
}

#[test]
fn an_open_breaker_short_circuits_and_escalates() {
    clock::simulate(async {
        let options = BreakerOptions { failure_threshold: Threshold::Count(3), ..Default::default() };
        let breakers = Breakers::new(options, Registry::new());
        let levels = Arc::new(Mutex::new(Vec::new()));
        let listener = levels.clone();
        let hook = move |escalation: &Escalation| listener.lock().push(escalation.level);
        let handler =
            ErrorHandler::build(&Registry::new(), Rules::new(), Some(breakers.clone()), vec![Arc::new(hook)]);
        let calls = Cell::new(0);
        let refused = || {
            calls.set(calls.get() + 1);
            async { Err::<(), _>(error(ErrorKind::ConnectionRefused)) }
        };
        // Its three attempts open the breaker of `payments.charge`.
        assert!(handler.run(&context(), refused).await.is_err());
        assert_eq!(breakers.get("payments", "charge").state(), State::Open);
        let short = handler.run(&context(), refused).await;
        assert!(matches!(short, Err(CallError::Rejected(Rejected::CircuitOpen { .. }))));
        assert_eq!((calls.get(), &**levels.lock()), (3, &[Severity::High][..]));
        // Another operation is not touched.
        let other = handler.run(&Context::new("payments", "refund"), || async { Call::Ok(()) }).await;
        assert!(other.is_ok());
    });
}

/// Lines of the log.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn errors_are_logged_at_the_level_of_their_severity() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let handler = ErrorHandler::new(&Registry::new());
        for category in [Category::Validation, Category::Timeout, Category::Configuration] {
            handler.handle(&Of(category), &context());
        }
    });
    let text = String::from_utf8(lines.0.lock().clone()).unwrap();
    let records: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|it: &serde_json::Value| it["fields"]["message"] == "an error is handled")
        .collect();
    let levels: Vec<_> = records.iter().map(|it| it["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["INFO", "WARN", "ERROR"]);
    let fields = &records[1]["fields"];
    for (name, value) in [
        ("error.type", "Of"),
        ("error", "of timeout"),
        ("component", "payments"),
        ("operation", "charge"),
        ("request.id", "r-1"),
        ("severity", "medium"),
        ("category", "timeout"),
        ("action", "retry"),
    ] {
        assert_eq!(fields[name], value, "{fields}");
    }
}

#[test]
fn pauses_differ_so_that_not_all_come_back_at_once() {
    let pause = || {
        clock::simulate(async {
            let (handler, start) = (ErrorHandler::new(&Registry::new()), clock::now());
            let calls = Cell::new(0);
            let call = || {
                calls.set(calls.get() + 1);
                let works = calls.get() == 2;
                async move { if works { Ok(()) } else { Err(error(ErrorKind::ConnectionRefused)) } }
            };
            handler.run(&context(), call).await.unwrap();
            clock::now() - start
        })
    };
    let pauses: std::collections::HashSet<_> = (0..20).map(|_| pause()).collect();
    assert!(pauses.len() > 1, "{pauses:?}");
    assert!(pauses.iter().all(|pause| (5 * SECOND..=8 * SECOND).contains(pause)), "{pauses:?}");
}

#[test]
fn nobody_waits_for_ever_because_a_server_says_so() {
    let handler = ErrorHandler::new(&Registry::new());
    let limited = |seconds: u32| Rejected::RateLimited { name: "l".into(), retry_after: SECOND * seconds };
    assert_eq!(action(&handler, &limited(60)), "Retry(60s x1)");
    assert_eq!(action(&handler, &limited(61)), "return");
}

#[test]
fn what_goes_on_and_on_is_escalated_once_a_minute() {
    clock::simulate(async {
        let registry = Registry::new();
        let heard = Arc::new(Mutex::new(0));
        let listener = heard.clone();
        let hook = move |_: &Escalation| *listener.lock() += 1;
        let handler = ErrorHandler::build(&registry, Rules::new(), None, vec![Arc::new(hook)]);
        let open = Rejected::CircuitOpen { name: "b".into(), retry_after: SECOND };
        for _ in 0..1_000 {
            handler.handle(&open, &context());
        }
        assert_eq!(*heard.lock(), 1);
        let counted = "resilience_escalations_total{resilience_escalation_level=\"high\"}";
        assert_eq!(metric(&registry, counted), 1_000.0, "all are counted");
        // Something else, or elsewhere, is heard at once.
        handler.handle(&Of(Category::Authentication), &context());
        handler.handle(&open, &Context::new("payments", "refund"));
        assert_eq!(*heard.lock(), 3);
        clock::sleep(60 * SECOND).await;
        handler.handle(&open, &context());
        handler.handle(&open, &context());
        assert_eq!(*heard.lock(), 4);
        // However many operations there are, only so much is remembered.
        for n in 0..10_000 {
            handler.handle(&open, &Context::new("payments", format!("operation {n}")));
        }
        assert_eq!(*heard.lock(), 10_004);
    });
}

#[test]
fn what_may_have_had_an_effect_is_not_done_twice_where_that_does_harm() {
    clock::simulate(async {
        let handler = ErrorHandler::new(&Registry::new()).idempotent(false);
        for (kind, expected) in [(ErrorKind::TimedOut, 1), (ErrorKind::ConnectionRefused, 3)] {
            let calls = Cell::new(0);
            let fails = || {
                calls.set(calls.get() + 1);
                async move { Err::<(), _>(error(kind)) }
            };
            assert!(handler.run(&context(), fails).await.is_err());
            assert_eq!(calls.get(), expected, "{kind:?}");
        }
    });
}
