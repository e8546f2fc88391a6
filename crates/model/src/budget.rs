use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The one memory budget (`memory.limit`): request bodies, write-ahead buffers, memtables, indexes
/// and queries all take their bytes from it, and refuse work when it is used up.
///
/// Cloning shares it. Accounting only: it allocates nothing.
#[derive(Clone, Debug)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    refused: AtomicU64,
}

/// The budget has no room for what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memory budget used up: {used} of {limit} bytes in use, {wanted} more wanted")]
pub struct OverBudget {
    /// Bytes asked for.
    pub wanted: u64,
    /// Bytes in use at that moment.
    pub used: u64,
    /// Bytes there are.
    pub limit: u64,
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Account {
            limit,
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }))
    }

    /// Takes `bytes`, to be given back when the reservation is dropped.
    ///
    /// # Errors
    /// [`OverBudget`] when fewer are left. Nothing is taken then; the refusal is counted.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, OverBudget> {
        self.reserve_within(bytes, 1.0)
    }

    /// Takes `bytes` if that leaves at most `share` (0 to 1) of the limit in use, so that work of
    /// lower priority stops first: what drains memory must be able to go on.
    ///
    /// # Errors
    /// [`OverBudget`] as for [`Budget::reserve`].
    pub fn reserve_within(&self, bytes: u64, share: f64) -> Result<Reservation, OverBudget> {
        let mut reservation = Reservation { budget: self.clone(), bytes: 0 };
        reservation.grow_within(bytes, share)?;
        Ok(reservation)
    }

    /// Takes `bytes` whatever the limit: for what exists already and can only be accounted, such
    /// as acknowledged records that are replayed.
    pub fn take(&self, bytes: u64) -> Reservation {
        let used = self.0.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.0.peak.fetch_max(used, Ordering::Relaxed);
        Reservation { budget: self.clone(), bytes }
    }

    /// Bytes there are.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Bytes in use now.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever in use.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// How many reservations were refused.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}

/// Bytes taken from a [`Budget`]; dropping gives them back.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    bytes: u64,
}

impl Reservation {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes `more` bytes.
    ///
    /// # Errors
    /// [`OverBudget`] when fewer are left; what is held stays held.
    pub fn grow(&mut self, more: u64) -> Result<(), OverBudget> {
        self.grow_within(more, 1.0)
    }

    /// Takes `more` bytes if that leaves at most `share` of the limit in use.
    ///
    /// # Errors
    /// [`OverBudget`] as for [`Reservation::grow`].
    pub fn grow_within(&mut self, more: u64, share: f64) -> Result<(), OverBudget> {
        let account = &self.budget.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a share of a byte count"
        )]
        let ceiling = (account.limit as f64 * share) as u64;
        let taken = account.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            used.checked_add(more).filter(|sum| *sum <= ceiling)
        });
        match taken {
            Ok(before) => {
                account.peak.fetch_max(before + more, Ordering::Relaxed);
                self.bytes += more;
                Ok(())
            }
            Err(used) => {
                account.refused.fetch_add(1, Ordering::Relaxed);
                Err(OverBudget { wanted: more, used, limit: account.limit })
            }
        }
    }

    /// Gives back all but `bytes`, or takes the difference whatever the limit: the estimate made
    /// at admission becomes the size that it really is.
    pub fn settle(&mut self, bytes: u64) {
        if bytes > self.bytes {
            let mut more = self.budget.take(bytes - self.bytes);
            more.bytes = 0;
        } else {
            self.budget.0.used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
    }

    /// Adds the bytes of `other` to this one.
    pub fn merge(&mut self, mut other: Self) {
        self.bytes += other.bytes;
        other.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
