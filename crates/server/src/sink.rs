//! Introduces `receive` to `store`: an accepted request as an entry of the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fresnel_sdk::telemetry::metrics::{BoundHistogram, Registry, SECONDS};
use receive::{Accepted, AppendFuture, NoRoom, Refused, Sink, Written};
use store::{AppendError, Entry, EntryMeta, RefusedPoints, Rejection, Store};

/// The store as `receive` wants to see it.
pub struct StoreSink {
    store: Arc<Store>,
    duration: BoundHistogram,
}

impl StoreSink {
    pub fn new(store: Arc<Store>, registry: &Registry) -> Self {
        let duration = registry.histogram(
            "fresnel.store.wal.append.duration",
            "s",
            "From the arrival of a request at the write-ahead log until it is synced.",
            SECONDS,
        );
        Self { store, duration: duration.bind(&[]) }
    }
}

/// When a sender that was refused may come again: a seal frees memory within about that time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Sink for StoreSink {
    fn append(&self, accepted: Accepted) -> AppendFuture<'_> {
        Box::pin(async move {
            let Accepted {
                tenant,
                signal,
                protocol,
                received_unix_nano,
                records,
                rejected,
                body,
                batch,
                reservation,
            } = accepted;
            let rejected = rejected
                .into_iter()
                .map(|rejection| Rejection { reason: rejection.reason.into(), indices: rejection.indices })
                .collect();
            let meta = EntryMeta {
                tenant,
                signal,
                protocol,
                received_unix_nano,
                records,
                rejected,
                refused: Vec::new(),
            };
            // A request of which nothing was taken leaves only its counts.
            let body = if batch.is_empty() { bytes::Bytes::new() } else { body };
            let arrived = Instant::now();
            match self.store.append(Entry { meta, body }, batch, reservation).await {
                Ok(appended) => {
                    self.duration.record_duration(arrived.elapsed());
                    Ok(appended.refused.into_iter().map(no_room).collect())
                }
                Err(error) => Err(refused(&error)),
            }
        })
    }
}

fn no_room(refused: RefusedPoints) -> NoRoom {
    let RefusedPoints { reason, message, samples, histograms, exemplars } = refused;
    NoRoom { reason, message, points: Written { samples, histograms, exemplars } }
}

fn refused(error: &AppendError) -> Refused {
    match error {
        AppendError::Closed => Refused::Closed,
        AppendError::Fatal { .. } => Refused::Failed(chain(error)),
        AppendError::TooLarge { limit } => Refused::TooLarge { limit: *limit },
        AppendError::Full { .. } | AppendError::Io { .. } => {
            Refused::Full { reason: chain(error), retry_after: RETRY_AFTER }
        }
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}
