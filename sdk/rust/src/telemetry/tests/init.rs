use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::{debug, info, info_span};

use crate::telemetry::init::build;
use crate::telemetry::{Format, InitError, InitOptions, PipelineOptions};

/// What was written.
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

impl Lines {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock())).unwrap()
    }
}

fn lines(options: InitOptions, f: impl FnOnce(&crate::telemetry::Telemetry, &Lines)) {
    let lines = Lines::default();
    let writer = lines.clone();
    let (telemetry, dispatch) = build(options, move || writer.clone()).unwrap();
    tracing::dispatcher::with_default(&dispatch, || f(&telemetry, &lines));
}

#[test]
fn lines_are_for_people_or_programs() {
    lines(InitOptions { color: Some(false), ..InitOptions::default() }, |_, lines| {
        info_span!("request", id = 5).in_scope(|| info!(n = 1, "did it"));
        let text = lines.take();
        assert!(text.contains(" INFO request{id=5}: "), "{text}");
        assert!(text.ends_with("did it n=1\n") && !text.contains('\u{1b}'), "{text}");
    });
    lines(InitOptions { color: Some(true), ..InitOptions::default() }, |_, lines| {
        info!("x");
        assert!(lines.take().contains('\u{1b}'));
    });
    lines(InitOptions { format: Format::Json, ..InitOptions::default() }, |_, lines| {
        info!(n = 1, "did it");
        let line: serde_json::Value = serde_json::from_str(&lines.take()).unwrap();
        assert_eq!(
            (&line["message"], &line["n"], &line["level"]),
            (&"did it".into(), &1.into(), &"INFO".into())
        );
    });
}

#[test]
fn the_filter_changes_at_run_time() {
    lines(InitOptions::default(), |telemetry, lines| {
        debug!("hidden");
        assert_eq!(lines.take(), "");
        telemetry.set_filter("debug").unwrap();
        assert_eq!(telemetry.filter(), "debug");
        debug!("shown");
        assert!(lines.take().contains("shown"));
        assert!(matches!(telemetry.set_filter("a=b=c"), Err(InitError::Filter { .. })));
        assert_eq!(telemetry.filter(), "debug");
    });
}

#[test]
fn a_module_has_a_level_of_its_own_and_all_share_the_output() {
    let filter = "info,store=debug".to_owned();
    lines(InitOptions { filter, color: Some(false), ..InitOptions::default() }, |_, lines| {
        debug!(target: "store", "shown");
        debug!(target: "store::wal", "shown too");
        debug!(target: "query", "hidden");
        tracing::trace!(target: "store", "hidden");
        info!(target: "query", "told");
        let text = lines.take();
        let told: Vec<_> = text.lines().map(|line| line.split_once("Z ").unwrap().1.trim()).collect();
        assert_eq!(told, ["DEBUG store: shown", "DEBUG store::wal: shown too", "INFO query: told"]);
    });
}

/// What cannot be written to.
struct Broken(Arc<Mutex<bool>>, Lines);

impl io::Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if *self.0.lock() { Err(io::ErrorKind::BrokenPipe.into()) } else { self.1.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_that_cannot_be_written_are_told_and_stop_nobody() {
    let (broken, written) = (Arc::new(Mutex::new(true)), Lines::default());
    let (pipeline, _) = super::pipeline(PipelineOptions::default());
    let sink = super::Sink::default();
    pipeline.connect(sink.clone());
    let writer = {
        let (broken, written) = (broken.clone(), written.clone());
        move || Broken(broken.clone(), written.clone())
    };
    let options = InitOptions { layer: Some(pipeline.layer()), ..InitOptions::default() };
    let (telemetry, dispatch) = build(options, writer).unwrap();
    assert!(telemetry.health().is_healthy());
    tracing::dispatcher::with_default(&dispatch, || info!("one"));
    let health = telemetry.health();
    let told: Vec<_> = health.outputs.iter().map(|it| (it.name, it.error.as_deref())).collect();
    assert_eq!(told, [("lines", Some("broken pipe")), ("logs", None), ("traces", None), ("metrics", None)]);
    assert!(!health.is_healthy());
    *broken.lock() = false;
    tracing::dispatcher::with_default(&dispatch, || info!("two"));
    assert!(telemetry.health().is_healthy());
    assert!(pipeline.flush(super::PATIENCE));
    assert_eq!(sink.logs().len(), 2, "the other output had both");
    assert!(written.take().contains("two"));
}
