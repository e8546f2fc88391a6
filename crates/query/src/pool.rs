use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool, MemoryReservation};
use fresnel_sdk::config::ByteSize;
use model::{Budget, Reservation};
use parking_lot::Mutex;

/// Queries leave this part of the budget to what receives and drains records.
const BUDGET_SHARE: f64 = 0.9;

/// The memory of one query: at most its limit, taken from the one budget and given back with it.
pub(crate) struct QueryPool {
    limit: u64,
    held: Mutex<Reservation>,
    peak: AtomicU64,
    refusal: Mutex<Option<String>>,
}

impl QueryPool {
    /// A pool that may hold `share` (0 to 1) of the budget.
    pub(crate) fn new(budget: &Budget, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a byte count"
        )]
        let limit = (budget.limit() as f64 * share) as u64;
        Self { limit, held: Mutex::new(budget.take(0)), peak: AtomicU64::new(0), refusal: Mutex::new(None) }
    }

    /// Bytes that may be held.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Bytes held now.
    pub(crate) fn used(&self) -> u64 {
        self.held.lock().bytes()
    }

    /// The most bytes that were held.
    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The sentence of the first refusal: an operator may wrap or replace the error it was given.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.lock().clone()
    }

    fn refuse(&self, message: String) -> DataFusionError {
        self.refusal.lock().get_or_insert_with(|| message.clone());
        DataFusionError::ResourcesExhausted(message)
    }
}

impl MemoryPool for QueryPool {
    fn name(&self) -> &'static str {
        "query"
    }

    fn grow(&self, _reservation: &MemoryReservation, additional: usize) {
        let mut held = self.held.lock();
        let bytes = held.bytes() + additional as u64;
        held.settle(bytes);
        self.peak.fetch_max(bytes, Ordering::Relaxed);
    }

    fn shrink(&self, _reservation: &MemoryReservation, shrink: usize) {
        let mut held = self.held.lock();
        let bytes = held.bytes().saturating_sub(shrink as u64);
        held.settle(bytes);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut held = self.held.lock();
        let (used, more) = (held.bytes(), additional as u64);
        if used + more > self.limit {
            return Err(self.refuse(format!(
                "the query needs more than its {} of memory: {} in use, {} more wanted to {}",
                ByteSize::new(self.limit),
                size(used),
                size(more),
                purpose(reservation.consumer().name()),
            )));
        }
        held.grow_within(more, BUDGET_SHARE).map_err(|over| {
            self.refuse(format!(
                "the memory budget is used up: {} of {} in use, the query wants {} more",
                size(over.used),
                ByteSize::new(over.limit),
                size(more),
            ))
        })?;
        self.peak.fetch_max(used + more, Ordering::Relaxed);
        Ok(())
    }

    fn reserved(&self) -> usize {
        usize::try_from(self.used()).unwrap_or(usize::MAX)
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(usize::try_from(self.limit).unwrap_or(usize::MAX))
    }
}

impl fmt::Display for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query({} of {})", size(self.used()), ByteSize::new(self.limit))
    }
}

impl fmt::Debug for QueryPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A byte count to one decimal in the unit that fits; exact sizes are for limits.
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.1} GiB", bytes as f64 / 1_073_741_824.0),
    }
}

/// What an operator wants memory for, from its name such as `GroupedHashAggregateStream[0]`.
fn purpose(consumer: &str) -> &'static str {
    const PURPOSES: [(&str, &str); 9] = [
        ("Aggregate", "group rows"),
        ("Join", "join tables"),
        ("TopK", "sort rows"),
        ("Sort", "sort rows"),
        ("Merge", "sort rows"),
        ("Unique", "tell series apart"),
        ("Traces", "tell traces apart"),
        ("Lines", "draw lines"),
        ("Read", "read segments"),
    ];
    PURPOSES.iter().find(|(part, _)| consumer.contains(part)).map_or("hold rows", |(_, purpose)| purpose)
}
