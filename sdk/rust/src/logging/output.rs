//! Where records go.

mod batching;
mod console;
mod elasticsearch;
mod file;
#[cfg(feature = "gzip")]
mod gzip;
mod http;
mod syslog;

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;

pub use self::batching::{Batching, Destination};
pub use self::console::{Console, Stream};
pub use self::elasticsearch::Elasticsearch;
pub(super) use self::file::is_path;
pub use self::file::{Compression, File, NotInBuild, Rotation};
pub use self::http::{Body, Http, UrlError};
pub use self::syslog::{Syslog, Transport};

/// A record with what its format made of it.
#[derive(Clone, Debug)]
pub struct Formatted {
    /// The record.
    pub entry: Arc<Entry>,
    /// Its line, without a line end.
    pub line: Vec<u8>,
}

/// Takes records to where they are kept. Every output has a thread of its own, on which nothing is
/// recorded for export; it may block there. Records that come in meanwhile wait in a bounded queue.
pub trait Output: Send + 'static {
    /// What it is, for people: `file app.log`.
    fn name(&self) -> &str;

    /// Writes records, in order.
    ///
    /// # Errors
    /// Some or all were not written, and whether to try again with those.
    fn write(&mut self, batch: &[Formatted]) -> Result<(), WriteError>;

    /// Makes what was written outlive the process.
    ///
    /// # Errors
    /// Why it may not.
    fn flush(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// How it is, beyond how writing went last. Must not block.
    ///
    /// # Errors
    /// What is wrong.
    fn health(&self) -> Result<(), String> {
        Ok(())
    }

    /// Ends it; nothing is written afterwards.
    ///
    /// # Errors
    /// What was lost.
    fn close(&mut self) -> Result<(), WriteError> {
        self.flush()
    }

    /// Whether records leave this machine. What happens while recording is suppressed, such as what
    /// goes wrong with an export, is not given to such outputs.
    fn is_remote(&self) -> bool {
        true
    }
}

/// Records were not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    message: String,
    retry: Option<Duration>,
    doubtful: bool,
    left: Option<Vec<usize>>,
    refused: usize,
}

impl WriteError {
    /// They never will be.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry: None, doubtful: false, left: None, refused: 0 }
    }

    /// They may be after at least this long.
    pub fn retry_after(message: impl Into<String>, wait: Duration) -> Self {
        Self { retry: Some(wait), ..Self::permanent(message) }
    }

    /// As [`WriteError::retry_after`], where it may also be the records themselves that the other side
    /// cannot digest: they are given up after ten attempts, so that they do not block others for ever.
    pub fn doubtful(message: impl Into<String>, wait: Duration) -> Self {
        Self { doubtful: true, ..Self::retry_after(message, wait) }
    }

    /// Only these of the batch, by their places, were not written and may be tried again; so many
    /// more were refused for ever.
    #[must_use]
    pub fn with_left(mut self, left: Vec<usize>, refused: usize) -> Self {
        (self.left, self.refused) = (Some(left), refused);
        self
    }

    /// With what may be done about it.
    #[cfg(feature = "https")]
    fn with_hint(mut self, hint: &str) -> Self {
        self.message = format!("{}; {hint}", self.message);
        self
    }

    /// Whether, and after how long, to try again.
    pub const fn retryable(&self) -> Option<Duration> {
        self.retry
    }

    /// Whether it may be the records themselves.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Takes out of a batch what is dealt with. Returns how many were refused.
    pub(super) fn settle(&self, batch: &mut Vec<Formatted>) -> usize {
        if self.retry.is_none() {
            let written = self.left.as_ref().map_or(0, |left| batch.len() - left.len() - self.refused);
            return std::mem::take(batch).len() - written;
        }
        if let Some(left) = &self.left {
            let mut place = 0;
            batch.retain(|_| {
                place += 1;
                left.contains(&(place - 1))
            });
        }
        self.refused
    }

    /// How many of a batch were written all the same.
    pub(super) fn written(&self, batch: usize) -> usize {
        self.left.as_ref().map_or(0, |left| batch.saturating_sub(left.len() + self.refused))
    }
}

/// An error of the system: it may go by.
fn of_system(what: &str, error: &std::io::Error) -> WriteError {
    WriteError::retry_after(format!("{what}: {error}"), Duration::from_millis(200))
}

/// What an answer over HTTP means for records.
fn judge(answer: &crate::post::Answer) -> Result<(), WriteError> {
    let message = || format!("the receiver answered {}", answer.status);
    let wait = || answer.retry_after().unwrap_or(Duration::from_millis(500));
    match answer.status {
        _ if answer.is_success() => Ok(()),
        500 => Err(WriteError::doubtful(message(), wait())),
        501 | 505 => Err(WriteError::permanent(message())),
        408 | 429 | 502..=599 => Err(WriteError::retry_after(message(), wait())),
        _ => Err(WriteError::permanent(message())),
    }
}
