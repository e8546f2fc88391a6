use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;

use crate::telemetry::{ExportError, Exporter, Several, Signal};

/// Answers by a script, the last answer for ever; counts what it took.
#[derive(Clone)]
struct Scripted(Arc<Mutex<Vec<Result<(), ExportError>>>>, Arc<AtomicUsize>);

impl Scripted {
    fn new(answers: &[Result<(), ExportError>]) -> Self {
        Self(Arc::new(Mutex::new(answers.iter().rev().cloned().collect())), Arc::default())
    }
}

impl Exporter for Scripted {
    fn export(&self, _: Signal, request: Vec<u8>) -> Result<(), ExportError> {
        assert_eq!(request, b"request");
        let mut answers = self.0.lock();
        let answer = if answers.len() > 1 { answers.pop() } else { answers.last().cloned() };
        let answer = answer.unwrap_or(Ok(()));
        self.1.fetch_add(usize::from(answer.is_ok()), Ordering::Relaxed);
        answer
    }
}

/// Says when it has begun, and waits until it may go on.
struct Hanging(SyncSender<()>, Mutex<Receiver<()>>);

impl Exporter for Hanging {
    fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        let _ = self.0.send(());
        let _ = self.1.lock().recv();
        Ok(())
    }
}

struct Panicking;

impl Exporter for Panicking {
    fn export(&self, _: Signal, _: Vec<u8>) -> Result<(), ExportError> {
        panic!("on purpose")
    }
}

const LONG: Duration = Duration::from_secs(60);

fn send(several: &Several) -> Result<(), ExportError> {
    several.export(Signal::Traces, b"request".to_vec())
}

#[test]
fn one_that_fails_or_panics_takes_nothing_from_the_others() {
    let refused = Err(ExportError::permanent("the receiver answered 400"));
    let busy = Err(ExportError::retry_after("the receiver answered 503", Duration::ZERO));
    let (good, flaky) = (Scripted::new(&[Ok(())]), Scripted::new(&[busy.clone(), busy.clone(), Ok(())]));
    let exporters: [(&str, Box<dyn Exporter>); 4] = [
        ("panicking", Box::new(Panicking)),
        ("refusing", Box::new(Scripted::new(&[refused]))),
        ("flaky", Box::new(flaky.clone())),
        ("good", Box::new(good.clone())),
    ];
    let several = Several::new(exporters, LONG).unwrap();
    let health = several.health();
    assert_eq!((send(&several), send(&several)), (Ok(()), Ok(())));
    // It was waited for all of them.
    assert_eq!((good.1.load(Ordering::Relaxed), flaky.1.load(Ordering::Relaxed)), (2, 2));
    let told: Vec<_> =
        health.reports().into_iter().map(|it| (it.name, it.delivered, it.failed, it.error)).collect();
    let error = |text: &str| Some(text.to_owned());
    let expected = [
        ("panicking", 0, 2, error("the exporter panicked")),
        ("refusing", 0, 2, error("the receiver answered 400")),
        ("flaky", 2, 0, None),
        ("good", 2, 0, None),
    ];
    assert_eq!(told, expected);
}

#[test]
fn nothing_is_delivered_when_nobody_takes_it() {
    let refused = Err(ExportError::permanent("the receiver answered 400"));
    let partly = Err(ExportError::partial("2 records refused", 2));
    for (answer, text) in [(refused, "the receiver answered 400"), (partly, "2 records refused")] {
        let one: [(&str, Box<dyn Exporter>); 1] =
            [("one", Box::new(Scripted::new(std::slice::from_ref(&answer))))];
        let several = Several::new(one, LONG).unwrap();
        let error = send(&several).unwrap_err();
        assert_eq!((error.to_string().as_str(), &error), (text, &answer.unwrap_err()));
        assert_eq!(several.health().reports()[0].failed, 1);
    }
    assert!(send(&Several::new([], LONG).unwrap()).is_err());
}

#[test]
fn who_refuses_for_now_is_tried_until_it_takes_it_and_the_flush_says_whether_it_did() {
    let busy = Err(ExportError::retry_after("the receiver answered 503", Duration::ZERO));
    let again = Scripted::new(std::slice::from_ref(&busy));
    let exporters: [(&str, Box<dyn Exporter>); 1] = [("busy", Box::new(again.clone()))];
    let several = Several::new(exporters, Duration::from_millis(20)).unwrap();
    assert_eq!(send(&several), Ok(()), "it waits");
    assert!(!several.flush(Signal::Traces, LONG), "nobody has it");
    assert!(several.flush(Signal::Logs, LONG), "there were none");
    // Longer than the three attempts it once had.
    again.0.lock().splice(.., [Ok(()), busy.clone(), busy.clone(), busy.clone(), busy]);
    while several.health().reports()[0].delivered < 1 {
        std::thread::yield_now();
    }
    assert!(several.flush(Signal::Traces, LONG));
    assert_eq!(several.health().reports()[0].failed, 0);
}

#[test]
fn what_is_given_up_after_the_export_is_told_by_the_flush() {
    let (begun, has_begun) = sync_channel(100);
    let (go, may_go) = sync_channel(100);
    struct Refusing(Hanging);
    impl Exporter for Refusing {
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            self.0.export(signal, request)?;
            Err(ExportError::permanent("no"))
        }
    }
    let exporters: [(&str, Box<dyn Exporter>); 1] =
        [("late", Box::new(Refusing(Hanging(begun, Mutex::new(may_go)))))];
    let several = Several::new(exporters, Duration::from_millis(20)).unwrap();
    assert_eq!(send(&several), Ok(()));
    has_begun.recv().unwrap();
    go.send(()).unwrap();
    while several.health().reports()[0].failed < 1 {
        std::thread::yield_now();
    }
    assert!(!several.flush(Signal::Traces, LONG), "it is lost");
    assert!(several.flush(Signal::Traces, LONG), "that was told");
}

#[test]
fn one_signal_that_hangs_holds_up_no_other() {
    /// Hangs with logs.
    struct OfLogs(Hanging, Scripted);
    impl Exporter for OfLogs {
        fn export(&self, signal: Signal, request: Vec<u8>) -> Result<(), ExportError> {
            if signal == Signal::Logs {
                self.0.export(signal, request)
            } else {
                self.1.export(signal, request)
            }
        }
    }
    let (begun, has_begun) = sync_channel(100);
    let (go, may_go) = sync_channel::<()>(100);
    let good = Scripted::new(&[Ok(())]);
    let exporters: [(&str, Box<dyn Exporter>); 1] =
        [("one", Box::new(OfLogs(Hanging(begun, Mutex::new(may_go)), good.clone())))];
    let several = Several::new(exporters, Duration::from_secs(1)).unwrap();
    several.export_within(Signal::Logs, b"request".to_vec(), Duration::from_millis(1)).unwrap();
    has_begun.recv().unwrap();
    send(&several).unwrap();
    assert_eq!(good.1.load(Ordering::Relaxed), 1);
    assert!(several.flush(Signal::Traces, LONG) && !several.flush(Signal::Logs, Duration::ZERO));
    drop(go);
}

#[test]
fn one_that_hangs_is_waited_for_once_and_what_it_cannot_take_is_counted() {
    let (begun, has_begun) = sync_channel(100);
    let (go, may_go) = sync_channel(100);
    let good = Scripted::new(&[Ok(())]);
    let exporters: [(&str, Box<dyn Exporter>); 2] =
        [("hanging", Box::new(Hanging(begun, Mutex::new(may_go)))), ("good", Box::new(good.clone()))];
    let several = Several::new(exporters, Duration::from_millis(20)).unwrap();
    let health = several.health();
    send(&several).unwrap();
    has_begun.recv().unwrap();
    // Its queue takes 32; the others still get all.
    for sent in 2..=41 {
        send(&several).unwrap();
        while good.1.load(Ordering::Relaxed) < sent {
            std::thread::yield_now();
        }
    }
    let hanging = &health.reports()[0];
    assert_eq!((hanging.delivered, hanging.dropped), (0, 8));
    // It catches up by itself.
    (0..33).for_each(|_| go.send(()).unwrap());
    while health.reports()[0].delivered < 33 {
        std::thread::yield_now();
    }
    assert_eq!(health.reports()[0].dropped, 8);
}
