use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::{self, Either};
use futures::stream;
use model::{Signal, Table, Tenant};
use tokio::sync::watch;

use super::{Inner, Store};
use crate::courtesy::give_way;
use crate::error::WorkError;
use crate::memtable::Shard;

/// How often the background looks for what nobody has told it of.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked for what has become too old; for replaced files sooner, where they are
/// not kept that long.
const UPKEEP: Duration = Duration::from_secs(30);
const COMPACT: &str = "compact";
const BACKOFF_MAX: Duration = Duration::from_secs(30);

impl Store {
    /// The work in the background: sealing, folding, compacting, retention, removing files. Runs
    /// until `shutdown` is done, and then finishes what it has begun. What fails is tried again
    /// with growing pauses and is in the status meanwhile.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let work = async {
            let inner = &self.0;
            future::join3(
                inner.repeat("seal", TICK, &stopped, || inner.filled.notified(), || inner.seal_due()),
                inner.repeat(
                    COMPACT,
                    TICK,
                    &stopped,
                    || inner.sealed.notified(),
                    || inner.compact_all(|| *stopped.borrow()),
                ),
                inner.repeat(
                    "upkeep",
                    inner.config.compact.grace.get().clamp(TICK, UPKEEP),
                    &stopped,
                    || inner.changed.notified(),
                    || inner.upkeep(),
                ),
            )
            .await
        };
        let shutdown = async {
            shutdown.await;
            stop.send_replace(true);
        };
        future::join(Box::pin(work), shutdown).await;
    }

    /// Seals everything that is in memory: for a graceful stop, after [`Store::stop`].
    ///
    /// # Errors
    /// When something could not be sealed; it is in the log and is replayed at the next start.
    pub async fn seal_all(&self) -> Result<(), WorkError> {
        self.0.seal_of(&[], &[]).await
    }

    /// Compacts until nothing is left that is worth it.
    ///
    /// # Errors
    /// When a segment could not be read or written.
    pub async fn compact_now(&self) -> Result<(), WorkError> {
        self.0.compact_all(|| false).await
    }

    /// Removes what is too old at this moment, and the files of what was removed long enough ago.
    ///
    /// # Errors
    /// When the manifest could not be written or a file not removed.
    pub async fn retain_now(&self, now_unix_nano: i64) -> Result<(), WorkError> {
        let inner = Arc::clone(&self.0);
        blocking("retain", move || {
            inner.retain(now_unix_nano)?;
            inner.sweep(now_unix_nano)
        })
        .await
    }

    /// Ends the log's thread. Blocks; everything else is finished already.
    pub fn close(&self) {
        self.stop();
        self.0.wal.close();
    }
}

impl Inner {
    /// A reconciler: does the work when told and every `pause`, until stopped.
    async fn repeat<Told, Work>(
        &self,
        name: &'static str,
        pause: Duration,
        stopped: &watch::Receiver<bool>,
        told: impl Fn() -> Told,
        work: impl Fn() -> Work,
    ) where
        Told: Future<Output = ()>,
        Work: Future<Output = Result<(), WorkError>>,
    {
        let mut stopped = stopped.clone();
        while !*stopped.borrow() {
            let wait = match work().await {
                Ok(()) => {
                    // A merge that failed is left alone for a while, and is still one that failed.
                    if name != COMPACT || !self.paused.some() {
                        self.work.succeeded(name);
                    }
                    let told = Box::pin(told());
                    Either::Left(future::select(told, Box::pin(tokio::time::sleep(pause))))
                }
                Err(error) => {
                    let now = crate::clock::unix_ms(&*self.clock);
                    let attempts = self.work.failed(name, &error, now);
                    Either::Right(tokio::time::sleep(backoff(attempts)))
                }
            };
            let wait = async {
                match wait {
                    Either::Left(either) => drop(either.await),
                    Either::Right(sleep) => sleep.await,
                }
            };
            let stop = stopped.wait_for(|stopped| *stopped);
            future::select(Box::pin(wait), Box::pin(stop)).await;
        }
    }

    /// Folds small chunks and seals what is due.
    async fn seal_due(self: &Arc<Self>) -> Result<(), WorkError> {
        let inner = Arc::clone(self);
        blocking("fold", move || {
            for shard in inner.memory.shards() {
                while shard.fold() {
                    give_way();
                }
            }
            inner.freeze_due();
            Ok(())
        })
        .await?;
        self.seal_frozen().await
    }

    /// Seals all frozen generations, those of a shard one after the other. One that fails does not
    /// keep the others from being tried.
    async fn seal_frozen(self: &Arc<Self>) -> Result<(), WorkError> {
        let shards: Vec<_> = self.memory.shards().into_iter().filter(|shard| shard.has_frozen()).collect();
        let seals = stream::iter(shards).map(|shard| self.seal_shard(shard));
        let failed = seals
            .buffer_unordered(self.seal_concurrency())
            .fold(None, async |failed, result| failed.or(result.err()))
            .await;
        failed.map_or(Ok(()), Err)
    }

    /// Seals what is in memory of these tables and tenants; of each, nothing means all.
    pub(crate) async fn seal_of(
        self: &Arc<Self>,
        tables: &[Table],
        tenants: &[Tenant],
    ) -> Result<(), WorkError> {
        for shard in self.memory.shards() {
            let of_table = tables.is_empty() || tables.iter().any(|table| table.signal() == shard.signal);
            if of_table && (tenants.is_empty() || tenants.contains(&shard.tenant)) {
                self.memory.freeze(&shard);
            }
        }
        self.seal_frozen().await
    }

    async fn seal_shard(self: &Arc<Self>, shard: Arc<Shard>) -> Result<(), WorkError> {
        while shard.has_frozen() {
            let (inner, shard) = (Arc::clone(self), Arc::clone(&shard));
            blocking("seal", move || inner.seal_oldest(&shard)).await?;
            self.sealed.notify_one();
        }
        Ok(())
    }

    fn seal_concurrency(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get() / 2);
        let wanted = usize::try_from(self.config.seal.concurrency).unwrap_or(1);
        // More than one a signal would only share the disk.
        if wanted == 0 { cores().clamp(1, Signal::ALL.len()) } else { wanted }
    }

    async fn upkeep(self: &Arc<Self>) -> Result<(), WorkError> {
        let inner = Arc::clone(self);
        blocking("upkeep", move || {
            inner.retain(inner.clock.now_unix_nano())?;
            inner.sweep(inner.clock.now_unix_nano())
        })
        .await
    }
}

/// Begins work on a thread that may block. A panic in it is an error of the work.
pub(crate) fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<T, WorkError> + Send + 'static,
) -> impl Future<Output = Result<T, WorkError>> + Send + 'static {
    let work = tokio::task::spawn_blocking(work);
    async move {
        let panic = match work.await {
            Ok(result) => return result,
            Err(error) => error.try_into_panic().ok(),
        };
        let message = panic.and_then(|panic| {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            text.or_else(|| panic.downcast_ref::<String>().cloned())
        });
        Err(WorkError::Panic { work: name, message: message.unwrap_or_else(|| "no message".into()) })
    }
}

fn backoff(attempts: u32) -> Duration {
    let seconds = 1u64 << attempts.saturating_sub(1).min(5);
    Duration::from_secs(seconds).min(BACKOFF_MAX)
}
