mod tokens;

#[cfg(test)]
mod loom_tests;

use std::sync::Arc;

use self::tokens::Tokens;

/// What the lock-free part is made of; loom's tests give it others.
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};
}

/// How many retries there may be for how many calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetOptions {
    /// Retries allowed for each call, in the long run; 0.1 is one retry for ten calls.
    pub ratio: f64,
    /// Retries that may be saved up, and there are at the start; 10.
    pub burst: u32,
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self { ratio: 0.1, burst: 10 }
    }
}

/// Keeps retries and hedges from multiplying the load when everything fails: each call pays a
/// part of a token in, each retry takes one out. Clones are the same budget; share one among all
/// that call the same service. Without locks.
///
/// ```
/// use fresnel_sdk::resilience::{Budget, BudgetOptions};
///
/// let budget = Budget::new(BudgetOptions { ratio: 0.5, burst: 1 });
/// assert!(budget.withdraw(), "what was saved up");
/// assert!(!budget.withdraw());
/// budget.deposit();
/// budget.deposit();
/// assert!(budget.withdraw(), "two calls pay for one retry");
/// ```
#[derive(Clone, Debug)]
pub struct Budget(Arc<Tokens>);

impl Budget {
    /// A full one. A ratio that is negative or not a number counts as 0; more than 1,000 as 1,000.
    pub fn new(options: BudgetOptions) -> Self {
        Self(Arc::new(Tokens::new(options.ratio, options.burst)))
    }

    /// One more call was made.
    pub fn deposit(&self) {
        self.0.deposit();
    }

    /// Pays for a retry. False when there is not enough.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.0.withdraw()
    }

    /// Retries that can be paid now.
    pub fn available(&self) -> u32 {
        self.0.available()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(BudgetOptions::default())
    }
}
