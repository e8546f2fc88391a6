use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use tracing_subscriber::layer::SubscriberExt;

use super::{Kept, PATIENCE};
use crate::logging::{
    Batching, Destination, Entry, Formatted, Formatter, Logging, Output, OutputSetup, QueueOptions, Redactor,
    Source, WriteError,
};
use crate::telemetry::metrics::Registry;

const HOUR: Duration = Duration::from_secs(3600);

/// Does with each batch what it is told, and says how large it was.
struct Told {
    sizes: SyncSender<Vec<String>>,
    results: Receiver<Result<(), WriteError>>,
}

impl Output for Told {
    fn name(&self) -> &str {
        "told"
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        let texts = batch.iter().map(|it| it.entry.message.clone()).collect();
        let _ = self.sizes.send(texts);
        self.results.recv().unwrap_or(Ok(()))
    }
}

/// An output and the two ends of its strings.
fn told() -> (Told, Receiver<Vec<String>>, SyncSender<Result<(), WriteError>>) {
    let (sizes, seen) = sync_channel(100);
    let (tell, results) = sync_channel(100);
    (Told { sizes, results }, seen, tell)
}

fn options() -> QueueOptions {
    QueueOptions { interval: HOUR, ..QueueOptions::batched() }
}

fn start(outputs: Vec<OutputSetup>) -> Logging {
    Logging::start(outputs, Redactor::none(), Source::default()).unwrap()
}

fn emit(logging: &Logging, texts: std::ops::Range<usize>) {
    let subscriber = tracing_subscriber::registry().with(logging.layer());
    tracing::subscriber::with_default(subscriber, || texts.for_each(|n| tracing::info!("{n}")));
}

fn health(logging: &Logging, name: &str) -> crate::logging::OutputHealth {
    logging.health().into_iter().find(|it| it.name == name).unwrap()
}

#[test]
fn a_batch_goes_when_it_is_full_and_the_end_sends_the_rest() {
    let (output, seen, tell) = told();
    let logging = start(vec![OutputSetup::new("told", output).queue(options())]);
    drop(tell);
    emit(&logging, 0..250);
    assert_eq!(seen.recv().unwrap().len(), 100);
    assert_eq!(seen.recv().unwrap().len(), 100);
    assert!(logging.close(PATIENCE));
    assert_eq!(seen.recv().unwrap().len(), 50);
    let end = health(&logging, "told");
    assert_eq!((end.written, end.dropped, end.failed, end.waiting), (250, 0, 0, 0));
    emit(&logging, 0..3);
    assert_eq!(health(&logging, "told").dropped, 3, "what comes after the end is counted");
    assert!(logging.close(PATIENCE), "a second end does nothing");
}

#[test]
fn a_batch_that_is_old_enough_goes() {
    let (output, seen, tell) = told();
    let queue = QueueOptions { interval: Duration::from_millis(1), ..options() };
    let logging = start(vec![OutputSetup::new("told", output).queue(queue)]);
    drop(tell);
    emit(&logging, 0..1);
    assert_eq!(seen.recv().unwrap(), ["0"]);
}

#[test]
fn a_full_queue_drops_what_is_new_and_counts_it() {
    let (output, seen, tell) = told();
    let queue = QueueOptions { records_max: 10, batch_max: 5, ..options() };
    let logging = start(vec![OutputSetup::new("told", output).queue(queue)]);
    let registry = Registry::new();
    logging.observe(&registry);
    emit(&logging, 0..5);
    assert_eq!(seen.recv().unwrap().len(), 5, "it is being written");
    emit(&logging, 5..20);
    let full = health(&logging, "told");
    assert_eq!((full.waiting, full.dropped, full.records_max), (15, 5, 10));
    let metrics = registry.prometheus();
    for line in [
        r#"fresnel_log_output_records_total{output="told",outcome="dropped"} 5"#,
        r#"fresnel_log_output_queue_usage{output="told"} 15"#,
        r#"fresnel_log_output_queue_limit{output="told"} 10"#,
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    drop(tell);
    assert!(logging.close(PATIENCE));
    let texts: Vec<_> = seen.try_iter().flatten().collect();
    assert_eq!(texts, (5..15).map(|n| n.to_string()).collect::<Vec<_>>(), "in order, the new ones are gone");
}

#[test]
fn a_batch_that_failed_is_kept_and_tried_again_as_far_as_it_must() {
    let (output, seen, tell) = told();
    let logging = start(vec![OutputSetup::new("told", output).queue(options())]);
    let soon = Duration::from_millis(1);
    tell.send(Err(WriteError::retry_after("busy", soon))).unwrap();
    tell.send(Err(WriteError::retry_after("some", soon).with_left(vec![1, 3], 1))).unwrap();
    tell.send(Err(WriteError::permanent("never"))).unwrap();
    tell.send(Ok(())).unwrap();
    emit(&logging, 0..4);
    assert!(!logging.flush(PATIENCE), "something was lost");
    assert_eq!(seen.recv().unwrap(), ["0", "1", "2", "3"]);
    assert_eq!(seen.recv().unwrap(), ["0", "1", "2", "3"]);
    assert_eq!(seen.recv().unwrap(), ["1", "3"]);
    let bad = health(&logging, "told");
    assert_eq!((bad.written, bad.failed), (1, 3));
    emit(&logging, 4..5);
    assert!(logging.flush(PATIENCE));
    assert_eq!(seen.recv().unwrap(), ["4"]);
    assert_eq!(health(&logging, "told").error, None, "it works again");
}

#[test]
fn an_output_that_hangs_delays_neither_callers_nor_others_nor_the_end() {
    let (output, seen, tell) = told();
    let kept = Kept::default();
    let hanging = OutputSetup::new("told", output).queue(QueueOptions { batch_max: 1, ..options() });
    let logging = start(vec![hanging, OutputSetup::new("kept", kept.clone())]);
    emit(&logging, 0..2000);
    assert_eq!(seen.recv().unwrap(), ["0"]);
    assert!(!logging.close(Duration::from_millis(50)), "it says that something is lost");
    // The other one goes on, however slow the machine is.
    while kept.lines().len() < 2000 {
        std::thread::yield_now();
    }
    drop(tell);
}

/// Panics, fails, and is unwell.
struct Bad;

impl Output for Bad {
    fn name(&self) -> &str {
        "bad"
    }

    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError> {
        match batch[0].entry.message.as_str() {
            "0" => panic!("on purpose"),
            _ => Ok(()),
        }
    }

    fn health(&self) -> Result<(), String> {
        Err("unwell".into())
    }
}

impl Formatter for Bad {
    fn format(&self, entry: &Entry, _: &Source, _: &mut Vec<u8>) {
        assert_ne!(entry.message, "1", "on purpose");
    }
}

#[test]
fn an_output_or_a_format_that_panics_is_named_and_stops_nothing() {
    let kept = Kept::default();
    let bad = OutputSetup::new("bad", Bad).format(Bad).queue(QueueOptions { batch_max: 1, ..options() });
    let logging = start(vec![bad, OutputSetup::new("kept", kept.clone())]);
    // For the threads of outputs: what they tell of each other. Tests in the same process may add records
    // of theirs, after which an output is only unwell.
    let subscriber = tracing_subscriber::registry().with(logging.layer());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    emit(&logging, 0..1);
    assert!(!logging.flush(PATIENCE));
    let it = health(&logging, "bad");
    assert_eq!(it.failed, 1);
    assert!(matches!(it.error.as_deref(), Some("the output panicked" | "unwell")), "{it:?}");
    emit(&logging, 1..4);
    assert!(!logging.flush(PATIENCE));
    let it = health(&logging, "bad");
    assert_eq!((it.error.as_deref(), it.failed), (Some("unwell"), 2));
    assert!(it.written >= 2, "{it:?}");
    assert!(!logging.is_healthy() && health(&logging, "kept").error.is_none());
    assert!(
        kept.lines().iter().any(|line| {
            line.contains("log output fails") && line.contains("bad") && line.contains("the output panicked")
        }),
        "it is told"
    );
    let texts: Vec<_> = kept.json().iter().map(|it| it["message"].as_str().unwrap().to_owned()).collect();
    assert!((0..4).all(|n| texts.contains(&n.to_string())), "{texts:?}");
}

#[test]
fn names_are_there_once() {
    let twice = vec![OutputSetup::new("a", Bad), OutputSetup::new("a", Bad)];
    let error = Logging::start(twice, Redactor::none(), Source::default()).unwrap_err();
    assert_eq!(error.to_string(), "there are two outputs with the name `a`");
}

type Puts = Arc<Mutex<Vec<(String, String, usize)>>>;

struct Cloud(Puts);

impl Destination for Cloud {
    fn put(&mut self, group: &str, stream: &str, batch: &[Formatted]) -> Result<(), WriteError> {
        self.0.lock().push((group.to_owned(), stream.to_owned(), batch.len()));
        Ok(())
    }
}

#[test]
fn batches_are_named_by_group_and_stream() {
    let puts = Puts::default();
    let logging =
        start(vec![OutputSetup::new("cloud", Batching::new("shop", "node-1", Cloud(puts.clone())))]);
    emit(&logging, 0..3);
    assert!(logging.close(PATIENCE));
    let sum: usize = puts.lock().iter().map(|(.., records)| records).sum();
    assert_eq!(sum, 3);
    assert!(puts.lock().iter().all(|(group, stream, _)| group == "shop" && stream == "node-1"));
}
