use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Lines kept of one process: more than any test makes it say.
const LINES_MAX: usize = 200_000;

/// What a process wrote to one of its streams, gathered while it runs.
#[derive(Debug)]
pub(crate) struct Capture {
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    /// Reads a stream to its end in a thread of its own, so that the process never waits for us.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut lines = sink.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() < LINES_MAX {
                    lines.push(line);
                }
            }
        });
        Self { lines, reader: Some(reader) }
    }

    /// The lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the stream's end; the process must have ended.
    pub(crate) fn join(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader of a stream does not panic");
        }
    }
}

/// Whether a line of the log is a warning or worse, in the text and in the JSON form; panics count.
pub(crate) fn is_alarming(line: &str) -> bool {
    let level = line.split_whitespace().take(3).any(|word| matches!(word, "WARN" | "ERROR"));
    level
        || line.contains("\"level\":\"WARN\"")
        || line.contains("\"level\":\"ERROR\"")
        || (line.starts_with("thread '") && line.contains("panicked at"))
}
