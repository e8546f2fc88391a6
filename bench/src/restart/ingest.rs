//! Senders that go on until their server is killed under them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// One connection's requests.
pub(crate) trait Sender: Send {
    /// Makes the next request; how many records it has.
    fn prepare(&mut self) -> u64;

    /// Sends it until it is acknowledged.
    ///
    /// # Errors
    /// When the server does not answer, or does not take it.
    fn send(&mut self) -> Result<()>;
}

/// What was sent until the kill.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Records of requests that were acknowledged.
    pub(crate) acknowledged: u64,
    /// With those of requests that were on their way.
    pub(crate) sent: u64,
    /// Until the kill.
    pub(crate) seconds: f64,
}

/// Lets all senders send, and kills their server once so many records are acknowledged, while they
/// go on.
///
/// # Errors
/// When a sender fails before the kill, or the kill does.
pub(crate) fn until_killed(
    senders: Vec<Box<dyn Sender>>,
    records: u64,
    kill: impl FnOnce() -> Result<()>,
) -> Result<Sent> {
    let (acknowledged, sent) = (AtomicU64::new(0), AtomicU64::new(0));
    let (killed, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let started = Instant::now();
    let count = senders.len();
    let work = |mut sender: Box<dyn Sender>| -> Result<()> {
        loop {
            let records = sender.prepare();
            sent.fetch_add(records, Ordering::Relaxed);
            match sender.send() {
                Ok(()) => acknowledged.fetch_add(records, Ordering::Relaxed),
                Err(_) if killed.load(Ordering::Acquire) => return Ok(()),
                Err(error) => {
                    failed.store(true, Ordering::Release);
                    return Err(error);
                }
            };
        }
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = senders.into_iter().map(|sender| scope.spawn(move || work(sender))).collect();
        while acknowledged.load(Ordering::Relaxed) < records && !failed.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let seconds = started.elapsed().as_secs_f64();
        // Before the kill: a sender that hears of it must know why.
        killed.store(true, Ordering::Release);
        let outcome = kill();
        let ended = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a sender panicked")));
        ended.collect::<Result<Vec<()>>>().with_context(|| format!("one of {count} senders"))?;
        outcome?;
        Ok(Sent {
            acknowledged: acknowledged.load(Ordering::Relaxed),
            sent: sent.load(Ordering::Relaxed),
            seconds,
        })
    })
}
