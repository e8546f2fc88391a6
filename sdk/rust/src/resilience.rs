//! What a service does so that failures of others, and too much work, do not become its own.
//!
//! | part | what it does |
//! |---|---|
//! | [`Retry`] | tries again, with growing pauses, jitter, a budget, `Retry-After` |
//! | [`Timeout`], [`Deadline`] | cut off what takes too long; what is left of the time goes along with calls |
//! | [`Breaker`], [`Breakers`] | leave alone what fails too often, and probe it |
//! | [`Bulkhead`] | lets only so many calls run at once |
//! | [`RateLimit`], [`KeyedRateLimit`] | let only so many calls through in a time, for all or for each key |
//! | [`LoadShed`] | turns calls away when more run than can be answered in time |
//! | [`Hedge`] | asks a second time when the answer is late |
//! | [`Fallback`] | gives something else when a call fails |
//! | [`Balancer`] | spreads calls over the endpoints that work |
//! | [`Faults`] | makes things go wrong on purpose |
//! | [`ErrorHandler`] | decides what is done about an error, and does it |
//!
//! Each is a value with a `run` that takes a future, and with the feature `tower` a layer
#![cfg_attr(feature = "tower", doc = "([`tower`]).")]
#![cfg_attr(not(feature = "tower"), doc = ".")]
//! They nest from the outside in: a deadline, a fallback, a retry, a breaker, a bulkhead, a timeout
//! for each attempt, the call.
//!
//! What enters: futures, and errors that say what they are ([`Classify`]). What leaves: their
//! results, or [`Rejected`]; metrics named `resilience.*` in the registry that each part is given;
//! `tracing` events where a state changes. What must hold: everything is bounded; a future that is
//! dropped gives back what it held, in a panic too; nothing is spawned; time is [`clock`](crate::clock)'s.
//!
//! ```
//! use std::time::Duration;
//! use fresnel_sdk::resilience::{
//!     Breaker, BreakerOptions, CallError, Deadline, Retry, RetryOptions, Timeout,
//! };
//! use fresnel_sdk::telemetry::metrics::Registry;
//!
//! type Error = CallError<std::io::Error>;
//!
//! async fn read_stock() -> Result<u32, Error> {
//!     Ok(12)
//! }
//!
//! # fresnel_sdk::clock::simulate(async {
//! let registry = Registry::new();
//! let retry = Retry::new("stock.read", RetryOptions::default(), &registry);
//! let breaker = Breaker::new("stock.read", BreakerOptions::default(), &registry);
//! let timeout = Timeout::new("stock.read", Duration::from_millis(500), &registry);
//!
//! let stock = Deadline::after(Duration::from_secs(2))
//!     .run(retry.run(|| breaker.run(timeout.run(read_stock()))))
//!     .await;
//! assert_eq!(stock.expect("it works"), 12);
//! # });
//! ```

#[cfg(feature = "axum")]
mod answer;
#[cfg(feature = "axum")]
pub mod axum;
mod backoff;
mod balance;
mod breaker;
mod budget;
mod bulkhead;
mod classify;
mod deadline;
mod escalation;
mod fallback;
mod fault;
mod handler;
mod hedge;
mod load_shed;
mod outcomes;
mod rate_limit;
mod rejected;
mod retry;
mod seldom;
mod timeout;
#[cfg(feature = "tower")]
pub mod tower;
mod verdict;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(all(doctest, feature = "axum", feature = "tower"))]
#[doc = include_str!("../../../docs/sdk/resilience.md")]
mod guide {}

pub use self::backoff::{Backoff, Growth};
pub use self::balance::{Balancer, EndpointHealth};
pub use self::breaker::{Breaker, BreakerOptions, Breakers, Permit, SlowCalls, State, Threshold, Window};
pub use self::budget::{Budget, BudgetOptions};
pub use self::bulkhead::{Bulkhead, BulkheadOptions, Place};
pub use self::classify::{
    BoxError, Category, Classification, Classify, Facts, Match, Predicate, Rules, Severity,
};
pub use self::deadline::{DEADLINE_HEADER, Deadline};
pub use self::escalation::{Escalate, Escalation};
pub use self::fallback::Fallback;
pub use self::fault::{Effect, Fault, Faults};
pub use self::handler::{Action, Context, ErrorHandler, Handler, HandlerId, Handling, Recovery};
pub use self::hedge::{Hedge, HedgeOptions};
pub use self::load_shed::{Admitted, LoadShed, LoadShedOptions};
pub use self::rate_limit::{KeyedLimitOptions, KeyedRateLimit, RateLimit, RateLimitOptions};
pub use self::rejected::{CallError, Rejected};
pub use self::retry::{Retry, RetryError, RetryOptions, Retrying, Stop};
pub use self::timeout::Timeout;
pub use self::verdict::{EveryError, Judge, Outcome, Verdict};
pub use crate::retry_after::{RETRY_AFTER, parse_retry_after};
