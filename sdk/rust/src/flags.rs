//! Feature flags, decided in the process from a rule file in flagd's format.
//!
//! What enters: a [`Source`] of rules (a file that is watched, or anything that gives the text) and
//! a [`Context`] for each question. What leaves: [`Details`], the value with variant, reason and
//! error as OpenFeature names them; the default that was passed in whenever there is no answer.
//!
//! What must hold: rules are checked as a whole before they are in force, so that a mistake keeps
//! the last good ones; a question takes no lock that a reload holds and has a bound on its work;
//! the same rules and the same context give the same answer in every process. Hashing is
//! flagd's: murmur3 (x86, 32 bit, seed 0) of the key, scaled to the sum of the weights.
//!
//! ```
//! use fresnel_sdk::flags::{Context, Flags, Reason};
//!
//! let flags = Flags::from_text(r#"{"flags": {"banner": {
//!     "state": "ENABLED",
//!     "variants": {"on": true, "off": false},
//!     "defaultVariant": "off",
//!     "targeting": {"if": [{"ends_with": [{"var": "email"}, "@example.com"]}, "on", null]}
//! }}}"#)?;
//! let us = Context::user("u-1").with("email", "ann@example.com");
//! let details = flags.bool_details("banner", false, &us);
//! assert_eq!((details.value, details.reason), (true, Reason::TargetingMatch));
//! assert!(!flags.bool("banner", false, &Context::user("u-2")));
//! # Ok::<(), fresnel_sdk::flags::RuleError>(())
//! ```

mod client;
mod context;
mod details;
mod evaluate;
mod murmur3;
#[cfg(feature = "open-feature")]
mod open_feature;
mod operation;
mod rule;
mod set;
mod source;
mod value;

#[cfg(test)]
mod tests;

/// The examples of the guide are tests, too.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk/flags.md")]
mod guide {}

pub use self::client::{Evaluated, Flags, Listener, SourceFailure, StartOptions};
pub use self::context::Context;
pub use self::details::{Details, ErrorCode, EvaluationError, Reason};
#[cfg(feature = "open-feature")]
pub use self::open_feature::Provider;
pub use self::set::{FlagSet, RuleError};
pub use self::source::{FileSource, Source, SourceError};
